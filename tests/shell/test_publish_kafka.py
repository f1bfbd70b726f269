"""The relay against a real Kafka: order, at least once, sizes, failures."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import OutOfOrderSequenceNumber

from tests.shell.conftest import TopicMaker, until
from worker.publish.outbox import Headers
from worker.publish.producer import make_producer
from worker.publish.relay import Relay, RelayOptions

RESUMED_SECONDS_MAX = 5.0
FAST = RelayOptions(groups=2, retry_seconds_min=0.01, stuck_seconds=0.2, lease_seconds=1.0, metadata_timeout_seconds=1.0)
DEAD = (("loyalty_error", b"not_json"), ("loyalty_topic", b"orders"), ("loyalty_partition", b"3"), ("loyalty_offset", b"77"))


@dataclass(frozen=True)
class Row:
    account_id: uuid.UUID
    version: int
    ordinal: int
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = (("h", b"x"), ("none", None))
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass
class MemoryOutbox:
    """An outbox and its leases, as the database keeps them."""

    rows: list[Row] = field(default_factory=list)
    leases: dict[str, str] = field(default_factory=dict)
    fails: int = 0

    async def lease(self, name: str, holder: str, seconds: float) -> bool:
        return self.leases.setdefault(name, holder) == holder

    async def release(self, name: str, holder: str) -> None:
        if self.leases.get(name) == holder:
            del self.leases[name]

    async def read(self, shards: Collection[int], limit: int) -> Sequence[Any]:
        mine = [row for row in self.rows if row.account_id.bytes[0] >> 2 in shards]
        return sorted(mine, key=lambda row: (row.account_id, row.version, row.ordinal))[:limit]

    async def delete(self, rows: Sequence[Any]) -> None:
        if self.fails:
            self.fails -= 1
            raise ConnectionError("the database is away")
        self.rows = [row for row in self.rows if row not in rows]


RelayMaker = Callable[..., Relay]


@pytest.fixture
async def make_relay(bootstrap: str) -> AsyncIterator[RelayMaker]:
    """Makes relays and runs them: `make_relay(store, …)`."""
    tasks: list[asyncio.Task[None]] = []

    def make(
        store: MemoryOutbox,
        holder: str = "w",
        options: RelayOptions = FAST,
        share: Callable[[], float] = lambda: 1.0,
        **more: Any,
    ) -> Relay:
        relay = Relay(store, lambda: make_producer({"bootstrap_servers": bootstrap}), options, holder, share, **more)
        tasks.append(asyncio.create_task(relay.run()))
        return relay

    yield make
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def read_all(bootstrap: str, topic: str, count: int) -> list[ConsumerRecord[Any, Any]]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        found: list[ConsumerRecord[Any, Any]] = []
        async with asyncio.timeout(20):
            while len(found) < count:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
        return found
    finally:
        await consumer.stop()


def rows_of(topic: str, accounts: int, versions: int) -> list[Row]:
    ids = [uuid.uuid4() for _ in range(accounts)]
    return [Row(one, version, 0, topic, one.bytes, b"%d" % version) for version in range(1, versions + 1) for one in ids]


async def test_messages_of_an_account_come_in_order_with_key_value_and_headers(
    make_topic: TopicMaker, make_relay: RelayMaker, bootstrap: str
) -> None:
    topic = await make_topic(4)
    store = MemoryOutbox(rows_of(topic, accounts=50, versions=40))
    make_relay(store)
    await until(lambda: not store.rows)
    records = await read_all(bootstrap, topic, 2_000)
    seen: dict[bytes, list[int]] = {}
    for record in records:
        assert record.headers == (("h", b"x"), ("none", None))
        seen.setdefault(record.key, []).append(int(record.value))
    assert len(seen) == 50
    assert all(versions == list(range(1, 41)) for versions in seen.values())


async def test_what_was_not_removed_is_published_again_and_nothing_is_left_out(
    make_topic: TopicMaker, make_relay: RelayMaker, bootstrap: str
) -> None:
    topic = await make_topic(1)
    store = MemoryOutbox(rows_of(topic, accounts=1, versions=3), fails=1)
    make_relay(store)
    await until(lambda: not store.rows)
    assert [record.value for record in await read_all(bootstrap, topic, 6)] == [b"1", b"2", b"3"] * 2


async def test_a_record_too_large_for_its_dead_letter_topic_goes_there_as_a_pointer(
    make_topic: TopicMaker, make_relay: RelayMaker, bootstrap: str
) -> None:
    topic = await make_topic(1, max_message_bytes="20000")
    account = uuid.uuid4()
    store = MemoryOutbox(
        [
            Row(account, 1, 0, topic, None, b"small", DEAD),
            Row(account, 2, 0, topic, b"k" * 2_000, b"x" * 50_000, (("theirs", b"y" * 30_000), *DEAD)),
            Row(account, 3, 0, topic, None, None, DEAD),
        ]
    )
    make_relay(store)
    await until(lambda: not store.rows)
    small, pointer, empty = (await read_all(bootstrap, topic, 3))[-3:]
    assert small.value == b"small"
    assert (pointer.key, pointer.value) == (None, b"")
    assert dict(pointer.headers) == {**dict(DEAD), "loyalty_pointer": b"orders/3/77"}
    assert (empty.key, empty.value) == (None, b"")


async def test_a_change_of_balances_too_large_for_its_topic_goes_out_as_sums_of_its_entries(
    make_topic: TopicMaker, make_relay: RelayMaker, bootstrap: str
) -> None:
    topic = await make_topic(1, max_message_bytes="20000")
    account, headers = uuid.uuid4(), (("ce_type", b"loyalty.balance-changed"),)
    entry = {"reason": "redeem", "points": 2, "from": "available", "to": "spent", "rule": "X-1", "lot": "l" * 100}
    told = {"version": 2, "available": 0, "entries": [entry] * 500}
    store = MemoryOutbox(
        [
            Row(account, 1, 0, topic, b"k", b'{"version":1}', headers),
            Row(account, 2, 0, topic, b"k", json.dumps(told).encode(), headers),
            Row(account, 3, 0, topic, b"k", b'{"version":3}', headers),
        ]
    )
    make_relay(store)
    await until(lambda: not store.rows)
    records = [record for record in await read_all(bootstrap, topic, 3) if b'"version":2' in record.value]
    assert {record.headers for record in records} == {headers}
    assert [json.loads(record.value) for record in records] == [
        {
            **told,
            "entries": [{"reason": "redeem", "points": 1_000, "from": "available", "to": "spent", "rule": "X-1"}],
            "summed": {"entries": 500, "by": ["reason", "from", "to"]},
        }
    ]


async def test_a_message_that_kafka_does_not_take_stops_its_account_alone(
    make_topic: TopicMaker, make_relay: RelayMaker, bootstrap: str
) -> None:
    topic = await make_topic(1, max_message_bytes="20000")
    stuck, fine = uuid.uuid4(), uuid.uuid4()
    large = Row(stuck, 1, 0, topic, b"stuck", b"x" * 50_000)
    store = MemoryOutbox([large, Row(stuck, 2, 0, topic, b"stuck", b"2"), Row(fine, 1, 0, topic, b"fine", b"1")])
    make_relay(store)
    await until(lambda: len(store.rows) == 2)
    store.rows.append(Row(fine, 2, 0, topic, b"fine", b"2"))
    await until(lambda: len(store.rows) == 2)
    assert [row.account_id for row in store.rows] == [stuck, stuck]
    assert {record.key for record in await read_all(bootstrap, topic, 2)} == {b"fine"}


async def test_a_missing_topic_stops_its_accounts_alone_until_it_is_there(
    make_topic: TopicMaker, make_relay: RelayMaker, bootstrap: str
) -> None:
    topic, missing = await make_topic(1), f"t-{uuid.uuid4().hex[:8]}"
    waiting, fine = uuid.uuid4(), uuid.uuid4()
    store = MemoryOutbox(
        [Row(waiting, 1, 0, missing, b"w", b"1"), Row(waiting, 2, 0, topic, b"w", b"2"), Row(fine, 1, 0, topic, b"f", b"1")]
    )
    make_relay(store)
    await until(lambda: len(store.rows) == 2)
    await make_topic(1, name=missing)
    await until(lambda: not store.rows)
    assert [record.key for record in await read_all(bootstrap, topic, 2)] == [b"f", b"w"]


@pytest.mark.parametrize("partitions", [4, 1])
async def test_publishing_resumes_within_seconds_after_its_topic_was_made_again(
    make_topic: TopicMaker, make_relay: RelayMaker, bootstrap: str, partitions: int
) -> None:
    """With the worker's own options, while messages keep coming, as many partitions as before or fewer."""
    topic, other = await make_topic(4), await make_topic(1)
    store, account = MemoryOutbox(), uuid.uuid4()
    make_relay(store, options=RelayOptions())
    store.rows = [*rows_of(topic, 20, 2), Row(account, 1, 0, other, b"o", b"1")]
    await until(lambda: not store.rows)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([topic])
        waiting = rows_of(topic, 20, 2)
        store.rows += [*waiting, Row(account, 2, 0, other, b"o", b"2")]
        began = time.monotonic()
        await until(lambda: len(store.rows) <= len(waiting))
        assert time.monotonic() - began < RESUMED_SECONDS_MAX, "others do not wait for it"
    finally:
        await admin.close()
    await make_topic(partitions, name=topic)
    again = time.monotonic()
    await until(lambda: not store.rows)
    assert time.monotonic() - again < RESUMED_SECONDS_MAX
    assert len({(record.key, record.value) for record in await read_all(bootstrap, topic, len(waiting))}) == len(waiting)


