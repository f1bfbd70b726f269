"""A worked example of a program: what happens to one member, step by step, and the account after each, as a page to read.

A story is a YAML file: `member`, and `steps` of an instant (`at`), words (`says`), and an event of the contract (`type`, `data`;
the member's id is filled in where the data has none). A step without an event only lets time pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from contracts.events import EVENT_TYPES, Event
from contracts.statement import Statement
from contracts.terms import Rule
from worker.decide.change import StoredEntry
from worker.decide.program import Program
from worker.decode import Limits, Record, decode
from worker.decode.strict_json import canonical
from worker.programs.coverage import told
from worker.programs.terms_file import PROGRAMS, TermsError, read, text_of
from worker.simulation.simulate import Simulation

_END_OF_TIME: Final = datetime(9000, 1, 1, tzinfo=UTC)
_COLUMNS: Final = ("available", "pending", "on hold", "due back", "tier", "usable through")


def stories() -> dict[str, Path]:
    """The stories that are shipped, by program code."""
    return {path.stem: path for path in sorted((PROGRAMS / "stories").glob("*.yaml"))}


def page(program: Program, file: Path) -> str:
    """The page of a story in Markdown. Raises TermsError for a step that is none, OSError."""
    values = read(text_of(file), file.name)
    member = str(values.get("member", "M1"))
    simulation = Simulation(program)
    lines = [f"# {program.versions[-1].terms.name.told('en')} — a worked example", ""]
    lines += [
        f"<!-- Made by `loyalty program story {program.code}`; do not edit. -->",
        "",
        str(values.get("says", "")).strip(),
        "",
    ]
    posted = 0
    tier: str | None = None
    for number, step in enumerate(values.get("steps", ()), 1):
        at = _instant(step, number, file.name)
        if "type" in step:
            simulation.deliver(_event(program.code, member, number, at, step, file.name))
        simulation.run_clock(at)
        lines += [f"## {number}. {_when(program, at)}: {step['says']}", ""]
        ledger = simulation.ledgers.get(member)
        if ledger is None:
            continue
        new = sorted(ledger.entries[posted:], key=lambda stored: stored.moment)
        posted = len(ledger.entries)
        account = simulation.statement(member, at, at.isoformat())
        lines += [*_told(step), *_moved(program, new), *_level_moved(tier, account.tier), "", *_account(account), ""]
        tier = account.tier
    ledger = simulation.ledgers.get(member)
    lines += [*_rules(program, {stored.entry.rule for stored in ledger.entries} if ledger is not None else set())]
    return "\n".join(lines).rstrip() + "\n"


def _instant(step: Mapping[str, Any], number: int, source: str) -> datetime:
    try:
        at = datetime.fromisoformat(str(step["at"]))
    except (KeyError, ValueError):
        raise TermsError(source, [f"steps.{number}.at: should be a time such as 2024-03-01T12:00:00+09:00"]) from None
    if at.tzinfo is None or "says" not in step:
        raise TermsError(source, [f"steps.{number}: should have `at` with an offset, and `says`"])
    return at.astimezone(UTC)


def _event(code: str, member: str, number: int, at: datetime, step: Mapping[str, Any], source: str) -> Event:
    data = dict(step.get("data", {}))
    model = EVENT_TYPES.get(step["type"])
    if model is not None and "member_id" in model.model_fields:
        data.setdefault("member_id", member)
    event = {"specversion": "1.0", "id": f"{number}", "source": "story", "type": step["type"], "program": code}
    body = canonical({**event, "time": at.isoformat(), "data": data})
    decoded = decode(Record("story", 0, number, 0, None, body, ()), _END_OF_TIME, Limits())
    if not isinstance(decoded, Event):
        raise TermsError(source, [f"steps.{number}: {getattr(decoded, 'detail', 'no event of the contract')}"])
    return decoded


# -- the page


def _when(program: Program, at: datetime) -> str:
    return at.astimezone(program.at(at).days.zone).strftime("%Y-%m-%d %H:%M")


def _told(step: Mapping[str, Any]) -> Iterator[str]:
    if "type" in step:
        data = canonical(step.get("data", {})).decode()
        yield f"`{step['type']}` `{data}`"
        yield ""


def _moved(program: Program, entries: list[StoredEntry]) -> Iterator[str]:
    if not entries:
        yield "No points move."
    for moment, entry in ((stored.moment, stored.entry) for stored in entries):
        words = f"{_when(program, moment.at)}: {entry.points:,} {entry.source} → {entry.target} ({entry.reason}, {entry.rule})"
        yield f"- {words}" + (f", usable through {entry.expires_on}" if entry.expires_on is not None else "")


def _level_moved(before: str | None, tier: str | None) -> Iterator[str]:
    if before is not None and tier != before:
        yield f"- The level changes from {before} to {tier}."


def _rules(program: Program, used: set[str]) -> Iterator[str]:
    yield "## Rules under which points moved"
    yield ""
    for rule in program.versions[-1].terms.rules:
        if rule.id in used:
            yield f"- {_rule(rule)}"
    yield from _gaps(program)


def _rule(rule: Rule) -> str:
    return f"**{rule.id}** ({', '.join(rule.place('en'))}): {rule.says.told('en')}"


def _gaps(program: Program) -> Iterator[str]:
    """Rules that the program does not carry out, or not in full, and those that are told in Japanese for want of English."""
    rules = program.versions[-1].terms.rules
    open_rules = [rule for rule in rules if rule.status in ("in_part", "not_carried_out")]
    if open_rules:
        yield from ("", "## Rules that are not carried out, or in part", "")
        yield from (f"- {_rule(rule)} {told(rule).capitalize()}" for rule in open_rules)
    if lacking := [rule.id for rule in rules if rule.says.lacks("en")]:
        yield from ("", f"Without words in English: {', '.join(lacking)}.")


def _account(statement: Statement) -> Iterator[str]:
    lots = [f"{lot.points:,} {lot.kind} {lot.expires_on or 'for ever'}" for lot in statement.lots]
    cells = [
        f"{statement.available:,}",
        f"{statement.pending:,}",
        f"{statement.on_hold + statement.reserved:,}",
        f"{statement.due_back:,}",
        statement.tier or "",
        ", ".join(lots),
    ]
    yield f"| {' | '.join(_COLUMNS)} |"
    yield f"|{'---|' * len(_COLUMNS)}"
    yield f"| {' | '.join(cells)} |"
    yield from _verdicts(statement)


def _verdicts(statement: Statement) -> Iterator[str]:
    notes = [
        f"Order {order.order_id}: {order.redemption.decision}"
        + (f" ({order.redemption.reason})" if order.redemption.reason else "")
        for order in statement.orders
        if order.redemption is not None
    ]
    notes += [
        f"Request {each.request_id}: {each.decision}" + (f" ({each.reason})" if each.reason else "")
        for each in statement.requests
    ]
    notes += [f"Finding: {each.code}" for each in statement.findings]
    if notes:
        yield ""
        yield f"{'; '.join(notes)}."
