"""A world from a seed: programs, what members do, and when and where each message about it is published.

Histories come from `tests/fold/histories.py`, tales of single members from `tales.py`; here they become Kafka records: late by
seconds to months, repeated, contradicted, about guests and stores of others, with or without the program's name, keyed by member
or by order, and some that are garbage. What else is special about a world is in `themes.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal
from zlib import crc32

from contracts.events import TOPICS_IN, Event
from tests.fold import variants
from tests.fold.histories import START, history
from tests.parts.topics import TOPIC_OF_ALL
from tests.simulation.tales import Tale, Teller
from tests.simulation.themes import chosen, themes
from worker.decide.program import Program
from worker.decode import Record

CODES = ("ansage", "belle-maison", "lenovo-pro", "puppy", "scolar")
VARIATIONS = 12
"""Other choices of each program's mechanisms, for the first seeds; more come in later, for a program takes long to read."""
SMALL = 1_000
"""Seeds below this make small worlds, the others also large ones."""
Home = tuple[str, str]
"""Program and member."""
Kind = Literal["told", "repeated", "contradicted", "garbage"]
Of = Literal["member", "guest", "outside"]

_JSON_HEADER = ("content-type", b"application/json")
_GARBAGE = (None, b"", b"\xff\xfe", b"[]", b'{"order_id":', b'{"order_id":"X","points":NaN}')

NAMELESS = 0.3
"""How likely an event about an order whose id two programs use names none: not played yet. The checks do not know yet which
verdicts stand that were given while what is withdrawn later still counted (seed 32 with 0.3)."""


