"""Two programs unlike the shipped ones, and unlike each other, written as data alone: what their members see."""

from __future__ import annotations

import pytest

from tests.rules.heard import Heard
from tests.rules.story import MEMBER, PROGRAMS, Story, instant, line
from worker.decide.state import Decision, clock_moment
from worker.programs.validation import validated
from worker.simulation.simulate import Simulation


@pytest.mark.parametrize("code", PROGRAMS)
def test_their_terms_could_be_published(code: str) -> None:
    assert validated(PROGRAMS[code]).code == code


# -- visits


def visit(story: Story, day: str, reference: str = "", **more: str) -> None:
    story.tell(
        "activity.completed", f"{day}T11:00:00+01:00", member_id=MEMBER, activity="visit", reference=reference or day, **more
    )


def museum(*days: str) -> Story:
    story = Story("museum")
    story.enrolled("2023-12-31")
    for day in days:
        visit(story, day)
    return story


def test_a_day_of_a_visit_counts_once() -> None:
    story = museum("2024-01-02")
    visit(story, "2024-01-02", "evening")
    assert story.at("2024-01-03").available == 10
    visit(story, "2024-01-03")
    assert story.at("2024-01-04").available == 20


def test_weekends_count_double() -> None:
    assert museum("2024-01-05", "2024-01-06", "2024-01-07", "2024-01-08").at("2024-01-09").available == 60


def test_the_points_of_the_year_raise_the_level_and_the_level_the_points() -> None:
    saturdays = ("2024-01-06", "2024-01-13", "2024-01-20", "2024-01-27", "2024-02-03")
    story = museum(*saturdays)
    assert (story.at("2024-02-04").available, story.at("2024-02-04").tier) == (100, "Friend")
    visit(story, "2024-02-06")
    visit(story, "2024-02-10")
    assert story.at("2024-02-11").available == 100 + 15 + 30


def test_points_that_a_desk_adds_do_not_count_for_the_level() -> None:
    story = museum()
    story.adjusted(1_000, "2024-02-01")
    assert story.at("2024-02-02").tier == "Visitor"


def test_a_year_that_falls_short_costs_one_level_only() -> None:
    story = museum(*(f"2024-{month:02d}-{day:02d}" for month, day in ((1, 6), (1, 13), (1, 20), (1, 27), (2, 3), (2, 10))))
    for day in ("2024-02-17", "2024-02-24", "2024-03-02", "2024-03-09", "2024-03-16", "2024-03-23"):
        visit(story, day)
    assert story.at("2024-12-31").tier == "Patron"
    assert story.at("2025-12-31").tier == "Patron", "the year 2024 was enough for 2025"
    assert story.one_second_before("2026-01-01T00:00:00+01:00").tier == "Patron"
    assert story.at("2026-01-01T00:00:00+01:00").tier == "Friend", "2025 had no visit, and costs one level"
    assert story.at("2027-01-02").tier == "Visitor"


def test_a_visit_told_late_saves_the_level(heard: Heard) -> None:
    story = museum("2024-01-06", "2024-01-13", "2024-01-20", "2024-01-27", "2024-02-03")
    for day in ("2025-01-04", "2025-01-11", "2025-01-18"):
        visit(story, day)
    assert story.at("2026-01-02").tier == "Visitor"
    visit(story, "2025-01-25")
    assert story.at("2026-01-02").tier == "Friend"
    assert [(told["previous_tier"], told["tier"]) for told in heard.on("tier-changed")] == [
        ("Visitor", "Friend"),
        ("Friend", "Visitor"),
        ("Visitor", "Friend"),
    ]


@pytest.mark.parametrize(
    ("day", "last"), [("2024-01-01", "2027-01-31"), ("2024-01-31", "2027-01-31"), ("2024-02-29", "2027-02-28")]
)
def test_points_lapse_36_months_after_the_month_of_their_grant(day: str, last: str) -> None:
    story = museum(day)
    (lot,) = story.at(f"{day} 23:00:00").lots
    assert str(lot.expires_on) == last
    assert story.at(f"{last}T23:59:59+01:00").available == 10
    following = {"2027-01-31": "2027-02-01", "2027-02-28": "2027-03-01"}[last]
    assert story.at(f"{following}T00:00:00+01:00").available == 0


# -- cash back


def bought(story: Story, order_id: str, day: str, cents: int, method: str = "own_card") -> None:
    story.bought(order_id, f"{day}T10:00:00+01:00", line(cents, tax=0), currency="EUR", payment_method=method)


def test_the_way_of_payment_gives_the_share_of_each_cent() -> None:
    story = Story("cash")
    bought(story, "own", "2024-03-01", 33_333)
    bought(story, "other", "2024-03-01", 33_333, "paypal")
    bought(story, "none", "2024-03-01", 33_333, "cash")
    assert [order.points_credited for order in story.at("2024-03-02").orders] == [0, 167, 500]
    assert story.at("2024-03-02").pending == 667


def test_what_has_matured_is_paid_out_on_the_first() -> None:
    story = Story("cash")
    bought(story, "A", "2024-03-05", 40_000)
    bought(story, "B", "2024-03-20", 10_000)
    assert (story.at("2024-03-31").available, story.at("2024-03-31").pending) == (600, 150)
    assert story.one_second_before("2024-04-01T00:00:00+02:00").available == 600
    assert story.at("2024-04-01T00:00:00+02:00").available == 0
    assert [(entry.points, entry.rule) for entry in story.entries() if entry.reason == "pay_out"] == [(600, "CSH-04")]


