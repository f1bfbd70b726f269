"""`loyalty ledger refold`: what this release, or the terms registered now, give otherwise than it was posted; and moving it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from contracts.counting import counted
from worker.cli.failures import Exit, Failure
from worker.cli.output import Format, Output, Pace, show, show_lines, tell
from worker.cli.resuming import Cursor

if TYPE_CHECKING:
    from worker.persist import Terms
    from worker.settings import Settings
    from worker.upkeep.audit import Looked
    from worker.upkeep.refold import Moved

COLUMNS = ("account_id", "program", "available", "pending", "on_hold", "previous_tier", "tier", "entries", "fenced", "defect")
TABLE_ROWS_MAX: Final = 1_000
"""How many accounts a table shows."""
WRITTEN_AT_ONCE: Final = 50
"""How many accounts are moved in one transaction."""


def refold(
    account: Annotated[
        list[str] | None, typer.Option(metavar="ID|PROGRAM:MEMBER", help="Only this account; may be given again.")
    ] = None,
    program: Annotated[str | None, typer.Option(metavar="CODE", help="Only accounts of this program.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Only accounts that were written since then.")] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Only show what would move; so it is without --apply.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Move it, in entries with the reason `refold`.")] = False,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="With --apply: why, for the log.")] = None,
    operator: Annotated[
        str | None, typer.Option(metavar="NAME", help="With --apply: who, for the log; left out, the login's name.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="How many processes look at once.")] = 1,
    resume: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep in this file how far it is, and go on from there next time.")
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Fold accounts anew from their facts, and tell whose points and tiers come out otherwise than they were posted. Only reads,
    unless --apply is given: then the differences are posted, one new version an account.

    Facts that are not posted yet, and verdicts that were announced, stay as they are. Workers may run beside it. May be
    interrupted and run again. Exits with 1 if anything would move, or an account cannot be folded.
    """
    from worker.cli.opening import finish

    if preview and apply:
        raise Failure(Exit.USAGE, "give --preview or --apply, not both")
    if apply and not (reason or "").strip():
        raise Failure(Exit.USAGE, "--apply: give --reason as well: why these points move, for the log")
    if not apply and (reason or operator):
        raise Failure(Exit.USAGE, "--reason, --operator: are for --apply")
    if account and (program or resume):
        raise Failure(Exit.USAGE, "--account: is not for --program or --resume")
    asked = _Asked(account, program, since, workers, resume, apply, reason, operator or getuser())
    bad = finish(_refold(asked, _Report(output, apply)))
    raise typer.Exit(Exit.FINDING if bad else Exit.OK)


@dataclass(frozen=True, slots=True)
class _Asked:
    accounts: list[str] | None
    program: str | None
    since: str | None
    workers: int
    resume: Path | None
    apply: bool
    reason: str | None
    operator: str
    proposed: Terms | None = None


async def preview(proposed: Terms, workers: int, output: Format) -> int:
    """Print what a refold would move if this version were approved; returns how many accounts cannot be folded under it."""
    report = _Report(output, applied=False)
    await _refold(_Asked(None, proposed.program, None, workers, None, False, None, "", proposed), report)
    return report.failed


async def _refold(asked: _Asked, report: _Report) -> int:
    """How many accounts are not as they should be in the end, those of the runs that this one goes on with too."""
    from worker.cli.opening import ledger, program_of
    from worker.settings import load

    settings = load()
    given = {"program": asked.program, "since": asked.since, "apply": asked.apply or None}
    cursor = Cursor(asked.resume, "ledger refold", given)
    pace = Pace("account looked at", "accounts looked at", done=cursor.accounts)
    if asked.program is not None:
        async with ledger(settings) as store:
            await program_of(store, asked.program)
    async for looked in _written(settings, asked, cursor) if asked.apply else _looked(settings, asked, cursor):
        for each in looked.found:
            report.add(each)
        bad = sum(each.defect is not None or not asked.apply for each in looked.found)
        cursor.move(looked.after, looked.accounts, bad)
        pace.add(looked.accounts)
    pace.end()
    cursor.end()
    report.end(cursor.accounts)
    return cursor.found


async def _looked(settings: Settings, asked: _Asked, cursor: Cursor) -> AsyncIterator[Looked[Moved]]:
    """What would move, chunk by chunk; only reads."""
    from worker.cli.arguments import instant
    from worker.cli.opening import accounts_of
    from worker.persist import StoreOptions
    from worker.upkeep.audit import AuditRequest, look
    from worker.upkeep.refold import moved

    since = instant(asked.since, "--since") if asked.since is not None else None
    named = accounts_of(settings, asked.accounts)
    request = AuditRequest(since, named, cursor.after, asked.workers, asked.program, asked.proposed)
    options = StoreOptions(connections_max=2, role=settings.postgres.role, read_only=True)
    async for looked in look(settings.postgres.full_dsn(), options, request, moved):
        yield looked


