"""The parts of the demo: a Postgres, a Kafka, a migrated database, topics, and a worker as a process of its own."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

from aiokafka.admin import AIOKafkaAdminClient

from contracts.counting import counted
from worker.cli.failures import Exit, Failure
from worker.cli.migration import bring_up
from worker.cli.opening import finish
from worker.cli.output import tell
from worker.cli.topics import wanted_topics
from worker.local import Kafka, KafkaChoice, LocalPostgres, Process, choose_kafka, open_kafka, stop_kept
from worker.local.choose import BOOTSTRAP_VARIABLE
from worker.local.ports import HOST, free_ports
from worker.local.sql import execute
from worker.local.topics import create_topics
from worker.settings import Settings, load

PARTITIONS: Final = 4
READY_SECONDS: Final = 40.0
PREFIX: Final = "LOYALTY_"
DATABASE: Final = "loyalty"
NOTE: Final = "demo.json"
ENVIRONMENT: Final = "demo.env"
PROGRAMS: Final = Path(sys.executable).parent
"""Where `loyalty` is."""
Say = Callable[[str, float], None]


def kept_directory() -> Path:
    """Where a demo that is left running keeps its state."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "loyalty" / "demo"


@dataclass(slots=True)
class Stage:
    """The parts, started one after another and stopped in the opposite order. `say`: what was done, and how long it took."""

    keep: bool
    say: Say
    directory: Path = field(init=False)
    postgres: LocalPostgres = field(init=False)
    choice: KafkaChoice = field(init=False)
    kafka: Kafka = field(init=False)
    environment: dict[str, str] = field(default_factory=dict, init=False)
    worker: Process | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.keep:
            self.directory = kept_directory()
            if (self.directory / NOTE).exists():
                raise Failure(Exit.USAGE, "a demo was left running: `loyalty demo --stop` ends it")
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        else:
            self.directory = Path(tempfile.mkdtemp(prefix="loyalty-demo-"))
        self.postgres = LocalPostgres(self.directory / "postgres", keep=self.keep)
        self.choice = choose_kafka(os.environ)
        self.kafka = open_kafka(self.choice, self.directory / "kafka", keep=self.keep)

    def start(self) -> Settings:
        """Start everything; returns the settings under which it runs, for someone who only reads. Raises PartFailed."""
        with ThreadPoolExecutor(max_workers=2) as threads:
            parts = [threads.submit(self._timed, part) for part in (self.postgres, self.kafka)]
            times = [part.result() for part in parts]
        self.say(f"Postgres  {self.postgres.about}", times[0])
        self.say(f"Kafka     {self.kafka.about}: {self.choice.reason}", times[1])
        self._environment()
        self._note()
        settings = self._settings("demo_worker")
        self._database(settings)
        self._topics(settings)
        self._worker()
        reader = self._settings("demo_reader")
        self.environment["LOYALTY_POSTGRES_DSN"] = self.postgres.dsn(DATABASE, "demo_worker")
        return reader

    @staticmethod
    def _timed(part: LocalPostgres | Kafka) -> float:
        started = time.monotonic()
        part.start()
        return time.monotonic() - started

    def _environment(self) -> None:
        """What the worker is told: the demo's own settings; of ours only how to reach a Kafka that was given."""
        given = {name: value for name, value in os.environ.items() if name.startswith(PREFIX + "KAFKA_")}
        ours = given if self.choice.kind == "given" else {}
        name = f"demo-{secrets.token_hex(4)}"
        self.environment = {
            **ours,
            BOOTSTRAP_VARIABLE: self.kafka.bootstrap,
            "LOYALTY_KAFKA_GROUP": name,
            "LOYALTY_ACCOUNT_KEY": secrets.token_hex(16),
            "LOYALTY_WATERMARK_GRACE_SECONDS": "0",
            "LOYALTY_PROBE_HOST": HOST,
            "LOYALTY_PROBE_PORT": str(free_ports(1)[0]),
        }
        if self.choice.kind == "given":
            self.environment["LOYALTY_KAFKA_TOPICS_PREFIX"] = f"{name}."

    def _settings(self, user: str) -> Settings:
        """The settings for a user of the database, put in the place of this process's own."""
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            del os.environ[name]
        self.environment["LOYALTY_POSTGRES_DSN"] = self.postgres.dsn(DATABASE, user)
        os.environ.update(self.environment)
        return load()

    def _database(self, settings: Settings) -> None:
        started = time.monotonic()
        execute(self.postgres.dsn(), f"CREATE DATABASE {DATABASE}")
        done = list(bring_up(self.postgres.dsn(DATABASE), settings.account_key.get_secret_value().encode()))
        roles = [f"CREATE ROLE demo_{name} LOGIN IN ROLE loyalty_{name}" for name in ("worker", "terms", "reader")]
        execute(self.postgres.dsn(), *roles)
        registered = sum(line.startswith("terms:") for line in done)
        self.say(f"Ledger    {done[0]}; terms of {counted(registered, 'program')} registered", time.monotonic() - started)

    def _topics(self, settings: Settings) -> None:
        started = time.monotonic()
        wanted = wanted_topics(settings.kafka, PARTITIONS)
        if self.choice.kind == "given":
            client = settings.kafka.client_options("loyalty-demo")
            finish(create_topics(client.pop("bootstrap_servers"), wanted, replicas=-1, client=client))
        else:
            finish(self.kafka.create_topics(wanted))
        self.say(f"Topics    {len(wanted)} created", time.monotonic() - started)

    def _worker(self) -> None:
        started = time.monotonic()
        ours = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        here = str(Path(__file__).parents[3])
        path = os.pathsep.join(filter(None, (here, ours.get("PYTHONPATH"))))
        environment = {**ours, **self.environment, "PYTHONPATH": path}
        command = [sys.executable, "-m", "worker", "run"]
        self.worker = Process("the worker", command, self.directory / "worker.log", environment=environment, keep=self.keep)
        self.worker.start()
        self.worker.wait_until(self._ready, READY_SECONDS)
        self.say(f"Worker    `loyalty run`, process {self.worker.pid}, ready", time.monotonic() - started)

    def _ready(self) -> bool:
        try:
            with urlopen(f"{self.probe}/ready", timeout=1) as answer:  # noqa: S310 - our own address
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    @property
    def probe(self) -> str:
        """The address of the worker's probes."""
        return f"http://{HOST}:{self.environment['LOYALTY_PROBE_PORT']}"

    # -- the end

    def stop(self, *, clean: bool) -> int | None:
        """Stop what was started here, the last first; returns the worker's exit code. `clean`: take data and logs away too."""
        code = self.worker.stop() if self.worker is not None else None
        if self.choice.kind == "given" and self.environment:
            remove_topics()
        self.kafka.stop()
        self.postgres.stop()
        self.postgres.remove_data()
        (self.directory / NOTE).unlink(missing_ok=True)
        if clean:
            shutil.rmtree(self.directory, ignore_errors=True)
        return code

    def _note(self) -> None:
        if self.keep:
            note = {"postgres_data": str(self.postgres.data), "kafka": self.choice.kind}
            (self.directory / NOTE).write_text(json.dumps(note))

    def write_environment(self) -> Path:
        """The settings as a file for a shell, for whoever wants to look around."""
        path = self.directory / ENVIRONMENT
        path.touch(mode=0o600)
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(self.environment.items())]
        # `loyalty` need not be on the PATH: `make demo` calls it in its virtual environment.
        path.write_text("".join([*lines, f'export PATH={shlex.quote(str(PROGRAMS))}:"$PATH"\n']))
        return path


