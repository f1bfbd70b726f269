"""Cash back of a card: a month's spending unlocks rates by category, each within a limit of its own and all within one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.explain.story import ExplainedStory
from tests.rules.programs.retold import Told
from tests.rules.story import MEMBER, Story, line, pieces, verdict
from worker.reading.explain import text

END = "2027-06-01"
BACK = "2026-05-10 00:00:00"
"""When the cash back of April comes."""


def card(story: type[Story] = Told) -> Any:
    """Somebody who takes part."""
    told = story("copper-back")
    told.enrolled("2026-01-10")
    return told


def paid(story: Story, order_id: str, at: str, yen: int, category: str = "clothes", **more: Any) -> None:
    """Something bought for so much with tax, and paid at once."""
    story.order(order_id, at, line(yen, tax=0, line_id="1", category=category, **more), store="somewhere")
    story.paid(order_id, at)


def back(*bought: tuple[int, str]) -> int:
    """What a month comes to in which so much was paid in each category."""
    story = card()
    for n, (yen, category) in enumerate(bought):
        paid(story, f"O{n}", f"2026-04-{n + 1:02d}", yen, category)
    return int(story.at(BACK).available)


def life() -> Told:
    """A year of a card."""
    story: Told = card()
    paid(story, "A", "2026-02-03", 12_000, "groceries", quantity=2)
    paid(story, "B", "2026-02-10", 7_000, "transport")
    story.tell("activity.completed", "2026-02-11", member_id=MEMBER, activity="paperless", reference="P")
    story.returned("A", "2026-02-20", pieces("1"))
    paid(story, "C", "2026-02-28 23:59:59", 11_000)
    story.returned("C", "2026-03-20")
    paid(story, "D", "2026-03-01 00:00:00", 400_000, "travel")
    story.order("E", "2026-03-30", line(50_000, tax=0), store="somewhere")
    story.cancelled("E", "2026-03-31")
    story.order("F", "2026-03-30", line(9_000, tax=0, category="groceries"), store="somewhere")
    story.paid("F", "2026-05-02")
    story.returned("B", "2026-05-20")
    return story


def test_who_has_not_enrolled_and_the_exchange_desk_have_none() -> None:
    story = Told("copper-back")
    paid(story, "A", "2026-01-09", 20_000)
    story.enrolled("2026-01-10")
    paid(story, "B", "2026-01-11", 20_000)
    story.order("C", "2026-01-12", line(20_000, tax=0), store="exchange_desk")
    story.paid("C", "2026-01-12")
    assert story.at("2026-02-10 00:00:00").available == 100


def test_half_a_percent_of_a_month_comes_on_the_tenth_of_the_next() -> None:
    story = card()
    paid(story, "A", "2026-04-01 00:00:00", 10_099)
    paid(story, "B", "2026-04-30 23:59:59", 10_101)
    paid(story, "C", "2026-05-01 00:00:00", 400)
    assert story.one_second_before(BACK).available == 0
    assert story.at(BACK).available == 101, "20,200 yen, of which each part alone would bring 50"
    assert story.at("2026-06-10 00:00:00").available == 101 + 2


@pytest.mark.parametrize(("yen", "points"), [(29_999, 149), (30_000, 300)])
def test_thirty_thousand_in_a_month_bring_1_percent_of_all_of_it(yen: int, points: int) -> None:
    assert back((10_000, "clothes"), (yen - 10_000, "books")) == points


def test_then_groceries_bring_5_percent_and_trains_and_buses_3() -> None:
    assert back((10_000, "groceries"), (10_000, "transport"), (9_999, "books")) == 149
    assert back((10_000, "groceries"), (10_000, "transport"), (10_000, "books")) == 500 + 300 + 100


def test_beyond_1000_yen_groceries_bring_half_a_percent() -> None:
    assert back((20_000, "groceries"), (10_000, "books")) == 1_000 + 100
    assert back((30_000, "groceries")) == 1_000 + 50, "a tenth of 500 more"


def test_trains_and_buses_bring_600_at_most() -> None:
    assert back((20_000, "transport"), (10_000, "books")) == 600 + 100
    assert back((40_000, "transport")) == 600


def test_one_half_of_what_goes_beyond_3000_comes() -> None:
    assert back((20_000, "groceries"), (20_000, "transport"), (140_000, "books")) == 1_000 + 600 + 1_400
    assert back((20_000, "groceries"), (20_000, "transport"), (160_000, "books")) == 3_000 + 100


def test_gift_cards_and_cash_advances_count_for_nothing() -> None:
    assert back((29_000, "books"), (5_000, "gift_card"), (5_000, "cash_advance")) == 145


def test_it_is_paid_out_on_the_25th_from_500_on_and_pays_for_nothing() -> None:
    story = card()
    paid(story, "A", "2026-04-01", 49_900)
    story.order("B", "2026-05-12", line(100, tax=0), store="somewhere", points_used=100)
    assert verdict(story, "B", "2026-05-13") == "exceeds_payable"
    assert story.at("2026-05-26").available == 499
    paid(story, "C", "2026-05-27", 200)
    assert story.one_second_before("2026-06-25 00:00:00").available == 500
    assert story.at("2026-06-25 00:00:00").available == 0
    assert story.rules("pay_out") == {"COP-09"}


def test_a_return_is_taken_off_its_month_and_may_take_the_rates_along() -> None:
    story = card()
    paid(story, "A", "2026-04-01", 10_000, "groceries", quantity=2)
    paid(story, "B", "2026-04-02", 15_000)
    assert story.at(BACK).available == 1_000 + 150
    assert story.at("2026-05-25 00:00:00").available == 0
    story.returned("A", "2026-05-26", pieces("1"))
    assert story.at("2026-05-26").available == 125 - 1_150, "25,000 yen at half a per cent; all had been paid out"
    paid(story, "C", "2026-05-27", 300_000)
    assert story.at("2026-06-10 00:00:00").available == 3_000 - 1_025


def test_a_partial_return_leaves_the_rates_of_what_is_kept() -> None:
    story = card()
    paid(story, "A", "2026-04-01", 10_000, "groceries", quantity=2)
    paid(story, "B", "2026-04-02", 20_000)
    story.returned("A", "2026-04-20", pieces("1"))
    assert story.at(BACK).available == 500 + 200


def test_what_is_paid_late_is_added_to_its_month() -> None:
    story = card()
    paid(story, "A", "2026-04-01", 20_000)
    story.order("B", "2026-04-02", line(10_000, tax=0, category="groceries"), store="somewhere")
    assert story.at(BACK).available == 100
    story.paid("B", "2026-05-11")
    assert story.at("2026-05-11").available == 200 + 500


def test_who_gives_up_paper_has_300_once() -> None:
    story = card()
    for n, day in enumerate(("2026-02-01", "2026-03-01")):
        story.tell("activity.completed", day, member_id=MEMBER, activity="paperless", reference=str(n))
    assert story.at("2026-03-02").available == 300


def test_an_explanation_shows_each_rate_and_each_limit() -> None:
    story = card(ExplainedStory)
    paid(story, "A", "2026-04-01", 30_000, "groceries")
    paid(story, "B", "2026-04-02", 200_000)
    told = text(story.told(BACK, "en"))
    assert "30,000 yen × 5% = 1,500" in told
    assert "of these 1,500 the limit leaves 1,050" in told
    assert "200,000 yen × 1% = 2,000" in told
    assert "month (from 2026-04-01): amount 230,000 yen, which brings +3,025" in told
    assert "of these 3,050 the limit leaves 3,025" in told
