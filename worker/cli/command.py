"""`loyalty command`: commands that give more than a ceiling, and the second person who lets them go or refuses them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contracts.counting import counted
from worker.cli.examples import example
from worker.cli.failures import Exit, Failure
from worker.cli.output import Format, Output, show, tell

if TYPE_CHECKING:
    from worker.persist import HeldCommand

app = typer.Typer(no_args_is_help=True, help="Commands that wait for a second person.")

COLUMNS = ("name", "program", "member_id", "points", "ceiling", "type", "operator", "source", "id", "held_at", "state")
NAMES = Annotated[list[str], typer.Argument(metavar="NAME...", help="As `command list` names them; the first digits do.")]
WHY = Annotated[str, typer.Option(metavar="TEXT", help="Why; kept with the command.")]
WHO = Annotated[str, typer.Option(metavar="NAME", help="Who you are, as commands name their operators; kept beside the login.")]
APPLY = Annotated[bool, typer.Option("--apply", help="Do it; without it only what would be decided is shown.")]


@app.callback()
def commands() -> None:
    """Commands that wait for a second person."""


@app.command(name="list", epilog=example("command list"))
def list_(
    program: Annotated[str | None, typer.Option(metavar="CODE", help="Only commands of this program.")] = None,
    decided: Annotated[bool, typer.Option("--decided", help="Also those that somebody has decided about.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """List the commands above a ceiling that are no facts until another person approves them, the longest held first."""
    from worker.cli.opening import finish

    show([_row(each) for each in finish(_held(program, decided=decided))], output, "Held commands", COLUMNS)


@app.command(epilog=example("command approve"))
def approve(names: NAMES, operator: WHO, reason: WHY, apply: APPLY = False, output: Output = Format.TABLE) -> None:
    """Let held commands go: a worker makes each the fact that it would have been, once, at its own time.

    Needs a login in loyalty_approver; whoever sent a command cannot approve it.
    """
    _decide("approved", names, operator, reason, output, apply=apply)


@app.command(epilog=example("command reject"))
def reject(names: NAMES, operator: WHO, reason: WHY, apply: APPLY = False, output: Output = Format.TABLE) -> None:
    """Refuse held commands, for ever: the same command sent again stays refused. Needs a login in loyalty_approver."""
    _decide("rejected", names, operator, reason, output, apply=apply)


@app.command(epilog=example("command sign"))
def sign(
    events: Annotated[Path, typer.Argument(help="Structured CloudEvents, one a line.")],
    key: Annotated[Path, typer.Option(help="A private key of Ed25519 as `openssl genpkey -algorithm ed25519` writes it.")],
) -> None:
    """Print events with their signatures, as a sender signs them. Needs no server."""
    from worker.cli.signing import signed

    for line in signed(events, key):
        print(line)  # noqa: T201 - the answer


def _decide(verdict: str, names: list[str], operator: str, reason: str, output: Format, *, apply: bool) -> None:
    from worker.cli.opening import finish

    for option, text in (("--operator", operator), ("--reason", reason)):
        if not text.strip():
            raise Failure(Exit.USAGE, f"{option}: should not be empty")
    found = finish(_decided(verdict, names, (operator.strip(), reason.strip()), apply=apply))
    show([_row(each) for each in found], output, "Held commands", COLUMNS)
    points = counted(sum(each.points for each in found), "point")
    what = f"{counted(len(found), 'command')} of {points}"
    if not apply:
        tell(f"{what}: nothing is decided; --apply does it")
    elif verdict == "approved":
        from worker.runtime.sweeper import PERIOD_SECONDS

        tell(f"{what}: approved; running workers apply it within {PERIOD_SECONDS:.0f} s")
    else:
        tell(f"{what}: rejected")


async def _held(program: str | None, *, decided: bool = False) -> list[HeldCommand]:
    from worker.cli.opening import ledger
    from worker.settings import load

    async with ledger(load()) as store:
        return await store.held_commands(program, decided=decided)


async def _decided(verdict: str, names: list[str], said: tuple[str, str], *, apply: bool) -> list[HeldCommand]:
    from worker.cli.opening import ledger
    from worker.settings import load

    async with ledger(load()) as store:
        found = _named(names, await store.held_commands())
        for each in found if apply else ():
            await store.decide_command(each, verdict, *said)
        return found


def _named(names: list[str], held: list[HeldCommand]) -> list[HeldCommand]:
    """The commands of these names, each once. Raises Failure for a name of none, or of several."""
    found = {}
    for name in names:
        matching = [each for each in held if name and each.short_name.startswith(name)]
        if len(matching) != 1:
            why = "several begin so, give more digits" if matching else "no command of this name waits: `loyalty command list`"
            raise Failure(Exit.USAGE, f"{name}: {why}")
        found[matching[0].short_name] = matching[0]
    return list(found.values())


def _row(held: HeldCommand) -> dict[str, Any]:
    event, verdict = held.event, held.verdict
    row: dict[str, Any] = {
        "name": held.short_name,
        "program": held.program,
        "member_id": event.member_id,
        "points": held.points,
        "ceiling": held.ceiling,
        "type": event.type,
        "operator": held.operator,
        "source": event.source,
        "id": event.id,
        "time": event.time.isoformat(),
        "held_at": held.held_at.isoformat(timespec="seconds") if held.held_at is not None else None,
        "state": "waits" if verdict is None else verdict.verdict if verdict.applied_at is None else f"{verdict.verdict}, done",
    }
    if verdict is not None:
        row |= {"decided_by": verdict.given_by, "login": verdict.login, "reason": verdict.reason}
        row["decided_at"] = verdict.given_at.isoformat(timespec="seconds")
    return row
