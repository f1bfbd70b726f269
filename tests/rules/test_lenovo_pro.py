"""Lenovo Pro rewards, rule by rule: 1 % of the goods, 30 days after shipment, to the end of the sixth month after."""

from __future__ import annotations

from datetime import date
from typing import Any

from tests.rules.story import Story, line, pieces, verdict

CODE = "lenovo-pro"


def lenovo(**changes: Any) -> Story:
    """A story of a member who joined on 5 January 2024."""
    story = Story(CODE, {path.replace("__", "."): value for path, value in changes.items()})
    story.enrolled("2024-01-05 10:00:00")
    return story


def with_points(points: int, set: dict[str, Any] | None = None) -> Story:  # noqa: A002 - as the terms call it
    """A story of a member who has points from 10 January on."""
    story = Story(CODE, set)
    story.enrolled("2024-01-05")
    story.adjusted(points, "2024-01-10")
    return story


# -- who takes part


def test_len_01_only_eligible_stores_take_part() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(10_000), store="lenovo_pro_jp")
    story.order("B", "2024-03-01", line(10_000), store="lenovo_outlet")
    assert [order.points_credited for order in story.at("2024-03-02").orders] == [100, 0]


def test_len_01_a_store_of_no_program_is_none_of_its_business() -> None:
    story = Story(CODE)
    story.enrolled("2024-01-05")
    story.order("A", "2024-03-01", line(10_000), store="lenovo_elsewhere")
    assert story.at("2024-03-02").pending == 0


def test_len_02_an_account_alone_is_not_membership() -> None:
    story = Story(CODE)
    story.registered("2024-01-05")
    story.order("A", "2024-03-01", line(10_000))
    assert story.at("2024-03-02").pending == 0
    other = Story(CODE, {"membership.by": "registration"})
    other.registered("2024-01-05")
    other.order("A", "2024-03-01", line(10_000))
    assert other.at("2024-03-02").pending == 100


def test_len_05_points_are_neither_used_nor_earned_in_the_private_store() -> None:
    story = with_points(500)
    story.order("A", "2024-03-01", line(10_000), store="lenovo_personal_jp", points_used=100)
    story.order("B", "2024-03-01", line(10_000), store="lenovo_personal_jp")
    assert verdict(story) == "store_not_eligible"
    assert (story.at("2024-03-02").available, story.at("2024-03-02").pending) == (500, 0)


def test_len_06_only_orders_placed_while_signed_in_earn() -> None:
    for required, points in ((True, 0), (False, 100)):
        story = lenovo(membership__signed_in=required)
        story.order("A", "2024-03-01", line(10_000), signed_in=False)
        assert story.at("2024-03-02").pending == points
    story = lenovo()
    story.order("A", "2024-03-01", line(10_000))
    assert story.at("2024-03-02").pending == 100


def test_len_07_the_outlet_neither_earns_nor_takes_points() -> None:
    story = with_points(500)
    story.order("A", "2024-03-01", line(10_000), store="lenovo_outlet", points_used=100)
    story.order("B", "2024-03-01", line(10_000), store="lenovo_outlet")
    assert verdict(story) == "store_not_eligible"
    assert story.order_at("B", "2024-03-02").points_credited == 0


def test_len_07_the_outlet_may_be_made_to_take_points_without_earning() -> None:
    story = with_points(500, {"redemption.stores_also": ["lenovo_outlet"]})
    story.order("A", "2024-03-01", line(10_000), store="lenovo_outlet", points_used=100)
    assert verdict(story) == "accepted"
    assert story.order_at("A", "2024-03-02").points_credited == 0


def registered(story: Story, reference: str, **more: str) -> None:
    """The member registers a product, which brings 30 points where it brings any."""
    about: dict[str, Any] = {"member_id": "M1", "activity": "registration", "reference": reference, "points": 30}
    story.tell("activity.completed", "2024-03-10", **about, **more)


