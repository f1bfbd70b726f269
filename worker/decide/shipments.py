"""Goods that leave and arrive. What was delivered has left, whether or not anybody said so; a delivery that names its shipment is
of that shipment, though it be told before it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from contracts.events import ShipmentDelivered, ShipmentDispatched
from worker.decide import early, expiry, hindsight, ledger, maturity, order_update, orders, parts, rewards, subscriptions
from worker.decide.account import Account
from worker.decide.order_records import Order, Shipment


def stands(account: Account, data: ShipmentDispatched) -> str | None:
    """The shipment of an id, if it has left."""
    order = parts.found(account, data.order_id)
    sent = order is not None and data.shipment_id is not None and hindsight.sent(_own(order, data)) in order.told
    return hindsight.shipment(data.order_id, data.shipment_id or "") if sent else None


def _own(order: Order, data: ShipmentDispatched | ShipmentDelivered) -> str:
    """What a shipment is called within an order."""
    return parts.own(order, data.order_id, data.shipment_id or "")


def _own_or_before(order: Order, data: ShipmentDelivered) -> str:
    """What the shipment of a delivery is called within an order: that of a part, or of the order before it was split."""
    shipment_id, own = data.shipment_id or "", _own(order, data)
    before = hindsight.sent(own) not in order.told and hindsight.sent(shipment_id) in order.told
    return shipment_id if before else own


def dispatched(account: Account, data: ShipmentDispatched) -> None:
    """Goods left: their portions part from the rest, and points set aside for the order are spent."""
    order = orders.live(account, data.order_id)
    if order is None:
        return
    shipment_id = None if data.shipment_id is None else _own(order, data)
    if shipment_id is not None:
        content = orders.content_of_lines(data.lines)
        if orders.told_before(account, order, hindsight.sent(shipment_id), content, "shipment_twice"):
            return
        order = replace(order, told={**order.told, hindsight.sent(shipment_id): content})
    scoped = orders.meant(order, data.order_id, data.lines)
    # What was delivered before anybody said that it had left, left then.
    gone = _pieces_of(_of_same(order, shipment_id))
    gone = {line.line_id: gone[line.line_id] for line in scoped.lines if line.line_id in gone}
    room = {line.line_id: line.unshipped for line in scoped.lines}
    if data.lines == "all":
        pieces = {key: n for key, n in room.items() if n}
        if not pieces and not any(line.delivered for line in scoped.lines):
            account.note_finding("nothing_to_ship", data.order_id)
    else:
        room = {key: n + gone.get(key, 0) for key, n in room.items()}
        gone, pieces = _apart(orders.named_pieces(account, scoped, data.lines, room, gone), gone)
    if order.delivery.ahead:
        ahead = _without(order.delivery.ahead, gone, shipment_id)
        order = replace(order, delivery=replace(order.delivery, ahead=ahead))
    if not pieces:
        _put(account, order)
        return
    order = _ship(account, order, pieces)
    if shipment_id is not None and account.program.named(order.terms).follows_deliveries:
        sent = (*order.delivery.shipments, Shipment(shipment_id, pieces))
        order = replace(order, delivery=replace(order.delivery, shipments=sent))
    order_update.keep(account, order)


def _put(account: Account, order: Order) -> None:
    """Keep an order of which no piece moved, if anything else is to be kept."""
    if order != account.order(order.order_id):
        account.put_order(order)


def _of_same(order: Order, shipment_id: str | None) -> list[Shipment]:
    """What arrived before it was told to have left, and may be of a shipment: one of the two has no id."""
    return [each for each in order.delivery.ahead if shipment_id is None or each.shipment_id in ("", shipment_id)]


def _pieces_of(shipments: list[Shipment]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in shipments:
        for key, n in each.pieces.items():
            found[key] = found.get(key, 0) + n
    return found


def _apart(pieces: Mapping[str, int], first: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """Pieces as far as they are among the first, and those beyond."""
    within = {key: min(n, first.get(key, 0)) for key, n in pieces.items()}
    return within, {key: n - within[key] for key, n in pieces.items() if n > within[key]}


def _ship(account: Account, order: Order, pieces: Mapping[str, int]) -> Order:
    """The order after some of its pieces left."""
    order = subscriptions.take_set(account, order)
    rewards.ship(account, order)
    lines = tuple(replace(line, unshipped=line.unshipped - pieces.get(line.line_id, 0)) for line in order.lines)
    order = replace(order, lines=lines, delivery=replace(order.delivery, shipped_at=account.at))
    if order.used.reserved:
        ledger.capture(account, order.used.reserved, account.program.named(order.terms).terms.redemption.rule, order.order_id)
        order = replace(order, used=replace(order.used, reserved=0))
    return maturity.part_off(account, order, "shipment", pieces)


def delivered(account: Account, data: ShipmentDelivered) -> None:
    """Goods arrived: of a named shipment, of the lines named, or else everything that has shipped, and if nothing has, all.

    Some carriers tell the delivery only, or before the dispatch: what arrived has left. One whose shipment is told later is kept
    for it.
    """
    order = orders.live(account, data.order_id)
    if order is None:
        return
    shipment_id = None if data.shipment_id is None else _own_or_before(order, data)
    if data.shipment_id is not None and shipment_id is not None:
        thing = hindsight.shipment(data.order_id, data.shipment_id)
        if hindsight.sent(shipment_id) not in order.told and hindsight.after(account, thing):
            early.keep(account, thing, "delivered_before_dispatch", data.order_id, data.shipment_id)
            return
        content, told = orders.content_of_lines(data.lines), order.told.get(hindsight.arrived(shipment_id), "")
        if content in told.split():
            account.note_finding("delivery_twice", data.order_id, data.shipment_id)
            return
        # The parts of a shipment may arrive apart.
        order = replace(order, told={**order.told, hindsight.arrived(shipment_id): f"{told} {content}".strip()})
    pieces = _pieces_arrived(account, order, data, shipment_id)
    if not pieces:
        _put(account, order)
        return
    left_now = _apart(pieces, {line.line_id: line.shipped - line.delivered for line in order.lines})[1]
    if left_now:
        order = _ship(account, order, left_now)
        ahead = (*order.delivery.ahead, Shipment(shipment_id or "", left_now))
        order = replace(order, delivery=replace(order.delivery, ahead=ahead))
    lines = tuple(replace(line, delivered=line.delivered + pieces.get(line.line_id, 0)) for line in order.lines)
    coming = _without(order.delivery.shipments, pieces, shipment_id, exact=True)
    order = replace(order, lines=lines, delivery=replace(order.delivery, delivered_at=account.at, shipments=coming))
    expiry.prolong(account, account.version, "delivery", order.order_id)
    order_update.keep(account, maturity.part_off(account, order, "delivery", pieces))


def _pieces_arrived(account: Account, order: Order, data: ShipmentDelivered, shipment_id: str | None) -> dict[str, int]:
    """The pieces of a delivery, by line. `shipment_id`: what its shipment is called within the order."""
    scoped = orders.meant(order, data.order_id, data.lines)
    shipped = {line.line_id: line.shipped - line.delivered for line in scoped.lines}
    known = shipment_id is not None and hindsight.sent(shipment_id) in order.told
    if known and account.program.named(order.terms).follows_deliveries:
        named = _pieces_of([each for each in order.delivery.shipments if each.shipment_id == shipment_id])
        room = {key: min(n, named.get(key, 0)) for key, n in shipped.items()}
    elif data.lines == "all":
        # Of a shipment that nobody told by its id it is not what left under another one.
        others = _pieces_of(list(order.delivery.shipments)) if shipment_id is not None and not known else {}
        room = {key: max(n - others.get(key, 0), 0) for key, n in shipped.items()}
        if not any(room.values()) and (others or not any(line.shipped for line in scoped.lines)):
            room = {line.line_id: max(line.kept - line.delivered - others.get(line.line_id, 0), 0) for line in scoped.lines}
    else:
        room = {line.line_id: line.kept - line.delivered for line in scoped.lines}
    if data.lines == "all":
        return {key: n for key, n in room.items() if n}
    return orders.named_pieces(account, scoped, data.lines, room, shipped)


def _without(
    shipments: tuple[Shipment, ...], pieces: Mapping[str, int], shipment_id: str | None, *, exact: bool = False
) -> tuple[Shipment, ...]:
    """Shipments without pieces: of the one named, else of the first that has them. `exact`: one without an id is not meant."""
    left = dict(pieces)
    found: list[Shipment] = []
    for each in shipments:
        if shipment_id is None or each.shipment_id == shipment_id or (not exact and not each.shipment_id):
            gone = {key: min(n, left.get(key, 0)) for key, n in each.pieces.items()}
            left = {key: n - gone.get(key, 0) for key, n in left.items()}
            each = replace(each, pieces={key: n - gone[key] for key, n in each.pieces.items() if n > gone[key]})  # noqa: PLW2901
        if each.pieces:
            found.append(each)
    return tuple(found)
