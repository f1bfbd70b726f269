-- Every fact is in the chain of its account, so that none is added, changed or removed unseen (worker/persist/chain.py).

-- migrate:up

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE fact ADD COLUMN place integer, ADD COLUMN salt bytea, ADD COLUMN leaf bytea;
COMMENT ON COLUMN fact.place IS 'Its number in the chain of its account: the order in which facts were committed.';
COMMENT ON COLUMN fact.salt IS 'Of the leaf. NULL: taken away when its person was forgotten.';
COMMENT ON COLUMN fact.leaf IS 'SHA-256 over salt, place, and all that the fact says.';
ALTER TABLE account ADD COLUMN chain_length integer NOT NULL DEFAULT 0,
    ADD COLUMN chain_head bytea NOT NULL DEFAULT '\x0000000000000000000000000000000000000000000000000000000000000000';
COMMENT ON COLUMN account.chain_head IS 'SHA-256 over the head before the last fact and the leaf of that fact.';

CREATE TABLE chain_begun (
    account_id uuid NOT NULL,
    number integer NOT NULL CHECK (number > 0),
    length integer NOT NULL,
    head bytea NOT NULL,
    length_before integer NOT NULL,
    head_before bytea NOT NULL,
    accepted bytea NOT NULL,
    salt bytea,
    reason text NOT NULL CHECK (trim(reason) <> ''),
    begun_by text NOT NULL COLLATE "C" DEFAULT session_user,
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, number)
);
COMMENT ON TABLE chain_begun IS 'Where somebody took over facts that could not be proven, and why; accepted is a salted digest of them.';
CREATE TRIGGER chain_begun_append_only BEFORE UPDATE OR DELETE ON chain_begun FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER chain_begun_keep_all BEFORE TRUNCATE ON chain_begun FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What is there already goes into the chains in the order in which it was recorded.
ALTER TABLE fact DISABLE TRIGGER fact_append_only;
UPDATE fact f
SET place = w.place, salt = w.salt
FROM (
    SELECT account_id, source, id, uuid_send(gen_random_uuid()) AS salt,
        row_number() OVER (PARTITION BY account_id ORDER BY recorded_at, source, id) AS place
    FROM fact
) AS w
WHERE f.account_id = w.account_id AND f.source = w.source AND f.id = w.id;
UPDATE fact SET leaf = sha256(
    convert_to(E'loyalty leaf 1\n', 'UTF8') || salt || int8send(place)
    || convert_to(source, 'UTF8') || '\x00' || convert_to(id, 'UTF8') || '\x00' || convert_to(type, 'UTF8') || '\x00'
    || convert_to((extract(epoch FROM business_at) * 1000000)::bigint::text, 'UTF8') || '\x00' || convert_to(rank::text, 'UTF8')
    || '\x00' || convert_to(coalesce('=' || program, ''), 'UTF8') || '\x00' || convert_to(coalesce('=' || order_id, ''), 'UTF8')
    || '\x00' || convert_to(coalesce('=' || traceparent, ''), 'UTF8') || '\x00' || convert_to(coalesce('=' || topic, ''), 'UTF8')
    || '\x00' || convert_to(coalesce('=' || partition, ''), 'UTF8') || '\x00'
    || convert_to(coalesce('=' || record_offset, ''), 'UTF8') || '\x00' || convert_to(encode(digest, 'hex'), 'UTF8') || '\x00'
    || body
);
ALTER TABLE fact ENABLE TRIGGER fact_append_only;
DO $$
DECLARE
    one record;
    link record;
BEGIN
    FOR one IN SELECT account_id, chain_head AS head FROM account LOOP
        FOR link IN SELECT place, leaf FROM fact WHERE account_id = one.account_id ORDER BY place LOOP
            one.head := sha256(convert_to(E'loyalty head 1\n', 'UTF8') || one.head || link.leaf);
            UPDATE account SET chain_length = link.place, chain_head = one.head WHERE account_id = one.account_id;
        END LOOP;
    END LOOP;
