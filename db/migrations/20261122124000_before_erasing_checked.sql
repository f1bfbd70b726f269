-- An erasure takes away what names a person and nothing else, whoever asks for it: erase_account looks at the bodies that it is
-- given, so the right to call it is no right to change what facts say.

-- migrate:up

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

-- What is kept of a fact of each type: fields as they are (true), as the text that stands for all of them, or in part.
-- The contract says it (KEPT in contracts/events/erasure.py); where it grows, a migration makes this function anew.
CREATE FUNCTION kept_fields() RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT '{
    "activity.completed": {"activity": true, "member_id": "erased", "points": true, "reference": true},
    "balance.opened": {"announce": true, "counted": {"amount": true, "on": true}, "enrolled_on": true,
        "last_change_on": true, "lots": {"expires_on": true, "granted_on": true, "kind": true, "points": true},
        "member_id": "erased", "registered_on": true, "tier": true},
    "exchange.received": {"exchange_id": true, "lines": {"line_id": true, "quantity": true, "sku": true},
        "order_id": true},
    "exchange.requested": {"exchange_id": true, "lines": {"line_id": true, "quantity": true, "sku": true},
        "order_id": true},
    "exchange.shipped": {"exchange_id": true, "lines": {"bonus_points": {"expires_on": true, "kind": true,
        "points": true}, "category": true, "discount": true, "line_id": true, "list_price": true, "point_rate": true,
        "quantity": true, "sku": true, "tags": true, "tax": true, "unit_price": true}, "order_id": true},
    "member.enrolled": {"channel": true, "country": true, "member_id": "erased"},
    "member.erased": {"member_id": "erased"},
    "member.registered": {"channel": true, "country": true, "member_id": "erased"},
    "order.cancelled": {"lines": {"line_id": true, "quantity": true, "sku": true}, "order_id": true, "reason": true},
    "order.paid": {"order_id": true},
    "order.placed": {"card_brand": true, "channel": true, "course": true, "currency": true,
        "lines": {"bonus_points": {"expires_on": true, "kind": true, "points": true}, "category": true, "discount": true,
        "line_id": true, "list_price": true, "point_rate": true, "quantity": true, "sku": true, "tags": true, "tax": true,
        "unit_price": true}, "member_id": "erased", "order_id": true, "other_fees": true, "payment_method": true,
        "planned_delivery_date": true, "planned_ship_date": true, "points_used": true, "redemption_id": true,
        "shipping_fee": true, "signed_in": true, "store": true, "subscription_id": true, "use_all_points": true},
    "order.rescheduled": {"order_id": true, "planned_delivery_date": true, "planned_ship_date": true},
    "points.adjusted": {"expires_on": true, "kind": true, "member_id": "erased", "points": true, "reason": "erased"},
    "points.held": {"member_id": "erased", "order_id": true, "points": true, "reason": "erased"},
    "points.released": {"member_id": "erased", "order_id": true, "points": true, "reason": "erased"},
    "redemption.released": {"member_id": "erased", "redemption_id": true},
    "redemption.requested": {"expires_in_seconds": true, "member_id": "erased", "points": true, "redemption_id": true,
        "store": true},
    "return.received": {"lines": {"line_id": true, "quantity": true, "sku": true}, "order_id": true, "reason": true,
        "return_id": true},
    "return.requested": {"lines": {"line_id": true, "quantity": true, "sku": true}, "order_id": true, "reason": true,
        "return_id": true},
    "review.posted": {"member_id": "erased", "order_id": true, "review_id": true, "sku": true},
    "reward.requested": {"member_id": "erased", "quantity": true, "request_id": true, "reward_sku": true},
    "shipment.delivered": {"lines": {"line_id": true, "quantity": true, "sku": true}, "order_id": true,
        "shipment_id": true},
    "shipment.dispatched": {"lines": {"line_id": true, "quantity": true, "sku": true}, "order_id": true,
        "shipment_id": true},
    "subscription.points-set": {"member_id": "erased", "order_id": true, "points": true, "request_id": true,
        "subscription_id": true},
    "survey.won": {"member_id": "erased", "points": true, "survey_id": true}
}'::jsonb
$$;

CREATE FUNCTION kept_part(p_kept jsonb, p_value jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
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

CREATE FUNCTION without_person(p_type text, p_body jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT public.kept_part(public.kept_fields() -> p_type, p_body)
$$;

CREATE OR REPLACE FUNCTION erase_account(p_from uuid, p_to uuid, p_sources text[], p_ids text[], p_bodies bytea[], p_digests bytea[])
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    whose record;
    given record;
    asked boolean;
    quoted bytea;
    moved bigint;
BEGIN
    SELECT a.program, a.member_id INTO STRICT whose FROM account a WHERE a.account_id = p_from;
    -- One by one: a cluster asks one node at a time.
    PERFORM e.account_id FROM erasure e WHERE e.account_id = p_from AND (e.done_until IS NULL OR e.done_until < e.asked_until);
    asked := FOUND;
    PERFORM f.id FROM fact f WHERE f.account_id = p_from AND f.type = 'member.erased' LIMIT 1;
    asked := asked AND FOUND;
    PERFORM f.id FROM fact f WHERE f.account_id = p_to LIMIT 1;
    IF NOT asked OR FOUND THEN
        RAISE EXCEPTION 'nobody asked to erase account %', p_from USING ERRCODE = 'insufficient_privilege';
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
    SET LOCAL loyalty.erasing = '';
    SET LOCAL citus.propagate_set_commands = 'none';
END
$$;

-- migrate:down

CREATE OR REPLACE FUNCTION erase_account(p_from uuid, p_to uuid, p_sources text[], p_ids text[], p_bodies bytea[], p_digests bytea[])
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
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
DROP FUNCTION without_person(text, jsonb);
DROP FUNCTION kept_part(jsonb, jsonb);
DROP FUNCTION kept_fields();
