"""`loyalty program diff`: what new terms would change for every member, before anything is live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from contracts.counting import counted
from worker.cli.failures import Exit, Failure
from worker.cli.output import Format, Output, Progress, show_json, show_lines, show_table

if TYPE_CHECKING:
    from worker.decide.program import Program
    from worker.simulation.whatif import Difference, Total

_T = TypeVar("_T")


def diff(
    old: Annotated[str, typer.Argument(help="Terms as they are: code of a program, or a terms file.")],
    new: Annotated[str, typer.Argument(help="Terms as they might be: code of a program, or a terms file.")],
    events: Annotated[Path | None, typer.Option(help="The history: structured CloudEvents, one a line.")] = None,
    database: Annotated[bool, typer.Option("--database", help="The history: the facts of the ledger's accounts.")] = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change one value of the new terms.")
    ] = None,
    at: Annotated[str | None, typer.Option(help="Compare at this instant; default: the last event, or now.")] = None,
    members_max: Annotated[int, typer.Option("--top", min=0, help="Members in the table, those with most to change first.")] = 20,
    output: Output = Format.TABLE,
) -> None:
    """Fold one history under two terms, and show per member and in sum what would change. Nothing is written.

    Redemptions are decided anew under both, in business order. With -o ndjson each member that changes is a line as soon as it is
    known, and the sums are the last line.
    """
    from worker.cli.arguments import instant, terms_file
    from worker.cli.changes import program_with

    if (events is None) == (not database):
        raise Failure(Exit.USAGE, "give the history: either --events FILE or --database")
    until = instant(at, "--at") if at is not None else None
    new_terms = program_with(terms_file(new), None, set_ or [])
    if events is not None:
        show_differences(_of_events(program_with(terms_file(old), None, []), new_terms, events, until), output, members_max)
    else:
        show_differences(_of_database(old, new_terms, until), output, members_max)


def _of_events(old: Program, new: Program, path: Path, at: datetime | None) -> Iterator[Difference]:
    from worker.cli.simulation import Reading
    from worker.simulation.whatif import Histories, compare

    histories = Histories((old, new))
    last: datetime | None = None
    for event in Reading(path).events():
        histories.add(event)
        last = event.time if last is None else max(last, event.time)
    until = at or last
    if until is not None:
        yield from (compare(old, new, member, facts, until) for member, facts in histories.members())


def _of_database(old: str, new: Program, at: datetime | None) -> Iterator[Difference]:
    """Differences of the ledger's accounts, each read when it is asked for."""
    with asyncio.Runner() as runner:
        found = _accounts(old, new, at)
        while (one := runner.run(_next(found))) is not None:
            yield one


async def _next(found: AsyncIterator[_T]) -> _T | None:
    return await anext(found, None)


async def _accounts(old: str, new: Program, at: datetime | None) -> AsyncIterator[Difference]:
    from worker.cli.arguments import terms_file
    from worker.cli.changes import program_with
    from worker.cli.opening import ledger
    from worker.programs.registry import programs
    from worker.settings import load
    from worker.simulation.whatif import compare

    async with ledger(load()) as store:
        registered = {program.code: program for program in await programs(store)}
        terms = registered.get(old) or program_with(terms_file(old), None, [])
        until = at or (await store.state()).now
        async for dossier in store.dossiers():
            if dossier.row is not None and dossier.row.program == terms.code:
                if dossier.unreadable is not None:
                    raise Failure(Exit.FINDING, f"an account has {dossier.unreadable}: see `loyalty ledger verify`")
                facts = [fact for fact in dossier.facts if (fact.source, fact.id) not in dossier.withdrawn]
                yield compare(terms, new, dossier.row.member_id, facts, until)


def show_differences(differences: Iterator[Difference], output: Format, members_max: int) -> None:
    """Print members that change, and the sums of all."""
    from worker.simulation.whatif import Total

    total = Total()
    changed = _changed(differences, total)
    match output:
        case Format.NDJSON:
            show_lines(_as_json(each) for each in changed)
            show_lines([{"total": _total_json(total)}])
        case Format.JSON:
            members = [_as_json(each) for each in changed]
            show_json({"total": _total_json(total), "members": members})
        case Format.TABLE:
            _show_tables(changed, total, members_max)


def _changed(differences: Iterator[Difference], total: Total) -> Iterator[Difference]:
    progress = Progress("members compared", 500)
    for each in differences:
        total.add(each)
        progress.at(total.members)
        if each.any:
            yield each
    progress.end()


def _as_json(one: Difference) -> dict[str, Any]:
    changes = {name: [one.old.numbers[name], one.new.numbers[name]] for name in one.changes}
    tier = {"tier": [one.old.tier, one.new.tier]} if one.old.tier != one.new.tier else {}
    return {"member_id": one.member_id, **changes, **tier}


def _total_json(total: Total) -> dict[str, Any]:
    from worker.simulation.whatif import NUMBERS

    return {
        "members": total.members,
        "changed": total.changed,
        **{name: [total.old[name], total.new[name]] for name in NUMBERS},
        "tiers": [{"from": old, "to": new, "members": count} for (old, new), count in sorted(total.tiers.items(), key=str)],
    }


def _show_tables(changed: Iterator[Difference], total: Total, members_max: int) -> None:
    from heapq import nlargest

    from worker.simulation.whatif import NUMBERS

    most = nlargest(members_max, changed, key=lambda one: (sum(map(abs, one.changes.values())), one.member_id))
    for _ in changed:
        pass  # with no place for any, they still count
    rows = [
        (name.replace("_", " "), total.old[name], total.new[name], _plus(total.new[name] - total.old[name])) for name in NUMBERS
    ]
    change = "changes" if total.changed == 1 else "change"
    show_table(f"{total.changed:,} of {counted(total.members, 'member')} {change}", ("", "old", "new", "change"), rows)
    if total.tiers:
        moves = [(old or "none", new or "none", count) for (old, new), count in sorted(total.tiers.items(), key=str)]
        show_table("Tiers", ("from", "to", "members"), moves)
    if most:
        shown = [name for name in NUMBERS if any(name in one.changes for one in most)]
        cells = [[one.member_id, *(_plus(one.changes.get(name, 0)) for name in shown), _tiers(one)] for one in most]
        title = "Members with most to change" if total.changed > len(most) else "Members"
        show_table(title, ("member_id", *shown, "tier"), cells)


def _plus(change: int) -> str:
    return f"{change:+,}" if change else ""


def _tiers(one: Difference) -> str:
    return f"{one.old.tier or 'none'} → {one.new.tier or 'none'}" if one.old.tier != one.new.tier else ""
