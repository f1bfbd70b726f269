"""Writes the dump of a release: a small ledger as this release writes it, as SQL, compressed, the same bytes every time.

python -m tests.upgrades.make_dump 0.1.0      # before a release is tagged; needs the programs of Postgres 15
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import tempfile
from pathlib import Path

from db.migrate import migrate
from tests.upgrades.traffic import fill_now
from worker.local import LocalPostgres, find_binaries
from worker.local.sql import execute

DUMPS = Path(__file__).parent / "dumps"
VERSION = 15
DATABASE = "ledger"

# What the clock of the machine wrote becomes one instant: recorded order within an account is that of the versions.
_SAME_EVERY_TIME = """
    SET session_replication_role = replica;
    UPDATE fact SET recorded_at = '2026-11-20Z';
    UPDATE decision SET recorded_at = '2026-11-20Z';
    UPDATE entry SET recorded_at = '2026-11-20Z';
    UPDATE account SET updated_at = '2026-11-20Z';
    UPDATE order_route SET recorded_at = '2026-11-20Z';
    UPDATE parked SET recorded_at = '2026-11-20Z';
    UPDATE outbox SET created_at = '2026-11-20Z';
    UPDATE dead_letter SET recorded_at = '2026-11-20Z';
    UPDATE watermark SET updated_at = '2026-11-20Z';
    UPDATE program_terms SET applied_at = '2026-11-20Z';
    UPDATE ledger_state SET created_at = '2026-11-20Z';
"""
# Rows in the order of their keys, not of their writing.
_CLUSTERED = ("account", "fact", "decision", "entry", "lot", "item", "step", "order_route", "parked", "outbox", "program_terms")


def make(release: str) -> Path:
    """Write `dumps/<release>.sql.gz` and return its path. Raises PartFailed without the programs of Postgres 15."""
    binaries = find_binaries(VERSION)
    if binaries is None:
        raise SystemExit(f"no programs of Postgres {VERSION} here: install Debian's package postgresql-{VERSION}")
    with tempfile.TemporaryDirectory(prefix="loyalty-dump-") as folder:
        server = LocalPostgres(Path(folder), binaries, {"fsync": "off"})
        with server:
            execute(server.dsn(), f"CREATE DATABASE {DATABASE}")
            dsn = server.dsn(DATABASE)
            migrate(dsn)
            fill_now(dsn)
            execute(dsn, _SAME_EVERY_TIME, *(f"CLUSTER {table} USING {table}_pkey" for table in _CLUSTERED))
            text = _dumped(str(binaries.directory / "pg_dump"), dsn)
        server.remove_data()
    target = DUMPS / f"{release}.sql.gz"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    return target


def _dumped(program: str, dsn: str) -> str:
    options = ("--inserts", "--rows-per-insert=50", "--no-owner", "--no-privileges", "--no-comments")
    done = subprocess.run([program, *options, dsn], capture_output=True, text=True, check=True)
    # A newer pg_dump begins and ends with a line for psql alone, with a random word.
    lines = [line for line in done.stdout.splitlines() if not line.startswith(("\\", "-- Dumped"))]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(f"{make(sys.argv[1])}\n")
