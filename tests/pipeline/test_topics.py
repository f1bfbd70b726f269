"""Whoever may write to one topic says nothing that belongs to another, and no event moves more points than one may."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.events import CONTESTED_SOURCE, EVENT_TYPES, TOPIC_OF, TOPICS_IN
from tests.flows.bad_records import ORDER, gift, order, raw
from tests.flows.system import Raw
from tests.pipeline.harness import Harness
from worker.decode import Admission
from worker.decode.record import TOPICS

OTHERS = [topic for topic in TOPICS_IN if topic != "loyalty.command"]
OPENED = {"member_id": "M", "lots": [{"points": 999_999}]}


def _moved(gift_: Raw, topic: str) -> Raw:
    return Raw(topic, gift_.value, gift_.headers, gift_.key)


@pytest.mark.parametrize("topic", OTHERS)
async def test_points_are_given_by_the_topic_of_commands_alone(topic: str) -> None:
    harness = Harness()
    await harness.take(_moved(gift("M", 777_777, "minted"), topic))
    assert harness.letters() == ["wrong_topic"]
    assert not harness.store.tables.accounts
    await harness.take(gift("M", 777_777, "given"))
    assert (await harness.statement("M")).available == 777_777


@pytest.mark.parametrize("topic", TOPICS_IN)
async def test_no_topic_opens_a_balance(topic: str) -> None:
    harness = Harness()
    await harness.take(raw("balance.opened", "minted", OPENED, topic=topic, program="belle-maison"))
    assert harness.letters() == ["wrong_topic"]
    assert not harness.store.tables.accounts


@pytest.mark.parametrize("topic", TOPICS_IN)
async def test_no_topic_says_that_an_order_is_contested(topic: str) -> None:
    harness = Harness()
    await harness.take(order("O", "M"), raw("order.contested", "O", {"order_id": "O"}, topic=topic, program="belle-maison"))
    assert harness.letters() == ["wrong_topic"]
    assert (await harness.statement("M")).findings == ()


@pytest.mark.parametrize("topic", sorted({*TOPICS_IN} - {"loyalty.command"}))
async def test_only_commands_decide_whose_an_order_is(topic: str) -> None:
    harness = Harness()
    claim = raw("order.claimed", "claim", {"order_id": "O", "member_id": "THIEF"}, topic=topic, program="belle-maison")
    await harness.take(order("O", "M", "theirs"), order("O", "THIEF", "mine"), claim)
    assert harness.letters() == ["wrong_topic"]
    assert {finding.code for finding in (await harness.statement("THIEF")).findings} == {"order_contested"}


@pytest.mark.parametrize("source", [CONTESTED_SOURCE, "loyalty:anything"])
async def test_nobody_speaks_as_the_ledger_itself(source: str) -> None:
    harness = Harness()
    taken = raw("order.paid", "O", {"order_id": "O"}, source=source, program="belle-maison")
    await harness.take(order("O", "M", "theirs"), taken, order("O", "THIEF", "mine"))
    assert harness.letters() == ["wrong_source"]
    assert {finding.code for finding in (await harness.statement("THIEF")).findings} == {"order_contested"}


def test_every_type_counts_on_one_topic_but_what_the_ledger_writes_itself_on_none() -> None:
    assert EVENT_TYPES.keys() - TOPIC_OF.keys() == {"balance.opened", "order.contested"}
    assert {type_: [topic for topic, types in TOPICS.items() if type_ in types] for type_ in EVENT_TYPES} == {
        **{type_: [topic] for type_, topic in TOPIC_OF.items()},
        "balance.opened": [],
        "order.contested": [],
    }


async def test_only_sources_bound_to_a_topic_are_believed_there() -> None:
    harness = Harness(admission=Admission(sources={"loyalty.command": ("/desk/*", "/campaigns")}))
    data = {"member_id": "M", "points": 5, "reason": "gift"}
    for source in ("/shop", "/desk", "/campaigns/more", "/desk/7", "/campaigns"):
        await harness.take(raw("points.adjusted", f"from-{source}", data, source=source, program="belle-maison"))
    assert harness.letters() == ["wrong_source"] * 3
    assert (await harness.statement("M")).available == 10


GUESSED: dict[str, dict[str, Any]] = {
    "member.registered": {"member_id": "M"},
    "survey.won": {"member_id": "M", "survey_id": "S", "points": 0},
    "order.placed": {**ORDER, "order_id": "O", "member_id": "M"},
}


@pytest.mark.parametrize("type_", GUESSED)
async def test_the_id_of_a_command_cannot_be_taken_on_another_topic_where_its_source_is_bound_to_its_own(type_: str) -> None:
    """Whoever guesses source and id of a command, and says something else under them first, would turn it into a conflict."""
    harness = Harness(admission=Admission(sources={"loyalty.command": ("/desk/*",)}))
    await harness.take(raw(type_, "7", GUESSED[type_], source="/desk/1", program="belle-maison"))
    assert harness.letters() == ["wrong_source"]
    data = {"member_id": "M", "points": 5, "reason": "gift"}
    await harness.take(raw("points.adjusted", "7", data, source="/desk/1", program="belle-maison"))
    assert harness.letters() == ["wrong_source"]
    assert (await harness.statement("M")).available == 5


@pytest.mark.parametrize("points", [10**12, 1_001, -1_001])
async def test_a_command_beyond_the_ceiling_moves_nothing(points: int) -> None:
    harness = Harness(admission=Admission(points_max=1_000))
    await harness.take(gift("M", 1_000, "given"), gift("M", points, "minted"))
    assert harness.letters() == ["above_ceiling"]
    assert (await harness.statement("M")).available == 1_000


async def test_the_ceiling_is_that_of_all_that_names_its_points() -> None:
    harness = Harness(admission=Admission(points_max=1_000))
    line = {"sku": "S", "quantity": 1, "unit_price": 10, "tax": 1}
    lines = [{**line, "bonus_points": [{"points": 501}]} for _ in range(2)]
    order = {"order_id": "A", "member_id": "M", "store": "bellemaison", "payment_method": "cod", "lines": lines}
    survey = {"member_id": "M", "survey_id": "S", "points": 1_001}
    activity = {"member_id": "M", "activity": "visit", "reference": "V", "points": 1_001}
    await harness.take(
        raw("order.placed", "order", order),
        raw("survey.won", "survey", survey, program="belle-maison"),
        raw("activity.completed", "activity", activity, program="belle-maison"),
    )
    assert harness.letters() == ["above_ceiling"] * 3


async def test_without_a_setting_a_million_points_are_the_ceiling() -> None:
    harness = Harness()
    await harness.take(gift("M", 10**12, "minted"), gift("M", 1_000_001, "also"), gift("M", 1_000_000, "given"))
    assert harness.letters() == ["above_ceiling"] * 2
