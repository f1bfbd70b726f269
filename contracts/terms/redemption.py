"""Paying with points, what becomes of them when goods come back, reward items, pay-outs and changes by hand."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.terms.values import Days, Name, Part, PlainName, Points, RuleId, Share, When


class Limit(Part):
    """How many points a member can use at any time, of those who fit a condition (a plan, a level). `excess`: what is above stays
    in the account and cannot be used, or is lost as soon as it could be."""

    rule: RuleId
    points: Points
    when: When = When()
    excess: Literal["kept", "lost"] = "kept"


class PayingKinds(Part):
    """What points of some kinds pay: the orders for which `when` holds (those of a store, of a time, of some members), or with
    `pays: nothing` none at all. With several rows for one kind it is enough that one fits; kinds that no row names pay any
    order."""

    rule: RuleId
    kinds: Annotated[tuple[Name, ...], Field(min_length=1)]
    pays: Literal["orders", "nothing"] = "orders"
    when: When = When()


class Minimum(Part):
    """What must remain to be paid after points, with some payment methods or card brands. The first that fits holds."""

    rule: RuleId
    payment_methods: tuple[PlainName, ...] = ()
    card_brands: tuple[PlainName, ...] = ()
    amount: Annotated[int, Field(ge=0)]


class FullRedemption(Part):
    """If points pay everything (payable, or the goods), the payment method must be one of these."""

    rule: RuleId
    payment_methods: tuple[PlainName, ...]
    of: Literal["payable", "goods"] = "payable"


class NotRedeemable(Part):
    """Lines that points may not pay. `mixed`: pay up to the other lines, or refuse any points in such a cart."""

    rule: RuleId
    categories: tuple[str, ...] = ()
    mixed: Literal["other_lines", "refuse"] = "other_lines"


class TwoStep(Part):
    """Points held by a request until an order names it."""

    hold_seconds: Annotated[int, Field(ge=1, le=90 * 86400)] = 1800
    hold_seconds_max: Annotated[int, Field(ge=1, le=90 * 86400)] = 86400


class Deadline(Part):
    """So many business days before a planned date, to the end of that day."""

    business_days: Days
    before: Literal["planned_ship_date", "planned_delivery_date"]


class Subscription(Part):
    """Points set in advance for the next delivery of a subscription."""

    rule: RuleId
    deadline: Deadline
    late: Literal["refused", "next_delivery"] = "refused"
    taken_at: Literal["setting", "shipment", "cut_off"] = "setting"


class Redemption(Part):
    """How points pay: limits, ceiling, and which lots go first. `stores_also`: stores that do not earn but take points.

    `pays: nothing`: they pay for no order, whatever else becomes of them. `when`: what must hold for the order that they pay.
    `ceiling_share`: the share of what the ceiling allows that they may pay. `minimum_left_points`: so many stay in the account.
    `first_kinds`: kinds that go before all others, in this order. `kinds`: which orders points of a kind pay. `limits`: what the
    member can use at most; the first that fits holds.
    """

    rule: RuleId
    minimum: Points = 1
    minimum_rule: RuleId | None = None
    maximum: Points | None = None
    maximum_rule: RuleId | None = None
    unit: Annotated[int, Field(ge=1)] = 1
    ceiling: Literal["payable", "below_payable", "goods"] = "payable"
    ceiling_rule: RuleId | None = None
    ceiling_share: Share | None = None
    minimum_left_points: Points = 0
    pays: Literal["orders", "nothing"] = "orders"
    when: When = When()
    use_all_below_minimum: Literal["refused", "allowed"] = "refused"
    uncovered: Literal["refused", "clipped"] = "refused"
    taken_at: Literal["order", "shipment"] = "order"
    channels: tuple[str, ...] = ()
    stores_also: tuple[str, ...] = ()
    stores_excluded: tuple[str, ...] = ()
    lots: Literal["soonest_expiry", "oldest_grant", "newest_grant"] = "soonest_expiry"
    first_kinds: tuple[Name, ...] = ()
    kinds: tuple[PayingKinds, ...] = ()
    limits: tuple[Limit, ...] = ()
    full: FullRedemption | None = None
    minimum_left: tuple[Minimum, ...] = ()
    minimum_left_of: Literal["payable", "goods"] = "payable"
    not_redeemable: NotRedeemable | None = None
    two_step: TwoStep = TwoStep()
    subscription: Subscription | None = None


class UsedPoints(Part):
    """What becomes of points used on what is cancelled, returned or exchanged; the first row that fits holds."""

    rule: RuleId
    on: tuple[Literal["cancel", "return", "exchange"], ...] = ("cancel", "return", "exchange")
    reasons: tuple[PlainName, ...] = ()
    outcome: Literal["back", "forfeited"] = "back"
    days: Days = 0


class BackExpiry(Part):
    """Handed-back points keep their lot's expiry, get a fresh term, or at least `grace_days`. `rule`: under which those lapse
    whose last day was over by then (None = the rule that hands them back)."""

    rule: RuleId | None = None
    mode: Literal["original", "fresh", "grace"] = "original"
    grace_days: Days = 0


class EarnedPoints(Part):
    """What becomes of points earned on goods that come back. `taken_from`: where those were spent, whether points of other kinds
    stand in for them, or only points of their own kind; what these do not cover is the shortfall."""

    rule: RuleId
    pending: Literal["void", "keep"] = "void"
    available: Literal["revoke", "keep"] = "revoke"
    shortfall: Literal["arrears", "write_off"] = "arrears"
    amount: Literal["recomputed", "returned_share"] = "recomputed"
    taken_from: Literal["any", "own_kind"] = "any"


class Split(Part):
    """How used points are spread over the lines of the order."""

    weights: Literal["tax_inclusive", "tax_exclusive", "with_shipping"] = "tax_inclusive"
    order: Literal["pro_rata", "cash_first", "points_first"] = "pro_rata"


class Reversal(Part):
    """Cancels, returns and exchanges. `at`: what counts as the moment of a return, its request or its receipt.

    `resent_after_cancel`: an order that was cancelled as a whole and is then told again, with the same content, stays cancelled
    with a finding, or goes on as it was; the points that it asks for are decided anew.

    `line_by_sku`: of which of several lines a cancelled or returned piece is that was named by its product alone. For the member:
    what replaced another, what earns nothing, the cheaper first; for the shop the other way round; or in the order of the lines.
    That there was a choice is a finding.

    `refunds`: whether points earned, and amounts toward tiers, follow money that is given back without goods. Points used stay
    used.
    """

    used_points: Annotated[tuple[UsedPoints, ...], Field(min_length=1)]
    earned_points: EarnedPoints
    back_expiry: BackExpiry = BackExpiry()
    split: Split = Split()
    at: Literal["received", "requested"] = "received"
    resent_after_cancel: Literal["finding", "reinstated"] = "finding"
    refunds: Literal["earned_follow", "ignored"] = "earned_follow"
    line_by_sku: Literal["for_the_member", "for_the_shop", "first"] = "for_the_member"


class Rewards(Part):
    """Items for points, which travel with the next delivery whose deadline had not passed when they were asked for.

    `carrier_reversed`: what becomes of the points when the delivery that an item waits for is called off.
    """

    rule: RuleId
    carrier_rule: RuleId | None = None
    items: dict[str, Points]
    deadline: Deadline
    deducted_at: Literal["request", "shipment"] = "request"
    carrier_reversed: Literal["kept", "back_if_unshipped"] = "kept"


class Adjustment(Part):
    """Manual changes: the kind of what is granted, and the rules they are booked under; `revocation_rule`: of revoking all."""

    rule: RuleId
    revocation_rule: RuleId | None = None
    kind: Name = "regular"


class PayOut(Part):
    """Matured points paid out in money on a day of each month, when they are at least `minimum`."""

    rule: RuleId
    day: Annotated[int, Field(ge=1, le=28)] = 1
    minimum: Points = 1
