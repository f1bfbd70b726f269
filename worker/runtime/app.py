"""The worker as a whole: builds the parts, runs them beside each other, and stops them in the right order.

Subscription ─► Intake ─► Pipeline (one transaction per batch) ─► outbox ─► Relay ─► Kafka
                              ▲                Timekeeper (watermark) ─► DueLoop ─┘
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from contracts.events import TOPICS_IN
from worker import log as logging
from worker import metrics
from worker.consume.batch import Batch
from worker.consume.ends import LogEnds
from worker.consume.intake import Intake
from worker.consume.positions import Incident
from worker.consume.subscription import Subscription
from worker.due import DueLoop
from worker.health import ProbeServer
from worker.persist.api import Store
from worker.persist.errors import OutcomeUnknownError, PositionLostError, StoreError
from worker.persist.identity import key_check
from worker.persist.postgres import PostgresStore
from worker.processing.pipeline import Pipeline
from worker.programs import registry
from worker.programs.catalogue import Catalogue
from worker.publish.producer import make_producer
from worker.publish.relay import Relay
from worker.runtime import options
from worker.runtime.adapters import Outbox, Positions
from worker.runtime.build import VERSION, the_fold_is
from worker.runtime.clocks import Clocks
from worker.runtime.dead_letters import DeadLetters
from worker.runtime.erasing import Eraser
from worker.runtime.sampling import Sampler
from worker.runtime.sweeper import Sweeper
from worker.runtime.timekeeping import Timekeeper
from worker.settings import TLS_TO_DO, Settings

log = logging.get_logger(__name__)

COLLECT_AFTER_OBJECTS = 200_000
BACKOFF_SECONDS_MIN = 0.05
BACKOFF_SECONDS_MAX = 5.0
AT_ONCE_EXIT_CODE = 143


class NotReadyError(Exception):
    """The worker cannot start: the database's schema, its terms or its key are not what this release needs."""


@contextlib.asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[PostgresStore]:
    """The store of these settings. Raises UnavailableError."""
    async with await PostgresStore.open(settings.postgres.full_dsn(), options.of_store(settings)) as store:
        yield store


async def check(store: Store, account_key: bytes) -> Catalogue:
    """What must be true before a worker reads anything; returns the registered programs. Raises NotReadyError, WrongKeyError."""
    missing = await store.missing_migrations()
    if missing:
        raise NotReadyError(f"the database lacks migration {', '.join(missing)}: run `loyalty migrate`")
    await store.settle_key(key_check(account_key))
    catalogue = Catalogue(await registry.programs(store))
    if not len(catalogue):
        raise NotReadyError("no terms are registered: run `loyalty migrate`, or `loyalty program apply FILE`")
    return catalogue


@dataclass(slots=True)
class _State:
    """What readiness is told from."""

    database: str = ""  # why the database is not to be reached; empty while it is
    incidents: tuple[str, ...] = ()


