-- What follows orders of stores outside every program waits, in case a program has an order of the same id. There may be many, and
-- whoever looks for events whose order has come need not look among them.

-- migrate:up

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE parked ADD COLUMN aside boolean DEFAULT false NOT NULL;
COMMENT ON COLUMN parked.aside IS 'It names no program, and when it came only orders outside every program had its order''s id.';
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX parked_awaited ON parked (order_id) WHERE NOT aside;

-- migrate:down

DROP INDEX parked_awaited;
ALTER TABLE parked DROP COLUMN aside;
