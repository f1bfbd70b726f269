"""An Apache Kafka of this machine, from Kafka's own jars: KRaft, one to three brokers, all state in one directory."""

from __future__ import annotations

import base64
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from worker.local.kafka_jars import KAFKA_VERSION, fetch_jars
from worker.local.ports import HOST, free_ports, listening
from worker.local.process import Process
from worker.local.topics import create_topics

START_SECONDS = 90.0
FORMAT_SECONDS = 60.0
STOP_SECONDS = 30.0
LAST_BROKERS_SECONDS = 5.0
LOG_CONFIGURATION = Path(__file__).with_name("kafka-log4j2.properties")
# Chosen for a quick start on two cores (1.8 s against 2.2 s): first compiler tier only, the simplest collector.
JVM_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")


class Kafka(Protocol):
    """What the demo needs of a Kafka, whichever it is."""

    @property
    def bootstrap(self) -> str:
        """Addresses, `host:port` with commas."""

    @property
    def about(self) -> str:
        """What this is, in words."""

    def start(self) -> None:
        """Start, and return when clients can connect."""

    def stop(self) -> None:
        """Stop in good order; only what was started here."""

    async def create_topics(self, topics: Mapping[str, int], configs: Mapping[str, str] | None = None) -> None:
        """Create these topics with these numbers of partitions; topics that are there already stay as they are."""


class RealKafka(Kafka, Protocol):
    """What tests of faults need besides: a Kafka that keeps its data over `stop`, `kill` and `start`."""

    def kill(self) -> None:
        """End at once, as a crash would."""

    def restart(self) -> None:
        """Stop in good order and start again at the same address with the same data."""

    def remove_data(self) -> None:
        """Delete what a stopped Kafka holds."""


@dataclass(slots=True)
class LocalKafka:
    """Kafka brokers (each a controller too) on free ports of this machine, with their data under `directory`.

    brokers: 1, or 3 for tests of failover. settings: broker settings over the defaults. keep: leave them running when this
    Python ends. Topics are never made by being named: a typing error is an error. Data stays over `stop`, `kill` and `start`.
    """

    directory: Path
    brokers: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)
    jvm_options: Sequence[str] = JVM_OPTIONS
    keep: bool = False
    ports: tuple[int, ...] = field(default=(), init=False)
    _processes: tuple[Process, ...] = field(default=(), init=False, repr=False)

    @property
    def bootstrap(self) -> str:
        """Addresses of all brokers."""
        return ",".join(f"{HOST}:{port}" for port in self.ports)

    @property
    def about(self) -> str:
        """What this is, in words."""
        return f"Apache Kafka {KAFKA_VERSION} from its own jars, {self.bootstrap}"

    def start(self) -> None:
        """Start all brokers, on the first time with an empty cluster; returns when each takes clients. Raises PartFailed."""
        if not self._processes:
            self._processes = self._prepare()
        for process in self._processes:
            if not process.alive:
                process.start()
        for node in range(self.brokers):
            self._wait(node)

    def start_broker(self, node: int) -> None:
        """Start one broker again (0 is the first)."""
        self._processes[node].start()
        self._wait(node)

    def stop(self) -> None:
        """Stop all brokers in good order, as far as a cluster can: without a majority the last ones cannot hand over."""
        if len(self._processes) > 1:
            for process in self._processes:
                process.ask_to_stop()
        for process in self._processes:
            process.stop(STOP_SECONDS if self.brokers == 1 else LAST_BROKERS_SECONDS)

    def stop_broker(self, node: int) -> None:
        """Stop one broker in good order."""
        self._processes[node].stop(STOP_SECONDS)

    def kill(self) -> None:
        """End all brokers at once, as a crash would."""
        for process in self._processes:
            process.kill()

    def kill_broker(self, node: int) -> None:
        """End one broker at once."""
        self._processes[node].kill()

    def restart(self) -> None:
        """Stop in good order and start again, on the same ports with the same data."""
        self.stop()
        self.start()

    def remove_data(self) -> None:
        """Delete the data of a stopped cluster; the logs of its processes stay."""
        for node in range(len(self._processes)):
            shutil.rmtree(self.directory / f"broker-{node}", ignore_errors=True)
        self._processes = ()

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the brokers that run."""
        return tuple(process.pid for process in self._processes if process.alive and process.pid is not None)

    async def create_topics(self, topics: Mapping[str, int], configs: Mapping[str, str] | None = None) -> None:
        """Create these topics with these numbers of partitions, a copy on each broker; returns when all can be written."""
        await create_topics(self.bootstrap, topics, replicas=self.brokers, configs=configs)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _wait(self, node: int) -> None:
        process, port = self._processes[node], self.ports[node]
        process.wait_until(lambda: "Kafka Server started" in process.output and listening(port), START_SECONDS)

    def _prepare(self) -> tuple[Process, ...]:
        java = ["java", *self.jvm_options, f"-Dlog4j2.configurationFile={LOG_CONFIGURATION}", "-cp", f"{fetch_jars()}/*"]
        self.directory.mkdir(parents=True, exist_ok=True)
        home = self.directory.resolve()
        ports = free_ports(2 * self.brokers)
        self.ports, controllers = ports[: self.brokers], ports[self.brokers :]
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        processes: list[Process] = []
        for node in range(self.brokers):
            properties = home / f"broker-{node}.properties"
            lines = self._properties(node, controllers, home / f"broker-{node}")
            properties.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
            if not (home / f"broker-{node}" / "meta.properties").exists():
                # In one word: an id may begin with a hyphen.
                command = [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "--config", str(properties)]
                storage_tool = Process(f"Kafka's storage tool for broker {node}", command, home / f"broker-{node}-format.log")
                storage_tool.start()
                storage_tool.wait_for_success(FORMAT_SECONDS)
            command = [*java, "kafka.Kafka", str(properties)]
            name = "Kafka" if self.brokers == 1 else f"Kafka broker {node}"
            processes.append(Process(name, command, home / f"kafka-{node}.log", keep=self.keep))
        return tuple(processes)

    def _properties(self, node: int, controllers: Sequence[int], data: Path) -> dict[str, str]:
        copies = str(self.brokers)
        in_step = str(max(1, self.brokers - 1))
        return {
            "process.roles": "broker,controller",
            "node.id": str(node),
            "controller.quorum.voters": ",".join(f"{voter}@{HOST}:{port}" for voter, port in enumerate(controllers)),
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{HOST}:{self.ports[node]},CONTROLLER://{HOST}:{controllers[node]}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{self.ports[node]}",
            "log.dirs": str(data),
            # Retention goes by a record's own time: a year that is told once more would be removed before it is read.
            "log.retention.ms": "-1",
            "auto.create.topics.enable": "false",
            "default.replication.factor": copies,
            "min.insync.replicas": in_step,
            "offsets.topic.replication.factor": copies,
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": in_step,
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": in_step,
            # Tests of a takeover, and a broker that comes back after a crash, need not wait for production's time-outs.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "500",
            **self.settings,
        }
