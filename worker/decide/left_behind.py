"""Points that goods leave behind when they are returned, where the terms let the member keep them (`keep`)."""

from __future__ import annotations

from collections.abc import Mapping

from worker.decide import earning
from worker.decide.account import Account
from worker.decide.earning import Source
from worker.decide.order_records import Order


def bring_no_more(
    account: Account,
    order: Order,
    source: Source,
    holds: Mapping[str, int],
    earned: Mapping[str, int],
    wanted: dict[str, int],
) -> None:
    """Lower what portions should hold by what goods leave behind with this fact: without them the order's sum is rounded at
    another place, which would bring a point for goods that already have theirs.

    `holds`, `earned`, `wanted`: by portion key, what it holds, what its kept pieces earn, and what it should hold.
    """
    before = account.order(order.order_id)
    if before is None or source.component is None:
        return
    was = earning.desired(account.program, before, source, account.at)
    keeping = [key for key in wanted if wanted[key] == holds[key] > earned[key]]
    left = sum(max(min(holds[key], was.get(key, 0)) - earned[key], 0) for key in keeping)
    for portion in earning.in_turn(order):
        more = min(max(wanted[portion.key] - holds[portion.key], 0), left)
        wanted[portion.key] -= more
        left -= more
