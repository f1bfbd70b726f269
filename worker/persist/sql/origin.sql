-- Facts against the records of Kafka that they came in.

-- name: kept_facts
SELECT f.account_id, f.source, f.id, f.digest, f.topic, f.partition, f.record_offset
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS w (account_id, source, id)
JOIN fact f ON f.account_id = w.account_id AND f.source = w.source AND f.id = w.id;

-- name: letters_at
SELECT DISTINCT d.topic, d.partition, d.record_offset
FROM unnest($1::text[], $2::integer[], $3::bigint[]) AS w (topic, partition, record_offset)
JOIN dead_letter d ON d.topic = w.topic AND d.partition = w.partition AND d.record_offset = w.record_offset;

-- By the key, all accounts one after the other.
-- name: origins_after
SELECT f.account_id, f.source, f.id, f.type, f.topic, f.partition, f.record_offset, a.member_id
FROM fact f
LEFT JOIN account a ON a.account_id = f.account_id
WHERE (f.account_id, f.source, f.id) > ($1, $2, $3)
ORDER BY f.account_id, f.source, f.id
LIMIT $4;