class Worker:
    """One worker process. `run` returns when it was stopped; `stop` begins that."""

    def __init__(self, settings: Settings, store: PostgresStore, catalogue: Catalogue, epoch: int) -> None:
        self._settings = settings
        self._store = store
        self._state = _State()
        self._stopping = asyncio.Event()
        client = settings.kafka.client_options(settings.worker_id)
        topics = tuple(settings.kafka.topic(name) for name in TOPICS_IN)
        self.clocks = Clocks(settings.clock.offset_seconds_max)
        # Kafka ─► intake ─► pipeline ─► outbox ─► relay ─► Kafka
        self.intake = Intake(Positions(store), options.of_intake(settings), self._incident)
        self.subscription = Subscription(self.intake, options.of_subscription(settings, topics, client))
        self.pipeline = Pipeline(store, catalogue, options.of_pipeline(settings), epoch, self.clocks.now)
        self.relay = Relay(
            Outbox(store, settings.kafka.topic),
            partial(make_producer, client),
            options.of_relay(settings),
            settings.worker_id,
            self._share,
            self.clocks.now,
            partial(self.clocks.heard, "broker"),
        )
        # Beside it: how far all was read, and what is due then.
        self._ends = LogEnds(topics, client)
        self.timekeeper = Timekeeper(
            store,
            self.intake,
            options.of_timekeeper(settings),
            self._on_watermark,
            self._ends.bounds,
            self.subscription.partitions,
            partial(self.clocks.heard, "database"),
        )
        self.due = DueLoop(
            store,
            self.pipeline.run_due,
            options.of_due(settings),
            shards=self.relay.owned_shards,
            watermark=lambda: self.pipeline.watermark,
            events_first=self.intake.emptied,
            clock=self.clocks.now,
        )
        self.dead_letters = DeadLetters(store, settings.relay.dead_letters_per_second, self.relay.owned_shards)
        self.sweeper = Sweeper(store, self.pipeline, catalogue)
        self.eraser = Eraser(store, self.pipeline.erase, settings.erasure.wait_seconds)
        self.sampler = Sampler(
            store, catalogue, self.pipeline.fence, options.of_sampler(settings), shards=self.relay.owned_shards
        )

    # -- running

    async def run(self) -> None:
        """Run until `stop`; raises what no part could handle."""
        self._stopping = asyncio.Event()
        beside = {
            asyncio.create_task(coroutine, name=name)
            for name, coroutine in (
                ("subscription", self.subscription.run()),
                ("relay", self.relay.run()),
                ("timekeeper", self.timekeeper.run()),
                ("due", self.due.run()),
                ("dead letters", self.dead_letters.run()),
                ("sweeper", self.sweeper.run()),
                ("sampler", self.sampler.run()),
                ("eraser", self.eraser.run()),
            )
        }
        batches = asyncio.create_task(self._batches(), name="batches")
        stopped = asyncio.create_task(self._stopping.wait(), name="stopped")
        done, _ = await asyncio.wait({*beside, batches, stopped}, return_when=asyncio.FIRST_COMPLETED)
        failed = next((task.exception() for task in done if task is not stopped and task.exception()), None)
        await self._shut_down(batches, {task for task in beside if not task.done()})
        stopped.cancel()
        if failed is not None:
            raise failed

    def stop(self) -> None:
        """Begin to stop: no new batch is taken."""
        self._stopping.set()
        self.intake.close()

    async def _shut_down(self, batches: asyncio.Task[None], beside: set[asyncio.Task[None]]) -> None:
        """Finish the batch under way, leave the group, publish what is committed; all within the grace period."""
        self.intake.close()
        grace = self._settings.grace_period_seconds
        started = asyncio.get_running_loop().time()
        await asyncio.wait({batches}, timeout=grace / 2)
        batches.cancel()
        by_name = {task.get_name(): task for task in beside}
        await _end([task for name, task in by_name.items() if name != "relay"])
        await self._ends.close()
        left = grace - (asyncio.get_running_loop().time() - started)
        try:
            flushed = await self.relay.flush(max(left - 2.0, 0.5))
        except StoreError as error:
            # What is committed stays in the outbox for whoever comes next.
            log.warning("relay_not_flushed", error=type(error).__name__)
            flushed = False
        await _end([by_name["relay"]] if "relay" in by_name else [])
        log.info("stopped", flushed=flushed)

    async def _batches(self) -> None:
        settings = self._settings.batch
        while (batch := await self.intake.next_batch(settings.records_max, settings.linger_ms / 1000)) is not None:
            await self._commit(batch)

    async def _commit(self, batch: Batch) -> None:
        """Commit one batch, however often that has to be tried; give it up only if its partitions went elsewhere."""
        backoff = BACKOFF_SECONDS_MIN
        while True:
            try:
                await self.pipeline.process(batch)
            except PositionLostError as error:
                log.warning("positions_lost", partitions=[f"{topic}[{n}]" for topic, n in error.partitions])
                self.intake.lost([move.key for move in batch.moves])
                return
            except OutcomeUnknownError:
                log.warning("commit_unknown", partitions=len(batch.moves))
                self.intake.lost([move.key for move in batch.moves])
                return
            except StoreError as error:
                self._state.database = f"{type(error).__name__}: {error}"
                metrics.commit_retries.labels(why=type(error).__name__).inc()
                log.warning("batch_retried", error=type(error).__name__, retry_seconds=backoff)
                if self._stopping.is_set():
                    return
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, BACKOFF_SECONDS_MAX)
                continue
            self._state.database = ""
            self.intake.settled(batch.moves)
            self.relay.poke()
            return

    def _on_watermark(self, watermark: datetime) -> None:
        self.pipeline.know(watermark)
        self.due.poke()

    def _share(self) -> float:
        """The part of the whole load that this worker carries: its share of the partitions it knows of."""
        return self.timekeeper.share

    def _incident(self, incident: Incident) -> None:
        self._state.incidents = (*self._state.incidents[-9:], str(incident))

    # -- probes

    def _postgres_problems(self) -> tuple[str, ...]:
        # Batches tell it while there is news, the timekeeper also while there is none.
        return tuple(dict.fromkeys(filter(None, (self._state.database, self.timekeeper.problem))))

    def live(self) -> Mapping[str, Callable[[], Iterable[str]]]:
        """Conditions of being alive: the loop answers, that is all."""
        return {}

    def ready(self) -> Mapping[str, Callable[[], Iterable[str]]]:
        """Conditions of being ready."""
        return {
            "kafka": lambda: (self.subscription.problem,) if self.subscription.problem else self.intake.problems(),
            "postgres": self._postgres_problems,
            "clock": self.clocks.problems,
            "publishing": lambda: (self.relay.problem,) if self.relay.problem else (),
            "stopping": lambda: ("the worker is stopping",) if self._stopping.is_set() else (),
        }


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait for them; what fails in one of them now keeps nobody else from ending well."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    for task, outcome in zip(tasks, await asyncio.gather(*tasks, return_exceptions=True), strict=True):
        if isinstance(outcome, Exception):
            log.warning("ended_badly", part=task.get_name(), error=type(outcome).__name__)


