"""Members' lives as records: what is told of each, in which order, and where batches may end. A crowd of lives is a function of
its seed; it is played as one, so that a batch carries many accounts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final, Literal

from contracts.events import Event
from tests.differential import dense
from tests.differential.programs import Choice, choose
from tests.fold.histories import START, history
from tests.hostile import lives as hostile
from tests.oracle.histories import STORES
from tests.oracle.histories import life as oracle_life
from tests.parts.topics import TOPIC_OF_ALL
from worker.decide.program import Program
from worker.decode import Limits, Record, decode

NOW: Final = datetime(2030, 1, 1, tzinfo=UTC)
"""After everything that is told."""
AFTERWARDS: Final = timedelta(days=120)
"""How long the clock runs on after the last event."""
ELSEWHERE: Final = "elsewhere"
ID_CHARACTERS_MAX: Final = 200
PROGRAMS: Final = 6
MEMBERS: Final = 25
"""Members of each program."""
Order = Literal["on_time", "late"]
ORDERS: Final[tuple[Order, ...]] = ("on_time", "late")
_JSON: Final = ("content-type", b"application/json")
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Telling:
    """One record of a life. `event` None: it breaks the contract. `late_at`: when it is published if not on time. `ends`: whether
    a large batch ends behind it.
    """

    number: int
    record: Record
    event: Event | None
    time: datetime
    late_at: datetime
    ends: bool

    def at(self, order: Order) -> datetime:
        """When it is published."""
        return self.time if order == "on_time" else self.late_at


@dataclass(frozen=True, slots=True)
class Life:
    """What is told of one member of a program, each telling at the place of its number."""

    number: int
    kind: str
    choice: Choice
    program: Program
    tellings: tuple[Telling, ...]

    @property
    def member(self) -> str:
        """The member's id."""
        return f"M{self.number}"

    def some(self, numbers: Sequence[int]) -> Life:
        """Only these tellings."""
        return replace(self, tellings=tuple(each for each in self.tellings if each.number in numbers))

    def in_order(self, order: Order) -> list[Telling]:
        """The tellings as they are published; of one instant in business order if on time."""
        if order == "late":
            return sorted(self.tellings, key=lambda each: (each.late_at, each.number))
        return sorted(self.tellings, key=lambda each: (each.time, each.event.key if each.event else (), each.number))


@dataclass(frozen=True, slots=True)
class Crowd:
    """Lives in several programs, `size` of them. `clock`: the instants to which the clock comes between, for each order of
    delivery; `looks`: after which of them everything is looked at; `end`: to where it runs when all was delivered.
    """

    seed: int
    size: int
    programs: tuple[Program, ...]
    lives: tuple[Life, ...]
    clock: Mapping[Order, tuple[datetime, ...]]
    looks: Mapping[Order, datetime | None]
    end: datetime


def crowd(seed: int, programs: int = PROGRAMS) -> Crowd:
    """The crowd of a seed: so many programs, each with its members."""
    rng = Random(seed)
    hostile_ones = rng.random() < 0.06
    chosen = [choose(rng, number) for number in range(programs)]
    lives = tuple(
        _Teller(rng.getrandbits(32), program, number, choice).tell("hostile" if hostile_ones else _kind(rng, choice))
        for place, (choice, program) in enumerate(chosen)
        for number in range(place * MEMBERS, (place + 1) * MEMBERS)
    )
    end = max(each.late_at for life in lives for each in life.tellings) + AFTERWARDS
    clock: dict[Order, tuple[datetime, ...]] = {"on_time": (), "late": ()}
    looks: dict[Order, datetime | None] = {"on_time": None, "late": None}
    between: Sequence[Order] = rng.choice([ORDERS[:1], ORDERS[1:], ORDERS])
    for order in between:
        times = sorted({each.at(order) for life in lives for each in life.tellings})
        clock[order] = tuple(sorted(rng.sample(times, min(len(times), rng.choice([1, 3, 8])))))
        looks[order] = rng.choice(clock[order])
    return Crowd(seed, programs, tuple(program for _, program in chosen), lives, clock, looks, end)


def _kind(rng: Random, choice: Choice) -> str:
    roll = rng.random()
    if roll < 0.1 and choice.as_shipped and choice.code in STORES:
        return "oracle"
    return "dense" if roll < 0.8 else "commerce"


