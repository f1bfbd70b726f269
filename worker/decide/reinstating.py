"""What was cancelled goes on: the pieces wait again, points used sit on them again, and they earn as they would have.

The order keeps its date, its terms and its payment. Points that were on their way back, lost by a rule, or lapsed only because
they came back late count as there; where the rest is not there, the whole is refused with a finding.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from contracts.events import OrderReinstated
from worker.decide import early, ledger, limits, maturity, order_update, orders, purchases, redemption, reversal, tiers
from worker.decide.account import Account
from worker.decide.conditions import of_order
from worker.decide.order_records import HandBack, Order, OrderLine, PointsUsed, Portion, Spent
from worker.decide.program import Version


def name_of(order_id: str) -> str:
    """What is kept under that takes a cancel back and was told before it."""
    return f"cancel:{order_id}"


def reinstated(account: Account, data: OrderReinstated) -> None:
    """Pieces that were cancelled go on; of none it waits for a cancel that is told a moment later."""
    order = orders.live(account, data.order_id)
    if order is None:
        return
    scoped = orders.meant(order, data.order_id, data.lines)
    room = {line.line_id: line.cancelled for line in scoped.lines}
    if not any(room.values()):
        early.keep(account, name_of(data.order_id), "nothing_to_reinstate", data.order_id)
        return
    if data.lines == "all":
        pieces = {key: n for key, n in room.items() if n}
    else:
        pieces = orders.named_pieces(account, scoped, data.lines, room)
    if not pieces:
        return
    version = account.program.named(order.terms)
    sent = {line.line_id: max(pieces.get(line.line_id, 0) - (line.cancelled - line.refused), 0) for line in order.lines}
    lines = tuple(_again(line, pieces.get(line.line_id, 0), sent[line.line_id]) for line in order.lines)
    after = replace(order, lines=lines, portions=_with_pieces(account, version, order, pieces, sent))
    paid = _pay_again(account, version, after)
    if paid is None:
        account.note_finding("reinstatement_not_covered", data.order_id)
        return
    purchases.remember_again(account, order, paid)
    if not any(line.kept for line in order.lines):
        tiers.ordered(account, paid, again=True)
    order_update.keep(account, paid)


def _again(line: OrderLine, n: int, sent: int) -> OrderLine:
    waits = line.unshipped + n - sent
    return replace(line, cancelled=line.cancelled - n, refused=line.refused - sent, unshipped=waits) if n else line


def _with_pieces(
    account: Account, version: Version, order: Order, pieces: Mapping[str, int], sent: Mapping[str, int]
) -> tuple[Portion, ...]:
    """The portions with pieces that are there again: what had left in the last one that left, the rest where it waits."""
    portions = order.portions
    for line in order.lines:
        root = maturity.root_of(version, order, line)
        gone = [index for index, each in enumerate(portions) if each.root == root and each.triggered_at is not None]
        left = pieces.get(line.line_id, 0)
        back = sent[line.line_id] if gone else 0
        if back:
            last = max(gone, key=lambda index: (portions[index].triggered_at or account.at, index))
            portions = maturity.put(portions, last, line.line_id, back)
            left -= back
        if left:
            portions = maturity.wait(account, portions, root, line.line_id, left)
    return portions


def _pay_again(account: Account, version: Version, order: Order) -> Order | None:
    """The order with points on its goods again that had come off them; None: they are not there."""
    used = order.used
    points = (used.points - used.standing) - reversal.detached(version, order)
    if points <= 0:
        return order
    account.need_all_open()
    due, coming = _not_coming(used.due_back, points)
    lost = min(points - coming, used.called_off.forfeited)
    late = _lapsed_late(account, used, min(points - coming - lost, used.called_off.lapsed))
    rest = points - coming - lost - sum(n for _, n in late)
    if rest > max(limits.paying(account, version, of_order(order)), 0):
        return None
    rule = version.terms.redemption.rule
    if lost:
        ledger.take_again(account, lost, "forfeited", rule, None, order.order_id)
    for each, n in late:
        lot = account.lot(each.origin, each.part)
        assert lot is not None
        ledger.take_again(account, n, "lapsed", rule, lot, order.order_id)
    lapsed = sum(n for _, n in late)
    off = used.called_off
    spent, reserved = _standing_again(used.spent, lost + lapsed), used.reserved
    if rest and version.terms.redemption.taken_at == "shipment" and order.delivery.shipped_at is None:
        spent = (*spent, *redemption.set_aside_for(account, order, rest, rule))
        reserved += rest
    elif rest:
        spent = (*spent, *redemption.spend_on(account, order, rest, rule))
    used = replace(
        used,
        reserved=reserved,
        back=used.back - lapsed - rest,
        forfeited=used.forfeited - lost,
        spent=spent,
        due_back=due,
        called_off=replace(off, forfeited=off.forfeited - lost, lapsed=off.lapsed - lapsed),
    )
    return replace(order, used=used)


def _not_coming(due_back: tuple[HandBack, ...], points: int) -> tuple[tuple[HandBack, ...], int]:
    """What is on its way back without points of cancels that stay on the goods, the last ones first; and how many those are."""
    left, kept = points, []
    for each in reversed(due_back):
        n = min(left, each.points) if each.cancel else 0
        left -= n
        if each.points > n:
            kept.append(replace(each, points=each.points - n))
    return tuple(reversed(kept)), points - left


def _lapsed_late(account: Account, used: PointsUsed, points: int) -> list[tuple[Spent, int]]:
    """Points of the order that lapsed as they came back, by what they were spent from."""
    account.need(origins=[each.origin for each in used.spent] if points else ())
    left, found = points, []
    seen: dict[str, int] = {}
    for each in reversed(used.spent):
        lot = account.lot(each.origin, each.part) if left else None
        if lot is not None:
            n = min(left, each.back, lot.lapsed - seen.get(lot.ref, 0))
            if n > 0:
                seen[lot.ref] = seen.get(lot.ref, 0) + n
                found.append((each, n))
                left -= n
    return found


def _standing_again(spent: tuple[Spent, ...], points: int) -> tuple[Spent, ...]:
    """Points of lots that were marked as not to be given back, and are to be again: those marked last first."""
    left, marked = points, []
    for each in reversed(spent):
        n = min(left, each.back)
        left -= n
        marked.append(replace(each, back=each.back - n) if n else each)
    return tuple(reversed(marked))
