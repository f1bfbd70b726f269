"""An order id that somebody else took, or guessed, pays nobody: both orders are contested until a command decides, and the ledger
is the same in whatever order all of it comes and wherever batches end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import combinations, pairwise, permutations
from typing import Any
from unittest.mock import patch

import pytest
from structlog.testing import capture_logs

from contracts.events import Event
from tests.flows.bad_records import HOUR, NOW, ORDER, gift, order, raw, shipped
from tests.flows.system import Raw
from tests.pipeline.harness import PROGRAM, Harness
from worker.processing import shared_orders
from worker.processing.contests import Arrival, Shared, missing

VICTIM, ATTACKER, THIRD = "VICTIM", "ATTACKER", "THIRD"
CONTESTED, LOST = "order_contested", "order_of_another"


def placed(member: str | None, minutes: int = 0, **data: object) -> Raw:
    """The order as one of them tells it."""
    return order("O", member, f"placed-{member}-{minutes}", NOW - HOUR + timedelta(minutes=minutes), **data)


def sent() -> Raw:
    return shipped("O", "sent", NOW - HOUR / 2)


def claimed(member: str, id_: str = "claim", minutes: int = 50) -> Raw:
    """The command that decides whose the order is."""
    at = NOW - HOUR + timedelta(minutes=minutes)
    return raw("order.claimed", id_, {"order_id": "O", "member_id": member}, program=PROGRAM, time=at.isoformat())


def cuttings(records: Sequence[Raw]) -> Iterator[list[Sequence[Raw]]]:
    """The records in batches, cut in every way."""
    for cuts in range(len(records)):
        for inner in combinations(range(1, len(records)), cuts):
            ends = [0, *inner, len(records)]
            yield [records[start:end] for start, end in pairwise(ends)]


async def delivered(batches: Iterable[Sequence[Raw]]) -> Harness:
    harness = Harness()
    for batch in batches:
        await harness.take(*batch)
    await harness.until(NOW)
    return harness


async def told(harness: Harness, member: str) -> tuple[int, tuple[str, ...], str]:
    """A member's points, findings, and the whole statement but its version. The ledger is verified."""
    says = await harness.statement(member)
    points = says.available + says.pending
    codes = tuple(finding.code for finding in says.findings)
    return points, codes, says.model_copy(update={"version": 0}).model_dump_json()


async def the_only_ledgers(records: Sequence[Raw], *members: str) -> list[tuple[int, list[str]]]:
    """What the members have, which is the same in every order of delivery and every cutting into batches."""
    found = set()
    for sequence in permutations(records):
        for batches in cuttings(sequence):
            harness = await delivered(batches)
            assert harness.letters() == [], batches
            found.add(tuple([await told(harness, member) for member in members]))
    assert len(found) == 1, found
    return [(points, list(codes)) for points, codes, _ in found.pop()]


async def test_who_takes_the_id_of_an_order_first_is_not_paid_and_its_member_is_no_dead_letter() -> None:
    harness = await delivered([[placed(ATTACKER)], [placed(VICTIM)], [sent()]])
    assert harness.letters() == []
    assert [(await told(harness, member))[:2] for member in (ATTACKER, VICTIM)] == [(0, (CONTESTED, CONTESTED))] * 2


async def test_who_takes_the_id_of_an_order_that_was_paid_takes_the_points_back_until_a_command_decides() -> None:
    harness = await delivered([[placed(VICTIM)], [sent()], [placed(ATTACKER)]])
    assert [(await told(harness, member))[0] for member in (ATTACKER, VICTIM)] == [0, 0]
    await harness.take(claimed(VICTIM))
    assert (await told(harness, VICTIM))[:2] == (5, ())
    assert (await told(harness, ATTACKER))[:2] == (0, (LOST, LOST))


async def test_nobody_is_paid_for_an_order_that_two_placed_in_every_order_and_every_cutting() -> None:
    found = await the_only_ledgers([placed(VICTIM), placed(ATTACKER, 1), sent()], VICTIM, ATTACKER)
    assert found == [(0, [CONTESTED, CONTESTED])] * 2


