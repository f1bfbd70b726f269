"""What can go wrong with a store, as a closed set: the caller decides by the class, never by a driver's code."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

import asyncpg

from worker.persist.rows import Partition


class StoreError(Exception):
    """Base of all that a store raises by intention."""


class UnavailableError(StoreError):
    """Postgres cannot be reached, is shutting down, is full, or has no connection left: nothing was written; try again later."""


class ContendedError(StoreError):
    """A lock or time limit was hit, or a deadlock broken: nothing was written; the same again may well succeed."""


class ErasedMeanwhileError(ContendedError):
    """An account was erased after this batch had looked for it: nothing was written; look again, and try again.

    `nowhere`: orders that lead to it still although they are not its own.
    """

    def __init__(self, account_id: UUID, nowhere: Collection[str] = ()) -> None:
        self.account_id = account_id
        self.nowhere = nowhere
        super().__init__("an account was erased meanwhile")


class RefusedError(StoreError):
    """Postgres cannot take the data: the same again will be refused again."""

    @property
    def why(self) -> str:
        """What is wrong, without a word of the data."""
        return type(self.__cause__ or self).__name__


class ConstraintError(RefusedError):
    """A constraint forbids what the data would make of the tables: a defect of ours. `constraint`: its name."""

    def __init__(self, constraint: str) -> None:
        self.constraint = constraint
        super().__init__(constraint)

    @property
    def why(self) -> str:
        return f"constraint {self.constraint}"


class PositionLostError(StoreError):
    """Another worker moved these partitions (or nobody has them at the offset expected): read the positions and seek."""

    def __init__(self, partitions: Sequence[Partition]) -> None:
        self.partitions = tuple(partitions)
        super().__init__("position lost of " + ", ".join(f"{topic}[{partition}]" for topic, partition in self.partitions))


class OutcomeUnknownError(StoreError):
    """The connection broke while committing and the outcome could not be found out: read the positions before going on."""


class AccountCollisionError(StoreError):
    """An account's row belongs to another member: two ids met, or the key of the ids was changed."""

    def __init__(self, account_id: UUID) -> None:
        self.account_id = account_id
        super().__init__(f"account {account_id} belongs to another member")


class WrongKeyError(StoreError):
    """The key of account ids is not the one this ledger was begun with."""

    def __init__(self) -> None:
        super().__init__("the key of account ids is not the one this ledger was begun with")


class SameLoginError(StoreError):
    """Whoever registered terms cannot approve them too."""

    def __init__(self, login: str) -> None:
        super().__init__(f"{login} registered these terms: the login of another person has to approve them")


class TermsRightError(StoreError):
    """The login may only read terms."""

    def __init__(self) -> None:
        super().__init__(
            "this login may only read terms: log in as a person in loyalty_terms, not as the worker "
            "(CREATE ROLE anna LOGIN PASSWORD '…' IN ROLE loyalty_terms; LOYALTY_POSTGRES_DSN, without LOYALTY_POSTGRES_ROLE)"
        )


class OwnCommandError(StoreError):
    """Whoever sent a command cannot approve it too."""

    def __init__(self) -> None:
        super().__init__("nobody approves their own command: another person has to, under a login of their own")


class DecidedBeforeError(StoreError):
    """Somebody decided about a held command already."""

    def __init__(self) -> None:
        super().__init__("somebody has decided about it already: see `loyalty command list --decided`")


class ApproverRightError(StoreError):
    """The login may not decide about held commands."""

    def __init__(self) -> None:
        super().__init__(
            "this login may not decide about commands: log in as a person in loyalty_approver, not as the worker "
            "(CREATE ROLE anna LOGIN PASSWORD '…' IN ROLE loyalty_approver; LOYALTY_POSTGRES_DSN, without LOYALTY_POSTGRES_ROLE)"
        )


_UNAVAILABLE: Final = (
    # What asyncpg says of a connection that Postgres ended with a last word while nothing was asked of it.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    ConnectionError,
    TimeoutError,
    OSError,
)
_CONTENDED: Final = (
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
)
_REFUSED: Final = (
    asyncpg.DataError,  # SQLSTATE class 22, and what asyncpg cannot encode
    asyncpg.exceptions.DataError,
    asyncpg.ProgramLimitExceededError,
)


def translate(error: BaseException) -> StoreError | None:
    """The class of the closed set that a driver's error belongs to; None for what is our own mistake."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, _CONTENDED):
        return ContendedError(str(error))
    if isinstance(error, _UNAVAILABLE):
        return UnavailableError(f"{type(error).__name__}: {error}")
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        # Where no constraint has a name (NOT NULL), the column has one.
        column = f"{error.table_name}.{error.column_name} {type(error).__name__}"
        return ConstraintError(error.constraint_name or column)
    if isinstance(error, _REFUSED):
        return RefusedError(f"{type(error).__name__}: {error}")
    if isinstance(error, asyncpg.InterfaceError) and "connection" in str(error):
        return UnavailableError(str(error))
    return None
