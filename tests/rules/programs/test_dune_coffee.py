"""A coffee bar's card: a stamp a visit, two on Tuesdays, and a voucher for ten."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.programs.retold import Told
from tests.rules.story import Story, line, pieces, verdict

END = "2027-03-01"


def visit(story: Story, at: str, yen: int = 700, order_id: str = "", **more: Any) -> None:
    """A visit that cost so much with tax, called by its day unless it has another name."""
    store = more.pop("store", "station")
    story.bought(order_id or at, at, line(yen, tax=0, line_id="1", **more), store=store)


def card(*days: str) -> Told:
    """A card with a visit on each of some days."""
    story = Told("dune-coffee")
    for day in days:
        visit(story, day)
    return story


NINE = tuple(f"2026-{day}" for day in ("01-01", "01-08", "01-15", "01-22", "02-05", "02-12", "02-19", "02-26", "03-05"))
"""Nine Thursdays, of which no month has seven."""


def life() -> Told:
    """A year of a regular."""
    story = card(*NINE)
    story.updated("2026-03-01", birth={"month": 4, "day": 10})
    visit(story, "2026-03-10", 400, quantity=2)
    visit(story, "2026-03-10 18:00:00", 900)
    story.voucher("used", "card:1", "2026-03-12", "with")
    visit(story, "2026-03-12", 300, "with")
    story.returned("with", "2026-03-13")
    story.returned("2026-03-10", "2026-03-14", pieces("1"))
    for day in ("01", "02", "03", "04", "05", "06", "08", "09"):
        visit(story, f"2026-04-{day}")
    story.voucher("used", "birthday:2026-04-10", "2026-04-11", "cake")
    story.order("cake", "2026-04-11", line(100, tax=0), store="station")
    story.cancelled("cake", "2026-04-12")
    for day in ("2026-04-01", "2026-02-05", "2026-04-02"):
        story.returned(day, "2026-04-20")
    return story


def stamps(story: Story, at: str) -> int:
    """The stamps on the card."""
    return story.at(at).available


def test_who_shows_the_card_collects_but_not_at_the_airport() -> None:
    story = card("2026-01-01")
    visit(story, "2026-01-02", store="airport")
    story.bought("guest", "2026-01-03", line(900, tax=0), store="station", member=None)
    assert stamps(story, "2026-01-04") == 1


def test_each_day_with_a_visit_of_700_yen_with_tax_brings_a_stamp_at_once() -> None:
    story = card()
    story.bought("A", "2026-01-01 09:00:00", line(636, tax=63), store="station")
    assert stamps(story, "2026-01-01 09:00:00") == 0, "699 with tax"
    story.bought("B", "2026-01-01 10:00:00", line(637, tax=63), store="station")
    assert stamps(story, "2026-01-01 10:00:00") == 1
    visit(story, "2026-01-01 23:59:59", 5_000)
    assert stamps(story, "2026-01-01 23:59:59") == 1, "one a day"
    visit(story, "2026-01-02 00:00:00")
    assert stamps(story, "2026-01-02 00:00:00") == 2


def test_beans_and_gift_cards_do_not_count_toward_the_700_yen() -> None:
    story = card()
    for category in ("beans", "gift_card"):
        story.bought(category, "2026-01-01", line(699, tax=0), line(900, tax=0, category=category), store="station")
    assert stamps(story, "2026-01-02") == 0


@pytest.mark.parametrize(
    ("at", "n"),
    [
        ("2026-01-05 23:59:59", 1),
        ("2026-01-06 00:00:00", 2),
        ("2026-01-06 23:59:59", 2),
        ("2026-01-07 00:00:00", 1),
    ],
)
def test_tuesdays_bring_two(at: str, n: int) -> None:
    assert stamps(card(at), "2026-01-08") == n


def test_seven_days_in_one_month_bring_three_stamps_more_at_once() -> None:
    days = [f"2026-01-{day}" for day in ("01", "02", "03", "04", "05", "07")]
    story = card(*days, "2026-02-01")
    assert stamps(story, "2026-02-02") == 7, "six of January and one of February"
    visit(story, "2026-01-08")
    assert story.vouchers("2026-02-02") == {"card:1": "open"}
    assert stamps(story, "2026-02-02") == 7 + 1 + 3 - 10
    story.returned("2026-01-01", "2026-02-03")
    assert (story.vouchers("2026-02-03"), stamps(story, "2026-02-03")) == ({"card:1": "withdrawn"}, 7)


def test_each_stamp_lasts_six_months() -> None:
    story = card("2026-01-05", "2026-01-31", "2026-02-28")
    assert [str(lot.expires_on) for lot in story.at("2026-03-01").lots] == ["2026-07-05", "2026-07-31", "2026-08-28"]
    assert stamps(story, "2026-07-05 23:59:59") == 3
    assert stamps(story, "2026-07-06 00:00:00") == 2
    assert stamps(story, "2026-08-29 00:00:00") == 0


def test_ten_stamps_become_a_voucher_at_once() -> None:
    story = card(*NINE)
    assert (stamps(story, "2026-03-06"), story.vouchers("2026-03-06")) == (9, {})
    visit(story, "2026-03-10 08:00:00")
    assert (stamps(story, "2026-03-10 08:00:00"), story.vouchers("2026-03-10 08:00:00")) == (1, {"card:1": "open"})


def test_stamps_pay_for_nothing_else() -> None:
    story = card(*NINE)
    story.order("A", "2026-03-06", line(700, tax=0), store="station", points_used=5)
    assert verdict(story, "A", "2026-03-07") == "exceeds_payable"


def test_a_voucher_is_good_for_60_days() -> None:
    story = card(*NINE, "2026-03-12")
    (voucher,) = story.at("2026-03-12").vouchers
    assert (voucher.item, str(voucher.expires_on)) == ("drink", "2026-05-11")
    assert story.vouchers("2026-05-11 23:59:59") == {"card:1": "open"}
    assert story.vouchers("2026-05-12 00:00:00") == {"card:1": "lapsed"}


@pytest.mark.parametrize("how", ["cancelled", "returned"])
def test_a_voucher_is_good_again_when_all_of_its_order_is_given_back(how: str) -> None:
    story = card(*NINE, "2026-03-12")
    story.order("A", "2026-03-14", line(300, 2, tax=0, line_id="1"), store="station")
    story.voucher("used", "card:1", "2026-03-14", "A")
    if how == "cancelled":
        story.cancelled("A", "2026-03-15", pieces("1"))
        assert story.vouchers("2026-03-15") == {"card:1": "used"}
        story.cancelled("A", "2026-03-16")
    else:
        story.shipped("A", "2026-03-14")
        story.returned("A", "2026-03-15", pieces("1"))
        assert story.vouchers("2026-03-15") == {"card:1": "used"}
        story.returned("A", "2026-03-16", pieces("1"))
    assert story.vouchers("2026-03-16") == {"card:1": "given_back"}
    assert story.vouchers("2026-05-12 00:00:00") == {"card:1": "lapsed"}


def test_a_visit_that_is_given_back_takes_its_stamp_along_and_the_voucher_that_is_short_of_it() -> None:
    story = card(*NINE, "2026-03-12")
    story.returned("2026-03-12", "2026-03-13")
    assert (stamps(story, "2026-03-13"), story.vouchers("2026-03-13")) == (9, {"card:1": "withdrawn"})
    visit(story, "2026-03-19")
    assert (stamps(story, "2026-03-19"), story.vouchers("2026-03-19")["card:2"]) == (0, "open")


def test_a_stamp_stays_while_700_yen_of_the_visit_are_kept() -> None:
    story = card()
    visit(story, "2026-01-06", 350, quantity=3)
    story.returned("2026-01-06", "2026-01-07", pieces("1"))
    assert stamps(story, "2026-01-07") == 2
    story.returned("2026-01-06", "2026-01-08", pieces("1"))
    assert stamps(story, "2026-01-08") == 0


def test_a_stamp_stays_when_another_visit_of_the_day_is_kept() -> None:
    story = card("2026-01-01")
    visit(story, "2026-01-01 18:00:00")
    story.returned("2026-01-01", "2026-01-02")
    assert stamps(story, "2026-01-02") == 1


def test_a_visit_told_late_makes_the_voucher_and_its_last_day() -> None:
    story = card(*NINE)
    assert story.vouchers("2026-03-20") == {}
    visit(story, "2026-03-02")
    (voucher,) = story.at("2026-03-20").vouchers
    assert str(voucher.expires_on) == "2026-05-04", "60 days after 5 March, on which the ninth visit was the tenth"


def test_the_birthday_brings_a_cake_for_two_weeks() -> None:
    story = card("2026-01-01")
    story.updated("2026-01-02", birth={"month": 4, "day": 10})
    assert story.vouchers("2026-04-09 23:59:59") == {}
    assert story.vouchers("2026-04-10 00:00:00") == {"birthday:2026-04-10": "open"}
    assert story.vouchers("2026-04-24 23:59:59") == {"birthday:2026-04-10": "open"}
    assert story.vouchers("2026-04-25 00:00:00") == {"birthday:2026-04-10": "lapsed"}
