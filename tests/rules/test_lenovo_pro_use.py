"""Lenovo Pro rewards, rule by rule: using points, how long they last, the survey, ranks, and goods that come back."""

from __future__ import annotations

from datetime import date

import pytest

from tests.rules.story import Story, line, pieces, verdict
from tests.rules.test_lenovo_pro import CODE, lenovo, with_points


def test_len_23_points_are_taken_with_the_order_without_minimum_or_unit() -> None:
    story = with_points(500)
    story.order("A", "2024-03-01 12:00:00", line(10_000), points_used=1)
    story.order("B", "2024-03-01 12:00:01", line(10_000), points_used=499)
    assert (verdict(story, "A"), verdict(story, "B")) == ("accepted", "accepted")
    assert story.at("2024-03-01 12:00:00").available == 499
    assert story.at("2024-03-01 12:00:01").available == 0
    stricter = with_points(500, {"redemption.minimum": 100})
    stricter.order("A", "2024-03-01", line(10_000), points_used=1)
    assert verdict(stricter) == "below_minimum"


def test_len_23_more_than_the_balance_moves_nothing() -> None:
    story = with_points(500)
    story.order("A", "2024-03-01", line(10_000), points_used=501)
    story.shipped("A", "2024-03-02")
    statement = story.at("2024-04-05")
    assert (verdict(story), statement.available, statement.pending) == ("insufficient_points", 500, 0)
    assert story.findings("2024-04-05") == ["order_rejected"]


@pytest.mark.parametrize(("method", "points", "expected"), [
    ("credit_card", 11_500, "accepted"),
    ("bank_transfer", 11_500, "full_redemption_payment_method"),
    ("bank_transfer", 11_499, "accepted"),
    ("credit_card", 11_501, "exceeds_payable"),
])  # fmt: skip
def test_len_24_the_whole_amount_only_with_a_credit_card(method: str, points: int, expected: str) -> None:
    story = with_points(20_000)
    story.order("A", "2024-03-01", line(10_000), shipping_fee=500, points_used=points, payment_method=method)
    assert verdict(story) == expected


def test_len_24_using_everything_with_a_bank_transfer_is_refused_where_it_covers_all() -> None:
    story = with_points(20_000)
    story.order("A", "2024-03-01", line(10_000), use_all_points=True, payment_method="bank_transfer")
    story.order("B", "2024-03-01", line(30_000), use_all_points=True, payment_method="bank_transfer")
    assert (verdict(story, "A"), verdict(story, "B")) == ("full_redemption_payment_method", "accepted")


def test_len_25_points_may_pay_a_part() -> None:
    for ceiling, expected in (("payable", "accepted"), ("goods", "exceeds_payable")):
        story = with_points(20_000, {"redemption.ceiling": ceiling})
        story.order("A", "2024-03-01", line(10_000), shipping_fee=500, points_used=11_200, payment_method="bank_transfer")
        assert verdict(story) == expected


def test_len_08_points_used_come_back_after_a_cancel_and_after_a_return() -> None:
    for reverse in ("cancelled", "returned"):
        story = with_points(500)
        story.order("A", "2024-03-01", line(10_000), points_used=300)
        story.shipped("A", "2024-03-02")
        getattr(story, reverse)("A", "2024-03-10 18:00:00")
        before, after = story.one_second_before("2024-03-13 00:00:00"), story.at("2024-03-13 00:00:00")
        assert (before.available, before.due_back) == (200, 300)
        assert (after.available, after.due_back) == (500, 0)
        assert after.orders[0].points_returned == 300


def test_len_08_no_reason_forfeits_them() -> None:
    for reason in ("bank_transfer_unpaid_auto_cancel", "cod_refused", "out_of_stock"):
        story = with_points(500)
        story.order("A", "2024-03-01", line(10_000), points_used=300)
        story.cancelled("A", "2024-03-10", reason=reason)
        assert (story.at("2024-03-13").available, story.at("2024-03-13").forfeited_total) == (500, 0)


