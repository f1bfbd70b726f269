"""`loyalty ledger rebuild --program`: what an operator needs after a corrected terms file, or a defect that was found."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest

from contracts.events import OrderPlaced
from tests.cli.conftest import DAY, ROOT, Run, Shop, correct
from tests.recovery.ledgers import rows
from worker.decide.account import Account
from worker.decide.fact_types import FACT_TYPES
from worker.upkeep import rebuild

CODE = "lenovo-pro"
LENOVO = ROOT / "contracts" / "programs" / "lenovo-pro.yaml"
NOW = ("--at", "2026-11-20T21:00:00+09:00")


@pytest.fixture
def corrected(run: Run, full_shop: Shop, tmp_path: Path) -> Path:
    """Terms that should have been these from the beginning, registered after the day was read."""
    file = tmp_path / "corrected.yaml"
    file.write_text(LENOVO.read_text().replace('rate: "0.01"', 'rate: "0.02"'))
    correct(run, full_shop, file)
    return file


def test_every_account_of_the_program_is_what_the_corrected_terms_say_and_no_other_is_touched(
    run: Run, full_shop: Shop, corrected: Path
) -> None:
    others = _rows(full_shop, f"program <> '{CODE}'")
    wrong = run("ledger", "verify", "-o", "ndjson", environment=full_shop.environment)
    found_wrong = {json.loads(line)["account_id"] for line in wrong.out.splitlines()}
    assert len(found_wrong) > 1
    shown = _lines(run, full_shop, "--preview")
    assert {each["account_id"] for each in shown} == found_wrong
    assert _rows(full_shop, f"program <> '{CODE}'") == others
    assert _lines(run, full_shop) == shown
    assert run("ledger", "verify", environment=full_shop.environment).code == 0
    assert _rows(full_shop, f"program <> '{CODE}'") == others
    (simulated,) = run("simulate", "--program", corrected, "--events", DAY, *NOW, "-o", "json").json
    for member in simulated["members"]:
        told = run("member", "statement", CODE, member["member_id"], *NOW, "-o", "json", environment=full_shop.environment)
        assert (told.json["available"], told.json["pending"]) == (member["available"], member["pending"])


def test_once_more_changes_nothing(run: Run, full_shop: Shop, corrected: Path) -> None:
    assert _lines(run, full_shop)
    before = _rows(full_shop, "true", "account_id, version, head")
    again = run("ledger", "rebuild", "--program", CODE, environment=full_shop.environment)
    assert (again.code, again.out) == (0, "")
    assert again.mistakes[-1].endswith("accounts rebuilt, 0 with a new version; 0 could not be rebuilt")
    assert _rows(full_shop, "true", "account_id, version, head") == before


def test_it_goes_on_where_it_was_stopped(
    run: Run, full_shop: Shop, corrected: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _lines(run, full_shop, "--preview")
    monkeypatch.setattr(rebuild, "ACCOUNTS_AT_ONCE", 2)
    monkeypatch.setattr(rebuild, "LOOKED_THROUGH_AT_ONCE", 3)
    groups, original = 0, rebuild._attempt

    async def stops(what: Any, accounts: Sequence[UUID]) -> Any:
        nonlocal groups
        groups += 1
        if groups == 3:
            raise KeyError("stopped here")
        return await original(what, accounts)

    monkeypatch.setattr(rebuild, "_attempt", stops)
    file = tmp_path / "far"
    arguments = ("ledger", "rebuild", "--program", CODE, "--resume", file, "-o", "ndjson")
    first = run(*arguments, environment=full_shop.environment)
    assert first.code == 70
    other = run("ledger", "rebuild", "--program", "scolar", "--resume", file, environment=full_shop.environment)
    assert (other.code, other.mistakes) == (2, [f"{file}: was begun with --program {CODE}: go on so, or remove it"])
    second = run(*arguments, environment=full_shop.environment)
    assert (second.code, second.mistakes[0]) == (0, "going on after 4 accounts")
    lines = [json.loads(line) for answer in (first, second) for line in answer.out.splitlines()]
    assert lines == whole
    assert not file.exists()
    assert run("ledger", "verify", environment=full_shop.environment).code == 0


def test_one_that_cannot_be_rebuilt_is_told_and_the_others_are_rebuilt(run: Run, full_shop: Shop, corrected: Path) -> None:
    original = FACT_TYPES[OrderPlaced]

    def defective(account: Account, data: OrderPlaced) -> None:
        if data.member_id == "LP-101":
            raise ZeroDivisionError
        original.handle(account, data)

    with patch.dict(FACT_TYPES, {OrderPlaced: original._replace(handle=defective)}):
        answer = run("ledger", "rebuild", "--program", CODE, "-o", "ndjson", environment=full_shop.environment)
    defects = [each for each in map(json.loads, answer.out.splitlines()) if each["defect"]]
    assert (answer.code, len(defects)) == (1, 1)
    assert len(answer.out.splitlines()) > 1


def test_what_cannot_be_meant_is_refused(run: Run, full_shop: Shop, tmp_path: Path) -> None:
    def refused(*arguments: object) -> str:
        answer = run("ledger", "rebuild", *arguments, environment=full_shop.environment)
        assert answer.code == 2
        return answer.mistakes[-1]

    assert refused("--program", "no-such").startswith("no-such: no program of this code: registered are ansage, ")
    assert refused("--program", CODE, "--fenced").startswith("give one of ")
    assert refused("--fenced", "--resume", tmp_path / "far") == "--resume: is for --program"
    assert "-o ndjson" in refused("--program", CODE, "-o", "json")


def test_a_table_is_no_longer_than_can_be_read(
    run: Run, full_shop: Shop, corrected: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = len(_lines(run, full_shop, "--preview"))
    monkeypatch.setattr("worker.cli.rebuilding.TABLE_ROWS_MAX", 1)
    answer = run("ledger", "rebuild", "--program", CODE, "--preview", environment=full_shop.environment)
    assert answer.out.count(CODE) == 1
    assert answer.mistakes[0] == f"{whole - 1} more are not shown: -o ndjson prints all of them"


def _lines(run: Run, shop: Shop, *arguments: object) -> list[dict[str, Any]]:
    answer = run("ledger", "rebuild", "--program", CODE, "-o", "ndjson", *arguments, environment=shop.environment)
    assert answer.code == 0, answer.err
    return [json.loads(line) for line in answer.out.splitlines()]


def _rows(shop: Shop, where: str, columns: str = "*") -> list[Any]:
    return asyncio.run(rows(shop.dsn, f"SELECT {columns} FROM account WHERE {where} ORDER BY account_id"))