async def the_named_is_paid() -> None:
    """In every order and every cutting, as if nobody else had placed it."""
    records = [placed(VICTIM), placed(ATTACKER, 1), sent(), claimed(VICTIM)]
    found = await the_only_ledgers(records, VICTIM, ATTACKER)
    assert found == [(5, []), (0, [LOST, LOST])]


async def test_whom_a_command_names_is_paid_as_if_nobody_else_had_placed_it_in_every_order_and_every_cutting() -> None:
    await the_named_is_paid()


async def test_an_order_that_three_placed_is_theirs_whom_the_latest_command_names() -> None:
    records = [placed(VICTIM), placed(ATTACKER, 1), placed(THIRD, 2), sent()]
    for sequence in permutations(records):
        harness = await delivered([each] for each in sequence)
        assert [(await told(harness, member))[0] for member in (VICTIM, ATTACKER, THIRD)] == [0, 0, 0]
        await harness.take(claimed(ATTACKER, "mistaken", 40))
        await harness.take(claimed(THIRD, "first", 30))
        assert [(await told(harness, member))[0] for member in (VICTIM, ATTACKER, THIRD)] == [0, 5, 0]
        await harness.take(claimed(VICTIM, "right", 50))
        assert [(await told(harness, member))[:2] for member in (VICTIM, ATTACKER, THIRD)] == [(5, ()), *[(0, (LOST, LOST))] * 2]


async def test_a_command_decides_before_the_orders_come_too() -> None:
    for sequence in permutations([claimed(VICTIM), placed(VICTIM), placed(ATTACKER, 1), sent()]):
        harness = await delivered([each] for each in sequence)
        assert [(await told(harness, member))[0] for member in (VICTIM, ATTACKER)] == [5, 0]
        assert await harness.store.contested(10) == []


async def test_of_two_commands_of_one_instant_one_decides_for_all() -> None:
    """By source and id: each account has its own under one name, and the others' under the same."""
    records = [placed(VICTIM), placed(ATTACKER, 1), sent(), claimed(VICTIM, "b"), claimed(ATTACKER, "a")]
    for sequence in permutations(records):
        harness = await delivered([each] for each in sequence)
        assert [(await told(harness, member))[0] for member in (VICTIM, ATTACKER)] == [5, 0]


async def test_a_command_dated_before_the_order_decides_and_is_told() -> None:
    records = [claimed(VICTIM, minutes=-30), placed(VICTIM), placed(ATTACKER, 1), sent()]
    found = await the_only_ledgers(records, VICTIM, ATTACKER)
    assert found == [(5, ["timed_before_order"]), (0, [LOST, LOST])]


async def test_a_command_for_somebody_who_never_placed_the_order_decides_nothing_and_is_a_finding() -> None:
    found = await the_only_ledgers([placed(VICTIM), sent(), claimed(THIRD)], VICTIM, THIRD)
    assert found == [(5, []), (0, ["unknown_order"])]
    harness = await delivered([[placed(VICTIM), placed(ATTACKER, 1), sent(), claimed(THIRD)]])
    assert [(await told(harness, member))[0] for member in (VICTIM, ATTACKER)] == [0, 0]
    assert await harness.store.contested(10) == ["O"]


async def test_a_guests_order_under_the_id_of_a_members_contests_it_whichever_comes_first() -> None:
    found = await the_only_ledgers([placed(None), placed(VICTIM, 1)], VICTIM)
    assert found == [(0, [CONTESTED])]
    for sequence in permutations([placed(None), placed(VICTIM, 1), claimed(VICTIM)]):
        harness = await delivered([[each] for each in sequence] + [[sent()]])
        assert (await told(harness, VICTIM))[:2] == (5, ())


async def test_the_same_member_telling_an_order_again_contests_nothing() -> None:
    found = await the_only_ledgers([placed(VICTIM), placed(VICTIM, 1), sent()], VICTIM)
    assert found == [(5, ["order_twice"])]


