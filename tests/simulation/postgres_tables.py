"""The tables of a ledger on Postgres as the store in memory has them, and its invariants in one statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg

from contracts.events import Event
from tests.stores.memory_tables import Account, ParkedKey
from worker.decide.change import AccountRow, PostedEntry
from worker.decode import Record
from worker.persist import DeadLetter, OutboxRow, Partition, Position, Route
from worker.persist.accounts import account_row
from worker.persist.dead_letters import LetterName
from worker.persist.encoding import (
    Row,
    Unreadable,
    decision_of,
    decode_headers,
    entry_of,
    event_of,
    item_of,
    lot_of,
    moment_of,
    outbox_row_of,
    step_of,
)
from worker.persist.invariants import INVARIANTS, WHOLE
from worker.persist.orders import route_of

_T = TypeVar("_T")
Fetch = Callable[..., list[asyncpg.Record]]
"""Runs a statement, and waits for its rows."""

_OF_ACCOUNTS: Final = " UNION ALL ".join(
    f"(SELECT '{name}' AS name, q.account_id, q.detail FROM ({query.rstrip().removesuffix(';')}) q)"
    for name, query in INVARIANTS.items()
    if not name.startswith(WHOLE)
)
UNSOUND: Final = f"""
{_OF_ACCOUNTS}
UNION ALL SELECT 'fenced', account_id, fenced FROM account WHERE account_id = ANY($1::uuid[]) AND fenced IS NOT NULL
UNION ALL
SELECT 'announced before it was committed', o.account_id, format('version %s', o.version)
FROM outbox o JOIN account a ON a.account_id = o.account_id
WHERE o.version > a.version
UNION ALL
SELECT 'not as it was committed', w.account_id, format('revision %s, version %s, and there %s, %s', w.revision, w.version,
    a.revision, a.version)
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS w (account_id, revision, version)
LEFT JOIN account a ON a.account_id = w.account_id
WHERE (a.revision, a.version) IS DISTINCT FROM (w.revision, w.version)
"""
"""What breaks an invariant in the accounts of $1, which were committed at the revisions $2 and versions $3."""


# A head as it is committed does not say up to when its member was forgotten before.
_ACCOUNTS: Final = "SELECT *, NULL::timestamptz AS forgotten_until FROM account"


class PostgresTables:
    """`stages.Tables`: each table is read when it is asked for, and again after `forget`."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._read: dict[str, Any] = {}

    def forget(self) -> None:
        """Something was done since."""
        self._read.clear()

    def _once(self, name: str, read: Callable[[], _T]) -> _T:
        if name not in self._read:
            self._read[name] = read()
        found: _T = self._read[name]
        return found

    @property
    def positions(self) -> Mapping[Partition, Position]:
        names = "topic, partition, next_offset, digest, record_at, updated_at"
        rows = self._once("position", lambda: [Position(**dict(row)) for row in self._fetch(f"SELECT {names} FROM position")])
        return {(position.topic, position.partition): position for position in rows}

    @property
    def watermark(self) -> datetime | None:
        value: datetime | None = self._once("watermark", lambda: self._fetch("SELECT value FROM watermark")[0]["value"])
        return value

    @watermark.setter
    def watermark(self, value: datetime | None) -> None:
        self.forget()
        self._fetch("UPDATE watermark SET value = $1", value)

    @property
    def routes(self) -> Mapping[str, Route]:
        return self._once(
            "order_route",
            lambda: {
                row["order_id"]: route_of(row)
                for row in self._fetch("SELECT * FROM order_route")
            },
        )

    @property
    def parked(self) -> Mapping[ParkedKey, tuple[datetime, Event]]:
        return self._once(
            "parked",
            lambda: {
                (row["order_id"], row["source"], row["id"]): (row["recorded_at"], event_of(row))
                for row in self._fetch("SELECT * FROM parked")
            },
        )

    @property
    def outbox(self) -> Mapping[tuple[UUID, int, int], OutboxRow]:
        return self._once(
            "outbox",
            lambda: {
                (row["account_id"], row["version"], row["ordinal"]): outbox_row_of(row)
                for row in self._fetch("SELECT * FROM outbox")
            },
        )

    @property
    def dead_letters(self) -> Mapping[LetterName, DeadLetter]:
        return self._once("dead_letter", lambda: dict(map(_letter, self._fetch("SELECT * FROM dead_letter"))))

    @property
    def accounts(self) -> Mapping[UUID, Account]:
        return self._once("account", self._accounts)

    def _accounts(self) -> Mapping[UUID, Account]:
        unreadable = Unreadable()
        found = {row["account_id"]: Account(account_row(row, unreadable)) for row in self._fetch(_ACCOUNTS)}
        of = {account_id: str(account.row.member_id) for account_id, account in found.items()}
        for row in self._fetch("SELECT * FROM fact"):
            fact = event_of(row)
            assert fact.digest == row["digest"], f"the digest of {fact.id} of {of[row['account_id']]} is not that of its body"
            found[row["account_id"]].facts[fact.source, fact.id] = (row["recorded_at"], fact)
        for row in self._fetch("SELECT * FROM decision"):
            found[row["account_id"]].decisions[row["source"], row["id"]] = (row["recorded_at"], decision_of(row))
        for row in self._fetch("SELECT * FROM entry ORDER BY account_id, version, line"):
            found[row["account_id"]].entries.append((row["recorded_at"], _posted(row)))
        for account_id, lot in unreadable.decoded(self._fetch("SELECT * FROM lot"), "a lot", lot_of):
            found[account_id].lots[lot.ref] = lot
        for account_id, (name, item) in unreadable.decoded(self._fetch("SELECT * FROM item"), "an item", item_of):
            found[account_id].items[name] = item
        for account_id, step in unreadable.decoded(self._fetch("SELECT * FROM step"), "a step", step_of):
            found[account_id].steps[step.moment] = step
        assert not unreadable, dict(unreadable)
        return found


def heads_differ(accounts: Mapping[UUID, Account], committed: Mapping[UUID, AccountRow]) -> Iterable[str]:
    """Where the accounts are not as their last commit left them."""
    for account_id in sorted({*accounts, *committed}):
        there, wanted = accounts.get(account_id), committed.get(account_id)
        if there is None or there.row != wanted:
            yield f"not as it was committed: {account_id}: {wanted}, and there {there.row if there is not None else None}"


def _posted(row: Row) -> PostedEntry:
    after, how = (row["from_after"], row["to_after"]), (row["correction"], row["refold"])
    return PostedEntry(row["version"], row["line"], moment_of(row), entry_of(row).entry, *after, *how)


def _letter(row: Row) -> tuple[LetterName, DeadLetter]:
    timestamp_ms = int(row["record_at"].timestamp() * 1000) if row["record_at"] is not None else -1
    place = (row["topic"], row["partition"], row["record_offset"])
    record = Record(*place, timestamp_ms, row["key"], row["value"], decode_headers(row["headers"]))
    return (*place, row["digest"]), DeadLetter(record, row["reason"], row["detail"])
