-- A head of 2 to 4 KB (purchases on every day of a year, hundreds of open orders) stays in its row as it is: compressed and kept apart
-- with every event, it took five times as long to write, and more log.

-- migrate:up

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE account SET (toast_tuple_target = 4080);

-- migrate:down

ALTER TABLE account RESET (toast_tuple_target);
