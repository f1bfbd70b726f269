"""An order that goes on as two or more: which pieces are of which part, and what becomes of facts that name one.

A part is no order of its own to the terms: it is not another purchase, and what counts for the order as a whole (a minimum, its
rounding, the shipment of all of it) goes by what was ordered. See `parts`.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from contracts.events import OrderSplit, SplitPart
from worker.decide import contesting, order_update, orders, parts
from worker.decide.account import Account
from worker.decide.amounts import part, spread
from worker.decide.order_records import Order, OrderLine
from worker.decide.part_records import Part, Pieces


def split(account: Account, data: OrderSplit) -> None:
    """An order, or a part of one, goes on under several ids. Told twice, or refused as a whole, it is a finding."""
    order = orders.live(account, data.order_id)
    if order is None:
        return
    name, content = parts.own(order, data.order_id, "split"), orders.content_of(data.model_dump_json(include={"into"}).encode())
    if order.told.get(name) == content:
        account.note_finding("split_twice", data.order_id)
        return
    scoped = parts.scope(order, data.order_id)
    if order.parts and len(scoped.parts) != 1:
        account.note_finding("split_before", data.order_id)
        return
    account.need(items=[("order", each.order_id) for each in data.into])
    taken = [each.order_id for each in data.into if each.order_id != data.order_id and account.order(each.order_id) is not None]
    if taken:
        account.note_finding("split_id_taken", data.order_id, taken[0])
        return
    shared = _shared_out(account, scoped, data.into)
    if shared is None:
        account.note_finding("split_does_not_add_up", data.order_id)
        return
    was = scoped.parts[0] if order.parts else _whole(order)
    into = _parts(scoped, was, data, shared)
    others = order.parts or (was,)
    at = next(place for place, each in enumerate(others) if each.order_id == was.order_id)
    _name(account, order, [each for each in into if each.order_id != data.order_id])
    after = replace(order, parts=(*others[:at], *into, *others[at + 1 :]), told={**order.told, name: content})
    account.put_order(after)


def _whole(order: Order) -> Part:
    """The order as its only part."""
    pieces = {line.line_id: _pieces_of(line) for line in order.lines}
    payment = order.payment
    return Part(order.order_id, (), pieces, payment.fees, payment.other_fees, payment.discount)


def _pieces_of(line: OrderLine) -> Pieces:
    return Pieces(
        line.quantity, line.unshipped, line.cancelled, line.refused, line.returned, line.delivered, line.awaiting
    )


def _name(account: Account, order: Order, into: Sequence[Part]) -> None:
    """Keep under the id of each part that it is one."""
    event = account.event
    assert event is not None
    for each in into:
        why = contesting.withheld(account, each.order_id)
        account.put_order(
            Order(
                order_id=each.order_id,
                source=event.source,
                id=event.id,
                placed_at=account.at,
                terms=order.terms,
                lines=(),
                status="part" if why is None else "withheld",
                reason=why,
                part_of=order.order_id,
            )
        )
        if why is not None:
            account.note_finding(why, each.order_id)


def stand(account: Account, data: OrderSplit) -> list[str]:
    """The ids of parts that stand now."""
    known = [(each.order_id, account.order(each.order_id)) for each in data.into]
    return [order_id for order_id, order in known if order is not None and order.status == "part"]


# -- which pieces are of which part


def _shared_out(account: Account, order: Order, into: Sequence[SplitPart]) -> list[dict[str, int]] | None:
    """How many pieces of each line go with each part; None: they do not come to what was ordered, nor to what is left of it."""
    found: list[dict[str, int]] = []
    left = {line.line_id: line.quantity for line in order.lines}
    for each in into:
        pieces: dict[str, int] = {}
        for ref in each.lines:
            wanted = ref.quantity
            for line in order.lines:
                n = min(wanted, left[line.line_id]) if orders.is_named(ref, line) else 0
                if n:
                    pieces[line.line_id] = pieces.get(line.line_id, 0) + n
                    left[line.line_id] -= n
                    wanted -= n
            if wanted:
                return None
        found.append(pieces)
    for line in order.lines:
        beside = line.replacement and left[line.line_id] == line.quantity
        if left[line.line_id] not in (0, line.quantity - line.kept) and not beside:
            return None
    return found


def _parts(order: Order, was: Part, data: OrderSplit, shared: Sequence[dict[str, int]]) -> list[Part]:
    """The parts, each with its pieces. What has left goes with the earlier ones, and what is told of no part with the first."""
    chain = (*was.under, data.order_id)
    pieces: list[dict[str, Pieces]] = [{} for _ in shared]
    for line in order.lines:
        wanted = [each.get(line.line_id, 0) for each in shared]
        for place, of_line in enumerate(_dealt(line, wanted)):
            if of_line.quantity:
                pieces[place][line.line_id] = of_line
    goods = [sum([part(line.goods, each.get(line.line_id, 0), line.quantity) for line in order.lines]) for each in shared]
    discounts = spread(was.discount, goods if any(goods) else [1] * len(goods))
    return [
        Part(
            order_id=each.order_id,
            under=chain,
            pieces=pieces[place],
            fees=was.fees if place == 0 else 0,
            other_fees=was.other_fees if place == 0 else 0,
            discount=discounts[place],
            paid=was.paid,
        )
        for place, each in enumerate(data.into)
    ]


def _dealt(line: OrderLine, wanted: Sequence[int]) -> list[Pieces]:
    """The pieces of a line, dealt to the parts. Those of which nothing was told go with the first that has any of the line."""
    rest, beside = _pieces_of(line), Pieces()
    if sum(wanted) == line.kept < line.quantity:
        gone = line.quantity - line.kept
        beside = Pieces(gone, 0, line.cancelled, line.refused, line.returned, 0, line.awaiting)
        rest = Pieces(line.kept, line.unshipped, delivered=line.delivered)
    elif sum(wanted) < line.quantity:
        rest, beside = beside, rest
    dealt: list[Pieces] = []
    for n in wanted:
        dealt.append(_first(rest, n))
        rest = _plus(rest, dealt[-1], -1)
    first = next((place for place, n in enumerate(wanted) if n), 0)
    dealt[first] = _plus(dealt[first], beside, 1)
    return dealt


def _first(of: Pieces, n: int) -> Pieces:
    """So many of some pieces: those that have left and come back before those that have left, and what was cancelled last."""
    returned = min(of.returned, n)
    shipped = min(of.shipped, n - returned)
    unshipped = min(of.unshipped, n - returned - shipped)
    cancelled = min(of.cancelled, n - returned - shipped - unshipped)
    return Pieces(
        quantity=returned + shipped + unshipped + cancelled,
        unshipped=unshipped,
        cancelled=cancelled,
        refused=min(of.refused, cancelled),
        returned=returned,
        delivered=min(of.delivered, shipped),
        awaiting=min(of.awaiting, returned),
    )


def _plus(one: Pieces, other: Pieces, sign: int) -> Pieces:
    return Pieces(
        one.quantity + sign * other.quantity,
        one.unshipped + sign * other.unshipped,
        one.cancelled + sign * other.cancelled,
        one.refused + sign * other.refused,
        one.returned + sign * other.returned,
        one.delivered + sign * other.delivered,
        one.awaiting + sign * other.awaiting,
    )


# -- after a fact


def before(account: Account, order_id: str | None) -> Order | None:
    """The order that a fact is about, if it was split."""
    named = account.order_at_hand(order_id) if order_id is not None else None
    if named is not None and named.part_of is not None:
        named = account.order_at_hand(named.part_of)
    return named if named is not None and named.parts else None


def follow(account: Account, was: Order, order_id: str) -> None:
    """Note what a fact that named an id did to the pieces of an order's parts. An order is paid once all parts are of which
    something is kept."""
    order = account.order(was.order_id)
    if order is None or not order.parts or order.status != "open":
        return
    if order.lines != was.lines:
        order = parts.follow(was, order, order_id)
        account.put_order(order)
    if order.payment.paid_at is None and any(each.paid for each in order.parts) and all(map(_is_settled, order.parts)):
        order_update.keep(account, orders.pay(account, order))


def _is_settled(each: Part) -> bool:
    return each.paid or not any(pieces.kept for pieces in each.pieces.values())
