"""A schedule played in a world: workers that read, crash, stall and overtake each other, and all that is checked meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, get_args
from uuid import UUID

from tests.fold.histories import START
from tests.parts.topics import WITH_OPENINGS
from tests.simulation import checks
from tests.simulation.post import Post, Subscriber
from tests.simulation.stage import Act, CommitFault, Killed
from tests.simulation.stages import Actor, Stages, in_memory
from tests.simulation.world import Message, World
from worker.consume.batch import Batch as ReadBatch
from worker.consume.batch import Move, digest_of, time_of
from worker.consume.snapshots import newest_passed
from worker.decide.change import Message as Told
from worker.decide.change import nameless as name_of
from worker.decode import Record
from worker.persist import Partition
from worker.persist.errors import OutcomeUnknownError, PositionLostError, StoreError
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs.catalogue import Catalogue
from worker.runtime.clocks import Clocks

_VERIFY_EVERY = 3
"""So many commits lie at least between two looks that the ledger itself takes at accounts."""
_VERIFIED_MAX = 50
"""About so many looks are taken in a world: each folds whole accounts, which are as large as the world."""
_TURNS_MAX = 100_000
_HEARS = 0.3
"""How likely a worker has asked what time it is since it did something last."""
_TIRED = 0.02
"""How likely whoever waits for a lock gives up at each turn of the others."""
_ERASES = 0.3
"""How likely a worker looks for who is to be forgotten, at each step of a world in which people are."""
_FOR_EVER = timedelta(days=36_500)
_CLOCK_OFFSET_SECONDS_MAX = 60.0


@dataclass(slots=True)
class Worker:
    """One process: its pipeline, and where it believes its partitions stand."""

    name: str
    pipeline: Pipeline
    clocks: Clocks
    believes: dict[Partition, int | None] = field(default_factory=dict)
    dead: bool = False


@dataclass(slots=True)
class _Running:
    """What a worker is doing, in the middle of a step."""

    worker: Worker
    actor: Actor
    moves: tuple[Move, ...] = ()
    turns_left: int | None = None
    ending: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a simulation that ended well did."""

    messages: int
    commits: int
    faults: int


