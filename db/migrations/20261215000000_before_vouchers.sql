-- What is kept, where a person is to be forgotten, of conversions asked for, of what is told of vouchers, of the measures of a
-- balance that is taken over, and of the store and the order that an activity has to do with.

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

COMMENT ON TABLE item IS 'Orders, requests, earmarks, marks, findings, early facts, tallies, contests and vouchers of an account; doc is JSON, due_at when the clock has to look.';

-- migrate:down

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

CREATE OR REPLACE FUNCTION kept_fields() RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT '{
    "activity.completed": {"activity": true, "member_id": "erased", "points": true, "reference": true},
    "balance.opened": {"announce": true, "counted": {"amount": true, "on": true}, "enrolled_on": true,
        "last_change_on": true, "lots": {"expires_on": true, "granted_on": true, "kind": true, "points": true},
        "member_id": "erased", "registered_on": true, "tier": true},
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
    "survey.won": {"member_id": "erased", "points": true, "survey_id": true}
}'::jsonb
$$;

COMMENT ON TABLE item IS 'Orders, requests, earmarks, marks, findings and early facts of an account; doc is JSON, due_at when the clock has to look.';
