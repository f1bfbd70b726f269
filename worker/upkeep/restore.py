"""After the database was restored to an earlier moment: what was announced since then is read back from Kafka.

Facts come again by themselves, for the positions are those of that moment. What would not come again are verdicts, and what was
paid out in money: taken anew, with everything that arrived since, they could be others than the ones that shops acted upon, and
what was paid could be paid once more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from contracts.counting import counted
from worker.decide.change import NAMELESS
from worker.decide.messages import CLOCK
from worker.decide.state import Decision, Verdict, clock_moment
from worker.persist.api import Store
from worker.persist.identity import account_id
from worker.programs import registry

DECIDED: Final = "loyalty.redemption-decided"
BALANCES: Final = "loyalty.balance-changed"
SLACK: Final = timedelta(hours=1)
"""How far before the last moment that the database knows of reading begins: clocks differ, and a relay may have been behind."""
_LAST_RECORDS: Final = 100
_POLL_MS: Final = 500
_MEMBERS: Final = 5
"""Place of the members in Kafka's description of a group."""


class WorkersRunError(Exception):
    """Workers are reading: they would decide anew what is about to be read back."""


class _Cause(msgspec.Struct):
    source: str | None = None
    id: str | None = None


class _Told(msgspec.Struct):
    """What is read of a published verdict."""

    program: str
    member_id: str
    epoch: int
    decision: Verdict
    points: int
    reason: str | None = None
    cause: _Cause | None = None


class _Entry(msgspec.Struct):
    reason: str
    points: int
    to: str
    effective_at: datetime | None = None
    corrects: str | None = None


class _Because(msgspec.Struct):
    type: str


class _Balance(msgspec.Struct):
    """What is read of a published change of balances."""

    program: str
    member_id: str
    epoch: int
    version: int
    effective_at: datetime
    cause: _Because
    entries: list[_Entry]


class _Version(msgspec.Struct):
    epoch: int


_told: Final = msgspec.json.Decoder(_Told)
_version: Final = msgspec.json.Decoder(_Version)
_balance: Final = msgspec.json.Decoder(_Balance)
_PAID_OUT: Final = b'"pay_out"'


@dataclass(slots=True)
class ReadBack:
    """What was read back: verdicts, payments, those of both that the database did not know, and messages that do not say which
    event asked, or when was paid.

    `highest`: the highest epoch that was published; `epoch`: the one that begins now.
    """

    verdicts: int = 0
    paid: int = 0
    new: int = 0
    unreadable: int = 0
    highest: int = 0
    epoch: int = 0


async def read_back(
    store: Store, client: Mapping[str, Any], topic: Callable[[str], str], group: str, key: bytes, progress: Callable[[int], None]
) -> ReadBack:
    """Read announced verdicts and payments back and begin a new epoch. May be run again.

    `client`: aiokafka's options; `topic`: the name of a topic on this cluster; `key`: that of account ids. Raises
    WorkersRunError, StoreError and aiokafka's errors.
    """
    await _nobody_reads(client, group)
    found = ReadBack()
    positions = (await store.positions()).values()
    since = max((position.updated_at for position in positions), default=None)
    async with _consumer(client) as consumer:
        async for values in _records(consumer, topic(DECIDED), since - SLACK if since is not None else None):
            told = [each for each in (_verdict(found, value, key) for value in values) if each is not None]
            found.new += await store.announce(told)
            progress(len(values))
        if any(program.pays_out for program in await registry.programs(store)):
            payments = Payments()
            async for values in _records(consumer, topic(BALANCES), since - SLACK if since is not None else None):
                for value in values:
                    found.unreadable += not payments.read(value, key)
                progress(len(values))
            paid = payments.decisions()
            found.paid = len(paid)
            found.new += await store.announce(paid)
        async for values in _last_records(consumer, topic(BALANCES)):
            for value in values:
                found.highest = max(found.highest, _version.decode(value).epoch)
    found.epoch = await store.raise_epoch(found.highest)
    await _nobody_reads(client, group)  # nor has begun to meanwhile, in the epoch before
    return found


