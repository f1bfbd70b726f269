SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: erase_account(uuid, uuid, text[], text[], bytea[], bytea[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.erase_account(p_from uuid, p_to uuid, p_sources text[], p_ids text[], p_bodies bytea[], p_digests bytea[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
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
    -- An order, and what follows it, is of the life in which it was placed first, and what follows a part of one that was split of
    -- the same; all else of that in which it happened.
    PERFORM f.id FROM fact f
    WHERE f.account_id = p_from AND f.business_at <= ended AND NOT EXISTS (
        SELECT FROM fact o WHERE o.account_id = p_from AND o.order_id = f.order_id AND o.type = 'order.placed'
    ) AND NOT EXISTS (
        SELECT FROM fact s
        WHERE s.account_id = p_from AND s.type = 'order.split' AND convert_from(s.body, 'UTF8')::jsonb -> 'into'
            @> jsonb_build_array(jsonb_build_object('order_id', f.order_id))
    );
    others := FOUND;
    PERFORM f.id FROM fact f
    WHERE f.account_id = p_to AND f.business_at > ended AND NOT EXISTS (
        SELECT FROM fact o
        WHERE o.account_id = p_to AND o.order_id = f.order_id AND o.type = 'order.placed' AND o.business_at <= ended
    ) AND NOT EXISTS (
        SELECT FROM fact s
        WHERE s.account_id = p_to AND s.type = 'order.split' AND convert_from(s.body, 'UTF8')::jsonb -> 'into'
            @> jsonb_build_array(jsonb_build_object('order_id', f.order_id))
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


--
-- Name: kept_fields(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.kept_fields() RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT '{
    "activity.completed": {"activity": true, "member_id": "erased", "order_id": true, "points": true, "reference": true,
        "store": true},
    "balance.opened": {"announce": true, "counted": {"amount": true, "measure": true, "on": true}, "enrolled_on":
        true, "last_change_on": true, "lots": {"expires_on": true, "granted_on": true, "kind": true, "points": true},
        "member_id": "erased", "registered_on": true, "tier": true},
    "conversion.requested": {"conversion": true, "member_id": "erased", "points": true, "request_id": true},
    "exchange.received": {"exchange_id": true, "lines": {"exchange_id": true, "line_id": true, "measures": true,
        "quantity": true, "sku": true}, "order_id": true},
    "exchange.requested": {"exchange_id": true, "lines": {"exchange_id": true, "line_id": true, "measures": true,
        "quantity": true, "sku": true}, "order_id": true},
    "exchange.shipped": {"exchange_id": true, "lines": {"bonus_points": {"expires_on": true, "kind": true, "points":
        true}, "category": true, "discount": true, "line_id": true, "list_price": true, "measures": true, "point_rate":
        true, "quantity": true, "sku": true, "tags": true, "tax": true, "tax_rate": true, "unit_price": true},
        "order_id": true, "shipment_id": true},
    "exchange.withdrawn": {"exchange_id": true, "order_id": true},
    "member.enrolled": {"channel": true, "country": true, "member_id": "erased"},
    "member.erased": {"member_id": "erased"},
    "member.registered": {"channel": true, "country": true, "member_id": "erased"},
    "member.updated": {"attributes": true, "birth": {"day": true, "month": true}, "country": true, "member_id":
        "erased"},
    "order.amended": {"amendment_id": true, "lines": {"bonus_points": {"expires_on": true, "kind": true, "points":
        true}, "category": true, "discount": true, "line_id": true, "list_price": true, "measures": true, "point_rate":
        true, "quantity": true, "sku": true, "tags": true, "tax": true, "tax_rate": true, "unit_price": true},
        "order_discount": true, "order_id": true, "other_fees": true, "points_used": true, "reason": true,
        "shipping_fee": true},
    "order.cancelled": {"lines": {"exchange_id": true, "line_id": true, "measures": true, "quantity": true, "sku":
        true}, "order_id": true, "reason": true},
    "order.claimed": {"member_id": "erased", "order_id": true},
    "order.contested": {"lost": true, "order_id": true},
    "order.paid": {"order_id": true},
    "order.placed": {"card_brand": true, "channel": true, "coupons": true, "course": true, "currency": true,
        "lines": {"bonus_points": {"expires_on": true, "kind": true, "points": true}, "category": true, "discount":
        true, "line_id": true, "list_price": true, "measures": true, "point_rate": true, "quantity": true, "sku": true,
        "tags": true, "tax": true, "tax_rate": true, "unit_price": true}, "member_id": "erased", "order_discount": true,
        "order_id": true, "other_fees": true, "payment_method": true, "planned_delivery_date": true,
        "planned_ship_date": true, "points_used": true, "redemption_id": true, "shipping_fee": true, "signed_in": true,
        "store": true, "subscription_id": true, "use_all_points": true},
    "order.reinstated": {"lines": {"exchange_id": true, "line_id": true, "measures": true, "quantity": true, "sku":
        true}, "order_id": true},
    "order.rescheduled": {"order_id": true, "planned_delivery_date": true, "planned_ship_date": true},
    "order.split": {"into": {"lines": {"exchange_id": true, "line_id": true, "measures": true, "quantity": true, "sku":
        true}, "order_id": true}, "order_id": true},
    "payment.charged_back": {"amount": true, "lines": {"exchange_id": true, "line_id": true, "measures": true,
        "quantity": true, "sku": true}, "order_id": true},
    "payment.failed": {"amount": true, "lines": {"exchange_id": true, "line_id": true, "measures": true, "quantity":
        true, "sku": true}, "order_id": true},
    "points.adjusted": {"expires_on": true, "kind": true, "member_id": "erased", "points": true, "reason":
        "erased"},
    "points.held": {"member_id": "erased", "order_id": true, "points": true, "reason": "erased"},
    "points.released": {"member_id": "erased", "order_id": true, "points": true, "reason": "erased"},
    "points.voided": {"event": {"id": true, "source": true}, "lot": true, "member_id": "erased", "order_id": true,
        "points": true, "reason": "erased"},
    "redemption.released": {"member_id": "erased", "redemption_id": true},
    "redemption.requested": {"expires_in_seconds": true, "member_id": "erased", "points": true, "redemption_id":
        true, "store": true},
    "refund.issued": {"amount": true, "lines": {"amount": true, "exchange_id": true, "line_id": true, "sku": true},
        "of": true, "order_id": true, "reason": true, "refund_id": true},
    "return.received": {"lines": {"exchange_id": true, "line_id": true, "measures": true, "quantity": true, "sku":
        true}, "order_id": true, "reason": true, "return_id": true},
    "return.requested": {"lines": {"exchange_id": true, "line_id": true, "measures": true, "quantity": true, "sku":
        true}, "order_id": true, "reason": true, "return_id": true},
    "return.withdrawn": {"order_id": true, "return_id": true},
    "review.posted": {"member_id": "erased", "order_id": true, "review_id": true, "sku": true},
    "reward.requested": {"member_id": "erased", "quantity": true, "request_id": true, "reward_sku": true},
    "shipment.delivered": {"lines": {"exchange_id": true, "line_id": true, "measures": true, "quantity": true,
        "sku": true}, "order_id": true, "shipment_id": true},
    "shipment.dispatched": {"lines": {"exchange_id": true, "line_id": true, "measures": true, "quantity": true,
        "sku": true}, "order_id": true, "shipment_id": true},
    "subscription.points-set": {"member_id": "erased", "order_id": true, "points": true, "request_id": true,
        "subscription_id": true},
    "survey.won": {"member_id": "erased", "points": true, "survey_id": true},
    "voucher.used": {"member_id": "erased", "order_id": true, "reason": "erased", "voucher_id": true},
    "voucher.voided": {"member_id": "erased", "reason": "erased", "voucher_id": true}
}'::jsonb
$$;


--
-- Name: kept_part(jsonb, jsonb); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.kept_part(p_kept jsonb, p_value jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
BEGIN
    IF jsonb_typeof(p_value) = 'array' THEN
        RETURN (
            SELECT coalesce(jsonb_agg(public.kept_part(p_kept, e.value) ORDER BY e.place), '[]')
            FROM jsonb_array_elements(p_value) WITH ORDINALITY AS e (value, place)
        );
    ELSIF jsonb_typeof(p_value) = 'object' THEN
        RETURN (
            SELECT coalesce(jsonb_object_agg(e.key, CASE
                WHEN jsonb_typeof(p_kept -> e.key) = 'boolean' OR e.value = 'null' THEN e.value
                WHEN jsonb_typeof(p_kept -> e.key) = 'string' THEN p_kept -> e.key
                ELSE public.kept_part(p_kept -> e.key, e.value)
            END), '{}')
            FROM jsonb_each(p_value) AS e (key, value)
            WHERE p_kept ? e.key
        );
    END IF;
    RETURN p_value;
END
$$;


--
-- Name: publish_seal(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.publish_seal() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
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


--
-- Name: refuse_change(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_LEVEL = 'ROW' THEN
        IF current_setting('loyalty.erasing', true) = to_jsonb(OLD) ->> 'account_id' THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;


--
-- Name: register_terms(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.register_terms() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
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


--
-- Name: terms_begin_at(bytea); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.terms_begin_at(p_body bytea) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $_$
    SELECT CASE WHEN t.begins ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$' THEN t.begins::timestamptz END
    FROM (SELECT convert_from(p_body, 'UTF8')::jsonb ->> 'effective_from' AS begins) AS t
$_$;


--
-- Name: terms_need_approval(text, timestamp with time zone); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.terms_need_approval(p_program text, p_begins_at timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
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


--
-- Name: without_person(text, jsonb); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.without_person(p_type text, p_body jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT public.kept_part(public.kept_fields() -> p_type, p_body)
$$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: account; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.account (
    account_id uuid NOT NULL,
    program text NOT NULL COLLATE pg_catalog."C",
    member_id text NOT NULL COLLATE pg_catalog."C",
    revision bigint NOT NULL,
    version bigint NOT NULL,
    epoch integer NOT NULL,
    shard smallint NOT NULL,
    available bigint NOT NULL,
    pending bigint NOT NULL,
    held bigint NOT NULL,
    arrears bigint NOT NULL,
    next_due_at timestamp with time zone,
    fenced text,
    head bytea NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    waits_for bigint,
    chain_length integer DEFAULT 0 NOT NULL,
    chain_head bytea DEFAULT '\x0000000000000000000000000000000000000000000000000000000000000000'::bytea NOT NULL,
    CONSTRAINT account_arrears_check CHECK ((arrears >= 0)),
    CONSTRAINT account_held_check CHECK ((held >= 0)),
    CONSTRAINT account_pending_check CHECK ((pending >= 0)),
    CONSTRAINT account_revision_check CHECK ((revision > 0)),
    CONSTRAINT account_shard_check CHECK (((shard >= 0) AND (shard <= 63))),
    CONSTRAINT account_version_check CHECK ((version >= 0))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.05', autovacuum_analyze_scale_factor='0.05', toast_tuple_target='4080');


--
-- Name: TABLE account; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.account IS 'Where each account stands. revision guards writes, version is the public counter, head is JSON.';


--
-- Name: COLUMN account.shard; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.account.shard IS 'The six highest bits of account_id: the unit in which leases share out the accounts.';


--
-- Name: COLUMN account.waits_for; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.account.waits_for IS 'The number of the snapshot that must be passed before a redemption which waits may be refused.';


--
-- Name: COLUMN account.chain_head; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.account.chain_head IS 'SHA-256 over the head before the last fact and the leaf of that fact.';


--
-- Name: announced; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.announced (
    account_id uuid NOT NULL,
    source text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    verdict text NOT NULL,
    points bigint NOT NULL,
    reason text,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT announced_points_check CHECK ((points >= 0)),
    CONSTRAINT announced_verdict_check CHECK ((verdict = ANY (ARRAY['accepted'::text, 'rejected'::text])))
);


--
-- Name: TABLE announced; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.announced IS 'Verdicts read back from Kafka after a restore: whoever folds the fact that asked takes them as they were told.';


--
-- Name: certainty; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.certainty (
    one boolean DEFAULT true NOT NULL,
    current bigint DEFAULT 0 NOT NULL,
    passed bigint DEFAULT 0 NOT NULL,
    CONSTRAINT certainty_check CHECK (((passed >= 0) AND (passed <= current))),
    CONSTRAINT certainty_one_check CHECK (one)
)
WITH (fillfactor='50');


--
-- Name: TABLE certainty; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.certainty IS 'The number of the newest snapshot, and of the newest one whose ends all positions have reached. Neither goes back.';


--
-- Name: chain_begun; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.chain_begun (
    account_id uuid NOT NULL,
    number integer NOT NULL,
    length integer NOT NULL,
    head bytea NOT NULL,
    length_before integer NOT NULL,
    head_before bytea NOT NULL,
    accepted bytea NOT NULL,
    salt bytea,
    reason text NOT NULL,
    begun_by text DEFAULT SESSION_USER NOT NULL COLLATE pg_catalog."C",
    begun_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT chain_begun_number_check CHECK ((number > 0)),
    CONSTRAINT chain_begun_reason_check CHECK ((TRIM(BOTH FROM reason) <> ''::text))
);


--
-- Name: TABLE chain_begun; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.chain_begun IS 'Where somebody took over facts that could not be proven, and why; accepted is a salted digest of them.';


--
-- Name: command_verdict; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.command_verdict (
    account_id uuid NOT NULL,
    source text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    operator text NOT NULL,
    verdict text NOT NULL,
    given_by text NOT NULL,
    login text DEFAULT SESSION_USER NOT NULL,
    reason text NOT NULL,
    given_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    applied_at timestamp with time zone,
    CONSTRAINT command_verdict_by_another CHECK (((verdict = 'rejected'::text) OR (NOT (ARRAY[lower(TRIM(BOTH FROM given_by)), lower(login)] && ARRAY[lower(TRIM(BOTH FROM operator)), lower(source), lower(regexp_replace(source, '^.*[/:#]'::text, ''::text))])))),
    CONSTRAINT command_verdict_given_by_check CHECK ((TRIM(BOTH FROM given_by) <> ''::text)),
    CONSTRAINT command_verdict_reason_check CHECK ((TRIM(BOTH FROM reason) <> ''::text)),
    CONSTRAINT command_verdict_verdict_check CHECK ((verdict = ANY (ARRAY['approved'::text, 'rejected'::text])))
);


--
-- Name: TABLE command_verdict; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.command_verdict IS 'Who let a held command go or refused it, under which login (session_user), when and why.';


--
-- Name: COLUMN command_verdict.operator; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.command_verdict.operator IS 'That of the command, so that nobody approves their own.';


--
-- Name: COLUMN command_verdict.applied_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.command_verdict.applied_at IS 'When a worker made it a fact, or saw that it is none.';


--
-- Name: dead_letter; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.dead_letter (
    dead_letter_id bigint NOT NULL,
    topic text NOT NULL COLLATE pg_catalog."C",
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    digest bytea NOT NULL,
    record_at timestamp with time zone,
    reason text NOT NULL,
    detail text NOT NULL,
    key bytea,
    value bytea,
    headers bytea NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    path text
);


--
-- Name: TABLE dead_letter; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.dead_letter IS 'Records that broke the contract, byte for byte. digest: a topic made again may hold another record at the same offset.';


--
-- Name: COLUMN dead_letter.path; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.dead_letter.path IS 'The attribute or field at fault, where it is one.';


--
-- Name: dead_letter_dead_letter_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.dead_letter ALTER COLUMN dead_letter_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.dead_letter_dead_letter_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: dead_letter_queue; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.dead_letter_queue (
    lane smallint NOT NULL,
    dead_letter_id bigint NOT NULL,
    bytes integer NOT NULL
);


--
-- Name: TABLE dead_letter_queue; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.dead_letter_queue IS 'Dead letters that are not in the outbox yet. lane: of their reason and source. bytes: of key, value and headers.';


--
-- Name: decision; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.decision (
    account_id uuid NOT NULL,
    source text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    verdict text NOT NULL,
    points bigint NOT NULL,
    reason text,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT decision_points_check CHECK ((points >= 0)),
    CONSTRAINT decision_verdict_check CHECK ((verdict = ANY (ARRAY['accepted'::text, 'rejected'::text])))
);


--
-- Name: TABLE decision; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.decision IS 'What the world was told about a wish to use points, by the fact that asked; never taken again.';


--
-- Name: entry; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.entry (
    account_id uuid NOT NULL,
    version bigint NOT NULL,
    line integer NOT NULL,
    business_at timestamp with time zone NOT NULL,
    rank smallint NOT NULL,
    source text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    reason text NOT NULL,
    points bigint NOT NULL,
    from_bucket text NOT NULL,
    to_bucket text NOT NULL,
    from_after bigint,
    to_after bigint,
    kind text,
    lot text COLLATE pg_catalog."C",
    expires_on date,
    order_id text COLLATE pg_catalog."C",
    rule text NOT NULL,
    correction boolean NOT NULL,
    refold integer,
    CONSTRAINT entry_check CHECK ((from_bucket <> to_bucket)),
    CONSTRAINT entry_from_bucket_check CHECK ((from_bucket = ANY (ARRAY['pending'::text, 'available'::text, 'held'::text, 'granted'::text, 'spent'::text, 'lapsed'::text, 'forfeited'::text, 'revoked'::text, 'adjusted'::text]))),
    CONSTRAINT entry_points_check CHECK ((points > 0)),
    CONSTRAINT entry_to_bucket_check CHECK ((to_bucket = ANY (ARRAY['pending'::text, 'available'::text, 'held'::text, 'granted'::text, 'spent'::text, 'lapsed'::text, 'forfeited'::text, 'revoked'::text, 'adjusted'::text]))),
    CONSTRAINT entry_version_check CHECK ((version >= 0))
);


--
-- Name: TABLE entry; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.entry IS 'The ledger: points that moved between two buckets of an account, with business time and posting time.';


--
-- Name: COLUMN entry.version; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.entry.version IS 'The public version that told of it; 0: taken over from another ledger without a word.';


--
-- Name: COLUMN entry.refold; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.entry.refold IS 'Posted by a refold: the version of the fold that gave it. `reason` is that of the movement which is corrected.';


--
-- Name: erasure; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.erasure (
    account_id uuid NOT NULL,
    asked_until timestamp with time zone NOT NULL,
    done_until timestamp with time zone,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);


--
-- Name: TABLE erasure; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.erasure IS 'Who is to be forgotten, by the id that their account had, and up to which business time that is done.';


--
-- Name: fact; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.fact (
    account_id uuid NOT NULL,
    source text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    business_at timestamp with time zone NOT NULL,
    rank smallint NOT NULL,
    program text COLLATE pg_catalog."C",
    order_id text COLLATE pg_catalog."C",
    digest bytea NOT NULL,
    body bytea NOT NULL,
    traceparent text,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    topic text,
    partition integer,
    record_offset bigint,
    place integer,
    salt bytea,
    leaf bytea
);


--
-- Name: TABLE fact; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.fact IS 'Every input event that an account accepted, for ever; body is its data as canonical JSON.';


--
-- Name: COLUMN fact.topic; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.fact.topic IS 'Of the record that brought the fact. NULL: it came from the command line, or its person was forgotten.';


--
-- Name: COLUMN fact.place; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.fact.place IS 'Its number in the chain of its account: the order in which facts were committed.';


--
-- Name: COLUMN fact.salt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.fact.salt IS 'Of the leaf. NULL: taken away when its person was forgotten.';


--
-- Name: COLUMN fact.leaf; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.fact.leaf IS 'SHA-256 over salt, place, and all that the fact says.';


--
-- Name: held_command; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.held_command (
    account_id uuid NOT NULL,
    source text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    business_at timestamp with time zone NOT NULL,
    program text COLLATE pg_catalog."C",
    digest bytea NOT NULL,
    body bytea NOT NULL,
    traceparent text,
    topic text,
    partition integer,
    record_offset bigint,
    account_program text NOT NULL COLLATE pg_catalog."C",
    operator text NOT NULL,
    points bigint NOT NULL,
    ceiling text NOT NULL,
    held_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);


--
-- Name: TABLE held_command; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.held_command IS 'Commands above a ceiling: no facts until another person approves them.';


--
-- Name: COLUMN held_command.program; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.held_command.program IS 'As the event names it; account_program: that of the account.';


--
-- Name: COLUMN held_command.operator; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.held_command.operator IS 'Whose command it is, as it says itself; empty: it does not say.';


--
-- Name: item; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.item (
    account_id uuid NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    due_at timestamp with time zone,
    doc bytea NOT NULL
)
WITH (fillfactor='85', autovacuum_vacuum_scale_factor='0.05');


--
-- Name: TABLE item; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.item IS 'Orders, requests, earmarks, marks, findings, early facts, tallies, contests and vouchers of an account; doc is JSON, due_at when the clock has to look.';


--
-- Name: lease; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.lease (
    name text NOT NULL COLLATE pg_catalog."C",
    holder text NOT NULL,
    until timestamp with time zone NOT NULL
)
WITH (fillfactor='50');


--
-- Name: TABLE lease; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.lease IS 'Who does what only one may do, until when by the clock of the database.';


--
-- Name: ledger_state; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.ledger_state (
    one boolean DEFAULT true NOT NULL,
    epoch integer DEFAULT 1 NOT NULL,
    key_check bytea,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT ledger_state_one_check CHECK (one)
);


--
-- Name: TABLE ledger_state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.ledger_state IS 'The epoch, raised when a backup was restored, and a check of the key that account ids are made with.';


--
-- Name: lot; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.lot (
    account_id uuid NOT NULL,
    origin text NOT NULL COLLATE pg_catalog."C",
    part text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL,
    points bigint NOT NULL,
    pending bigint NOT NULL,
    available bigint NOT NULL,
    lapsed bigint NOT NULL,
    expires_on date,
    lapses_at timestamp with time zone,
    doc bytea NOT NULL,
    CONSTRAINT lot_available_check CHECK ((available >= 0)),
    CONSTRAINT lot_lapsed_check CHECK ((lapsed >= 0)),
    CONSTRAINT lot_pending_check CHECK ((pending >= 0)),
    CONSTRAINT lot_points_check CHECK ((points >= 0))
)
WITH (fillfactor='85', autovacuum_vacuum_scale_factor='0.05');


--
-- Name: TABLE lot; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.lot IS 'Grants not wholly spent; doc is the whole lot as JSON, the columns are what SQL asks about.';


--
-- Name: order_route; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.order_route (
    order_id text NOT NULL COLLATE pg_catalog."C",
    programs text[] NOT NULL,
    account_ids uuid[] NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT order_route_check CHECK ((cardinality(programs) = cardinality(account_ids)))
)
WITH (fillfactor='90');


--
-- Name: TABLE order_route; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.order_route IS 'Which accounts of which programs placed an order; a null account: a guest, or a store outside every program.';


--
-- Name: outbox; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.outbox (
    account_id uuid NOT NULL,
    version bigint NOT NULL,
    ordinal integer NOT NULL,
    topic text NOT NULL,
    key bytea,
    value bytea,
    epoch integer NOT NULL,
    program text,
    effective_at timestamp with time zone,
    traceparent text,
    headers bytea,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='5000');


--
-- Name: TABLE outbox; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.outbox IS 'What is still to be published. Dead letters stand under an id made from their partition, with their offset as version.';


--
-- Name: COLUMN outbox.headers; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.outbox.headers IS 'Headers to send as they are (JSON pairs, values in base64); null: CloudEvents headers from the other columns.';


--
-- Name: parked; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.parked (
    order_id text NOT NULL COLLATE pg_catalog."C",
    source text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    business_at timestamp with time zone NOT NULL,
    program text COLLATE pg_catalog."C",
    digest bytea NOT NULL,
    body bytea NOT NULL,
    traceparent text,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    aside boolean DEFAULT false NOT NULL,
    topic text,
    partition integer,
    record_offset bigint
);


--
-- Name: TABLE parked; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.parked IS 'Events about orders that have not come yet.';


--
-- Name: COLUMN parked.aside; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.parked.aside IS 'It names no program, and when it came only orders outside every program had its order''s id.';


--
-- Name: points_given; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.points_given (
    day date NOT NULL,
    scope text NOT NULL COLLATE pg_catalog."C",
    of uuid NOT NULL,
    points bigint NOT NULL
);


--
-- Name: TABLE points_given; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.points_given IS 'What commands gave on a day (UTC): of: the account, a keyed digest of operator or program.';


--
-- Name: position; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public."position" (
    topic text NOT NULL COLLATE pg_catalog."C",
    partition integer NOT NULL,
    from_offset bigint NOT NULL,
    next_offset bigint NOT NULL,
    digest bytea NOT NULL,
    record_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT position_next_offset_check CHECK ((next_offset >= 0))
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000');


--
-- Name: TABLE "position"; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public."position" IS 'The next record to read of each partition, and where the last move came from; moved by compare-and-set only.';


--
-- Name: program_terms; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.program_terms (
    program text NOT NULL COLLATE pg_catalog."C",
    hash bytea NOT NULL,
    effective_from date NOT NULL,
    body bytea NOT NULL,
    applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    begins_at timestamp with time zone GENERATED ALWAYS AS (public.terms_begin_at(body)) STORED NOT NULL,
    file_digest bytea DEFAULT '\x'::bytea NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    applied_by text DEFAULT SESSION_USER NOT NULL,
    needs_approval boolean NOT NULL
);


--
-- Name: TABLE program_terms; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.program_terms IS 'The versions of each program''s terms, named by their hash, as they were registered; never changed.';


--
-- Name: COLUMN program_terms.file_digest; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.program_terms.file_digest IS 'SHA-256 of the file that it was read from; empty: registered before it was kept.';


--
-- Name: COLUMN program_terms.applied_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.program_terms.applied_by IS 'The login (session_user) that registered it.';


--
-- Name: COLUMN program_terms.needs_approval; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.program_terms.needs_approval IS 'It was dated back when it was registered, and counts from its approval on.';


--
-- Name: reading; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.reading (
    topic text NOT NULL COLLATE pg_catalog."C",
    partition integer NOT NULL,
    at_end boolean NOT NULL,
    oldest_unread_at timestamp with time zone,
    reported_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000');


--
-- Name: TABLE reading; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.reading IS 'What each partition has yet to read, as its worker last said; the watermark is computed from it.';


--
-- Name: schema_migrations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.schema_migrations (
    version character varying NOT NULL
);


--
-- Name: seal; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.seal (
    program text NOT NULL COLLATE pg_catalog."C",
    number integer NOT NULL,
    sealed_at timestamp with time zone NOT NULL,
    epoch integer NOT NULL,
    accounts bigint NOT NULL,
    facts bigint NOT NULL,
    root bytea NOT NULL,
    previous bytea,
    digest bytea NOT NULL,
    sealed_by text DEFAULT SESSION_USER NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT seal_accounts_check CHECK ((accounts >= 0)),
    CONSTRAINT seal_check CHECK (((number = 1) = (previous IS NULL))),
    CONSTRAINT seal_digest_check CHECK ((octet_length(digest) = 32)),
    CONSTRAINT seal_facts_check CHECK ((facts >= 0)),
    CONSTRAINT seal_number_check CHECK ((number > 0)),
    CONSTRAINT seal_root_check CHECK ((octet_length(root) = 32))
);


--
-- Name: TABLE seal; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.seal IS 'The Merkle root over the heads of all chains of a program at an instant; digest is over the row and previous.';


--
-- Name: snapshot; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.snapshot (
    number bigint NOT NULL,
    taken_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    ends bytea NOT NULL
)
WITH (fillfactor='50');


--
-- Name: TABLE snapshot; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.snapshot IS 'Ends of all partitions of the topics read, as Kafka said them, until all positions have reached them; ends is JSON.';


--
-- Name: step; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.step (
    account_id uuid NOT NULL,
    business_at timestamp with time zone NOT NULL,
    rank smallint NOT NULL,
    source text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    before bytea NOT NULL
);


--
-- Name: TABLE step; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.step IS 'How to undo each fact and clock instant applied, for facts that come late.';


--
-- Name: COLUMN step.version; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.step.version IS 'Entries about this moment that do not cancel each other out were posted under this version or later.';


--
-- Name: terms_approval; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.terms_approval (
    program text NOT NULL COLLATE pg_catalog."C",
    hash bytea NOT NULL,
    applied_at timestamp with time zone NOT NULL,
    applied_by text NOT NULL,
    approved_by text DEFAULT SESSION_USER NOT NULL,
    approved_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT terms_approval_by_another CHECK ((approved_by <> applied_by))
);


--
-- Name: TABLE terms_approval; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.terms_approval IS 'Which login (session_user) approved a version that is dated back, another than registered it; never changed.';


--
-- Name: watermark; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.watermark (
    one boolean DEFAULT true NOT NULL,
    value timestamp with time zone,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT watermark_one_check CHECK (one)
)
WITH (fillfactor='50');


--
-- Name: TABLE watermark; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.watermark IS 'All that was recorded before this time has been read. Never goes back.';


--
-- Name: account account_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.account
    ADD CONSTRAINT account_pkey PRIMARY KEY (account_id);


--
-- Name: announced announced_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.announced
    ADD CONSTRAINT announced_pkey PRIMARY KEY (account_id, source, id);


--
-- Name: certainty certainty_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.certainty
    ADD CONSTRAINT certainty_pkey PRIMARY KEY (one);


--
-- Name: chain_begun chain_begun_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.chain_begun
    ADD CONSTRAINT chain_begun_pkey PRIMARY KEY (account_id, number);


--
-- Name: command_verdict command_verdict_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.command_verdict
    ADD CONSTRAINT command_verdict_pkey PRIMARY KEY (account_id, source, id);


--
-- Name: dead_letter dead_letter_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.dead_letter
    ADD CONSTRAINT dead_letter_pkey PRIMARY KEY (dead_letter_id);


--
-- Name: dead_letter_queue dead_letter_queue_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.dead_letter_queue
    ADD CONSTRAINT dead_letter_queue_pkey PRIMARY KEY (lane, dead_letter_id);


--
-- Name: dead_letter dead_letter_topic_partition_record_offset_digest_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.dead_letter
    ADD CONSTRAINT dead_letter_topic_partition_record_offset_digest_key UNIQUE (topic, partition, record_offset, digest);


--
-- Name: decision decision_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.decision
    ADD CONSTRAINT decision_pkey PRIMARY KEY (account_id, source, id);


--
-- Name: entry entry_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.entry
    ADD CONSTRAINT entry_pkey PRIMARY KEY (account_id, version, line);


--
-- Name: erasure erasure_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.erasure
    ADD CONSTRAINT erasure_pkey PRIMARY KEY (account_id);


--
-- Name: fact fact_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.fact
    ADD CONSTRAINT fact_pkey PRIMARY KEY (account_id, source, id);


--
-- Name: held_command held_command_account_id_source_id_operator_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.held_command
    ADD CONSTRAINT held_command_account_id_source_id_operator_key UNIQUE (account_id, source, id, operator);


--
-- Name: held_command held_command_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.held_command
    ADD CONSTRAINT held_command_pkey PRIMARY KEY (account_id, source, id);


--
-- Name: item item_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.item
    ADD CONSTRAINT item_pkey PRIMARY KEY (account_id, kind, key);


--
-- Name: lease lease_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.lease
    ADD CONSTRAINT lease_pkey PRIMARY KEY (name);


--
-- Name: ledger_state ledger_state_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ledger_state
    ADD CONSTRAINT ledger_state_pkey PRIMARY KEY (one);


--
-- Name: lot lot_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.lot
    ADD CONSTRAINT lot_pkey PRIMARY KEY (account_id, origin, part);


--
-- Name: order_route order_route_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.order_route
    ADD CONSTRAINT order_route_pkey PRIMARY KEY (order_id);


--
-- Name: outbox outbox_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (account_id, version, ordinal);


--
-- Name: parked parked_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.parked
    ADD CONSTRAINT parked_pkey PRIMARY KEY (order_id, source, id);


--
-- Name: points_given points_given_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.points_given
    ADD CONSTRAINT points_given_pkey PRIMARY KEY (day, scope, of);


--
-- Name: position position_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public."position"
    ADD CONSTRAINT position_pkey PRIMARY KEY (topic, partition);


--
-- Name: program_terms program_terms_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.program_terms
    ADD CONSTRAINT program_terms_pkey PRIMARY KEY (program, hash, applied_at);


--
-- Name: program_terms program_terms_program_hash_applied_at_applied_by_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.program_terms
    ADD CONSTRAINT program_terms_program_hash_applied_at_applied_by_key UNIQUE (program, hash, applied_at, applied_by);


--
-- Name: reading reading_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.reading
    ADD CONSTRAINT reading_pkey PRIMARY KEY (topic, partition);


--
-- Name: schema_migrations schema_migrations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);


--
-- Name: seal seal_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.seal
    ADD CONSTRAINT seal_pkey PRIMARY KEY (program, number);


--
-- Name: seal seal_program_digest_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.seal
    ADD CONSTRAINT seal_program_digest_key UNIQUE (program, digest);


--
-- Name: seal seal_program_previous_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.seal
    ADD CONSTRAINT seal_program_previous_key UNIQUE (program, previous);


--
-- Name: snapshot snapshot_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.snapshot
    ADD CONSTRAINT snapshot_pkey PRIMARY KEY (number);


--
-- Name: step step_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.step
    ADD CONSTRAINT step_pkey PRIMARY KEY (account_id, business_at, rank, source, id);


--
-- Name: terms_approval terms_approval_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.terms_approval
    ADD CONSTRAINT terms_approval_pkey PRIMARY KEY (program, hash, applied_at);


--
-- Name: watermark watermark_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.watermark
    ADD CONSTRAINT watermark_pkey PRIMARY KEY (one);


--
-- Name: account_due; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX account_due ON public.account USING btree (shard, next_due_at) WHERE ((next_due_at IS NOT NULL) AND (fenced IS NULL));


--
-- Name: account_fenced; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX account_fenced ON public.account USING btree (account_id) WHERE (fenced IS NOT NULL);


--
-- Name: account_waits; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX account_waits ON public.account USING btree (shard, waits_for) WHERE ((waits_for IS NOT NULL) AND (fenced IS NULL));


--
-- Name: command_verdict_to_apply; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX command_verdict_to_apply ON public.command_verdict USING btree (given_at) WHERE (applied_at IS NULL);


--
-- Name: erasure_waits; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX erasure_waits ON public.erasure USING btree (asked_until) WHERE ((done_until IS NULL) OR (done_until < asked_until));


--
-- Name: fact_contested; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX fact_contested ON public.fact USING btree (order_id) WHERE (type = ANY (ARRAY['order.contested'::text, 'order.claimed'::text]));


--
-- Name: held_command_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX held_command_at ON public.held_command USING btree (held_at);


--
-- Name: item_due; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX item_due ON public.item USING btree (account_id) WHERE (due_at IS NOT NULL);


--
-- Name: parked_awaited; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX parked_awaited ON public.parked USING btree (order_id) WHERE (NOT aside);


--
-- Name: parked_since; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX parked_since ON public.parked USING btree (recorded_at);


--
-- Name: chain_begun chain_begun_append_only; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER chain_begun_append_only BEFORE DELETE OR UPDATE ON public.chain_begun FOR EACH ROW EXECUTE FUNCTION public.refuse_change();


--
-- Name: chain_begun chain_begun_keep_all; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER chain_begun_keep_all BEFORE TRUNCATE ON public.chain_begun FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: decision decision_append_only; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER decision_append_only BEFORE DELETE OR UPDATE ON public.decision FOR EACH ROW EXECUTE FUNCTION public.refuse_change();


--
-- Name: decision decision_keep_all; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER decision_keep_all BEFORE TRUNCATE ON public.decision FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: entry entry_append_only; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER entry_append_only BEFORE DELETE OR UPDATE ON public.entry FOR EACH ROW EXECUTE FUNCTION public.refuse_change();


--
-- Name: entry entry_keep_all; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER entry_keep_all BEFORE TRUNCATE ON public.entry FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: fact fact_append_only; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER fact_append_only BEFORE DELETE OR UPDATE ON public.fact FOR EACH ROW EXECUTE FUNCTION public.refuse_change();


--
-- Name: fact fact_keep_all; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER fact_keep_all BEFORE TRUNCATE ON public.fact FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: program_terms program_terms_append_only; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER program_terms_append_only BEFORE DELETE OR UPDATE ON public.program_terms FOR EACH ROW EXECUTE FUNCTION public.refuse_change();


--
-- Name: program_terms program_terms_keep_all; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER program_terms_keep_all BEFORE TRUNCATE ON public.program_terms FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: program_terms program_terms_register; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER program_terms_register BEFORE INSERT ON public.program_terms FOR EACH ROW EXECUTE FUNCTION public.register_terms();


--
-- Name: seal seal_append_only; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER seal_append_only BEFORE DELETE OR UPDATE ON public.seal FOR EACH ROW EXECUTE FUNCTION public.refuse_change();


--
-- Name: seal seal_keep_all; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER seal_keep_all BEFORE TRUNCATE ON public.seal FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: seal seal_published; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER seal_published AFTER INSERT ON public.seal FOR EACH ROW EXECUTE FUNCTION public.publish_seal();


--
-- Name: terms_approval terms_approval_append_only; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER terms_approval_append_only BEFORE DELETE OR UPDATE ON public.terms_approval FOR EACH ROW EXECUTE FUNCTION public.refuse_change();


--
-- Name: terms_approval terms_approval_keep_all; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER terms_approval_keep_all BEFORE TRUNCATE ON public.terms_approval FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();


--
-- Name: command_verdict command_verdict_of_held; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.command_verdict
    ADD CONSTRAINT command_verdict_of_held FOREIGN KEY (account_id, source, id, operator) REFERENCES public.held_command(account_id, source, id, operator) ON DELETE CASCADE;


--
-- Name: seal seal_program_previous_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.seal
    ADD CONSTRAINT seal_program_previous_fkey FOREIGN KEY (program, previous) REFERENCES public.seal(program, digest);


--
-- Name: terms_approval terms_approval_program_hash_applied_at_applied_by_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.terms_approval
    ADD CONSTRAINT terms_approval_program_hash_applied_at_applied_by_fkey FOREIGN KEY (program, hash, applied_at, applied_by) REFERENCES public.program_terms(program, hash, applied_at, applied_by);


--
-- PostgreSQL database dump complete
--



--
-- Dbmate schema migrations
--

INSERT INTO public.schema_migrations (version) VALUES
    ('20261122000000'),
    ('20261122000001'),
    ('20261122093000'),
    ('20261122101500'),
    ('20261122102000'),
    ('20261122124000'),
    ('20261122221000'),
    ('20261123000000'),
    ('20261130010000'),
    ('20261201000000'),
    ('20261202000000'),
    ('20261203000000'),
    ('20261204000000'),
    ('20261205000000'),
    ('20261206000000'),
    ('20261207000000'),
    ('20261207000001'),
    ('20261208000000'),
    ('20261208010000'),
    ('20261209000000'),
    ('20261210000000'),
    ('20261212000000'),
    ('20261215000000'),
    ('20261216000000');
