"""`loyalty member explain`, from a real ledger: in both languages, as text, JSON and a page."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.cli.conftest import Run, Shop, full_shop, run, shop

__all__ = ["full_shop", "run", "shop"]

AT = ("--at", "2026-12-31T00:00:00+09:00")


@pytest.mark.parametrize("member", [f"LP-10{number}" for number in range(1, 6)])
def test_what_is_explained_adds_up_to_the_statement(run: Run, full_shop: Shop, member: str) -> None:
    environment = full_shop.environment
    at = ("--at", "2026-11-20T21:00:00+09:00")
    told = run("member", "explain", "lenovo-pro", member, *at, "-o", "json", environment=environment).json
    statement = run("member", "statement", "lenovo-pro", member, *at, "-o", "json", environment=environment).json
    sums: Counter[str] = Counter()
    for posting in told["postings"]:
        sums[posting["source"]] -= posting["points"]
        sums[posting["target"]] += posting["points"]
        assert posting["rule"]["says"]
        assert posting["how"]
    assert (sums["available"], sums["pending"]) == (statement["available"], statement["pending"])
    assert (told["available"], told["pending"], told["tier"]) == (
        statement["available"],
        statement["pending"],
        statement["tier"],
    )


def test_a_late_cancel_and_its_order_are_told(run: Run, full_shop: Shop) -> None:
    environment = full_shop.environment
    japanese = run("member", "explain", "lenovo-pro", "LP-101", "--order", "L-9001", *AT, environment=environment)
    assert japanese.code == 0
    assert "1,000ポイント利用" in japanese.out
    assert "注文 L-9001 の取消" in japanese.out
    assert "L-7001" not in japanese.out
    english = run("member", "explain", "lenovo-pro", "LP-101", "--lang", "en", "--order", "L-9001", environment=environment)
    assert "1,000 points used" in english.out


def test_a_page_is_one_document_that_needs_nothing_else(run: Run, full_shop: Shop) -> None:
    answer = run("member", "explain", "belle-maison", "BM-203", "-o", "html", environment=full_shop.environment)
    assert answer.out.startswith('<!doctype html>\n<html lang="ja">')
    assert answer.out.rstrip().endswith("</html>")
    assert "http" not in answer.out


def test_who_or_what_is_not_there_is_said(run: Run, full_shop: Shop) -> None:
    environment = full_shop.environment
    assert run("member", "explain", "lenovo-pro", "NOBODY", environment=environment).code == 1
    nothing = run("member", "explain", "lenovo-pro", "LP-101", "--order", "L-1", environment=environment)
    assert (nothing.code, nothing.mistakes) == (1, ["L-1: this member has no order of that id in lenovo-pro"])
    assert run("member", "explain", "lenovo-pro", "LP-101", "--at", "yesterday", environment=environment).code == 2
