"""Facts that are undone as if they had not been: a return or an exchange that is withdrawn, a payment that failed after all.

What undoes a fact leaves it out of the fold: see `hindsight`. The step of the fact keeps only that it was left out, the step of
what undoes it that there was something to undo. What is undone before it was told, as clocks differ, is left out when it comes.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from contracts.events import ExchangeWithdrawn, PaymentFailed, ReturnWithdrawn
from worker.decide import early, hindsight
from worker.decide.account import Account
from worker.decide.order_records import Order

_UNDOES: Final = (PaymentFailed, ReturnWithdrawn, ExchangeWithdrawn)
_LEFT_OUT: Final = "left out"
_ANSWERED: Final = "undone"
_AHEAD: Final = "ahead"


def counts(account: Account, order: Order, name: str, thing: str) -> bool:
    """Whether the fact in hand counts, or is undone by what was told before it or comes next. `name`: of what it is about within
    its order, `thing`: by itself."""
    if order.told.get(name) == _AHEAD:
        early.forgo(account, thing, order.order_id)
        _note(account, order, name, _ANSWERED)
        return False
    following = hindsight.after(account, thing)
    if following and isinstance(following[0].data, _UNDOES):
        _note(account, order, name, _LEFT_OUT)
        return False
    return True


def undo(account: Account, order: Order, name: str, thing: str, finding: str, detail: str, *, ahead: bool = True) -> None:
    """What undoes the facts about a thing that came before it. Of none it is a finding; `ahead`: and undoes the next one."""
    state = order.told.get(name)
    if state == _LEFT_OUT:
        _note(account, order, name, _ANSWERED)
    elif state is None and ahead:
        early.keep(account, thing, finding, order.order_id, detail)
        _note(account, order, name, _AHEAD)
    else:
        account.note_finding(finding, order.order_id, detail)


def _note(account: Account, order: Order, name: str, state: str) -> None:
    account.put_order(replace(order, told={**order.told, name: state}))
