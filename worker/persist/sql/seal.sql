-- Seals: the heads of all chains, and what was sealed of them.

-- Read through a cursor, in the order of the leaves. A commitment names an account to whoever has its id, and to nobody else.
-- name: chains_to_seal
SELECT sha256(convert_to(E'loyalty account 1\n', 'UTF8') || uuid_send(account_id)) AS commitment, chain_length, chain_head
FROM account
WHERE program = $1 AND chain_length > 0
ORDER BY commitment;

-- name: chains_sealed
SELECT sha256(convert_to(E'loyalty account 1\n', 'UTF8') || uuid_send(a.account_id)) AS commitment, a.account_id,
    a.member_id = '' OR e.done_until IS NOT NULL AS erased
FROM account a
LEFT JOIN erasure e ON e.account_id = a.account_id
WHERE a.program = $1
ORDER BY commitment;

-- name: programs_to_seal
SELECT DISTINCT program FROM account ORDER BY program;

-- name: sealing_state
SELECT epoch, clock_timestamp() AS now FROM ledger_state;

-- name: seals
SELECT program, number, sealed_at, epoch, accounts, facts, root, previous, digest
FROM seal
WHERE program = $1 AND number >= $2
ORDER BY number;

-- name: last_seal
SELECT number, digest FROM seal WHERE program = $1 ORDER BY number DESC LIMIT 1;

-- name: add_seal
INSERT INTO seal (program, number, sealed_at, epoch, accounts, facts, root, previous, digest)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: leaves
SELECT account_id, place, leaf
FROM fact
WHERE account_id = ANY($1::uuid[]) AND place IS NOT NULL AND leaf IS NOT NULL
ORDER BY account_id, place;

-- name: beginnings
SELECT account_id, number, length, head, length_before, head_before, accepted, salt, reason
FROM chain_begun
WHERE account_id = ANY($1::uuid[]);
