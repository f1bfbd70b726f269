"""Paying with points: whether an order may, how many, which lots, and on which lines the points sit.

A verdict that the world has been told is read, never taken again. Accepting does not wait, unless how many points are used hangs
on how many are there. A refusal waits until all has been read that was there before the wish came, unless the wish and the terms
alone say it.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from msgspec.structs import replace

from contracts.events import RejectionReason
from worker.decide import exchange, expiry, ledger, limits, redeemable
from worker.decide.account import Account
from worker.decide.amounts import part, spread_within
from worker.decide.conditions import Subject, holds, of_order
from worker.decide.errors import Late
from worker.decide.order_records import Order, Spent
from worker.decide.program import Version
from worker.decide.state import Decision, Reason, Request
from worker.decide.step import Answer

FINAL: Final[frozenset[RejectionReason]] = frozenset(
    {
        "store_not_eligible",
        "channel_not_eligible",
        "reward_not_offered",
        "conversion_not_offered",
        "below_minimum",
        "above_maximum",
        "not_a_multiple",
        "line_not_redeemable",
        "exceeds_payable",
        "full_redemption_payment_method",
        "remaining_below_payment_minimum",
    }
)
"""Reasons that news of what was before cannot turn: the number of points asked for, the order as it was placed and the terms say
them. Of an order that is amended news may: what has become of its goods by then says them too."""


class Finding(NamedTuple):
    """What a check came to: how many points, and the first reason against it. `by_news`: it hangs on what news may change (with
    more points there it would be more of them, or goods that seemed to have come back stay), so that it waits for them."""

    points: int
    reason: str | None
    by_news: bool = False

    def of_amended(self) -> Finding:
        """The same of an order that is not as it was placed: whatever is against it may be turned."""
        return self._replace(by_news=self.by_news or self.reason is not None)


def is_member(account: Account) -> bool:
    """Whether the member takes part at this instant, as the terms define it (LEN-02, ANS-06)."""
    rules, head = account.version.terms.membership, account.head
    if head.erased_at is not None:
        return False
    if rules.by == "member_id":
        return True
    joined = head.enrolled_at if rules.by == "enrolment" else head.registered_at
    if joined is None:
        return False
    return may_join_by(account.version, head.channel)


def may_join_by(version: Version, channel: str | None) -> bool:
    """Whether who registers by a channel takes part (None: it was not told, and is the web)."""
    channels = version.terms.membership.registration_channels
    return not channels or (channel or "web") in channels


def takes_points(version: Version, store: str) -> bool:
    """Whether points may be used in a store."""
    rules = version.terms.redemption
    return store not in rules.stores_excluded and (
        version.stores.earns(store) or store in rules.stores_also
    )


def check(account: Account, order: Order, set_aside: int = 0) -> Finding:
    """How many points the order may use now, and the first reason against it. `set_aside`: held for it already."""
    version, asked = account.program.named(order.terms), order.content.points_used
    against = _against(account, version, order)
    if against is not None:
        return Finding(asked, against)
    if order.content.redemption_id is not None:
        return _check_reserved(account, version, order, order.content.redemption_id)
    if order.content.use_all_points:
        return _check_all(version, order, usable(account, version, of_order(order)) + set_aside)
    return check_amount(version, order, asked, usable(account, version, of_order(order)) + set_aside)


def usable(account: Account, version: Version, subject: Subject) -> int:
    """The points that may be used on something now: what is available of kinds that pay for it, but for those that the terms say
    must stay, and those above what the member may use."""
    most = limits.usable(account, version, account.head.available) - version.terms.redemption.minimum_left_points
    return min(most, limits.paying(account, version, subject))


def check_more(account: Account, order: Order, more: int) -> Finding:
    """Whether an order that stands may use so many more points than it does, of which the finding is of all that it used."""
    version, used = account.program.named(order.terms), order.used
    against = _against(account, version, order)
    if against is None and not redeemable.payable(version, order):
        against = "exceeds_payable"
    if against is not None:
        return Finding(used.points + more, against).of_amended()
    covered = usable(account, version, of_order(order)) + used.standing
    found = check_amount(version, order, used.standing + more, covered).of_amended()
    return found._replace(points=found.points + used.points - used.standing)


def _against(account: Account, version: Version, order: Order) -> RejectionReason | None:
    """Why an order may use no points at all, however many."""
    rules = version.terms.redemption
    if not is_member(account):
        return "not_a_member"
    if not takes_points(version, order.content.store):
        return "store_not_eligible"
    if rules.channels and order.content.channel not in rules.channels:
        return "channel_not_eligible"
    if rules.when.given and not _allows(account, version, order):
        return "conditions_not_met"
    return "exceeds_payable" if exchange.rate_of(version, order) is None else None


def _allows(account: Account, version: Version, order: Order) -> bool:
    return holds(version.terms.redemption.when, version, of_order(order))


def _check_reserved(account: Account, version: Version, order: Order, redemption_id: str) -> Finding:
    asked = order.content.points_used
    request = account.request("redemption", redemption_id)
    if request is None:
        return Finding(asked, "unknown_redemption")
    points = asked or request.points
    if request.status != "accepted":
        return Finding(points, "redemption_ended")
    if points != request.points or (request.store and request.store != order.content.store):
        return Finding(points, "redemption_mismatch")
    return check_amount(version, order, points, points)


def _check_all(version: Version, order: Order, covered: int) -> Finding:
    """Use everything: as many as are there, the order takes, and one order may use (SCO-23)."""
    rules = version.terms.redemption
    most = exchange.points_for(version, order, redeemable.limit(version, order))
    if rules.maximum is not None:
        most = min(most, rules.maximum)
    points = min(max(covered, 0), most) // rules.unit * rules.unit
    by_news = points < most // rules.unit * rules.unit
    if points < rules.minimum and rules.use_all_below_minimum == "refused" and (points or rules.minimum > 1):
        return Finding(points, "below_minimum", by_news)
    found = _check_payment(version, order, points) if points else Finding(0, None)
    return found._replace(by_news=by_news)


def check_amount(version: Version, order: Order, points: int, covered: int) -> Finding:
    """Whether an order may use so many points, of which so many are there."""
    rules = version.terms.redemption
    if rules.uncovered == "clipped":
        most = [points, exchange.points_for(version, order, redeemable.limit(version, order))]
        points = min(most if rules.maximum is None else [*most, rules.maximum])
        if max(covered, 0) < points:
            return _check_fixed(version, order, max(covered, 0), covered)._replace(by_news=True)
    return _check_fixed(version, order, points, covered)


def _check_fixed(version: Version, order: Order, points: int, covered: int) -> Finding:
    """As above, of a number of points that is used as a whole or not at all."""
    rules = version.terms.redemption
    if points < rules.minimum:
        return Finding(points, "below_minimum")
    if rules.maximum is not None and points > rules.maximum:
        return Finding(points, "above_maximum")
    if points % rules.unit:
        return Finding(points, "not_a_multiple")
    most = redeemable.of(version, order)
    if most.lines < most.payable and exchange.more_than(version, order, points, most.lines):
        return Finding(points, "line_not_redeemable")
    if exchange.more_than(version, order, points, redeemable.limit(version, order)):
        return Finding(points, "exceeds_payable")
    found = _check_payment(version, order, points)
    if found.reason is None and points > covered:
        return Finding(points, "insufficient_points")
    return found


def at_most(version: Version, order: Order, points: int) -> int:
    """The most points, up to a number that is there, which the order may use."""
    rules = version.terms.redemption
    limit, payable = redeemable.limit(version, order), redeemable.of(version, order).payable
    amounts = [limit, payable - 1, *(payable - row.amount for row in rules.minimum_left)]
    limits = [points, *(exchange.points_for(version, order, max(amount, 0)) for amount in amounts)]
    units = {min(each, points, rules.maximum or points) // rules.unit * rules.unit for each in limits}
    return next((each for each in sorted(units, reverse=True) if check_amount(version, order, each, each).reason is None), 0)


def _check_payment(version: Version, order: Order, points: int) -> Finding:
    """Conditions on how the rest is paid (LEN-24, ANS-09 to ANS-12)."""
    rules = version.terms.redemption
    amount, most = exchange.worth(version, order, points), redeemable.of(version, order)
    if rules.full is not None and amount >= (most.goods if rules.full.of == "goods" else most.payable):
        if order.payment.method not in rules.full.payment_methods:
            return Finding(points, "full_redemption_payment_method")
        return Finding(points, None)
    left = (most.goods if rules.minimum_left_of == "goods" else most.payable) - amount
    for row in rules.minimum_left:
        fits = not row.payment_methods or order.payment.method in row.payment_methods
        if fits and (not row.card_brands or order.payment.card_brand in row.card_brands):
            if left < row.amount:
                return Finding(points, "remaining_below_payment_minimum")
            break
    return Finding(points, None)


def decide(account: Account, order: Order, set_aside: int = 0, *, amended: bool = False) -> Decision | None:
    """The verdict on an order's redemption: as it was told, or taken now; None while it must wait. `amended`: it is not as it was
    placed."""
    told = account.decided.get((order.source, order.id))
    if told is not None:
        return told
    found = check(account, order, set_aside)
    return verdict_on(account, order.source, order.id, found.of_amended() if amended else found)


def verdict_on(account: Account, source: str, id_: str, found: Finding) -> Decision | None:
    """The verdict on what the event of this source and id asks for: as it was told, or as the check found; None: it must wait."""
    key = (source, id_)
    told = account.decided.get(key)
    if told is not None:
        return told
    if account.recorded_from is not None and account.asked_at < account.recorded_from:
        # It was told before what it is about, which is folded again: a verdict may be recorded at its own moment.
        raise Late(account.asked_at)
    points, reason = found.points, found.reason
    if reason is None and key in account.overdrawing:
        reason = "insufficient_points"
    turned_by_news = found.by_news or (reason is not None and reason not in FINAL)
    if account.announced_only or (turned_by_news and not account.certain and key not in account.overtaken):
        return None
    verdict = Decision(source=source, id=id_, verdict="rejected" if reason else "accepted", points=points, reason=reason)
    account.decided[key] = verdict
    return verdict


def covered(account: Account, order: Order, set_aside: int = 0) -> bool:
    """Whether a redemption was accepted, so that the world was told, or would be accepted now."""
    key = (order.source, order.id)
    told = account.decided.get(key)
    if told is not None:
        return told.verdict == "accepted"
    new = not account.announced_only and key not in account.overdrawing
    found = check(account, order, set_aside)
    return new and found.reason is None and not found.by_news


def answer(
    account: Account,
    decision: Decision,
    *,
    order_id: str | None = None,
    amendment_id: str | None = None,
    request_id: str | None = None,
    redemption_id: str | None = None,
) -> None:
    """Have subscribers told of a verdict."""
    account.answers.append(Answer(decision, order_id, amendment_id, request_id, redemption_id))


def put_on_lines(version: Version, order: Order, points: int) -> Order:
    """Spread used points over the order's redeemable lines; what they cannot take pays fees (COM-Q4)."""
    weights_of = version.terms.reversal.split.weights
    may = [redeemable.is_redeemable(version, line) and not line.replacement for line in order.lines]
    can = [redeemable.price(line) if each else 0 for each, line in zip(may, order.lines, strict=True)]
    weights = [
        part(line.goods, line.kept, line.quantity) if weights_of == "tax_exclusive" and room else room
        for line, room in zip(order.lines, can, strict=True)
    ]
    limits = [exchange.to_cover(version, order, room) for room in can]
    on_lines = points
    if weights_of == "with_shipping":
        total = sum(can) + order.payment.fees
        on_lines = points * sum(can) // total if total else 0
    shares, left = spread_within(on_lines, weights, limits)
    lines = tuple(
        replace(line, used=share, gone=line.quantity - line.kept) for line, share in zip(order.lines, shares, strict=True)
    )
    return replace(order, lines=lines, used=replace(order.used, points=points, on_fees=left + points - on_lines))