def test_len_07_registering_what_was_bought_in_the_outlet_brings_nothing() -> None:
    story = lenovo()
    registered(story, "R1", store="lenovo_pro_jp")
    registered(story, "R2", store="lenovo_outlet")
    registered(story, "R3")
    assert story.at("2024-03-11").available == 30 + 0 + 30
    (finding,) = story.at("2024-03-11").findings
    assert (finding.code, finding.detail) == ("activity_of_excluded_store", "registration:lenovo_outlet")


def test_len_07_the_store_of_the_order_counts_where_the_registration_names_it() -> None:
    # The outlet's order counts as the outlet's whatever the registration says of the store; an order of nobody leaves it to that.
    story = lenovo()
    story.order("A", "2024-03-01", line(10_000), store="lenovo_outlet")
    story.order("B", "2024-03-01", line(10_000))
    registered(story, "R1", order_id="A", store="lenovo_pro_jp")
    registered(story, "R2", order_id="B", store="lenovo_outlet")
    registered(story, "R3", order_id="C", store="lenovo_outlet")
    assert story.at("2024-03-11").available == 0 + 30 + 0
    assert [each.order_id for each in story.at("2024-03-11").findings] == ["A", "C"]


def test_len_07_the_outlets_order_may_be_told_after_the_registration() -> None:
    story = lenovo()
    registered(story, "R1", order_id="A")
    assert story.at("2024-03-11").available == 30
    story.order("A", "2024-03-01", line(10_000), store="lenovo_outlet", recorded="2024-03-12")
    assert story.at("2024-03-12").available == 0
    assert story.findings("2024-03-12") == ["activity_of_excluded_store"]


def test_len_19_orders_placed_before_joining_never_earn() -> None:
    story = Story(CODE)
    story.order("A", "2024-03-01 11:59:59", line(10_000))
    story.order("B", "2024-03-01 12:00:00", line(10_000))
    story.enrolled("2024-03-01 12:00:00")
    story.shipped("A", "2024-03-10")
    story.shipped("B", "2024-03-10")
    assert [order.points_credited for order in story.at("2024-05-01").orders] == [0, 100]


# -- what it earns


def test_len_09_managed_services_and_software_subscriptions_do_not_earn() -> None:
    for category in ("managed_service", "software_subscription"):
        story = lenovo()
        story.order("A", "2024-03-01", line(10_000, category=category), line(20_000))
        assert story.at("2024-03-02").pending == 200


def test_len_09_managed_services_and_software_subscriptions_are_not_paid_with_points() -> None:
    story = with_points(50_000)
    story.order("A", "2024-03-01", line(10_000, category="managed_service"), line(20_000), points_used=22_001)
    story.order("B", "2024-03-01", line(10_000, category="managed_service"), line(20_000), points_used=22_000)
    assert verdict(story, "A") == "line_not_redeemable"
    assert verdict(story, "B") == "accepted"


def test_len_10_eligible_products_and_other_activities_earn() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(10_000))
    story.tell("activity.completed", "2024-03-01", member_id="M1", activity="registration", reference="R1", points=30)
    assert (story.at("2024-03-02").pending, story.at("2024-03-02").available) == (100, 30)


def test_len_10_the_same_activity_counts_once() -> None:
    story = lenovo()
    for _ in range(2):
        story.tell("activity.completed", "2024-03-01", member_id="M1", activity="registration", reference="R1", points=30)
    assert story.at("2024-03-02").available == 30


def test_len_11_one_point_pays_one_yen() -> None:
    for value, worth in (("1", 11_000), ("2", 5_500)):
        story = with_points(20_000, {"point_value": value})
        story.order("A", "2024-03-01", line(10_000), use_all_points=True)
        assert story.order_at("A", "2024-03-02").points_used == worth


def test_len_11_a_changed_rate_holds_for_orders_from_its_day_and_old_orders_keep_theirs() -> None:
    later = {"effective_from": "2024-06-01T00:00:00+09:00", "set": {"earning.components.purchase.rates.0.rate": "0.02"}}
    story = lenovo(amendments=[later])
    story.order("A", "2024-05-31 23:59:59", line(10_000))
    story.order("B", "2024-06-01 00:00:00", line(10_000))
    story.shipped("A", "2024-06-02")
    story.shipped("B", "2024-06-02")
    story.returned("A", "2024-08-01")
    assert [order.points_credited for order in story.at("2024-06-02").orders] == [100, 200]
    assert story.at("2024-08-01").revoked_total == 100


