-- The rows of the accounts that were won, and reading them back.

-- name: clock
SELECT clock_timestamp();

-- name: put_lots
INSERT INTO lot (account_id, origin, part, kind, points, pending, available, lapsed, expires_on, lapses_at, doc)
SELECT *
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
    $9::date[], $10::timestamptz[], $11::bytea[])
ON CONFLICT (account_id, origin, part) DO UPDATE SET
    kind = excluded.kind,
    points = excluded.points,
    pending = excluded.pending,
    available = excluded.available,
    lapsed = excluded.lapsed,
    expires_on = excluded.expires_on,
    lapses_at = excluded.lapses_at,
    doc = excluded.doc;

-- name: drop_lots
DELETE FROM lot l
USING unnest($1::uuid[], $2::text[], $3::text[]) AS w (account_id, origin, part)
WHERE l.account_id = w.account_id AND l.origin = w.origin AND l.part = w.part;

-- name: put_items
INSERT INTO item (account_id, kind, key, due_at, doc)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::bytea[])
ON CONFLICT (account_id, kind, key) DO UPDATE SET due_at = excluded.due_at, doc = excluded.doc;

-- name: drop_items
DELETE FROM item i
USING unnest($1::uuid[], $2::text[], $3::text[]) AS w (account_id, kind, key)
WHERE i.account_id = w.account_id AND i.kind = w.kind AND i.key = w.key;

-- name: undo_steps
DELETE FROM step s
USING unnest($1::uuid[], $2::timestamptz[], $3::smallint[], $4::text[], $5::text[]) AS w (account_id, business_at, rank, source, id)
WHERE s.account_id = w.account_id AND (s.business_at, s.rank, s.source, s.id) >= (w.business_at, w.rank, w.source, w.id);

-- name: steps_since
SELECT s.account_id, s.business_at, s.rank, s.source, s.id, s.version, s.before
FROM unnest($1::uuid[], $2::timestamptz[], $3::smallint[], $4::text[], $5::text[]) AS w (account_id, business_at, rank, source, id)
JOIN step s ON s.account_id = w.account_id AND (s.business_at, s.rank, s.source, s.id) >= (w.business_at, w.rank, w.source, w.id)
ORDER BY s.account_id, s.business_at DESC, s.rank DESC, s.source DESC, s.id DESC;

-- name: facts_named
SELECT f.account_id, f.source, f.id, f.type, f.business_at, f.program, f.traceparent, f.body, f.topic, f.partition,
    f.record_offset
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS w (account_id, source, id)
JOIN fact f ON f.account_id = w.account_id AND f.source = w.source AND f.id = w.id
ORDER BY f.account_id, f.business_at, f.rank, f.source, f.id;

-- In the order of business, as steps name them the other way round.
-- name: decisions_named
SELECT d.account_id, d.source, d.id, d.verdict, d.points, d.reason
FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS w (account_id, source, id, place)
JOIN decision d ON d.account_id = w.account_id AND d.source = w.source AND d.id = w.id
ORDER BY d.account_id, w.place DESC;

-- name: entries_since
SELECT e.account_id, e.version, e.line, e.business_at, e.rank, e.source, e.id, e.reason, e.points, e.from_bucket, e.to_bucket,
    e.kind, e.lot, e.expires_on, e.order_id, e.rule
FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::smallint[], $5::text[], $6::text[])
    AS w (account_id, version, business_at, rank, source, id)
JOIN entry e ON e.account_id = w.account_id AND e.version >= w.version
WHERE (e.business_at, e.rank, e.source, e.id) >= (w.business_at, w.rank, w.source, w.id)
ORDER BY e.account_id, e.version, e.line;

-- The following read whole accounts; $2 leaves out what was recorded later.
-- name: all_facts
SELECT account_id, source, id, type, business_at, rank, program, order_id, digest, traceparent, body, recorded_at, topic, partition,
    record_offset, place, salt, leaf
FROM fact
WHERE account_id = ANY($1::uuid[]) AND ($2::timestamptz IS NULL OR recorded_at <= $2)
ORDER BY account_id, business_at, rank, source, id;

-- Where chains began anew last.
-- name: chains_begun
SELECT DISTINCT ON (account_id) account_id, number, length, head, length_before, head_before, accepted, salt, reason
FROM chain_begun
WHERE account_id = ANY($1::uuid[])
ORDER BY account_id, number DESC;

-- name: taken_over
SELECT reason, begun_by, count(DISTINCT account_id) AS accounts, min(begun_at) AS first_at, max(begun_at) AS last_at
FROM chain_begun
GROUP BY reason, begun_by
ORDER BY first_at;

-- What came while an account was fenced has no step yet.
-- name: unfolded_facts
SELECT f.account_id, f.source, f.id
FROM fact f
LEFT JOIN step s ON s.account_id = f.account_id AND s.business_at = f.business_at AND s.rank = f.rank
    AND s.source = f.source AND s.id = f.id
WHERE f.account_id = ANY($1::uuid[]) AND s.account_id IS NULL;

-- name: all_decisions
SELECT account_id, source, id, verdict, points, reason, recorded_at
FROM decision
WHERE account_id = ANY($1::uuid[]) AND ($2::timestamptz IS NULL OR recorded_at <= $2);

-- name: all_entries
SELECT account_id, version, line, business_at, rank, source, id, reason, points, from_bucket, to_bucket,
    kind, lot, expires_on, order_id, rule, recorded_at, correction, refold
FROM entry
WHERE account_id = ANY($1::uuid[]) AND ($2::timestamptz IS NULL OR recorded_at <= $2)
ORDER BY account_id, version, line;

-- name: all_items
SELECT account_id, kind, key, doc FROM item WHERE account_id = ANY($1::uuid[]);

-- name: all_lots
SELECT account_id, origin, part, doc FROM lot WHERE account_id = ANY($1::uuid[]);

-- name: all_announced
SELECT account_id, source, id, verdict, points, reason FROM announced WHERE account_id = ANY($1::uuid[]);

-- What was decided before the moment of the backup is known; of several the last one told is here.
-- name: announce
INSERT INTO announced (account_id, source, id, verdict, points, reason)
SELECT account_id, source, id, verdict, points, reason
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[])
    AS w (account_id, source, id, verdict, points, reason)
WHERE (account_id, source, id) NOT IN (
    SELECT d.account_id, d.source, d.id
    FROM unnest($1::uuid[], $2::text[], $3::text[]) AS k (account_id, source, id)
    JOIN decision d ON d.account_id = k.account_id AND d.source = k.source AND d.id = k.id
)
ON CONFLICT (account_id, source, id) DO UPDATE SET
    verdict = excluded.verdict,
    points = excluded.points,
    reason = excluded.reason;

-- name: raise_epoch
UPDATE ledger_state SET epoch = greatest(epoch, $1::integer) + 1
RETURNING epoch;
