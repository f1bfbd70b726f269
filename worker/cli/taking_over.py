"""`loyalty ledger open`: balances of another ledger become the ones here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.counting import counted
from worker.cli.failures import Exit, Failure
from worker.cli.output import Progress, tell

if TYPE_CHECKING:
    from worker.persist import PostgresStore
    from worker.processing.pipeline import Pipeline
    from worker.settings import Settings
    from worker.upkeep.balances import Mistake, Opened, Opening


def open_accounts(
    program: Annotated[str, typer.Argument(help="Program code.")],
    file: Annotated[Path, typer.Argument(help="Balances, as .ndjson (one member a line) or .csv (one lot a row).")],
    at: Annotated[str, typer.Option(help="Instant of the takeover, with its offset; the same one when run again.")],
    announce: Annotated[
        bool, typer.Option("--announce/--no-announce", help="Whether subscribers are told of balances and tiers.")
    ] = True,
) -> None:
    """Take balances over from another ledger: lots with their last days, tiers, what had counted toward them.

    Every line is checked before anything is written. What was taken over before is left as it is, so an interrupted run is
    simply run again.
    """
    from worker.cli.arguments import instant
    from worker.cli.opening import finish

    as_of = instant(at, "--at")
    if as_of > datetime.now(UTC):
        raise Failure(Exit.USAGE, f"--at {at}: should not be in the future")
    finish(_open(program, file, as_of, announce))


async def _open(code: str, path: Path, at: datetime, announce: bool) -> None:
    from worker.cli.opening import key_of, ledger, program_of
    from worker.settings import load
    from worker.upkeep.balances import Opening
    from worker.upkeep.takeover import contradictions, take_over

    settings = load()
    async with ledger(settings) as store:
        pipeline = await _pipeline(store, settings)
        file = _File(path, Opening(await program_of(store, code), at, announce))
        members, points = file.check()
        found = 0
        async for mistake in contradictions(store, key_of(settings), code, file.lines("compared with the ledger")):
            found += 1
            file.tell(mistake)
        file.refuse(found)
        total = await take_over(pipeline, file.lines("taken over"))
    all_ = f"{counted(members, 'account')} with {counted(points, 'point')}"
    tell(f"{path}: {all_}: {total['applied']:,} opened now, {total['duplicate']:,} before")
    if total["dead_letter"]:
        raise Failure(Exit.FINDING, f"{path}: {total['dead_letter']:,} were opened otherwise meanwhile, and are dead letters")


async def _pipeline(store: PostgresStore, settings: Settings) -> Pipeline:
    from worker.cli.opening import key_of
    from worker.processing.pipeline import Pipeline, PipelineOptions
    from worker.runtime.app import NotReadyError, check
    from worker.upkeep.takeover import ADMISSION

    key = key_of(settings)
    try:
        catalogue = await check(store, key)
    except NotReadyError as error:
        raise Failure(Exit.USAGE, str(error)) from None
    return Pipeline(store, catalogue, PipelineOptions(key, admission=ADMISSION), (await store.state()).epoch)


@dataclass(frozen=True, slots=True)
class _File:
    """The file of balances, read as often as there are things to do with it, so that its size does not matter."""

    path: Path
    opening: Opening

    def check(self) -> tuple[int, int]:
        """Members and points in it, once every line is known to be right. Raises Failure."""
        from worker.upkeep.balances import Mistake, openings

        members, points, mistakes = 0, 0, 0
        progress = Progress("lines checked")
        for each in openings(self.path, self.opening):
            if isinstance(each, Mistake):
                mistakes += 1
                self.tell(each)
            else:
                members += 1
                points += each.points
                progress.at(members)
        progress.end()
        self.refuse(mistakes)
        return members, points

    def lines(self, doing: str) -> Iterator[Opened]:
        """Its lines, which were checked before."""
        from worker.upkeep.balances import Opened, openings

        progress = Progress(doing)
        number = 0
        for number, each in enumerate(openings(self.path, self.opening), 1):
            if not isinstance(each, Opened):
                raise Failure(Exit.USAGE, f"{self.path}:{each.line}: was changed while it was read")
            yield each
            progress.at(number)
        progress.end()

    def tell(self, mistake: Mistake) -> None:
        """A line of its own for each mistake."""
        tell(f"{self.path}:{mistake.line}: {mistake.what}")

    def refuse(self, mistakes: int) -> None:
        """End here if there is anything wrong."""
        if mistakes:
            raise Failure(Exit.USAGE, f"{self.path}: {counted(mistakes, 'mistake')}; nothing was taken over")