def test_len_12_the_basis_is_the_subtotal_before_points_are_used() -> None:
    story = with_points(5_000)
    story.order("A", "2024-03-01", line(10_000), points_used=5_000)
    assert story.order_at("A", "2024-03-02").points_credited == 100


def test_len_12_the_subtotal_is_rounded_once() -> None:
    # Three times 150 yen: 1 % of 450 is 4.5. Line by line it would be three times 1.
    for scope, points in (("order", 4), ("line", 3)):
        story = lenovo(earning__rounding__scope=scope)
        story.order("A", "2024-03-01", line(150), line(150), line(150))
        assert story.at("2024-03-02").pending == points


def test_len_12_each_line_matures_on_its_own_with_its_part_of_the_subtotals_points() -> None:
    # With each line the sum comes to 1, 3 and 4 points, so the lines hold 1, 2 and 1, whichever goes first.
    story = lenovo()
    story.order("A", "2024-03-01", line(150), line(150), line(150))
    story.shipped("A", "2024-03-02", pieces("2"))
    story.shipped("A", "2024-03-12", pieces("1"))
    story.shipped("A", "2024-03-22", pieces("3"))
    assert [story.at(day).available for day in ("2024-04-01", "2024-04-11", "2024-04-21")] == [2, 3, 4]
    # What is kept decides: 300 yen bring 3, 150 bring 1.
    story.returned("A", "2024-04-22", pieces("2"))
    assert story.at("2024-04-22").available == 3
    story.returned("A", "2024-04-23", pieces("1"))
    assert story.at("2024-04-23").available == 1
    story.returned("A", "2024-04-24", pieces("3"))
    assert story.at("2024-04-24").available == 0


def test_len_12_no_point_waits_for_a_line_that_is_gone() -> None:
    # Of the lines' 1, 2 and 1 points the second line's go with it but for one, which the kept 300 yen (3 points) still bring.
    story = lenovo()
    story.order("A", "2024-03-01", line(150), line(150), line(150))
    story.cancelled("A", "2024-03-02", pieces("2"))
    assert story.at("2024-03-02").pending == 3
    story.shipped("A", "2024-03-03")
    assert (story.at("2024-04-02").pending, story.at("2024-04-02").available) == (0, 3)


def test_len_12_where_usable_points_stay_a_return_brings_the_other_lines_none() -> None:
    # The first line leaves its 1 of 4 points behind; that the sum would now be rounded at another line brings no fifth.
    story = lenovo(reversal__earned_points__available="keep")
    story.order("A", "2024-03-01", line(150), line(150), line(150))
    story.shipped("A", "2024-03-02")
    story.returned("A", "2024-04-05", pieces("1"))
    assert story.at("2024-04-05").available == 4


def test_len_13_the_basis_is_the_price_without_tax_and_without_shipping() -> None:
    for tax, points in (("exclusive", 100), ("inclusive", 110)):
        story = lenovo(earning__tax=tax)
        story.order("A", "2024-03-01", line(10_000), shipping_fee=5_000)
        assert story.at("2024-03-02").pending == points


def campaign(**more: Any) -> dict[str, Any]:
    """A campaign of August: 5 % on one product."""
    when = {"since": "2024-08-01", "until": "2024-08-30", "skus": ["X1"]}
    return {"id": "point-up", "rule": "LEN-15", "when": when, "rate": "0.05", **more}


def test_len_14_the_order_date_decides_and_the_last_day_of_a_campaign_is_part_of_it() -> None:
    for at, points in (("2024-08-30 23:59:59", 500), ("2024-08-31 00:00:00", 100), ("2024-07-31 23:59:59", 100)):
        story = lenovo(earning__campaigns=[campaign()])
        story.order("A", at, line(10_000, sku="X1"), payment_method="bank_transfer")
        story.paid("A", "2024-08-31")
        story.shipped("A", "2024-09-05")
        assert story.order_at("A", "2024-09-06").points_credited == points


