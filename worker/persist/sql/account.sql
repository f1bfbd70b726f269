-- Accounts: what a batch loads before it folds, and the one write that decides who may write the rest.

-- name: heads
SELECT a.account_id, a.program, a.member_id, a.revision, a.version, a.epoch, a.fenced, a.head, a.chain_length, a.chain_head,
    e.done_until AS forgotten_until
FROM account a
LEFT JOIN erasure e ON e.account_id = a.account_id
WHERE a.account_id = ANY($1::uuid[]);

-- name: chains
SELECT account_id, revision, chain_length, chain_head FROM account WHERE account_id = ANY($1::uuid[]);

-- name: seen
SELECT f.account_id, f.source, f.id, f.digest, f.type
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS w (account_id, source, id)
JOIN fact f ON f.account_id = w.account_id AND f.source = w.source AND f.id = w.id;

-- Items asked for by name, and of the accounts of $4 all that have something due.
-- name: items
SELECT i.account_id, i.kind, i.key, i.doc
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS w (account_id, kind, key)
JOIN item i ON i.account_id = w.account_id AND i.kind = w.kind AND i.key = w.key
UNION ALL
SELECT i.account_id, i.kind, i.key, i.doc
FROM item i
WHERE i.account_id = ANY($4::uuid[]) AND i.due_at IS NOT NULL;

-- Lots of the grants asked for, and every open lot of the accounts of $3; what was lost of others does not matter to anyone.
-- name: lots
SELECT l.account_id, l.doc
FROM unnest($1::uuid[], $2::text[]) AS w (account_id, origin)
JOIN lot l ON l.account_id = w.account_id AND l.origin = w.origin
UNION ALL
SELECT l.account_id, l.doc
FROM lot l
WHERE l.account_id = ANY($3::uuid[]) AND l.pending + l.available > 0;

-- The rows are locked in the order of their ids, won or lost: two batches cannot wait for each other, and whoever loses holds
-- the lock and cannot lose again. A row without a name is what an erasure left; whoever comes under that id takes it over.
-- name: compare_and_set
INSERT INTO account AS a (account_id, program, member_id, revision, version, epoch, shard, available, pending, held, arrears,
    next_due_at, waits_for, fenced, head, chain_length, chain_head, updated_at)
SELECT account_id, program, member_id, revision, version, epoch, shard, available, pending, held, arrears,
    next_due_at, waits_for, fenced, head, chain_length, chain_head, transaction_timestamp()
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::integer[], $7::smallint[], $8::bigint[],
    $9::bigint[], $10::bigint[], $11::bigint[], $12::timestamptz[], $13::bigint[], $14::text[], $15::bytea[], $16::integer[],
    $17::bytea[])
    AS c (account_id, program, member_id, revision, version, epoch, shard, available, pending, held, arrears,
        next_due_at, waits_for, fenced, head, chain_length, chain_head)
ORDER BY account_id
ON CONFLICT (account_id) DO UPDATE SET
    member_id = excluded.member_id,
    revision = excluded.revision,
    version = excluded.version,
    epoch = excluded.epoch,
    available = excluded.available,
    pending = excluded.pending,
    held = excluded.held,
    arrears = excluded.arrears,
    next_due_at = excluded.next_due_at,
    waits_for = excluded.waits_for,
    fenced = excluded.fenced,
    head = excluded.head,
    chain_length = excluded.chain_length,
    chain_head = excluded.chain_head,
    updated_at = excluded.updated_at
WHERE a.revision = excluded.revision - 1 AND a.program = excluded.program AND a.member_id IN (excluded.member_id, '')
RETURNING a.account_id;

-- No ORDER BY: within a shard the index gives the longest due first, and a sort would have to read all that is due.
-- name: due
SELECT account_id, next_due_at, shard
FROM account
WHERE shard = ANY($1::smallint[]) AND next_due_at <= $2 AND next_due_at IS NOT NULL AND fenced IS NULL
LIMIT $3;

-- name: decidable
SELECT account_id
FROM account
WHERE shard = ANY($1::smallint[]) AND waits_for <= $2 AND waits_for IS NOT NULL AND fenced IS NULL
LIMIT $3;

-- name: anyone_waits
SELECT account_id FROM account WHERE waits_for IS NOT NULL AND fenced IS NULL LIMIT 1;

-- name: fenced_after
SELECT account_id
FROM account
WHERE account_id > $1 AND fenced IS NOT NULL
ORDER BY account_id
LIMIT $2;

-- name: accounts_after
SELECT account_id
FROM account
WHERE account_id > $1
ORDER BY account_id
LIMIT $2;

-- All of them are looked through: that a head was written lately, or which are of one program, is asked rarely, and an index
-- would be kept up at every write. What an erasure left under the old id is nobody's account.
-- name: accounts_written
SELECT
    account_id,
    ($2::timestamptz IS NULL OR updated_at >= $2) AND ($4::text IS NULL OR (program = $4 AND member_id <> '')) AS wanted
FROM account
WHERE account_id > $1
ORDER BY account_id
LIMIT $3;
