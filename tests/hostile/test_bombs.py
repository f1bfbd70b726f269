"""Compressed batches that grow without end, on a real Kafka: memory and the event loop stay free, and nothing is lost."""

from __future__ import annotations

import asyncio
import gzip
import time
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Final

import cramjam
import pytest
from aiokafka import AIOKafkaProducer

from tests.shell.conftest import Positions, TopicMaker, WorkerMaker, admin, make_topic, make_worker, until
from worker.consume import codecs
from worker.consume.codecs import BATCH_BYTES_MAX, BatchTooLarge
from worker.decode import Broken, Limits, decode
from worker.decode.record import BATCH_HEADER

__all__ = ["admin", "make_topic", "make_worker"]

BOMB: Final = bytes(80 * 2**20)
LOOP_SECONDS_MAX: Final = 2.0
"""How long the event loop may be held, on a machine that is busy with other things."""
CODECS: Final = ("gzip", "snappy", "lz4", "zstd")
Coder = Callable[[bytes], bytes]
ENCODE: Final[dict[str, Coder]] = {
    "gzip": lambda content: gzip.compress(content, 1),
    "snappy": lambda content: bytes(cramjam.snappy.compress_raw(content)),
    "lz4": lambda content: bytes(cramjam.lz4.compress(content)),
    "zstd": lambda content: bytes(cramjam.zstd.compress(content)),
}
DECODE: Final[dict[str, Coder]] = {name: getattr(codecs, f"{name}_decode") for name in CODECS}


@pytest.mark.parametrize("codec", CODECS)
def test_what_fits_is_uncompressed_and_what_does_not_is_refused(codec: str) -> None:
    for content in (b"", b"x", b"record" * 100_000, bytes(BATCH_BYTES_MAX)):
        assert DECODE[codec](ENCODE[codec](content)) == content
    with pytest.raises(BatchTooLarge):
        DECODE[codec](ENCODE[codec](bytes(BATCH_BYTES_MAX + 1)))


def test_framed_snappy_and_gzip_of_several_members_are_bounded_as_a_whole() -> None:
    block = ENCODE["snappy"](bytes(2**20))
    head = b"\x82SNAPPY\x00" + bytes(8)
    frame = len(block).to_bytes(4, "big") + block
    assert codecs.snappy_decode(head + frame * 3) == bytes(3 * 2**20)
    member = ENCODE["gzip"](bytes(2**20))
    assert codecs.gzip_decode(member * 3) == bytes(3 * 2**20)
    for sent, uncompress in ((head + frame * 65, codecs.snappy_decode), (member * 65, codecs.gzip_decode)):
        with pytest.raises(BatchTooLarge):
            uncompress(sent)


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_cut_off_is_an_error_and_no_endless_loop(codec: str) -> None:
    content = ENCODE[codec](bytes(range(256)) * 1_000)
    for sent in (content[: len(content) // 2], b"\xff" * 100):
        with pytest.raises(Exception, match=r".") as caught:
            DECODE[codec](sent)
        assert not isinstance(caught.value, BatchTooLarge | MemoryError)


async def _longest_hold() -> AsyncIterator[float]:
    longest, last = 0.0, time.monotonic()
    while True:
        yield longest
        await asyncio.sleep(0.005)
        longest, last = max(longest, time.monotonic() - last - 0.005), time.monotonic()


@pytest.mark.parametrize("codec", CODECS)
async def test_a_bomb_becomes_one_record_and_what_follows_it_is_read(
    codec: str, make_topic: TopicMaker, make_worker: WorkerMaker, bootstrap: str
) -> None:
    topic = await make_topic(1, max_message_bytes=str(2**24))
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, compression_type=codec, max_request_size=2**28, max_batch_size=2**28)
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"before", partition=0)
        await producer.send_and_wait(topic, BOMB, partition=0)
        await producer.send_and_wait(topic, b"after", partition=0)
    finally:
        await producer.stop()
    worker = make_worker([topic], Positions(), group=f"g-{uuid.uuid4().hex[:8]}")
    worker.start()
    holds = _longest_hold()
    longest = 0.0
    while len(worker.values) < 3:
        longest = await anext(holds)
    assert longest < LOOP_SECONDS_MAX
    records = [record for batch in worker.batches for record in batch.records]
    assert [record.offset for record in records] == [0, 1, 2]
    assert (records[0].value, records[2].value) == (b"before", b"after")
    (name, about), *_ = records[1].headers
    assert name == BATCH_HEADER
    assert about is not None
    assert about.startswith(b"1 to 1, codec")
    # Byte for byte what was sent: whoever has the memory can still read it.
    value = records[1].value
    assert value is not None
    assert len(value) < 2**24
    outcome = decode(records[1], datetime.now(UTC), Limits(value_bytes_max=2**24))
    assert isinstance(outcome, Broken)
    assert outcome.reason == "too_large"
    await until(lambda: worker.intake.progress()[0].at_end)
