-- Items are called as they are in the code.

-- migrate:up

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

COMMENT ON TABLE item IS
    'Orders, requests, earmarks, marks, findings and early facts of an account; doc is JSON, due_at when the clock has to look.';

-- migrate:down

SET LOCAL lock_timeout = '5s';

COMMENT ON TABLE item IS 'Orders, requests, settings, marks and findings of an account; doc is JSON, due_at when the clock has to look.';
