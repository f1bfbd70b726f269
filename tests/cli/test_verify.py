"""`loyalty ledger verify`: a sound ledger is called sound, and every kind of damage is found."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Run, Shop
from worker.local.sql import execute

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
    assert {"invariant", "account_id", "detail"} == set(answer.json[0])
    assert answer.mistakes == [f"{len(answer.json)} violations"]


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


def test_a_fenced_account_is_a_finding_and_has_no_statement(run: Run, full_shop: Shop) -> None:
    execute(full_shop.dsn, "UPDATE account SET fenced = 'a defect' WHERE member_id = 'LP-101'")
    answer = run("ledger", "verify", "-o", "json", environment=full_shop.environment)
    assert [violation["detail"] for violation in answer.json] == ["fenced: a defect"]
    statement = run("member", "statement", "lenovo-pro", "LP-101", environment=full_shop.environment)
    assert (statement.code, statement.out) == (1, "")
    assert statement.mistakes[0].startswith("the account is fenced (a defect)")