END
$$;

-- An erasure takes the salt away, and leaves the leaf.
CREATE OR REPLACE FUNCTION erase_account(p_from uuid, p_to uuid, p_sources text[], p_ids text[], p_bodies bytea[], p_digests bytea[])
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    whose record;
    given record;
    ended timestamptz;
    others boolean;
    goes_on boolean;
    quoted bytea;
BEGIN
    SELECT a.program, a.member_id INTO STRICT whose FROM account a WHERE a.account_id = p_from;
    -- One by one: a cluster asks one node at a time.
    SELECT e.asked_until INTO ended
    FROM erasure e WHERE e.account_id = p_from AND (e.done_until IS NULL OR e.done_until < e.asked_until);
    PERFORM f.id FROM fact f WHERE f.account_id = p_from AND f.type = 'member.erased' AND f.business_at = ended LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nobody asked to erase account %', p_from USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM f.id FROM fact f WHERE f.account_id = p_to LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'account % is somebody else''s', p_to USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOR given IN
        SELECT f.type, f.body AS was, w.body
        FROM fact f
        JOIN unnest(p_sources, p_ids, p_bodies) AS w (source, id, body) ON w.source = f.source AND w.id = f.id
        WHERE f.account_id = p_from
    LOOP
        IF convert_from(given.body, 'UTF8')::jsonb
            IS DISTINCT FROM without_person(given.type, convert_from(given.was, 'UTF8')::jsonb) THEN
            RAISE EXCEPTION 'an erasure takes away what names a person and leaves all else' USING ERRCODE = 'check_violation';
        END IF;
    END LOOP;
    -- On a cluster the triggers run where the rows are, and have to be told there too; without Citus the first line says nothing.
    SET LOCAL citus.propagate_set_commands = 'local';
    EXECUTE format('SET LOCAL loyalty.erasing = %L', p_from);
    INSERT INTO fact (account_id, source, id, type, business_at, rank, program, order_id, digest, body, recorded_at,
        place, leaf)
    SELECT p_to, f.source, f.id, f.type, f.business_at, f.rank, f.program, f.order_id, w.digest, w.body, f.recorded_at,
        f.place, f.leaf
    FROM fact f
    JOIN unnest(p_sources, p_ids, p_bodies, p_digests) AS w (source, id, body, digest) ON w.source = f.source AND w.id = f.id
    WHERE f.account_id = p_from;
    DELETE FROM fact f
    USING unnest(p_sources, p_ids) AS w (source, id)
    WHERE f.account_id = p_from AND f.source = w.source AND f.id = w.id;
    -- An order, and what follows it, is of the life in which it was placed first; all else of that in which it happened.
    PERFORM f.id FROM fact f
    WHERE f.account_id = p_from AND f.business_at <= ended AND NOT EXISTS (
        SELECT FROM fact o WHERE o.account_id = p_from AND o.order_id = f.order_id AND o.type = 'order.placed'
    );
    others := FOUND;
    PERFORM f.id FROM fact f
    WHERE f.account_id = p_to AND f.business_at > ended AND NOT EXISTS (
        SELECT FROM fact o
        WHERE o.account_id = p_to AND o.order_id = f.order_id AND o.type = 'order.placed' AND o.business_at <= ended
    );
    IF others OR FOUND THEN
        RAISE EXCEPTION 'account % has other facts than were given', p_from USING ERRCODE = 'serialization_failure';
    END IF;
    INSERT INTO chain_begun (account_id, number, length, head, length_before, head_before, accepted, reason, begun_by, begun_at)
    SELECT p_to, number, length, head, length_before, head_before, accepted, reason, begun_by, begun_at
    FROM chain_begun WHERE account_id = p_from;
    DELETE FROM chain_begun WHERE account_id = p_from;
    -- What the clock decided stays with what it paid out; what was decided about a fact goes where the fact does.
    INSERT INTO decision (account_id, source, id, verdict, points, reason, recorded_at)
    SELECT p_to, d.source, d.id, d.verdict, d.points, d.reason, d.recorded_at
    FROM decision d
    WHERE d.account_id = p_from AND NOT EXISTS (
        SELECT FROM fact f WHERE f.account_id = p_from AND f.source = d.source AND f.id = d.id
    );
    DELETE FROM decision d
    WHERE d.account_id = p_from AND NOT EXISTS (
        SELECT FROM fact f WHERE f.account_id = p_from AND f.source = d.source AND f.id = d.id
    );
    INSERT INTO entry (account_id, version, line, business_at, rank, source, id, recorded_at, reason, points, from_bucket,
        to_bucket, from_after, to_after, kind, lot, expires_on, order_id, rule, correction, refold)
    SELECT p_to, version, line, business_at, rank, source, id, recorded_at, reason, points, from_bucket,
        to_bucket, from_after, to_after, kind, lot, expires_on, order_id, rule, correction, refold
    FROM entry WHERE account_id = p_from;
    DELETE FROM entry WHERE account_id = p_from;
    PERFORM f.id FROM fact f WHERE f.account_id = p_from LIMIT 1;
    goes_on := FOUND;
    quoted := convert_to(to_json(whose.member_id)::text, 'UTF8');
    UPDATE dead_letter SET key = NULL, value = NULL, headers = '[]', digest = uuid_send(gen_random_uuid())
    WHERE (position(quoted IN value) > 0
        OR key IN (convert_to(whose.member_id, 'UTF8'), convert_to(whose.program || ':' || whose.member_id, 'UTF8'))
        OR position(convert_to(to_json(replace(encode(convert_to(whose.member_id, 'UTF8'), 'base64'), E'\n', ''))::text, 'UTF8')
            IN headers) > 0)
        AND NOT (goes_on AND coalesce(record_at > ended, false));
    SET LOCAL loyalty.erasing = '';
    SET LOCAL citus.propagate_set_commands = 'none';
