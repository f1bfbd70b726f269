-- Seals: a digest of all chains of a program, made from time to time by another login than the worker's, and published.

-- migrate:up

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE seal (
    program text NOT NULL COLLATE "C",
    number integer NOT NULL CHECK (number > 0),
    sealed_at timestamptz NOT NULL,
    epoch integer NOT NULL,
    accounts bigint NOT NULL CHECK (accounts >= 0),
    facts bigint NOT NULL CHECK (facts >= 0),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    previous bytea,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    sealed_by text NOT NULL COLLATE "C" DEFAULT session_user,
    PRIMARY KEY (program, number),
    UNIQUE (program, digest),
    UNIQUE (program, previous),
    FOREIGN KEY (program, previous) REFERENCES seal (program, digest),
    CHECK ((number = 1) = (previous IS NULL))
);
COMMENT ON TABLE seal IS 'The Merkle root over the heads of all chains of a program at an instant; digest is over the row and previous.';
CREATE TRIGGER seal_append_only BEFORE UPDATE OR DELETE ON seal FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER seal_keep_all BEFORE TRUNCATE ON seal FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Whoever seals may write nothing else, so the message goes into the outbox by itself.
CREATE FUNCTION publish_seal() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- A ledger that is built elsewhere takes its seals over as they stand; they were published.
    IF NEW.epoch <> (SELECT s.epoch FROM ledger_state s) THEN
        RETURN NULL;
    END IF;
    INSERT INTO outbox (account_id, version, ordinal, topic, key, value, epoch, program, effective_at)
    VALUES (
        md5('ledger digest ' || NEW.program)::uuid, NEW.number, 0, 'loyalty.ledger-digest', convert_to(NEW.program, 'UTF8'),
        convert_to(json_strip_nulls(json_build_object(
            'program', NEW.program,
            'kind', 'seal',
            'period', to_char(NEW.sealed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'number', NEW.number,
            'epoch', NEW.epoch,
            'accounts', NEW.accounts,
            'entries', NEW.facts,
            'root', encode(NEW.root, 'hex'),
            'digest', encode(NEW.digest, 'hex'),
            'previous', encode(NEW.previous, 'hex')
        ))::text, 'UTF8'),
        NEW.epoch, NEW.program, NEW.sealed_at
    );
    RETURN NULL;
END
$$;
CREATE TRIGGER seal_published AFTER INSERT ON seal FOR EACH ROW EXECUTE FUNCTION publish_seal();

-- migrate:down

DROP TABLE seal;
DROP FUNCTION publish_seal();
