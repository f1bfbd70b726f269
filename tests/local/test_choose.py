"""Which Kafka is taken, and that it is said why."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from docker.errors import DockerException

from worker.local import LocalKafka, MockKafka, PartFailed, choose_kafka, choose_real_kafka, open_kafka
from worker.local.containers import KAFKA_IMAGE, Container, DockerKafka, why_not

NO_DOCKER = "no Docker daemon answers"
NO_JAVA = "no Java (Kafka needs 17 or newer)"


def has(monkeypatch: pytest.MonkeyPatch, *, docker: str | None, jars: str | None) -> None:
    monkeypatch.setattr("worker.local.containers.why_not", lambda image, pull=True: docker)
    monkeypatch.setattr("worker.local.kafka_jars.missing", lambda: jars)


def test_a_given_address_comes_before_all_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    has(monkeypatch, docker=None, jars=None)
    choice = choose_kafka({"LOYALTY_KAFKA_BOOTSTRAP": "broker.example:9092"})
    assert (choice.kind, choice.bootstrap) == ("given", "broker.example:9092")
    assert open_kafka(choice, tmp_path).bootstrap == "broker.example:9092"


def test_docker_comes_before_the_jars(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    has(monkeypatch, docker=None, jars=None)
    choice = choose_kafka({})
    assert choice.kind == "docker"
    assert KAFKA_IMAGE in choice.reason
    assert isinstance(open_kafka(choice, tmp_path), DockerKafka)


def test_the_jars_come_before_the_stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    has(monkeypatch, docker=NO_DOCKER, jars=None)
    choice = choose_kafka({"LOYALTY_KAFKA_BOOTSTRAP": " "})
    assert choice.kind == "jars"
    assert NO_DOCKER in choice.reason
    assert isinstance(open_kafka(choice, tmp_path), LocalKafka)


def test_the_stand_in_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    has(monkeypatch, docker=NO_DOCKER, jars=NO_JAVA)
    choice = choose_kafka({})
    assert choice.kind == "mock"
    assert NO_DOCKER in choice.reason
    assert NO_JAVA in choice.reason
    assert isinstance(open_kafka(choice, tmp_path), MockKafka)
    assert choose_real_kafka() == f"{NO_DOCKER}; {NO_JAVA}"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("tcp://docker.example:2375", "Docker's daemon is on another machine"),
        ("ssh://someone@docker.example", "Docker's daemon is on another machine"),
        ("tcp://127.0.0.1:1", NO_DOCKER),
        ("unix:///nowhere/docker.sock", NO_DOCKER),
    ],
)
def test_only_a_docker_whose_ports_are_ours_is_taken(address: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    assert why_not(KAFKA_IMAGE, pull=False) == why


def test_a_container_opens_its_port_to_this_machine_only_and_is_removed_if_it_does_not_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is asked of Docker, without one: its servers take everyone without a password."""
    seen: list[object] = []

    class Refused:
        def __init__(self, image: str, env: dict[str, str]) -> None:
            self.ports: dict[str, object] = {}

        def start(self) -> None:
            seen.append(self.ports)
            raise DockerException("port is already allocated")

        def stop(self) -> None:
            seen.append("removed")

    monkeypatch.setattr("testcontainers.core.container.DockerContainer", Refused)
    with pytest.raises(PartFailed, match=f"{KAFKA_IMAGE} did not start: port is already allocated"):
        Container(KAFKA_IMAGE, tmp_path).create({}, 29_092, 9_092)
    assert seen == [{"9092": ("127.0.0.1", 29_092)}, "removed"]


@pytest.mark.parametrize(("ci", "outcome", "code"), [("", "1 skipped", 0), ("true", "1 error", 1)], ids=["by hand", "under CI"])
def test_a_machine_without_kafka_says_so_in_the_last_line(ci: str, outcome: str, code: int, tmp_path: Path) -> None:
    """Runs one real-Kafka test in a Python that finds neither Docker nor Java."""
    environment = {**os.environ, "CI": ci, "PATH": str(tmp_path), "DOCKER_HOST": f"unix://{tmp_path}/no.sock"}
    environment.pop("LOYALTY_TEST_KAFKA", None)
    name = "test_kafka.py::test_a_topic_that_is_there_stays_as_it_is"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{Path(__file__).parent}/{name}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert outcome in done.stdout
    last = done.stdout.strip().splitlines()[-1]
    assert "real Kafka did NOT run" in last
    assert "install Java 17 and Maven" in last
