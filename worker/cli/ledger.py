"""`loyalty ledger`: whether the ledger is right, and what was decided in it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from worker.cli import erasing, rebuilding, refolding, restoring, sealing, taking_over
from worker.cli.examples import example
from worker.cli.ledger_verify import verify
from worker.cli.output import Format, Output, show, to_json

app = typer.Typer(no_args_is_help=True, help="The ledger as a whole.")

app.command(name="open", epilog=example("ledger open"))(taking_over.open_accounts)
app.command(name="verify", epilog=example("ledger verify"))(verify)
app.command(name="rebuild", epilog=example("ledger rebuild"))(rebuilding.rebuild)
app.command(name="refold", epilog=example("ledger refold"))(refolding.refold)
app.command(name="seal", epilog=example("ledger seal"))(sealing.seal)
app.command(name="erase", epilog=example("ledger erase"))(erasing.erase)
app.command(name="restored")(restoring.restored)


@app.callback()
def whole() -> None:
    """The ledger as a whole."""


@app.command(epilog=example("ledger decisions"))
def decisions(
    program: Annotated[str, typer.Argument(help="Program code.")],
    output: Output = Format.NDJSON,
) -> None:
    """Print verdicts on redemptions and what was paid out in money, as `simulate --decisions` reads them."""
    from worker.cli.opening import finish

    finish(_decisions(program, output))


async def _decisions(program: str, output: Format) -> None:
    from datetime import timedelta

    import msgspec

    from worker.cli.opening import ledger, program_of
    from worker.decide.payout import settled_until
    from worker.decide.state import CLOCK_SOURCE, Decision, clock_moment
    from worker.due.pace import due_until
    from worker.settings import load

    rows: list[dict[str, Any]] = []
    settings = load()
    async with ledger(settings) as store:
        pays_out = (await program_of(store, program)).pays_out
        # Before the accounts are read: each has come at least so far, or has something due.
        watermark = await store.watermark()
        come = due_until(watermark, (await store.state()).now, timedelta(seconds=settings.watermark.grace_seconds))
        async for dossier in store.dossiers():
            if dossier.row is None or dossier.row.program != program:
                continue
            taken = {(each.source, each.id): each for each in dossier.decisions if not each.withdraws}
            if pays_out and (until := settled_until(dossier.row.head, come)) is not None:
                name = clock_moment(until).name  # that nothing was paid is a decision too
                taken.setdefault(name, Decision(*name, verdict="accepted", points=0))
            for _, decision in sorted(taken.items()):
                row: dict[str, Any] = msgspec.to_builtins(decision)
                if decision.source == CLOCK_SOURCE:  # others were paid at the same instant
                    row["member_id"] = dossier.row.member_id
                if output is Format.NDJSON:
                    print(to_json(row))  # noqa: T201 - the answer
                else:
                    rows.append(row)
    if output is not Format.NDJSON:
        show(rows, output, f"Decisions of {program}", ("source", "id", "verdict", "points", "reason", "member_id"))
