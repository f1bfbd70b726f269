"""Which Kafka a machine can have, in words that a reader of the demo understands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, assert_never

from worker.local import containers, kafka_jars
from worker.local.containers import DockerKafka
from worker.local.kafka import Kafka, LocalKafka
from worker.local.mock_kafka import MockKafka
from worker.local.topics import create_topics

BOOTSTRAP_VARIABLE = "LOYALTY_KAFKA_BOOTSTRAP"

Kind = Literal["given", "docker", "jars", "mock"]


@dataclass(frozen=True, slots=True)
class KafkaChoice:
    """What was chosen and why. bootstrap: the address, when one was given."""

    kind: Kind
    reason: str
    bootstrap: str = ""


@dataclass(frozen=True, slots=True)
class GivenKafka:
    """Somebody else's Kafka: never started or stopped from here."""

    bootstrap: str

    @property
    def about(self) -> str:
        """What this is, in words."""
        return f"the Kafka at {self.bootstrap}"

    def start(self) -> None:
        """Nothing: it is there."""

    def stop(self) -> None:
        """Nothing: it is not ours."""

    async def create_topics(self, topics: Mapping[str, int], configs: Mapping[str, str] | None = None) -> None:
        """Create the topics that are not there yet."""
        await create_topics(self.bootstrap, topics, replicas=-1, configs=configs)


def choose_kafka(environment: Mapping[str, str]) -> KafkaChoice:
    """The best Kafka to be had: a given address, else Docker, else Kafka's own jars by Java and Maven, else the stand-in."""
    given = environment.get(BOOTSTRAP_VARIABLE, "").strip()
    if given:
        return KafkaChoice("given", f"{BOOTSTRAP_VARIABLE} names it", given)
    real = choose_real_kafka()
    if isinstance(real, KafkaChoice):
        return real
    return KafkaChoice("mock", f"no real Kafka can be had here: {real}")


def choose_real_kafka(*, pull: bool = True) -> KafkaChoice | str:
    """Docker's or the jars', whichever this machine can run; else why neither, in words.

    pull: prefer Docker to the jars even if its image must be fetched first.
    """
    no_docker = containers.why_not(containers.KAFKA_IMAGE, pull=pull)
    if no_docker is None:
        return KafkaChoice("docker", f"Docker answers and has {containers.KAFKA_IMAGE}")
    no_jars = kafka_jars.missing()
    if no_jars is None:
        return KafkaChoice("jars", f"{no_docker}; Java is here, and Kafka's own jars are or can be fetched")
    return f"{no_docker}; {no_jars}" if pull else choose_real_kafka()


def open_kafka(choice: KafkaChoice, directory: Path, *, keep: bool = False) -> Kafka:
    """The chosen Kafka, not yet started, with its state under `directory`. keep: leave it running when this Python ends."""
    match choice.kind:
        case "given":
            return GivenKafka(choice.bootstrap)
        case "docker":
            return DockerKafka(directory, keep=keep)
        case "jars":
            return LocalKafka(directory, keep=keep)
        case "mock":
            return MockKafka(directory, keep=keep)
        case _:
            assert_never(choice.kind)
