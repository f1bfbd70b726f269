"""Balances taken over from another ledger: what a member brings along stands, and nothing else follows from it."""

from __future__ import annotations

from typing import Any

from tests.rules.heard import Heard
from tests.rules.story import MEMBER, Story, instant, line

OPENED = "2024-04-01T00:00:00+09:00"


def opened(code: str, *lots: dict[str, Any], at: str = OPENED, **data: Any) -> Story:
    """A program whose member brings these lots along."""
    story = Story(code)
    story.tell("balance.opened", at, member_id=MEMBER, lots=lots, **data)
    return story


def test_lots_keep_the_last_days_that_they_had() -> None:
    story = opened(
        "lenovo-pro",
        {"points": 100, "expires_on": "2024-04-20"},
        {"points": 250, "granted_on": "2023-10-15"},
        {"points": 70},
    )
    now = story.at("2024-04-02")
    assert (now.available, now.pending, now.lapsed_total) == (420, 0, 0)
    assert [str(lot.expires_on) for lot in now.lots] == ["2024-04-20", "2024-04-30", "2024-10-31"]
    assert story.at("2024-04-21").available == 320
    assert {entry.reason for entry in story.entries()} == {"open", "lapse"}


def test_a_lot_whose_last_day_is_over_lapses_at_once() -> None:
    story = opened("lenovo-pro", {"points": 100, "expires_on": "2024-03-31"}, {"points": 5})
    assert (story.at(OPENED).available, story.at(OPENED).lapsed_total) == (5, 100)


def test_the_expiry_of_a_whole_balance_runs_from_its_last_change() -> None:
    story = opened("puppy", {"points": 500}, {"points": 40}, last_change_on="2023-09-10")
    assert [str(lot.expires_on) for lot in story.at(OPENED).lots] == ["2024-09-10"]
    assert story.one_second_before("2024-09-11 00:00:00").available == 540
    assert story.at("2024-09-11 00:00:00").available == 0


def test_without_a_last_change_the_opening_is_the_last_change() -> None:
    story = opened("puppy", {"points": 500})
    assert [str(lot.expires_on) for lot in story.at(OPENED).lots] == ["2025-04-01"]


def test_who_has_a_balance_takes_part_without_being_welcomed() -> None:
    story = opened("scolar", {"points": 500}, registered_on="2020-05-05")
    story.registered("2024-04-05")
    assert story.at("2024-04-06").available == 500
    story.order("A", "2024-04-07", line(10_000), points_used=500)
    assert story.order_at("A", "2024-04-08").points_used == 500


def test_who_took_part_before_the_days_that_the_opening_names_took_part_since_then() -> None:
    for days in ({}, {"registered_on": "2024-03-20", "enrolled_on": "2024-03-20"}):
        story = Story("lenovo-pro")
        story.registered("2024-03-05")
        story.enrolled("2024-03-06")
        story.tell("balance.opened", OPENED, member_id=MEMBER, lots=[], **days)
        row = story.simulation.ledgers[MEMBER].row
        assert row is not None
        assert (row.head.registered_at, row.head.enrolled_at) == (instant("2024-03-05"), instant("2024-03-06"))


def test_the_tier_is_taken_over_and_goes_on_from_what_had_counted() -> None:
    story = opened("ansage", tier="silver", counted=[{"on": "2023-07-10", "amount": 30_000}, {"on": "2024-02-01", "amount": 1}])
    assert story.at("2024-04-02").tier == "silver"
    assert story.at("2024-07-10").tier == "regular", "the amount that carried it left the window"


def test_without_a_tier_what_had_counted_gives_it() -> None:
    story = opened("ansage", counted=[{"on": "2024-02-01", "amount": 30_000}])
    assert story.at("2024-04-02").tier == "silver"


def test_a_tier_that_the_program_does_not_have_is_a_finding() -> None:
    story = opened("ansage", {"points": 10}, tier="platinum")
    assert (story.at("2024-04-02").tier, story.at("2024-04-02").available) == ("regular", 10)
    assert story.findings("2024-04-02") == ["tier_not_offered"]
    assert opened("puppy", {"points": 10}, tier="gold").findings("2024-04-02") == ["tier_not_offered"]


def test_lots_are_named_by_their_number_in_the_opening() -> None:
    story = opened("lenovo-pro", {"points": 100}, {"points": 5})
    assert [str(entry.lot).rpartition("/")[2] for entry in story.entries()] == ["opening1", "opening2"]


def test_an_account_is_opened_once() -> None:
    story = opened("lenovo-pro", {"points": 100})
    story.tell("balance.opened", "2024-04-02", member_id=MEMBER, lots=[{"points": 900}])
    assert (story.at("2024-04-03").available, story.findings("2024-04-03")) == (100, ["opened_twice"])


def test_an_earlier_opening_that_comes_late_is_the_one_that_counts() -> None:
    story = opened("lenovo-pro", {"points": 100}, announce=False)
    story.tell("balance.opened", "2024-03-31", member_id=MEMBER, lots=[{"points": 900}], announce=False)
    assert (story.at("2024-04-03").available, story.findings("2024-04-03")) == (900, ["opened_twice"])


def test_an_announced_opening_is_told_once_with_its_tier(heard: Heard) -> None:
    opened("ansage", {"points": 100}, {"points": 50}, tier="gold")
    assert [data["change"]["available"] for data in heard.on("balance-changed")] == [150]
    assert [(data["previous_tier"], data["tier"]) for data in heard.on("tier-changed")] == [("regular", "gold")]


def test_an_opening_without_a_word_leaves_the_public_version_at_zero(heard: Heard) -> None:
    story = opened("ansage", {"points": 100}, tier="gold", announce=False)
    assert heard.messages == []
    assert (story.at("2024-04-02").version, story.at("2024-04-02").available) == (0, 100)
    story.adjusted(5, "2024-04-03")
    (told,) = heard.on("balance-changed")
    assert (told["version"], told["available"], told["change"]["available"]) == (1, 105, 5)
    assert heard.on("tier-changed") == []


def test_where_something_was_told_before_the_opening_is_told_too(heard: Heard) -> None:
    story = Story("lenovo-pro")
    story.adjusted(5, "2024-03-01")
    story.tell("balance.opened", OPENED, member_id=MEMBER, lots=[{"points": 100}], announce=False)
    assert [data["available"] for data in heard.on("balance-changed")] == [5, 105]


def test_a_silent_opening_that_comes_after_facts_which_told_nothing_stays_silent(heard: Heard) -> None:
    story = Story("lenovo-pro")
    story.enrolled("2024-04-10")
    story.tell("balance.opened", OPENED, member_id=MEMBER, lots=[{"points": 100}], announce=False)
    assert heard.messages == []
    story.adjusted(5, "2024-04-11")
    (told,) = heard.on("balance-changed")
    assert (told["version"], told["available"], told["change"]["available"]) == (1, 105, 5)


def test_a_fact_from_before_a_silent_opening_repairs_it_aloud(heard: Heard) -> None:
    story = opened("lenovo-pro", {"points": 100}, announce=False)
    story.adjusted(-30, "2024-03-20")
    assert story.at("2024-04-02").available == 70
    assert [(data["version"], data["available"]) for data in heard.on("balance-changed")] == [(1, 70)]


def test_debts_are_set_off_by_what_is_brought_along() -> None:
    story = Story("lenovo-pro")
    story.adjusted(-30, "2024-03-20")
    story.tell("balance.opened", OPENED, member_id=MEMBER, lots=[{"points": 100}])
    assert story.at("2024-04-02").available == 70
