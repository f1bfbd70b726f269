"""Points by the clock and for levels: birthdays, anniversaries, days of the year and the month, a level that is reached."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.terms_checks import contradictions
from tests.explain.story import ExplainedStory
from tests.rules.story import Story, line
from worker.reading.explain import text
from worker.simulation import loading

BORN = {"month": 12, "day": 3}
GIFT = {"id": "gift", "rule": "SHO-02", "event": "clock", "points": 100}
LEVELS = {
    "rule": "SHO-01",
    "levels": [{"name": "base", "threshold": 0}, {"name": "silver", "threshold": 10_000}, {"name": "gold", "threshold": 50_000}],
    "window": {"type": "calendar_year"},
    "judgements": [{"on": "change", "falls": "any"}],
    "measure": {"counted_at": "order"},
}


def gifts(*activities: dict[str, Any], story: type[Story] = Story, **set_: Any) -> Any:
    """The shop with activities by the clock, and a member who joined on 15 January 2024."""
    changes = {"activities": [{**GIFT, **each} for each in activities], **set_}
    told = story("shop", {path.replace("__", "."): value for path, value in changes.items()})
    told.registered("2024-01-15")
    return told


def available(story: Story, *instants: str) -> list[int]:
    return [story.at(at).available for at in instants]


@pytest.mark.parametrize(
    ("on", "before", "from_"),
    [
        ({"birthday": "month"}, "2024-11-30 23:59:59", "2024-12-01 00:00:00"),
        ({"birthday": "day"}, "2024-12-02 23:59:59", "2024-12-03 00:00:00"),
        ({"birthday": "day", "days_before": 7}, "2024-11-25 23:59:59", "2024-11-26 00:00:00"),
        ({"anniversary": "day"}, "2025-01-14 23:59:59", "2025-01-15 00:00:00"),
        ({"anniversary": "month"}, "2024-12-31 23:59:59", "2025-01-01 00:00:00"),
        ({"yearly": "02-14"}, "2024-02-13 23:59:59", "2024-02-14 00:00:00"),
        ({"monthly": 10}, "2024-02-09 23:59:59", "2024-02-10 00:00:00"),
    ],
)
def test_points_come_as_the_day_begins(on: dict[str, Any], before: str, from_: str) -> None:
    story = gifts({"on": on})
    story.updated("2024-01-16", birth=BORN)
    assert available(story, before, from_) == [0, 100]


def test_a_birthday_comes_back_every_year() -> None:
    story = gifts({"on": {"birthday": "day"}}, expiry={})
    story.updated("2024-01-16", birth=BORN)
    assert available(story, "2024-12-04", "2025-12-04", "2026-12-04") == [100, 200, 300]


def test_nobody_has_a_birthday_who_told_none() -> None:
    assert gifts({"on": {"birthday": "month"}}).at("2025-12-31").available == 0


def test_a_birthday_told_in_time_though_its_event_came_late() -> None:
    story = gifts({"on": {"birthday": "day"}})
    assert story.at("2024-12-10").available == 0
    story.updated("2024-12-01", recorded="2024-12-10 13:00:00", birth=BORN)
    assert story.at("2024-12-10 13:00:00").available == 100


def test_a_birthday_that_is_changed_brings_one_gift_a_year_where_the_terms_say_so() -> None:
    for once_per, points in (("event", 200), ("year", 100)):
        story = gifts({"on": {"birthday": "day"}, "once_per": once_per})
        story.updated("2024-01-16", birth={"month": 3, "day": 1})
        story.updated("2024-03-02", birth={"month": 4, "day": 1})
        assert story.at("2024-12-31").available == points


@pytest.mark.parametrize(("told", "points"), [("2024-11-25 23:59:59", 100), ("2024-11-26 00:00:00", 0)])
def test_only_who_told_it_by_the_25th_of_the_month_before(told: str, points: int) -> None:
    story = gifts({"on": {"birthday": "month", "told_by": {"day": 25}}})
    story.updated(told, birth=BORN)
    assert story.at("2024-12-31").available == points


@pytest.mark.parametrize(("joined", "points"), [("2024-11-25 23:59:59", 100), ("2024-11-26 00:00:00", 0)])
def test_only_who_had_joined_by_then(joined: str, points: int) -> None:
    story = Story("shop", {"activities": [{**GIFT, "on": {"birthday": "month", "told_by": {"day": 25}}}]})
    story.updated("2024-02-01", birth=BORN)
    story.registered(joined)
    assert story.at("2024-12-31").available == points


def test_a_level_may_get_another_gift() -> None:
    on = {"on": {"birthday": "month"}}
    story = gifts({**on, "id": "golden", "points": 500, "when": {"tiers": ["gold"]}}, on, tiers=LEVELS)
    story.updated("2024-01-16", birth=BORN)
    story.order("A", "2024-02-01", line(60_000))
    assert story.at("2024-12-01").available == 600 + 500 + 100


def test_points_of_a_birthday_lapse_with_their_own_term() -> None:
    terms = [{"rule": "SHO-04", "kinds": ["birthday"], "months": 1, "to": "month_end"}, {"rule": "SHO-04", "months": 12}]
    story = gifts({"on": {"birthday": "month"}, "kind": "birthday"}, expiry={"terms": terms})
    story.updated("2024-01-16", birth=BORN)
    assert available(story, "2024-12-01", "2025-01-31 23:59:59", "2025-02-01 00:00:00") == [100, 100, 0]


def test_terms_that_begin_later_bring_their_gifts_from_then_on() -> None:
    later = {"effective_from": "2024-06-01T00:00:00+09:00", "set": {"activities": [{**GIFT, "on": {"monthly": 1}}]}}
    again = {"effective_from": "2024-08-15T00:00:00+09:00", "set": {"activities": []}}
    story = Story("shop", {"amendments": [later, again], "activities": [{**GIFT, "on": {"yearly": "01-01"}}]})
    story.registered("2024-01-15")
    assert available(story, "2024-05-31", "2024-06-01", "2024-08-14", "2025-01-02") == [0, 100, 300, 300]


def test_nothing_comes_to_who_is_no_member_or_was_forgotten() -> None:
    story = Story("shop", {"activities": [{**GIFT, "on": {"monthly": 1}}]})
    story.adjusted(1, "2024-01-15")
    assert story.at("2024-02-02").available == 1
    story.registered("2024-02-10")
    assert story.at("2024-03-02").available == 101
    story.tell("member.erased", "2024-03-10", member_id="M1")
    assert story.at("2024-05-02").available == 101


def test_a_cap_holds_for_gifts_too() -> None:
    caps = [{"rule": "SHO-02", "points": 150, "activities": ["gift"], "refuses": ["activity"]}]
    story = gifts({"on": {"monthly": 1}}, earning__caps=caps)
    assert available(story, "2024-02-01", "2024-03-01", "2024-04-01", "2025-01-01") == [100, 150, 150, 250]


# -- levels


def reached(**choices: Any) -> Any:
    return gifts({"event": "tier_reached", **choices}, tiers=LEVELS)


def test_reaching_a_level_brings_its_points_with_the_order_that_reached_it() -> None:
    story = reached(when={"tiers": ["gold"]})
    story.order("A", "2024-02-01", line(10_000))
    assert story.at("2024-02-01").available == 100
    story.order("B", "2024-02-02", line(40_000))
    assert story.at("2024-02-02").available == 100 + 400 + 100


def test_falling_brings_nothing_and_rising_again_does_once_or_each_time() -> None:
    for once_per, points in (("member", 100), ("event", 200)):
        story = reached(once_per=once_per, when={"tiers": ["silver"]})
        story.order("A", "2024-02-01", line(10_000))
        story.returned("A", "2024-02-02")
        story.order("B", "2024-02-03", line(10_000))
        assert story.at("2024-02-03").available == points + 100


def test_an_earlier_order_that_comes_late_moves_the_gift_to_its_time() -> None:
    story = reached(when={"tiers": ["silver"]})
    story.order("B", "2024-02-03", line(10_000))
    story.order("A", "2024-02-01", line(10_000), recorded="2024-02-04")
    assert story.at("2024-02-04").available == 300
    assert {str(lot.expires_on) for lot in story.at("2024-02-04").lots} == {"2025-02-01", "2025-02-03"}


def test_explanations_tell_gifts_of_the_clock() -> None:
    story = gifts({"on": {"birthday": "month"}}, story=ExplainedStory)
    story.updated("2024-01-16", birth=BORN)
    told = text(story.told("2024-12-02", "en"))
    assert "2024-12-01 00:00  100 points granted" in told
    assert "The date had come" in told


# -- what is refused


@pytest.mark.parametrize("activity", [{}, {"event": "tier_reached", "on": {"monthly": 1}}, {"on": {}}])
def test_days_that_come_back_are_said_of_the_clock_alone(activity: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"recurring day|comes back"):
        gifts(activity)


@pytest.mark.parametrize(
    ("activity", "path"),
    [
        ({"on": {"monthly": 1}, "once_per": "day"}, "activities.0"),
        ({"on": {"monthly": 1}, "delay_hours": 3}, "activities.0"),
        ({"on": {"monthly": 1, "told_by": {"day": 25}}}, "activities.0.on.told_by"),
        ({"on": {"monthly": 1}, "points": None}, "activities.0.points"),
        ({"on": {"monthly": 1}, "when": {"basket": {"amount": 1}}}, "activities.0.when.basket"),
    ],
)
def test_an_occasion_that_does_not_go_together_is_refused(activity: dict[str, Any], path: str) -> None:
    (version,) = gifts(activity).program.versions
    assert path in {found.path for found in contradictions(version.terms)}


def test_a_clock_that_has_years_to_make_up_for_asks_for_all_of_them_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cake = {"once_per": "year", "voucher": {"name": "cake", "item": "cake"}, "on": {"birthday": "day"}}
    story = gifts({**cake, "points": None})
    story.updated("2024-01-16", birth=BORN)
    monkeypatch.setattr(loading, "ROUNDS_MAX", 4)
    assert len(story.vouchers("2044-01-01")) == 20, "one a year since 2024"