class _Teller:
    """Tells one member's life."""

    def __init__(self, seed: int, program: Program, number: int, choice: Choice) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.program = program
        self.choice = choice
        self.number = number
        self.member = f"M{number}"
        self.mark = f"-{number}"
        self.waits = all(version.terms.unknown_order == "kept" for version in program.versions)
        self.tellings: list[tuple[Record, Event | None]] = []

    def tell(self, kind: str) -> Life:
        if kind == "hostile":
            self._hostile()
        else:
            self._usual(self._events(kind))
        return Life(self.number, kind, self.choice, self.program, self._published())

    def _events(self, kind: str) -> Sequence[Event]:
        rng = self.rng
        if kind == "oracle":
            return oracle_life(self.choice.code, self.seed)
        if kind == "commerce":
            return history(self.program, self.seed, members=1, orders=1, span_days=rng.choice([10, 40, 120, 425])).events
        return dense.life(self.program, self.seed)

    # -- what is said

    def _usual(self, events: Sequence[Event]) -> None:
        rng = self.rng
        said = [self._said(event) for event in events] or [self._joined()]
        unnamed, repeated, contradicted = self.waits and rng.random() < 0.2, rng.random() < 0.2, rng.random() < 0.06
        orders = sorted({data["order_id"] for _, data in said if "order_id" in data})
        stranger = rng.choice(orders) if orders and self.waits and rng.random() < 0.04 else None
        for told, data in said:
            of_member = "member_id" in data and told["type"] != "order.placed"
            if stranger is not None and data.get("order_id") == stranger and not of_member:
                self._of_nobody(told, data)
            elif unnamed and "member_id" not in data and rng.random() < 0.7:
                told["program"] = None
            self._add(told, data)
            while repeated and rng.random() < 0.2:
                self._add(told, data)
            if contradicted and rng.random() < 0.2:
                self._add(told, {**data, "note": "otherwise", **({"reason": "otherwise"} if "reason" in data else {})})
        if orders and rng.random() < 0.04:
            self._elsewhere(rng.choice(orders), said)

    def _said(self, event: Event) -> tuple[dict[str, Any], dict[str, Any]]:
        """An event's attributes and data, the data with this life's names."""
        data = json.loads(event.body)
        if "member_id" in data:
            data["member_id"] = self.member
        if "order_id" in data:
            data["order_id"] = f"{data['order_id']}{self.mark}"
        told = {"id": event.id, "source": event.source, "type": event.type, "time": event.time}
        return {**told, "program": self.program.code}, data

    def _joined(self) -> tuple[dict[str, Any], dict[str, Any]]:
        attributes = {"id": "joined", "source": "//crm", "type": "member.enrolled", "time": START, "program": self.program.code}
        return attributes, {"member_id": self.member}

    def _of_nobody(self, told: dict[str, Any], data: dict[str, Any]) -> None:
        """The order is a guest's, or of a store outside."""
        for name in ("member_id", "points_used", "use_all_points", "redemption_id"):
            data.pop(name, None)
        if self.seed % 2:
            told["program"] = None
            if "store" in data:
                data["store"] = ELSEWHERE

    def _elsewhere(self, order_id: str, said: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> None:
        """An order of a store outside has the id of one of the member's."""
        line = {"sku": "A", "quantity": 1, "unit_price": 1_000, "tax": 100}
        data = {"order_id": order_id, "member_id": self.member, "store": ELSEWHERE, "lines": [line], "payment_method": "cod"}
        at = self.rng.choice(said)[0]["time"]
        self._add({"id": "elsewhere", "source": "//mall", "type": "order.placed", "time": at, "program": None}, data)

    def _hostile(self) -> None:
        long = {"注" * 200: "𠮷" * 200} if self.rng.random() < 0.3 else {}
        for record in hostile.life(self.program, self.seed, self.rng.choice([8, 14, 22]), member=self.member):
            told = json.loads(record.value or b"")
            data = told.pop("data")
            if "order_id" in data:
                name = long.get(data["order_id"], data["order_id"])
                data["order_id"] = name[: ID_CHARACTERS_MAX - len(self.mark)] + self.mark
            told |= {"time": datetime.fromisoformat(told["time"]), "program": self.program.code}
            self._add({**told, "id": long.get(told["id"], told["id"])}, data)

    def _add(self, told: dict[str, Any], data: dict[str, Any]) -> None:
        named = {"specversion": "1.0", **told, "time": told["time"].isoformat()}
        headers = (_JSON, *((f"ce_{name}", text.encode()) for name, text in named.items() if text is not None))
        value = json.dumps(data, ensure_ascii=False).encode()
        # What the worker alone tells itself has no topic: on any, it is refused.
        topic = TOPIC_OF_ALL.get(told["type"], "commerce.order")
        record = Record(topic, 0, 0, int(NOW.timestamp() * 1000), self.member.encode(), value, headers)
        event = decode(record, NOW, Limits())
        self.tellings.append((record, event if isinstance(event, Event) else None))

    # -- when

    def _published(self) -> tuple[Telling, ...]:
        rng, found = self.rng, []
        times = [event.time for _, event in self.tellings if event is not None]
        last = max(times)
        how, ends = rng.choice(["some", "some", "any", "one"]), rng.choice([0.0, 0.15, 0.4])
        one = rng.randrange(len(self.tellings))
        at = times[0]
        for number, (record, event) in enumerate(self.tellings):
            at = event.time if event is not None else at
            late = at
            if how == "any":
                late = at + (last + timedelta(days=20) - at) * rng.random()
            elif (how == "some" and rng.random() < 0.25) or (how == "one" and number == one):
                late = at + rng.choice([_MINUTE, timedelta(days=1), timedelta(days=9), timedelta(days=70)]) * rng.random()
            found.append(Telling(number, record, event, at, late, rng.random() < ends))
        return tuple(found)