def take(account: Account, order: Order, points: int) -> Order:
    """Take accepted points: out of lots at once, or set aside until the shipment (COM-C7), or from the reservation."""
    version = account.program.named(order.terms)
    rules = version.terms.redemption
    order = put_on_lines(version, order, points)
    if not points:
        return order
    if order.content.redemption_id is not None:
        request = account.request("redemption", order.content.redemption_id)
        if request is not None and request.status == "accepted":
            return replace(order, used=replace(order.used, spent=_capture(account, version, request, order)))
    if rules.taken_at == "shipment":
        used = replace(order.used, spent=set_aside_for(account, order, points, rules.rule), reserved=points)
    else:
        used = replace(order.used, spent=spend_on(account, order, points, rules.rule))
    expiry.prolong(account, version, "use", order.order_id)
    return replace(order, used=used)


def spend_on(account: Account, order: Order, points: int, rule: str) -> tuple[Spent, ...]:
    """Take available points for an order, of kinds that pay it before any others."""
    version = account.program.named(order.terms)
    first = limits.paying_lots(account, version, of_order(order))
    return ledger.take(account, version, points, "redeem", "spent", rule, order.order_id, first)


def set_aside_for(account: Account, order: Order, points: int, rule: str) -> tuple[Spent, ...]:
    """Hold available points for an order, of kinds that pay it before any others."""
    version = account.program.named(order.terms)
    first = limits.paying_lots(account, version, of_order(order))
    return ledger.hold(account, version, points, "reserve", rule, order.order_id, first)