async def test_a_producer_that_failed_is_replaced_and_order_is_kept(
    make_topic: TopicMaker, make_relay: RelayMaker, bootstrap: str
) -> None:
    topic = await make_topic(1)
    store = MemoryOutbox(rows_of(topic, accounts=1, versions=1))
    relay = make_relay(store)
    await until(lambda: not store.rows)
    first = relay._producer
    assert isinstance(first, AIOKafkaProducer)

    async def fatal(*_: object, **__: object) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.set_exception(OutOfOrderSequenceNumber())
        return future

    first.send = fatal
    account = uuid.uuid4()
    store.rows = [Row(account, version, 0, topic, b"a", b"%d" % version) for version in (1, 2, 3)]
    relay.poke()
    await until(lambda: not store.rows)
    assert relay._producer is not first
    assert [record.value for record in await read_all(bootstrap, topic, 4)][1:] == [b"1", b"2", b"3"]


async def test_two_relays_share_the_shards_and_one_takes_over_when_the_other_ends(
    make_topic: TopicMaker, make_relay: RelayMaker, bootstrap: str
) -> None:
    topic, store = await make_topic(1), MemoryOutbox()
    shares = [0.5, 0.5]
    one = make_relay(store, "one", share=lambda: shares[0])
    two = make_relay(store, "two", share=lambda: shares[1])
    await until(lambda: len(one.owned_shards()) == len(two.owned_shards()) == 32)
    assert set(one.owned_shards()) | set(two.owned_shards()) == set(range(64))
    store.rows = rows_of(topic, accounts=64, versions=1)
    await until(lambda: not store.rows)
    shares[:] = [0.0, 1.0]
    store.leases = dict.fromkeys(store.leases, "two")
    await until(lambda: len(two.owned_shards()) == 64)


