"""Other leaders for the partitions of a cluster, while all brokers run."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import AlterPartitionReassignmentsRequest

from contracts.events import TOPICS_IN, TOPICS_OUT
from tests.flows.system import System

_GROUPS: Final = "__consumer_offsets"
_TIMEOUT_MS: Final = 10_000
_POLL_SECONDS: Final = 0.1
BROKER_SETTINGS: Final = {"leader.imbalance.check.interval.seconds": "1", "leader.imbalance.per.broker.percentage": "0"}
"""With these the first broker of each partition's list becomes its leader within a second."""


async def move_leaders(system: System, rng: Random) -> int:
    """Deal the leaders of all partitions anew, the groups' coordinators among them; how many have been moved when the first are.

    Raises KafkaError, OSError, TimeoutError when the cluster is not to be reached.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=system.bootstrap)
    async with asyncio.timeout(_TIMEOUT_MS / 1000):
        await admin.start()
        try:
            topics = [_GROUPS, *(system.prefix + name for name in (*TOPICS_IN, *TOPICS_OUT))]
            before = await admin.describe_topics(topics)
            orders: list[Any] = [(topic["topic"], [_order(part, rng) for part in topic["partitions"]], {}) for topic in before]
            await admin._send_to_controller(AlterPartitionReassignmentsRequest(_TIMEOUT_MS, orders, {}))
            # Those on a broker that is down just now stay where they are.
            after = _leaders(before)
            while after == _leaders(before):
                await asyncio.sleep(_POLL_SECONDS)
                after = _leaders(await admin.describe_topics(topics))
        finally:
            await admin.close()
    return sum(after[place] != leader for place, leader in _leaders(before).items())


def _order(part: dict[str, Any], rng: Random) -> tuple[int, list[int], dict[Any, Any]]:
    """The same brokers in another order: the first of them is to lead."""
    return part["partition"], rng.sample(part["replicas"], len(part["replicas"])), {}


def _leaders(described: list[dict[str, Any]]) -> dict[tuple[str, int], int]:
    return {(topic["topic"], part["partition"]): part["leader"] for topic in described for part in topic["partitions"]}
