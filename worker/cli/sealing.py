"""`loyalty ledger seal`: a digest of all chains, made by another login than the worker's, and published."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from worker.cli.failures import Exit, Failure
from worker.cli.output import Format, Output, Pace, show

if TYPE_CHECKING:
    from worker.persist.seals import Seal

COLUMNS: Final = ("program", "number", "sealed_at", "epoch", "accounts", "facts", "digest")


def seal(
    export: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the head of every chain to this new file too, for `verify --against`."),
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Seal every program: one digest over the chains of all its accounts, chained to the seal before, kept for ever, and
    published to `loyalty.ledger-digest`.

    Run it from time to time with a login of `loyalty_sealer`, from another machine than the workers'. Keep the file elsewhere.
    """
    from worker.cli.opening import finish

    made = finish(_seal(export))
    rows = [{name: getattr(each, name) for name in COLUMNS} for each in made]
    shown = [row | {"sealed_at": row["sealed_at"].isoformat(), "digest": row["digest"].hex()} for row in rows]
    show(shown, output, "Seals", COLUMNS)


async def _seal(export: Path | None) -> list[Seal]:
    from worker.cli.opening import ledger
    from worker.persist import ConstraintError
    from worker.settings import load
    from worker.upkeep.sealing import seal as seal_all

    settings = load()
    unfinished = export.with_name(f"{export.name}.unfinished") if export is not None else None
    if export is not None and export.exists():  # noqa: ASYNC240 - nothing else runs
        raise Failure(Exit.USAGE, f"--export: {export} is there already: what was sealed before is worth keeping")
    pace = Pace("chain")
    with ExitStack() as stack:
        file = stack.enter_context(unfinished.open("wb")) if unfinished is not None else None
        async with ledger(settings) as store, store.connection() as connection:
            try:
                made = await seal_all(connection, file.write if file is not None else None, pace.add)
            except ConstraintError:
                raise Failure(Exit.AWAY, "another login sealed at the same time: do it again") from None
        if file is not None:
            file.flush()
            os.fsync(file.fileno())
    if unfinished is not None and export is not None:
        unfinished.rename(export)
    pace.end()
    return made
