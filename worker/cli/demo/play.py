"""The demo's course: set up, send the day, wait until it is drained, show what came of it, stop everything."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import FrameType
from typing import NoReturn

from contracts.counting import counted
from worker.cli.asking import all_statements, violations
from worker.cli.demo.day import broken_record, lines, records
from worker.cli.demo.stage import PROGRAMS, Stage
from worker.cli.demo.traffic import Published, drained, read_published, send
from worker.cli.failures import Exit
from worker.cli.member import COLUMNS
from worker.cli.opening import finish, ledger
from worker.cli.output import console, show_table, tell
from worker.persist import Violation
from worker.settings import Settings

LINES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the day."""

    statements: Sequence[Mapping[str, object]]
    published: Published
    violations: Sequence[Violation]

    @property
    def right(self) -> bool:
        """Whether everything is as it must be."""
        dead = [letter.value for letter in self.published.dead]
        return not self.violations and self.published.gapless and dead == [broken_record()]


def play(*, keep: bool) -> int:
    """Play the day. `keep`: leave everything running. Returns the exit code."""
    signal.signal(signal.SIGTERM, _end)
    started = time.monotonic()
    stage = Stage(keep, _said)
    kept = right = wrong = False
    code: int | None = None
    try:
        settings = stage.start()
        outcome = finish(_day(stage, settings))
        _show(outcome)
        right = outcome.right
        wrong = not right
        if keep:
            _how_to_look_around(stage)
            kept = True
    except Exception:
        wrong = True
        raise
    finally:
        if not kept:
            code = stage.stop(clean=not wrong)
            if wrong:
                tell(f"loyalty: what the parts said is in {stage.directory}")
    if not keep:
        right = right and code == 0
        print(f"\nStopped everything that was started; the worker ended with {code}.", end="")  # noqa: T201 - the answer
    print(f" {time.monotonic() - started:.1f} s in all.")  # noqa: T201 - the answer
    return Exit.OK if right else Exit.FINDING


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    """Stopping by a signal goes the ordinary way, so that the parts are stopped too."""
    sys.exit(128 + number)


def _said(what: str, seconds: float) -> None:
    console().print(f"[green]✓[/] {what} [dim]({seconds:.1f} s)[/]", soft_wrap=True)


async def _day(stage: Stage, settings: Settings) -> Outcome:
    started = time.monotonic()
    now = datetime.now(UTC)
    day, years = lines(now)
    sent = list(records(day))
    sent_at = await send(settings.kafka, sent)
    back = f", all of it {counted(years, 'year')} earlier" if years else ""
    topics = len({each.topic for each in sent})
    _said(
        f"Sent      {counted(len(sent), 'record')} to {counted(topics, 'topic')}: one twice, one too early, one broken{back}",
        time.monotonic() - started,
    )
    started = time.monotonic()
    async with ledger(settings) as store:
        await drained(settings.kafka, store, sent_at, lambda: stage.worker is not None and stage.worker.alive)
        _said("Drained   all read, all due done, all published", time.monotonic() - started)
        at = (await store.state()).now
        statements = [one async for one in all_statements(store, at)]
        found = [violation async for violation in violations(store)]
    published = await read_published(settings.kafka)
    return Outcome(sorted(statements, key=lambda one: (str(one["program"]), str(one["member_id"]))), published, found)


def _show(outcome: Outcome) -> None:
    out = console()
    out.print()
    columns = ("program", *COLUMNS)
    show_table("Members", columns, [[one[column] for column in columns] for one in outcome.statements])
    published = outcome.published
    show_table(
        "What a subscriber reads",
        ("topic", "events", "accounts"),
        [
            (topic, len(events), len({(data["program"], data["member_id"]) for data in events}))
            for topic, events in published.events.items()
        ],
    )
    show_table("Some of it", ("account", "version", "event"), _some(published))
    verdict = "every version from 1 on, none missing" if published.gapless else "VERSIONS ARE MISSING"
    out.print(f"Versions of {counted(len(published.accounts), 'account')}: {verdict}.\n")
    sent = broken_record()
    show_table(
        "Dead letters",
        ("topic", "reason", "detail", "bytes"),
        [
            (
                letter.topic,
                letter.headers.get("loyalty_error"),
                letter.headers.get("loyalty_detail"),
                "as they were sent" if letter.value == sent else "OTHERS THAN WERE SENT",
            )
            for letter in published.dead
        ],
    )
    if outcome.violations:
        rows = [(each.invariant, str(each.account_id or ""), each.detail) for each in outcome.violations]
        show_table("loyalty ledger verify", ("invariant", "account", "detail"), rows)
    else:
        out.print("loyalty ledger verify: sound. Every invariant holds; every account is what its facts, folded anew, give.")


def _some(published: Published) -> list[tuple[str, int, str]]:
    """A few of the events in words: decisions and tiers first, then balances."""
    rows: list[tuple[str, int, str]] = []
    for data in published.events["loyalty.redemption-decided"]:
        what = data.get("order_id") or data.get("request_id") or data.get("redemption_id")
        why = f": {data['reason']}" if "reason" in data else ""
        rows.append(_row(data, f"{counted(data['points'], 'point')} for {what} {data['decision']}{why}"))
    for data in published.events["loyalty.tier-changed"]:
        rows.append(_row(data, f"tier {data.get('previous_tier') or '-'} → {data['tier']} ({data['rule']})"))
    for data in published.events["loyalty.points-expiring"]:
        rows.append(_row(data, f"{counted(data['points'], 'point lapses', 'points lapse')} after {data['expires_on']}"))
    for data in reversed(published.events["loyalty.balance-changed"]):
        reasons = ", ".join(f"{entry['reason']} {entry['points']:,} ({entry['rule']})" for entry in data["entries"])
        rows.append(_row(data, f"available {data['available']:,}, pending {data['pending']:,}: {reasons or 'no points moved'}"))
    return rows[:LINES_SHOWN]


def _row(data: Mapping[str, object], what: str) -> tuple[str, int, str]:
    version = data["version"]
    assert isinstance(version, int)
    return f"{data['program']}:{data['member_id']}", version, what


def _how_to_look_around(stage: Stage) -> None:
    environment = stage.write_environment()
    psql = stage.environment["LOYALTY_POSTGRES_DSN"]
    print(  # noqa: T201 - the answer
        f"""
Everything is left running. To look around:
  source {environment}
  loyalty doctor
  loyalty member statement lenovo-pro LP-101
  loyalty ledger verify
  psql '{psql}'
  curl {stage.probe}/ready    {stage.probe}/metrics
  less {stage.directory / "worker.log"}
To stop it, without the first line too:
  {PROGRAMS / "loyalty"} demo --stop
""",
        end="",
    )