def test_len_14_days_are_days_in_japan() -> None:
    story = lenovo(earning__campaigns=[campaign()])
    story.order("A", "2024-08-30T14:59:59+00:00", line(10_000, sku="X1"))
    story.order("B", "2024-08-30T15:00:00+00:00", line(10_000, sku="X1"))
    assert [order.points_credited for order in story.at("2024-09-06").orders] == [500, 100]


def test_len_15_a_campaign_replaces_the_rate_of_the_items_it_names() -> None:
    for campaigns, points in (([campaign()], 500 + 100), ([], 100 + 100)):
        story = lenovo(earning__campaigns=campaigns)
        story.order("A", "2024-08-15", line(10_000, sku="X1"), line(10_000, sku="T14"))
        assert story.at("2024-08-16").pending == points


# -- from pending to available


def test_len_16_expected_points_are_pending_from_the_order_on() -> None:
    for shown, points in (("order", 100), ("trigger", 0)):
        story = lenovo(maturity__shown=shown)
        story.order("A", "2024-03-01 12:00:00", line(10_000))
        assert story.at("2024-03-01 12:00:00").pending == points
        story.shipped("A", "2024-03-02")
        assert story.at("2024-03-02").pending == 100


def test_len_17_pending_points_cannot_be_used() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(10_000))
    story.order("B", "2024-03-02", line(10_000), points_used=1)
    assert verdict(story, "B") == "insufficient_points"
    at_once = lenovo(maturity__after=[{"event": "order"}])
    at_once.order("A", "2024-03-01", line(10_000))
    at_once.order("B", "2024-03-02", line(10_000), points_used=1)
    assert verdict(at_once, "B") == "accepted"


def test_len_18_points_become_available_thirty_days_after_shipment() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(10_000))
    story.shipped("A", "2024-03-02 23:59:59")
    before, after = story.one_second_before("2024-04-01 00:00:00"), story.at("2024-04-01 00:00:00")
    assert (before.pending, before.available) == (100, 0)
    assert (after.pending, after.available) == (0, 100)


def test_len_18_each_line_counts_from_its_own_shipment() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(10_000), line(20_000))
    story.shipped("A", "2024-03-02", pieces("1"))
    story.shipped("A", "2024-03-12", pieces("2"))
    assert story.at("2024-04-01").available == 100
    assert story.at("2024-04-10").available == 100
    assert story.at("2024-04-11").available == 300


def test_len_18_pieces_of_one_line_count_from_their_own_shipment_and_add_up() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(150, 3))
    story.shipped("A", "2024-03-02", pieces("1", 1))
    story.shipped("A", "2024-03-12", pieces("1", 2))
    assert story.at("2024-03-13").pending == 4
    assert story.at("2024-04-01").available == 1
    assert story.at("2024-04-11").available == 4


def test_len_22_points_held_stay_pending_beyond_thirty_days() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(10_000))
    story.shipped("A", "2024-03-02")
    story.held("2024-03-20", order_id="A")
    story.order("B", "2024-03-21", line(2_000))
    story.shipped("B", "2024-03-21")
    # Only what is held waits.
    assert (story.at("2024-05-01").pending, story.at("2024-05-01").available) == (100, 20)
    story.released("2024-05-02", order_id="A")
    assert (story.at("2024-05-02").pending, story.at("2024-05-02").available) == (0, 120)


def test_len_22_points_released_late_last_six_months_from_the_release() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(10_000))
    story.shipped("A", "2024-03-02")
    story.held("2024-03-20", order_id="A")
    story.released("2024-06-02", order_id="A")
    assert story.at("2024-06-02").lots[0].expires_on == date(2024, 12, 31)


# -- the limit of a year


def year_limit(limit: int = 1_000, **more: str) -> dict[str, Any]:
    """The limit made small, so that a story can reach it, and other choices of it."""
    return {"earning.caps.0.points": limit, **{f"earning.caps.0.{name}": value for name, value in more.items()}}


