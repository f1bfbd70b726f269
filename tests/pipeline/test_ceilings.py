"""What commands give is bounded: by command, by member, operator and program in a day; above, another person has to approve."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from tests.flows.bad_records import HOUR, NOW, gift, raw
from tests.flows.system import Raw
from tests.pipeline.harness import Harness
from worker.persist import HeldCommand
from worker.processing.ceilings import Ceilings, given
from worker.runtime.sweeper import Sweeper

DAY = timedelta(days=1)


def by(operator: str | None, points: int, id_: str, member: str = "M") -> Raw:
    """Points given by an operator of support."""
    data = {"member_id": member, "points": points, "reason": "gift", "operator": operator}
    return raw("points.adjusted", id_, data, program="belle-maison")


def survey(points: int, id_: str, member: str = "M") -> Raw:
    return raw("survey.won", id_, {"member_id": member, "survey_id": id_, "points": points}, program="belle-maison")


def _given(points: int, id_: str) -> Raw:
    return gift("M", points, id_)


def activity(points: int, id_: str, member: str = "M") -> Raw:
    data = {"member_id": member, "activity": "visit", "reference": id_, "points": points}
    return raw("activity.completed", id_, data, program="belle-maison")


async def held(harness: Harness) -> list[HeldCommand]:
    return await harness.store.held_commands()


async def decide(harness: Harness, verdict: str, *commands: HeldCommand) -> None:
    """A person decides, and the worker does it."""
    for command in commands:
        await harness.store.decide_command(command, verdict, "ben", "looked at it")
    await Sweeper(harness.store, harness.pipeline, harness.catalogue)._decided()


async def available(harness: Harness, member: str = "M") -> int:
    return (await harness.statement(member)).available


ATTACKS: dict[str, tuple[Ceilings, list[Raw], int]] = {
    "one large command": (Ceilings(command=1_000), [gift("M", 1_000, "a"), gift("M", 900_000, "b")], 1_000),
    "many small ones to one member": (Ceilings(member=1_000), [gift("M", 300, f"g{n}") for n in range(50)], 900),
    "of several types": (
        Ceilings(member=1_000),
        [maker(300, f"{maker.__name__}{n}") for n in range(9) for maker in (_given, activity)],
        900,
    ),
    "under one operator's name": (Ceilings(operator=1_000), [by("anna", 400, f"g{n}") for n in range(9)], 800),
    "under nobody's name": (Ceilings(operator=1_000), [by(None, 400, f"g{n}") for n in range(9)], 800),
    "under many operators' names": (Ceilings(operator=400, program=1_000), [by(f"o{n}", 400, f"g{n}") for n in range(9)], 800),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_whoever_may_send_commands_gives_no_more_than_the_ceiling(attack: str) -> None:
    ceilings, records, most = ATTACKS[attack]
    unbounded, bounded = Harness(), Harness(ceilings=ceilings)
    sent = sum(json.loads(record.value or b"")["points"] for record in records)
    await unbounded.take(*records)
    assert await available(unbounded) == sent, "without a ceiling the attack succeeds"
    done = await bounded.take(*records)
    assert await available(bounded) == most
    assert done.outcomes["held"] == len(await held(bounded)) > 0
    assert sum(each.points for each in await held(bounded)) == sent - most
    assert bounded.letters() == []


async def test_whatever_names_its_points_is_held() -> None:
    harness = Harness(ceilings=Ceilings(command=10))
    await harness.take(gift("M", 11, "a"), survey(11, "b"), activity(11, "c"))
    assert sorted(each.event.id for each in await held(harness)) == ["a", "b", "c"]
    assert not harness.store.tables.accounts


async def test_what_is_spread_over_members_is_bounded_by_the_program() -> None:
    harness = Harness(ceilings=Ceilings(member=500, program=1_200))
    await harness.take(*(gift(f"M{n}", 500, f"g{n}") for n in range(5)))
    assert [each.ceiling for each in await held(harness)] == ["program_points_per_day"] * 3
    # Another program has room of its own.
    await harness.take(gift("M", 500, "other", program="lenovo-pro"))
    assert len(await held(harness)) == 3


async def test_a_smaller_command_goes_through_where_a_larger_one_was_held() -> None:
    harness = Harness(ceilings=Ceilings(member=1_000))
    await harness.take(gift("M", 900, "a"), gift("M", 200, "b"), gift("M", 100, "c"), gift("M", 1, "d"))
    assert [each.event.id for each in await held(harness)] == ["b", "d"]
    assert await available(harness) == 1_000


async def test_what_is_taken_makes_no_room_and_is_not_held() -> None:
    harness = Harness(ceilings=Ceilings(command=10, member=1_000))
    for number in range(4):
        await harness.take(*(gift("M", 10, f"{number}-{n}") for n in range(50)), gift("M", -500, f"taken{number}"))
    assert await available(harness) == 1_000 - 4 * 500
    assert len(await held(harness)) == 100


async def _again(harness: Harness, *records: Raw) -> None:
    await harness.take(*records)


async def _a_day_later(harness: Harness, *records: Raw) -> None:
    harness.now += DAY
    await harness.take(*records)


@pytest.mark.parametrize("again", [_again, _a_day_later])
async def test_a_held_command_that_comes_again_is_held_once_and_does_not_slip_through(
    again: Callable[..., Awaitable[None]],
) -> None:
    """Sent again on another day, whose ceiling has room for it, it still waits."""
    harness = Harness(ceilings=Ceilings(member=1_000))
    records = [gift("M", 900, "a"), gift("M", 200, "b"), gift("M", 200, "b")]
    await harness.take(*records)
    await again(harness, *records)
    assert [each.event.id for each in await held(harness)] == ["b"]
    assert await available(harness) == 900
    await again(harness, gift("M", 300, "b"))
    assert harness.letters() == ["conflict"]
    (command,) = await held(harness)
    await decide(harness, "approved", command)
    assert await available(harness) == 1_100
    await again(harness, *records)
    assert await available(harness) == 1_100
    assert (await held(harness), harness.letters()) == ([], ["conflict"])


async def test_what_comes_again_and_is_a_fact_counts_once() -> None:
    harness = Harness(ceilings=Ceilings(member=1_000))
    for _ in range(5):
        await harness.take(gift("M", 400, "a"), gift("M", 400, "a"))
    await harness.take(gift("M", 600, "b"))
    assert (await available(harness), await held(harness)) == (1_000, [])


async def test_an_approved_command_is_the_event_that_it_came_as() -> None:
    """At its own time, with the record that it came in, and whatever is folded anew gives the same."""
    harness, plain = Harness(ceilings=Ceilings(command=100)), Harness()
    records = [gift("M", 50, "a"), gift("M", 500, "b", time=NOW - 5 * DAY), gift("M", -20, "c")]
    await plain.take(*records)
    await harness.take(*records)
    (command,) = await held(harness)
    await decide(harness, "approved", command)
    assert await harness.statement("M") == await plain.statement("M")
    facts = {fact.id: fact for fact in (await harness.dossier("M")).facts}
    assert facts == {fact.id: fact for fact in (await plain.dossier("M")).facts}
    assert facts["b"].origin == command.event.origin is not None
    (kept,) = await harness.store.held_commands(decided=True)
    assert kept.verdict is not None
    assert (kept.verdict.given_by, kept.verdict.reason, kept.verdict.verdict) == ("ben", "looked at it", "approved")
    assert kept.verdict.applied_at is not None


async def test_what_is_approved_counts_under_no_ceiling() -> None:
    harness = Harness(ceilings=Ceilings(member=1_000))
    await harness.take(gift("M", 600, "a"), gift("M", 600, "b"))
    await decide(harness, "approved", *await held(harness))
    await harness.take(gift("M", 400, "c"))
    assert (await available(harness), await held(harness)) == (1_600, [])


async def test_a_rejected_command_stays_rejected() -> None:
    harness = Harness(ceilings=Ceilings(command=100))
    await harness.take(gift("M", 500, "a"))
    await decide(harness, "rejected", *await held(harness))
    await harness.take(gift("M", 500, "a"), gift("M", 1, "b"))
    assert (await available(harness), await held(harness)) == (1, [])
    (kept,) = await harness.store.held_commands(decided=True)
    assert kept.verdict is not None
    assert kept.verdict.verdict == "rejected"


async def test_a_verdict_is_applied_once_whoever_applies_it() -> None:
    harness = Harness(ceilings=Ceilings(command=100))
    await harness.take(gift("M", 500, "a"))
    (command,) = await held(harness)
    assert await harness.pipeline.release(command.name) is False, "nobody has decided"
    await harness.store.decide_command(command, "approved", "ben", "looked at it")
    assert [await harness.pipeline.release(command.name) for _ in range(3)] == [True, False, False]
    assert await available(harness) == 500


async def test_the_day_is_the_brokers_where_it_keeps_one_and_never_a_senders() -> None:
    """A thief who dates commands back, or gives records another time, gets no further days."""
    harness = Harness(ceilings=Ceilings(member=1_000))
    await harness.take(*(gift("M", 600, f"event{n}", time=NOW - n * DAY) for n in range(1, 9)))
    assert len(await held(harness)) == 7
    await harness.take_at(*((NOW - n * DAY, False, gift("M", 600, f"record{n}")) for n in range(1, 9)))
    assert len(await held(harness)) == 15
    await harness.take_at(*((NOW - n * DAY, True, gift("M", 600, f"appended{n}")) for n in range(1, 9)))
    assert len(await held(harness)) == 15
    assert await available(harness) == 9 * 600


async def test_an_order_with_bonus_points_is_no_command() -> None:
    harness = Harness(ceilings=Ceilings(0, 0, 0, 0))
    line = {"sku": "S", "quantity": 1, "unit_price": 10, "tax": 1, "bonus_points": [{"points": 500}]}
    order = {"order_id": "A", "member_id": "M", "store": "bellemaison", "payment_method": "cod", "lines": [line]}
    await harness.take(raw("order.placed", "order", order), gift("M", 1, "a"))
    assert [each.event.id for each in await held(harness)] == ["a"]
    assert [fact.id for fact in (await harness.dossier("M")).facts] == ["order"]


def test_only_what_names_its_points_gives_them() -> None:
    harness = Harness()
    for record, points in ((gift("M", 7, "a"), 7), (gift("M", -7, "b"), 0), (survey(5, "c"), 5), (activity(3, "d"), 3)):
        (event,) = harness.decoded(record)
        assert given(event) == points


async def test_a_forgotten_persons_commands_are_forgotten() -> None:
    harness = Harness(ceilings=Ceilings(command=100))
    erased = raw("member.erased", "erased", {"member_id": "M"}, program="belle-maison", time=(NOW - HOUR / 2).isoformat())
    await harness.take(gift("M", 1, "a"), gift("M", 500, "b"), erased, gift("M", 500, "later", time=NOW - HOUR / 4))
    await harness.forget()
    assert [each.event.id for each in await held(harness)] == ["later"]
    await harness.take(gift("M", 500, "b"))
    assert [each.event.id for each in await held(harness)] == ["later"]
