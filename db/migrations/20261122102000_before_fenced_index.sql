-- How many accounts are fenced is asked by every worker, again and again.

-- migrate:up

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

-- Writers wait while the accounts are looked through once: a second for a million. Where that is too long, make it CONCURRENTLY first.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS account_fenced ON account (account_id) WHERE fenced IS NOT NULL;

-- migrate:down

DROP INDEX account_fenced;
