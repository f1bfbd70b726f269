"""Orders that several members, or a guest and a member, were told to have placed: nobody is paid for one until a command decides.

Each of these accounts has every fact about the order, and the fact that it is contested. Like every fact that a later one has us
read otherwise (`hindsight`), the order is folded as all of them say, whichever came first: withheld from its own moment on while
no `order.claimed` decides, or where one names somebody else; and as if nobody else had brought it where one names this member.
What follows a withheld order is kept beside it, and takes effect if it comes to stand.

A use of points that was announced stands as announced while the order is contested, and is undone where it turns out to be
somebody else's. None is decided meanwhile: the wish waits for the command.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from contracts.events import OrderClaimed, OrderContested
from worker.decide import early, hindsight
from worker.decide.account import Account
from worker.decide.state import Contest, Moment

CONTESTED: Final = "order_contested"
"""Nobody has decided yet whose the order is."""
LOST: Final = "order_of_another"
"""It was decided for somebody else."""


def contested(account: Account, data: OrderContested) -> None:
    """Somebody else was told to have placed the order too; or a command has decided for somebody else."""
    known = _known(account, data.order_id)
    if data.lost:
        _decide(account, data.order_id, known, lost=True)
    else:
        account.put("contest", data.order_id, replace(known, contested=True))


def claimed(account: Account, data: OrderClaimed) -> None:
    """A command says that the order is this member's. While the member has not placed it, it waits for that, with a finding."""
    _decide(account, data.order_id, _known(account, data.order_id), lost=False)
    if account.order(data.order_id) is None:
        early.keep(account, f"order:{data.order_id}", "unknown_order", data.order_id)


def _known(account: Account, order_id: str) -> Contest:
    return account.contest(order_id) or Contest(since=account.at)


def _decide(account: Account, order_id: str, known: Contest, *, lost: bool) -> None:
    """The latest command stands."""
    told = account.asked_at
    if known.decided is None or told >= known.decided:
        account.put("contest", order_id, replace(known, decided=told, lost=lost))


def withheld(account: Account, order_id: str) -> str | None:
    """Why the order that is placed in the open step has no effect; None: it has."""
    known = account.contest(order_id)
    ahead = account.turning.get(hindsight.contest(order_id), ())
    if known is None and not ahead:
        return None
    known = known or Contest(since=account.at)
    is_contested, decided, lost = known.contested, known.decided, known.lost
    for fact in ahead:
        data, told = fact.data, Moment(*fact.key)
        if isinstance(data, OrderContested) and not data.lost:
            is_contested = True
        elif decided is None or told > decided:
            decided, lost = told, not isinstance(data, OrderClaimed)
    if not is_contested:
        return None
    if account.at <= known.since:
        account.put("contest", order_id, replace(known, since=account.at))
    if decided is not None and not lost:
        return None
    return CONTESTED if decided is None else LOST
