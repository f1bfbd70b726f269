-- A fact says which record of Kafka it came in, so that it can be held against what Kafka has.

-- migrate:up

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE fact ADD COLUMN topic text, ADD COLUMN partition integer, ADD COLUMN record_offset bigint;
COMMENT ON COLUMN fact.topic IS 'Of the record that brought the fact. NULL: it came from the command line, or its person was forgotten.';
ALTER TABLE parked ADD COLUMN topic text, ADD COLUMN partition integer, ADD COLUMN record_offset bigint;

-- migrate:down

ALTER TABLE parked DROP COLUMN topic, DROP COLUMN partition, DROP COLUMN record_offset;
ALTER TABLE fact DROP COLUMN topic, DROP COLUMN partition, DROP COLUMN record_offset;