async def _written(settings: Settings, asked: _Asked, cursor: Cursor) -> AsyncIterator[Looked[Moved]]:
    """What was moved, chunk by chunk: those that a look finds are read and written again, a few at a time."""
    from dataclasses import replace

    from worker import log
    from worker.cli.opening import ledger
    from worker.cli.rebuilding import checked
    from worker.decide.change import Refold
    from worker.due.pace import due_until
    from worker.runtime.build import VERSION
    from worker.upkeep.refold import apply

    async with AsyncExitStack() as stack:
        stack.enter_context(log.for_a_while("info", settings.log.form))
        store = await stack.enter_async_context(ledger(settings))
        catalogue = await checked(store, settings)
        state = await store.state()
        until = due_until(await store.watermark(), state.now, timedelta(seconds=settings.watermark.grace_seconds))
        run = Refold(f"{VERSION}/{datetime.now(UTC).isoformat(timespec='seconds')}")
        who = {"run": run.run, "fold": run.fold, "operator": asked.operator, "reason": asked.reason}
        async for looked in _looked(settings, asked, cursor):
            done: list[Moved] = []
            for place in range(0, len(looked.found), WRITTEN_AT_ONCE):
                accounts = [each.account_id for each in looked.found[place : place + WRITTEN_AT_ONCE]]
                done += await apply(store, catalogue, accounts, until, state.epoch, run)
            if done:
                log.get_logger(__name__).info("ledger_refolded", accounts=len(done), after=str(looked.after), **who)
            yield replace(looked, found=done)


class _Report:
    """The accounts as they are found: a line each, or a table at the end; and what they come to in sum."""

    def __init__(self, output: Format, applied: bool) -> None:
        self._output = output
        self._verb = "moved" if applied else "would move"
        self._rows: list[dict[str, Any]] = []
        self._count = self.failed = self._not_shown = self._up = self._down = 0
        self._by: dict[tuple[str, str, str], Counter[str]] = {}

    def add(self, one: Moved) -> None:
        """One account more."""
        self._count += one.defect is None
        self.failed += one.defect is not None
        points = one.available + one.pending + one.on_hold
        self._up += max(points, 0)
        self._down += max(-points, 0)
        for each in one.movements:
            inwards = each.target in ("pending", "available", "held")
            sums = self._by.setdefault((one.program, each.rule, each.reason), Counter())
            sums["in" if inwards else "out"] += each.points
            sums["entries"] += 1
        if self._output is Format.NDJSON:
            show_lines([_row(one)])
        elif self._output is Format.TABLE and len(self._rows) == TABLE_ROWS_MAX:
            self._not_shown += 1
        else:
            self._rows.append(_row(one))

    def end(self, looked_at: int) -> None:
        """Print what is to be printed at the end."""
        if self._output is Format.JSON:
            show(self._rows, self._output, "", ())
        elif self._output is Format.TABLE and self._rows:
            rows = [{**row, "entries": len(row["movements"])} for row in self._rows]
            show(rows, self._output, "Accounts", COLUMNS)
            show(list(self._sums()), self._output, "By rule", ("program", "rule", "corrects", "entries", "into", "out_of"))
        if self._not_shown:
            tell(f"{self._not_shown:,} more {'is' if self._not_shown == 1 else 'are'} not shown: -o ndjson prints all of them")
        tell(
            f"{counted(looked_at, 'account')} looked at; {self._count:,} {self._verb}: {self._up:,} points up, "
            f"{self._down:,} down; {self.failed:,} cannot be folded"
        )

    def _sums(self) -> Sequence[dict[str, Any]]:
        """By rule and the reason of what is put right: points that come into the accounts and that go out of them."""
        return [
            {"program": program, "rule": rule, "corrects": reason, "entries": n["entries"], "into": n["in"], "out_of": n["out"]}
            for (program, rule, reason), n in sorted(self._by.items())
        ]


def _row(one: Moved) -> dict[str, Any]:
    row = {**asdict(one), "account_id": str(one.account_id)}
    row["movements"] = [
        {**{name: value for name, value in asdict(each).items() if value is not None}, "at": each.at.isoformat()}
        for each in one.movements
    ]
    return row
