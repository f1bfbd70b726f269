"""A card whose months are summed and rounded once, and whose points become vouchers three times a year."""

from __future__ import annotations

from typing import Any

from tests.rules.programs.retold import Told
from tests.rules.story import Story, line, verdict

END = "2027-12-01"


def card() -> Told:
    """A card whose holder has enrolled, which brings 200 points."""
    story = Told("harbour-card")
    story.enrolled("2026-01-20")
    return story


def paid(story: Story, order_id: str, at: str, yen: int, store: str = "grocer", **more: Any) -> None:
    """Something bought for so much with tax, and paid at once."""
    story.order(order_id, at, line(yen, tax=0, line_id="1", **more), store=store)
    story.paid(order_id, at)


def life() -> Told:
    """Two years of a card."""
    story = card()
    story.updated("2026-01-21", birth={"month": 2, "day": 10})
    paid(story, "A", "2026-01-30", 400_000)
    paid(story, "B", "2026-02-09", 2_199, "harbour_food")
    paid(story, "C", "2026-02-15 23:59:59", 1_001)
    paid(story, "D", "2026-02-16 00:00:00", 99_000, category="utilities")
    story.order("E", "2026-03-02", line(50_000, 2, tax=0, line_id="1"), store="harbour_mall")
    story.paid("E", "2026-03-20")
    story.returned("E", "2026-04-20", {"line_id": "1", "quantity": 1})
    story.returned("A", "2026-06-10")
    story.converts("money", "2026-07-01", 1_000)
    paid(story, "F", "2026-08-01", 450_000)
    story.voucher("used", "season:2026-06-01:1", "2026-08-02", "F")
    paid(story, "G", "2026-12-01", 600)
    story.cancelled("G", "2026-12-02")
    return story


def test_who_has_not_enrolled_collects_nothing() -> None:
    story = Told("harbour-card")
    story.registered("2026-01-20")
    paid(story, "A", "2026-02-01", 100_000)
    assert story.at("2026-03-06").available == 0


def test_enrolling_brings_200_points() -> None:
    assert card().at("2026-01-21").available == 200


def test_a_month_is_added_up_and_rounded_once() -> None:
    story = card()
    for order_id, yen in (("A", 150), ("B", 199), ("C", 251)):
        paid(story, order_id, "2026-02-01", yen)
    assert story.one_second_before("2026-03-05 00:00:00").available == 200
    assert story.at("2026-03-05 00:00:00").available == 200 + 3, "600 yen, of which each alone would bring 0, 0 and 1"


def test_a_month_ends_with_the_fifteenth() -> None:
    story = card()
    paid(story, "A", "2026-02-15 23:59:59", 400)
    paid(story, "B", "2026-02-16 00:00:00", 1_000)
    assert story.at("2026-03-06").available == 200 + 2
    assert story.at("2026-04-06").available == 200 + 2 + 5


def test_what_is_paid_late_is_added_to_the_month_of_the_purchase() -> None:
    story = card()
    paid(story, "A", "2026-02-01", 300)
    story.order("B", "2026-02-10", line(300, tax=0), store="grocer")
    assert story.at("2026-03-06").available == 200 + 1
    story.paid("B", "2026-03-10")
    assert story.at("2026-03-11").available == 200 + 3, "300 and 300 make 600"


def test_the_shops_of_the_harbour_bring_as_many_again_of_their_own_sum() -> None:
    story = card()
    paid(story, "A", "2026-02-01", 399)
    paid(story, "B", "2026-02-02", 201, "harbour_mall")
    paid(story, "C", "2026-02-03", 398, "harbour_food")
    assert story.at("2026-03-06").available == 200 + 4 + 2, "998 in all, 599 of them in the harbour"


def test_utilities_insurance_and_gift_cards_bring_nothing() -> None:
    story = card()
    for category in ("utilities", "insurance", "gift_card"):
        paid(story, category, "2026-02-01", 10_000, category=category)
    assert story.at("2026-03-06").available == 200


def test_the_month_of_the_birthday_brings_as_many_again() -> None:
    story = card()
    story.updated("2026-01-21", birth={"month": 2, "day": 10})
    paid(story, "A", "2026-01-31 23:59:59", 1_000)
    paid(story, "B", "2026-02-01 00:00:00", 2_000)
    assert story.at("2026-03-06").available == 200 + 15 + 10, "3,000 in the month of the card, 2,000 in that of the birthday"


