"""What Kafka has of every partition of the topics, whoever reads them: the bounds of the logs, asked of their leaders.

A client of its own: the consumer's asks about its own partitions, and knows of new ones when its metadata is renewed. Here they
are renewed before each listing, for a record may lie in a partition that was added a moment ago.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.offset import OffsetRequest

from worker.consume.batch import PartitionKey
from worker.log import get_logger

log = get_logger(__name__)

Bounds = tuple[int, int]
"""The first offset of a log, and the one after its last record."""
_EARLIEST: Final = -2
_LATEST: Final = -1
_NO_REPLICA: Final = -1


class LogEnds:
    """Lists the bounds of all partitions of some topics. `client`: aiokafka's options of the connection."""

    def __init__(self, topics: Sequence[str], client: Mapping[str, Any], timeout_seconds: float = 1.0) -> None:
        self._topics = topics
        self._options = client
        self._timeout_seconds = timeout_seconds
        self._client: AIOKafkaClient | None = None

    async def bounds(self) -> dict[PartitionKey, Bounds | None]:
        """By partition; None where Kafka did not answer in time, and for the first one of a topic of which it says nothing. Ends
        lie behind all that was acknowledged when this began, also behind transactions that are not over."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                client = await self._connected()
                await client.force_metadata_update()
                numbers = {topic: client.cluster.partitions_for_topic(topic) or () for topic in self._topics}
                found: dict[PartitionKey, Bounds | None] = {(topic, 0): None for topic, there in numbers.items() if not there}
                return found | await _bounds(client, {(topic, n) for topic, there in numbers.items() for n in there})
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("ends_not_listed", error=type(error).__name__)
            await self.close()
            return {(topic, 0): None for topic in self._topics}

    async def close(self) -> None:
        """End the connection."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(KafkaError, OSError, TimeoutError):
                await client.close()

    async def _connected(self) -> AIOKafkaClient:
        if self._client is None:
            client = AIOKafkaClient(**self._options)
            client.set_topics(self._topics)
            self._client = client
            await client.bootstrap()
        return self._client


async def _bounds(client: AIOKafkaClient, keys: Collection[PartitionKey]) -> dict[PartitionKey, Bounds | None]:
    """Each leader is asked for the ends and the beginnings of its partitions, all leaders at once."""
    by_leader: dict[int, dict[str, list[int]]] = {}
    for topic, number in sorted(keys):
        leader = client.cluster.leader_for_partition(TopicPartition(topic, number))
        if leader is not None and leader != -1:
            by_leader.setdefault(leader, {}).setdefault(topic, []).append(number)
    leaders = list(by_leader.items())
    ends = await asyncio.gather(*(_offsets(client, leader, of, _LATEST) for leader, of in leaders))
    starts = await asyncio.gather(*(_offsets(client, leader, of, _EARLIEST) for leader, of in leaders))
    end = {key: offset for each in ends for key, offset in each.items()}
    start = {key: offset for each in starts for key, offset in each.items()}
    return {key: (start[key], end[key]) if key in start and key in end else None for key in keys}


async def _offsets(
    client: AIOKafkaClient, leader: int, partitions: Mapping[str, Sequence[int]], at: int
) -> dict[PartitionKey, int]:
    """The offsets that one broker tells; partitions of which it is not the leader, or does not know enough, are missing."""
    wanted = [(topic, [(number, at) for number in numbers]) for topic, numbers in partitions.items()]
    try:
        response = await client.send(leader, OffsetRequest(_NO_REPLICA, 0, wanted))
    except (KafkaError, OSError) as error:
        log.warning("ends_not_told", broker=leader, error=type(error).__name__)
        return {}
    return {
        (topic, number): offset
        for topic, told in response.topics
        for number, error_code, _, offset, *_ in told
        if error_code == 0
    }
