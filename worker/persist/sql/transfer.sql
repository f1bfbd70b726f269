-- Building one ledger from the facts of another.

-- What does not follow from facts: what Kafka was read up to, who guests are, what waits, what was broken; and the terms.
-- name: transfer_position
SELECT topic, partition, from_offset, next_offset, digest, record_at, updated_at FROM position;

-- name: transfer_program_terms
SELECT program, hash, effective_from, body, file_digest, reason, applied_at, applied_by, needs_approval FROM program_terms;

-- name: transfer_terms_approval
SELECT program, hash, applied_at, applied_by, approved_by, approved_at FROM terms_approval;

-- name: transfer_parked
SELECT order_id, source, id, type, business_at, program, digest, body, traceparent, recorded_at, aside, topic, partition,
    record_offset
FROM parked;

-- name: transfer_order_route
SELECT order_id, programs, account_ids, recorded_at FROM order_route;

-- name: transfer_dead_letter
SELECT topic, partition, record_offset, digest, record_at, reason, detail, path, key, value, headers, recorded_at
FROM dead_letter;

-- Ids are given anew, so what waits to be published goes by the places of its records.
-- name: transfer_waiting_letters
SELECT q.lane, q.bytes, d.topic, d.partition, d.record_offset, d.digest
FROM dead_letter_queue q
JOIN dead_letter d ON d.dead_letter_id = q.dead_letter_id;

-- name: transfer_queue_letters
INSERT INTO dead_letter_queue (lane, dead_letter_id, bytes)
SELECT w.lane, d.dead_letter_id, w.bytes
FROM unnest($1::smallint[], $2::integer[], $3::text[], $4::integer[], $5::bigint[], $6::bytea[])
    AS w (lane, bytes, topic, partition, record_offset, digest)
JOIN dead_letter d ON (d.topic, d.partition, d.record_offset, d.digest) = (w.topic, w.partition, w.record_offset, w.digest);

-- name: transfer_erasure
SELECT account_id, asked_until, done_until, recorded_at FROM erasure;

-- name: transfer_announced
SELECT account_id, source, id, verdict, points, reason, recorded_at FROM announced;

-- name: transfer_chain_begun
SELECT account_id, number, length, head, length_before, head_before, accepted, salt, reason, begun_by, begun_at FROM chain_begun;

-- name: transfer_seal
SELECT program, number, sealed_at, epoch, accounts, facts, root, previous, digest, sealed_by FROM seal;

-- name: transfer_held_command
SELECT account_id, source, id, type, business_at, program, digest, body, traceparent, topic, partition, record_offset,
    account_program, operator, points, ceiling, held_at
FROM held_command;

-- name: transfer_command_verdict
SELECT account_id, source, id, operator, verdict, given_by, login, reason, given_at, applied_at FROM command_verdict;

-- name: transfer_points_given
SELECT day, scope, of, points FROM points_given;

-- name: transfer_fact
SELECT account_id, source, id, type, business_at, rank, program, order_id, digest, body, traceparent, recorded_at, topic, partition,
    record_offset, place, salt, leaf
FROM fact
WHERE account_id = ANY($1);

-- name: transfer_decision
SELECT account_id, source, id, verdict, points, reason, recorded_at
FROM decision
WHERE account_id = ANY($1);

-- name: transfer_ledger
SELECT s.epoch, s.key_check, w.value AS watermark, c.passed, c.current FROM ledger_state s, watermark w, certainty c;

-- name: transfer_epoch
UPDATE ledger_state SET epoch = $1, key_check = $2;

-- name: transfer_watermark
UPDATE watermark SET value = $1, updated_at = clock_timestamp();

-- Numbers go on, so that what waits waits on; ends that were listed for the source are listed anew.
-- name: transfer_certainty
UPDATE certainty SET passed = $1, current = $2;

-- name: transfer_mark
INSERT INTO lease (name, holder, until) VALUES ($1, $2, 'infinity');

-- name: transfer_state
SELECT
    (SELECT holder FROM lease WHERE name = $1) AS begun_from,
    EXISTS (SELECT 1 FROM account) OR EXISTS (SELECT 1 FROM position) OR EXISTS (SELECT 1 FROM program_terms) AS used,
    (SELECT account_id FROM account ORDER BY account_id DESC LIMIT 1) AS last;

-- name: transfer_left
SELECT count(*) AS accounts FROM account WHERE account_id > $1;