class Play:
    """A world, its workers and the schedule. Everything random is drawn from the seed and the number of the step."""

    def __init__(self, world: World, messages: Collection[int] | None = None, stages: Stages = in_memory) -> None:
        self.world = world
        kept = None if messages is None else set(messages)
        self._to_publish = [message for message in world.messages if kept is None or message.number in kept]
        self._published = 0
        self._log: dict[Partition, list[tuple[Record, Message]]] = {}
        self.now = self._to_publish[0].at if self._to_publish else world.end
        self.rng = Random(world.seed)
        self.store = stages(lambda: self.now + timedelta(seconds=self.post.seconds()))
        self.post = Post(self.store, Random(world.seed + 1))
        self.subscriber = Subscriber()
        self.catalogue = Catalogue(world.programs.values())
        self.workers = [self._start(f"worker-{number}") for number in range(world.workers)]
        self.chain = checks.Chain()
        self.promise = checks.Promise()
        self._listed: tuple[int, dict[Partition, int | None]] | None = None  # by a holder of the lease that sleeps
        self._arrived: dict[tuple[str, int, int], int] = {}  # the number at which each record came
        self._told: dict[UUID, list[Told]] = {}
        self._forgotten: dict[UUID, checks.Forgotten] = {}
        self.commits = 0
        self.faults = 0

    def _start(self, name: str) -> Worker:
        options = PipelineOptions(checks.KEY, admission=WITH_OPENINGS, grace_seconds=0.0)
        wrong = self.world.clocks[int(name.rpartition("-")[2])]
        clocks = Clocks(_CLOCK_OFFSET_SECONDS_MAX, own=lambda: self.now + wrong, monotonic=self._monotonic)
        clocks.heard("database", self._monotonic(), self.now)
        return Worker(name, Pipeline(self.store, self.catalogue, options, epoch=1, now=clocks.now), clocks)

    def _monotonic(self) -> float:
        return (self.now - START).total_seconds()

    def _hear(self, worker: Worker) -> None:
        """A worker asks the database what time it is; the answer may have taken long."""
        seconds = self.rng.choice([0.0, 0.05, 2.0])
        told = self.now - timedelta(seconds=seconds * self.rng.random())
        worker.clocks.heard("database", self._monotonic() - seconds, told)

    # -- the schedule

    def run(self, steps: Collection[int] | None = None) -> Outcome:
        """Play all steps (or these), then settle everything, and check."""
        try:
            for number in range(self.world.steps) if steps is None else sorted(steps):
                self.rng = Random(self.world.seed * 1_000_003 + number)
                self.post.rng = self.rng
                self._step()
            self.rng = Random(self.world.seed)
            self._settle()
            self._check_all()
        finally:
            self.post.close()
            self.store.clear()
        return Outcome(sum(map(len, self._log.values())), self.commits, self.faults)

    def _step(self) -> None:
        rng = self.rng
        self._publish(rng.randrange(1, 2 * max(2, len(self.world.messages) // self.world.steps)))
        roll = rng.random()
        if roll < 0.70:
            self._together([self._an_act() for _ in range(rng.choice([1, 1, 1, 2, 3]))])
        elif roll < 0.78:
            self._rebalance()
        elif roll < 0.88:
            early = rng.random() < 0.2 and not self.world.patient
            self._move_watermark(early=early)
            self._alone(self.workers[0], self._follow_ends(early=early))
        elif roll < 0.91 and len(self.workers) > 1:
            self.faults += 1
            self.post.overtake(*(worker.name for worker in rng.sample(self.workers, 2)))
        else:
            self.post.publish(rng.choice(self.workers).name, self.world.faults)
            self.post.pass_time(rng.choice([0.0, 4.0, 20.0]))
        if rng.random() < self.world.faults * 0.1:
            self._kill(rng.choice(self.workers))
        if self.world.erases and rng.random() < _ERASES:
            self._together([self._erasing(), *(self._an_act() for _ in range(rng.choice([0, 1])))])
        self.subscriber.follow(self.post.published)

    def _publish(self, count: int) -> None:
        """Time goes on, and messages come."""
        for message in self._to_publish[self._published : self._published + count]:
            place = (message.topic, self.world.partition_of(message.key))
            log = self._log.setdefault(place, [])
            self.promise.sent(message, {each: len(there) for each, there in self._log.items()})
            log.append((message.record(place[1], len(log)), message))
            self.now = max(self.now, message.at)
        self._published += count

    def _rebalance(self) -> None:
        """Partitions get another owner; the one before may not have heard of it."""
        rng = self.rng
        owner, told = rng.choice(self.workers), rng.random() < 0.5
        places = [place for place in sorted(self._log) if rng.random() < 0.5]
        for worker in self.workers:
            if worker is not owner and told:
                for place in places:
                    worker.believes.pop(place, None)
        self._seek(owner, places)

    def _seek(self, worker: Worker, places: Collection[Partition]) -> None:
        positions = self.store.tables.positions
        for place in places:
            there = positions.get(place)
            worker.believes[place] = None if there is None else there.next_offset

    def _move_watermark(self, *, early: bool) -> None:
        """As far as everything was read; or further, for waiting has an end."""
        unread = [
            log[at][0].timestamp_ms for place, log in self._log.items() if (at := self.chain.next.get(place) or 0) < len(log)
        ]
        value = self.now if early or not unread else min(self.now, time_of(min(unread)))
        there = self.store.tables.watermark
        self.store.tables.watermark = value if there is None else max(there, value)

    async def _follow_ends(self, *, early: bool) -> None:
        """A round of whoever has the lease for it, which may have listed the ends long ago and slept since."""
        known = await self.store.snapshots()
        after, ends = known.certainty.current, {place: len(log) for place, log in self._log.items()}
        if self._listed is None and self.rng.random() < 0.2:
            self._listed = (after, {**ends})
            return
        if self._listed is not None and self.rng.random() < 0.5:
            (after, listed), self._listed = self._listed, None
            await self.store.take_snapshot(after, listed)
        else:
            await self.store.take_snapshot(after, ends)
        await self._pass_snapshots(timedelta(0) if early else _FOR_EVER)

    async def _pass_snapshots(self, longest_wait: timedelta) -> None:
        known, positions = await self.store.snapshots(), await self.store.positions()
        passed = newest_passed(known.open, positions, known.now, longest_wait)
        if passed is not None:
            if passed != newest_passed(known.open, positions, known.now, _FOR_EVER):
                self.promise.waited_out = passed
            await self.store.pass_snapshots(passed)

    def _kill(self, worker: Worker) -> None:
        """The process ends; another one starts in its place."""
        self.faults += 1
        self.post.restart(worker.name)
        worker.dead = True
        fresh = self._start(worker.name)
        self.workers[self.workers.index(worker)] = fresh
        self._seek(fresh, list(worker.believes))

    # -- what workers do

    def _an_act(self) -> _Running:
        """Something for some worker to do, with or without a fault."""
        rng = self.rng
        worker = rng.choice(self.workers)
        if rng.random() < _HEARS:
            self._hear(worker)
        if not worker.believes:
            self._seek(worker, sorted(self._log))
        roll, moves, records = rng.random(), tuple[Move, ...](), tuple[Record, ...]()
        commit: CommitFault = "fine"
        turns, ending = None, ""
        if rng.random() < self.world.faults:
            self.faults += 1
            commit = rng.choice(get_args(CommitFault))
            if commit == "fine":
                turns, ending = rng.randrange(self.store.turns), rng.choice(["killed", "unavailable"])
        if roll < 0.8:
            read = self._read(worker, rng.choice([3, 30, 200]))
            moves, records = read.moves, read.records
            coroutine: Coroutine[Any, Any, Any] = worker.pipeline.process(read)
        elif roll < 0.93:
            coroutine = self._due(worker)
        else:
            coroutine = self._sweep(worker)
        return _Running(worker, self.store.begin(coroutine, Act(commit, records)), moves, turns, ending)

    def _read(self, worker: Worker, most: int) -> ReadBatch:
        """The next records of some of the partitions that the worker believes to have."""
        rng = self.rng
        records: list[Record] = []
        moves: list[Move] = []
        for place, at in worker.believes.items():
            if at != 0 and rng.random() < 0.3:
                continue
            start = at or 0
            taken = [record for record, _ in self._log.get(place, [])[start : start + rng.randrange(1, most + 1)]]
            if taken:
                records += taken
                moves.append(
                    Move(*place, at, taken[-1].offset + 1, digest_of(taken[-1]), time_of(taken[-1].timestamp_ms), at_end=False)
                )
        if rng.random() < 0.7:
            records.sort(key=lambda record: record.timestamp_ms)
        return ReadBatch(tuple(records), tuple(moves))

    async def _due(self, worker: Worker) -> None:
        until, most = await self.store.watermark(), self.rng.choice([1, 100])
        accounts = await self.store.decidable(range(64), most)
        if until is not None:
            until = min(until, worker.clocks.now())
            accounts += [each.account_id for each in await self.store.due(range(64), until, most)]
        before = {account: self.store.heads()[account].revision for account in accounts}
        await worker.pipeline.run_due(before, until)
        if until is not None:
            checks.check_progress(self.store, before, until)

    def _erasing(self) -> _Running:
        """A worker looks for who is to be forgotten, beside others."""
        rng = self.rng
        worker, wait = rng.choice(self.workers), rng.choice([0, 0.05, 1, 20]) * timedelta(days=1)
        commit: CommitFault = rng.choice(get_args(CommitFault)) if rng.random() < self.world.faults else "fine"
        watermark = self.store.tables.watermark
        until = None if watermark is None else watermark - wait
        return _Running(worker, self.store.begin(self._erase(worker, until), Act(commit)))

    async def _erase(self, worker: Worker, until: datetime | None) -> None:
        for account in await self.store.erasures_due(until, 1) if until is not None else ():
            await worker.pipeline.erase(account)

    async def _sweep(self, worker: Worker) -> None:
        routes = await self.store.drainable(self.rng.choice([1, 100]))
        if routes:
            await worker.pipeline.drain(routes)

    # -- driving

    def _together(self, running: list[_Running]) -> None:
        """Let what workers do take turns, in an order of the schedule's choice, until all have ended."""
        for _ in range(_TURNS_MAX):
            if not running:
                break
            if self._turn(one := self._next(running), alone=len(running) == 1):
                running.remove(one)
                for other in [each for each in running if each.worker.dead]:
                    other.actor.kill()
                    running.remove(other)
        else:
            raise AssertionError("batches that never end")
        assert not self.store.left_open(), "a lock outlives its batch"
        touched: set[UUID] = set()
        for commit in self.store.committed:
            self.chain.follow(commit)
            self.promise.check(commit, self.chain)
            for record in commit.records:
                self._arrived[record.topic, record.partition, record.offset] = len(self._arrived)
            touched |= checks.check_commit(commit)
            for row, nameless in commit.erased:
                self.subscriber.follow(self.post.published)
                self.subscriber.part(f"{row.program}:{row.member_id}", f"{row.program}:{name_of(nameless)}")
                self._told[nameless] = self._told.pop(row.account_id, [])
                known = self._forgotten.setdefault(row.account_id, checks.Forgotten(f"{row.program}:{row.member_id}"))
                known.lives.append(nameless)
                touched |= {row.account_id, nameless}
            for _, change in commit.changes:
                self._told.setdefault(change.account_id, []).extend(change.messages)
            self.commits += 1
        self.store.committed.clear()
        checks.check_accounts(self.store, touched)
        if self.commits % max(_VERIFY_EVERY, len(self._to_publish) // _VERIFIED_MAX) == 0:
            checks.check_verified(self.world, self.store, touched)

    def _next(self, running: list[_Running]) -> _Running:
        """Whose turn it is: at times somebody's who has waited too long."""
        able = [each for each in running if each.actor.able]
        assert able, "a deadlock: everybody waits for somebody"
        waiting = [each for each in running if not each.actor.able]
        tired = [each for each in waiting if self.rng.random() < _TIRED]
        if tired:
            return tired[0]
        return self.rng.choice(able) if len(able) > 1 else able[0]

    def _turn(self, one: _Running, *, alone: bool) -> bool:
        """One turn of a worker; True if what it did ended."""
        try:
            if not one.actor.able:
                return one.actor.give_up()
            if one.turns_left == 0:
                one.turns_left = None
                if one.ending == "killed":
                    one.actor.kill()
                    raise Killed
                ended = one.actor.cut()
            else:
                ended = one.actor.turn(alone=alone and one.turns_left is None)
        except PositionLostError as lost:
            for place in lost.partitions:
                one.worker.believes.pop(place, None)
            self._seek(one.worker, [move.key for move in one.moves])
            return True
        except Killed:
            if not one.worker.dead:
                self._kill(one.worker)
            return True
        except OutcomeUnknownError:
            self._seek(one.worker, [move.key for move in one.moves])
            return True
        except StoreError:
            return True  # nothing was written: the same again
        if ended:
            one.worker.believes.update({move.key: move.next_offset for move in one.moves})
        elif one.turns_left is not None:
            one.turns_left -= 1
        return ended

    # -- the end

    def _settle(self) -> None:
        """No more faults: everything is published, read, swept, and the clock runs to the end."""
        self._publish(len(self._to_publish))
        self.now = max(self.now, self.world.end)
        worker = self.workers[0]
        self._seek(worker, sorted(self._log))
        while any(self.chain.next.get(place) != len(log) for place, log in self._log.items()):
            read = self._read(worker, 500)
            actor = self.store.begin(worker.pipeline.process(read), Act(records=read.records))
            self._together([_Running(worker, actor, read.moves)])
        for _ in range(len(self.store.tables.parked) + 1):
            self._alone(worker, self._sweep(worker))
        for _ in range(100):
            self._alone(worker, self._follow_ends(early=False))
            self._alone(worker, worker.pipeline.run_due(sorted(self.store.heads()), self.world.end))
            self.post.drain(worker.name)
            erased = len(self._forgotten_lives())
            if self.world.erases:
                self._alone(worker, self._erase(worker, self.world.end))
            if erased == len(self._forgotten_lives()) and not any(
                row.head.waiting or ((due := row.head.next_due_at) is not None and due <= self.world.end)
                for row in self.store.heads().values()
            ):
                break
        else:
            raise AssertionError("the clock never comes to rest")
        self.post.drain(worker.name)
        self.subscriber.follow(self.post.published)

    def _forgotten_lives(self) -> list[UUID]:
        return [life for each in self._forgotten.values() for life in each.lives]

    def _alone(self, worker: Worker, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._together([_Running(worker, self.store.begin(coroutine, Act()))])

    def _check_all(self) -> None:
        delivered = [
            checks.Delivered(message, (*place, record.offset), self._arrived[*place, record.offset])
            for place, log in sorted(self._log.items())
            for record, message in log
        ]
        letters = checks.check_nothing_lost(self.store, delivered, self._forgotten)
        checks.check_folds(self.world, self.store, self._told)
        checks.check_everything(self.store)
        checks.check_told(self.store, self.subscriber, letters, self._forgotten)
        checks.check_names(self.store)