def test_less_than_five_euro_waits_for_more() -> None:
    story = Story("cash")
    bought(story, "A", "2024-01-05", 33_300)
    assert (story.at("2024-01-31").available, story.at("2024-02-01").available) == (500, 0)
    story = Story("cash")
    bought(story, "A", "2024-01-05", 33_200)
    assert story.at("2024-03-05").available == 498
    bought(story, "B", "2024-03-06", 200)
    assert story.at("2024-03-31").available == 501
    assert story.at("2024-04-02").available == 0


def test_what_matures_on_pay_day_is_paid_on_it() -> None:
    story = Story("cash")
    bought(story, "A", "2024-03-18", 40_000)
    assert story.at("2024-04-01T00:00:00+02:00").available == 0
    assert story.rules("pay_out") == {"CSH-04"}


def test_it_does_not_pay_in_the_shop() -> None:
    story = Story("cash")
    bought(story, "A", "2024-03-01", 40_000)
    story.order("B", "2024-03-20", line(1_000, tax=0), currency="EUR", points_used=100)
    verdict = story.order_at("B", "2024-03-21").redemption
    assert verdict is not None
    assert verdict.reason == "store_not_eligible"


def test_returned_goods_cost_no_more_than_the_balance() -> None:
    story = Story("cash")
    bought(story, "A", "2024-03-05", 40_000)
    bought(story, "B", "2024-03-25", 10_000)
    assert story.at("2024-04-20").available == 150
    story.returned("A", "2024-04-20")
    assert story.at("2024-04-21").available == 0
    bought(story, "C", "2024-04-22", 20_000)
    assert story.at("2024-05-20").available == 300


def paid_out(story: Story) -> int:
    """Points for which money was paid, less those for which it was taken back."""
    return sum(each.points * (1 if each.target == "spent" else -1) for each in story.entries() if each.reason == "pay_out")


def test_money_that_was_paid_out_stays_paid_whatever_comes_late() -> None:
    story = Story("cash")
    bought(story, "A", "2024-03-05", 40_000)
    bought(story, "B", "2024-03-06", 20_000)
    assert story.at("2024-04-02").available == 0
    story.returned("B", "2024-03-25", recorded="2024-04-03")
    assert (paid_out(story), story.at("2024-04-03").available) == (900, -300)
    bought(story, "C", "2024-04-05", 60_000)
    assert story.at("2024-04-30").available == 600


def test_a_pay_day_on_which_a_ledger_paid_nothing_pays_nothing_when_that_is_replayed() -> None:
    story = Story("cash")
    came = Decision(*clock_moment(instant("2024-04-20")).name, verdict="accepted", points=0)
    story.simulation = Simulation(story.program, paid={MEMBER: [came]})
    bought(story, "A", "2024-03-05", 40_000)
    assert (story.at("2024-04-20").available, paid_out(story)) == (600, 0)
    assert (story.at("2024-05-02").available, paid_out(story)) == (0, 600)


def test_money_that_was_paid_out_stays_paid_though_later_terms_pay_none_out() -> None:
    ended = {"effective_from": "2024-05-01T00:00:00+02:00", "set": {"pay_out": None}}
    story = Story("cash", {"amendments": [ended]})
    bought(story, "A", "2024-03-05", 40_000)
    assert story.at("2024-04-02").available == 0
    story.returned("A", "2024-03-25", recorded="2024-04-03")
    assert (paid_out(story), story.at("2024-04-03").available) == (600, -600)
    bought(story, "B", "2024-04-05", 60_000)
    assert story.at("2024-06-02").available == 300, "nothing is paid out any more"


def test_money_that_was_paid_out_is_paid_again_under_terms_that_pay_out_only_later() -> None:
    story = Story("cash")
    bought(story, "A", "2024-03-05", 40_000)
    assert story.at("2024-04-02").available == 0
    paid = list(story.simulation.ledgers[MEMBER].decisions.values())
    assert [each.points for each in paid] == [600]
    rules = {"rule": "CSH-04", "day": 1, "minimum": 500}
    later = {"effective_from": "2024-05-01T00:00:00+02:00", "set": {"pay_out": rules}}
    story = Story("cash", {"pay_out": None, "amendments": [later]})
    story.simulation = Simulation(story.program, paid={MEMBER: paid})
    bought(story, "A", "2024-03-05", 40_000)
    bought(story, "B", "2024-05-05", 40_000)
    story.simulation.run_clock(instant("2024-06-02"))
    told = [(each.points, each.rule) for each in story.entries() if each.reason == "pay_out"]
    assert told == [(600, "CSH-07"), (600, "CSH-04")]


@pytest.mark.parametrize("before", [None, {"rule": "CSH-04", "day": 1, "minimum": 5_000}], ids=["none", "only for more"])
@pytest.mark.parametrize(
    ("begins", "day", "paid"),
    [
        ("2024-05-01T00:00:00+02:00", 1, "2024-05-01T00:00:00+02:00"),
        ("2024-05-01T00:00:00+02:00", 20, "2024-05-20T00:00:00+02:00"),
        ("2024-05-10T12:00:00+02:00", 1, "2024-06-01T00:00:00+02:00"),
    ],
)
def test_what_waits_is_paid_out_on_the_first_pay_day_of_terms_that_do_so_though_nothing_is_bought(
    before: dict[str, object] | None, begins: str, day: int, paid: str
) -> None:
    rules = {"rule": "CSH-04", "day": day, "minimum": 500}
    story = Story("cash", {"pay_out": before, "amendments": [{"effective_from": begins, "set": {"pay_out": rules}}]})
    bought(story, "A", "2024-03-05", 40_000)
    assert story.one_second_before(paid).available == 600
    assert story.at(paid).available == 0
    assert paid_out(story) == 600
