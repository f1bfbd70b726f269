"""`simulate` and the worker make the same of the same records, also of those that do not fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from tests.flows.bad_records import HOUR, NOW, gift, order, raw, shipped
from tests.flows.system import Raw
from tests.pipeline.harness import PROGRAM, Harness, programs
from worker.decode import Limits, Record, decode
from worker.reading.statements import as_json
from worker.simulation.simulate import Simulation

OUTSIDE = "a_shop_of_nobody"
AGAIN = NOW - HOUR / 2
CASES: dict[str, Sequence[Raw]] = {
    "an order under its id with other content": [order("A", "M"), order("A", "M", "other", AGAIN, shipping_fee=700)],
    "an order sent twice": [order("A", "M"), order("A", "M", "again", AGAIN)],
    "another member's order under its id": [order("A", "M"), order("A", "N", "other"), shipped("A", "ship")],
    "a guest's order first": [order("A", None), order("A", "M", "other"), shipped("A", "ship")],
    "a member's order first": [order("A", "M"), order("A", None, "other"), shipped("A", "ship")],
    "a guest's order that was waited for": [shipped("A", "ship"), order("A", None), order("A", "M", "other")],
    "a store outside": [shipped("A", "ship"), order("A", "M", store=OUTSIDE), shipped("A", "later", time=AGAIN)],
    "a store outside, followed by one that says the program": [
        order("A", "M", store=OUTSIDE),
        shipped("A", "ship"),
        raw("order.paid", "paid", {"order_id": "A"}, program=PROGRAM),
    ],
    "a store outside, preceded by one that says the program": [
        raw("order.paid", "paid", {"order_id": "A"}, program=PROGRAM),
        order("A", "M", store=OUTSIDE),
    ],
    "parked twice": [shipped("A", "ship"), shipped("A", "ship"), order("A", "M", time=NOW - 2 * HOUR)],
    "parked with other content": [
        shipped("A", "ship"),
        shipped("A", "ship", shipment_id="2"),
        order("A", "M", time=NOW - 2 * HOUR),
    ],
    "parked with something that the contract does not know": [
        shipped("A", "ship"),
        shipped("A", "ship", note="otherwise"),
        order("A", "M", time=NOW - 2 * HOUR),
    ],
    "one id for two orders": [
        shipped("A", "ship"),
        shipped("B", "ship"),
        order("B", "N", time=NOW - 2 * HOUR),
        order("A", "M", time=NOW - 2 * HOUR),
    ],
    "an order of two members": [
        order("A", "M", time=NOW - 2 * HOUR),
        shipped("A", "ship"),
        order("A", "N", "another"),
    ],
    "an order of two members with points, and the command that decides": [
        gift("M", 100, "gift", time=NOW - 3 * HOUR),
        order("A", "M", time=NOW - 2 * HOUR, points_used=40),
        order("A", "N", "another"),
        shipped("A", "ship"),
        raw("order.claimed", "claim", {"order_id": "A", "member_id": "M"}, program=PROGRAM),
    ],
    "an order of three members, the command first, and the third afterwards": [
        raw("order.claimed", "claim", {"order_id": "A", "member_id": "N"}, program=PROGRAM),
        order("A", "M", time=NOW - 2 * HOUR),
        shipped("A", "ship"),
        order("A", "N", "another", time=NOW - 3 * HOUR),
        order("A", "P", "a third", time=NOW - HOUR / 2),
    ],
    "an order of a guest and a member, and the command that decides": [
        order("A", None, "guest", time=NOW - 2 * HOUR),
        order("A", "M"),
        shipped("A", "ship", NOW - HOUR / 2),
        raw("order.claimed", "claim", {"order_id": "A", "member_id": "M"}, program=PROGRAM),
    ],
    "a command for who never placed the order": [
        order("A", "M", time=NOW - 2 * HOUR),
        raw("order.claimed", "claim", {"order_id": "A", "member_id": "N"}, program=PROGRAM),
    ],
    "one id with other data": [gift("M", 5, "gift"), gift("M", 7, "gift")],
    "sent again after a rejection": [
        gift("M", 10, "gift", time=NOW - 3 * HOUR),
        order("A", "M", time=NOW - 2 * HOUR, points_used=400),
        order("A", "M", "again", AGAIN, points_used=10),
    ],
    "sent again with points, after one that stands": [
        gift("M", 100, "gift", time=NOW - 3 * HOUR),
        order("A", "M", time=NOW - 2 * HOUR, points_used=40),
        order("A", "M", "again", AGAIN, points_used=10),
    ],
    "sent again after one with points that stands, as if it had been placed before": [
        gift("M", 100, "gift", time=NOW - 3 * HOUR),
        order("A", "M", time=AGAIN, points_used=40),
        order("A", "M", "again", NOW - 2 * HOUR, points_used=10),
    ],
    "sent again after a rejection, as if it had been placed before": [
        gift("M", 100, "gift", time=NOW - 3 * HOUR),
        order("A", "M", time=AGAIN, points_used=400),
        order("A", "M", "again", NOW - 2 * HOUR, points_used=10),
    ],
    "sent three times, the second twice": [
        gift("M", 100, "gift", time=NOW - 3 * HOUR),
        order("A", "M", time=NOW - 2 * HOUR, points_used=40),
        order("A", "M", "again", AGAIN, points_used=10),
        order("A", "M", "once more", NOW - HOUR / 3, shipping_fee=700),
        order("A", "M", "again", AGAIN, points_used=10),
    ],
    "a redemption in a store of nobody": [
        gift("M", 500, "gift", time=NOW - 3 * HOUR),
        raw("redemption.requested", "R", {"member_id": "M", "redemption_id": "R", "points": 1, "store": OUTSIDE}),
    ],
}


@pytest.mark.parametrize("at_once", [False, True], ids=["one by one", "in one batch"])
@pytest.mark.parametrize("name", CASES)
async def test_the_worker_and_simulate_agree(name: str, at_once: bool) -> None:
    harness, simulation = Harness(), Simulation(programs()[PROGRAM])
    records = CASES[name]
    if at_once:
        await harness.take(*records)
        await harness.until(NOW)
    for number, each in enumerate(records):
        if not at_once:
            await harness.take(each)
            await harness.until(NOW)
        event = decode(Record("t", 0, number, 0, each.key, each.value, tuple(each.headers)), NOW, Limits())
        simulation.deliver(event, NOW)  # type: ignore[arg-type]  # all of them are accepted
    simulation.run_clock(NOW)
    theirs = {each.member_id: as_json(each) for each in simulation.statements(NOW, "now")}
    dossiers = [each async for each in harness.store.dossiers()]
    members = sorted(each.row.member_id for each in dossiers if each.row is not None)
    ours = {member: as_json(await harness.statement(member)) for member in members}
    assert {m: {**s, "version": 0} for m, s in ours.items()} == {m: {**s, "version": 0} for m, s in theirs.items()}
    waits = {(order_id, *name) for order_id, parked in simulation._parked.items() for name in parked}
    # What follows a guest is set aside, for orders of other programs too, of which `simulate` knows none.
    routes, guests = harness.store.tables.routes, {PROGRAM: (None,)}
    of_others = {key for key in (*harness.store.tables.parked, *waits) if routes[key[0]].accounts != guests}
    assert of_others & harness.store.tables.parked.keys() == of_others & waits
    refused = {reason: count for reason, count in simulation.counts.items() if reason not in ("dropped", "duplicate")}
    assert Counter(harness.letters()) == Counter(refused)
