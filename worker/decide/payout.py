"""Points paid out in money on a day of each month.

Money that left cannot be taken back by a late fact: how much was paid is kept as a decision, which a refold reads and pays again.
What it then leaves uncovered is arrears, like anything else that is found out too late. Who replays what another ledger decided
says up to where that is known (`Account.paid_until`): a pay day before it of which nothing is told paid nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from worker.decide import ledger
from worker.decide.account import Account
from worker.decide.program import Program
from worker.decide.state import Decision, Head

_TICK: Final = timedelta(microseconds=1)


def pay_day(account: Account) -> datetime | None:
    """The next instant after the open step at which this balance is paid out, if it stays as it is; or that at which other terms
    say anew when it is, whatever happens in the account until then."""
    program, available = account.program, account.head.available
    if not program.pays_out or available < 1:
        return None
    version, otherwise = account.version, program.pays_otherwise_from(account.at)
    rules = version.terms.pay_out
    if rules is None or available < rules.minimum:
        return otherwise
    first = version.days.month_first(version.days.date_of(account.at))
    days = (version.days.month_first(first, months).replace(day=rules.day) for months in (0, 1))
    planned = next(at for at in map(version.days.start, days) if at > account.at)
    return planned if otherwise is None else min(planned, otherwise)


def _is_pay_day(program: Program, at: datetime) -> bool:
    """Whether the terms in force at an instant pay out at it."""
    version = program.at(at)
    rules, day = version.terms.pay_out, version.days.date_of(at)
    return rules is not None and day.day == rules.day and at == version.days.start(day)


def pay(account: Account) -> None:
    """The clock's part: on the pay day all that is available is paid out, if it is enough; what was paid before is paid again."""
    assert account.moment is not None
    version = account.version
    rules = version.terms.pay_out
    key = account.moment.name
    told = account.decided.get(key)
    if told is None and (rules is None or (account.paid_until is not None and account.at <= account.paid_until)):
        return
    rule = rules.rule if rules is not None else version.terms.adjustment.rule
    points = told.points if told is not None else _payable(account)
    if points:
        account.decided[key] = told or Decision(source=key[0], id=key[1], verdict="accepted", points=points)
        ledger.take(account, version, points, "pay_out", "spent", rule)


def _payable(account: Account) -> int:
    program, due = account.program, account.head.pay_out_at
    rules = account.version.terms.pay_out
    assert rules is not None
    if not _is_pay_day(program, account.at):
        if due is None or due > account.at:
            return 0
        if program.begins(due) and not _is_pay_day(program, due):
            return 0  # it was to be looked at anew
    return account.head.available if account.head.available >= max(rules.minimum, 1) else 0


def look(account: Account) -> None:
    """Keep in mind when the next pay day is, as the balance stands at the end of a step."""
    planned = pay_day(account)
    if planned != account.head.pay_out_at:
        account.head = replace(account.head, pay_out_at=planned)


def settled_until(head: Head, come: datetime | None) -> datetime | None:
    """Up to which instant it is settled what an account paid out, so that a pay day of which it tells nothing paid nothing; None:
    nothing is. `come`: to where the clock has come of every account with nothing due."""
    instants = [] if head.last is None else [head.last.at]
    if come is not None:
        instants.append(come if head.next_due_at is None else min(come, head.next_due_at - _TICK))
    return max(instants, default=None)
