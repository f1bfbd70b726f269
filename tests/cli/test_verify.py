"""`loyalty ledger verify`: a sound ledger is called sound, and every kind of damage is found."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from contracts.counting import counted
from tests.cli.conftest import Run, Shop
from worker.decide.program import Program
from worker.local.sql import execute
from worker.persist import PostgresStore, StoreOptions, UnavailableError, Violation
from worker.upkeep.verify import check

DAMAGE = {
    "an order is gone": (
        "DELETE FROM item WHERE kind = 'order' AND key = 'L-7001'",
        "item order L-7001: is not there, the facts give one",
    ),
    "a lot holds too much": (
        "UPDATE lot SET available = available + 1, points = points + 1 WHERE available > 0",
        "columns",
    ),
    "a lot says another amount": (
        "UPDATE lot SET doc = convert_to(replace(convert_from(doc, 'UTF8'), '\"available\":', '\"available\":1'), 'UTF8')",
        "available is ",
    ),
    "the head has another tier": (
        "UPDATE account SET head = convert_to(replace(convert_from(head, 'UTF8'), '\"Plus\"', '\"Elite\"'), 'UTF8')",
        "tier is {",
    ),
    "an instant is forgotten": (
        "UPDATE account SET next_due_at = NULL, head = convert_to((convert_from(head, 'UTF8')::jsonb - 'next_due_at'"
        " - 'clock_due_at')::text, 'UTF8')",
        "next_due_at is null, the facts give ",
    ),
}


def test_a_sound_ledger_is_called_sound(run: Run, full_shop: Shop) -> None:
    answer = run("ledger", "verify", environment=full_shop.environment)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("The ledger is sound")
    assert run("ledger", "verify", "-o", "json", environment=full_shop.environment).json == []
    assert run("ledger", "verify", "-o", "ndjson", environment=full_shop.environment).out == ""


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_found_and_ends_with_one(run: Run, full_shop: Shop, what: str) -> None:
    statement, detail = DAMAGE[what]
    execute(full_shop.dsn, statement)
    answer = run("ledger", "verify", "-o", "json", environment=full_shop.environment)
    assert answer.code == 1
    assert any(detail in violation["detail"] for violation in answer.json), answer.out
    assert {"invariant", "account_id", "detail", "cure"} == set(answer.json[0])
    assert answer.mistakes == [counted(len(answer.json), "violation")]


def test_only_the_accounts_asked_for_are_looked_at(run: Run, full_shop: Shop) -> None:
    execute(full_shop.dsn, DAMAGE["an order is gone"][0])
    whole = run("ledger", "verify", "-o", "json", environment=full_shop.environment).json
    damaged, sound = "lenovo-pro:LP-101", "lenovo-pro:LP-103"
    assert run("ledger", "verify", "--account", sound, environment=full_shop.environment).code == 0
    answer = run("ledger", "verify", "--account", damaged, "-o", "ndjson", environment=full_shop.environment)
    assert (answer.code, len(answer.out.splitlines())) == (1, len(whole))
    assert run("ledger", "verify", "--account", whole[0]["account_id"], environment=full_shop.environment).code == 1
    wrong = run("ledger", "verify", "--account", "LP-101", environment=full_shop.environment)
    assert (wrong.code, wrong.mistakes) == (2, ["--account LP-101: should be an account id, or PROGRAM:MEMBER"])
    nobody = run("ledger", "verify", "--account", "lenovo-pro:NOBODY", environment=full_shop.environment)
    assert (nobody.code, nobody.out, nobody.mistakes[0]) == (1, "", "--account lenovo-pro:NOBODY: there is no such account")


def test_a_fenced_account_is_a_finding_and_has_no_statement(run: Run, full_shop: Shop) -> None:
    execute(full_shop.dsn, "UPDATE account SET fenced = 'a defect' WHERE member_id = 'LP-101'")
    answer = run("ledger", "verify", "-o", "json", environment=full_shop.environment)
    assert [violation["detail"] for violation in answer.json] == ["fenced: a defect"]
    statement = run("member", "statement", "lenovo-pro", "LP-101", environment=full_shop.environment)
    assert (statement.code, statement.out) == (1, "")
    assert statement.mistakes[0].startswith("the account is fenced (a defect)")


def test_every_finding_is_one_line_with_its_cure(run: Run, full_shop: Shop) -> None:
    execute(full_shop.dsn, DAMAGE["an order is gone"][0])
    lines = run("ledger", "verify", environment=full_shop.environment).out.splitlines()
    assert lines
    for line in lines:
        assert line.startswith("account ")
        assert line.endswith("; cure: the facts are right and what is kept beside them is not: rebuild the account "
                             "(`loyalty ledger rebuild`)")  # fmt: skip


def test_a_posting_that_the_facts_do_not_give_is_found(run: Run, full_shop: Shop) -> None:
    """The balance is right and so are the lots; only the rule that an entry names is another one."""
    execute(
        full_shop.dsn,
        "SET session_replication_role = replica; "
        "UPDATE entry SET rule = 'LEN-99' "
        "WHERE (account_id, version, line) = (SELECT account_id, version, line FROM entry LIMIT 1)",
    )
    answer = run("ledger", "verify", "-o", "json", environment=full_shop.environment)
    assert {violation["invariant"] for violation in answer.json} == {"refold_of_facts_is_posted"}
    assert len(answer.json) == 2  # what is there and should not be, and what should be there


def test_several_processes_find_what_one_finds(run: Run, full_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.upkeep.audit.ACCOUNTS_AT_ONCE", 3)
    execute(full_shop.dsn, DAMAGE["a lot says another amount"][0])
    alone = run("ledger", "verify", "-o", "json", environment=full_shop.environment)
    together = run("ledger", "verify", "-o", "json", "--workers", "2", environment=full_shop.environment)
    assert alone.code == together.code == 1
    assert alone.json == together.json
    assert len({violation["account_id"] for violation in alone.json}) > 3


def test_only_what_was_written_since_is_looked_at(run: Run, full_shop: Shop) -> None:
    execute(full_shop.dsn, DAMAGE["an order is gone"][0])
    execute(full_shop.dsn, "UPDATE account SET updated_at = '2026-01-01Z' WHERE member_id = 'LP-101'")
    assert run("ledger", "verify", "--since", "2026-01-02T00:00:00Z", environment=full_shop.environment).code == 0
    assert run("ledger", "verify", "--since", "2026-01-01T00:00:00Z", environment=full_shop.environment).code == 1


def test_it_goes_on_where_it_was_stopped(run: Run, full_shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.upkeep.audit.ACCOUNTS_AT_ONCE", 2)
    execute(full_shop.dsn, DAMAGE["a lot says another amount"][0])
    whole = run("ledger", "verify", "-o", "ndjson", environment=full_shop.environment)
    file = tmp_path / "verify.json"
    looked = _Stops(after=3)
    monkeypatch.setattr("worker.upkeep.audit.check", looked)
    assert run("ledger", "verify", "-o", "ndjson", "--resume", file, environment=full_shop.environment).code == 70
    assert json.loads(file.read_text())["accounts"] == 6
    looked.after = 1_000
    begun = len(looked.accounts)
    rest = run("ledger", "verify", "-o", "ndjson", "--resume", file, environment=full_shop.environment)
    assert not set(looked.accounts[:6]) & set(looked.accounts[begun:])
    assert rest.mistakes == ["going on after 6 accounts", counted(len(whole.out.splitlines()), "violation")]
    assert whole.out.endswith(rest.out)
    assert not file.exists()
    file.write_text("{}")
    wrong = run("ledger", "verify", "--resume", file, environment=full_shop.environment)
    assert (wrong.code, wrong.mistakes) == (
        2, [f"{file}: is no file of `ledger verify --resume`; remove it to begin anew"]
    )  # fmt: skip


class _Stops:
    """Looks at accounts, and notes which, until it has been asked so often."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.accounts: list[UUID] = []
        self._asked = 0

    async def __call__(
        self, store: PostgresStore, terms: Mapping[str, Program], accounts: Sequence[UUID]
    ) -> AsyncIterator[Violation]:
        self._asked += 1
        if self._asked > self.after:
            raise KeyError("stopped here")
        self.accounts += accounts
        async for violation in check(store, terms, accounts):
            yield violation


def test_it_needs_no_more_than_the_right_to_read(run: Run, full_shop: Shop) -> None:
    execute(
        full_shop.dsn,
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'verifier') THEN "
        "CREATE ROLE verifier LOGIN IN ROLE loyalty_reader; END IF; END $$",
    )
    dsn = full_shop.dsn.replace("postgres@", "verifier@")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        execute(dsn, "UPDATE account SET epoch = 2")
    environment = {**full_shop.environment, "LOYALTY_POSTGRES_DSN": dsn}
    assert run("ledger", "verify", environment=environment).code == 0
    assert run("ledger", "verify", "--workers", "2", environment=environment).code == 0


async def test_its_transactions_cannot_write(database: str) -> None:
    async with await PostgresStore.open(database, StoreOptions(read_only=True)) as store:
        with pytest.raises(UnavailableError, match="read-only"):
            await store.advance_watermark(datetime(2026, 1, 1, tzinfo=UTC))
