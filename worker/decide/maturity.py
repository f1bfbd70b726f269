"""When the points of an order become available: its pieces in portions, what triggers them, and their dates.

LEN-18, ANS-19, PUP-03/PUP-13, SCO-11 and BEL-07 are all one mechanism: events to wait for, days after each, the latest decides;
for the whole order, for each shipment, or for each line's pieces of a shipment.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from operator import is_

from msgspec.structs import replace

from contracts.terms import DayOfMonth, Trigger
from worker.decide.account import Account
from worker.decide.conditions import holds, of_order
from worker.decide.lot_name import bounded
from worker.decide.order_records import Order, OrderLine, Portion
from worker.decide.program import Version

WHOLE = "all"


def open_portions(version: Version, lines: tuple[OrderLine, ...], suffix: str = "") -> tuple[Portion, ...]:
    """The portions of new lines, before anything has happened to them."""
    if version.terms.maturity.by == "line":
        return tuple(Portion(key=bounded(line.line_id + suffix), pieces={line.line_id: line.quantity}) for line in lines)
    return (Portion(key=bounded(WHOLE + suffix), pieces={line.line_id: line.quantity for line in lines}),)


def triggers(version: Version, order: Order) -> tuple[Trigger, ...]:
    """What the points of an order wait for."""
    after = version.terms.maturity.after
    if not version.waits_variously:
        return after
    return tuple([each for each in after if not each.when.given or holds(each.when, version, of_order(order))])


def _parts_on(version: Version, order: Order) -> str | None:
    """The event at which pieces part from the rest of their order; None if it matures as one."""
    if not version.waits_variously or version.parts_on is None:
        return version.parts_on
    events = {each.event for each in triggers(version, order)}
    return "delivery" if "delivery" in events else "shipment" if "shipment" in events else None


def part_off(account: Account, order: Order, event: str, pieces: Mapping[str, int]) -> Order:
    """Part the pieces that shipped (or were delivered) from the portions that still wait."""
    version = account.program.named(order.terms)
    if _parts_on(version, order) != event or not pieces:
        return order
    left = dict(pieces)
    portions: list[Portion] = []
    parted: dict[str, Portion] = {}
    for portion in order.portions:
        going = {} if portion.triggered_at else {line: min(n, left.get(line, 0)) for line, n in portion.pieces.items()}
        going = {line: n for line, n in going.items() if n}
        if not going:
            portions.append(portion)
            continue
        for line, n in going.items():
            left[line] -= n
        staying = {line: n - going.get(line, 0) for line, n in portion.pieces.items() if n > going.get(line, 0)}
        if not staying:
            portions.append(replace(portion, triggered_at=account.at))
            continue
        portions.append(replace(portion, pieces=staying))
        key = bounded(f"{portion.root}@{account.cause}")
        parted[key] = Portion(key=key, pieces=going, triggered_at=account.at, parted_from=portion.root)
    return replace(order, portions=(*portions, *parted.values()))


def remove(portions: tuple[Portion, ...], line_id: str, pieces: int, *, open_first: bool) -> tuple[Portion, ...]:
    """Take pieces of a line out of its portions: waiting ones first (a cancel), or the latest triggered first (a return)."""
    waiting = [index for index, portion in enumerate(portions) if portion.triggered_at is None]
    # The portion that the others parted from stands before them, and may have been the last to go.
    gone = sorted(((portion.triggered_at, index) for index, portion in enumerate(portions) if portion.triggered_at), reverse=True)
    triggered = [index for _, index in gone]
    kept = list(portions)
    left = pieces
    for index in (*waiting, *triggered) if open_first else (*triggered, *waiting):
        taken = min(left, kept[index].pieces.get(line_id, 0))
        if taken:
            stay = {**kept[index].pieces, line_id: kept[index].pieces[line_id] - taken}
            kept[index] = replace(kept[index], pieces={line: n for line, n in stay.items() if n})
            left -= taken
    return tuple(kept)


def root_of(version: Version, order: Order, line: OrderLine) -> str:
    """The key of the portion in which a line began, or begins."""
    own = bounded(line.line_id) if version.terms.maturity.by == "line" and not line.replacement else WHOLE
    roots = [each.root for each in order.portions if line.line_id in each.pieces]
    return next(iter(roots), own)


def wait(account: Account, portions: tuple[Portion, ...], root: str, line_id: str, n: int) -> tuple[Portion, ...]:
    """The portions with pieces of a line more that wait: in the one that waits of those with a root, or in a new one."""
    waiting = [index for index, each in enumerate(portions) if each.root == root and each.triggered_at is None]
    if waiting:
        return put(portions, waiting[0], line_id, n)
    if all(each.key != root for each in portions):
        return (*portions, Portion(key=root, pieces={line_id: n}))
    return (*portions, Portion(key=bounded(f"{root}@{account.cause}"), pieces={line_id: n}, parted_from=root))


def put(portions: tuple[Portion, ...], index: int, line_id: str, n: int) -> tuple[Portion, ...]:
    """The portions with pieces of a line more in one of them."""
    portion = portions[index]
    portion = replace(portion, pieces={**portion.pieces, line_id: portion.pieces.get(line_id, 0) + n})
    return (*portions[:index], portion, *portions[index + 1 :])


def _happened(order: Order, event: str, portion: Portion, *, parts: bool) -> datetime | None:
    """When an event had happened for all pieces of a portion; None if it has not."""
    if event == "order":
        return order.placed_at
    if event == "payment":
        return order.payment.paid_at
    if parts:
        return portion.triggered_at
    if event == "shipment":
        return None if any(line.unshipped for line in order.lines) else order.delivery.shipped_at
    return None if any(line.delivered < line.kept for line in order.lines) else order.delivery.delivered_at


def date_portions(account: Account, order: Order) -> Order:
    """Give every portion for which everything has happened its maturity date."""
    version = account.program.named(order.terms)
    portions = [
        portion if portion.matures_at is not None or not portion.pieces else _dated(account, version, order, portion)
        for portion in order.portions
    ]
    return order if all(map(is_, portions, order.portions)) else replace(order, portions=tuple(portions))


def _dated(account: Account, version: Version, order: Order, portion: Portion) -> Portion:
    """The portion with its maturity date, if everything that it waits for has happened."""
    due = account.at
    parts = _parts_on(version, order) is not None
    for trigger in triggers(version, order):
        at = _happened(order, trigger.event, portion, parts=parts)
        if at is None:
            return portion
        # What completes an order late (a cancel of its last open line) cannot make it mature in the past.
        due = max(due, version.days.business_days_after(version.days.days_after(at, trigger.days), trigger.business_days))
    if version.terms.maturity.on is not None:
        due = version.days.on_day(due, version.terms.maturity.on)
    return replace(portion, triggered_at=portion.triggered_at or account.at, matures_at=due)


def date_of(version: Version, portion: Portion, later: DayOfMonth | None) -> datetime | None:
    """When points of a portion mature, of a component that may be `later` than others."""
    at = portion.matures_at
    return at if at is None or later is None else version.days.on_day(at, later)


def shown(version: Version, matures_at: datetime | None, at: datetime) -> bool:
    """Whether points that mature at an instant are in the account yet, pending or available."""
    when = version.terms.maturity.shown
    if when == "order":
        return True
    if when == "trigger":
        return matures_at is not None
    return matures_at is not None and matures_at <= at
