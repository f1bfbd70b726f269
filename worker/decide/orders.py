"""Facts about an order: placed, paid, rescheduled, and the pieces that others name. Shipments are in `shipments`, reversals in
`reversal`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from hashlib import blake2b
from typing import Any, Final, Literal

from msgspec.structs import replace

from contracts.events import Line as PlacedLine
from contracts.events import LineRef, LineRefs, OrderPaid, OrderPlaced, OrderRescheduled, PaymentFailed, RefundLine
from contracts.names import plain
from worker.decide import (
    contesting,
    discounts,
    early,
    earning,
    exchange,
    expiry,
    hindsight,
    maturity,
    order_update,
    parts,
    purchases,
    redemption,
    subscriptions,
    tiers,
    undoing,
)
from worker.decide.account import Account
from worker.decide.conditions import buyer_of
from worker.decide.order_records import Bonus, Content, Delivery, Earning, Order, OrderLine, Payment
from worker.decide.program import Version

_NAMED: Final = "order:"


def content_of(body: bytes) -> str:
    """A digest of what an order says, to tell a repeat of it from another order under the same id."""
    return blake2b(body, digest_size=8).hexdigest()


def placed(account: Account, data: OrderPlaced) -> None:
    """An order that does not stand yet."""
    come(account, data.order_id, data.keyed_lines(), *_said(account, data))


def _said(account: Account, data: OrderPlaced) -> tuple[Content, Payment, Delivery]:
    """What an order says of itself besides its lines."""
    event = account.event
    assert event is not None
    content = Content(
        digest=content_of(event.body),
        store=data.store,
        channel=data.channel,
        course=data.course,
        subscription_id=data.subscription_id,
        signed_in=data.signed_in,
        points_used=data.points_used,
        use_all_points=data.use_all_points,
        redemption_id=data.redemption_id,
        coupons=tuple(plain(each) for each in data.coupons),
    )
    payment = Payment(
        currency=data.currency,
        fees=data.shipping_fee + data.other_fees,
        other_fees=data.other_fees,
        discount=data.order_discount,
        method=plain(data.payment_method),
        card_brand=None if data.card_brand is None else plain(data.card_brand),
    )
    delivery = Delivery(planned_ship_date=data.planned_ship_date, planned_delivery_date=data.planned_delivery_date)
    return content, payment, delivery


def withhold(account: Account, data: OrderPlaced, why: str) -> None:
    """An order of which it is not known, or not this member's, whose it is: it has no effect, and is a finding. A use of points
    that was announced stands while nothing is decided."""
    account.note_finding(why, data.order_id)
    known = account.order(data.order_id)
    if known is not None and known.used.points:
        return
    content, payment, delivery = _said(account, data)
    order = _order(account, data.order_id, data.keyed_lines(), content, payment, delivery)
    order = replace(order, status="withheld", reason=why, earning=replace(order.earning, earns=False))
    told = account.decided.get((order.source, order.id))
    if why == contesting.CONTESTED and told is not None and told.verdict == "accepted" and told.points:
        kept = subscriptions.kept_for(account, order)
        if kept is not None:
            subscriptions.free(account, kept, order)
        order = redemption.take(account, order, told.points)
    elif known is not None:
        return
    account.put_order(order)


def come(
    account: Account,
    order_id: str,
    lines: tuple[tuple[str, PlacedLine], ...],
    content: Content,
    payment: Payment,
    delivery: Delivery,
    amendment_id: str | None = None,
) -> None:
    """An order comes: its redemption is decided, its points used are taken, and what it earns is shown if the terms say so.

    `amendment_id`: of what has it come again, after it was refused.
    """
    known = account.order(order_id)
    version = account.version
    tiers.start(account, version)
    order = _order(account, order_id, lines, content, payment, delivery)
    kept = subscriptions.kept_for(account, order)
    set_aside = subscriptions.set_aside(account, kept)
    if known is not None and known.status == "waiting":
        if order.content.asks and redemption.covered(account, order, set_aside):
            # Accepting does not wait: what the first telling still hoped for comes too late.
            account.overtaking[known.source, known.id] = (order.source, order.id)
        account.note_finding("order_twice", order_id, "while the first waits")
        return
    if order.content.asks:
        verdict = redemption.decide(account, order, set_aside, amended=amendment_id is not None)
        if verdict is None:
            account.put_order(replace(order, status="waiting"))
            account.wait()
            return
        redemption.answer(account, verdict, order_id=order_id, amendment_id=amendment_id)
        if verdict.verdict == "rejected":
            refused = replace(order.earning, earns=False)
            account.put_order(replace(order, status="rejected", reason=verdict.reason, earning=refused))
            return
        if kept is not None:
            subscriptions.free(account, kept, order)
        order = redemption.take(account, order, verdict.points)
    elif kept is not None:
        order = subscriptions.use_kept(account, kept, order)
    if exchange.rate_of(version, order) is None:
        account.note_finding("no_exchange_rate", order.order_id, order.payment.currency)
    if order.earning.earns:
        _tell_lost_bonus(account, version, order)
    order = replace(order, portions=maturity.open_portions(version, order.lines))
    expiry.prolong(account, version, "order", order.order_id)
    purchases.remember(account, order)
    tiers.ordered(account, order)
    order_update.keep(account, order)


def _order(
    account: Account,
    order_id: str,
    keyed: tuple[tuple[str, PlacedLine], ...],
    content: Content,
    payment: Payment,
    delivery: Delivery,
) -> Order:
    event, version = account.event, account.version
    assert event is not None
    lines = discounts.spread_over(version, [line_of(version, key, line) for key, line in keyed], payment.discount)
    order = Order(
        order_id=order_id,
        source=event.source,
        id=event.id,
        placed_at=event.time,
        terms=version.id,
        lines=lines,
        content=content,
        payment=payment,
        earning=Earning(
            earns=_earns(account, content),
            buyer=buyer_of(account, account.head.orders + 1),
            bonus=bonuses(version, keyed),
            held=version.terms.maturity.release == "manual",
        ),
        delivery=delivery,
    )
    return replace(order, earning=replace(order.earning, tier=tiers.current(account, order)))


def line_of(version: Version, key: str, line: PlacedLine) -> OrderLine:
    """A line as the account keeps it, with whether it may earn at all (BEL-05, ANS-27, SCO-08, LEN-09)."""
    excluded = version.excluded
    return OrderLine(
        line_id=key,
        sku=line.sku,
        quantity=line.quantity,
        goods=line.goods,
        tax=line.tax,
        unshipped=line.quantity,
        category=line.category,
        tags=line.tags,
        measures=dict(line.measures or {}),
        point_rate=None if line.point_rate is None else str(line.point_rate),
        earns=line.category not in excluded.categories and line.sku not in excluded.skus and excluded.tags.isdisjoint(line.tags),
    )


def bonuses(version: Version, lines: Iterable[tuple[str, PlacedLine]]) -> tuple[Bonus, ...]:
    """The bonus points that lines bring, where the program grants them."""
    rules = version.terms.earning
    if rules.bonus_points == "ignored":
        return ()
    return tuple(
        Bonus(line_id=key, points=bonus.points, kind=bonus.kind or rules.bonus_kind, expires_on=bonus.expires_on)
        for key, line in lines
        for bonus in line.bonus_points
    )


def _tell_lost_bonus(account: Account, version: Version, order: Order) -> None:
    """Bonus points of lines that bring none are not lost without a word (BEL-05)."""
    brought = {bonus.line_id for bonus in order.earning.bonus}
    for line in order.lines if brought else ():
        if line.line_id in brought and not earning.brings_bonus(version, line):
            account.note_finding("bonus_not_granted", order.order_id, line.line_id)


def _earns(account: Account, content: Content) -> bool:
    """Whether the order takes part: a member's, in an eligible store and channel, after the start (LEN-06, LEN-19, PUP-01)."""
    rules = account.version.terms.membership
    started = rules.starts_at is None or rules.start_judged_at == "payment" or account.at >= rules.starts_at
    return (
        redemption.is_member(account)
        and rules.stores.earns(content.store)
        and (not rules.earning_channels or content.channel in rules.earning_channels)
        and (content.signed_in or not rules.signed_in)
        and started
    )


