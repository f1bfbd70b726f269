"""An order that is told more than once: the first telling stands, by time, source and id, and of each other there is a finding.

Facts are folded in business order, so the ledger is the same whichever telling comes first. One that was refused does not stand,
and one that waits may yet be refused: what is told then is for `orders.placed`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace

from contracts.events import OrderPlaced
from worker.decide import contesting, maturity, order_update, orders, purchases, redemption, reversal, tiers
from worker.decide.account import Account
from worker.decide.order_records import CalledOff, Order, OrderLine, Portion
from worker.decide.program import Version

_ANY_TIME: Final = datetime.max.replace(tzinfo=UTC)


def placed(account: Account, data: OrderPlaced) -> None:
    """An order as it is told: the first telling, or one more of an order that stands."""
    known = account.order(data.order_id)
    if known is not None and known.part_of is not None:
        account.note_finding("order_id_of_part", data.order_id, known.part_of)
        return
    why = contesting.withheld(account, data.order_id)
    if why is not None:
        orders.withhold(account, data, why)
        return
    if known is None or known.status != "open":
        orders.placed(account, data)
        return
    event = account.event
    assert event is not None
    same, cancelled = known.content.digest == orders.content_of(event.body), _cancelled_as_a_whole(known)
    version = account.program.named(known.terms)
    if same and cancelled and version.terms.reversal.resent_after_cancel == "reinstated":
        _go_on(account, version, known)
        return
    content = "same content" if same else "other content"
    account.note_finding("order_twice", data.order_id, f"{content}, after its cancel" if cancelled else content)


def _cancelled_as_a_whole(order: Order) -> bool:
    """Whether all that was ordered was cancelled, and nothing was exchanged."""
    return all(line.cancelled == line.quantity and not line.replacement for line in order.lines)


def _go_on(account: Account, version: Version, known: Order) -> None:
    """The cancel of an order is taken back: it keeps its date, its terms and its payment.

    The points that it asks for are decided anew, with those on their way back counted as there; it stays cancelled while they are
    not accepted. What was forfeited stays forfeited.
    """
    event = account.event
    assert event is not None
    lines = tuple(map(_not_cancelled, known.lines))
    portions = tuple(_waiting_again(each, known.portions) for each in maturity.open_portions(version, lines))
    order = replace(
        known,
        source=event.source,
        id=event.id,
        lines=lines,
        portions=(*portions, *(each for each in known.portions if each.parted_from is not None)),
        used=replace(known.used, detached=known.used.points, called_off=CalledOff()),
        delivery=replace(known.delivery, shipped_at=None, shipments=(), delivered_at=None),
    )
    if order.content.asks:
        verdict = redemption.decide(account, order, sum(each.points for each in order.used.due_back))
        if verdict is None:
            account.wait()
            return
        redemption.answer(account, verdict, order_id=order.order_id)
        if verdict.verdict == "rejected":
            return
        order = _pay(account, order, verdict.points)
    purchases.remember(account, order)
    tiers.ordered(account, order, again=True)
    order_update.keep(account, order)


def _pay(account: Account, order: Order, points: int) -> Order:
    """Take points for an order that goes on, beside what was used on it and came off it before."""
    account.need_all_open()
    before = reversal.return_due(account, order, _ANY_TIME)
    paid = redemption.take(account, replace(before, used=replace(before.used, spent=())), points)
    spent = (*before.used.spent, *paid.used.spent)
    return replace(paid, used=replace(paid.used, points=before.used.points + points, spent=spent))


def _not_cancelled(line: OrderLine) -> OrderLine:
    return replace(line, unshipped=line.quantity, cancelled=0, refused=0, delivered=0, awaiting=0, used=0, gone=0)


def _waiting_again(fresh: Portion, known: tuple[Portion, ...]) -> Portion:
    """A portion with its pieces back. One that kept its points keeps its dates too, else it waits as it did at first."""
    kept = next(each for each in known if each.key == fresh.key)
    return replace(kept, pieces=fresh.pieces) if kept.points else fresh
