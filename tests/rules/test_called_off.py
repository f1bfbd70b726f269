"""An order that is cancelled as a whole leaves no trace: it has neither prolonged a balance nor ended inactivity."""

from __future__ import annotations

from typing import Any

from tests.rules.story import Story, line


def scolar(**changes: Any) -> Story:
    """A member of ScoLar with 500 points of 10 January 2024, which last to 10 January 2025, and 500 for having joined."""
    story = Story("scolar", set={path.replace("__", "."): value for path, value in changes.items()})
    story.registered("2024-01-01")
    story.adjusted(500, "2024-01-10")
    return story


def last_day(story: Story, at: str) -> str:
    """Until when the points can be used, as it stands at an instant."""
    return str(story.at(at).lots[0].expires_on)


def test_sco_25_an_order_that_was_cancelled_did_not_prolong_the_balance() -> None:
    story = scolar()
    story.order("A", "2024-12-20", line(10_000))
    assert last_day(story, "2024-12-21") == "2025-12-20"
    story.cancelled("A", "2024-12-22")
    assert last_day(story, "2024-12-23") == "2025-01-10"
    assert story.at("2025-01-12").available == 0


def test_sco_25_what_would_have_lapsed_without_it_lapses_with_the_cancel() -> None:
    story = scolar()
    story.order("A", "2025-01-05", line(10_000))
    assert story.at("2025-01-14").available == 1_000
    story.cancelled("A", "2025-01-14")
    assert story.at("2025-01-15").available == 0
    assert story.at("2025-01-15").lapsed_total == 1_000


def test_an_order_that_was_cancelled_in_part_prolongs_as_it_did() -> None:
    story = scolar()
    story.order("A", "2024-12-20", line(10_000, line_id="L1"), line(2_000, line_id="L2"))
    story.cancelled("A", "2024-12-22", {"line_id": "L1", "quantity": 1})
    assert last_day(story, "2024-12-23") == "2025-12-20"


def test_another_order_of_between_goes_on_prolonging() -> None:
    story = scolar()
    story.order("A", "2024-06-01", line(10_000))
    story.shipped("A", "2024-06-02")
    story.order("B", "2024-12-20", line(10_000))
    story.cancelled("B", "2024-12-22")
    assert last_day(story, "2024-12-23") == "2025-06-01"


def test_an_order_that_goes_on_again_prolongs_with_the_grant_that_it_brings_anew() -> None:
    story = scolar()
    story.order("A", "2024-12-20", line(10_000))
    story.cancelled("A", "2024-12-22")
    story.tell("order.reinstated", "2024-12-24", order_id="A")
    assert last_day(story, "2024-12-25") == "2025-12-24"


def test_an_order_whose_placing_prolongs_does_so_as_of_its_date_when_it_goes_on_again() -> None:
    story = scolar(expiry__pool__prolonged_by=["order"], expiry__pool__begins="grant")
    story.order("A", "2024-12-20", line(10_000))
    story.cancelled("A", "2024-12-22")
    assert last_day(story, "2024-12-23") == "2025-01-01", "joining began it"
    story.tell("order.reinstated", "2024-12-24", order_id="A")
    assert last_day(story, "2024-12-25") == "2025-12-20"


def test_the_terms_may_let_it_stay() -> None:
    story = scolar(expiry__pool__called_off="stays")
    story.order("A", "2024-12-20", line(10_000))
    story.cancelled("A", "2024-12-22")
    assert last_day(story, "2024-12-23") == "2025-12-20"


def test_puppy_points_used_on_an_order_that_was_cancelled_prolong_nothing() -> None:
    story = Story("puppy")
    story.registered("2024-01-01")
    story.adjusted(500, "2024-01-10")
    story.order("A", "2024-12-20", line(10_000), points_used=100)
    assert last_day(story, "2024-12-21") == "2025-12-20"
    story.cancelled("A", "2024-12-22")
    assert last_day(story, "2024-12-23") == "2025-01-10"


def _silver(**changes: Any) -> Story:
    """A member of ScoLar who reached Silver with an order of 15 January 2024, judged ten days after it."""
    story = Story("scolar", set={path.replace("__", "."): value for path, value in changes.items()})
    story.registered("2024-01-01")
    story.bought("A", "2024-01-15", line(60_000))
    return story


def test_sco_06_an_order_that_counted_and_was_then_called_off_ended_no_inactivity() -> None:
    story = _silver()
    story.bought("B", "2024-11-01", line(1_000))
    assert story.at("2025-02-01").tier == "Silver", "B of November ended it"
    story.cancelled("B", "2024-11-20", reason="cod_refused")
    assert story.at("2025-01-14").tier == "Silver"
    assert story.at("2025-01-16").tier == "Member", "a year after A"


def test_sco_07_the_level_that_it_had_brought_back_goes_again() -> None:
    story = _silver()
    assert story.at("2025-01-16").tier == "Member"
    story.bought("B", "2025-02-01", line(1_000))
    assert story.at("2025-02-20").tier == "Silver"
    story.cancelled("B", "2025-02-21", reason="cod_refused")
    assert story.at("2025-02-22").tier == "Member"


def test_inactivity_the_terms_may_let_it_stay() -> None:
    story = _silver(tiers__inactivity__called_off="stays")
    story.bought("B", "2024-11-01", line(1_000))
    story.cancelled("B", "2024-11-20", reason="cod_refused")
    assert story.at("2025-01-16").tier == "Silver"