def name_of(order_id: str) -> str:
    """What facts told before an order are kept under."""
    return f"{_NAMED}{order_id}"


def of_name(thing: str) -> str | None:
    """The order of which facts told before it are kept under a name; None: it is the name of something else."""
    return thing.removeprefix(_NAMED) if thing.startswith(_NAMED) else None


def live(account: Account, order_id: str) -> Order | None:
    """The order that a fact is about, if anything can happen to it; where it does not stand (yet), the fact is kept for it."""
    order = parts.found(account, order_id)
    if order is None or order.status in ("rejected", "withheld"):
        why = "unknown_order" if order is None else "order_rejected" if order.status == "rejected" else order.reason
        early.keep(account, name_of(order_id), why or "order_rejected", order_id)
        return None
    return order if order.status == "open" else None


def paid(account: Account, data: OrderPaid) -> None:
    """The payment of an order; a second one changes nothing and is a finding."""
    order = live(account, data.order_id)
    if order is None:
        return
    name = parts.own(order, data.order_id, hindsight.PAYMENT)
    if not undoing.counts(account, order, name, hindsight.payment(data.order_id)):
        return
    meant = parts.scope(order, data.order_id).parts
    if order.payment.paid_at is not None or (meant and all(each.paid for each in meant)):
        account.note_finding("paid_twice", data.order_id)
    elif meant:
        # The order is paid when all of it is: see `splitting.follow`.
        for each in meant:
            order = parts.with_part(order, replace(each, paid=True))
        account.put_order(order)
    else:
        order_update.keep(account, pay(account, order))


def pay(account: Account, order: Order) -> Order:
    """The order, paid now."""
    rules = account.program.named(order.terms).terms.membership
    late_start = rules.start_judged_at == "payment" and rules.starts_at is not None and account.at < rules.starts_at
    if late_start:
        order = replace(order, earning=replace(order.earning, earns=False))
    return replace(order, payment=replace(order.payment, paid_at=account.at))


