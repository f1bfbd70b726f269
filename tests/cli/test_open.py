"""`loyalty ledger open`: every mistake of a file is told before anything is written; the same file again doubles nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.cli.conftest import Answer, Run, Shop

AT = "2026-11-01T00:00:00+09:00"
BALANCES: Sequence[dict[str, Any]] = (
    {"member_id": "S1", "lots": [{"points": 740}, {"points": 60, "expires_on": "2027-03-31"}], "last_change_on": "2026-09-01"},
    {"member_id": "S2", "tier": "Gold", "counted": [{"on": "2026-03-02", "amount": 70_000}], "registered_on": "2021-04-01"},
    {"member_id": "S3", "lots": [{"points": 5, "granted_on": "2026-10-01"}]},
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return ndjson(tmp_path / "balances.ndjson", BALANCES)


def ndjson(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def opened(run: Run, shop: Shop, file: Path, *more: str, program: str = "scolar", at: str = AT) -> Answer:
    return run("ledger", "open", program, file, "--at", at, *more, environment=shop.environment)


def statement(run: Run, shop: Shop, member: str) -> dict[str, Any]:
    found: dict[str, Any] = run("member", "statement", "scolar", member, "-o", "json", environment=shop.environment).json
    return found


def published(shop: Shop) -> int:
    return count(shop, "outbox")


def count(shop: Shop, table: str) -> int:
    async def ask() -> int:
        connection = await asyncpg.connect(shop.dsn)
        try:
            return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_balances_tiers_and_last_days_are_taken_over(run: Run, shop: Shop, file: Path) -> None:
    answer = opened(run, shop, file)
    assert (answer.code, answer.mistakes) == (0, [f"{file}: 3 accounts with 805 points: 3 opened now, 0 before"])
    first = statement(run, shop, "S1")
    assert (first["available"], first["version"]) == (800, 1)
    assert [lot["expires_on"] for lot in first["lots"]] == ["2027-03-31", "2027-09-01"]
    assert statement(run, shop, "S2")["tier"] == "Gold"
    assert published(shop) == 4, "three balances, one tier"
    assert run("ledger", "verify", environment=shop.environment).code == 0


def test_the_same_file_again_changes_nothing(run: Run, shop: Shop, file: Path) -> None:
    opened(run, shop, ndjson(file, BALANCES[:2]))
    answer = opened(run, shop, ndjson(file, BALANCES))
    assert (answer.code, answer.mistakes) == (0, [f"{file}: 3 accounts with 805 points: 1 opened now, 2 before"])
    assert opened(run, shop, file).mistakes == [f"{file}: 3 accounts with 805 points: 0 opened now, 3 before"]
    assert statement(run, shop, "S1")["available"] == 800
    assert published(shop) == 4


def test_without_a_word_the_version_stays_at_nothing(run: Run, shop: Shop, file: Path) -> None:
    assert opened(run, shop, file, "--no-announce").code == 0
    assert (statement(run, shop, "S1")["available"], statement(run, shop, "S1")["version"]) == (800, 0)
    assert published(shop) == 0
    assert run("ledger", "verify", environment=shop.environment).code == 0


def test_a_ledger_goes_on_from_what_was_taken_over(run: Run, shop: Shop, file: Path) -> None:
    opened(run, shop, file, "--no-announce")
    body = {"member_id": "S1", "points": -300, "reason": "support"}
    event = {"specversion": "1.0", "id": "1", "source": "t", "type": "points.adjusted", "program": "scolar", "data": body}
    shop.deliver([json.dumps({**event, "time": "2026-10-20T00:00:00Z"}).encode()])
    shop.deliver([json.dumps({**event, "id": "2", "time": "2026-11-20T00:00:00Z"}).encode()])
    first = statement(run, shop, "S1")
    assert (first["available"], first["version"]) == (200, 2)
    assert run("ledger", "verify", environment=shop.environment).code == 0


def test_every_mistake_has_a_line_and_nothing_is_written(run: Run, shop: Shop, file: Path) -> None:
    wrong = [
        *BALANCES[:1],
        {"member_id": "A", "lots": [{"points": 1.5}]},
        {"member_id": "B", "lots": [{"points": 1, "expire_on": "2027-01-01"}]},
        {"member_id": "C", "tier": "Platinum"},
        {"member_id": "D", "lots": [{"points": 1, "kind": "miles"}, {"points": 1, "expires_on": "2026-10-31"}]},
        {"member_id": "S1"},
        {"member_id": "E", "registered_on": "2026-11-02"},
        {"lots": []},
        [],
    ]
    answer = opened(run, shop, ndjson(file, wrong))
    assert (answer.code, answer.out) == (2, "")
    assert answer.mistakes == [
        f"{file}:2: lots.0.points: should be an integer, is a float",
        f"{file}:3: lots.0.expire_on: no such field; there are points, kind, expires_on, granted_on",
        f"{file}:4: tier: should be one of Member, Silver, Gold, VIP",
        f"{file}:5: lots.0.kind: should be one of regular, special",
        f"{file}:5: lots.1.expires_on: 2026-10-31 was over at the opening; leave lapsed points out",
        f"{file}:6: member_id: is on line 1 already",
        f"{file}:7: registered_on: 2026-11-02 should not be after the day of the opening, 2026-11-01",
        f"{file}:8: member_id: should be there, is missing",
        f'{file}:9: should be an object such as {{"member_id": "M1", "lots": [{{"points": 100}}]}}',
        f"{file}: 9 mistakes; nothing was taken over",
    ]
    assert count(shop, "fact") == 0


def test_what_the_program_does_not_have_is_a_mistake(run: Run, shop: Shop, file: Path) -> None:
    rows = [{"member_id": "A", "tier": "Gold", "counted": [{"on": "2026-01-01", "amount": 1}]}]
    answer = opened(run, shop, ndjson(file, rows), program="puppy")
    assert [line.partition(": ")[2] for line in answer.mistakes[:2]] == [
        "tier: the program has no tiers; leave it out",
        "counted: the program has no tiers; leave it out",
    ]
    rows = [{"member_id": "A", "last_change_on": "2026-01-01"}]
    assert "do not lapse as one" in opened(run, shop, ndjson(file, rows), program="lenovo-pro").mistakes[0]


def test_other_content_for_an_account_that_was_opened_is_a_mistake(run: Run, shop: Shop, file: Path) -> None:
    opened(run, shop, file)
    answer = opened(run, shop, ndjson(file, [*BALANCES[1:], {"member_id": "S1", "lots": [{"points": 741}]}]))
    assert answer.code == 2
    assert answer.mistakes[0] == f"{file}:3: was opened before with other content, or as of another instant; that one stands"
    assert opened(run, shop, file, at="2026-11-02T00:00:00+09:00").code == 2
    assert statement(run, shop, "S1")["available"] == 800


def test_csv_has_a_row_for_each_lot(run: Run, shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "balances.csv"
    file.write_text(
        "\ufeffmember_id,tier,points,kind,expires_on,counted_on,counted_amount,last_change_on\n"
        "S1,,740,,,,,2026-09-01\nS1,,60,regular,2027-03-31,,,\nS2,Gold,,,,2026-03-02,70000,\n",
        encoding="utf-8",
    )
    answer = opened(run, shop, file)
    assert (answer.code, answer.mistakes) == (0, [f"{file}: 2 accounts with 800 points: 2 opened now, 0 before"])
    assert [lot["points"] for lot in statement(run, shop, "S1")["lots"]] == [60, 740]
    assert statement(run, shop, "S2")["tier"] == "Gold"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("member,points\nS1,1\n", "1: no such column: member; the heading should have member_id and any of"),
        ("member_id,points\nS1,1.5\n", "2: points: should be a whole number of 0 or more, without separators"),
        ("member_id,points\nS1,1,2\n", "2: has more cells than the heading"),
        ("member_id,tier,points\nS1,Gold,1\nS1,VIP,1\n", "3: tier: differs from the member's row before"),
        ("member_id,points\nS1,1\nS2,1\nS1,2\n", "4: member_id: is on line 2 already"),
    ],
)
def test_mistakes_of_csv(run: Run, shop: Shop, tmp_path: Path, text: str, mistake: str) -> None:
    file = tmp_path / "balances.csv"
    file.write_text(text)
    answer = opened(run, shop, file)
    assert answer.code == 2
    assert answer.mistakes[0].startswith(f"{file}:{mistake}")


def test_balances_are_never_of_the_future(run: Run, shop: Shop, file: Path) -> None:
    assert opened(run, shop, file, at="2999-01-01T00:00:00Z").mistakes == [
        "--at 2999-01-01T00:00:00Z: should not be in the future"
    ]
