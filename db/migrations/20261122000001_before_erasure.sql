-- A person who is to be forgotten: the account goes on under a name that nobody can work out, its facts without what was personal.

-- migrate:up

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE erasure (
    account_id uuid PRIMARY KEY,
    asked_until timestamptz NOT NULL,
    done_until timestamptz,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE erasure IS 'Who is to be forgotten, by the id that their account had, and up to which business time that is done.';
CREATE INDEX erasure_waits ON erasure (asked_until) WHERE done_until IS NULL OR done_until < asked_until;

-- What is for ever may be taken away only by erase_account, and only of the account that it names.
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_LEVEL = 'ROW' THEN
        IF current_setting('loyalty.erasing', true) = to_jsonb(OLD) ->> 'account_id' THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;

-- Runs with the rights of its owner, for nobody else may do it: moves what is for ever of an account that an erasure was asked for
-- under another id, facts with the bodies given, and empties dead letters that name the member. The caller moves the rest.
CREATE FUNCTION erase_account(p_from uuid, p_to uuid, p_sources text[], p_ids text[], p_bodies bytea[], p_digests bytea[])
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    whose record;
    quoted bytea;
    moved bigint;
BEGIN
    SELECT a.program, a.member_id INTO STRICT whose FROM account a WHERE a.account_id = p_from;
    IF NOT EXISTS (
        SELECT FROM erasure e WHERE e.account_id = p_from AND (e.done_until IS NULL OR e.done_until < e.asked_until)
    ) OR NOT EXISTS (SELECT FROM fact f WHERE f.account_id = p_from AND f.type = 'member.erased')
      OR EXISTS (SELECT FROM fact f WHERE f.account_id = p_to) THEN
        RAISE EXCEPTION 'nobody asked to erase account %', p_from USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM set_config('loyalty.erasing', p_from::text, true);
    INSERT INTO fact (account_id, source, id, type, business_at, rank, program, order_id, digest, body, recorded_at)
    SELECT p_to, f.source, f.id, f.type, f.business_at, f.rank, f.program, f.order_id, w.digest, w.body, f.recorded_at
    FROM fact f
    JOIN unnest(p_sources, p_ids, p_bodies, p_digests) AS w (source, id, body, digest) ON w.source = f.source AND w.id = f.id
    WHERE f.account_id = p_from;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> (SELECT count(*) FROM fact f WHERE f.account_id = p_from) THEN
        RAISE EXCEPTION 'account % has other facts than were given', p_from USING ERRCODE = 'serialization_failure';
    END IF;
    DELETE FROM fact WHERE account_id = p_from;
    INSERT INTO decision (account_id, source, id, verdict, points, reason, recorded_at)
    SELECT p_to, source, id, verdict, points, reason, recorded_at FROM decision WHERE account_id = p_from;
    DELETE FROM decision WHERE account_id = p_from;
    INSERT INTO entry (account_id, version, line, business_at, rank, source, id, recorded_at, reason, points, from_bucket,
        to_bucket, from_after, to_after, kind, lot, expires_on, order_id, rule, correction)
    SELECT p_to, version, line, business_at, rank, source, id, recorded_at, reason, points, from_bucket,
        to_bucket, from_after, to_after, kind, lot, expires_on, order_id, rule, correction
    FROM entry WHERE account_id = p_from;
    DELETE FROM entry WHERE account_id = p_from;
    quoted := convert_to(to_json(whose.member_id)::text, 'UTF8');
    UPDATE dead_letter SET key = NULL, value = NULL, headers = '[]', digest = uuid_send(gen_random_uuid())
    WHERE position(quoted IN value) > 0
        OR key IN (convert_to(whose.member_id, 'UTF8'), convert_to(whose.program || ':' || whose.member_id, 'UTF8'))
        OR position(convert_to(to_json(replace(encode(convert_to(whose.member_id, 'UTF8'), 'base64'), E'\n', ''))::text, 'UTF8')
            IN headers) > 0;
    PERFORM set_config('loyalty.erasing', '', true);
END
$$;

-- migrate:down

DROP FUNCTION erase_account(uuid, uuid, text[], text[], bytea[], bytea[]);
DROP TABLE erasure;
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;