def test_len_20_at_most_500000_points_in_a_calendar_year() -> None:
    story = lenovo()
    story.order("A", "2024-03-01", line(49_999_900))
    story.order("B", "2024-12-31 23:59:59", line(10_000))
    story.order("C", "2025-01-01 00:00:00", line(10_000))
    assert [order.points_credited for order in story.at("2025-01-02").orders] == [499_999, 1, 100]
    unlimited = lenovo(earning__caps=[])
    unlimited.order("A", "2024-03-01", line(49_999_900))
    unlimited.order("B", "2024-12-31 23:59:59", line(10_000))
    assert unlimited.order_at("B", "2025-01-02").points_credited == 100


def test_len_20_a_cut_falls_on_the_lines_in_their_order() -> None:
    story = lenovo(earning__caps__0__points=150)
    story.order("A", "2024-03-01", line(10_000), line(10_000))
    story.shipped("A", "2024-03-02", pieces("2"))
    assert story.at("2024-04-01").available == 50
    assert story.at("2024-04-01").pending == 100


def test_len_20_of_the_pieces_of_a_line_those_that_shipped_first_come_before_the_cut() -> None:
    story = lenovo(earning__caps__0__points=150)
    story.order("A", "2024-03-01", line(10_000, 3))
    story.shipped("A", "2024-03-02", pieces("1", 2))
    assert (story.at("2024-04-02").available, story.at("2024-04-02").pending) == (150, 0)
    story.cancelled("A", "2024-04-03", pieces("1"))
    assert story.at("2024-04-03").available == 150, "a cancel of what was cut brings no points"


def test_len_20_an_earlier_order_that_comes_late_takes_its_room_from_the_later_ones() -> None:
    story = Story(CODE, year_limit())
    story.enrolled("2024-01-05")
    story.order("B", "2024-04-01", line(80_000))
    story.order("A", "2024-03-01", line(50_000), recorded="2024-04-02")
    assert [order.points_credited for order in story.at("2024-04-03").orders] == [500, 500]


def test_len_20_the_order_that_crosses_is_credited_with_all_its_lines_where_it_is_not_cut() -> None:
    story = Story(CODE, year_limit(crossing="full"))
    story.enrolled("2024-01-05")
    story.order("A", "2024-03-01", line(100_000), line(50_000))
    story.order("B", "2024-03-02", line(10_000))
    assert [order.points_credited for order in story.at("2024-03-03").orders] == [1_500, 0]


def test_len_20_an_order_once_cut_is_not_topped_up_and_a_return_takes_only_what_it_holds_too_much() -> None:
    story = Story(CODE, year_limit())
    story.enrolled("2024-01-05")
    story.order("A", "2024-03-01", line(60_000))
    story.order("B", "2024-03-02", line(60_000, 2))
    story.cancelled("A", "2024-03-03")
    assert [order.points_credited for order in story.at("2024-03-03").orders] == [0, 400]
    story.cancelled("B", "2024-03-04", pieces("1"))
    assert story.order_at("B", "2024-03-04").points_credited == 400
    story.cancelled("B", "2024-03-05")
    story.order("C", "2024-03-06", line(120_000))
    assert [order.points_credited for order in story.at("2024-03-06").orders] == [0, 0, 1_000]


def test_len_20_shipments_of_different_years_fall_under_different_limits_where_the_grant_dates_them() -> None:
    story = Story(CODE, year_limit(500, dated_by="grant"))
    story.enrolled("2024-01-05")
    story.order("A", "2024-11-01", line(40_000, 2))
    assert story.at("2024-11-01").pending == 800
    story.shipped("A", "2024-11-02", pieces("1"))
    story.order("B", "2024-11-03", line(40_000))
    story.shipped("B", "2024-11-04")
    story.shipped("A", "2024-12-20", pieces("1"))
    assert [order.points_credited for order in story.at("2025-02-01").orders] == [800, 100]


def test_len_21_purchases_after_the_limit_was_reached_earn_nothing() -> None:
    for refuses, points in ((["purchase"], 0), ([], 100)):
        story = lenovo(earning__caps__0__points=1_000, earning__caps__0__refuses=refuses)
        story.order("A", "2024-03-01", line(100_000))
        story.order("B", "2024-03-02", line(10_000))
        assert story.order_at("B", "2024-03-03").points_credited == points
