"""Cancels, returns and exchanges: pieces leave the order, used points come back or are lost, earned points are taken back.

Both follow from the order as it then stands: points still attached to kept goods, points that kept goods earn. So many partial
returns end where one full return ends.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from itertools import count
from typing import Final, Literal

from msgspec.structs import replace

from contracts.events import (
    ExchangeReceived,
    ExchangeRequested,
    ExchangeShipped,
    ExchangeWithdrawn,
    LineRef,
    OrderCancelled,
    ReturnReceived,
    ReturnRequested,
    ReturnWithdrawn,
)
from contracts.events import Line as PlacedLine
from contracts.names import plain
from contracts.terms import UsedPoints
from worker.decide import exchange, hindsight, ledger, maturity, order_update, orders, parts, purchases, undoing
from worker.decide.account import Account
from worker.decide.amounts import part
from worker.decide.order_records import HandBack, Order, OrderLine, Spent
from worker.decide.program import Version
from worker.decide.state import cause_of
from worker.decide.trace import Detached, Reversing

Kind = Literal["cancel", "return", "exchange"]
Lines = Literal["all"] | tuple[LineRef, ...]


def cancelled(account: Account, data: OrderCancelled) -> None:
    """Lines are cancelled, sent or not."""
    _reverse(account, data.order_id, data.lines, "cancel", data.reason)


def return_requested(account: Account, data: ReturnRequested) -> None:
    """A return is announced; it counts now only where the terms say so (BEL-Q7)."""
    if _counts(account, data, "return", "requested", data.return_id):
        _requested(account, data.order_id, data.lines, "return", data.reason)


def return_received(account: Account, data: ReturnReceived) -> None:
    """Returned goods arrived."""
    if _counts(account, data, "return", "received", data.return_id):
        _received(account, data.order_id, data.lines, "return", data.reason)


def return_withdrawn(account: Account, data: ReturnWithdrawn) -> None:
    """A return is as if it had not been; one that is told under its id afterwards is a new one."""
    order = orders.live(account, data.order_id)
    if order is not None:
        return_id = parts.own(order, data.order_id, data.return_id)
        name, thing = hindsight.undone("return", return_id), hindsight.of_return(data.order_id, data.return_id)
        undoing.undo(account, order, name, thing, "withdrawn_without_return", data.return_id)


def exchange_requested(account: Account, data: ExchangeRequested) -> None:
    """An exchange is announced."""
    if _counts(account, data, "exchange", "requested", data.exchange_id):
        _requested(account, data.order_id, data.lines, "exchange", None)


def exchange_received(account: Account, data: ExchangeReceived) -> None:
    """The goods to be exchanged arrived: they are treated as returned (BEL-10, BEL-14)."""
    if _counts(account, data, "exchange", "received", data.exchange_id):
        _received(account, data.order_id, data.lines, "exchange", None)


def exchange_withdrawn(account: Account, data: ExchangeWithdrawn) -> None:
    """An exchange is as if it had not been, unless its replacement left before."""
    order = orders.live(account, data.order_id)
    if order is None:
        return
    if _replaced(order, data.order_id, data.exchange_id):
        account.note_finding("withdrawn_after_replacement", data.order_id, data.exchange_id)
        return
    name = hindsight.undone("exchange", parts.own(order, data.order_id, data.exchange_id))
    thing = hindsight.of_exchange(data.order_id, data.exchange_id)
    undoing.undo(account, order, name, thing, "withdrawn_without_exchange", data.exchange_id)


def _replaced(order: Order, order_id: str, exchange_id: str) -> bool:
    return any(line.exchange_id == exchange_id for line in parts.scope(order, order_id).lines)


def _counts(
    account: Account,
    data: ReturnRequested | ReturnReceived | ExchangeRequested | ExchangeReceived,
    kind: Literal["return", "exchange"],
    how: Literal["requested", "received"],
    id_: str | None,
) -> bool:
    """Whether a return or an exchange counts: its order stands, it is not undone, and it was not told under its id before.

    The goods of one exchange may arrive apart.
    """
    order = orders.live(account, data.order_id)
    if order is None:
        return False
    if id_ is None:
        return True
    thing = hindsight.of_return(data.order_id, id_) if kind == "return" else hindsight.of_exchange(data.order_id, id_)
    replaced, own = _replaced(order, data.order_id, id_), parts.own(order, data.order_id, id_)
    if not replaced and not undoing.counts(account, order, hindsight.undone(kind, own), thing):
        return False
    name, content = hindsight.counted(kind, how, own), orders.content_of_lines(data.lines)
    if kind == "return" and orders.told_before(account, order, name, content, "return_twice"):
        return False
    account.put_order(replace(order, told={**order.told, name: content}))
    return True


def exchange_shipped(account: Account, data: ExchangeShipped) -> None:
    """A replacement left: it earns as goods of its own, shipped now; it is not paid with points (BEL-10)."""
    order = orders.live(account, data.order_id)
    if order is None:
        return
    version = account.program.named(order.terms)
    content = orders.content_of_lines(data.lines)
    own = parts.own(order, data.order_id, data.exchange_id)
    of_exchange = f"replaced:{cause_of(own, '')}"
    parcel = f"{of_exchange}{content if data.shipment_id is None else f'#{data.shipment_id}'}"
    if parcel in order.told:
        account.note_finding("exchange_twice", data.order_id, data.exchange_id)
        return
    earlier = sum(name.startswith(of_exchange) for name in order.told)
    named = _named_apart(order, data)
    lines = tuple(
        replace(orders.line_of(version, key, line), unshipped=0, exchange_id=data.exchange_id, sent_as=line.line_id)
        for key, line in named
    )
    pieces = {line.line_id: line.quantity for line in lines}
    suffix = f"@{own}#{earlier + 1}" if earlier else f"@{own}"
    order = replace(
        order,
        lines=(*order.lines, *lines),
        portions=(*order.portions, *maturity.open_portions(version, lines, suffix)),
        earning=replace(order.earning, bonus=(*order.earning.bonus, *orders.bonuses(version, named))),
        delivery=replace(order.delivery, shipped_at=account.at),
        told={**order.told, parcel: content},
    )
    order_update.keep(account, maturity.part_off(account, order, "shipment", pieces))


def _named_apart(order: Order, data: ExchangeShipped) -> list[tuple[str, PlacedLine]]:
    """The lines of a replacement under names of their own: what the shop calls them, and what it does not name, or calls as
    another line, by the exchange and a number."""
    taken = {line.line_id for line in order.lines}
    named: list[tuple[str, PlacedLine]] = []
    for place, line in data.keyed_lines():
        name = place
        if line.line_id is None or name in taken:
            name = f"{data.exchange_id}:{place}"
            for number in count(1):
                if name not in taken:
                    break
                name = f"{data.exchange_id}:{number}" if line.line_id is None else f"{data.exchange_id}:{place}:{number}"
        taken.add(name)
        named.append((name, line))
    return named


def _requested(account: Account, order_id: str, lines: Lines, kind: Kind, reason: str | None) -> None:
    order = orders.live(account, order_id)
    if order is None or account.program.named(order.terms).terms.reversal.at != "requested":
        return
    _reverse(account, order_id, lines, kind, reason, awaiting=True)


def _received(account: Account, order_id: str, lines: Lines, kind: Kind, reason: str | None) -> None:
    """Goods arrived. Pieces that counted from the request on are only ticked off; the others count now."""
    order = orders.live(account, order_id)
    if order is None:
        return
    scoped = orders.meant(order, order_id, lines)
    if not any(line.awaiting for line in scoped.lines):
        _reverse(account, order_id, lines, kind, reason)
        return
    room = {line.line_id: line.awaiting + line.kept for line in scoped.lines}
    if lines == "all":
        pieces = room
    else:
        first = {line.line_id: line.awaiting for line in scoped.lines}
        pieces = orders.named_pieces(account, scoped, lines, room, first, _given_up(account, order))
    ticked = {line.line_id: min(line.awaiting, pieces.get(line.line_id, 0)) for line in scoped.lines}
    left = tuple(replace(line, awaiting=line.awaiting - ticked.get(line.line_id, 0)) for line in order.lines)
    order = replace(order, lines=left)
    rest = {key: n - ticked[key] for key, n in pieces.items() if n > ticked[key]}
    if rest:
        _take_out(account, order, rest, kind, reason)
    else:
        account.put_order(order)


def _reverse(account: Account, order_id: str, lines: Lines, kind: Kind, reason: str | None, *, awaiting: bool = False) -> None:
    order = orders.live(account, order_id)
    if order is None:
        return
    scoped = orders.meant(order, order_id, lines)
    room = {line.line_id: line.kept for line in scoped.lines}
    if lines == "all":
        pieces = {key: n for key, n in room.items() if n}
        if not pieces:
            account.note_finding("nothing_left", order_id)
    else:
        first = {line.line_id: line.unshipped if kind == "cancel" else line.shipped for line in scoped.lines}
        pieces = orders.named_pieces(account, scoped, lines, room, first, _given_up(account, order))
    if pieces:
        _take_out(account, order, pieces, kind, reason, awaiting=awaiting)


def _given_up(account: Account, order: Order) -> Callable[[OrderLine], tuple[object, ...]]:
    """Which of several lines of one product is given up first, as the terms of the order say."""
    return _GIVEN_UP[account.program.named(order.terms).terms.reversal.line_by_sku]


def _for_the_member(line: OrderLine) -> tuple[object, ...]:
    return not line.replacement, line.earns, Fraction(line.goods, line.quantity)


def _for_the_shop(line: OrderLine) -> tuple[object, ...]:
    return line.replacement, not line.earns, -Fraction(line.goods, line.quantity)


def _first(line: OrderLine) -> tuple[object, ...]:
    return ()


_GIVEN_UP: Final = {"for_the_member": _for_the_member, "for_the_shop": _for_the_shop, "first": _first}


def _take_out(
    account: Account, order: Order, pieces: dict[str, int], kind: Kind, reason: str | None, *, awaiting: bool = False
) -> None:
    """Take pieces out of the order, then give used points back and settle what it earns."""
    version = account.program.named(order.terms)
    lines = tuple(_without(line, pieces.get(line.line_id, 0), kind, awaiting=awaiting) for line in order.lines)
    portions = order.portions
    for key, n in pieces.items():
        portions = maturity.remove(portions, key, n, open_first=kind == "cancel")
    before, order = order, replace(order, lines=lines, portions=portions)
    if kind == "cancel":
        purchases.forget(account, before, order)
    order = _used_points(account, version, order, kind, reason)
    if account.trace is not None:
        account.trace.working = None
    order_update.keep(account, order)


def _without(line: OrderLine, n: int, kind: Kind, *, awaiting: bool) -> OrderLine:
    """A line with n pieces fewer: a cancel takes unshipped ones first, a return shipped ones."""
    if not n:
        return line
    from_unshipped = min(n, line.unshipped) if kind == "cancel" else max(n - line.shipped, 0)
    line = replace(
        line,
        unshipped=line.unshipped - from_unshipped,
        cancelled=line.cancelled + (n if kind == "cancel" else 0),
        refused=line.refused + (n - from_unshipped if kind == "cancel" else 0),
        returned=line.returned + (0 if kind == "cancel" else n),
        awaiting=line.awaiting + (n if awaiting else 0),
    )
    return replace(line, delivered=min(line.delivered, line.shipped))


# -- used points


def detached(version: Version, order: Order) -> int:
    """Used points that no longer sit on kept goods; all of them once nothing is kept of what was ordered (COM-Q4)."""
    lines = [line for line in order.lines if not line.replacement]
    if all(line.kept == 0 for line in lines):
        return order.used.points
    removed = [(line, line.quantity - line.gone - line.kept) for line in lines]
    how = version.terms.reversal.split.order
    if how == "pro_rata":
        return order.used.detached + sum(line.detached for line in lines)
    value = sum(part(line.goods, n, line.quantity) + part(line.tax, n, line.quantity) for line, n in removed)
    # Fees stay paid while anything is kept, in money and in points: what comes back is of the goods.
    on_goods = order.used.points - order.used.detached - order.used.on_fees
    if how == "cash_first":
        cash = sum(line.goods + line.tax for line in lines) - exchange.worth(version, order, on_goods)
        value = max(value - cash, 0)
    return order.used.detached + min(on_goods, exchange.points_for(version, order, value))


def _rule(version: Version, kind: Kind, reason: str | None) -> UsedPoints:
    reason = None if reason is None else plain(reason)
    for row in version.terms.reversal.used_points:
        if kind in row.on and (not row.reasons or reason in row.reasons):
            return row
    return version.terms.reversal.used_points[-1]


def _used_points(account: Account, version: Version, order: Order, kind: Kind, reason: str | None) -> Order:
    """What comes off the goods goes back (now or after some days), or is lost (LEN-08, ANS-25, PUP-24, SCO-14, BEL-13)."""
    if not order.used.points:
        return order
    points = detached(version, order) - (order.used.points - order.used.standing)
    if points <= 0:
        return order
    rule = _rule(version, kind, reason)
    if account.trace is not None:
        account.trace.working = working = _working(account, version, order, kind, reason, points, rule)
        if working.later and account.moment is not None:
            account.trace.later[order.order_id, working.at] = account.moment, working
    if order.used.reserved:
        gone = min(points, order.used.reserved)
        order = _return(account, version, order, gone, "held", rule.rule, cancel=kind == "cancel")
        order = replace(order, used=replace(order.used, reserved=order.used.reserved - gone))
        points -= gone
    if not points:
        return order
    if rule.outcome == "forfeited":
        ledger.forfeit(account, points, rule.rule, order.order_id)
        used, off = order.used, order.used.called_off
        off = replace(off, forfeited=off.forfeited + points) if kind == "cancel" else off
        used = replace(used, forfeited=used.forfeited + points, spent=_used_up(used.spent, points), called_off=off)
        return replace(order, used=used)
    at = version.days.days_after(account.at, rule.days)
    if at > account.at:
        later = HandBack(at=at, points=points, rule=rule.rule, cancel=kind == "cancel")
        return replace(order, used=replace(order.used, due_back=(*order.used.due_back, later)))
    return _return(account, version, order, points, "spent", rule.rule, cancel=kind == "cancel")


def _working(
    account: Account, version: Version, order: Order, kind: Kind, reason: str | None, points: int, rule: UsedPoints
) -> Reversing:
    """What a reversal of used points is explained by."""
    at = version.days.days_after(account.at, rule.days)
    lines = [line for line in order.lines if not line.replacement and line.used and line.kept < line.quantity]
    return Reversing(
        order_id=order.order_id,
        kind=kind,
        reason=reason,
        how=version.terms.reversal.split.order,
        lines=tuple(
            Detached(each.line_id, each.sku, each.quantity, each.quantity - each.kept, each.used, each.detached) for each in lines
        ),
        detached=detached(version, order),
        done=order.used.points - order.used.standing,
        later=max(points - order.used.reserved, 0) if rule.outcome == "back" and at > account.at else 0,
        at=at,
    )


def _used_up(spent: tuple[Spent, ...], points: int) -> tuple[Spent, ...]:
    """Mark points of lots as no longer to be given back, in the order in which they were spent."""
    left, marked = points, []
    for each in spent:
        n = min(left, each.points - each.back)
        marked.append(replace(each, back=each.back + n))
        left -= n
    return tuple(marked)


def _return(
    account: Account, version: Version, order: Order, points: int, source: Literal["spent", "held"], rule: str, *, cancel: bool
) -> Order:
    """Used points go back to the lots they came from, in the order in which they were spent."""
    lapsed = account.head.lapsed
    used = order.used
    spent = _used_up(used.spent, points)
    shares = [(each, marked.back - each.back) for each, marked in zip(used.spent, spent, strict=True) if marked.back > each.back]
    ledger.need_lots(account, version, [each for each, _ in shares], "hand_back")
    for each, n in shares:
        ledger.give_back(account, version, each, n, source, "hand_back", rule, order.order_id)
    left = points - sum(n for _, n in shares)
    if left:
        ledger.give_back_unnamed(account, version, left, source, rule, order.order_id)
    lapsed = account.head.lapsed - lapsed
    if cancel and lapsed:
        used = replace(used, called_off=replace(used.called_off, lapsed=used.called_off.lapsed + lapsed))
    return replace(order, used=replace(used, spent=spent, back=used.back + points))


def return_due(account: Account, order: Order, at: datetime) -> Order:
    """The clock's part: used points whose days have passed come back."""
    version = account.program.named(order.terms)
    due = [each for each in order.used.due_back if each.at <= at]
    if due:
        order = replace(order, used=replace(order.used, due_back=tuple(each for each in order.used.due_back if each.at > at)))
    for each in due:
        order = _return(account, version, order, each.points, "spent", each.rule, cancel=each.cancel)
    return order