END
$$;

-- migrate:down

CREATE OR REPLACE FUNCTION erase_account(p_from uuid, p_to uuid, p_sources text[], p_ids text[], p_bodies bytea[], p_digests bytea[])
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    whose record;
    given record;
    ended timestamptz;
    others boolean;
    goes_on boolean;
    quoted bytea;
BEGIN
    SELECT a.program, a.member_id INTO STRICT whose FROM account a WHERE a.account_id = p_from;
    -- One by one: a cluster asks one node at a time.
    SELECT e.asked_until INTO ended
    FROM erasure e WHERE e.account_id = p_from AND (e.done_until IS NULL OR e.done_until < e.asked_until);
    PERFORM f.id FROM fact f WHERE f.account_id = p_from AND f.type = 'member.erased' AND f.business_at = ended LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nobody asked to erase account %', p_from USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM f.id FROM fact f WHERE f.account_id = p_to LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'account % is somebody else''s', p_to USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOR given IN
        SELECT f.type, f.body AS was, w.body
        FROM fact f
        JOIN unnest(p_sources, p_ids, p_bodies) AS w (source, id, body) ON w.source = f.source AND w.id = f.id
        WHERE f.account_id = p_from
    LOOP
        IF convert_from(given.body, 'UTF8')::jsonb
            IS DISTINCT FROM without_person(given.type, convert_from(given.was, 'UTF8')::jsonb) THEN
            RAISE EXCEPTION 'an erasure takes away what names a person and leaves all else' USING ERRCODE = 'check_violation';
        END IF;
    END LOOP;
    -- On a cluster the triggers run where the rows are, and have to be told there too; without Citus the first line says nothing.
    SET LOCAL citus.propagate_set_commands = 'local';
    EXECUTE format('SET LOCAL loyalty.erasing = %L', p_from);
    INSERT INTO fact (account_id, source, id, type, business_at, rank, program, order_id, digest, body, recorded_at)
    SELECT p_to, f.source, f.id, f.type, f.business_at, f.rank, f.program, f.order_id, w.digest, w.body, f.recorded_at
    FROM fact f
    JOIN unnest(p_sources, p_ids, p_bodies, p_digests) AS w (source, id, body, digest) ON w.source = f.source AND w.id = f.id
    WHERE f.account_id = p_from;
    DELETE FROM fact f
    USING unnest(p_sources, p_ids) AS w (source, id)
    WHERE f.account_id = p_from AND f.source = w.source AND f.id = w.id;
    -- An order, and what follows it, is of the life in which it was placed first; all else of that in which it happened.
    PERFORM f.id FROM fact f
    WHERE f.account_id = p_from AND f.business_at <= ended AND NOT EXISTS (
        SELECT FROM fact o WHERE o.account_id = p_from AND o.order_id = f.order_id AND o.type = 'order.placed'
    );
    others := FOUND;
    PERFORM f.id FROM fact f
    WHERE f.account_id = p_to AND f.business_at > ended AND NOT EXISTS (
        SELECT FROM fact o
        WHERE o.account_id = p_to AND o.order_id = f.order_id AND o.type = 'order.placed' AND o.business_at <= ended
    );
    IF others OR FOUND THEN
        RAISE EXCEPTION 'account % has other facts than were given', p_from USING ERRCODE = 'serialization_failure';
    END IF;
    -- What the clock decided stays with what it paid out; what was decided about a fact goes where the fact does.
    INSERT INTO decision (account_id, source, id, verdict, points, reason, recorded_at)
    SELECT p_to, d.source, d.id, d.verdict, d.points, d.reason, d.recorded_at
    FROM decision d
    WHERE d.account_id = p_from AND NOT EXISTS (
        SELECT FROM fact f WHERE f.account_id = p_from AND f.source = d.source AND f.id = d.id
    );
    DELETE FROM decision d
    WHERE d.account_id = p_from AND NOT EXISTS (
        SELECT FROM fact f WHERE f.account_id = p_from AND f.source = d.source AND f.id = d.id
    );
    INSERT INTO entry (account_id, version, line, business_at, rank, source, id, recorded_at, reason, points, from_bucket,
        to_bucket, from_after, to_after, kind, lot, expires_on, order_id, rule, correction, refold)
    SELECT p_to, version, line, business_at, rank, source, id, recorded_at, reason, points, from_bucket,
        to_bucket, from_after, to_after, kind, lot, expires_on, order_id, rule, correction, refold
    FROM entry WHERE account_id = p_from;
    DELETE FROM entry WHERE account_id = p_from;
    PERFORM f.id FROM fact f WHERE f.account_id = p_from LIMIT 1;
    goes_on := FOUND;
    quoted := convert_to(to_json(whose.member_id)::text, 'UTF8');
    UPDATE dead_letter SET key = NULL, value = NULL, headers = '[]', digest = uuid_send(gen_random_uuid())
    WHERE (position(quoted IN value) > 0
        OR key IN (convert_to(whose.member_id, 'UTF8'), convert_to(whose.program || ':' || whose.member_id, 'UTF8'))
        OR position(convert_to(to_json(replace(encode(convert_to(whose.member_id, 'UTF8'), 'base64'), E'\n', ''))::text, 'UTF8')
            IN headers) > 0)
        AND NOT (goes_on AND coalesce(record_at > ended, false));
    SET LOCAL loyalty.erasing = '';
    SET LOCAL citus.propagate_set_commands = 'none';
END
$$;
DROP TABLE chain_begun;
ALTER TABLE account DROP COLUMN chain_length, DROP COLUMN chain_head;
ALTER TABLE fact DROP COLUMN place, DROP COLUMN salt, DROP COLUMN leaf;
