"""How long a member waits for the verdict on points to be used: where there are enough, and where there are too few.

Both stand in a shop's traffic at a steady pace. The second may be refused only when all that Kafka had acknowledged before it has
been read (`worker/decide/README.md`), so it shows what that certainty costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import msgspec

from tests.bench.context import Bench, tell
from tests.bench.delays import IN_ORDER, JOIN_SECONDS, SETTLE_SECONDS, SMALL_LOAD, one_worker
from tests.bench.figures import Goal, Outcome, Row
from tests.bench.pace import send_on_time
from tests.bench.workload import Delivery, Workload
from tests.flows.system import System

Kind = Literal["covered", "not covered"]

OUT: Final = "loyalty.redemption-decided"
EVERY: Final = 5
"""Of so many orders one uses points that are there, and the next one asks for more than anybody has."""
POINTS: Final[dict[Kind, int]] = {"covered": 500, "not covered": 900_000}
LIMITED: Final = "scolar"
"""Lets no order ask for more than its members have here."""
PRICE: Final = 2_000_000
"""What such an order costs: enough for all that it asks for."""
GOALS: Final[dict[Kind, Goal]] = {"covered": Goal(at_most=500), "not covered": Goal(at_most=1_200)}


async def measure(bench: Bench) -> Outcome:
    """From an order's own time until the broker had appended the verdict, at a small load."""
    found = [await at_pace(bench) for _ in range(bench.sizes.runs)]
    outcome = Outcome()
    for kind in POINTS:
        for name, share in (("p50", 50), ("p99", 99)):
            values = [delays[kind][len(delays[kind]) * share // 100] * 1_000 for delays in found]
            outcome.rows.append(Row.of(f"verdict, {kind}, {name}", "ms", values, GOALS[kind] if name == "p99" else None))
    outcome.details = {"verdicts": [{kind: len(delays[kind]) for kind in POINTS} for delays in found]}
    return outcome


async def at_pace(bench: Bench) -> dict[Kind, list[float]]:
    """Seconds that each verdict took, sorted, by what the order asked for."""
    sizes = bench.sizes
    async with one_worker(bench, "verdicts") as system:
        events = int(SMALL_LOAD * sizes.delay_seconds)
        end = datetime.now(UTC) + timedelta(seconds=SETTLE_SECONDS + sizes.delay_seconds)
        deliveries = list(_asking(Workload(3, sizes.members, events, end, replace(IN_ORDER, uses_points=0.0), SMALL_LOAD)))
        await asyncio.to_thread(send_on_time, system.bootstrap, system.prefix, deliveries)
        await system.drained(JOIN_SECONDS)
        return await _delays(system, deliveries)


def _asking(workload: Workload) -> Iterator[Delivery]:
    """The traffic; some of its orders ask for points."""
    orders = 0
    for delivery in workload.traffic():
        event = asking = delivery.event
        if event.type == "order.placed" and event.program != LIMITED:
            orders += 1
            kind: Kind | None = {0: "covered", 1: "not covered"}.get(orders % EVERY)  # type: ignore[assignment]  # the two kinds
            if kind is not None:
                line = {"line_id": "1", "sku": "SKU-1", "quantity": 1, "unit_price": PRICE, "tax": PRICE // 10}
                data = {**event.data, "lines": [line], "points_used": POINTS[kind]}
                asking = replace(event, data=data)
        yield replace(delivery, event=asking)


async def _delays(system: System, deliveries: list[Delivery]) -> dict[Kind, list[float]]:
    """Raises AssertionError if a verdict is missing, or is another than what the points allow."""
    asked: dict[str, tuple[Kind, float]] = {}
    kinds: dict[int, Kind] = {points: kind for kind, points in POINTS.items()}
    for each in deliveries:
        data: dict[str, Any] = each.event.data
        if "points_used" in data:
            asked[data["order_id"]] = (kinds[data["points_used"]], each.event.time.timestamp())
    found: dict[Kind, list[float]] = {kind: [] for kind in POINTS}
    for record in (await system.messages([OUT]))[OUT]:
        told = msgspec.json.decode(record.value)
        kind, at = asked.pop(told["order_id"])
        right = told["decision"] == "accepted" if kind == "covered" else told.get("reason") == "insufficient_points"
        assert right, f"an order whose points are {kind}: {told['decision']} {told.get('reason')}"
        found[kind].append(record.timestamp / 1000 - at)
    assert not asked, f"{len(asked)} orders never heard a verdict"
    for values in found.values():
        values.sort()
    tell(", ".join(f"{kind}: {len(values)} verdicts" for kind, values in found.items()))
    return found