@dataclass(frozen=True, slots=True)
class Said:
    """What an event says. `home`: program and member that it belongs to, None for guests and stores of others. `places`: the
    program in which it places an order, if it does that in one. `of_any`: it is about an order, and says of no program which.
    `brings`: the orders into which it splits one.
    """

    source: str
    id: str
    type: str
    time: datetime
    program: str | None
    body: bytes
    order_id: str | None
    home: Home | None
    places: str | None = None
    of_any: bool = False
    brings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One record to be published; `number` names it within its world."""

    number: int
    at: datetime
    kind: Kind
    key: bytes
    topic: str
    said: Said | None
    value: bytes | None

    def record(self, partition: int, offset: int) -> Record:
        """As Kafka gives it."""
        headers: tuple[tuple[str, bytes | None], ...] = (_JSON_HEADER,)
        if self.said is not None:
            said = self.said
            named = {"specversion": "1.0", "id": said.id, "source": said.source, "type": said.type, "time": said.time.isoformat()}
            if said.program is not None:
                named["program"] = said.program
            headers = (_JSON_HEADER, *((f"ce_{name}", text.encode()) for name, text in named.items()))
        return Record(self.topic, partition, offset, int(self.at.timestamp() * 1000), self.key, self.value, headers)


@dataclass(frozen=True, slots=True)
class World:
    """Everything that is not the workers' doing. `messages` in the order in which they are published. `clocks`: by how much the
    clock of each worker is wrong. `patient`: the watermark never moves past what was not read. `erases`: who asks for it is
    forgotten.
    """

    seed: int
    programs: dict[str, Program]
    messages: tuple[Message, ...]
    partitions: int
    workers: int
    steps: int
    faults: float
    end: datetime
    clocks: tuple[timedelta, ...]
    patient: bool
    erases: bool

    def partition_of(self, key: bytes) -> int:
        """Where messages of a key go."""
        return crc32(key) % self.partitions


def world(seed: int) -> World:
    """The world of a seed."""
    return _Maker(seed).make()


class _Maker:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = rng = Random(seed)
        self.themes = themes(seed)
        self.members = (1, 2, 3) if seed < SMALL else (1, 3, 8, 20)
        # Nearly every event names its program, so order ids need not be unique among programs.
        self.named = rng.random() < 0.6 or self.themes.shared_ids
        self.keyed_by_order = rng.random() < 0.5
        self.repeats = rng.choice([0.0, 0.1, 0.4])
        self.contradictions = rng.choice([0.0, 0.0, 0.03])
        self.lateness = rng.choice([0.0, 1.0, 1.0, 3.0])
        self.messages: list[Message] = []

    def make(self) -> World:
        rng = self.rng
        programs: dict[str, Program] = {}
        end = START
        for place, code in enumerate(rng.sample(CODES, rng.choice([1, 1, 2, 3]))):
            variation = rng.randrange(VARIATIONS + self.seed // 200)
            programs[code] = variants.variant(code, variation) if rng.random() < 0.3 else variants.as_shipped(code)
            if (choice := self.themes.chosen[place]) is not None:
                programs[code] = chosen(code, choice)
            members, days = rng.choice(self.members), rng.choice([40, 425, 425])
            life = history(programs[code], rng.getrandbits(32), members=members, span_days=days)
            end = max(end, life.end)
            strangers: dict[str, Of] = {
                order_id: rng.choice(["guest", "outside"]) for order_id in life.homes if rng.random() < 0.08
            }
            for event in life.events:
                self.publish(self.say(code, event, life.homes, strangers))
            if self.themes.shared_ids:
                self.elsewhere(life.events)
            for number, tale in enumerate(self.themes.tales[place]):
                end = max(end, self.tell(code, programs[code], tale, f"T{number}"))
        for _ in range(rng.choice([0, 0, 1, 5])):
            self.garbage(end)
        # By numbers of its own, so that a world is otherwise what it was before orders were split.
        self.rng = Random(f"{self.seed} splits")
        code, program = next(iter(programs.items()))
        for number, tale in enumerate(self.themes.splits):
            end = max(end, self.tell(code, program, tale, f"S{number}"))
        self.rng = rng
        self.messages.sort(key=lambda message: (message.at, message.number))
        return World(
            seed=self.seed,
            programs=programs,
            messages=tuple(self.messages),
            partitions=rng.choice([1, 2, 3]),
            workers=rng.choice([1, 2, 2, 3]),
            steps=max(4, len(self.messages) // rng.choice([4, 10, 30])),
            faults=rng.choice([0.0, 0.1, 0.3]),
            end=end + self.themes.late + timedelta(days=500),
            clocks=self.themes.clocks,
            patient=bool(self.themes.late),
            erases=self.themes.erases,
        )

    def tell(self, code: str, program: Program, tale: Tale, member: str) -> datetime:
        """A tale of one more member; returns when it ends."""
        teller = Teller(program, Random(self.rng.getrandbits(32)), member)
        tale(teller)
        homes = dict.fromkeys(teller.orders, member)
        for line in teller.lines:
            self.publish(self.say(code, line.event, homes, {}), line.delay)
        if self.themes.shared_ids:
            self.elsewhere(tuple(line.event for line in teller.lines))
        return max(line.event.time for line in teller.lines)

    def elsewhere(self, events: tuple[Event, ...]) -> None:
        """Orders of a store outside every program that have the ids of a program's orders."""
        for event in events:
            if event.type == "order.placed" and self.rng.random() < 0.4:
                data = json.loads(event.body)
                fields = {name: data[name] for name in ("order_id", "lines", "payment_method")}
                body = _canonical({**fields, "store": "elsewhere"})
                at = event.time + self.rng.choice([-1, 0, 1]) * timedelta(days=1)
                said = Said("//elsewhere", event.id, event.type, at, None, body, data["order_id"], None)
                self.publish(said)

    def say(self, code: str, event: Event, homes: Any, strangers: dict[str, Of]) -> Said:
        """An event of a history, as it is told here."""
        data = json.loads(event.body)
        order_id = data.get("order_id")
        # What a member says about a guest's order is still the member's.
        of_member = "member_id" in data and event.type != "order.placed"
        stranger = None if of_member else strangers.get(order_id)
        member = data.get("member_id") or homes.get(order_id)
        program: str | None = event.program
        if order_id is not None and not self.named:
            order_id = data["order_id"] = f"{code}-{order_id}"
            for part in data.get("into", ()):
                part["order_id"] = f"{code}-{part['order_id']}"
        if stranger is not None:
            member = None
            for name in ("member_id", "points_used", "use_all_points", "redemption_id"):
                data.pop(name, None)
        if stranger == "outside" or self.leaves_out_program(event.type, data):
            program = None
        if stranger == "outside":
            order_id = data["order_id"] = f"outside-{code}-{order_id}"
            if "store" in data:
                data["store"] = "elsewhere"
        body = _canonical(data)
        return Said(
            f"{event.source}/{code}",
            event.id,
            event.type,
            event.time,
            program,
            body,
            order_id,
            home=(code, member) if member is not None else None,
            places=code if event.type == "order.placed" and stranger != "outside" else None,
            of_any=program is None and self.by_order_alone(event.type, data),
            brings=tuple(part["order_id"] for part in data.get("into", ())),
        )

    def leaves_out_program(self, type_: str, data: dict[str, Any]) -> bool:
        """Whether the program is not named: it is known by the order, or by a store that one program has."""
        if self.named:
            return self.themes.shared_ids and self.by_order_alone(type_, data) and self.rng.random() < NAMELESS
        return ("member_id" not in data or type_ == "order.placed") and self.rng.random() < 0.6

    def by_order_alone(self, type_: str, data: dict[str, Any]) -> bool:
        """Whether only its order tells whose an event is."""
        return "member_id" not in data and type_ != "order.placed"

    # -- publishing

    def publish(self, said: Said, delay: timedelta | None = None) -> None:
        """Tell it, perhaps again, perhaps otherwise. `delay`: how long after it happened, None: as it comes."""
        at = said.time + (self.delay() if delay is None else delay)
        if self.themes.late_source is None or said.source.startswith(self.themes.late_source):
            at += self.themes.late
        self.add("told", at, said)
        while self.rng.random() < self.repeats:
            self.add("repeated", max(said.time, at + self.delay() - timedelta(hours=1)), said)
        if self.rng.random() < self.contradictions:
            data = {**json.loads(said.body), "note": "otherwise"}
            if "reason" in data:
                data["reason"] = "otherwise"
            body = _canonical(data)
            self.add("contradicted", max(said.time, at + self.delay() - timedelta(hours=2)), replace(said, body=body))

    def delay(self) -> timedelta:
        """Mostly seconds; at times days or months."""
        rng = self.rng
        seconds = rng.choice([1, 5, 60])
        if rng.random() < 0.12 * self.lateness:
            seconds = rng.choice([3_600, 86_400, 10 * 86_400, 200 * 86_400])
        return timedelta(seconds=rng.randrange(seconds + 1))

    def add(self, kind: Kind, at: datetime, said: Said) -> None:
        """One more message about what is said."""
        key = said.order_id if self.keyed_by_order or said.home is None else said.home[1]
        name = key or (said.home[1] if said.home is not None else "")
        self.messages.append(Message(len(self.messages), at, kind, name.encode(), TOPIC_OF_ALL[said.type], said, said.body))

    def garbage(self, end: datetime) -> None:
        """A record that nobody can read."""
        rng = self.rng
        at = START + (end - START) * rng.random()
        topic = rng.choice(sorted(TOPICS_IN))
        self.messages.append(
            Message(len(self.messages), at, "garbage", str(rng.randrange(9)).encode(), topic, None, rng.choice(_GARBAGE))
        )


def _canonical(data: dict[str, Any]) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def orders_of(messages: tuple[Message, ...]) -> Iterator[Said]:
    """What the messages say about orders being placed."""
    for message in messages:
        if message.said is not None and message.said.type == "order.placed":
            yield message.said
