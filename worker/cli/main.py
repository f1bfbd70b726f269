"""The commands. Each imports what it needs when it runs, so that `--help` is quick."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from worker.cli import command, doctor, ledger, member, plan, program, topics
from worker.cli.examples import example
from worker.cli.failures import Exit, Failure, explain
from worker.cli.output import Format, Output, tell
from worker.log import kind_and_places

EPILOG = (
    "Exit codes: 0 all is well; 1 the answer is bad news (violations, a failed check, no such account); 2 an argument, a file, "
    "terms or settings are wrong; 3 Postgres or Kafka is away, or a part did not start; 70 a defect of ours; 130 interrupted."
)


class Commands(TyperGroup):
    """The root of all commands: failures end here, as lines on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(Exit.INTERRUPTED) from None
        except BrokenPipeError:
            sys.stderr.close()  # whoever read the answer has enough of it
            raise typer.Exit(Exit.OK) from None
        except Exception as error:
            if type(error).__module__.split(".")[0] in ("typer", "click"):
                raise  # wrong usage and orderly ends, which typer tells itself
            failure = explain(error)
            if failure is None:
                # Not its words: they may quote what was sent, and go where the log goes.
                tell(f"loyalty: {kind_and_places(error)}")
                tell("loyalty: a defect of ours; please report the line above")
                raise typer.Exit(Exit.DEFECT) from None
            for line in failure.lines:
                tell(f"loyalty: {line}")
            raise typer.Exit(failure.code) from None


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A points ledger kept from orders, shipments, cancels and returns.",
    epilog=EPILOG,
)


def _show_version(asked: bool) -> None:
    if asked:
        from worker.runtime.build import VERSION, the_fold_is

        print(f"loyalty {VERSION}, fold {the_fold_is()}")  # noqa: T201 - the answer
        raise typer.Exit(Exit.OK)


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the release, and exit.")
    ] = False,
) -> None:
    """What stands before a command."""


app.add_typer(member.app, name="member")
app.add_typer(ledger.app, name="ledger")
app.add_typer(program.app, name="program")
app.add_typer(command.app, name="command")
app.add_typer(topics.app, name="topics")


@app.command()
def run() -> None:
    """Run the worker until it is told to stop (SIGTERM: finish what is at hand; again: stop at once)."""
    import asyncio

    from worker import log
    from worker.runtime.app import NotReadyError
    from worker.runtime.app import run as run_worker
    from worker.settings import load

    settings = load()
    log.configure(settings.log.level, settings.log.form)
    try:
        asyncio.run(run_worker(settings))
    except NotReadyError as error:
        raise Failure(Exit.USAGE, str(error)) from None


@app.command()
def migrate(
    only_before: Annotated[
        bool, typer.Option("--only-before", help="Leave out what must wait until no worker of the last release runs.")
    ] = False,
    no_terms: Annotated[
        bool, typer.Option("--no-terms", help="Register no programs: for a database that `ledger rebuild --into` fills.")
    ] = False,
) -> None:
    """Bring the database to the schema of this release, and register the shipped programs where they are missing.

    Needs a user that owns the database; LOYALTY_POSTGRES_ROLE is not used.
    """
    from worker.cli.migration import bring_up
    from worker.cli.opening import key_of
    from worker.settings import load

    settings = load()
    for line in bring_up(settings.postgres.full_dsn(), key_of(settings), only_before=only_before, terms=not no_terms):
        tell(line)


@app.command(epilog=example("simulate"))
def simulate(
    program: Annotated[str, typer.Option(help="Code of a shipped program, or a terms file.")],
    events: Annotated[Path, typer.Option(help="Structured CloudEvents, one a line.")],
    at: Annotated[list[str], typer.Option(help="Instant of the statements, with its offset; may be given again.")],
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change one value of the terms.")] = None,
    overrides: Annotated[Path | None, typer.Option(help="A YAML file of values over the terms.")] = None,
    decisions: Annotated[
        Path | None, typer.Option(help="Verdicts that a worker took, to replay (one JSON object a line).")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if a line of the events is broken.")] = False,
    output: Output = Format.JSON,
) -> None:
    """Deliver events to a ledger in memory and print the statements of all members; needs no server."""
    from worker.cli.arguments import instant, terms_file
    from worker.cli.changes import program_with
    from worker.cli.simulation import Reading, Told, read_decisions
    from worker.cli.simulation import show as show_simulation
    from worker.cli.simulation import simulate as run_simulation

    instants = [(instant(text, "--at"), text) for text in at]
    terms = program_with(terms_file(program), overrides, set_ or [])
    told = read_decisions(decisions) if decisions is not None else Told()
    reading = Reading(events)
    show_simulation(run_simulation(terms, reading, instants, told), output, terms.code)
    words = {"unknown_program": "of other programs"}
    counts = [f"{count:,} {words.get(what, what.replace('_', ' '))}" for what, count in reading.counts.items() if count]
    tell(", ".join(counts) or "no events")
    if strict and reading.counts["broken"]:
        raise typer.Exit(Exit.FINDING)


app.command(name="doctor")(doctor.doctor)
app.command(name="plan", epilog=example("plan"))(plan.plan)


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running, and say how to look around.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop what an earlier --keep left running.")] = False,
) -> None:
    """Play a day of a shop's life through a real worker, with a Postgres and a Kafka of its own."""
    from worker.cli.demo import play, stop_kept_demo

    raise typer.Exit(stop_kept_demo() if stop else play(keep=keep))
