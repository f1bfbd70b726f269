-- erase_account runs with its owner's rights: temporary tables of whoever calls it are looked at last, so none of them, and no
-- trigger on one, stands in for a table of the ledger.

-- migrate:up

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

ALTER FUNCTION erase_account(uuid, uuid, text [], text [], bytea [], bytea []) SET search_path = pg_catalog, public, pg_temp;

-- migrate:down

ALTER FUNCTION erase_account(uuid, uuid, text [], text [], bytea [], bytea []) SET search_path = pg_catalog, public;
