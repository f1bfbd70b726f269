-- Dead letters are kept at once, and published so many a second: what waits for that stands here.

-- migrate:up

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE dead_letter_queue (
    lane smallint NOT NULL,
    dead_letter_id bigint NOT NULL,
    bytes integer NOT NULL,
    PRIMARY KEY (lane, dead_letter_id)
);
COMMENT ON TABLE dead_letter_queue IS 'Dead letters that are not in the outbox yet. lane: of their reason and source. bytes: of key, value and headers.';

ALTER TABLE dead_letter ADD COLUMN path text;
COMMENT ON COLUMN dead_letter.path IS 'The attribute or field at fault, where it is one.';

-- migrate:down

ALTER TABLE dead_letter DROP COLUMN path;
DROP TABLE dead_letter_queue;