def test_points_pay_for_nothing_themselves() -> None:
    story = card()
    story.order("A", "2026-02-01", line(1_000, tax=0), store="grocer", points_used=100)
    assert verdict(story, at="2026-02-02") == "exceeds_payable"


def test_every_500_points_become_a_voucher_and_the_rest_is_carried_over() -> None:
    story = card()
    paid(story, "A", "2026-02-01", 200_000)
    assert story.one_second_before("2026-06-01 00:00:00").available == 200 + 1_000
    says = story.at("2026-06-01 00:00:00")
    assert says.available == 200
    assert [(each.voucher_id, str(each.expires_on)) for each in says.vouchers] == [
        ("season:2026-06-01:1", "2026-12-31"),
        ("season:2026-06-01:2", "2026-12-31"),
    ]
    paid(story, "B", "2026-06-20", 60_000)
    assert story.at("2026-08-06").available == 200 + 300
    assert story.at("2026-10-01 00:00:00").available == 0
    assert story.vouchers("2027-01-01")["season:2026-10-01:1"] == "open"
    assert story.vouchers("2027-01-01")["season:2026-06-01:1"] == "lapsed"


def test_who_asks_has_points_paid_out_up_to_5000_a_calendar_year() -> None:
    story = card()
    paid(story, "A", "2026-02-01", 1_400_000)
    assert story.at("2026-03-06").available == 7_200
    story.converts("money", "2026-03-07", 1_500, request="odd")
    story.converts("money", "2026-03-07", 5_000, request="all")
    story.converts("money", "2026-03-08", 1_000, request="more")
    assert story.at("2026-03-09").available == 2_200
    assert story.vouchers("2026-06-02") == {f"season:2026-06-01:{n}": "open" for n in range(1, 5)}
    assert story.rules("convert") == {"HAR-07", "HAR-08"}


def test_points_last_to_the_end_of_the_24th_month() -> None:
    story = card()
    paid(story, "A", "2026-02-01", 20_000)
    assert [str(lot.expires_on) for lot in story.at("2026-03-05 00:00:00").lots] == ["2028-01-31", "2028-03-31"]
    assert story.at("2028-03-31 23:59:59").available == 100
    assert story.at("2028-04-01 00:00:00").available == 0


def test_a_return_is_taken_off_the_month_of_the_purchase() -> None:
    story = card()
    paid(story, "A", "2026-02-01", 300)
    story.order("B", "2026-02-02", line(150, 2, tax=0, line_id="1"), store="grocer")
    story.paid("B", "2026-02-02")
    story.returned("B", "2026-02-20", {"line_id": "1", "quantity": 1})
    assert story.at("2026-03-06").available == 200 + 2, "450 are left of 600"
    story.returned("B", "2026-03-10", {"line_id": "1", "quantity": 1})
    assert story.at("2026-03-11").available == 200 + 1, "and 300 of these"


def test_what_became_a_voucher_is_settled_with_later_points() -> None:
    story = card()
    paid(story, "A", "2026-02-01", 60_000)
    assert story.at("2026-06-02").available == 0
    story.returned("A", "2026-06-03")
    assert (story.at("2026-06-04").available, story.vouchers("2026-06-04")) == (-300, {"season:2026-06-01:1": "open"})
    paid(story, "B", "2026-06-20", 100_000)
    assert story.at("2026-08-06").available == -300 + 500


def test_a_year_of_500_000_brings_1000_points_more_and_of_a_million_3000() -> None:
    story = card()
    paid(story, "A", "2026-02-01", 499_999)
    assert story.at("2027-01-14").available == 2_499 + 200 - 2_500
    paid(story, "B", "2027-01-15 23:59:59", 1)
    says = story.at("2027-02-05 00:00:00")
    assert says.available == 199 + 1_000, "500,000 with the last second"
    paid(story, "C", "2027-01-15 23:59:59", 500_000)
    told_late = story.at("2027-02-05 00:00:00").available
    assert told_late == 199 + 2_500 + 3_000, "2,500 of the month, and 3,000 instead of 1,000"
