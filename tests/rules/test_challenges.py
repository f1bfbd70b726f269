"""What the orders of a period bring together: sums with steps, every tenth piece, the third shop, entry, settlement and after."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.terms_checks import contradictions
from tests.explain.story import ExplainedStory
from tests.rules.story import MEMBER, Story, line, pieces
from worker.programs.terms_file import TermsError
from worker.reading.explain import text
from worker.simulation import loading

SPEND = {"steps": [{"at": 20_000, "points": 200}, {"at": 50_000, "points": 700}]}


def challenged(*challenges: dict[str, Any], story: type[Story] = Story, **set_: Any) -> Any:
    """The shop, of which orders earn nothing by themselves, with challenges of a month."""
    given = [{"id": "month", "rule": "SHO-02", "period": "month", **each} for each in challenges]
    changes = {"challenges": given, "earning.components": [], **set_}
    told = story("shop", {path.replace("__", "."): value for path, value in changes.items()})
    told.registered("2024-01-01")
    return told


GIVES_BACK = {
    "id": "stamps",
    "rule": "SHO-02",
    "points": 90,
    "at": "threshold",
    "into": "voucher",
    "voucher": {"name": "V", "value": 1, "order_cancelled": "given_back", "order_returned": "given_back"},
}


def buy(story: Story, order_id: str, at: str, price: int, **data: Any) -> None:
    story.order(order_id, at, line(price, line_id="1"), **data)


def available(story: Story, *instants: str) -> list[int]:
    return [story.at(at).available for at in instants]


# -- steps


@pytest.mark.parametrize(
    ("amounts", "points"), [((19_999,), 0), ((12_000, 8_000), 200), ((49_999,), 200), ((30_000, 20_000), 700)]
)
def test_the_highest_step_that_a_month_reaches_comes_when_it_is_over(amounts: tuple[int, ...], points: int) -> None:
    story = challenged(SPEND)
    for number, amount in enumerate(amounts):
        buy(story, str(number), f"2024-02-{10 + number}", amount)
    assert available(story, "2024-02-29 23:59:59", "2024-03-01 00:00:00") == [0, points]


def test_each_month_is_counted_anew() -> None:
    story = challenged(SPEND)
    buy(story, "A", "2024-02-29 23:59:59", 20_000)
    buy(story, "B", "2024-03-01 00:00:00", 20_000)
    assert available(story, "2024-03-01", "2024-04-01") == [200, 400]


def test_what_comes_back_before_the_end_counts_for_nothing() -> None:
    story = challenged(SPEND)
    buy(story, "A", "2024-02-10", 12_000)
    buy(story, "B", "2024-02-11", 8_000)
    story.returned("B", "2024-02-12")
    assert available(story, "2024-03-01") == [0]


def test_what_comes_back_after_the_settlement_takes_the_difference_and_what_was_spent_is_owed() -> None:
    story = challenged(SPEND)
    buy(story, "A", "2024-02-10", 30_000)
    buy(story, "B", "2024-02-11", 20_000)
    assert available(story, "2024-03-01") == [700]
    story.order("C", "2024-03-02", line(1_000), points_used=600)
    story.returned("B", "2024-03-03")
    assert available(story, "2024-03-03") == [200 - 600]
    story.returned("A", "2024-03-04")
    assert available(story, "2024-03-04") == [-600]
    assert story.rules("revoke") == {"SHO-07"}


def test_an_order_told_after_the_settlement_is_counted_where_it_belongs() -> None:
    story = challenged(SPEND)
    buy(story, "A", "2024-02-10", 12_000)
    assert available(story, "2024-03-01") == [0]
    buy(story, "B", "2024-02-20", 8_000, recorded="2024-03-05")
    assert available(story, "2024-03-05", "2024-03-01") == [200, 200]


def test_goods_that_ship_after_the_month_count_for_the_month_of_their_order() -> None:
    story = challenged({**SPEND, "counted_at": "shipment"})
    buy(story, "A", "2024-02-28", 20_000)
    assert available(story, "2024-03-02") == [0]
    story.shipped("A", "2024-03-03")
    assert available(story, "2024-03-03") == [200]
    buy(story, "B", "2024-03-04", 20_000)
    story.cancelled("B", "2024-03-05")
    assert available(story, "2024-04-02") == [200]


def test_a_challenge_may_be_settled_on_a_day_after_its_end() -> None:
    story = challenged({**SPEND, "on": {"day": 15}})
    buy(story, "A", "2024-02-10", 20_000)
    assert available(story, "2024-03-14 23:59:59", "2024-03-15 00:00:00") == [0, 200]


def test_points_may_come_as_soon_as_they_are_reached() -> None:
    story = challenged({**SPEND, "granted": "reached"})
    buy(story, "A", "2024-02-10", 20_000)
    assert available(story, "2024-02-10") == [200]
    buy(story, "B", "2024-02-11", 30_000)
    assert available(story, "2024-02-11") == [700]
    story.returned("A", "2024-02-12")
    assert available(story, "2024-02-12", "2024-03-02") == [200, 200]


# -- rates


def test_a_minimum_that_is_spent_unlocks_a_rate_for_the_whole_month() -> None:
    story = challenged({"steps": [{"at": 30_000, "rate": "0.02"}]})
    buy(story, "A", "2024-02-10", 10_049)
    buy(story, "B", "2024-02-11", 19_950)
    assert available(story, "2024-03-01") == [0]
    buy(story, "C", "2024-02-12", 50, recorded="2024-03-02")
    assert available(story, "2024-03-02") == [600]


def test_a_base_is_summed_over_the_month_and_rounded_once() -> None:
    story = challenged({"steps": [{"at": 0, "rate": {"points": 1, "per": 200}}]})
    for day in range(1, 11):
        buy(story, str(day), f"2024-02-{day:02d}", 150)
    assert available(story, "2024-03-01") == [7]
    story.returned("1", "2024-03-02")
    assert available(story, "2024-03-02") == [6]


def test_twice_the_points_from_the_third_shop() -> None:
    stores = {"eligible": ["north", "south", "web"]}
    steps = [{"at": 1, "rate": "0.01"}, {"at": 3, "rate": "0.02"}]
    story = challenged({"of": "stores", "steps": steps}, membership__stores=stores)
    for day, store in enumerate(("north", "south", "north", "web"), 1):
        buy(story, str(day), f"2024-02-{day:02d}", 10_000, store=store)
    assert available(story, "2024-03-01") == [800]
    story.cancelled("1", "2024-03-02")
    assert available(story, "2024-03-02") == [600], "the north is there once more"
    story.cancelled("4", "2024-03-03")
    assert available(story, "2024-03-03") == [200]


# -- every so many


def test_every_tenth_piece_brings_its_points_at_once() -> None:
    every = {"of": "pieces", "every": {"per": 10, "points": 500}, "granted": "reached", "period": "always"}
    story = challenged({**every, "when": {"categories": ["coffee"]}})
    story.order("A", "2024-02-10", line(100, 7, line_id="1", category="coffee"), line(100, 9, line_id="2", category="tea"))
    story.order("B", "2024-03-10", line(100, 14, line_id="1", category="coffee"))
    assert available(story, "2024-02-10", "2024-03-10") == [0, 1_000]
    story.returned("A", "2024-03-11", pieces("1", 2))
    assert available(story, "2024-03-11") == [500]


@pytest.mark.parametrize(("of", "points"), [("orders", 40), ("days", 30), ("skus", 20), ("pieces", 50)])
def test_what_is_counted(of: str, points: int) -> None:
    story = challenged({"of": of, "every": {"per": 1, "points": 10}})
    for number, (day, sku, n) in enumerate((("01", "X", 1), ("01", "Y", 2), ("02", "X", 1), ("03", "X", 1))):
        story.order(str(number), f"2024-02-{day}", line(100, n, sku=sku))
    assert available(story, "2024-03-01") == [points]


def test_orders_below_a_minimum_do_not_count_and_points_may_have_a_maximum() -> None:
    story = challenged({"of": "orders", "minimum": 1_000, "every": {"per": 1, "points": 10}, "points_max": 25})
    for number, amount in enumerate((999, 1_000, 1_001)):
        buy(story, str(number), "2024-02-10", amount)
    assert available(story, "2024-03-01") == [20]
    buy(story, "late", "2024-02-11", 5_000, recorded="2024-03-02")
    assert available(story, "2024-03-02") == [25]


def test_points_that_orders_earned_are_counted_too() -> None:
    component = {"id": "basic", "rule": "SHO-02", "rates": [{"rate": "0.01"}]}
    story = challenged({"of": "points", "steps": [{"at": 100, "points": 50}]}, earning__components=[component])
    buy(story, "A", "2024-02-10", 10_000)
    assert available(story, "2024-02-10", "2024-03-01") == [100, 150]
    story.returned("A", "2024-03-02")
    assert available(story, "2024-03-02") == [0]


# -- entry, conditions, periods


def test_who_enters_at_any_time_in_the_month_takes_part_with_all_of_it() -> None:
    entry = {"id": "entry", "rule": "SHO-02", "event": "activity.completed", "activity": "entry", "points": 0}
    story = challenged({**SPEND, "entry": "entry"}, activities=[entry])
    buy(story, "A", "2024-02-10", 20_000)
    buy(story, "B", "2024-03-10", 20_000)
    story.tell("activity.completed", "2024-02-20", member_id=MEMBER, activity="entry", reference="E")
    assert available(story, "2024-03-01", "2024-04-01") == [200, 200]
    story.tell("activity.completed", "2024-03-20", "2024-04-02", member_id=MEMBER, activity="entry", reference="F")
    assert available(story, "2024-04-02") == [400]


def test_only_the_lines_for_which_the_condition_holds() -> None:
    story = challenged({**SPEND, "when": {"categories": ["shoes"], "unless": {"tags": ["sale"]}}})
    lines = line(20_000, line_id="1", category="shoes"), line(90_000, line_id="2", category="shoes", tags=["sale"])
    story.order("A", "2024-02-10", *lines)
    assert available(story, "2024-03-01") == [200]


@pytest.mark.parametrize(
    ("period", "last", "settled"),
    [
        ("day", "2024-02-10", "2024-02-11"),
        ("week", "2024-02-11", "2024-02-12"),
        ({"month": 25}, "2024-02-24", "2024-02-25"),
        ("quarter", "2024-03-31", "2024-04-01"),
        ({"half_year": "03-01"}, "2024-02-29", "2024-03-01"),
        ({"year": "04-01"}, "2024-03-31", "2024-04-01"),
        ("member_year", "2024-12-31", "2025-01-01"),
    ],
)
def test_a_period_is_settled_when_the_next_begins(period: Any, last: str, settled: str) -> None:
    story = challenged({**SPEND, "period": period})
    buy(story, "A", "2024-02-10 09:00:00", 20_000)
    assert available(story, f"{last} 23:59:59", f"{settled} 00:00:00") == [0, 200]


def test_a_month_goes_on_under_the_terms_in_which_it_began() -> None:
    changed = [{"id": "month", "rule": "SHO-02", "period": "month", "steps": [{"at": 20_000, "points": 999}]}]
    later = {"effective_from": "2024-02-15T00:00:00+09:00", "set": {"challenges": changed}}
    story = challenged(SPEND, amendments=[later])
    buy(story, "A", "2024-02-10", 12_000)
    buy(story, "B", "2024-02-20", 8_000)
    buy(story, "C", "2024-03-20", 20_000)
    assert available(story, "2024-03-01", "2024-04-01") == [200, 1_199]
    buy(story, "D", "2024-02-25", 30_000, recorded="2024-04-02")
    assert available(story, "2024-04-02") == [1_699]


def test_points_of_a_challenge_last_like_others_of_their_kind() -> None:
    terms = [{"rule": "SHO-04", "kinds": ["bonus"], "months": 1, "to": "month_end"}]
    story = challenged({**SPEND, "kind": "bonus"}, expiry={"terms": terms})
    buy(story, "A", "2024-02-10", 20_000)
    assert available(story, "2024-03-01", "2024-04-30 23:59:59", "2024-05-01 00:00:00") == [200, 200, 0]
    story.returned("A", "2024-05-02")
    assert story.at("2024-05-02").available == 0, "what has lapsed is not taken again"


CUPS = {"period": "always", "of": "orders", "every": {"per": 2, "points": 100}, "granted": "reached"}
SIX_MONTHS = {"terms": [{"rule": "SHO-04", "months": 6}]}


def test_points_that_come_one_after_the_other_last_from_their_own_days() -> None:
    story = challenged(CUPS, expiry=SIX_MONTHS)
    for day in ("2024-02-01", "2024-02-02", "2024-06-01", "2024-06-02"):
        buy(story, day, day, 400)
    assert [str(lot.expires_on) for lot in story.at("2024-06-02").lots] == ["2024-08-02", "2024-12-02"]
    assert available(story, "2024-08-03", "2024-12-02 23:59:59", "2024-12-03 00:00:00") == [100, 100, 0]


def test_what_is_reached_no_more_is_taken_from_the_points_that_came_last() -> None:
    story = challenged(CUPS, expiry=SIX_MONTHS)
    for day in ("2024-02-01", "2024-02-02", "2024-06-01", "2024-06-02"):
        buy(story, day, day, 400)
    story.returned("2024-02-01", "2024-06-03")
    assert [(lot.points, str(lot.expires_on)) for lot in story.at("2024-06-03").lots] == [(100, "2024-08-02")]
    story.returned("2024-02-02", "2024-09-01")
    story.returned("2024-06-02", "2024-09-02")
    assert available(story, "2024-09-02") == [0], "of what has lapsed nothing is taken again"


def test_more_grants_than_are_remembered_are_taken_back_as_well() -> None:
    story = challenged({**CUPS, "every": {"per": 1, "points": 3}})
    days = [f"2024-02-{n:02d}" for n in range(1, 26)]
    for day in days:
        buy(story, day, day, 400)
    assert available(story, "2024-02-26") == [75]
    for day in days:
        story.returned(day, "2024-03-01")
    assert available(story, "2024-03-01") == [0]


EACH_CUP = {"id": "cups", "period": "always", "of": "orders", "every": {"per": 1, "points": 10}, "granted": "reached"}


def test_what_comes_with_every_order_lasts_from_its_own_day() -> None:
    """Points last 12 months: those of 10 February and of 10 March each to the same day of the next year."""
    story = challenged(EACH_CUP)
    buy(story, "A", "2024-02-10", 1_000)
    buy(story, "B", "2024-03-10", 1_000)
    buy(story, "C", "2025-02-20", 1_000)
    assert available(story, "2025-02-10 23:59:59", "2025-02-11 00:00:00") == [20, 10]
    assert available(story, "2025-03-10 23:59:59", "2025-03-11 00:00:00", "2026-02-21") == [20, 10, 0]


def test_one_that_comes_back_takes_the_newest_of_them_and_none_twice() -> None:
    story = challenged(EACH_CUP)
    for number, day in enumerate(("2024-02-10", "2024-03-10", "2024-04-10")):
        buy(story, f"{number}", day, 1_000)
    story.returned("0", "2024-04-11")
    assert [str(lot.expires_on) for lot in story.at("2024-04-11").lots] == ["2025-02-10", "2025-03-10"]
    for order in ("1", "2"):
        story.returned(order, "2024-04-12")
    assert story.at("2024-04-12").available == 0


def test_one_that_comes_back_when_all_have_lapsed_takes_nothing() -> None:
    story = challenged(EACH_CUP)
    for number, day in enumerate(("2024-02-10", "2024-03-10")):
        buy(story, f"{number}", day, 1_000)
    story.returned("0", "2025-04-01")
    assert story.at("2025-04-01").available == 0


def test_an_explanation_names_the_month_and_what_it_came_to() -> None:
    story = challenged(SPEND, story=ExplainedStory)
    buy(story, "A", "2024-02-10", 20_000)
    told = text(story.told("2024-03-01", "en"))
    assert "month (from 2024-02-01): amount 20,000 yen, which brings +200" in told


def test_rates_by_line_are_those_under_which_the_month_began() -> None:
    books = {"rate": "0.05", "when": {"categories": ["books"]}}
    given = [{"at": 1_000, "rates": [books, {"rate": "0.01"}]}]
    later = {"effective_from": "2024-02-15T00:00:00+09:00", "set": {"challenges.0.steps": [{"at": 1_000, "rates": [books]}]}}
    story = challenged({"steps": given}, amendments=[later])
    buy(story, "A", "2024-02-10", 1_000)
    story.order("B", "2024-02-20", line(1_000, category="books"), line(2_000))
    story.order("C", "2024-03-20", line(1_000, category="books"), line(2_000))
    assert available(story, "2024-03-01", "2024-04-01") == [50 + 30, 80 + 50]


@pytest.mark.parametrize("step", [{"at": 1}, {"at": 1, "points": 1, "rates": [{"rate": "0.01"}]}])
def test_a_step_brings_one_thing(step: dict[str, Any]) -> None:
    with pytest.raises(TermsError, match="a step brings either points, a rate, or rates by line"):
        challenged({"steps": [step]})


def test_what_goes_on_beyond_a_limit_takes_one() -> None:
    for challenge in ({**SPEND, "beyond": "0.5"}, {"steps": [{"at": 1, "rates": [{"rate": "0.1", "beyond": "0.5"}]}]}):
        with pytest.raises(TermsError, match="beyond is for what is above points_max"):
            challenged(challenge)


DAILY = {"period": "day", "of": "orders", "steps": [{"at": 1, "points": 1}], "granted": "reached"}


def test_a_late_order_asks_for_all_the_days_after_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    story = challenged(DAILY, {**DAILY, "id": "more"}, conversions=[GIVES_BACK])
    for n in range(1, 29):
        buy(story, f"O{n}", f"2024-02-{n:02d}", 100)
    story.returned("O20", "2024-02-20 13:00:00")
    assert available(story, "2024-02-29") == [54]
    monkeypatch.setattr(loading, "ROUNDS_MAX", 5)
    buy(story, "late", "2024-01-31", 100)
    story.returned("O2", "2024-02-02 13:00:00")
    assert available(story, "2024-02-29") == [54]


ONCE = {"since": "2024-02-10T20:00", "until": "2024-02-12"}


def test_a_period_that_is_there_once_is_settled_after_it_and_counts_nothing_else() -> None:
    story = challenged({**SPEND, "period": {"once": ONCE}})
    for at, price in (
        ("2024-02-10 19:59:59", 40_000),
        ("2024-02-10 20:00:00", 10_000),
        ("2024-02-12 23:59:59", 10_000),
        ("2024-02-13 00:00:00", 40_000),
    ):
        buy(story, at, at, price)
    assert available(story, "2024-02-12 23:59:59", "2024-02-13 00:00:00", "2024-06-01") == [0, 200, 200]


# -- what is refused


@pytest.mark.parametrize(
    ("challenge", "path"),
    [
        ({}, "challenges.0"),
        ({"steps": [{"at": 2, "points": 1}, {"at": 1, "points": 2}]}, "challenges.0.steps"),
        ({**SPEND, "entry": "nothing"}, "challenges.0.entry"),
        ({**SPEND, "granted": "reached", "days_after": 3}, "challenges.0.days_after"),
        ({"steps": [{"at": 1, "rate": {"points": 1, "per": 1, "of": "pieces"}}]}, "challenges.0.steps"),
        ({"steps": [{"at": 1, "rates": [{"rate": {"points": 1, "per": 1, "of": "pieces"}}]}]}, "challenges.0.steps"),
        ({"steps": [{"at": 1, "rates": [{"rate": "0.02"}, {"rate": "0.01"}]}]}, "challenges.0.steps.0.rates.0"),
    ],
)
def test_a_challenge_that_does_not_go_together_is_refused(challenge: dict[str, Any], path: str) -> None:
    (version,) = challenged(challenge).program.versions
    assert path in {found.path for found in contradictions(version.terms)}


@pytest.mark.parametrize("period", ["order", {"rolling_days": 30}, "always"])
def test_a_challenge_is_about_periods_that_follow_each_other(period: Any) -> None:
    with pytest.raises(Exception, match=r"challenge|all time"):
        challenged({**SPEND, "period": period})
