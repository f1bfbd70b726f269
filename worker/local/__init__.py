"""Real parts on this machine - Kafka and Postgres - for the demo and for the tests.

Each starts and stops only what it started itself; all its state lies in the directory that it was given.
"""

from __future__ import annotations

from worker.local.choose import KafkaChoice, choose_kafka, choose_real_kafka, open_kafka
from worker.local.kafka import Kafka, LocalKafka, RealKafka
from worker.local.mock_kafka import MockKafka
from worker.local.postgres import LocalPostgres, Postgres, PostgresBinaries, find_binaries
from worker.local.process import PartFailed, Process, stop_kept

__all__ = [
    "Kafka",
    "KafkaChoice",
    "LocalKafka",
    "LocalPostgres",
    "MockKafka",
    "PartFailed",
    "Postgres",
    "PostgresBinaries",
    "Process",
    "RealKafka",
    "choose_kafka",
    "choose_real_kafka",
    "find_binaries",
    "open_kafka",
    "stop_kept",
]
