"""Vouchers, whatever order things come in: the same ones, told as they are, and no points made or lost by converting."""

from __future__ import annotations

import json
from functools import lru_cache
from random import Random
from typing import Any

import pytest
from hypothesis import given

from tests.fold.examples import batches, seeds, tried
from tests.fold.histories import START, History, history
from tests.fold.stored import StoredAccounts, check_book, compare_all
from tests.fold.test_returns import told
from tests.fold.variants import MORE_CHOICES, values_of
from worker.decide.program import Program
from worker.programs.terms_file import changed, versions

CHOICES = range(len(MORE_CHOICES["conversions"]))
choices = pytest.mark.parametrize("choice", CHOICES)


@lru_cache
def converting(choice: int, code: str = "scolar", **more: Any) -> Program:
    """A shipped program with conversions, small enough that random lives come to them often."""
    return Program(versions(changed(values_of(code), {"conversions": MORE_CHOICES["conversions"][choice], **more}), code))


def _drawn(choice: int, seed: int) -> tuple[Program, History, Random]:
    program = converting(choice, ("scolar", "puppy")[seed % 2])
    return program, history(program, seed, contested=False), Random(seed)


@choices
@tried
@given(seed=seeds)
def test_any_order_and_any_batches_end_with_the_same_vouchers(choice: int, seed: int) -> None:
    program, life, rng = _drawn(choice, seed)
    books = StoredAccounts(program, narrow=bool(seed // 2 % 2))
    for batch in batches(life.events, rng):
        books.deliver(batch)
        if rng.random() < 0.3:
            books.run_clock(rng.choice(life.events).time)
    books.run_clock(life.end)
    compare_all(books, life, life.end)
    for book in books.books.values():
        check_book(book, program)


def test_a_balance_that_is_taken_over_in_silence_brings_a_voucher_that_is_told() -> None:
    program = converting(0)
    books = StoredAccounts(program)
    lots = [{"points": 900}]
    books.deliver([told(program, "balance.opened", START, "o", {"member_id": "M1", "lots": lots, "announce": False})])
    messages = books.books["M1"].messages
    assert [message.topic for message in messages] == ["loyalty.balance-changed", "loyalty.voucher-issued"]
    assert json.loads(messages[1].data)["status"] == "open"