def test_len_08_many_partial_returns_give_back_what_one_full_return_does() -> None:
    story = with_points(500)
    story.order("A", "2024-03-01", line(3_333, 3), line(777), points_used=500)
    story.shipped("A", "2024-03-02")
    for day in (10, 11, 12):
        story.returned("A", f"2024-03-{day}", pieces("1"))
    story.returned("A", "2024-03-13", pieces("2"))
    statement = story.at("2024-03-16")
    assert (statement.available, statement.due_back, statement.orders[0].points_returned) == (500, 0, 500)


def test_len_08_points_whose_last_day_passed_on_their_way_back_lapse_when_they_are_back() -> None:
    story = with_points(500)
    story.order("A", "2024-07-30", line(10_000), points_used=500)
    story.cancelled("A", "2024-07-31 12:00:00")
    assert (story.at("2024-08-02").due_back, story.at("2024-08-02").lapsed_total) == (500, 0)
    assert (story.at("2024-08-03").available, story.at("2024-08-03").lapsed_total) == (0, 500)


# -- how long points last


@pytest.mark.parametrize(("shipped", "granted", "last"), [
    ("2024-06-14", "2024-07-14", "2025-01-31"),
    ("2024-08-01", "2024-08-31", "2025-02-28"),
    ("2027-07-20", "2027-08-19", "2028-02-29"),
    ("2024-12-01", "2024-12-31", "2025-06-30"),
    ("2024-01-30", "2024-02-29", "2024-08-31"),
])  # fmt: skip
def test_len_26_points_last_to_the_end_of_the_sixth_month(shipped: str, granted: str, last: str) -> None:
    story = lenovo()
    story.order("A", "2024-01-06", line(10_000))
    story.shipped("A", shipped)
    assert story.at(f"{granted} 00:00:00").lots[0].expires_on == date.fromisoformat(last)
    on_the_day = story.at(f"{last} 23:59:59")
    assert (on_the_day.available, on_the_day.lapsed_total) == (100, 0)
    midnight = story.at(f"{last}T15:00:00+00:00")
    assert (midnight.available, midnight.lapsed_total) == (0, 100)


def test_len_26_the_last_day_is_still_good_for_an_order() -> None:
    for at, expected in (("2024-07-31 23:59:59", "accepted"), ("2024-08-01 00:00:00", "insufficient_points")):
        story = with_points(500)
        story.order("A", at, line(10_000), points_used=500)
        assert verdict(story) == expected


# -- the survey


def test_len_27_a_prize_is_ready_with_the_notice() -> None:
    story = lenovo()
    story.survey(300, "2024-03-01 12:00:00")
    assert (story.at("2024-03-01 12:00:00").available, story.at("2024-03-01 12:00:00").pending) == (300, 0)
    assert story.rules("earn") == {"LEN-27"}


def test_len_27_a_prize_is_credited_once() -> None:
    story = lenovo()
    story.survey(300, "2024-03-01")
    story.survey(300, "2024-03-02")
    assert story.at("2024-03-03").available == 300


def test_len_28_only_who_has_joined_receives_a_prize() -> None:
    story = Story(CODE)
    story.registered("2024-01-05")
    story.survey(300, "2024-03-01")
    assert story.at("2024-03-02").available == 0
    assert story.findings("2024-03-02") == ["activity_without_membership"]


def test_len_28_joining_counts_until_the_prize_is_credited() -> None:
    for joined, points in (("2024-03-02 11:59:59", 300), ("2024-03-02 12:00:01", 0)):
        story = Story(CODE, {"activities.survey.delay_hours": 24})
        story.registered("2024-01-05")
        story.survey(300, "2024-03-01 12:00:00")
        story.enrolled(joined)
        assert story.at("2024-03-03").available == points


def test_len_29_a_prize_lapses_at_the_end_of_the_sixth_month() -> None:
    story = lenovo()
    story.survey(300, "2024-08-31 12:00:00")
    assert story.at("2025-02-28 23:59:59").available == 300
    assert story.at("2025-03-01 00:00:00").lapsed_total == 300


def test_len_30_the_survey_is_for_members_in_japan() -> None:
    for countries, points in ((["JP"], 0), ([], 300)):
        story = Story(CODE, {"activities.survey.countries": countries})
        story.enrolled("2024-01-05", country="US")
        story.survey(300, "2024-03-01")
        assert story.at("2024-03-02").available == points
    home = Story(CODE)
    home.enrolled("2024-01-05", country="JP")
    home.survey(300, "2024-03-01")
    assert home.at("2024-03-02").available == 300


