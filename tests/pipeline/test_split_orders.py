"""An order that goes on as several is the same ledger in whatever order all of it comes and wherever batches end; and an id that
somebody else has pays nobody until a command decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations

from tests.flows.bad_records import HOUR, NOW, order, raw, shipped
from tests.flows.system import Raw
from tests.pipeline.harness import PROGRAM, Harness
from tests.pipeline.test_contested_orders import CONTESTED, LOST, cuttings, delivered, the_only_ledgers, told

MEMBER, OTHER = "MEMBER", "OTHER"
LINES = [
    {"line_id": "1", "sku": "A", "quantity": 1, "unit_price": 1000, "tax": 100},
    {"line_id": "2", "sku": "B", "quantity": 1, "unit_price": 3000, "tax": 300},
]


def placed(order_id: str = "O", member: str | None = MEMBER, minutes: int = 0) -> Raw:
    """An order of 4,000 yen, of which a point is half a percent."""
    return order(order_id, member, f"placed-{order_id}-{member}", NOW - HOUR + timedelta(minutes=minutes), lines=LINES)


def split(
    of: str = "O",
    into: Sequence[tuple[str, str]] = (("O-1", "1"), ("O-2", "2")),
    minutes: int = 5,
    id_: str | None = None,
    of_the_first: int = 1,
) -> Raw:
    """The order goes on as others, each with one line: one piece of it, or so many for the first."""
    at = NOW - HOUR + timedelta(minutes=minutes)
    pieces = [of_the_first, *(1 for _ in into[1:])]
    parts = [
        {"order_id": to, "lines": [{"line_id": line, "quantity": n}]} for (to, line), n in zip(into, pieces, strict=True)
    ]
    return raw("order.split", id_ or f"split-{of}", {"order_id": of, "into": parts}, time=at.isoformat())


def sent(order_id: str, minutes: int = 20) -> Raw:
    return shipped(order_id, f"sent-{order_id}", NOW - HOUR + timedelta(minutes=minutes))


def claimed(order_id: str, member: str) -> Raw:
    data = {"order_id": order_id, "member_id": member}
    return raw("order.claimed", "claim", data, program=PROGRAM, time=(NOW - HOUR / 2).isoformat())


async def test_parts_earn_what_their_lines_do_in_every_order_and_every_cutting() -> None:
    assert await the_only_ledgers([placed(), split(), sent("O-1")], MEMBER) == [(5, [])]
    assert await the_only_ledgers([placed(), split(), sent("O-1"), sent("O-2")], MEMBER) == [(20, [])]


async def test_what_is_told_of_a_part_before_the_order_is_split_takes_effect_when_it_is_and_is_told() -> None:
    assert await the_only_ledgers([placed(), split(), sent("O-1", minutes=2)], MEMBER) == [(5, ["timed_before_order"])]


async def test_a_part_that_keeps_the_orders_id_and_one_with_an_id_of_its_own_in_every_order_and_every_cutting() -> None:
    records = [placed(), split(into=(("O", "1"), ("O-2", "2"))), sent("O"), sent("O-2")]
    assert await the_only_ledgers(records, MEMBER) == [(20, [])]


async def test_an_order_is_split_once_under_however_many_ids_of_events() -> None:
    twice = split(minutes=6, id_="again")
    assert await the_only_ledgers([placed(), split(), twice, sent("O-1")], MEMBER) == [(5, ["split_twice"])]


async def test_a_part_that_is_split_again_is_found_though_all_of_it_came_before_the_order() -> None:
    lines = [{**LINES[0], "quantity": 2}, LINES[1]]
    whole = order("O", MEMBER, "placed", NOW - HOUR, lines=lines)
    first, again = split(into=(("O-1", "1"), ("O-2", "2")), of_the_first=2), split("O-1", (("O-1a", "1"), ("O-1b", "1")), 6)
    for sequence in permutations([whole, first, again, sent("O-1b")]):
        for batches in cuttings(sequence):
            harness = await delivered(batches)
            assert (await told(harness, MEMBER))[:2] == (5, ()), batches


async def test_an_id_of_a_part_that_somebody_else_has_pays_nobody_until_a_command_decides() -> None:
    records = [placed(), split(), placed("O-1", OTHER, 10), sent("O-1")]
    assert await the_only_ledgers(records, MEMBER, OTHER) == [(0, [CONTESTED, CONTESTED])] * 2


async def test_whom_a_command_names_has_the_part_or_the_order_as_if_nobody_else_had_its_id() -> None:
    records = [placed(), split(), placed("O-1", OTHER, 10), sent("O-1")]
    for member, expected in ((MEMBER, [(5, ()), (0, (LOST, LOST))]), (OTHER, [(0, (LOST, LOST)), (20, ())])):
        for sequence in permutations([*records, claimed("O-1", member)]):
            harness = await delivered([each] for each in sequence)
            assert [(await told(harness, each))[:2] for each in (MEMBER, OTHER)] == expected


async def test_what_follows_the_parts_of_a_guests_order_waits_for_nobody() -> None:
    harness = Harness()
    await harness.take(placed(member=None), split(), sent("O-1"))
    assert harness.letters() == []
