-- Verdicts that subscribers were told before the database was restored to an earlier moment, read back from their topic.

-- migrate:up

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE announced (
    account_id uuid NOT NULL,
    source text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('accepted', 'rejected')),
    points bigint NOT NULL CHECK (points >= 0),
    reason text,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, source, id)
);
COMMENT ON TABLE announced IS 'Verdicts read back from Kafka after a restore: whoever folds the fact that asked takes them as they were told.';

-- migrate:down

DROP TABLE announced;