class Payments:
    """What was paid out in money, gathered from published changes of balances in the order of each account."""

    def __init__(self) -> None:
        self._seen: set[tuple[UUID, int, int]] = set()
        self._points: dict[tuple[UUID, datetime], dict[int, int]] = {}

    def read(self, value: bytes, key: bytes) -> bool:
        """Take one published change; False: it tells of a payment and not when that was."""
        if _PAID_OUT not in value:
            return True
        try:
            told = _balance.decode(value)
        except msgspec.DecodeError:
            return False
        account = _account(key, told.program, told.member_id)
        entries = [each for each in told.entries if "pay_out" in (each.reason, each.corrects)]
        if (account, told.epoch, told.version) in self._seen:
            return True  # published twice
        self._seen.add((account, told.epoch, told.version))
        for entry in entries:
            at = entry.effective_at or (told.effective_at if told.cause.type == CLOCK else None)
            if at is None:
                return False
            of_epoch = self._points.setdefault((account, at.astimezone(UTC)), {})
            # From other lots than was told first: nothing more is paid then, so both sides of that come to nothing.
            of_epoch[told.epoch] = of_epoch.get(told.epoch, 0) + (entry.points if entry.to == "spent" else -entry.points)
        return True

    def decisions(self) -> list[tuple[UUID, Decision]]:
        """By account, as the fold knows them. After an earlier restore a payment was told again in the epoch that began then."""
        paid = ((account, at, max(of_epoch.values())) for (account, at), of_epoch in self._points.items())
        return [(account, Decision(*clock_moment(at).name, "accepted", points)) for account, at, points in paid if points > 0]


def _account(key: bytes, program: str, member_id: str) -> UUID:
    """Whose a message is. The account of a person who was forgotten has its id for a name."""
    if member_id.startswith(NAMELESS):
        with suppress(ValueError):
            return UUID(member_id.removeprefix(NAMELESS))
    return account_id(key, program, member_id)


def _verdict(found: ReadBack, value: bytes, key: bytes) -> tuple[UUID, Decision] | None:
    try:
        told = _told.decode(value)
    except msgspec.DecodeError:
        found.unreadable += 1
        return None
    found.highest = max(found.highest, told.epoch)
    if told.cause is None or told.cause.source is None or told.cause.id is None:
        found.unreadable += 1
        return None
    found.verdicts += 1
    decision = Decision(told.cause.source, told.cause.id, told.decision, told.points, told.reason)
    return _account(key, told.program, told.member_id), decision


async def _nobody_reads(client: Mapping[str, Any], group: str) -> None:
    admin = AIOKafkaAdminClient(**client)
    await admin.start()
    try:
        for answer in await admin.describe_consumer_groups([group]):
            for each in answer.groups:
                if members := each[_MEMBERS]:
                    at_work = counted(len(members), "worker is", "workers are")
                    raise WorkersRunError(
                        f"{at_work} running in group {group}: stop them first (one that was killed counts until its session "
                        "has ended)"
                    )
    finally:
        await admin.close()


@asynccontextmanager
async def _consumer(client: Mapping[str, Any]) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(**client, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def _records(consumer: AIOKafkaConsumer, topic: str, since: datetime | None) -> AsyncIterator[list[bytes]]:
    """The values of a topic's records since an instant (None: all), up to where it ends now, in the order of each partition."""
    partitions = await _assign(consumer, topic)
    starts = await consumer.beginning_offsets(partitions)
    ends = await consumer.end_offsets(partitions)
    if since is not None:
        at = int(since.timestamp() * 1000)
        for partition, found in (await consumer.offsets_for_times(dict.fromkeys(partitions, at))).items():
            starts[partition] = ends[partition] if found is None else found.offset
    async for values in _between(consumer, starts, ends):
        yield values


async def _last_records(consumer: AIOKafkaConsumer, topic: str) -> AsyncIterator[list[bytes]]:
    """The values of the last records of each partition."""
    partitions = await _assign(consumer, topic)
    starts = await consumer.beginning_offsets(partitions)
    ends = await consumer.end_offsets(partitions)
    starts = {partition: max(start, ends[partition] - _LAST_RECORDS) for partition, start in starts.items()}
    async for values in _between(consumer, starts, ends):
        yield values


async def _assign(consumer: AIOKafkaConsumer, topic: str) -> Sequence[TopicPartition]:
    numbers = (await consumer._client.fetch_all_metadata()).partitions_for_topic(topic) or set()
    partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
    consumer.assign(partitions)
    return partitions


async def _between(
    consumer: AIOKafkaConsumer, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> AsyncIterator[list[bytes]]:
    left = {partition for partition, end in ends.items() if starts[partition] < end}
    for partition, start in starts.items():
        consumer.seek(partition, start)
    while left:
        fetched = await consumer.getmany(*left, timeout_ms=_POLL_MS)
        values = [
            cast("bytes", record.value)
            for partition, records in fetched.items()
            for record in records
            if record.offset < ends[partition] and record.value is not None
        ]
        if values:
            yield values
        # By the position: what a transaction leaves behind, and records that were compacted away, have no record to see.
        left = {partition for partition in left if await consumer.position(partition) < ends[partition]}
