"""An order that is changed after it was placed: its lines, its fees, the points used on it.

It keeps its date, its terms and the tier of its day, and the difference is posted. What has left cannot be amended away: of a
line stays what is told or what has left, whichever is more, so the ledger is the same whenever a shipment comes to be known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, count
from typing import NamedTuple

from msgspec.structs import replace

from contracts.events import Line as PlacedLine
from contracts.events import OrderAmended
from worker.decide import discounts, maturity, order_update, orders, parts, purchases, redeemable, redemption, tiers
from worker.decide.account import Account
from worker.decide.amounts import divide, part
from worker.decide.order_records import Bonus, Content, Order, OrderLine, Payment, Portion
from worker.decide.program import Version


class _Restated(NamedTuple):
    """A line as it is told now, under its key; `was`: as it stood, None: it is new."""

    key: str
    told: PlacedLine
    was: OrderLine | None


def amended(account: Account, data: OrderAmended) -> None:
    """An order as it stands from now on. A redemption that grows is decided like one, and refused, nothing is amended; an order
    that was refused comes again as it is amended."""
    order = parts.found(account, data.order_id)
    refused = order is not None and order.status == "rejected"
    order = order if refused else orders.live(account, data.order_id)
    if order is None:
        return
    said = data.model_dump_json(exclude={"order_id", "reason"}, exclude_defaults=True)
    name = f"amendment:{parts.own(order, data.order_id, data.amendment_id)}"
    content = orders.content_of(said.encode())
    if refused:
        _come_again(account, order, data, name, content)
        return
    if orders.told_before(account, order, name, content, "amendment_twice"):
        return
    scoped = parts.scope(order, data.order_id)
    restated = _matched(order, scoped, data)
    if restated is None:
        account.note_finding("line_of_several_parts", data.order_id, data.amendment_id)
        return
    now = _now(account, order, scoped, data, restated)
    after = _with_points(account, order, _restated(account, order, scoped, now, data, restated), data)
    if after is None:
        return
    _note_shipped(account, data.order_id, now, restated)
    purchases.forget(account, order, after)
    purchases.remember_again(account, order, after)
    if any(line.kept for line in after.lines) and not any(line.kept for line in order.lines):
        tiers.ordered(account, after, again=True)
    order_update.keep(account, replace(after, told={**after.told, name: content}))


def _come_again(account: Account, order: Order, data: OrderAmended, name: str, content: str) -> None:
    """An order that was refused is as sent again with what was amended."""
    orders.come(
        account,
        data.order_id,
        data.keyed_lines(),
        _content_of(order, data),
        _payment_of(order, order, data),
        order.delivery,
        data.amendment_id,
    )
    come = account.order(data.order_id)
    assert come is not None
    account.put_order(replace(come, told={name: content}))


def _content_of(order: Order, data: OrderAmended) -> Content:
    if data.points_used is None:
        return order.content
    # Who uses no points any more does not use those of a reservation either.
    reserved = order.content.redemption_id if data.points_used else None
    return replace(order.content, points_used=data.points_used, use_all_points=False, redemption_id=reserved)


def _payment_of(order: Order, scoped: Order, data: OrderAmended) -> Payment:
    """What the order costs besides its lines, with what was told of it or of a part."""
    payment, own = order.payment, parts.costs_of(scoped)
    now = _costs_of(own, data)
    fees, other = payment.fees - own.fees + now.fees, payment.other_fees - own.other_fees + now.other_fees
    discount = payment.discount - own.discount + now.discount
    return replace(payment, fees=fees, other_fees=other, fees_back=min(payment.fees_back, fees), discount=discount)


def _costs_of(own: parts.Costs, data: OrderAmended) -> parts.Costs:
    """What an order, or a part, costs besides its lines, as it is told."""
    other = own.other_fees if data.other_fees is None else data.other_fees
    shipping = own.fees - own.other_fees if data.shipping_fee is None else data.shipping_fee
    return parts.Costs(shipping + other, other, own.discount if data.order_discount is None else data.order_discount)


# -- goods


def _now(
    account: Account, order: Order, scoped: Order, data: OrderAmended, restated: Sequence[_Restated]
) -> dict[str, OrderLine]:
    """The lines of which is told as they are told, and what is left of the others, by their keys: of a part, its pieces."""
    version = account.program.named(order.terms)
    discount = _costs_of(parts.costs_of(scoped), data).discount
    at_price = [orders.line_of(version, each.key, each.told) for each in restated]
    if discount > sum(line.goods for line in at_price):
        account.note_finding("discount_above_goods", data.order_id, str(discount))
    paid = discounts.spread_over(version, at_price, discount)
    now = {each.key: _line(line, each) for line, each in zip(paid, restated, strict=True)}
    for was in scoped.lines:
        if was.line_id not in now:
            # What was sent in exchange is not part of what was ordered, unless it is named.
            now[was.line_id] = was if was.replacement else _left_of(was)
    return now


def _restated(
    account: Account,
    order: Order,
    scoped: Order,
    now: Mapping[str, OrderLine],
    data: OrderAmended,
    restated: Sequence[_Restated],
) -> Order:
    """The order with its lines, bonuses and fees as they are told, and the points used as they were."""
    version = account.program.named(order.terms)
    had, of_part = {line.line_id: line for line in order.lines}, {line.line_id: line for line in scoped.lines}
    lines = [_with_others(had.get(key), of_part.get(key), line) for key, line in now.items()]
    beside = [line for line in order.lines if line.line_id not in now]
    if order.parts:
        # Those of other parts keep their places, by which shares are rounded.
        known = {line.line_id: line for line in lines}
        lines, beside = [known.pop(line.line_id, line) for line in order.lines], []
        lines += known.values()
    payment = _payment_of(order, scoped, data)
    after = replace(order, lines=tuple([line for line in (*lines, *beside) if line.quantity]), payment=payment)
    if order.parts:
        after = parts.with_costs(after, scoped, _costs_of(parts.costs_of(scoped), data))
    return replace(
        after,
        portions=_portions(account, version, order, after),
        earning=replace(order.earning, bonus=_bonuses(version, order, after, restated)),
    )


def _with_others(had: OrderLine | None, was: OrderLine | None, now: OrderLine) -> OrderLine:
    """A line as it is now: where a part has only some of its pieces, with those of the others."""
    if had is None or was is None or had == was:
        return now
    line = replace(
        had,
        sku=now.sku,
        quantity=had.quantity - was.quantity + now.quantity,
        goods=had.goods - was.goods + now.goods,
        tax=had.tax - was.tax + now.tax,
        unshipped=had.unshipped - was.unshipped + now.unshipped,
        category=now.category,
        tags=now.tags,
        point_rate=now.point_rate,
        earns=now.earns,
    )
    return replace(line, refunded=min(line.refunded, line.price))


def _matched(order: Order, scoped: Order, data: OrderAmended) -> list[_Restated] | None:
    """The lines that are told beside those that stood: by their ids, else by their product, at the same place first. None: one is
    of another part, or of several."""
    known = {line.line_id: line for line in scoped.lines}
    others = {line.line_id for line in order.lines if line.line_id not in known}
    if any(line.line_id in others or parts.is_shared(scoped, line.line_id or "") for line in data.lines):
        return None
    named = {line.line_id for line in data.lines if line.line_id is not None}
    left = {key: line for key, line in known.items() if key not in named and not line.replacement}
    taken = {*known, *named, *others}
    found: list[_Restated] = []
    for place, line in data.keyed_lines():
        if line.line_id is not None:
            found.append(_Restated(line.line_id, line, known.get(line.line_id)))
            continue
        same = [key for key, each in left.items() if each.sku == line.sku]
        key = place if place in same else next(iter(same), None)
        if key is not None and parts.is_shared(scoped, key):
            return None
        was = left.pop(key) if key is not None else None
        if key is None:
            key = next(name for name in chain((place,), map(str, count(1))) if name not in taken)
            taken.add(key)
        found.append(_Restated(key, line, was))
    return found


def _has_left(line: OrderLine) -> int:
    """Pieces of a line that were not cancelled and are to be sent no more: they have left, or were returned."""
    return line.quantity - line.cancelled - line.unshipped


def _line(line: OrderLine, restated: _Restated) -> OrderLine:
    """A line as it is told. What was cancelled of it stays beside, at the price of the others, for it may go on."""
    told, was = restated.told, restated.was
    if was is None:
        return line
    out = _has_left(was)
    pieces = max(told.quantity, out)
    line = replace(
        was,
        sku=line.sku,
        quantity=pieces + was.cancelled,
        goods=_for_all(line.goods, told.quantity, pieces, was.cancelled),
        tax=_for_all(line.tax, told.quantity, pieces, was.cancelled),
        unshipped=pieces - out,
        category=line.category,
        tags=line.tags,
        point_rate=line.point_rate,
        earns=line.earns,
    )
    return replace(line, refunded=min(line.refunded, line.price))


def _for_all(amount: int, told: int, pieces: int, cancelled: int) -> int:
    """What is told of some pieces, for so many instead and for cancelled ones beside: of the pieces it is the amount again."""
    of_pieces = amount * pieces // told
    return divide(of_pieces * (pieces + cancelled), pieces, "ceil")


def _left_of(was: OrderLine) -> OrderLine:
    """A line that is removed: what has left of it, and what was cancelled, at the price that it had."""
    quantity = was.quantity - was.unshipped
    goods, tax = part(was.goods, quantity, was.quantity), part(was.tax, quantity, was.quantity)
    return replace(was, quantity=quantity, goods=goods, tax=tax, unshipped=0, refunded=min(was.refunded, goods + tax))


def _portions(account: Account, version: Version, before: Order, after: Order) -> tuple[Portion, ...]:
    """The portions without the pieces that are not to be sent any more, and with those that are to be sent besides."""
    had = {line.line_id: line for line in before.lines}
    has = {line.line_id: line for line in after.lines}
    portions = before.portions
    for key, line in {**had, **has}.items():
        more = (has[key].unshipped if key in has else 0) - (had[key].unshipped if key in had else 0)
        if more < 0:
            portions = maturity.remove(portions, key, -more, open_first=True)
        elif more > 0:
            portions = maturity.wait(account, portions, maturity.root_of(version, before, line), key, more)
    return portions


def _bonuses(version: Version, before: Order, after: Order, restated: Sequence[_Restated]) -> tuple[Bonus, ...]:
    """The bonus points of the lines, each in the place that it had, since what it brought is kept by that."""
    had = {line.line_id: line.quantity for line in before.lines}
    has = {line.line_id: line.quantity for line in after.lines}
    coming: dict[str, list[Bonus]] = {}
    for each in restated:
        pieces = has[each.key] - (each.was.cancelled if each.was is not None else 0)
        coming[each.key] = [
            replace(bonus, points=_for_all(bonus.points, each.told.quantity, pieces, has[each.key] - pieces))
            for bonus in orders.bonuses(version, [(each.key, each.told)])
        ]
    found: list[Bonus] = []
    for bonus in before.earning.bonus:
        told = coming.get(bonus.line_id)
        if told is None:
            points = part(bonus.points, has.get(bonus.line_id, 0), had.get(bonus.line_id, 0))
            found.append(replace(bonus, points=points))
            continue
        same = next((each for each in told if (each.kind, each.expires_on) == (bonus.kind, bonus.expires_on)), None)
        found.append(replace(bonus, points=0) if same is None else same)
        if same is not None:
            told.remove(same)
    return (*found, *(bonus for told in coming.values() for bonus in told))


def _note_shipped(account: Account, order_id: str, now: Mapping[str, OrderLine], restated: Sequence[_Restated]) -> None:
    """Keep as a finding that more of a line stays than is told, because it has left."""
    told = {each.key: each.told.quantity for each in restated}
    for line in now.values():
        stays, said = line.quantity - line.cancelled, told.get(line.line_id, 0)
        if stays > said and not (line.replacement and line.line_id not in told):
            account.note_finding("amended_below_shipped", order_id, f"{line.line_id} {stays - said}")


# -- points used


def _with_points(account: Account, before: Order, after: Order, data: OrderAmended) -> Order | None:
    """The amended order with the points that stand on it, spread over its goods; None: they are refused, or not decided yet.

    What is more than the goods cost comes back, and what is less than was used before.
    """
    version, used = account.program.named(before.terms), before.used
    own = used.points if not before.parts else parts.used(before, data.order_id)
    more = 0 if data.points_used is None else data.points_used - own
    if more > 0:
        event = account.event
        assert event is not None
        found = redemption.check_more(account, after, more)
        verdict = redemption.verdict_on(account, event.source, event.id, found)
        if verdict is None:
            account.wait()
            return None
        redemption.answer(account, verdict, order_id=data.order_id, amendment_id=data.amendment_id)
        if verdict.verdict == "rejected":
            account.note_finding("amendment_refused", data.order_id, f"{data.amendment_id}: {verdict.reason}")
            return None
        more = max(verdict.points - used.points, 0)
    points = min(max(used.standing + more, 0), redeemable.payable(version, after))
    if used.points or points:
        after = redemption.change(account, after, points, version.terms.redemption.rule)
    if after.used.points == used.points:
        return after
    content = replace(before.content, points_used=after.used.points, use_all_points=False)
    return replace(after, content=content)
