"""What the fold and the naive rules say of the same member, side by side.

Lots are compared by their last day: which of several kinds with the same last day goes first is nowhere said.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from contracts.events import Event
from tests.fold import variants
from tests.oracle.histories import life
from tests.oracle.programs import PROGRAMS
from tests.oracle.records import told
from tests.oracle.rules import Rules
from worker.simulation.simulate import Simulation

Said = dict[str, Any]


def naive(code: str, events: list[Event], at: datetime) -> Said:
    """What the naive rules say at an instant."""
    rules = PROGRAMS[code]()
    rules.walk([told(each.time, each.type, each.source, each.id, each.body) for each in events], at)
    return _statement(rules)


def _statement(rules: Rules) -> Said:
    lots: Counter[str | None] = Counter()
    for grant in rules.grants:
        if not grant.pending and grant.points:
            last = rules.last_day(grant)
            lots[last.isoformat() if last else None] += grant.points
    return {
        "available": rules.available(),
        "pending": sum(grant.points for grant in rules.grants if grant.pending),
        "due_back": sum(points for order in rules.orders.values() for _, points in order.on_the_way),
        "on_hold": rules.on_hold(),
        "reserved": rules.reserved(),
        "revoked": rules.revoked,
        "lapsed": rules.lapsed,
        "forfeited": rules.lost,
        "tier": rules.tier,
        "lots": dict(lots),
        "orders": {
            order.order_id: (
                order.used,
                order.given_back,
                order.forfeited,
                sum(order.holds.values()),
                order.verdict,
                order.reason,
            )
            for order in rules.orders.values()
        },
    }


def folded(code: str, events: list[Event], instants: list[datetime]) -> list[Said]:
    """What the fold says at some instants."""
    simulation = Simulation(variants.as_shipped(code))
    for event in events:
        simulation.deliver(event)
    simulation.run_clock(max(instants))
    found = []
    for at in instants:
        one = simulation.statement("M", at, "then")
        lots: Counter[str | None] = Counter()
        for lot in one.lots:
            lots[str(lot.expires_on) if lot.expires_on else None] += lot.points
        orders = {}
        for order in one.orders:
            verdict = order.redemption
            used = (order.points_used, order.points_returned, order.points_forfeited, order.points_credited)
            orders[order.order_id] = (*used, verdict and verdict.decision, verdict and verdict.reason)
        found.append(
            {
                "available": one.available,
                "pending": one.pending,
                "due_back": one.due_back,
                "on_hold": one.on_hold,
                "reserved": one.reserved,
                "revoked": one.revoked_total,
                "lapsed": one.lapsed_total,
                "forfeited": one.forfeited_total,
                "tier": one.tier,
                "lots": dict(lots),
                "orders": orders,
            }
        )
    return found


def differences(one: Said, other: Said) -> list[str]:
    """What is not the same."""
    found = []
    for name in one:
        if isinstance(one[name], dict):
            keys = sorted({*one[name], *other[name]}, key=str)
            found += [
                f"{name} {key}: fold {one[name].get(key)}, naive {other[name].get(key)}"
                for key in keys
                if one[name].get(key) != other[name].get(key)
            ]
        elif one[name] != other[name]:
            found.append(f"{name}: fold {one[name]}, naive {other[name]}")
    return found


def disagreement(code: str, seed: int) -> str:
    """How the two differ on the history of a seed, in the middle of it and when it is over; empty if they do not."""
    if found := difference(code, life(code, seed)):
        return f"{code}, seed {seed}, {found}"
    return ""


def difference(code: str, events: list[Event]) -> str:
    """How the two differ on a life; empty if they do not."""
    instants = [events[len(events) // 2].time + timedelta(hours=5), events[-1].time + timedelta(days=40)]
    for at, one in zip(instants, folded(code, events, instants), strict=True):
        if found := differences(one, naive(code, events, at)):
            return f"at {at}: " + "; ".join(found)
    return ""
