"""The parts of an order that was split: of which pieces a fact is that names one, and what each part comes to.

The order stays one, with its date, its terms and its points: a part is an id for some of its pieces. So a fact that names a
part does what it would have done to these pieces of the order before, and whatever becomes of the parts, together they come to
what the order would have come to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from worker.decide.account import Account
from worker.decide.amounts import part, spread
from worker.decide.order_records import Order, OrderLine
from worker.decide.part_records import Part, Pieces
from worker.decide.state import cause_of

# In an order in which each finds room for what the one before has left.
_COUNTED: Final = ("quantity", "cancelled", "returned", "refused", "awaiting", "unshipped", "delivered")


def found(account: Account, order_id: str) -> Order | None:
    """The order that an id names: its own, or that of which it names a part."""
    order = account.order(order_id)
    return order if order is None or order.status != "part" or order.part_of is None else account.order(order.part_of)


def own(order: Order, order_id: str, name: str) -> str:
    """The name within an order of something that has a name among what is told of a part."""
    return name if order_id == order.order_id else cause_of(order_id, name)


def under(order: Order, order_id: str) -> tuple[Part, ...]:
    """The parts that an id names: the one that has it, and those into which what had it was split."""
    exact = [each for each in order.parts if each.order_id == order_id]
    return (*exact, *(each for each in order.parts if each.order_id != order_id and order_id in each.under))


def scope(order: Order, order_id: str, *, whole: bool = False) -> Order:
    """The order as far as an id names it: with the lines, and the pieces of them, that are of it.

    Of an id that was split and is a part's still, that part; `whole`: all into which it was split.
    """
    if not order.parts:
        return order
    meant = under(order, order_id)
    if meant and meant[0].order_id == order_id and not whole:
        meant = meant[:1]
    lines = [_within(line, meant) for line in order.lines if any(line.line_id in each.pieces for each in meant)]
    return replace(order, order_id=order_id, lines=tuple(lines), parts=meant)


def _within(line: OrderLine, meant: Sequence[Part]) -> OrderLine:
    """A line with the pieces that are of some parts; amounts are their shares."""
    of_line = [each.pieces[line.line_id] for each in meant if line.line_id in each.pieces]
    counts: dict[str, int] = {name: sum([getattr(each, name) for each in of_line]) for name in _COUNTED}
    n = counts["quantity"]
    if n == line.quantity:
        return line
    # A line does not know which of its pieces came back: what is on its way of a part is never more than what is of the line.
    shipped = n - counts["cancelled"] - counts["returned"] - counts["unshipped"]
    counts["delivered"] = max(counts["delivered"], shipped - (line.shipped - line.delivered))
    return replace(
        line,
        **counts,
        goods=part(line.goods, n, line.quantity),
        tax=part(line.tax, n, line.quantity),
        used=part(line.used, n, line.quantity),
        gone=min(line.gone, n),
        refunded=part(line.refunded, n, line.quantity),
        settled=part(line.settled, n, line.quantity),
    )


def is_shared(scoped: Order, line_id: str) -> bool:
    """Whether several of the parts that were meant have pieces of a line, so that it is not said of which some of them are."""
    return len([each for each in scoped.parts if line_id in each.pieces]) > 1


def carries_fees(order: Order, order_id: str) -> bool:
    """Whether what is said of fees under an id is of the order's: they go with its first part."""
    return not order.parts or any(each.fees for each in under(order, order_id))


def with_part(order: Order, changed: Part) -> Order:
    """The order with one of its parts replaced."""
    return replace(order, parts=tuple(changed if each.order_id == changed.order_id else each for each in order.parts))


class Costs(NamedTuple):
    """What is paid or taken off besides the lines: fees, `other_fees` of them, and the discount on all of the goods."""

    fees: int
    other_fees: int
    discount: int


def costs_of(scoped: Order) -> Costs:
    """What an order, or what an id names of it, costs besides its lines."""
    if not scoped.parts:
        return Costs(scoped.payment.fees, scoped.payment.other_fees, scoped.payment.discount)
    own = [(each.fees, each.other_fees, each.discount) for each in scoped.parts]
    return Costs(*(sum(each) for each in zip(*own, strict=True)))


def with_costs(order: Order, scoped: Order, costs: Costs) -> Order:
    """The order with other costs of what an id names: the first part has them, but for the discounts of those after it."""
    first, *others = scoped.parts
    left = costs.discount
    for each in others:
        discount = min(each.discount, left)
        left -= discount
        order = with_part(order, replace(each, fees=0, other_fees=0, discount=discount))
    return with_part(order, replace(first, fees=costs.fees, other_fees=costs.other_fees, discount=left))


# -- pieces that moved


