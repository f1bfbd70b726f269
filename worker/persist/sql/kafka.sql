-- What the ledger knows of Kafka: how far it has read, what it could not read, and what is still to be published.

-- A first move has no offset to come from (-1) and makes the row; any other must find the position where it was left.
-- name: move_positions
INSERT INTO position AS p (topic, partition, from_offset, next_offset, digest, record_at, updated_at)
SELECT topic, partition, from_offset, next_offset, digest, record_at, clock_timestamp()
FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[], $5::bytea[], $6::timestamptz[])
    AS m (topic, partition, from_offset, next_offset, digest, record_at)
WHERE from_offset = -1 OR EXISTS (SELECT FROM position q WHERE q.topic = m.topic AND q.partition = m.partition)
ORDER BY topic, partition
ON CONFLICT (topic, partition) DO UPDATE SET
    from_offset = excluded.from_offset,
    next_offset = excluded.next_offset,
    digest = excluded.digest,
    record_at = excluded.record_at,
    updated_at = excluded.updated_at
WHERE p.next_offset = excluded.from_offset
RETURNING p.topic, p.partition, (SELECT value FROM watermark) AS watermark;

-- Waits for whoever is still committing, then says where the positions are.
-- name: settle_positions
UPDATE position p SET updated_at = clock_timestamp()
FROM unnest($1::text[], $2::integer[]) AS m (topic, partition)
WHERE p.topic = m.topic AND p.partition = m.partition
RETURNING p.topic, p.partition, p.from_offset, p.next_offset, p.digest;

-- name: positions
SELECT topic, partition, next_offset, digest, record_at, updated_at
FROM position
ORDER BY topic, partition;

-- Only of whoever has the partition now: the others have settled less (or nothing) of it.
-- name: report_progress
INSERT INTO reading (topic, partition, at_end, oldest_unread_at, reported_at)
SELECT m.topic, m.partition, m.at_end, m.oldest_unread_at, clock_timestamp()
FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::boolean[], $5::timestamptz[])
    AS m (topic, partition, settled_offset, at_end, oldest_unread_at)
LEFT JOIN position p ON p.topic = m.topic AND p.partition = m.partition
WHERE p.next_offset IS NOT DISTINCT FROM m.settled_offset
ORDER BY m.topic, m.partition
ON CONFLICT (topic, partition) DO UPDATE SET
    at_end = excluded.at_end,
    oldest_unread_at = excluded.oldest_unread_at,
    reported_at = excluded.reported_at;

-- name: readings
SELECT topic, partition, reported_at, at_end, oldest_unread_at AS oldest_time
FROM reading
ORDER BY topic, partition;

-- name: watermark
SELECT value FROM watermark;

-- name: advance_watermark
UPDATE watermark SET value = $1, updated_at = clock_timestamp()
WHERE value IS NULL OR value < $1;

-- name: certainty
SELECT passed, current FROM certainty;

-- Whether anyone waits is asked in a statement of its own: a cluster asks its nodes for it.
-- name: snapshots
SELECT c.passed, c.current, clock_timestamp() AS now, s.number, s.taken_at, s.ends
FROM certainty c
LEFT JOIN snapshot s ON s.number > c.passed
ORDER BY s.number;

-- Whoever listed ends while another took the next number has listed them too early for the number after it, and gets none.
-- name: take_snapshot
WITH taken AS (
    UPDATE certainty SET current = current + 1 WHERE current = $1 RETURNING current
)
INSERT INTO snapshot (number, ends) SELECT current, $2 FROM taken
RETURNING number;

-- name: pass_snapshots
WITH passed AS (
    UPDATE certainty SET passed = $1 WHERE passed < $1 AND current >= $1
)
DELETE FROM snapshot WHERE number <= $1;

-- name: take_lease
INSERT INTO lease AS l (name, holder, until)
VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE l.holder = excluded.holder OR l.until <= clock_timestamp()
RETURNING l.name;

-- name: give_back_lease
DELETE FROM lease WHERE name = $1 AND holder = $2;

-- name: dead_letters
INSERT INTO dead_letter (topic, partition, record_offset, digest, record_at, reason, detail, path, key, value, headers)
SELECT *
FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bytea[], $5::timestamptz[], $6::text[], $7::text[], $8::text[],
    $9::bytea[], $10::bytea[], $11::bytea[])
