"""Making topics on a cluster that is there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from worker.local.process import PartFailed

LEADERS_SECONDS = 30.0
POLL_SECONDS = 0.02
NO_ERROR = 0
TOPIC_ALREADY_EXISTS = 36


async def create_topics(
    bootstrap: str,
    topics: Mapping[str, int],
    *,
    replicas: int = 1,
    configs: Mapping[str, str] | None = None,
    client: Mapping[str, Any] | None = None,
) -> None:
    """Create topics, and return when every partition has a leader.

    topics: name → number of partitions. replicas: copies of each; -1 leaves it to the cluster. configs: topic settings.
    client: further arguments of the admin client (TLS, SASL). Topics that are there already stay as they are.
    Raises PartFailed if the cluster refuses one.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **(client or {}))
    await admin.start()
    try:
        # aiokafka takes -1 only beside an assignment; an empty one leaves both to the cluster.
        assigned: dict[int, list[int]] | None = {} if replicas == -1 else None
        settings = dict(configs or {})
        wanted = [NewTopic(name, count, replicas, assigned, settings) for name, count in topics.items()]
        answer = await admin.create_topics(wanted)
        for name, code, *message in answer.topic_errors:
            if code not in (NO_ERROR, TOPIC_ALREADY_EXISTS):
                raise PartFailed(f"topic {name} was not created: error {code} {' '.join(map(str, message))}")
        async with asyncio.timeout(LEADERS_SECONDS):
            while not _all_led(await admin.describe_topics(list(topics))):
                await asyncio.sleep(POLL_SECONDS)
    finally:
        await admin.close()


def _all_led(described: list[dict[str, Any]]) -> bool:
    return all(
        topic["error_code"] == NO_ERROR and topic["partitions"] and all(part["leader"] >= 0 for part in topic["partitions"])
        for topic in described
    )