def remove_topics() -> None:
    """Delete the demo's topics from a Kafka that was given, as the environment names them."""
    settings = load().kafka
    if not settings.topics_prefix:
        raise Failure(Exit.USAGE, "topics without a prefix may not be the demo's: they are left as they are")

    async def delete() -> None:
        admin = AIOKafkaAdminClient(**settings.client_options("loyalty-demo"))
        await admin.start()
        try:
            await admin.delete_topics(list(wanted_topics(settings, 1)))
        finally:
            await admin.close()

    finish(delete())


def stop_kept_demo() -> int:
    """Stop what `loyalty demo --keep` left running, and take its data away."""
    directory = kept_directory()
    note = directory / NOTE
    if not note.exists():
        tell("no demo was left running")
        return Exit.OK
    kept: Mapping[str, str] = json.loads(note.read_text())
    environment = directory / ENVIRONMENT
    if kept["kafka"] == "given" and environment.exists():
        for line in environment.read_text().splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            os.environ[name] = shlex.split(value)[0]
        stop_kept(directory)
        remove_topics()
    tell(f"stopped: {', '.join(stop_kept(directory)) or 'nothing was running any more'}")
    data = Path(kept["postgres_data"])
    shutil.rmtree(data if data.is_relative_to(directory) else data.parent, ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)
    return Exit.OK
