"""When points become available and how long they last: business days, days of a month, fixed last days, levels, pools."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from contracts.terms_checks import contradictions
from tests.explain.story import ExplainedStory
from tests.rules.story import Story, line, pieces
from worker.reading.explain import text

BASIC = {"id": "basic", "rule": "SHO-02", "rates": [{"rate": "0.01"}]}
PAID = [{"event": "payment"}]


def shop(**set_: Any) -> Story:
    """The shop with some choices changed, and its member."""
    story = Story("shop", {path.replace("__", "."): value for path, value in set_.items()})
    story.registered("2024-01-01")
    return story


def available(story: Story, *days: str) -> list[int]:
    return [story.at(f"{day} 00:00:00").available for day in days]


# -- when they become available


def test_business_days_skip_weekends_and_holidays() -> None:
    maturity = {"rule": "SHO-03", "after": [{"event": "payment", "business_days": 3}], "shown": "order"}
    story = shop(maturity=maturity, calendar__holidays=["2024-05-06"])
    story.order("A", "2024-05-02", line(10_000))
    story.paid("A", "2024-05-02 18:00:00")
    assert available(story, "2024-05-07", "2024-05-08") == [0, 100]


@pytest.mark.parametrize(
    ("on", "paid", "from_"),
    [
        ({"day": 15, "months_later": 1}, "2024-05-20", "2024-06-15"),
        ({"day": 15, "months_later": 1}, "2024-05-01", "2024-06-15"),
        ({"day": -1}, "2024-05-20", "2024-05-31"),
        ({"day": -1}, "2024-05-31", "2024-06-30"),
        ({"day": 20}, "2024-05-19", "2024-05-20"),
        ({"day": 20}, "2024-05-20", "2024-06-20"),
        ({"day": 1, "months_later": 2}, "2024-11-20", "2025-01-01"),
    ],
)
def test_points_come_on_a_day_of_a_month(on: dict[str, int], paid: str, from_: str) -> None:
    story = shop(maturity={"rule": "SHO-03", "after": PAID, "on": on, "shown": "order"})
    story.order("A", "2024-05-01", line(10_000))
    story.paid("A", paid)
    before = (date.fromisoformat(from_).toordinal()) - 1
    assert available(story, date.fromordinal(before).isoformat(), from_) == [0, 100]


@pytest.mark.parametrize("shown", ["order", "trigger", "never"])
def test_base_points_come_now_and_the_rest_on_the_15th_of_next_month(shown: str) -> None:
    later = {"day": 15, "months_later": 1}
    extra = {"id": "extra", "kind": "extra", "rule": "SHO-02", "rates": [{"rate": "0.02"}], "later": later}
    maturity = {"rule": "SHO-03", "after": PAID, "shown": shown}
    terms = [{"rule": "SHO-04", "kinds": ["extra"], "months": 1, "to": "month_end"}, {"rule": "SHO-04", "months": 12}]
    story = shop(earning__components=[BASIC, extra], maturity=maturity, expiry={"terms": terms})
    story.order("A", "2024-05-01", line(5_000, 2, line_id="1"))
    story.paid("A", "2024-05-03")
    assert available(story, "2024-05-04", "2024-06-14", "2024-06-15", "2024-07-31", "2024-08-01") == [100, 100, 300, 300, 100]
    story.returned("A", "2024-06-10", pieces("1"), recorded="2024-08-02")
    assert story.at("2024-08-03").available == 50
    assert story.at("2024-06-15").available == 150


def test_an_explanation_says_that_points_come_on_a_day() -> None:
    story = ExplainedStory("shop", {"maturity": {"rule": "SHO-03", "after": PAID, "on": {"day": -1}, "shown": "order"}})
    story.registered("2024-01-01")
    story.order("A", "2024-05-01", line(10_000))
    story.paid("A", "2024-05-03")
    told = story.told("2024-06-01", "en")
    assert "points come on the last day of a month" in text(told)


# -- how long they last


@pytest.mark.parametrize(
    ("term", "granted", "last"),
    [
        ({"days": 90}, "2024-02-01", "2024-05-01"),
        ({"days": 90, "to": "month_end"}, "2024-02-01", "2024-05-31"),
        ({"on": [{"last": "01-31", "years": 3}]}, "2024-02-01", "2027-01-31"),
        ({"on": [{"last": "01-31", "years": 3}]}, "2024-12-31", "2027-01-31"),
        ({"on": [{"last": "12-31"}, {"granted_from": "07-01", "last": "06-30", "years": 1}]}, "2024-06-30", "2024-12-31"),
        ({"on": [{"last": "12-31"}, {"granted_from": "07-01", "last": "06-30", "years": 1}]}, "2024-07-01", "2025-06-30"),
        ({"on": [{"granted_from": "04-01", "last": "03-20", "years": 2}]}, "2025-03-31", "2026-03-20"),
        ({"on": [{"granted_from": "04-01", "last": "03-20", "years": 2}]}, "2025-04-01", "2027-03-20"),
    ],
)
def test_the_last_day_of_points(term: dict[str, Any], granted: str, last: str) -> None:
    story = shop(expiry={"terms": [{"rule": "SHO-04", **term}]})
    story.adjusted(100, granted)
    (lot,) = story.at(granted).lots
    assert str(lot.expires_on) == last
    assert story.at(f"{last} 23:59:59").available == 100
    assert story.at(f"{date.fromordinal(date.fromisoformat(last).toordinal() + 1)} 00:00:00").available == 0


def test_a_fixed_last_day_is_usable_to_its_end_whatever_the_time_of_the_grant() -> None:
    story = shop(expiry={"terms": [{"rule": "SHO-04", "on": [{"last": "03-31", "years": 1}]}], "last_day": "exact"})
    story.adjusted(100, "2024-02-01 09:00:00")
    assert story.at("2025-03-31 23:59:59").available == 100
    assert story.at("2025-04-01 00:00:00").available == 0


LEVELS = {
    "rule": "SHO-01",
    "levels": [{"name": "base", "threshold": 0}, {"name": "gold", "threshold": 10_000}],
    "window": {"type": "rolling_months", "months": 12},
    "judgements": [{"on": "change", "falls": "any"}],
    "measure": {"counted_at": "order"},
}


def test_points_last_by_the_level_at_their_grant_and_lapse_by_its_rule() -> None:
    terms = [{"rule": "SHO-05", "tiers": ["gold"], "months": 24}, {"rule": "SHO-04", "months": 12}]
    story = shop(expiry={"terms": terms}, tiers=LEVELS)
    story.order("A", "2024-02-01", line(10_000))
    story.order("B", "2024-02-02", line(10_000), points_used=50)
    story.cancelled("B", "2024-02-03")
    story.order("C", "2024-02-04", line(1_000))
    lots = {(lot.points, str(lot.expires_on)) for lot in story.at("2024-02-05").lots}
    assert lots == {(100, "2025-02-01"), (10, "2026-02-04")}
    assert story.at("2026-03-01").lapsed_total == 110
    lapses = [(entry.points, entry.rule) for entry in story.entries() if entry.reason == "lapse"]
    assert lapses == [(100, "SHO-04"), (10, "SHO-05")]


@pytest.mark.parametrize(
    ("pool", "last"),
    [
        ({"months": 6, "to": "month_end", "prolonged_by": ["grant"]}, "2024-08-31"),
        ({"days": 100, "prolonged_by": ["grant"]}, "2024-05-20"),
        ({"months": 6, "prolonged_by": ["delivery"], "begins": "grant"}, "2024-09-05"),
    ],
)
def test_how_long_a_pool_runs(pool: dict[str, Any], last: str) -> None:
    story = shop(expiry={"pool": {"rule": "SHO-04", **pool}})
    story.order("A", "2024-02-10", line(10_000))
    story.delivered("A", "2024-03-05")
    assert {str(lot.expires_on) for lot in story.at("2024-03-06").lots} == {last}
    assert story.at(f"{last} 23:59:59").available == 100
    assert story.at(f"{date.fromordinal(date.fromisoformat(last).toordinal() + 1)} 00:00:00").available == 0


# -- stores


def test_every_store_that_is_not_excluded() -> None:
    story = shop(membership__stores={"eligible": "all", "excluded": ["outlet"]})
    for number, store in enumerate(("shop", "another", "outlet")):
        story.order(str(number), "2024-02-01", line(10_000), store=store)
    assert [order.points_credited for order in story.at("2024-02-02").orders] == [100, 100, 0]


def test_a_group_of_stores_by_its_name() -> None:
    stores = {"eligible": ["north", "south", "web"], "groups": {"streets": ["north", "south"]}}
    double = {"id": "double", "rule": "SHO-02", "effect": "multiply", "times": "2", "when": {"stores": ["streets"]}}
    story = shop(membership__stores=stores, earning__campaigns=[double])
    for store in ("north", "south", "web"):
        story.order(store, "2024-02-01", line(10_000), store=store)
    assert {order.order_id: order.points_credited for order in story.at("2024-02-02").orders} == {
        "north": 200,
        "south": 200,
        "web": 100,
    }


# -- what is refused


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("maturity.after", [{"event": "payment", "days": 1, "business_days": 1}]),
        ("maturity.on", {"day": 0}),
        ("expiry.terms", [{"rule": "SHO-04", "days": 1, "months": 1}]),
        ("expiry.pool", {"rule": "SHO-04", "prolonged_by": ["grant"]}),
    ],
)
def test_two_ways_to_say_one_thing_are_refused(path: str, value: Any) -> None:
    with pytest.raises(Exception, match=r"write|a pool"):
        shop(**{path: value})


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("expiry.terms", [{"rule": "SHO-04", "tiers": ["gold"], "months": 1}], "expiry.terms.0.tiers"),
        ("expiry.terms", [{"rule": "SHO-04"}, {"rule": "SHO-04", "tiers": ["gold"], "months": 1}], "expiry.terms.1"),
        ("membership.stores", {"eligible": ["shop"], "groups": {"shop": ["shop"]}}, "membership.stores.groups.shop"),
    ],
)
def test_what_nothing_would_read_is_refused(path: str, value: Any, where: str) -> None:
    (version,) = shop(**{path: value}).program.versions
    assert where in {found.path for found in contradictions(version.terms)}
