"""Terms that were registered after points had been posted: each posting is told as it was then, and then the correction."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import EVENING, ROOT, Run, Shop, correct, full_shop, run
from worker.local.sql import execute

__all__ = ["full_shop", "run"]

CODE = "lenovo-pro"
TERMS = (ROOT / "contracts" / "programs" / f"{CODE}.yaml").read_text(encoding="utf-8")
NOTE = "What terms registered since change about it is not posted yet."
ORDER = "L-7002"


def _apply(run: Run, shop: Shop, file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    correct(run, shop, file)


def _told(run: Run, shop: Shop, member: str = "LP-101") -> Any:
    answer = run("member", "explain", CODE, member, "--lang", "en", "-o", "json", environment=shop.environment)
    assert answer.code == 0, answer.err
    return answer.json


def _earned(told: Any) -> list[tuple[int, bool, tuple[str, ...]]]:
    """Points, whether it is a correction, and the numbers of what was earned by an order."""
    of_order = [each for each in told["postings"] if each["order_id"] == ORDER and each["reason"] == "earn"]
    return [(each["points"], each["correction"], tuple(line for line in each["how"] if "×" in line)) for each in of_order]


def _rebuild(run: Run, shop: Shop) -> None:
    assert run("ledger", "rebuild", "--program", CODE, environment=shop.environment).code == 0


DOUBLED = {
    "replaced": TERMS.replace('rate: "0.01"', 'rate: "0.02"'),
    "amended": (
        f"{TERMS}\namendments:\n  - effective_from: '2024-02-01T00:00:00+09:00'\n"
        "    set: {earning.components.purchase.rates.0.rate: '0.02'}\n"
    ),
}


@pytest.mark.parametrize("how", DOUBLED)
def test_each_posting_is_told_by_the_rate_that_it_was_posted_by(run: Run, full_shop: Shop, tmp_path: Path, how: str) -> None:
    before = _told(run, full_shop)
    first = _earned(before)
    assert first
    assert all("× 1% =" in line for _, _, lines in first for line in lines)
    _apply(run, full_shop, tmp_path / "late.yaml", DOUBLED[how])
    late = _told(run, full_shop)
    assert (_earned(late), late["notes"]) == (first, [NOTE])
    assert late["available"] == before["available"]
    assert late["pending"] == before["pending"]
    _rebuild(run, full_shop)
    since = _told(run, full_shop)
    corrections = _earned(since)[len(first) :]
    assert (_earned(since)[: len(first)], since["notes"]) == (first, [])
    assert [points for points, *_ in corrections] == [points for points, *_ in first]
    assert all(correction and "× 2% =" in lines[0] for _, correction, lines in corrections)
    lines = [line for each in since["postings"] if each["correction"] and each["order_id"] == ORDER for line in each["late"]]
    assert any(line.startswith("terms in force from 2024-0") for line in lines)
    assert (before["available"], before["pending"]) != (since["available"], since["pending"])


def test_what_came_after_late_terms_is_told_by_them_though_the_rest_is_not_folded_anew(
    run: Run, full_shop: Shop, tmp_path: Path
) -> None:
    first = _earned(_told(run, full_shop))
    _apply(run, full_shop, tmp_path / "late.yaml", DOUBLED["replaced"])
    full_shop.deliver([_order("L-9999", 100_000)])
    told = _told(run, full_shop)
    assert (_earned(told), told["notes"]) == (first, [NOTE])
    (new,) = [each for each in told["postings"] if each["order_id"] == "L-9999"]
    assert (new["points"], new["how"][0].split(",")[1][:14]) == (2_000, "000 yen × 2% =")
    at = ("--at", EVENING.isoformat())  # what the clock does since is not posted, and would be told by the terms of today
    statement = run("member", "statement", CODE, "LP-101", *at, "-o", "json", environment=full_shop.environment).json
    assert (told["available"], told["pending"]) == (statement["available"], statement["pending"])


def test_what_late_terms_take_back_is_told_as_undone(run: Run, full_shop: Shop, tmp_path: Path) -> None:
    """Another last day is another movement: the one is undone, the other posted."""
    before = {each["lot"]: each["expires_on"] for each in _told(run, full_shop)["postings"] if each["expires_on"]}
    text = TERMS.replace("{rule: LEN-26, months: 6, to: month_end}", "{rule: LEN-26, months: 9, to: month_end}")
    assert text != TERMS
    _apply(run, full_shop, tmp_path / "late.yaml", text)
    _rebuild(run, full_shop)
    told = _told(run, full_shop)
    assert told["notes"] == []
    assert not any("not to be worked out" in line for each in told["postings"] for line in each["how"])
    undone = [each for each in told["postings"] if each["correction"] and "was " in " ".join(each["late"])]
    assert any(line.endswith("is now 0") for each in undone for line in each["late"])
    assert any(each["expires_on"] not in (None, before.get(each["lot"])) for each in told["postings"])


def test_where_no_terms_give_what_was_posted_no_numbers_are_told(run: Run, full_shop: Shop, tmp_path: Path) -> None:
    """The terms of then are known by the time at which they were registered; here that is made to say something else."""
    posted = [(points, correction) for points, correction, _ in _earned(_told(run, full_shop))]
    _apply(run, full_shop, tmp_path / "late.yaml", DOUBLED["replaced"])
    execute(
        full_shop.dsn,
        "SET session_replication_role = replica; "
        f"DELETE FROM program_terms WHERE program = '{CODE}' AND NOT needs_approval",
    )
    _apply(run, full_shop, tmp_path / "later.yaml", TERMS.replace('rate: "0.01"', 'rate: "0.03"'))
    told = _told(run, full_shop)
    assert [(points, correction) for points, correction, _ in _earned(told)] == posted
    lines = [line for each in told["postings"] if each["reason"] == "earn" and each["order_id"] == ORDER for line in each["how"]]
    assert set(lines) == {"posted by terms and a state of then that are not to be worked out from what is recorded now"}
    assert told["notes"] == [NOTE]
    page = run("member", "explain", CODE, "LP-101", "-o", "html", environment=full_shop.environment).out
    assert "まだ記帳されていません" in page


def _order(order_id: str, price: int) -> bytes:
    line = {"line_id": "1", "sku": "X", "quantity": 1, "unit_price": price, "tax": 0}
    data = {
        "order_id": order_id,
        "member_id": "LP-101",
        "store": "lenovo_pro_jp",
        "payment_method": "credit_card",
        "lines": [line],
    }
    envelope = {
        "specversion": "1.0",
        "id": order_id,
        "source": "/shop",
        "type": "order.placed",
        "time": EVENING.isoformat(),
        "data": data,
    }
    return json.dumps(envelope).encode()
