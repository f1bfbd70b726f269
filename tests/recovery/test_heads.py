"""What verify and a ledger built anew compare of two heads."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec.structs import replace

from worker.decide.state import Moment, blank
from worker.programs.terms_file import load, shipped
from worker.upkeep.heads import comparable

PROGRAM = load(shipped()["ansage"])
HEAD = replace(blank(), last=Moment(datetime(2026, 5, 10, tzinfo=UTC), 1, "", ""), windows={"2026-05-10": 5})


def test_amounts_that_no_window_reaches_make_no_difference_and_others_do() -> None:
    before = replace(HEAD, windows={"2020-05-10": 100, **HEAD.windows})
    assert comparable(PROGRAM, before) == comparable(PROGRAM, HEAD)
    assert comparable(None, before) != comparable(None, HEAD)
    assert comparable(PROGRAM, replace(HEAD, windows={"2025-05-11": 100, **HEAD.windows})) != comparable(PROGRAM, HEAD)


def test_a_head_of_which_nothing_is_known_yet_is_compared_as_it_is() -> None:
    assert comparable(PROGRAM, blank())["windows"] == {}
