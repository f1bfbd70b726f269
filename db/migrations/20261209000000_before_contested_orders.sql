-- The route of an order that several placed has all of them, and such orders are looked for by their id.

-- migrate:up

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

COMMENT ON TABLE order_route IS 'Which accounts of which programs placed an order; a null account: a guest, or a store outside every program.';
-- Few facts are in it: of orders that somebody else was told to have placed too, and of commands that decide whose they are.
-- Writers wait while the facts are looked through once. Where that is too long, make it CONCURRENTLY first.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS fact_contested ON fact (order_id) WHERE type IN ('order.contested', 'order.claimed');

-- migrate:down

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

DROP INDEX fact_contested;
COMMENT ON TABLE order_route IS 'Which account of which program an order belongs to; a null account: a guest, or a store outside every program.';
