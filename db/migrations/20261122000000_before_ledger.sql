-- The whole ledger as the first release has it. Texts that take part in an order compare by code point (COLLATE "C"), as the
-- fold does; every table of accounts has the account first in its primary key, so that it can be spread over nodes.

-- migrate:up

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;

-- One row per account, rewritten by every change: room is left on the pages so that rewriting need not touch the indexes.
CREATE TABLE account (
    account_id uuid PRIMARY KEY,
    program text COLLATE "C" NOT NULL,
    member_id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL CHECK (revision > 0),
    version bigint NOT NULL CHECK (version >= 0),
    epoch integer NOT NULL,
    shard smallint NOT NULL CHECK (shard BETWEEN 0 AND 63),
    available bigint NOT NULL,
    pending bigint NOT NULL CHECK (pending >= 0),
    held bigint NOT NULL CHECK (held >= 0),
    arrears bigint NOT NULL CHECK (arrears >= 0),
    next_due_at timestamptz,
    fenced text,
    head bytea NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
COMMENT ON TABLE account IS 'Where each account stands. revision guards writes, version is the public counter, head is JSON.';
COMMENT ON COLUMN account.shard IS 'The six highest bits of account_id: the unit in which leases share out the accounts.';
CREATE INDEX account_due ON account (shard, next_due_at) WHERE next_due_at IS NOT NULL AND fenced IS NULL;

CREATE TABLE fact (
    account_id uuid NOT NULL,
    source text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    business_at timestamptz NOT NULL,
    rank smallint NOT NULL,
    program text COLLATE "C",
    order_id text COLLATE "C",
    digest bytea NOT NULL,
    body bytea NOT NULL,
    traceparent text,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, source, id)
);
COMMENT ON TABLE fact IS 'Every input event that an account accepted, for ever; body is its data as canonical JSON.';

CREATE TABLE decision (
    account_id uuid NOT NULL,
    source text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('accepted', 'rejected')),
    points bigint NOT NULL CHECK (points >= 0),
    reason text,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, source, id)
);
COMMENT ON TABLE decision IS 'What the world was told about a wish to use points, by the fact that asked; never taken again.';

CREATE TABLE entry (
    account_id uuid NOT NULL,
    version bigint NOT NULL CHECK (version >= 0),
    line integer NOT NULL,
    business_at timestamptz NOT NULL,
    rank smallint NOT NULL,
    source text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason text NOT NULL,
    points bigint NOT NULL CHECK (points > 0),
    from_bucket text NOT NULL,
    to_bucket text NOT NULL,
    from_after bigint,
    to_after bigint,
    kind text,
    lot text COLLATE "C",
    expires_on date,
    order_id text COLLATE "C",
    rule text NOT NULL,
    correction boolean NOT NULL,
    PRIMARY KEY (account_id, version, line),
    CHECK (from_bucket <> to_bucket),
    CHECK (from_bucket IN ('pending', 'available', 'held', 'granted', 'spent', 'lapsed', 'forfeited', 'revoked', 'adjusted')),
    CHECK (to_bucket IN ('pending', 'available', 'held', 'granted', 'spent', 'lapsed', 'forfeited', 'revoked', 'adjusted'))
);
COMMENT ON TABLE entry IS 'The ledger: points that moved between two buckets of an account, with business time and posting time.';
COMMENT ON COLUMN entry.version IS 'The public version that told of it; 0: taken over from another ledger without a word.';

