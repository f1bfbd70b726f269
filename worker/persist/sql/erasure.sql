-- Forgetting people: who is to be forgotten, and moving an account to another id.

-- Several erasures of one member are done one after the other, so what is asked for is the earliest that is not done.
-- name: ask_erasures
INSERT INTO erasure AS e (account_id, asked_until)
SELECT account_id, asked_until FROM unnest($1::uuid[], $2::timestamptz[]) AS w (account_id, asked_until)
ORDER BY account_id
ON CONFLICT (account_id) DO UPDATE SET asked_until = excluded.asked_until
WHERE e.done_until = e.asked_until OR e.asked_until > excluded.asked_until;

-- name: erased
SELECT account_id, done_until
FROM erasure
WHERE account_id = ANY($1::uuid[]) AND done_until IS NOT NULL;

-- Whoever may not erase finds nothing to do.
-- name: erasures_due
SELECT account_id
FROM erasure
WHERE asked_until <= $1 AND (done_until IS NULL OR done_until < asked_until)
    AND has_function_privilege('erase_account(uuid, uuid, text[], text[], bytea[], bytea[])', 'EXECUTE')
ORDER BY asked_until
LIMIT $2;

-- name: may_erase
SELECT has_function_privilege('erase_account(uuid, uuid, text[], text[], bytea[], bytea[])', 'EXECUTE');

-- name: lock_account
SELECT revision FROM account WHERE account_id = $1 FOR UPDATE;

-- name: lock_erasure
SELECT asked_until
FROM erasure
WHERE account_id = $1 AND (done_until IS NULL OR done_until < asked_until)
FOR UPDATE;

-- name: unpublished
SELECT count(*) FROM outbox WHERE account_id = $1;

-- name: all_steps
SELECT business_at, rank, source, id, before FROM step WHERE account_id = $1;

-- name: erase_account
SELECT erase_account($1, $2, $3::text[], $4::text[], $5::bytea[], $6::bytea[]);

-- Written under the other id and then removed: on a cluster a row does not change the node that it is on.
-- name: copy_lots
INSERT INTO lot (account_id, origin, part, kind, points, pending, available, lapsed, expires_on, lapses_at, doc)
SELECT $2, origin, part, kind, points, pending, available, lapsed, expires_on, lapses_at, doc FROM lot WHERE account_id = $1;

-- name: copy_items
INSERT INTO item (account_id, kind, key, due_at, doc)
SELECT $2, kind, key, due_at, doc FROM item WHERE account_id = $1;

-- name: copy_steps
INSERT INTO step (account_id, business_at, rank, source, id, version, before)
SELECT $2, business_at, rank, source, id, version, before FROM step WHERE account_id = $1;

-- name: remove_lots
DELETE FROM lot WHERE account_id = $1;

-- name: remove_items
DELETE FROM item WHERE account_id = $1;

-- name: remove_steps
DELETE FROM step WHERE account_id = $1;

-- name: rewrite_items
UPDATE item i SET doc = w.doc
FROM unnest($2::text[], $3::text[], $4::bytea[]) AS w (kind, key, doc)
WHERE i.account_id = $1 AND i.kind = w.kind AND i.key = w.key;

-- name: rewrite_steps
UPDATE step s SET before = w.before
FROM unnest($2::timestamptz[], $3::smallint[], $4::text[], $5::text[], $6::bytea[]) AS w (business_at, rank, source, id, before)
WHERE s.account_id = $1 AND s.business_at = w.business_at AND s.rank = w.rank AND s.source = w.source AND s.id = w.id;

-- name: move_routes
UPDATE order_route SET account_ids = array_replace(account_ids, $1::uuid, $2::uuid) WHERE order_id = ANY($3::text[]);

-- name: move_account
INSERT INTO account (account_id, program, member_id, revision, version, epoch, shard, available, pending, held, arrears,
    next_due_at, waits_for, fenced, head, chain_length, chain_head, updated_at)
SELECT $2, program, $3, revision, version, epoch, $4, available, pending, held, arrears, next_due_at, waits_for, fenced, head,
    chain_length, chain_head, updated_at
FROM account
WHERE account_id = $1;

-- What is left under the old id says that there was an account, and no more; whoever had it in hand loses the race for it.
-- name: empty_account
UPDATE account SET member_id = '', revision = revision + 1, available = 0, pending = 0, held = 0, arrears = 0, next_due_at = NULL,
    waits_for = NULL, fenced = NULL, head = $2, chain_length = 0, chain_head = DEFAULT, updated_at = transaction_timestamp()
WHERE account_id = $1;

-- name: begin_chain
INSERT INTO chain_begun (account_id, number, length, head, length_before, head_before, accepted, salt, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: set_chain
UPDATE account SET chain_length = $2, chain_head = $3 WHERE account_id = $1;

-- $2: the end of the life that is left, if that is to be forgotten too.
-- name: erasure_done
UPDATE erasure SET done_until = asked_until, asked_until = coalesce($2::timestamptz, asked_until) WHERE account_id = $1;
