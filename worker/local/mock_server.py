"""The process of `MockKafka`: librdkafka's mock cluster, alive until it is told to stop. Started as a file, by its path."""

from __future__ import annotations

import signal
import sys

from confluent_kafka import Producer

READY = "mock cluster at "
ANSWER_SECONDS = 10


def main() -> None:
    """Start a cluster of one broker, write `READY` and its address, wait for SIGTERM."""
    owner = Producer({"test.mock.num.brokers": 1, "log_level": 3})
    brokers = owner.list_topics(timeout=ANSWER_SECONDS).brokers.values()
    sys.stdout.write(f"{READY}{','.join(f'{broker.host}:{broker.port}' for broker in brokers)}\n")
    sys.stdout.flush()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
