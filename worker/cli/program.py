"""`loyalty program`: terms as files and as they are registered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli import authoring, coverage, registering, story, trying
from worker.cli.diff import diff
from worker.cli.examples import example
from worker.cli.failures import Exit, Failure
from worker.cli.output import Format, Output, show, tell

if TYPE_CHECKING:
    from worker.decide.program import Program

app = typer.Typer(no_args_is_help=True, help="Terms of the programs.")

FILES_HELP = "Terms files."

app.command(name="new", epilog=example("program new"))(authoring.new)
app.command(name="schema", epilog=example("program schema"))(authoring.schema)
app.command(name="story", epilog=example("program story"))(story.story)
app.command(name="coverage", epilog=example("program coverage"))(coverage.coverage)
app.command(name="try", epilog=example("program try"))(trying.try_)
app.command(name="diff", epilog=example("program diff"))(diff)
app.command(name="apply", epilog=example("program apply"))(registering.apply)
app.command(name="history", epilog=example("program history"))(registering.history)
app.command(name="preview", epilog=example("program preview"))(registering.preview)
app.command(name="approve", epilog=example("program approve"))(registering.approve)


@app.callback()
def terms() -> None:
    """Terms of the programs."""


@app.command(epilog=example("program validate"))
def validate(
    files: Annotated[list[Path], typer.Argument(help=FILES_HELP)],
    output: Output = Format.TABLE,
) -> None:
    """Read terms files strictly, and name every mistake and contradiction with its path, the value and what would be right; and
    warn of what is legal and surely not meant."""
    from contracts.terms_doubts import doubts
    from worker.programs.coverage import STATUSES
    from worker.programs.terms_file import TermsError
    from worker.programs.validation import validated

    rows: list[dict[str, Any]] = []
    mistakes: list[str] = []
    for path in files:
        try:
            program = validated(path)
        except TermsError as error:
            mistakes += str(error).splitlines()
        except UnicodeDecodeError as error:
            mistakes.append(f"{path}: not UTF-8 at byte {error.start}")
        except OSError as error:
            mistakes.append(f"{path}: {(error.strerror or 'cannot be read').lower()}")
        else:
            rows += _versions(program)
            for doubt in doubts([version.terms for version in program.versions]):
                tell(f"loyalty: warning: {path.name}: {doubt}")
    if rows:
        show(rows, output, "Valid terms", ("program", "effective_from", "hash", "rules", *STATUSES))
    if mistakes:
        raise Failure(Exit.USAGE, *mistakes)


def _read(path: Path) -> Program:
    from worker.programs.terms_file import load

    return load(path)


def _versions(program: Program) -> list[dict[str, Any]]:
    from worker.programs.coverage import counts
    from worker.programs.terms_file import hash_of

    return [
        {
            "program": program.code,
            "effective_from": version.terms.effective_from.isoformat(),
            "hash": hash_of(version.terms)[:16],
            "rules": len(version.terms.rules),
            **counts(version.terms),
        }
        for version in program.versions
    ]


@app.command(name="show", epilog=example("program show"))
def show_program(
    code: Annotated[str, typer.Argument(help="Code of a shipped program, or a terms file.")],
    registered: Annotated[bool, typer.Option("--registered", help="As the database has it, instead of the file.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show the versions of a program; with -o json, their terms in full."""
    program = _found(code, registered)
    if output is Format.TABLE:
        show(_versions(program), output, f"Versions of {program.code}", ("effective_from", "hash", "rules"))
        return
    show([version.terms.model_dump(mode="json", exclude_defaults=True) for version in program.versions], output, "", ())


def _found(code: str, registered: bool) -> Program:
    if not registered:
        from worker.cli.arguments import terms_file

        return _read(terms_file(code))
    from worker.cli.opening import finish

    return finish(_registered(code))


async def _registered(code: str) -> Program:
    from worker.cli.opening import ledger, program_of
    from worker.settings import load

    async with ledger(load()) as store:
        return await program_of(store, code)


@app.command(epilog=example("program rules"))
def rules(
    code: Annotated[str, typer.Argument(help="Code of a shipped program, or a terms file.")],
    registered: Annotated[bool, typer.Option("--registered", help="As the database has it, instead of the file.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """List every rule: where it is in the published terms, what it says, and which parameters carry it out; and every case that
    the published terms leave open: under which rule it is decided, and how."""
    from worker.programs.coverage import told

    program = _found(code, registered)
    terms = program.versions[-1].terms
    rows = [
        {
            "id": rule.id,
            **dict(zip(("document", "section"), rule.place("en"), strict=True)),
            "ja": rule.says.ja,
            "en": rule.says.en,
            "parameters": list(rule.parameters),
            "status": told(rule),
        }
        for rule in terms.rules
    ]
    cases = [{"id": case.id, "rule": case.rule, "ja": case.says.ja, "en": case.says.en} for case in terms.cases]
    if output is not Format.TABLE:
        show([{**row, "cases": [case for case in cases if case["rule"] == row["id"]]} for row in rows], output, "", ())
        return
    rows = [{**row, "parameters": ", ".join(rule.parameters)} for row, rule in zip(rows, terms.rules, strict=True)]
    show(rows, output, f"Rules of {program.code}", ("id", "document", "section", "ja", "en", "parameters", "status"))
    if cases:
        show(cases, output, "Cases that these leave open, and the rule under which each is decided", ("id", "rule", "ja", "en"))
