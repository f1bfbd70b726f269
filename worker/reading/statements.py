"""Statements from the database: of the state as it is kept, or of the facts folded anew up to an instant.

Both ways give the same statement (a test holds them together). Nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from contracts.statement import Statement
from worker.decide.account import Account
from worker.decide.fold import fold, moment_of
from worker.decide.program import Program
from worker.decide.state import FORMAT, blank
from worker.decide.statement import statement
from worker.persist.rows import Dossier


class AccountFenced(Exception):
    """The account takes no facts until it is rebuilt, so nothing that it says can be relied on."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the account is fenced ({why}): its facts are kept, and count again when it is rebuilt")


def of_state(dossier: Dossier, program: Program, at: datetime) -> Account:
    """The account as it is kept, its clock advanced in memory to `at`, which must not lie before its last moment."""
    assert dossier.row is not None
    account = Account(program, dossier.row.head, dict(dossier.lots), dict(dossier.items), complete=True)
    return _folded(account, dossier, at, facts=False)


def of_facts(dossier: Dossier, program: Program, at: datetime | None) -> Account:
    """The account folded from nothing, by facts up to `at` and the verdicts recorded; None: by all facts, without the clock."""
    return _folded(Account(program, blank(), {}, {}, complete=True), dossier, at, facts=True)


def _folded(account: Account, dossier: Dossier, at: datetime | None, *, facts: bool) -> Account:
    account.announced_only = True  # a redemption without a recorded verdict waits: a fold that only reads takes none
    account.decided.update({(each.source, each.id): each for each in dossier.decisions})
    ordered = sorted((fact for fact in dossier.facts if at is None or fact.time <= at), key=moment_of) if facts else []
    fold(account, ordered, at)
    return account


def read(dossier: Dossier, program: Program, at: datetime, asked: str | None = None, *, today: bool = True) -> Statement:
    """A member's statement at an instant. `asked`: the instant as it was asked for. `today`: the dossier holds all that is
    known now, so the state as it is kept may be used where it does not lie after `at`. Raises AccountFenced.
    """
    row = dossier.row
    assert row is not None
    if row.fenced is not None:
        raise AccountFenced(row.fenced)
    # One that is kept in another form is told from its facts until it is touched and folded anew.
    kept = today and row.head.format == FORMAT and (row.head.last is None or row.head.last.at <= at)
    account = of_state(dossier, program, at) if kept else of_facts(dossier, program, at)
    text = asked or at.astimezone(ZoneInfo(program.at(at).terms.zone)).isoformat(timespec="seconds")
    return statement(account, row.member_id, row.version, at, text)


def as_json(one: Statement) -> Mapping[str, object]:
    """A statement as it is printed: what may be left out and is not there, is left out."""
    return one.model_dump(mode="json", exclude_defaults=True)
