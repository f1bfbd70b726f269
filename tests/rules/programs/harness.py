"""A shop with a story, told in the time of its own zone, which can be told again in any order of delivery."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

from contracts.events import Event
from contracts.statement import Statement
from tests.rules.story import MEMBER, Story

Told = tuple[str, str, str, dict[str, Any]]


class Shop(Story):
    """A story in which "2024-03-01" is noon in the program's zone. It keeps what it was told: type, instant, id, data."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.zone = ZoneInfo(self.program.versions[0].terms.zone)
        self.told: list[Told] = []

    def local(self, text: str) -> str:
        """An instant of the shop with its offset."""
        at = datetime.fromisoformat(text if len(text) > len("2024-03-01") else f"{text} 12:00:00")
        return (at if at.tzinfo is not None else at.replace(tzinfo=self.zone)).isoformat()

    def tell(self, type_: str, at: str, recorded: str | None = None, id_: str | None = None, **data: Any) -> Event:
        """Deliver any event of the contract."""
        event = super().tell(type_, self.local(at), self.local(recorded) if recorded else None, id_, **data)
        self.told.append((type_, self.local(at), event.id, data))
        return event

    def does(self, activity: str, at: str, reference: str = "", **data: Any) -> None:
        """The member does something that the shop calls `activity`."""
        told = {"member_id": MEMBER, "activity": activity, "reference": reference or at, **data}
        self.tell("activity.completed", at, **told)

    def told_late(self, order_id: str, at: str, recorded: str, *lines: Any, **data: Any) -> None:
        """An order of an earlier day, shipped at once, of which the shop hears only later."""
        self.order(order_id, at, *lines, recorded=recorded, **data)
        self.tell("shipment.dispatched", at, recorded, order_id=order_id, lines="all")

    def at(self, at: str, member: str = MEMBER) -> Statement:
        """The member's statement at an instant of the shop."""
        return super().at(self.local(at), member)

    def one_second_before(self, at: str, member: str = MEMBER) -> Statement:
        """The member's statement one second before an instant of the shop."""
        return super().one_second_before(self.local(at), member)

    def available(self, *instants: str) -> list[int]:
        """What can be used at each instant."""
        return [self.at(at).available for at in instants]

    def kinds(self, at: str) -> dict[str, int]:
        """What can be used, by kind of points."""
        found: dict[str, int] = {}
        for lot in self.at(at).lots:
            found[lot.kind] = found.get(lot.kind, 0) + lot.points
        return found

    def verdict(self, order_id: str, at: str) -> str:
        """What became of the points that an order asked to use: "accepted", or the reason against it."""
        redemption = self.order_at(order_id, at).redemption
        assert redemption is not None
        return redemption.reason or redemption.decision


def in_any_order(story: Shop, at: str, times: int = 40) -> None:
    """Hold that the facts of a story, delivered in whatever order, come to the same statement. A wish to use points comes after
    what happened before it: a verdict that was told by what was known then stands."""
    rng = Random(len(story.told))
    facts = sorted(story.told, key=_when)
    found: dict[str, list[str]] = {}
    for sequence in (facts, facts[::-1], *(rng.sample(facts, len(facts)) for _ in range(times))):
        anew = Shop(story.program.code)
        for type_, when, id_, data in _covered(sequence):
            anew.tell(type_, when, id_=id_, **data)
        says = anew.at(at).model_copy(update={"version": 0}).model_dump_json()
        found.setdefault(says, []).append(" ".join(fact[2] for fact in sequence))
    assert len(found) == 1, "\n\n".join(f"{orders[0]}: {says}" for says, orders in found.items())


_WISHES: Final = ("conversion.requested", "redemption.requested", "reward.requested")


def _when(fact: Told) -> tuple[datetime, str]:
    return datetime.fromisoformat(fact[1]), fact[2]


def _covered(sequence: Sequence[Told]) -> list[Told]:
    """The facts in this order, but each that uses points only after all that happened before it."""
    uses = [fact for fact in sequence if fact[0] in _WISHES or fact[3].get("points_used")]
    told = [fact for fact in sequence if fact not in uses]
    for wish in sorted(uses, key=_when):
        place = max((n for n, fact in enumerate(told, 1) if _when(fact) < _when(wish)), default=0)
        told.insert(place, wish)
    return told