async def test_a_second_order_years_later_contests_the_first_and_a_command_gives_everything_back() -> None:
    years = -5 * 365 * 24 * 60
    old = [placed(VICTIM, years), shipped("O", "sent", NOW - HOUR + timedelta(minutes=years + 60))]
    alone = await told(await delivered([old]), VICTIM)
    harness = await delivered([old, [gift(VICTIM, 100, "gift")], [placed(ATTACKER)]])
    assert (await told(harness, VICTIM))[:2] == (100, (CONTESTED, CONTESTED))
    await harness.take(claimed(VICTIM))
    assert (await told(harness, VICTIM))[:2] == (100 + alone[0], ())


async def test_what_follows_a_contested_order_is_kept_by_all_and_counts_for_its_owner_wherever_it_came() -> None:
    """A return is told while only the attacker is known to have placed the order, and the shipment after both."""
    at = (NOW - HOUR / 4).isoformat()
    returned = raw("return.received", "back", {"order_id": "O", "lines": "all", "return_id": "R"}, time=at)
    records = [placed(VICTIM), placed(ATTACKER, 1), sent(), returned]
    for sequence in permutations(records):
        harness = await delivered([each] for each in sequence)
        await harness.take(claimed(VICTIM))
        says = await harness.statement(VICTIM)
        assert (says.available + says.pending, says.findings) == (0, ())
        assert [order.points_credited for order in says.orders] == [0]


async def test_a_use_of_points_that_was_announced_stands_until_the_order_is_somebody_elses() -> None:
    spent = placed(VICTIM, points_used=300)
    harness = await delivered([[gift(VICTIM, 1_000, "gift", time=NOW - 2 * HOUR)], [spent], [sent()]])
    assert (await told(harness, VICTIM))[0] == 700 + 5
    await harness.take(placed(ATTACKER, 1))
    assert (await told(harness, VICTIM))[0] == 700
    await harness.take(claimed(VICTIM))
    assert (await told(harness, VICTIM))[0] == 700 + 5
    await harness.take(claimed(ATTACKER, "mistaken", 55))
    assert (await told(harness, VICTIM))[0] == 1_000


async def test_a_use_of_points_is_not_decided_while_the_order_is_contested() -> None:
    given = gift(VICTIM, 1_000, "gift", time=NOW - 2 * HOUR)
    harness = await delivered([[given], [placed(ATTACKER, 1)], [placed(VICTIM, points_used=300)], [sent()]])
    says = await harness.statement(VICTIM)
    assert (says.available, says.orders[0].points_used) == (1_000, 0)
    assert says.orders[0].redemption is not None
    assert says.orders[0].redemption.decision == "waiting"
    assert not (await harness.dossier(VICTIM)).decisions
    await harness.take(claimed(VICTIM))
    await harness.until(NOW)
    assert (await harness.statement(VICTIM)).orders[0].points_used == 300


async def test_a_verdict_does_not_hang_on_whether_the_other_order_is_in_its_batch() -> None:
    """Where the member's own order came first, its use of points was announced, as if each had come by itself."""
    first = [gift(VICTIM, 1_000, "gift", time=NOW - 2 * HOUR), placed(VICTIM, points_used=300), placed(ATTACKER, 1)]
    last = [first[0], first[2], first[1]]
    for records, left in ((first, 700), (last, 1_000)):
        for batches in cuttings(records):
            assert (await told(await delivered(batches), VICTIM))[0] == left, batches


async def test_the_alert_names_the_records_of_both_events_and_nobody_until_a_command_decides() -> None:
    with capture_logs() as logs:
        harness = await delivered([[placed(VICTIM)], [placed(ATTACKER, 1)], [sent()]])
    (said,) = [each for each in logs if each["event"] == "order_contested"]
    assert said["one"] == "record commerce.order/0/0"
    assert said["other"] == "record commerce.order/0/1"
    assert await harness.store.contested(10) == ["O"]
    await harness.take(claimed(VICTIM))
    assert await harness.store.contested(10) == []


