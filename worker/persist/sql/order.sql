-- Which account an order belongs to, and the events that came before their order.

-- name: routes
SELECT order_id, programs, account_ids
FROM order_route
WHERE order_id = ANY($1::text[]);

-- Locks the row of every order, and writes only where a program or an account is new: an arrival brings one program, waiting
-- brings none. A guest's order is noted where it is the first of its program.
-- name: claim
INSERT INTO order_route AS r (order_id, programs, account_ids)
SELECT order_id,
    CASE WHEN arrives THEN ARRAY[program] ELSE '{}' END,
    CASE WHEN arrives THEN ARRAY[account_id] ELSE '{}' END
FROM unnest($1::text[], $2::boolean[], $3::text[], $4::uuid[]) AS w (order_id, arrives, program, account_id)
ORDER BY order_id
ON CONFLICT (order_id) DO UPDATE SET
    programs = r.programs || excluded.programs,
    account_ids = r.account_ids || excluded.account_ids
WHERE NOT excluded.programs <@ r.programs
    OR (excluded.account_ids[1] IS NOT NULL AND NOT excluded.account_ids <@ r.account_ids);

-- What was folded into accounts as being about orders of theirs, and does not say of which program it is. By the key of the
-- account: asked only when a second program has an order of the id. What was withdrawn already, or has a verdict that the world was
-- told, stays as it is.
-- name: nameless
SELECT f.account_id, f.source, f.id, f.type, f.business_at, f.program, f.traceparent, f.body, f.topic, f.partition,
    f.record_offset
FROM unnest($1::uuid[], $2::text[]) AS w (account_id, order_id)
JOIN fact f ON f.account_id = w.account_id AND f.order_id = w.order_id
LEFT JOIN decision d ON d.account_id = f.account_id AND d.source = f.source AND d.id = f.id
WHERE f.program IS NULL AND d.account_id IS NULL
ORDER BY f.account_id, f.business_at, f.rank, f.source, f.id;

-- By the key of the account, as above: asked only when an order is brought by somebody else too, or a command decides whose it is.
-- What an order was split into is about it too.
-- name: about
SELECT f.account_id, f.source, f.id, f.type, f.business_at, f.program, f.traceparent, f.body, f.topic, f.partition,
    f.record_offset
FROM unnest($1::uuid[], $2::text[]) AS w (account_id, order_id)
JOIN fact f ON f.account_id = w.account_id AND (
    f.order_id = w.order_id
    OR (f.type = 'order.split' AND convert_from(f.body, 'UTF8')::jsonb -> 'into' @> jsonb_build_array(
        jsonb_build_object('order_id', w.order_id)
    ))
)
LEFT JOIN decision d ON d.account_id = f.account_id AND d.source = f.source AND d.id = f.id AND d.reason = 'ambiguous_order'
WHERE d.account_id IS NULL
ORDER BY f.account_id, f.business_at, f.rank, f.source, f.id;

-- name: park
INSERT INTO parked (order_id, source, id, type, business_at, program, digest, body, traceparent, topic, partition, record_offset,
    aside)
SELECT *
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::bytea[], $8::bytea[], $9::text[],
    $10::text[], $11::integer[], $12::bigint[], $13::boolean[])
ON CONFLICT (order_id, source, id) DO NOTHING
RETURNING order_id, source, id;

-- No joins with what is parked, for the reason that stands at `outbox_delete`.
-- name: parked_digests
SELECT order_id, source, id, digest, type
FROM parked
WHERE order_id = ANY($1::text[])
    AND ((order_id, source, id) IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))) IS TRUE;

-- name: take_parked
DELETE FROM parked
WHERE order_id = ANY($1::text[]) AND (
    program IS NULL
    OR ((order_id, program) IN (SELECT * FROM unnest($1::text[], $2::text[]))) IS TRUE
)
RETURNING order_id, source, id, type, business_at, program, traceparent, body, topic, partition, record_offset;

-- name: drainable
SELECT r.order_id, r.programs, r.account_ids
FROM (SELECT DISTINCT order_id FROM parked WHERE NOT aside) AS p
JOIN order_route r ON r.order_id = p.order_id
WHERE r.programs <> '{}' AND r.programs <> ARRAY[''] AND EXISTS (
    SELECT FROM parked w
    WHERE w.order_id = r.order_id AND NOT w.aside AND (w.program IS NULL OR w.program = ANY(r.programs))
)
LIMIT $1;

-- name: followers_of_none
SELECT p.order_id, p.source, p.id
FROM parked p
JOIN order_route r ON r.order_id = p.order_id
WHERE p.recorded_at < $1 AND p.program IS NULL AND (p.aside OR r.programs = ARRAY[''])
ORDER BY p.recorded_at
LIMIT $2;

-- name: drop_parked
DELETE FROM parked
WHERE order_id = ANY($1::text[])
    AND ((order_id, source, id) IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))) IS TRUE;

-- Orders that several placed and no command has decided about; by an index that holds no other facts.
-- name: contested
SELECT DISTINCT f.order_id
FROM fact f
WHERE f.type = 'order.contested' AND f.source = $1 AND NOT EXISTS (
    SELECT FROM fact c
    WHERE c.account_id = f.account_id AND c.order_id = f.order_id AND c.source <> $1
        AND c.type IN ('order.contested', 'order.claimed')
)
LIMIT $2;

-- name: parked_since
SELECT order_id, count(*) AS events, min(recorded_at) AS oldest_at
FROM parked
WHERE recorded_at < $1
GROUP BY order_id
ORDER BY oldest_at, order_id
LIMIT $2;
