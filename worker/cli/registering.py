"""Terms on their way into the database: registered, previewed and approved, with who, when, why and from which file."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contracts.counting import counted
from worker.cli.failures import Exit, Failure
from worker.cli.output import Format, Output, show, tell

if TYPE_CHECKING:
    from worker.persist import Terms
    from worker.programs.registry import Origin, Outcome, Version

COLUMNS = ("effective_from", "hash", "state", "applied_by", "applied_at", "approved_by", "approved_at", "reason")
NAME = Annotated[str, typer.Argument(metavar="HASH", help="The version: the first digits of its hash.")]
CODE = Annotated[str, typer.Argument(help="Code of a registered program.")]


def apply(
    file: Annotated[Path, typer.Argument(help="A terms file.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; kept with each new version.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a registered version that is not in force yet and whose content differs.")
    ] = False,
) -> None:
    """Register each version of a terms file for ever, by its hash, with the login, the reason and the digest of the file.

    A version ahead counts at once. One that is dated back, in a program that has accounts, is kept as a proposal: it counts when
    another login approves it (`program preview`, `program approve`). A version in force is never replaced: what it should have
    said is proposed like that.
    """
    from worker.cli.opening import finish
    from worker.programs.registry import Origin
    from worker.programs.terms_file import read, text_of
    from worker.programs.validation import checked
    from worker.runtime.sweeper import PERIOD_SECONDS

    if not reason.strip():
        raise Failure(Exit.USAGE, "--reason: should say why")
    text = text_of(file)
    program = checked(read(text, file.name), file.name)
    versions = [version.terms for version in program.versions]
    done = finish(_apply(versions, Origin(sha256(text.encode()).digest(), reason.strip()), replace))
    for each in done.waiting:
        name = f"{each.program} {_name(each)}"
        tell(
            f"{each.program}: the version of {each.effective_from} is dated back, so it is proposed and does not count yet: see "
            f"whose points it would move (`loyalty program preview {name}`), and have another person approve it "
            f"(`loyalty program approve {name}`)"
        )
    taken_up = f"running workers take them up within {PERIOD_SECONDS:.0f} s"
    tell(f"{program.code}: {done.registered} of {counted(len(versions), 'version')} registered now; {taken_up}")


async def _apply(versions: list[Any], origin: Origin, replace: bool) -> Outcome:
    from worker.cli.opening import ledger
    from worker.programs.registry import register
    from worker.settings import load

    async with ledger(load()) as store:
        return await register(store, versions, origin, replace=replace)


def history(code: CODE, output: Output = Format.TABLE) -> None:
    """Every version that was ever registered or proposed: since when, who, why, from which file, and who approved it."""
    from worker.cli.opening import finish

    rows = [_row(each) for each in finish(_history(code))]
    if output is Format.TABLE:
        rows = [{name: "" if value is None else value for name, value in row.items()} for row in rows]
    show(rows, output, f"History of {code}", COLUMNS)


async def _history(code: str) -> list[Version]:
    from worker.cli.opening import ledger, program_of
    from worker.programs.registry import history
    from worker.settings import load

    async with ledger(load()) as store:
        await program_of(store, code)
        return await history(store, code)


def preview(
    code: CODE,
    name: NAME,
    workers: Annotated[int, typer.Option(min=1, max=64, help="How many processes look at once.")] = 1,
    output: Output = Format.TABLE,
) -> None:
    """Whose points and tiers a proposed version would move, if it were approved and the accounts folded anew. Only reads.

    Exits with 1 if an account cannot be folded under it.
    """
    from worker.cli.opening import finish
    from worker.cli.refolding import preview as preview_refold

    failed = finish(preview_refold(finish(_proposal(code, name)), workers, output))
    raise typer.Exit(Exit.FINDING if failed else Exit.OK)


async def _proposal(code: str, name: str) -> Terms:
    from worker.cli.opening import ledger
    from worker.programs.registry import proposal
    from worker.settings import load

    async with ledger(load()) as store:
        return await proposal(store, code, name)


def approve(code: CODE, name: NAME) -> None:
    """Approve a version that was proposed by another login of the database. It counts from then on, back to its beginning."""
    from worker.cli.opening import finish
    from worker.runtime.sweeper import PERIOD_SECONDS

    done = finish(_approve(code, name))
    tell(
        f"{code}: the version of {done.effective_from} counts now, as {done.applied_by} proposed and {done.approved_by} approved "
        f"it; running workers take it up within {PERIOD_SECONDS:.0f} s"
    )
    tell(f"{code}: then have its accounts folded anew: `loyalty ledger refold --program {code} --apply --reason TEXT`")


async def _approve(code: str, name: str) -> Terms:
    from worker.cli.opening import ledger
    from worker.programs.registry import proposal
    from worker.settings import load

    async with ledger(load()) as store:
        found = await proposal(store, code, name)
        await store.approve_terms(found)
        (done,) = [each for each in await store.terms() if (each.hash, each.applied_at) == (found.hash, found.applied_at)]
        return done


def _name(terms: Terms) -> str:
    return terms.hash.hex()[:16]


def _row(version: Version) -> dict[str, Any]:
    row = version.row
    return {
        "effective_from": row.effective_from.isoformat(),
        "hash": _name(row),
        "state": version.state,
        "applied_by": row.applied_by,
        "applied_at": row.applied_at.isoformat(timespec="seconds"),
        "approved_by": row.approved_by,
        "approved_at": row.approved_at.isoformat(timespec="seconds") if row.approved_at is not None else None,
        "reason": row.reason,
        "file_sha256": row.file_digest.hex(),
    }