def test_len_30_a_country_that_nobody_told_is_japan_unless_the_terms_say_otherwise() -> None:
    for unknown, points, findings in (("eligible", 300, []), ("ineligible", 0, ["activity_elsewhere"])):
        story = Story(CODE, {"activities.survey.unknown_country": unknown})
        story.enrolled("2024-01-05")
        story.survey(300, "2024-03-01")
        assert (story.at("2024-03-02").available, story.findings("2024-03-02")) == (points, findings)


# -- ranks


def test_len_31_purchases_of_a_year_lead_to_plus_and_to_elite() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(299_999))
    story.shipped("A", "2024-03-02")
    assert story.at("2024-03-02").tier == "Pro"
    story.order("B", "2024-03-03", line(1))
    story.shipped("B", "2024-03-04")
    assert story.at("2024-03-04").tier == "Plus"
    story.order("C", "2024-03-05", line(1_700_000))
    story.shipped("C", "2024-03-06")
    assert story.at("2024-03-06").tier == "Elite"
    assert story.at("2030-01-01").tier == "Elite"


def test_len_31_the_amount_starts_again_with_the_year() -> None:
    story = lenovo()
    story.order("A", "2024-12-31 23:59:59", line(200_000))
    story.order("B", "2025-01-01 00:00:00", line(100_000))
    story.shipped("A", "2025-01-02")
    story.shipped("B", "2025-01-02")
    assert story.at("2025-01-03").tier == "Pro"


def test_len_31_an_order_of_december_counts_for_its_year_when_it_ships_in_january() -> None:
    story = lenovo()
    story.order("A", "2024-12-01", line(200_000))
    story.shipped("A", "2024-12-02")
    story.order("B", "2024-12-31", line(100_000))
    story.shipped("B", "2025-01-04")
    assert story.at("2025-01-03").tier == "Pro"
    assert story.at("2025-01-04").tier == "Plus"


def test_len_31_the_statement_says_how_much_is_missing_to_the_next_rank() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(120_000))
    story.shipped("A", "2024-03-02")
    ahead = story.at("2024-03-02").next_tier
    assert ahead is not None
    assert (ahead.tier, [each.amount for each in ahead.missing]) == ("Plus", [300_000 - 120_000])


def test_len_31_ranks_do_not_change_what_is_earned() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(2_000_000))
    story.shipped("A", "2024-03-02")
    story.order("B", "2024-03-03", line(10_000))
    assert story.at("2024-03-03").tier == "Elite"
    assert story.order_at("B", "2024-03-03").points_credited == 100


# -- earned points of goods that come back


def test_len_32_a_cancel_or_return_before_they_are_available_voids_the_points() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(10_000), line(20_000))
    story.cancelled("A", "2024-03-02", pieces("1"))
    assert (story.at("2024-03-02").pending, story.rules("void")) == (200, {"LEN-32"})
    kept = lenovo(reversal__earned_points__pending="keep")
    kept.order("A", "2024-03-01", line(10_000))
    kept.cancelled("A", "2024-03-02")
    assert kept.at("2024-03-02").pending == 100


def test_len_32_a_return_of_available_points_revokes_them_below_zero_if_need_be() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(30_000, 3))
    story.shipped("A", "2024-03-02")
    story.order("B", "2024-04-02", line(10_000), points_used=800)
    story.returned("A", "2024-04-03", pieces("1"))
    assert story.at("2024-04-03").available == 900 - 800 - 300
    story.order("C", "2024-04-04", line(10_000), points_used=1)
    assert verdict(story, "C") == "insufficient_points"
    story.survey(500, "2024-04-05")
    assert story.at("2024-04-05").available == 300
    assert [lot.points for lot in story.at("2024-04-05").lots] == [300]


def test_len_32_points_that_lapsed_meanwhile_are_not_charged_again() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(10_000))
    story.shipped("A", "2024-03-02")
    story.returned("A", "2024-12-01")
    assert (story.at("2024-12-01").available, story.at("2024-12-01").lapsed_total) == (0, 100)