async def run(settings: Settings) -> None:
    """Run one worker until SIGTERM or SIGINT; a second one ends it at once, and nothing is lost either way.

    Raises NotReadyError, UnavailableError, WrongKeyError, OSError (the probe port is taken).
    """
    _spare_the_collector()
    if hosts := settings.plain_text_to():
        log.warning("plain_text", hosts=hosts, to_do=TLS_TO_DO)
    async with open_store(settings) as store:
        key = settings.account_key.get_secret_value().encode()
        catalogue = await check(store, key)
        asked = time.monotonic()
        state = await store.state()
        worker = Worker(settings, store, catalogue, state.epoch)
        worker.clocks.heard("database", asked, state.now)
        _on_signals(worker)
        async with ProbeServer(settings.probe.host, settings.probe.port, worker.live(), worker.ready()):
            metrics.build_info.labels(version=VERSION, fold=the_fold_is()).set(1)
            log.info(
                "started", version=VERSION, worker=settings.worker_id, programs=list(catalogue.codes), fold=the_fold_is()
            )
            await worker.run()


def _spare_the_collector() -> None:
    """What is loaded now stays, and a batch makes many objects that live only as long as it: look for cycles rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER_OBJECTS, 20, 50)


def _on_signals(worker: Worker) -> None:
    loop = asyncio.get_running_loop()
    asked: list[int] = []

    def stop(number: int) -> None:
        if asked:
            log.warning("stopping_at_once")
            os._exit(AT_ONCE_EXIT_CODE)
        asked.append(number)
        log.info("stopping", signal=signal.Signals(number).name)
        worker.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
