"""A release after this one, made up for the tests: a copy of the code with more migrations and another form of accounts."""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
import sys
from pathlib import Path

from worker.decide.state import FORMAT
from worker.local.sql import execute

ROOT = Path(__file__).parents[2]
DUMPS = Path(__file__).parent / "dumps"
PACKAGES = ("worker", "contracts", "db")
COLUMN = "20990101000000"
INDEX = "20990101000001"
NEXT_FORMAT = FORMAT + 1
_MIGRATIONS = {
    f"{COLUMN}_before_note.sql": """-- migrate:up

SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE account ADD COLUMN note text;

-- migrate:down

ALTER TABLE account DROP COLUMN note;
""",
    f"{INDEX}_before_entry_rule.sql": """-- migrate:up transaction:false

CREATE INDEX CONCURRENTLY IF NOT EXISTS entry_rule ON entry (rule, account_id);

-- migrate:down transaction:false

DROP INDEX CONCURRENTLY IF EXISTS entry_rule;
""",
}


def restore(release: str, dsn: str) -> None:
    """Fill an empty database with the dump of a release."""
    execute(dsn, gzip.decompress((DUMPS / f"{release}.sql.gz").read_bytes()).decode())


def releases() -> list[str]:
    """The releases of which a dump is kept."""
    return sorted(path.name.removesuffix(".sql.gz") for path in DUMPS.glob("*.sql.gz"))


def next_release(directory: Path) -> Path:
    """Makes the code of the next release under `directory`; returns where it is."""
    root = directory / "next"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in _MIGRATIONS.items():
        (root / "db" / "migrations" / name).write_text(text, encoding="utf-8")
    state = root / "worker" / "decide" / "state.py"
    text = state.read_text(encoding="utf-8")
    here = f"FORMAT: Final = {FORMAT}\n"
    assert here in text, "the form of this release is said elsewhere now"
    state.write_text(text.replace(here, f"FORMAT: Final = {NEXT_FORMAT}\n"), encoding="utf-8")
    return root


def environment(root: Path) -> dict[str, str]:
    """What makes Python take the packages of a release, wherever it is started."""
    return {"PYTHONPATH": str(root), "PYTHONSAFEPATH": "1"}


async def migrate(root: Path, dsn: str) -> None:
    """`loyalty migrate --only-before` of a release, without its terms: what comes before its first worker."""
    program = f"from db.migrate import migrate; migrate({dsn!r}, only_before=True)"
    env = {**os.environ, **environment(root)}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, env=env, stderr=asyncio.subprocess.PIPE)
    _, error = await process.communicate()
    assert process.returncode == 0, error.decode()
