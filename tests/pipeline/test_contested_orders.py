"""An order id that somebody else took, or guessed, pays nobody: both orders are contested until a command decides, and the ledger
is the same in whatever order all of it comes and wherever batches end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import combinations, permutations

import pytest

from tests.flows.bad_records import HOUR, NOW, gift, order, raw, shipped
from tests.flows.system import Raw
from tests.pipeline.harness import PROGRAM, Harness

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
            yield [records[start:end] for start, end in zip(ends, ends[1:], strict=False)]


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


async def test_whom_a_command_names_is_paid_as_if_nobody_else_had_placed_it_in_every_order_and_every_cutting() -> None:
    records = [placed(VICTIM), placed(ATTACKER, 1), sent(), claimed(VICTIM)]
    found = await the_only_ledgers(records, VICTIM, ATTACKER)
    assert found == [(5, []), (0, [LOST, LOST])]
