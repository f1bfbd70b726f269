-- How far all topics have been read, by numbered snapshots of their ends: what a redemption that is not covered waits for.

-- migrate:up

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE certainty (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    current bigint NOT NULL DEFAULT 0,
    passed bigint NOT NULL DEFAULT 0,
    CHECK (passed BETWEEN 0 AND current)
) WITH (fillfactor = 50);
COMMENT ON TABLE certainty IS 'The number of the newest snapshot, and of the newest one whose ends all positions have reached. Neither goes back.';
INSERT INTO certainty DEFAULT VALUES;

CREATE TABLE snapshot (
    number bigint PRIMARY KEY,
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ends bytea NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE snapshot IS 'Ends of all partitions of the topics read, as Kafka said them, until all positions have reached them; ends is JSON.';

ALTER TABLE account ADD COLUMN waits_for bigint;
COMMENT ON COLUMN account.waits_for IS 'The number of the snapshot that must be passed before a redemption which waits may be refused.';

-- Of a column that is new, so there is nothing to look through.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX account_waits ON account (shard, waits_for) WHERE waits_for IS NOT NULL AND fenced IS NULL;

-- migrate:down

ALTER TABLE account DROP COLUMN waits_for;
DROP TABLE snapshot, certainty;