@pytest.mark.parametrize("told_again", [placed(VICTIM), placed(ATTACKER, 1), sent(), claimed(VICTIM)])
async def test_what_is_told_again_changes_nothing(told_again: Raw) -> None:
    harness = await delivered([[placed(VICTIM)], [sent()], [placed(ATTACKER, 1)], [claimed(VICTIM)]])
    before = [await told(harness, member) for member in (VICTIM, ATTACKER)]
    await harness.take(told_again)
    assert [await told(harness, member) for member in (VICTIM, ATTACKER)] == before
    assert harness.letters() == []


async def test_what_contradicts_an_event_about_a_contested_order_is_one_dead_letter() -> None:
    harness = await delivered([[placed(VICTIM), placed(ATTACKER, 1)], [sent()]])
    await harness.take(shipped("O", "sent", NOW - HOUR / 3))
    assert harness.letters() == ["conflict"]


async def test_what_the_other_account_knows_under_another_meaning_is_a_dead_letter_and_stops_nothing() -> None:
    """The shipment of another order of the victim's has the source and id of what is to be copied there."""
    another = [order("O2", VICTIM, time=NOW - HOUR), shipped("O2", "sent", NOW - HOUR / 3)]
    for first in (0, 2):
        records = [placed(ATTACKER, 1), sent(), placed(VICTIM)]
        records[first:first] = another
        for batches in cuttings(records):
            harness = await delivered(batches)
            assert harness.letters() == ["conflict"], batches
            assert [(await told(harness, member))[0] for member in (VICTIM, ATTACKER)] == [5, 0]


async def test_orders_of_two_programs_under_one_id_contest_each_other_in_their_own_program_only() -> None:
    other = raw("order.placed", "other", {**ORDER, "order_id": "O", "member_id": THIRD, "store": "puppy_online"}, program="puppy")
    at = (NOW - HOUR / 3).isoformat()
    named = raw("shipment.dispatched", "named", {"order_id": "O", "lines": "all"}, program=PROGRAM, time=at)
    for sequence in permutations([placed(VICTIM), placed(ATTACKER, 1), other, sent(), named]):
        harness = await delivered([each] for each in sequence)
        assert harness.letters() == ["ambiguous_order"]
        assert [(await told(harness, member))[0] for member in (VICTIM, ATTACKER)] == [0, 0]
        assert CONTESTED not in (await told(harness, THIRD))[1]
        await harness.take(claimed(VICTIM))
        assert [(await told(harness, member))[:2] for member in (VICTIM, ATTACKER)] == [(5, ()), (0, (LOST, LOST))]


def _nothing_copied(shared: Shared, told: Mapping[Any, Sequence[Event]], arrival: Arrival) -> Any:
    """What came while one order was known stays with it alone."""
    found, contested = missing(shared, told, arrival)
    return {owner: [each for each in more if each.type == "order.contested"] for owner, more in found.items()}, contested


def _second_alone(shared: Shared, told: Mapping[Any, Sequence[Event]], arrival: Arrival) -> Any:
    """Only whose order came second is told that it is contested."""
    found, contested = missing(shared, told, arrival)
    return {owner: more for owner, more in found.items() if any(each.origin in arrival for each in told[owner])}, contested


def _claims_untold(shared: Shared, told: Mapping[Any, Sequence[Event]], arrival: Arrival) -> Any:
    """A command is known to the member whom it names."""
    found, contested = missing(shared, told, arrival)
    return {owner: [each for each in more if b"lost" not in each.body] for owner, more in found.items()}, contested


@pytest.mark.parametrize("defect", [_nothing_copied, _second_alone, _claims_untold])
async def test_a_defect_in_what_the_accounts_are_told_of_each_other_is_found(defect: Any) -> None:
    with patch.object(shared_orders, "missing", defect), pytest.raises(AssertionError):
        await the_named_is_paid()