async def test_a_relay_that_kafka_refuses_for_its_timestamps_leaves_publishing_to_another(
    make_topic: TopicMaker, make_relay: RelayMaker, bootstrap: str
) -> None:
    topic, store = await make_topic(1), MemoryOutbox()
    fast = make_relay(store, "fast", now=lambda: datetime.now(UTC) + timedelta(days=2))
    await until(lambda: len(fast.owned_shards()) == 64)
    right = make_relay(store, "right", share=lambda: 0.25)
    store.rows = rows_of(topic, accounts=64, versions=2)
    await until(lambda: not store.rows)
    assert (fast.owned_shards(), len(right.owned_shards())) == ((), 64)
    assert fast.problem == "Kafka refuses what this worker sends: InvalidTimestampError"
    assert right.problem == ""
    records = await read_all(bootstrap, topic, 128)
    assert max(record.timestamp for record in records) <= datetime.now(UTC).timestamp() * 1_000


async def test_what_a_relay_gave_up_is_its_own_again_once_it_asks(make_topic: TopicMaker, make_relay: RelayMaker) -> None:
    topic, store = await make_topic(1), MemoryOutbox()
    options = replace(FAST, refused_seconds=1.0)
    ahead = [timedelta(days=2)]
    sick = make_relay(store, "sick", options, share=lambda: 0.5, now=lambda: datetime.now(UTC) + ahead[0])
    other = make_relay(store, "other", options, share=lambda: 0.5)
    await until(lambda: len(sick.owned_shards()) == len(other.owned_shards()) == 32)
    store.rows = rows_of(topic, accounts=64, versions=1)
    await until(lambda: not store.rows)
    ahead[0] = timedelta(0)
    await until(lambda: len(sick.owned_shards()) == len(other.owned_shards()) == 32)
    assert sick.problem == ""


async def test_the_brokers_clock_is_told_where_topics_keep_it(make_topic: TopicMaker, make_relay: RelayMaker) -> None:
    for kind, keeps in (("CreateTime", False), ("LogAppendTime", True)):
        topic = await make_topic(1, message_timestamp_type=kind)
        heard: list[tuple[float, datetime]] = []
        store = MemoryOutbox(rows_of(topic, accounts=3, versions=1))
        make_relay(store, kind, on_append=partial(_note, heard))
        began = datetime.now(UTC)
        await until(partial(_is_empty, store))
        assert bool(heard) == keeps
        for sent, at in heard:
            assert began - timedelta(seconds=1) < at < datetime.now(UTC) + timedelta(seconds=1)
            assert sent < time.monotonic()


def _note(heard: list[tuple[float, datetime]], sent: float, at: datetime) -> None:
    heard.append((sent, at))


def _is_empty(store: MemoryOutbox) -> bool:
    return not store.rows


async def test_flushing_publishes_all_that_is_committed(make_topic: TopicMaker, bootstrap: str) -> None:
    topic = await make_topic(1)
    store = MemoryOutbox(rows_of(topic, accounts=10, versions=30))
    relay = Relay(store, lambda: make_producer({"bootstrap_servers": bootstrap}), RelayOptions(read_rows_max=50), "w")
    assert await relay.flush(10)
    assert store.rows == []
    await relay._close()
    assert store.leases == {}


async def test_kafka_that_is_away_is_waited_for(make_relay: RelayMaker) -> None:
    store = MemoryOutbox(rows_of("t", accounts=1, versions=1))
    relay = Relay(store, lambda: make_producer({"bootstrap_servers": "127.0.0.1:1"}), FAST, "w")
    task = asyncio.create_task(relay.run())
    await until(lambda: bool(relay.owned_shards()))
    assert not await relay.flush(0.3)
    assert len(store.rows) == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