def follow(before: Order, after: Order, order_id: str) -> Order:
    """The order, after a fact that named an id, with what the fact did to its pieces noted in the parts that are meant."""
    known = {line.line_id: line for line in before.lines}
    meant = under(after, order_id)
    moved: dict[str, dict[str, Pieces]] = {each.order_id: dict(each.pieces) for each in after.parts}
    for line in after.lines:
        was = known.pop(line.line_id, None)
        changes = {name: getattr(line, name) - (getattr(was, name) if was is not None else 0) for name in _COUNTED}
        if any(changes.values()):
            _note(line.line_id, changes, meant, moved)
    for gone in known:
        for pieces in moved.values():
            pieces.pop(gone, None)
    return replace(after, parts=tuple(replace(each, pieces=moved[each.order_id]) for each in after.parts))


def _note(line_id: str, changes: dict[str, int], meant: Sequence[Part], moved: dict[str, dict[str, Pieces]]) -> None:
    """Note how the pieces of a line have changed in the parts that are meant, in each as far as it has room."""
    holders = [each.order_id for each in meant if line_id in moved[each.order_id]] or [meant[0].order_id]
    left = dict(changes)
    for holder in holders:
        pieces, last = moved[holder].get(line_id, Pieces()), holder == holders[-1]
        for name in _COUNTED:
            now = getattr(pieces, name)
            change = left[name] if last or name == "quantity" else max(min(left[name], _room(pieces, name)), -now)
            left[name] -= change
            pieces = replace(pieces, **{name: now + change})
        moved[holder][line_id] = replace(pieces, delivered=min(pieces.delivered, pieces.shipped))


def _room(pieces: Pieces, name: str) -> int:
    """How much a count of pieces may grow."""
    if name in ("cancelled", "returned"):
        return pieces.kept
    if name == "refused":
        return pieces.cancelled - pieces.refused
    if name == "awaiting":
        return pieces.returned - pieces.awaiting
    return pieces.shipped - (pieces.delivered if name == "delivered" else 0)


# -- what each part comes to


class Share(NamedTuple):
    """What a part comes to of the points of its order: used on it, of these given back and forfeited, and earned."""

    used: int
    back: int
    forfeited: int
    credited: int


def shares(order: Order) -> dict[str, Share]:
    """What each part comes to, by its id: as the goods are, and what rounding leaves is the last one's. Together it is what the
    order comes to."""
    used = order.used
    gone, of_used = _gone_and_used(order)
    back = _spread(used.back, gone if any(gone) else of_used)
    forfeited = _spread(used.forfeited, gone if any(gone) else of_used)
    earning = [_sum(order, each, _earning) for each in order.parts]
    credited = _spread(order.earning.credited, earning)
    every = zip(order.parts, of_used, back, forfeited, credited, strict=True)
    return {each.order_id: Share(*numbers) for each, *numbers in every}


def _gone_and_used(order: Order) -> tuple[list[int], list[int]]:
    """Of the points used, for each part, those that sat on pieces which are gone, and all that are its own."""
    used = order.used
    on_lines = [_sum(order, each, _used) for each in order.parts]
    weights = on_lines if any(on_lines) else [_sum(order, each, _price) for each in order.parts]
    on_goods = _spread(used.points - used.on_fees, weights)
    on_fees = _spread(used.on_fees, [each.fees for each in order.parts])
    of_used = [goods + fees for goods, fees in zip(on_goods, on_fees, strict=True)]
    return [_sum(order, each, _detached) for each in order.parts], of_used


def standing(order: Order, order_id: str) -> int:
    """The used points that stand on what an id names."""
    if not order.parts:
        return order.used.standing
    gone, of_used = _gone_and_used(order)
    off = _spread(order.used.points - order.used.standing, gone if any(gone) else of_used)
    named = {each.order_id for each in scope(order, order_id).parts}
    every = zip(order.parts, of_used, off, strict=True)
    return sum([used - less for each, used, less in every if each.order_id in named])


def used(order: Order, order_id: str) -> int:
    """The points that were used on what an id names."""
    found = shares(order)
    return sum([found[each.order_id].used for each in scope(order, order_id).parts])


def credited(order: Order, order_id: str) -> int:
    """The points that what an id names has earned."""
    found = shares(order)
    return sum([found[each.order_id].credited for each in scope(order, order_id).parts])


def _spread(total: int, weights: Sequence[int]) -> list[int]:
    return spread(total, weights if any(weights) else [1] * len(weights))


def _sum(order: Order, each: Part, of: Callable[[OrderLine, Pieces], int]) -> int:
    return sum([of(line, each.pieces[line.line_id]) for line in order.lines if line.line_id in each.pieces])


def _price(line: OrderLine, pieces: Pieces) -> int:
    return part(line.price, pieces.quantity, line.quantity)


def _used(line: OrderLine, pieces: Pieces) -> int:
    return part(line.used, pieces.quantity, line.quantity)


def _detached(line: OrderLine, pieces: Pieces) -> int:
    return part(line.used, pieces.quantity - pieces.kept, line.quantity)


def _earning(line: OrderLine, pieces: Pieces) -> int:
    return part(line.net_goods, pieces.kept, line.quantity) if line.earns else 0
