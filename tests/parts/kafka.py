"""Fixtures: a real Kafka."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.parts.missing import cannot_run
from worker.local import Kafka, KafkaChoice, LocalKafka, RealKafka, choose_real_kafka
from worker.local.containers import DockerKafka
from worker.local.kafka_jars import missing as jars_missing

GIVEN_VARIABLE = "LOYALTY_TEST_KAFKA"
REMEDY = "install Java 17 and Maven, or start Docker"


@dataclass(frozen=True, slots=True)
class TopicNames:
    """Names of topics that no other test uses: `topics("commerce.order")`."""

    prefix: str

    def __call__(self, name: str) -> str:
        return f"{self.prefix}{name}"


@pytest.fixture(scope="session")
def real_kafka() -> KafkaChoice:
    """Which real Kafka this machine has; without one the test is skipped."""
    choice = choose_real_kafka(pull=False)
    if isinstance(choice, str):
        cannot_run("real Kafka", choice, REMEDY)
    return choice


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """One real Kafka for all tests, empty at first; not to be stopped. An address in LOYALTY_TEST_KAFKA is used instead."""
    if address := os.environ.get(GIVEN_VARIABLE):
        from worker.local.choose import GivenKafka

        yield GivenKafka(address)
        return
    choice: KafkaChoice = request.getfixturevalue("real_kafka")
    directory = tmp_path_factory.mktemp("kafka")
    server: RealKafka = DockerKafka(directory) if choice.kind == "docker" else LocalKafka(directory)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        server.remove_data()


@pytest.fixture(scope="session")
def bootstrap(kafka: Kafka) -> str:
    """The address of the Kafka for all tests."""
    return kafka.bootstrap


@pytest.fixture
def topics() -> TopicNames:
    """Topic names of this test's own."""
    return TopicNames(f"t{uuid.uuid4().hex[:10]}.")


@pytest.fixture
def own_kafka(real_kafka: KafkaChoice, tmp_path: Path) -> Iterator[Callable[..., RealKafka]]:
    """Makes a Kafka that a test may stop and kill: `own_kafka()`, started, of one broker."""
    made: list[RealKafka] = []

    def make() -> RealKafka:
        directory = tmp_path / f"kafka-{len(made)}"
        made.append(DockerKafka(directory) if real_kafka.kind == "docker" else LocalKafka(directory))
        made[-1].start()
        return made[-1]

    yield make
    for server in made:
        server.stop()
        server.remove_data()


@pytest.fixture
def kafka_cluster(tmp_path: Path) -> Iterator[LocalKafka]:
    """Three brokers of this test's own, from Kafka's jars, started; `kafka_cluster.kill_broker(0)`."""
    if why := jars_missing():
        cannot_run("a Kafka of three brokers", why, "install Java 17 and Maven")
    with LocalKafka(tmp_path / "kafka", brokers=3) as cluster:
        yield cluster
    cluster.remove_data()