ON CONFLICT (topic, partition, record_offset, digest) DO NOTHING
RETURNING topic, partition, record_offset, digest, dead_letter_id;

-- The first so many of each lane; where those are too many together, the first of all lanes go before the second of any. By their
-- place in the table and without a join, for the reason that stands at `outbox_delete`.
-- name: take_dead_letters
WITH first AS (
    SELECT q.place, q.dead_letter_id, q.bytes, row_number() OVER (PARTITION BY l.lane ORDER BY q.dead_letter_id) AS turn
    FROM generate_series(0, $1::integer - 1) AS l (lane)
    CROSS JOIN LATERAL (
        SELECT ctid AS place, dead_letter_id, bytes
        FROM dead_letter_queue
        WHERE lane = l.lane
        ORDER BY dead_letter_id
        LIMIT $2
    ) q
), due AS (
    SELECT place, sum(bytes) OVER (ORDER BY turn, dead_letter_id ROWS UNBOUNDED PRECEDING) - bytes AS bytes_before
    FROM first
    ORDER BY turn, dead_letter_id
    LIMIT $3
), taken AS (
    DELETE FROM dead_letter_queue
    WHERE ctid = ANY(ARRAY(SELECT place FROM due WHERE bytes_before < $4))
    RETURNING dead_letter_id
)
SELECT topic, partition, record_offset, digest, reason, detail, path, key, value, headers, clock_timestamp() AS now
FROM dead_letter
WHERE dead_letter_id = ANY(ARRAY(SELECT dead_letter_id FROM taken))
ORDER BY dead_letter_id;

-- A lane is told by the reason of its first letter; letters of other reasons in the same lane are few.
-- name: waiting_dead_letters
SELECT first.reason, sum(q.letters)::bigint AS letters,
    extract(epoch FROM clock_timestamp() - min(first.recorded_at))::float8 AS seconds
FROM generate_series(0, $1::integer - 1) AS l (lane)
CROSS JOIN LATERAL (
    SELECT count(*) AS letters, min(dead_letter_id) AS dead_letter_id
    FROM (SELECT dead_letter_id FROM dead_letter_queue WHERE lane = l.lane ORDER BY dead_letter_id LIMIT $2) counted
) q
CROSS JOIN LATERAL (
    SELECT reason, recorded_at FROM dead_letter d WHERE d.dead_letter_id = q.dead_letter_id LIMIT 1
) first
GROUP BY first.reason
ORDER BY first.reason;

-- One range of ids at a time, in the order of the primary key.
-- name: outbox_range
SELECT account_id, version, ordinal, topic, key, value, epoch, program, effective_at, traceparent, headers, created_at
FROM outbox
WHERE account_id > $1 AND account_id <= $2
ORDER BY account_id, version, ordinal
LIMIT $3;

-- No join: tables that are emptied and filled again are "one row" to the planner when they were vacuumed at the wrong moment, and a
-- join would then look through all the keys for each row.
-- name: outbox_delete
DELETE FROM outbox
WHERE account_id = ANY($1::uuid[])
    AND ((account_id, version, ordinal) IN (SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::integer[]))) IS TRUE;

-- name: outbox_backlog
SELECT count(*) + (SELECT count(*) FROM dead_letter_queue) AS messages, min(created_at) AS oldest_at FROM outbox;

-- name: ledger_state
SELECT epoch, clock_timestamp() AS now, EXISTS (SELECT 1 FROM announced) AS announced FROM ledger_state;

-- name: settle_key
UPDATE ledger_state SET key_check = coalesce(key_check, $1)
RETURNING key_check;

-- name: register_terms
INSERT INTO program_terms (body, file_digest, reason)
VALUES ($1, $2, $3)
RETURNING needs_approval;

-- name: terms_need_approval
SELECT terms_need_approval($1, $2);

-- name: approve_terms
INSERT INTO terms_approval (program, hash, applied_at, applied_by)
VALUES ($1, $2, $3, $4)
ON CONFLICT (program, hash, applied_at) DO NOTHING;

-- name: terms
SELECT t.program, t.hash, t.effective_from, t.begins_at, t.body, t.file_digest, t.reason, t.applied_at, t.applied_by,
    t.needs_approval, a.approved_at, a.approved_by
FROM program_terms t
LEFT JOIN terms_approval a ON a.program = t.program AND a.hash = t.hash AND a.applied_at = t.applied_at
ORDER BY t.program, t.begins_at, t.applied_at, t.hash;
