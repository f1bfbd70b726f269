"""Which products a member has bought, where something counts only for those (SCO-03): the mark of it goes with the order.

A product is bought by an order while a piece of it was not cancelled; what was returned had been bought. What it brought before
the cancel of the last such order stays, or is taken back, as the activity's terms say.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from worker.decide import ledger
from worker.decide.account import Account
from worker.decide.order_records import Order
from worker.decide.state import Mark
from worker.decide.tally_records import Grant


def _mark_of(sku: str) -> str:
    return f"bought:{sku}"


def _bought(order: Order) -> list[str]:
    """The products of an order of which not all pieces were cancelled."""
    return list(dict.fromkeys(line.sku for line in order.lines if not line.replacement and line.quantity > line.cancelled))


def _marks(account: Account, order: Order, skus: Iterable[str]) -> list[tuple[str, Mark | None]]:
    """The marks of products by name, if the terms of the order ask for them."""
    if not account.program.named(order.terms).remembers_bought:
        return []
    names = [_mark_of(sku) for sku in skus]
    account.need(items=[("mark", name) for name in names])
    return [(name, account.mark(name)) for name in names]


def remember(account: Account, order: Order) -> None:
    """Note which products an order bought."""
    for name, mark in _marks(account, order, _bought(order)):
        earlier = mark or Mark(at=account.at)
        account.put("mark", name, replace(earlier, orders=earlier.orders + 1))


def remember_again(account: Account, before: Order, after: Order) -> None:
    """Note which products an order bought that it had bought no more. What their reviews had brought stays taken back."""
    bought = set(_bought(before))
    for name, mark in _marks(account, after, [sku for sku in _bought(after) if sku not in bought]):
        earlier = mark or Mark(at=account.at)
        account.put("mark", name, replace(earlier, orders=earlier.orders + 1))


def forget(account: Account, before: Order, after: Order) -> None:
    """Note that an order bought some products no more, because what was left of them was cancelled."""
    bought = set(_bought(after))
    for name, mark in _marks(account, before, [sku for sku in _bought(before) if sku not in bought]):
        if mark is not None and mark.orders > 1:
            account.put("mark", name, replace(mark, orders=mark.orders - 1))
        elif mark is not None:
            account.put("mark", name, None)
            kinds = {activity.id: activity.kind for activity in account.version.terms.activities}
            for grant in mark.grants:
                take_back(account, grant, before.order_id, kinds.get(grant.part))


def is_bought(account: Account, sku: str) -> bool:
    """Whether the member has bought a product."""
    return account.marked(_mark_of(sku))


def goes_with(account: Account, sku: str, grant: Grant) -> None:
    """Have a grant go with the purchase of a product."""
    mark = account.mark(_mark_of(sku))
    if mark is not None:
        account.put("mark", _mark_of(sku), replace(mark, grants=(*mark.grants, grant)))


def take_back(account: Account, grant: Grant, order_id: str | None = None, kind: str | None = None) -> int:
    """Points of a grant (of a `kind`, where its lot may be gone) are revoked, from its own lot first; what has lapsed or was
    revoked meanwhile is gone already. Returns how many points it was."""
    lot = account.lot(grant.origin, grant.part)
    left = grant.points if lot is None else max(grant.points - lot.voided, 0)
    if lot is not None:
        gone = min(max(left - lot.available, 0), lot.lapsed + lot.revoked)
        lapsed = min(gone, lot.lapsed)
        lot = replace(lot, lapsed=lot.lapsed - lapsed, revoked=lot.revoked - gone + lapsed)
        account.put_lot(lot)
        left -= gone
    if left:
        account.need_all_open()
        first = [lot] if lot is not None else []
        own = account.version.terms.reversal.earned_points.taken_from == "own_kind"
        kind = (lot.kind if lot is not None else kind) if own else None
        ledger.take(account, account.version, left, "revoke", "revoked", grant.rule, order_id, first, kind)
    return left
