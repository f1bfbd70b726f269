-- Commands above a ceiling: what was given on a day, which commands are held, and what people said of them.

-- Locks the rows, so that of two batches the second one sees what the first one gave.
-- name: lock_given
INSERT INTO points_given AS g (day, scope, of, points)
SELECT day, scope, of, 0
FROM unnest($1::date[], $2::text[], $3::uuid[]) AS w (day, scope, of)
ORDER BY day, scope, of
ON CONFLICT (day, scope, of) DO UPDATE SET points = g.points
RETURNING day, scope, of, points;

-- name: give_points
UPDATE points_given g SET points = g.points + w.points
FROM unnest($1::date[], $2::text[], $3::uuid[], $4::bigint[]) AS w (day, scope, of, points)
WHERE g.day = w.day AND g.scope = w.scope AND g.of = w.of;

-- name: forget_given
DELETE FROM points_given WHERE day < $1;

-- name: held_among
SELECT h.account_id, h.source, h.id, h.digest, v.verdict = 'approved' AND v.applied_at IS NOT NULL AS released
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS w (account_id, source, id)
JOIN held_command h ON h.account_id = w.account_id AND h.source = w.source AND h.id = w.id
LEFT JOIN command_verdict v ON v.account_id = h.account_id AND v.source = h.source AND v.id = h.id;

-- name: hold_commands
INSERT INTO held_command (account_id, source, id, type, business_at, program, digest, body, traceparent, topic, partition,
    record_offset, account_program, operator, points, ceiling)
SELECT *
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::bytea[], $8::bytea[], $9::text[],
    $10::text[], $11::integer[], $12::bigint[], $13::text[], $14::text[], $15::bigint[], $16::text[])
ON CONFLICT (account_id, source, id) DO NOTHING
RETURNING account_id, source, id;

-- name: held_commands
SELECT h.account_id, h.source, h.id, h.type, h.business_at, h.program, h.body, h.traceparent, h.topic, h.partition,
    h.record_offset, h.account_program, h.operator, h.points, h.ceiling, h.held_at,
    v.verdict, v.given_by, v.login, v.reason, v.given_at, v.applied_at
FROM held_command h
LEFT JOIN command_verdict v ON v.account_id = h.account_id AND v.source = h.source AND v.id = h.id
WHERE ($1::text IS NULL OR h.account_program = $1) AND ($2 OR v.verdict IS NULL)
ORDER BY h.held_at, h.account_id, h.source, h.id;

-- name: held_waiting
SELECT count(*) AS waiting
FROM (
    SELECT h.id
    FROM held_command h
    LEFT JOIN command_verdict v ON v.account_id = h.account_id AND v.source = h.source AND v.id = h.id
    WHERE v.account_id IS NULL
    LIMIT $1
) AS w;

-- name: give_verdict
INSERT INTO command_verdict (account_id, source, id, operator, verdict, given_by, reason) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: verdicts_to_apply
SELECT account_id, source, id FROM command_verdict WHERE applied_at IS NULL ORDER BY given_at LIMIT $1;

-- Whoever is second finds it done.
-- name: apply_verdict
UPDATE command_verdict SET applied_at = clock_timestamp()
WHERE account_id = $1 AND source = $2 AND id = $3 AND applied_at IS NULL
RETURNING verdict;

-- name: held_command
SELECT source, id, type, business_at, program, traceparent, body, topic, partition, record_offset, account_program
FROM held_command
WHERE account_id = $1 AND source = $2 AND id = $3;

-- name: forget_held
DELETE FROM held_command WHERE account_id = $1 AND business_at <= $2;

-- What was held while the person was being forgotten.
-- name: forget_held_late
DELETE FROM held_command h
USING erasure e
WHERE h.held_at > $1 AND e.account_id = h.account_id AND h.business_at <= e.done_until;
