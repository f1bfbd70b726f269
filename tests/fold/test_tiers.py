"""Levels by several measures, held, carried over and given come to the same in whatever order their facts are delivered."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import Any

import pytest
from hypothesis import given

from tests.fold.examples import batches, seeds, tried
from tests.fold.histories import history
from tests.fold.stored import StoredAccounts, compare_all
from tests.fold.variants import MORE_CHOICES, values_of
from worker.decide import judging
from worker.decide.program import Program
from worker.decide.reaching import Counted, held_on
from worker.decide.state import Head
from worker.programs.terms_file import changed, versions

GIVES = [
    {
        "id": "match",
        "rule": "XX-15",
        "event": "member.enrolled",
        "gives": {"tier": "two", "months": 2},
        "points": 10,
        "once_per": "member",
    },
    {"id": "visit", "rule": "XX-14", "event": "activity.completed", "gives": {"tier": "three", "months": 1}, "points": 5},
]


@lru_cache
def _program(code: str, kind: int) -> Program:
    tiers: dict[str, Any] = {**MORE_CHOICES["tiers"][kind], "notice_days": [20, 3]}
    return Program(versions(changed(values_of(code), {"tiers": tiers, "activities": GIVES}), code))


@pytest.mark.parametrize("kind", range(len(MORE_CHOICES["tiers"])))
@pytest.mark.parametrize("code", ["ansage", "scolar"])
@tried
@given(seed=seeds)
def test_levels_are_those_of_one_fold_in_any_order_and_any_batches(code: str, kind: int, seed: int) -> None:
    program = _program(code, kind)
    life, rng = history(program, seed), Random(seed)
    books = StoredAccounts(program)
    for batch in batches(life.events, rng):
        books.deliver(batch, until=rng.choice([None, batch[0].time]))
        if rng.random() < 0.3:
            books.run_clock(rng.choice(life.events).time)
    books.run_clock(life.end)
    compare_all(books, life, life.end)
    for book in books.books.values():
        _is_what_it_says(program, book.head)


def _is_what_it_says(program: Program, head: Head) -> None:
    """Nobody has less than what still holds, or was given; and the clock comes again when a level that was given ends."""
    assert head.last is not None
    version = program.at(head.last.at)
    tiers, tier = version.terms.tiers, head.tier
    if tiers is None or tier is None:
        return
    now = judging.index_of(tiers, tier.name)
    assert now == max(judging.own_index(tiers, tier), judging.given_index(tiers, tier))
    if any(judgement.on.change for judgement in tiers.judgements) and not tier.lost:
        held = held_on(version, tiers, Counted(tiers, head.windows), version.days.date_of(head.last.at))
        assert judging.own_index(tiers, tier) >= held
    if tier.given:
        assert head.clock_due_at is not None
        assert head.clock_due_at <= version.days.start(min(each.until for each in tier.given))
