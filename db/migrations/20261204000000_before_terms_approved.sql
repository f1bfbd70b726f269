-- Who registered a version of terms, why and from which file; and a version that is dated back counts once another login has
-- approved it. All that decides is read from the body itself, or is the database's own word: whoever registers cannot give it.

-- Of these tables each has a handful of rows, so nothing waits for them to be looked through.
-- squawk-ignore-file adding-field-with-default, adding-serial-primary-key-field, ban-drop-constraint, constraint-missing-not-valid, disallowed-unique-constraint

-- migrate:up

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

-- Null for what is no instant with its offset, as terms are written: Postgres would read `20991231`, which to others is a second of
-- 1970, as a day ahead. So this hangs on nothing but the body.
CREATE FUNCTION terms_begin_at(p_body bytea) RETURNS timestamptz LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
    SELECT CASE WHEN t.begins ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$' THEN t.begins::timestamptz END
    FROM (SELECT convert_from(p_body, 'UTF8')::jsonb ->> 'effective_from' AS begins) AS t
$$;

ALTER TABLE program_terms
    ADD COLUMN begins_at timestamptz NOT NULL GENERATED ALWAYS AS (terms_begin_at(body)) STORED,
    ADD COLUMN file_digest bytea NOT NULL DEFAULT '\x',
    ADD COLUMN reason text NOT NULL DEFAULT '',
    ADD COLUMN applied_by text NOT NULL DEFAULT 'unknown',
    ADD COLUMN needs_approval boolean NOT NULL DEFAULT false;
ALTER TABLE program_terms
    ALTER COLUMN applied_by SET DEFAULT session_user,
    ALTER COLUMN needs_approval SET DEFAULT NULL;
-- What was replaced once may be registered again.
ALTER TABLE program_terms
    DROP CONSTRAINT program_terms_pkey,
    ADD PRIMARY KEY (program, hash, applied_at),
    ADD UNIQUE (program, hash, applied_at, applied_by);
COMMENT ON TABLE program_terms IS 'The versions of each program''s terms, named by their hash, as they were registered; never changed.';
COMMENT ON COLUMN program_terms.file_digest IS 'SHA-256 of the file that it was read from; empty: registered before it was kept.';
COMMENT ON COLUMN program_terms.applied_by IS 'The login (session_user) that registered it.';
COMMENT ON COLUMN program_terms.needs_approval IS 'It was dated back when it was registered, and counts from its approval on.';

CREATE TABLE terms_approval (
    program text COLLATE "C" NOT NULL,
    hash bytea NOT NULL,
    applied_at timestamptz NOT NULL,
    applied_by text NOT NULL,
    approved_by text NOT NULL DEFAULT session_user,
    approved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (program, hash, applied_at),
    FOREIGN KEY (program, hash, applied_at, applied_by) REFERENCES program_terms (program, hash, applied_at, applied_by),
    CONSTRAINT terms_approval_by_another CHECK (approved_by <> applied_by)
);
COMMENT ON TABLE terms_approval IS 'Which login (session_user) approved a version that is dated back, another than registered it; never changed.';
CREATE TRIGGER terms_approval_append_only BEFORE UPDATE OR DELETE ON terms_approval
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER terms_approval_keep_all BEFORE TRUNCATE ON terms_approval EXECUTE FUNCTION refuse_change();

-- Where nobody has an account, nothing was folded.
CREATE FUNCTION terms_need_approval(p_program text, p_begins_at timestamptz) RETURNS boolean LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF p_begins_at > clock_timestamp() THEN
        RETURN false;
    END IF;
    -- One by one: a cluster asks one node at a time, and a new program is not looked for among all accounts.
    PERFORM t.hash FROM program_terms t WHERE t.program = p_program LIMIT 1;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM a.account_id FROM account a WHERE a.program = p_program LIMIT 1;
    RETURN FOUND;
END
$$;

CREATE FUNCTION register_terms() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    terms jsonb := convert_from(NEW.body, 'UTF8')::jsonb;
    last bytea;
BEGIN
    NEW.program := terms ->> 'program';
    NEW.hash := sha256(NEW.body);
    NEW.effective_from := left(terms ->> 'effective_from', 10);
    -- Only the owner of the table may give it: a ledger that is built elsewhere takes its terms over as they stand.
    IF NEW.needs_approval IS NOT NULL THEN
        RETURN NEW;
    END IF;
    IF octet_length(NEW.file_digest) <> 32 OR trim(NEW.reason) = '' THEN
        RAISE EXCEPTION 'terms are registered with a reason and the SHA-256 of their file' USING ERRCODE = 'check_violation';
    END IF;
    -- One after the other, so that the same file that is applied by several at once is registered once.
    PERFORM pg_advisory_xact_lock(hashtext('loyalty.terms'));
    NEW.applied_at := clock_timestamp();
    SELECT t.hash INTO last FROM program_terms t
    WHERE t.program = NEW.program AND t.begins_at = terms_begin_at(NEW.body)
    ORDER BY t.applied_at DESC LIMIT 1;
    IF last = NEW.hash THEN
        RETURN NULL;
    END IF;
    NEW.needs_approval := terms_need_approval(NEW.program, terms_begin_at(NEW.body));
    RETURN NEW;
END
$$;
CREATE TRIGGER program_terms_register BEFORE INSERT ON program_terms FOR EACH ROW EXECUTE FUNCTION register_terms();

-- migrate:down

DROP TRIGGER program_terms_register ON program_terms;
DROP FUNCTION register_terms();
DROP FUNCTION terms_need_approval(text, timestamptz);
DROP TABLE terms_approval;
ALTER TABLE program_terms
    DROP COLUMN begins_at,
    DROP COLUMN file_digest,
    DROP COLUMN reason,
    DROP COLUMN applied_by,
    DROP COLUMN needs_approval,
    DROP CONSTRAINT program_terms_pkey,
    ADD PRIMARY KEY (program, hash);
DROP FUNCTION terms_begin_at(bytea);
