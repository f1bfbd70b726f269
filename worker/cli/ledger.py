"""`loyalty ledger`: is it right, and what was decided in it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from worker.cli import balances
from worker.cli.failures import Exit
from worker.cli.output import Format, Output, show, show_lines, tell, to_json

app = typer.Typer(no_args_is_help=True, help="The ledger as a whole.")

app.command(name="open")(balances.open_accounts)


@app.callback()
def whole() -> None:
    """The ledger as a whole."""


@app.command()
def verify(
    account: Annotated[
        list[str] | None, typer.Option(metavar="ID|PROGRAM:MEMBER", help="Only this account; may be given again.")
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Check every invariant, and that each account's facts, folded anew, give its state. Exits with 1 if anything is found."""
    from worker.cli.opening import finish

    count = finish(_verify(account, output))
    raise typer.Exit(Exit.FINDING if count else Exit.OK)


async def _verify(names: list[str] | None, output: Format) -> int:
    from worker.cli.asking import violations
    from worker.cli.opening import accounts_of, ledger
    from worker.settings import load

    settings = load()
    accounts = accounts_of(settings, names)
    found: list[dict[str, Any]] = []
    count = 0
    async with ledger(settings) as store:
        async for violation in violations(store, accounts):
            row = {
                "invariant": violation.invariant,
                "account_id": str(violation.account_id) if violation.account_id is not None else None,
                "detail": violation.detail,
            }
            count += 1
            if output is Format.NDJSON:
                show_lines([row])
            else:
                found.append(row)
    if output is Format.JSON or found:
        show(found, output, "Violations", ("invariant", "account_id", "detail"))
    elif output is Format.TABLE:
        print("The ledger is sound: every invariant holds, and every account is what its facts say.")  # noqa: T201 - the answer
    if count:
        tell(f"loyalty: {count} violations")
    return count


@app.command()
def decisions(
    program: Annotated[str, typer.Argument(help="Program code.")],
    output: Output = Format.NDJSON,
) -> None:
    """The verdicts on redemptions that were taken, as `simulate --decisions` reads them."""
    from worker.cli.opening import finish

    finish(_decisions(program, output))


async def _decisions(program: str, output: Format) -> None:
    import msgspec

    from worker.cli.opening import ledger, program_of
    from worker.settings import load

    rows: list[dict[str, Any]] = []
    settings = load()
    async with ledger(settings) as store:
        await program_of(store, program)
        async for dossier in store.dossiers():
            if dossier.row is None or dossier.row.program != program:
                continue
            for decision in sorted(dossier.decisions, key=lambda each: (each.source, each.id)):
                row: dict[str, Any] = msgspec.to_builtins(decision)
                if output is Format.NDJSON:
                    print(to_json(row))  # noqa: T201 - the answer
                else:
                    rows.append(row)
    if output is not Format.NDJSON:
        show(rows, output, f"Decisions of {program}", ("source", "id", "verdict", "points", "reason"))
