-- What is kept of orders that are split where a person is to be forgotten, and that what follows a part is of its order's life.

-- migrate:up

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

CREATE OR REPLACE FUNCTION kept_fields() RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
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

CREATE OR REPLACE FUNCTION erase_account(p_from uuid, p_to uuid, p_sources text[], p_ids text[], p_bodies bytea[], p_digests bytea[]) RETURNS void
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

-- migrate:down

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

CREATE OR REPLACE FUNCTION kept_fields() RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
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

CREATE OR REPLACE FUNCTION erase_account(p_from uuid, p_to uuid, p_sources text[], p_ids text[], p_bodies bytea[], p_digests bytea[]) RETURNS void
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