CREATE TABLE lot (
    account_id uuid NOT NULL,
    origin text COLLATE "C" NOT NULL,
    part text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    points bigint NOT NULL CHECK (points >= 0),
    pending bigint NOT NULL CHECK (pending >= 0),
    available bigint NOT NULL CHECK (available >= 0),
    lapsed bigint NOT NULL CHECK (lapsed >= 0),
    expires_on date,
    lapses_at timestamptz,
    doc bytea NOT NULL,
    PRIMARY KEY (account_id, origin, part)
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE lot IS 'Grants not wholly spent; doc is the whole lot as JSON, the columns are what SQL asks about.';

CREATE TABLE item (
    account_id uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    due_at timestamptz,
    doc bytea NOT NULL,
    PRIMARY KEY (account_id, kind, key)
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE item IS 'Orders, requests, settings, marks and findings of an account; doc is JSON, due_at when the clock has to look.';
CREATE INDEX item_due ON item (account_id) WHERE due_at IS NOT NULL;

CREATE TABLE step (
    account_id uuid NOT NULL,
    business_at timestamptz NOT NULL,
    rank smallint NOT NULL,
    source text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    before bytea NOT NULL,
    PRIMARY KEY (account_id, business_at, rank, source, id)
);
COMMENT ON TABLE step IS 'How to undo each fact and clock instant applied, for facts that come late.';
COMMENT ON COLUMN step.version IS 'Entries about this moment that do not cancel each other out were posted under this version or later.';

-- One row per order, known or only heard of: whoever parks and whoever brings the order meet at its lock.
CREATE TABLE order_route (
    order_id text COLLATE "C" PRIMARY KEY,
    programs text[] NOT NULL,
    account_ids uuid[] NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (cardinality(programs) = cardinality(account_ids))
) WITH (fillfactor = 90);
COMMENT ON TABLE order_route IS 'Which account of which program an order belongs to; a null account: a guest, or a store outside every program.';

CREATE TABLE parked (
    order_id text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    business_at timestamptz NOT NULL,
    program text COLLATE "C",
    digest bytea NOT NULL,
    body bytea NOT NULL,
    traceparent text,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (order_id, source, id)
);
COMMENT ON TABLE parked IS 'Events about orders that have not come yet.';
CREATE INDEX parked_since ON parked (recorded_at);

CREATE TABLE outbox (
    account_id uuid NOT NULL,
    version bigint NOT NULL,
    ordinal integer NOT NULL,
    topic text NOT NULL,
    key bytea,
    value bytea,
    epoch integer NOT NULL,
    program text,
    effective_at timestamptz,
    traceparent text,
    headers bytea,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, version, ordinal)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
COMMENT ON TABLE outbox IS 'What is still to be published. Dead letters stand under an id made from their partition, with their offset as version.';
COMMENT ON COLUMN outbox.headers IS 'Headers to send as they are (JSON pairs, values in base64); null: CloudEvents headers from the other columns.';

CREATE TABLE dead_letter (
    dead_letter_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    digest bytea NOT NULL,
    record_at timestamptz,
    reason text NOT NULL,
    detail text NOT NULL,
    key bytea,
    value bytea,
    headers bytea NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (topic, partition, record_offset, digest)
);
COMMENT ON TABLE dead_letter IS 'Records that broke the contract, byte for byte. digest: a topic made again may hold another record at the same offset.';

CREATE TABLE position (
    topic text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    from_offset bigint NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    digest bytea NOT NULL,
    record_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE position IS 'The next record to read of each partition, and where the last move came from; moved by compare-and-set only.';

CREATE TABLE reading (
    topic text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    at_end boolean NOT NULL,
    oldest_unread_at timestamptz,
    reported_at timestamptz NOT NULL,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE reading IS 'What each partition has yet to read, as its worker last said; the watermark is computed from it.';

CREATE TABLE watermark (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    value timestamptz,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);
COMMENT ON TABLE watermark IS 'All that was recorded before this time has been read. Never goes back.';
INSERT INTO watermark DEFAULT VALUES;

CREATE TABLE lease (
    name text COLLATE "C" PRIMARY KEY,
    holder text NOT NULL,
    until timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE lease IS 'Who does what only one may do, until when by the clock of the database.';

CREATE TABLE program_terms (
    program text COLLATE "C" NOT NULL,
    hash bytea NOT NULL,
    effective_from date NOT NULL,
    body bytea NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (program, hash)
);
COMMENT ON TABLE program_terms IS 'The registered versions of each program''s terms, named by their hash; never changed.';

CREATE TABLE ledger_state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch integer NOT NULL DEFAULT 1,
    key_check bytea,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ledger_state IS 'The epoch, raised when a backup was restored, and a check of the key that account ids are made with.';
INSERT INTO ledger_state DEFAULT VALUES;

CREATE TRIGGER fact_append_only BEFORE UPDATE OR DELETE ON fact FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER fact_keep_all BEFORE TRUNCATE ON fact EXECUTE FUNCTION refuse_change();
CREATE TRIGGER decision_append_only BEFORE UPDATE OR DELETE ON decision FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER decision_keep_all BEFORE TRUNCATE ON decision EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entry_append_only BEFORE UPDATE OR DELETE ON entry FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entry_keep_all BEFORE TRUNCATE ON entry EXECUTE FUNCTION refuse_change();
CREATE TRIGGER program_terms_append_only BEFORE UPDATE OR DELETE ON program_terms FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER program_terms_keep_all BEFORE TRUNCATE ON program_terms EXECUTE FUNCTION refuse_change();

-- migrate:down

DROP TABLE account, fact, decision, entry, lot, item, step, order_route, parked, outbox, dead_letter, position, reading, watermark,
    lease, program_terms, ledger_state;
DROP FUNCTION refuse_change();
