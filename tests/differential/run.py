"""Crowds compared, and lives that fail made small."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from tests.differential.judging import problems
from tests.differential.lives import ORDERS, Crowd, Life, crowd
from tests.differential.playing import CUTTINGS, Stage
from tests.simulation.shrink import spans
from worker.persist import PostgresStore

TRIES_MAX: Final = 80
PLAYS: Final = tuple((order, cutting) for order in ORDERS for cutting in CUTTINGS)


@dataclass(frozen=True, slots=True)
class Failure:
    """A life that came out differently. `tellings`: what is left of it (None: it takes the whole crowd). `size`: of the crowd."""

    seed: int
    size: int
    life: int
    kind: str
    why: str
    tellings: tuple[int, ...] | None = None

    @property
    def command(self) -> str:
        """Replays it."""
        some = f" --life {self.life} --tellings {spans(self.tellings)}" if self.tellings is not None else ""
        return f"python -m tests.differential --crowd {self.seed} --programs {self.size}{some}"


def kind_of(problem: str) -> str:
    """What failed, without the names, numbers and instants of this life."""
    named = re.match(r"[a-z ]+(?:: [a-z_ ]+)?", re.sub(r" at \d\S*:", ":", problem))
    return named[0] if named is not None else problem


class Harness:
    """As many ledgers as there are plays of a crowd, so that they are played at once."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = stages

    async def compare(self, made: Crowd, lives: Sequence[Life]) -> dict[int, list[str]]:
        """What is wrong with each of these lives, by number; those with which nothing is wrong are left out."""
        plays = await asyncio.gather(*(stage.play(made, lives, *place) for stage, place in zip(self._stages, PLAYS, strict=True)))
        found = {}
        for life in lives:
            wrong = problems(made, life, {place: play[life.member] for place, play in zip(PLAYS, plays, strict=True)})
            if wrong:
                found[life.number] = wrong
        return found

    async def fails(self, made: Crowd, life: Life, kind: str | None = None) -> str | None:
        """What is wrong with a life that is played alone, of a kind."""
        found = (await self.compare(made, [life])).get(life.number, [])
        return next((each for each in found if kind in (None, kind_of(each))), None)

    async def shrunk(self, made: Crowd, life: Life, why: str) -> Failure:
        """The failure with as few tellings as possible, if the life fails alone."""
        kind = kind_of(why)
        whole = Failure(made.seed, made.size, life.number, kind, why)
        if await self.fails(made, life, kind) is None:
            return whole
        left, tries = [each.number for each in life.tellings], 0
        size = max(1, len(left) // 2)
        while tries < TRIES_MAX:
            start, before = 0, len(left)
            while start < len(left) and tries < TRIES_MAX:
                some = left[:start] + left[start + size :]
                tries += 1
                if some and (less := await self.fails(made, life.some(some), kind)) is not None:
                    left, why = some, less
                else:
                    start += size
            if size == 1 and len(left) == before:
                break
            size = max(1, size // 2)
        return Failure(made.seed, made.size, life.number, kind, why, tuple(left))


async def replayed(stages: Harness, failure: Failure) -> list[str]:
    """What is wrong now with the life of a failure that was made small."""
    made = crowd(failure.seed, failure.size)
    life = made.lives[failure.life]
    life = life.some(failure.tellings) if failure.tellings is not None else life
    return (await stages.compare(made, [life])).get(life.number, [])


@asynccontextmanager
async def harness(addresses: Sequence[str]) -> AsyncIterator[Harness]:
    """On databases at the schema of this release."""
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(await PostgresStore.open(dsn)) for dsn in addresses]
        yield Harness([Stage(dsn, store) for dsn, store in zip(addresses, stores, strict=True)])