def change(account: Account, order: Order, points: int, rule: str) -> Order:
    """Change how many points stand on an order, taking or giving back only the difference."""
    version = account.program.named(order.terms)
    standing, more = order.used.standing, points - order.used.standing
    spent, reserved = order.used.spent, order.used.reserved
    if more > 0 and version.terms.redemption.taken_at == "shipment" and order.delivery.shipped_at is None:
        spent = (*spent, *set_aside_for(account, order, more, rule))
        reserved += more
    elif more > 0:
        spent = (*spent, *spend_on(account, order, more, rule))
    elif more < 0:
        account.need_all_open()
        held = min(-more, reserved)
        spent = take_off(account, version, spent, held, "held", rule, order.order_id)
        spent = take_off(account, version, spent, -more - held, "spent", rule, order.order_id)
        reserved -= held
    if more > 0:
        expiry.prolong(account, version, "use", order.order_id)
    gone = order.used.points - standing
    order = put_on_lines(version, order, points)
    used = replace(order.used, points=gone + points, detached=gone, spent=spent, reserved=reserved)
    return replace(order, used=used)


def take_off(
    account: Account,
    version: Version,
    spent: tuple[Spent, ...],
    points: int,
    source: Literal["held", "spent"],
    rule: str,
    order_id: str | None,
) -> tuple[Spent, ...]:
    """Give points back, those taken last first, as if they had never been taken. Returns what is left of what was."""
    left, kept = points, []
    reason: Reason = "release" if source == "held" else "hand_back"
    ledger.need_lots(account, version, spent if points else (), "release")
    for each in reversed(spent):
        n = min(left, each.points - each.back)
        if n:
            ledger.give_back(account, version, each, n, source, reason, rule, order_id, as_was=True)
            left -= n
        if each.points > n:
            kept.append(replace(each, points=each.points - n))
    if left:
        ledger.give_back_unnamed(account, version, left, source, rule, order_id)
    return tuple(reversed(kept))


def _capture(account: Account, version: Version, request: Request, order: Order) -> tuple[Spent, ...]:
    ledger.capture(account, request.points, version.terms.redemption.rule, order.order_id)
    account.put_request(replace(request, status="captured", order_id=order.order_id, due_at=None))
    expiry.prolong(account, version, "use", order.order_id)
    return request.spent