def payment_failed(account: Account, data: PaymentFailed) -> None:
    """What was told as the payment did not come: the order waits for it as if it had not been told."""
    order = live(account, data.order_id)
    if order is not None:
        # An attempt that failed before the one that came undoes nothing.
        thing = hindsight.payment(data.order_id)
        name = parts.own(order, data.order_id, hindsight.PAYMENT)
        undoing.undo(account, order, name, thing, "nothing_paid", "", ahead=False)


def rescheduled(account: Account, data: OrderRescheduled) -> None:
    """New planned dates."""
    order = live(account, data.order_id)
    if order is not None:
        delivery = replace(
            order.delivery,
            planned_ship_date=data.planned_ship_date or order.delivery.planned_ship_date,
            planned_delivery_date=data.planned_delivery_date or order.delivery.planned_delivery_date,
        )
        order_update.keep(account, replace(order, delivery=delivery))


def content_of_lines(lines: LineRefs | tuple[PlacedLine, ...]) -> str:
    """A digest of what a fact says of lines."""
    said = lines if isinstance(lines, str) else "".join(each.model_dump_json(exclude_defaults=True) for each in lines)
    return content_of(said.encode())


def told_before(account: Account, order: Order, name: str, content: str, finding: str) -> bool:
    """Whether something of an order was told under its own id already, which is a finding: it counts as it was told first."""
    known = order.told.get(name)
    if known is not None:
        account.note_finding(finding, order.order_id, f"{name}, {'same' if known == content else 'other'} lines")
    return known is not None


def is_named(ref: LineRef | RefundLine, line: OrderLine) -> bool:
    """Whether a reference may mean a line."""
    if ref.exchange_id is not None and line.exchange_id != ref.exchange_id:
        return False
    if ref.line_id is None:
        return line.sku == ref.sku
    return line.line_id == ref.line_id or (ref.exchange_id is not None and line.sent_as == ref.line_id)


def meant(order: Order, order_id: str, lines: Literal["all"] | Sequence[LineRef | RefundLine]) -> Order:
    """The order as far as lines under an id may be of it: of one that was split, the part that has the id, or, where lines are
    named that it has not, all into which the id was split."""
    scoped = parts.scope(order, order_id)
    if lines == "all" or not order.parts:
        return scoped
    named = [any(is_named(ref, line) for line in scoped.lines) for ref in lines]
    return scoped if all(named) else parts.scope(order, order_id, whole=True)


def _choice(lines: list[OrderLine], wanted: int, left: Mapping[str, int], preferred: Mapping[str, int]) -> bool:
    """Whether pieces may be of one line or of another that is worth something else."""
    for limits in (preferred, left):
        room = [line for line in lines if min(left[line.line_id], limits.get(line.line_id, 0))]
        covered = sum(min(left[line.line_id], limits.get(line.line_id, 0)) for line in room)
        if wanted < covered:
            return len({_worth(line) for line in room}) > 1
        wanted -= covered
        if not wanted:
            return False
    return False


def _worth(line: OrderLine) -> tuple[object, ...]:
    """What makes a piece of a line worth something else than a piece of another line of its product."""
    a_piece = Fraction(line.goods, line.quantity), Fraction(line.tax, line.quantity), Fraction(line.used, line.quantity)
    return *a_piece, line.category, line.tags, line.point_rate, line.earns, line.replacement


def named_pieces(
    account: Account,
    order: Order,
    refs: tuple[LineRef, ...],
    room: Mapping[str, int],
    first: Mapping[str, int] | None = None,
    by_sku: Callable[[OrderLine], Any] | None = None,
) -> dict[str, int]:
    """The pieces that references name, within what is left of each line; what does not fit is a finding.

    `first`: pieces that are meant before others of the room, whatever their line (of a return those that have left, of a cancel
    those that have not). `by_sku`: which of several lines of one sku goes first; in line order without it.
    """
    left, preferred = dict(room), dict(first or {})
    pieces: dict[str, int] = {}
    for ref in refs:
        lines = [line for line in order.lines if is_named(ref, line)]
        if not lines:
            account.note_finding("unknown_line", order.order_id, ref.line_id or ref.sku or "")
            continue
        if any(parts.is_shared(order, line.line_id) for line in lines):
            account.note_finding("line_of_several_parts", order.order_id, ref.line_id or ref.sku or "")
            continue
        wanted = ref.quantity
        if ref.line_id is None and by_sku is not None:
            lines.sort(key=by_sku)
            if _choice(lines, wanted, left, preferred):
                account.note_finding("line_chosen", order.order_id, ref.sku or "")
        for line, limits in [*((line, preferred) for line in lines), *((line, left) for line in lines)]:
            key = line.line_id
            n = min(wanted, left[key], limits.get(key, 0))
            if n:
                left[key] -= n
                preferred[key] = max(preferred.get(key, 0) - n, 0)
                pieces[key] = pieces.get(key, 0) + n
                wanted -= n
        if wanted:
            account.note_finding("more_than_left", order.order_id, f"{ref.line_id or ref.sku} {wanted}")
    return pieces
