"""One chapter: a shop tells its news while things break; then all is put right, and the ledger is held to every promise."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from tests.faults.disk import Disk
from tests.faults.injections import Injection, Scene, generation
from tests.faults.line import Line
from tests.faults.subscriber import Subscriber
from tests.faults.traffic import Traffic
from tests.faults.workers import Workers
from tests.flows.comparison import LEFT_WAITING, StoredAccounts, read_accounts, same_as_simulated
from tests.flows.system import PROGRAMS, Place, System, until
from tests.witness.asking import WAIT_SECONDS, judged
from worker.local import Postgres, RealKafka

TEND_SECONDS = 0.2
STARTED_SECONDS = 60.0
DRAINED_SECONDS = 120.0


@dataclass(slots=True)
class Told:
    """What came of a chapter. `problems` is empty if the ledger is right. `witness`: what the checker that knows nothing of us
    says of the ledger of all chapters so far, and how many records it found sent and published."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    witness: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    took: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Harness:
    """Where chapters are played, one after the other, on the same ledger."""

    system: System
    postgres: Postgres
    kafka: RealKafka
    line: Line
    workers: Workers
    subscriber: Subscriber
    disk: Disk | None = None
    chapters: int = 0
    letters: set[Place] = field(default_factory=set)  # dead letters of earlier chapters
    witness: dict[str, int] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)

    async def play(self, injections: Sequence[Injection], seed: int, events: int, seconds: float, share: float = 0.0) -> Told:
        """Play one chapter. `share`: of how many COMMITs the line breaks meanwhile. Raises what the tests themselves do wrong."""
        began = time.monotonic()
        self.took.clear()
        self.chapters += 1
        rng = Random(seed)
        traffic = Traffic.of(f"c{self.chapters}-", seed, events)
        scene = Scene(self.system, self.workers, self.line, self.postgres, self.kafka, rng, self.disk)
        with self._timed("join"):
            dealt = await generation(self.system)
            await until(self._all_have_started, STARTED_SECONDS, "all workers have started")
        before = Counter(self.line.counts)
        with self._timed("faults"):
            await self._inject(scene, injections, traffic, seconds, share)
        scene.counts += self.line.counts - before
        scene.counts["messages"] = len(traffic.records)
        scene.counts["hostile_records"] = len(traffic.letters)
        self.witness = {}
        problems = await self._end(traffic)
        with self._timed("join"):
            scene.counts["rebalances"] = await generation(self.system) - dealt
        return Told(+scene.counts, problems, self.witness, time.monotonic() - began, dict(self.took))

    async def _all_have_started(self) -> bool:
        """Or a chapter of some seconds could be over before there was anybody to do anything to."""
        self.workers.tend()
        return all(place.started for place in self.workers.places)

    async def verify(self) -> Told:
        """The whole ledger of all chapters as an operator has it verified: `loyalty ledger verify`."""
        began = time.monotonic()
        answer = await self.system.command("ledger", "verify", "--workers", "2", "-o", "json", code=None)
        try:
            found = json.loads(answer)
        except ValueError:
            found = [{"invariant": "ledger verify", "account_id": None, "detail": f"ended without an answer: {self.system.said}"}]
        counts = Counter(accounts_verified=(await self.system.sql("SELECT count(*) FROM account"))[0][0])
        problems = [f"{each['invariant']}: {each['account_id']}: {each['detail']}" for each in found]
        return Told(counts, problems, seconds=time.monotonic() - began)

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.took[what] = round(self.took.get(what, 0.0) + time.monotonic() - began, 1)

    async def _inject(
        self, scene: Scene, injections: Sequence[Injection], traffic: Traffic, seconds: float, share: float
    ) -> None:
        self.line.share = share
        injecting = [asyncio.create_task(inject(scene)) for inject in injections]
        telling = asyncio.create_task(traffic.send(self.system, seconds))
        try:
            while not telling.done():
                await asyncio.wait([telling, *injecting], timeout=TEND_SECONDS, return_when=asyncio.FIRST_EXCEPTION)
                self.workers.tend()
                for task in injecting:
                    if task.done():
                        task.result()
        finally:
            self.line.share = 0.0
            scene.over.set()
            await asyncio.gather(*injecting)
            await telling

    async def _end(self, traffic: Traffic) -> list[str]:
        """Wait until all is read, and say what is wrong."""
        tending = asyncio.create_task(self._tend())
        try:
            with self._timed("drain"):
                await self.system.drained(DRAINED_SECONDS)
            self.subscriber.problems.clear()
            with self._timed("follow"):
                await asyncio.to_thread(self.subscriber.follow)
            with self._timed("check"):
                wrong = await self._wrong(traffic)
            with self._timed("witness"):
                wrong += await self._judged()
            return [*wrong, *self.subscriber.problems, *self._ended()]
        except AssertionError as error:
            return [str(error) or "an assertion without words", *self._ended()]
        finally:
            tending.cancel()
            self.subscriber.forget()

    async def _tend(self) -> None:
        while True:
            self.workers.tend()
            await asyncio.sleep(TEND_SECONDS)

    def _ended(self) -> list[str]:
        problems, self.workers.problems = self.workers.problems, []
        return problems

    async def _wrong(self, traffic: Traffic) -> list[str]:
        """What is wrong with the accounts of a chapter, and what is left over of anything."""
        now = datetime.now(UTC)
        rows = await self.system.sql("SELECT account_id FROM account WHERE starts_with(member_id, $1)", traffic.name)
        accounts = [row["account_id"] for row in rows]
        async with self.system.store() as store:
            problems = [f"{each.invariant}: {each.account_id}: {each.detail}" async for each in store.verify(accounts)]
            problems += [f"lost: not drained: {route.order_id}" for route in await store.drainable(10)]
        problems += [f"lost: parked: {row['order_id']}" for row in await self.system.sql(LEFT_WAITING)]
        versions, books = await read_accounts(self.system.dsn, accounts, now)
        problems += self._untold(versions, books)
        problems += await self._letters(traffic)
        await asyncio.to_thread(same_as_simulated, books, traffic.events)
        return problems

    async def _judged(self) -> list[str]:
        """What the checker that knows nothing of us says is wrong with the ledger of all chapters so far."""
        answer = await judged(self.system, "--longest-wait", "0", wait=WAIT_SECONDS)
        self.witness = {**answer.counts, "sent": answer.read["sent"], "published": answer.read["published"]}
        return answer.evidence

    def _untold(self, versions: dict[str, int], books: StoredAccounts) -> list[str]:
        """Where what was published is not what the ledger says."""
        problems: list[str] = []
        for key, last in versions.items():
            told = self.subscriber.versions.get(key, 0)
            if told != last:
                problems.append(f"lost: {key} stands at version {last}, told was {told}")
        for code in PROGRAMS:
            for member, says in books.statements[code].items():
                known = self.subscriber.balances.get(f"{code}:{member}", (0, 0, 0))
                if known != (says.available, says.pending, says.on_hold):
                    problems.append(f"{code}:{member}: the last balance told is {known}, the ledger says {says}")
        decided = Counter(order for key in versions for order in self.subscriber.decided[key].elements())
        if (several := sum(count > 1 for count in decided.values())) or len(decided) != len(books.verdicts):
            problems.append(f"{len(books.verdicts)} verdicts, told were {len(decided)}, {several} of them more than once")
        return problems

    async def _letters(self, traffic: Traffic) -> list[str]:
        """Each broken record is one dead letter, and nothing else is one."""
        rows = await self.system.sql("SELECT topic, partition, record_offset FROM dead_letter WHERE record_offset >= 0")
        found = {(row["topic"], row["partition"], row["record_offset"]) for row in rows} - self.letters
        self.letters |= found
        wrong = found ^ traffic.letters
        return [f"lost: dead letters and broken records differ: {sorted(wrong)[:5]}"] if wrong else []


@asynccontextmanager
async def harness(system: System, postgres: Postgres, kafka: RealKafka, count: int, seed: int) -> AsyncIterator[Harness]:
    """A system made ready, with workers that reach their database over a line."""
    await system.prepare()
    subscriber = Subscriber(system.bootstrap, system.prefix)
    async with Line(system.dsn, Random(seed)) as line:
        workers = Workers(system, line.dsn)
        workers.start(count)
        try:
            yield Harness(system, postgres, kafka, line, workers, subscriber)
        finally:
            workers.stop()
            subscriber.close()
