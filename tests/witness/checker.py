"""Reads the topics and the database of a drained ledger and judges them by the public contract alone.

One file on the standard library, a Kafka client and a Postgres client. It shares no code, no fake and no idea of what can go
wrong with what it judges: events are read by a small reader of its own, and where each record has to be is worked out from the
records.

    python tests/witness/checker.py --bootstrap HOST:PORT --dsn DSN [--prefix PREFIX] [--wait SECONDS] [--json]

Exits 0 if nothing is wrong, 1 with the smallest evidence of each violation, 2 if topics or tables cannot be read.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import binascii
import json
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, Final, NamedTuple

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

TYPES_IN: Final[Mapping[str, frozenset[str]]] = {
    topic: frozenset(types.split())
    for topic, types in {
        "commerce.order": "order.placed order.amended order.paid payment.failed payment.charged_back order.rescheduled"
        " order.reinstated order.split",
        "commerce.shipment": "shipment.dispatched shipment.delivered",
        "commerce.cancel": "order.cancelled",
        "commerce.return": "return.requested return.received return.withdrawn refund.issued exchange.requested"
        " exchange.received exchange.shipped exchange.withdrawn",
        "commerce.member": "member.registered member.enrolled member.erased",
        "commerce.activity": "review.posted survey.won activity.completed",
        "loyalty.command": "points.adjusted points.held points.released points.voided reward.requested subscription.points-set"
        " conversion.requested voucher.used voucher.voided"
        " redemption.requested redemption.released order.claimed balance.opened",
    }.items()
}
BALANCE: Final = "loyalty.balance-changed"
TIER: Final = "loyalty.tier-changed"
DECIDED: Final = "loyalty.redemption-decided"
AMBIGUOUS: Final = "ambiguous_order"
EXPIRING: Final = "loyalty.points-expiring"
TIER_EXPIRING: Final = "loyalty.tier-expiring"
VOUCHER: Final = "loyalty.voucher-issued"
TOPICS_OUT: Final = (BALANCE, TIER, DECIDED, EXPIRING, TIER_EXPIRING, VOUCHER)
DLQ_SUFFIX: Final = ".loyalty.dlq"
OWN_HEADERS: Final = "loyalty_"
SUMMED: Final = "summed"
"""Set in a `balance-changed` whose movements were too many to be told one by one: `entries` are sums then, exact by reason and by
the buckets that points went from and to, and it says how many entries there are."""

OWN_BUCKETS: Final = ("available", "pending", "held")
TOLD_AS: Final = {"available": "available", "pending": "pending", "held": "on_hold"}
OUTSIDE: Final = ""
"""Stands for the program of an order of a store that belongs to none."""
CLOCK: Final = ("", "")
"""Source and id of an entry that time alone brought about."""

Headers = tuple[tuple[str, bytes | None], ...]
Key = tuple[str, str]
"""Program and member: an account as the contract names it."""
Buckets = dict[str, int]
Bounds = dict[tuple[str, int], tuple[int, int]]
"""Of each partition the first offset that is still there and the offset after the last."""
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """A record of a topic. `topic` as it is called without the prefix; `at` in milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    at: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


@dataclass(frozen=True, slots=True)
class Event:
    """What a record says, if it is a CloudEvent: binary or structured mode. `content`: all that makes it this event."""

    record: Record
    source: str
    id: str
    type: str
    time: datetime
    program: str | None
    data: Json

    @property
    def name(self) -> tuple[str, str]:
        return (self.source, self.id)

    @property
    def content(self) -> tuple[str, datetime, str | None, str]:
        return (self.type, self.time, self.program, canonical(self.data))

    def text(self, field_: str) -> str | None:
        value = self.data.get(field_)
        return value if isinstance(value, str) else None


@dataclass(slots=True)
class Tables:
    """Rows of the ledger's tables as they were read in one snapshot; `now` is the database's clock."""

    now: datetime
    rows: dict[str, list[Json]]


@dataclass
class World:
    """All that is judged. `records`: by topic without prefix, in the order of their partitions."""

    prefix: str
    records: dict[str, list[Record]]
    bounds: Bounds
    tables: Tables
    slack: timedelta = timedelta(seconds=30)
    longest_wait: timedelta = timedelta(hours=1)

    @cached_property
    def accounts(self) -> dict[Any, Json]:
        return {row["account_id"]: row for row in self.tables.rows["account"]}

    def name(self, account: Any) -> str:
        """The account as the contract names it: program:member."""
        row = self.accounts.get(account)
        return f"{row['program']}:{row['member_id']}" if row else str(account)

    @cached_property
    def account_of(self) -> dict[Key, Any]:
        return {(row["program"], row["member_id"]): id_ for id_, row in self.accounts.items()}

    @cached_property
    def erased(self) -> set[Any]:
        """Accounts of people who were forgotten: those they had, and those under which their facts are kept without a name."""
        facts = {row["account_id"] for row in self.tables.rows["fact"] if row["type"] == "member.erased"}
        return facts | {row["account_id"] for row in self.tables.rows["erasure"]}

    @cached_property
    def forgotten(self) -> dict[Key, datetime]:
        """Who asked to be forgotten, and until when: what is told of them from before is left out."""
        found: dict[Key, datetime] = {}
        for event in self.alive:
            if event.type == "member.erased" and event.program is not None:
                key = (event.program, event.text("member_id") or "")
                found[key] = max(event.time, found.get(key, event.time))
        return found

    @cached_property
    def entries(self) -> dict[Any, list[Json]]:
        found: dict[Any, list[Json]] = defaultdict(list)
        for row in sorted(self.tables.rows["entry"], key=lambda row: (str(row["account_id"]), row["version"], row["line"])):
            found[row["account_id"]].append(row)
        return found

    @cached_property
    def facts(self) -> dict[tuple[str, str], list[Json]]:
        found: dict[tuple[str, str], list[Json]] = defaultdict(list)
        for row in self.tables.rows["fact"]:
            found[row["source"], row["id"]].append(row)
        return found

    @cached_property
    def dead_rows(self) -> dict[tuple[str, int, int], list[Json]]:
        """Dead letters by the place of the record, topic without prefix."""
        found: dict[tuple[str, int, int], list[Json]] = defaultdict(list)
        for row in self.tables.rows["dead_letter"]:
            found[row["topic"].removeprefix(self.prefix), row["partition"], row["record_offset"]].append(row)
        return found

    @cached_property
    def sent(self) -> list[Record]:
        return [record for topic in TYPES_IN for record in self.records.get(topic, ())]

    @cached_property
    def told(self) -> dict[str, dict[Key, list[Message]]]:
        """First publications and repeats of what is told about accounts: by topic and account, in order."""
        return {topic: _messages(self.records.get(topic, ())) for topic in TOPICS_OUT}

    @cached_property
    def balances(self) -> dict[Key, dict[int, Message]]:
        """What was last told of each version of an account: that of the highest epoch."""
        found: dict[Key, dict[int, Message]] = {}
        for key, messages in self.told[BALANCE].items():
            versions = found.setdefault(key, {})
            for message in messages:
                if message.version not in versions or message.epoch > versions[message.version].epoch:
                    versions[message.version] = message
        return found

    @cached_property
    def stores(self) -> dict[str, set[str]]:
        """Store → programs that it belongs to, by the terms that are registered."""
        found: dict[str, set[str]] = defaultdict(set)
        for row in self.tables.rows["program_terms"]:
            terms = json.loads(row["body"])
            named = terms.get("membership", {}).get("stores", {})
            also = (terms.get("redemption") or {}).get("stores_also") or []
            for store in [*named.get("eligible", ()), *(named.get("excluded") or ()), *also]:
                found[store].add(row["program"])
        return found

    @cached_property
    def events(self) -> dict[Record, Event | None]:
        """What each record sent says."""
        return {record: read_event(record) for record in self.sent}

    @cached_property
    def remade(self) -> set[tuple[tuple[str, str], object]]:
        """What was refused after it had waited for its order: its place is not known any more, it is written as an event anew."""
        found: set[tuple[tuple[str, str], object]] = set()
        for (topic, partition, offset), rows in self.dead_rows.items():
            for row in rows if offset < 0 else ():
                record = Record(topic, partition, offset, 0, row["key"], row["value"], _stored_headers(row["headers"]))
                if (event := read_event(record)) is not None:
                    found.add((event.name, event.content))
        return found

    @cached_property
    def alive(self) -> list[Event]:
        """Events of the records that are no dead letters and that the topic is for."""
        return [
            event
            for record in self.sent
            if not _is_dead(self, record)
            and (event := self.events[record]) is not None
            and event.type in TYPES_IN.get(record.topic, ())
        ]

    @cached_property
    def orders(self) -> dict[str, set[tuple[str, str | None]]]:
        """Order → the programs in which it was placed (OUTSIDE: in none), each with the member, None for a guest. What an order
        was split into is where the order is."""
        found: dict[str, set[tuple[str, str | None]]] = defaultdict(set)
        for event in self.alive:
            order = event.text("order_id")
            if event.type == "order.placed" and order is not None:
                for program in programs_of(self, event):
                    found[order].add((program, None if program == OUTSIDE else event.text("member_id")))
        splits = [event for event in self.alive if event.type == "order.split"]
        for _ in splits:  # a part may be split before the order is
            for event in splits:
                homes = {each for each in found[event.text("order_id") or ""] if event.program in (None, each[0])}
                for part in event.data.get("into", ()):
                    found[part["order_id"]] |= homes
        return found


class Message(NamedTuple):
    """What was published about an account."""

    record: Record
    epoch: int
    version: int
    data: Json


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong (`name`), where (the smallest evidence), and what it says."""

    name: str
    where: str
    says: str


@dataclass(slots=True)
class Verdict:
    """What a ledger comes to. `notes`: what is no violation and may be worth knowing."""

    violations: list[Violation]
    read: dict[str, int]
    notes: dict[str, int] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        by = Counter(each.name for each in self.violations)
        lost, doubled = by["lost"], by["doubled"]
        return {"lost": lost, "doubled": doubled, "violations": len(self.violations) - lost - doubled}


# ---------------------------------------------------------------- events


def canonical(value: Any) -> str:
    """One text for the same JSON value, however it was written."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def read_event(record: Record) -> Event | None:
    """The CloudEvent that a record carries; None if it carries none that can be read."""
    headers = {name.lower(): value for name, value in record.headers}
    content_type = (headers.get("content-type") or b"").decode("latin-1").lower()
    try:
        body = _json(record.value or b"")
        if content_type.startswith("application/cloudevents"):
            if not isinstance(body, dict):
                return None
            attributes, data = body, body.get("data")
            if data is None and "data_base64" in body:
                data = _json(base64.b64decode(body["data_base64"]))
        else:
            given = ((name, value) for name, value in headers.items() if name.startswith("ce_") and value is not None)
            attributes = {name.removeprefix("ce_"): value.decode() for name, value in given}
            data = body
        at = moment(attributes["time"])
        program = attributes.get("program")
        names = (attributes["source"], attributes["id"], attributes["type"])
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        return None
    if not isinstance(data, dict) or not all(isinstance(name, str) for name in (*names, program or "")):
        return None
    return Event(record, *names, at, program, data)


def _json(text: bytes) -> Any:
    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    return json.loads(text.decode(), parse_constant=refuse)


_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)")


def moment(text: str) -> datetime:
    """A time of RFC 3339 in UTC, to the microsecond."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError("no time with an offset")
    day, clock, fraction, offset = found.groups()
    at = f"{day}T{clock}.{(fraction or '0')[:6]:0<6}{'+00:00' if offset in 'Zz' else offset}"
    return datetime.fromisoformat(at).astimezone(UTC)


def programs_of(world: World, event: Event) -> list[str]:
    """The program of an event as the contract gives it: named, or told by the store. Several: no one can tell which."""
    if event.program is not None:
        return [event.program]
    store = event.text("store")
    if store is None:
        return []
    return sorted(world.stores.get(store, ())) or [OUTSIDE]


# ---------------------------------------------------------------- every record is in exactly one place


def _is_dead(world: World, record: Record) -> bool:
    rows = world.dead_rows.get((record.topic, record.partition, record.offset), ())
    if any(row["value"] == record.value or _wiped(world, row) for row in rows):
        return True
    event = world.events[record] if world.remade else None
    if event is None or (event.name, event.content) not in world.remade:
        return False
    return not any(_same(world, event, row) for row in world.facts.get(event.name, ()))


def _wiped(world: World, row: Json) -> bool:
    """Whether a dead letter has lost its bytes because it named a person who was forgotten."""
    return bool(world.tables.rows["erasure"]) and row["key"] is None and row["value"] is None and row["headers"] == b"[]"


def _same(world: World, event: Event, row: Json) -> bool:
    """Whether a row keeps this event: the same content, as far as a person was not forgotten since."""
    if (row["type"], row["business_at"]) != (event.type, event.time) or row["program"] != event.program:
        return False
    return row.get("account_id") in world.erased or canonical(json.loads(row["body"])) == canonical(event.data)


def judge_places(world: World) -> Iterator[Violation]:
    """Every record that was sent is a fact of one account (or repeats one), parked, a dead letter, or dropped as documented."""
    parked: dict[tuple[str, str], list[Json]] = defaultdict(list)
    for row in world.tables.rows["parked"]:
        parked[row["source"], row["id"]].append(row)
    explained: set[tuple[Any, str, str]] = set()
    for record in world.sent:
        if _is_dead(world, record):
            continue
        event = world.events[record]
        if event is None:
            yield Violation("lost", str(record), "it is no event that can be read, and no dead letter")
            continue
        facts = [row for row in world.facts.get(event.name, ()) if _same(world, event, row)]
        waiting = [row for row in parked.get(event.name, ()) if _same(world, event, row)]
        explained |= {(row["account_id"], *event.name) for row in facts}
        if event.type in TYPES_IN[record.topic]:
            yield from _judge_place(world, event, {row["account_id"] for row in facts}, bool(waiting))
    yield from _judge_origins(world, explained)


def _judge_place(world: World, event: Event, accounts: set[Any], waiting: bool) -> Iterator[Violation]:
    where = f"{event.record} {event.type} {event.source} {event.id}"
    owners, may_wait, may_drop = _expected(world, event)
    # What follows an order that several placed is a fact of each of them.
    if len(accounts) > max(len(owners or ()), 1):
        yield Violation("doubled", where, f"it is a fact of {len(accounts)} accounts: {', '.join(sorted(map(str, accounts)))}")
    if accounts and waiting:
        yield Violation("doubled", where, "it is a fact and parked")
    if accounts:
        known = {_owner(world, account) for account in accounts}
        if owners is not None and not known <= owners and not accounts & world.erased:
            yield Violation("misplaced", where, f"it is a fact of {_names(known)}, not of {_names(owners)}")
    elif waiting:
        if not may_wait:
            yield Violation("stranded", where, "it is parked although its order has come")
    elif not may_drop:
        yield Violation("lost", where, f"it is nowhere; expected in {_names(owners or set()) or 'the parked events'}")


def _owner(world: World, account: Any) -> Key:
    row = world.accounts.get(account)
    return (row["program"], row["member_id"]) if row else ("", str(account))


def _names(keys: Iterable[Key]) -> str:
    return ", ".join(sorted(f"{program}:{member}" for program, member in keys))


def _expected(world: World, event: Event) -> tuple[set[Key] | None, bool, bool]:
    """Whose fact an event may be (None: cannot be told), whether it may be parked, and whether it may be dropped."""
    member, order = event.text("member_id"), event.text("order_id")
    programs = programs_of(world, event)
    if event.type == "order.placed":
        if len(programs) > 1:
            return {(program, member or "") for program in programs}, True, member is None
        if member is None or programs == [OUTSIDE]:
            return set(), False, True
        until = world.forgotten.get((programs[0], member))
        return {(programs[0], member)}, False, until is not None and event.time <= until
    if member is not None:
        if not programs:
            return None, False, False
        owned = {(program, member) for program in programs}
        forgotten = any(event.time <= until for key, until in world.forgotten.items() if key in owned)
        return owned, False, programs == [OUTSIDE] or forgotten
    placed = world.orders.get(order or "", set())
    fits = {each for each in placed if event.program is None or each[0] == event.program}
    owners = {(program, owner) for program, owner in fits if owner is not None}
    # What names no program may wait as long as another program's order may still come under the id.
    guests = all(owner is None for _, owner in placed)
    ambiguous = event.program is None and (guests or len({program for program, _ in placed}) > 1 or (OUTSIDE, None) in placed)
    return owners, not fits or ambiguous, any(owner is None for _, owner in fits) or bool(owners & world.forgotten.keys())


def _judge_origins(world: World, explained: set[tuple[Any, str, str]]) -> Iterator[Violation]:
    """No fact without a record that brought it; a record that is a dead letter brings none."""
    if any(first > 0 for (topic, _), (first, _) in world.bounds.items() if topic in TYPES_IN):
        return  # what brought the facts may have been cut off by the topics' retention
    dead: dict[tuple[str, str], str] = {}
    for record in world.sent:
        if _is_dead(world, record) and (event := world.events[record]) is not None:
            dead[event.name] = str(record)
    for name, rows in world.facts.items():
        for row in rows:
            if row["type"] == "balance.opened" or (row["account_id"], *name) in explained or _contested(world, row):
                continue
            where = f"{world.name(row['account_id'])} {row['type']} {name[0]} {name[1]}"
            if name in dead:
                yield Violation("doubled", where, f"the only record that says so is a dead letter: {dead[name]}")
            else:
                yield Violation("invented", where, "no record says so")


def _contested(world: World, row: Json) -> bool:
    """Whether a fact says rightly that somebody else was told to have placed an order too."""
    return row["type"] == "order.contested" and len(world.orders.get(row["order_id"], ())) > 1


# ---------------------------------------------------------------- reading and publishing are done


def judge_drained(world: World) -> Iterator[Violation]:
    """All is read, published and done up to the watermark; nothing is fenced."""
    positions = {(row["topic"].removeprefix(world.prefix), row["partition"]): row for row in world.tables.rows["position"]}
    last: dict[tuple[str, int], int] = {}
    for record in world.sent:
        last[record.topic, record.partition] = max(record.offset, last.get((record.topic, record.partition), -1))
    for (topic, partition), (_, end) in sorted(world.bounds.items()):
        if topic not in TYPES_IN:
            continue
        row = positions.get((topic, partition))
        read = row["next_offset"] if row else 0
        # Markers of transactions are no records: a position may stand before those at the end.
        if not last.get((topic, partition), -1) + 1 <= read <= end:
            yield Violation("unread", f"{topic}[{partition}]", f"the position is {read}, the topic ends at {end}")
    for row in world.tables.rows["outbox"]:
        where = f"{row['topic']} {row['account_id']} version {row['version']}"
        yield Violation("unpublished", where, "it is still in the outbox")
    watermark = next((row["value"] for row in world.tables.rows["watermark"]), None)
    for account, row in world.accounts.items():
        who, due = world.name(account), row["next_due_at"]
        if row["fenced"] is not None:
            yield Violation("fenced", who, f"the account is fenced: {row['fenced']}")
        elif watermark and due and due <= watermark - world.slack:
            yield Violation("overdue", who, f"it was due at {due}, the watermark is {watermark}")


# ---------------------------------------------------------------- versions and sums of what is told


def _messages(records: Iterable[Record]) -> dict[Key, list[Message]]:
    found: dict[Key, list[Message]] = defaultdict(list)
    for record in records:
        data = json.loads(record.value or b"{}")
        if {"program", "member_id", "epoch", "version"} <= data.keys():
            found[data["program"], data["member_id"]].append(Message(record, data["epoch"], data["version"], data))
    return found


def judge_form(world: World) -> Iterator[Violation]:
    """What is published is a CloudEvent under the account's key, of the type of its topic, in one partition per account."""
    for topic in TOPICS_OUT:
        partitions: dict[bytes, int] = {}
        for record in world.records.get(topic, ()):
            event = read_event(record)
            if event is None or event.type != topic:
                yield Violation("form", str(record), "it is no event of the topic's type")
                continue
            data = event.data
            key = f"{data.get('program')}:{data.get('member_id')}".encode()
            if record.key != key:
                yield Violation("form", str(record), f"it is about {key!r}, and its key is {record.key!r}")
            if partitions.setdefault(key, record.partition) != record.partition:
                yield Violation("form", str(record), f"what is told of {key!r} stands in several partitions")


def judge_versions(world: World) -> Iterator[Violation]:
    """Versions are gapless from 1 in order of their first publication; a repeat says the same; no other topic knows more."""
    for key, messages in world.told[BALANCE].items():
        yield from _judge_versions_of(key, messages)
    for topic in TOPICS_OUT[1:]:
        for key, messages in world.told[topic].items():
            announced = {(each.epoch, each.version) for each in world.told[BALANCE].get(key, ())}
            first: dict[str, Message] = {}
            high = (0, 0)
            for message in messages:
                where = f"{message.record} {_names([key])} version {message.version}"
                if (message.epoch, message.version) not in announced:
                    yield Violation("version-unknown", where, "no balance-changed announces this version")
                name = _id_of(message.record)
                if name in first:
                    yield from _judge_repeat(first[name], message, where)
                    continue
                first[name] = message
                if (message.epoch, message.version) < high:
                    yield Violation("version-order", where, f"it comes after version {high[1]}")
                high = max(high, (message.epoch, message.version))
    for account, row in world.accounts.items():
        last = max(world.balances.get((row["program"], row["member_id"]), {0: None}))
        if account not in world.erased and last != row["version"]:
            says = f"the account has version {row['version']}, the last told is {last}"
            yield Violation("version-untold", world.name(account), says)
    for key in world.balances:
        if key not in world.account_of and key not in world.forgotten:
            yield Violation("version-unknown", _names([key]), "it is told of, and there is no such account")


def _judge_versions_of(key: Key, messages: Sequence[Message]) -> Iterator[Violation]:
    first: dict[tuple[int, int], Message] = {}
    epoch, last = 0, 0
    for message in messages:
        where = f"{message.record} {_names([key])} version {message.version}"
        if (seen := first.get((message.epoch, message.version))) is not None:
            yield from _judge_repeat(seen, message, where)
            continue
        first[message.epoch, message.version] = message
        if message.epoch < epoch:
            yield Violation("epoch", where, f"epoch {message.epoch} after epoch {epoch}")
        # A database that was restored begins again at an earlier version; it can have lost versions, never have won some.
        elif message.version > last + 1 or message.version < 1 or (message.epoch == epoch and message.version != last + 1):
            yield Violation("version-order", where, f"it comes after version {last}")
        epoch, last = max(epoch, message.epoch), message.version


def _judge_repeat(first: Message, again: Message, where: str) -> Iterator[Violation]:
    if (again.record.value, _told_headers(again.record)) != (first.record.value, _told_headers(first.record)):
        yield Violation("version-repeat", where, f"it says something else than {first.record}")


def _told_headers(record: Record) -> Headers:
    return tuple(sorted(record.headers, key=lambda pair: pair[0]))


def _id_of(record: Record) -> str:
    return next((value.decode() for name, value in record.headers if name == "ce_id" and value is not None), str(record))


def effects(entries: Iterable[tuple[str, str, int]]) -> Buckets:
    """What movements (from, to, points) come to in the buckets of the account."""
    found = dict.fromkeys(OWN_BUCKETS, 0)
    for origin, target, points in entries:
        if origin in found:
            found[origin] -= points
        if target in found:
            found[target] += points
    return found


def _told(message: Message, part: Mapping[str, Any]) -> Buckets:
    return {bucket: part[TOLD_AS[bucket]] for bucket in OWN_BUCKETS}


def judge_sums(world: World) -> Iterator[Violation]:
    """Each balance is the one before and its change; a change is the sum of its entries; the entries are those of the ledger."""
    for key, versions in world.balances.items():
        account = world.account_of.get(key)
        posted: dict[int, list[Json]] = defaultdict(list)
        for row in world.entries.get(account, ()):
            posted[row["version"]].append(row)
        # What was taken over from another ledger without a word stands under version 0.
        before = effects((row["from_bucket"], row["to_bucket"], row["points"]) for row in posted.get(0, ()))
        for version in sorted(versions):
            message = versions[version]
            where = f"{message.record} {_names([key])} version {version}"
            now, change = _told(message, message.data), _told(message, message.data["change"])
            expected = {bucket: before[bucket] + change[bucket] for bucket in OWN_BUCKETS}
            if now != expected:
                yield Violation("balance-chain", where, f"{now} is told, {before} before and {change} are {expected}")
            before = now
            entries = [(each["from"], each["to"], each["points"]) for each in message.data["entries"]]
            if (sums := effects(entries)) != change:
                yield Violation("message-entries", where, f"the change is {change}, its entries come to {sums}")
            if account is not None:
                yield from _judge_told(message, posted.get(version, []), where)
        if account is not None:
            row = world.accounts[account]
            if before != (balances := {bucket: row[bucket] for bucket in OWN_BUCKETS}):
                yield Violation("balance-last", _names([key]), f"{before} was told last, the account has {balances}")


def _judge_told(message: Message, rows: Sequence[Json], where: str) -> Iterator[Violation]:
    told, posted = Counter(map(_told_line, message.data["entries"])), Counter(map(_posted_line, rows))
    if (summed := message.data.get(SUMMED)) is not None:
        told, posted = _by_reason(message.data["entries"], "from", "to"), _by_reason(rows, "from_bucket", "to_bucket")
        if summed["entries"] != len(rows):
            yield Violation("told-entries", where, f"it sums up {summed['entries']} entries, the ledger has {len(rows)}")
    if told != posted:
        only_told, only_posted = list(told - posted)[:2], list(posted - told)[:2]
        yield Violation("told-entries", where, f"only told: {only_told}; only in the ledger: {only_posted}")


def _told_line(entry: Json) -> tuple[Any, ...]:
    names = ("reason", "points", "from", "to", "kind", "lot", "expires_on", "order_id", "rule")
    return tuple(entry.get(name) for name in names)


def _posted_line(row: Json) -> tuple[Any, ...]:
    names = ("reason", "points", "from_bucket", "to_bucket", "kind", "lot", "expires_on", "order_id", "rule")
    return tuple(value.isoformat() if isinstance(value := row[name], date) else value for name in names)


def _by_reason(lines: Iterable[Json], origin: str, target: str) -> Counter[tuple[Any, ...]]:
    found: Counter[tuple[Any, ...]] = Counter()
    for line in lines:
        found[line["reason"], line[origin], line[target]] += line["points"]
    return found


# ---------------------------------------------------------------- the ledger itself


def judge_ledger(world: World) -> Iterator[Violation]:
    """Entries carry the balances on, end with those of the account, and each names what brought it about."""
    known = {(row["account_id"], row["source"], row["id"]) for row in world.tables.rows["fact"]}
    for account, row in world.accounts.items():
        running = dict.fromkeys(OWN_BUCKETS, 0)
        who = world.name(account)
        for entry in world.entries.get(account, ()):
            where = f"{who} version {entry['version']} line {entry['line']}"
            origin, target = entry["from_bucket"], entry["to_bucket"]
            for bucket, sign, after in ((origin, -1, entry["from_after"]), (target, 1, entry["to_after"])):
                if bucket in running:
                    running[bucket] += sign * entry["points"]
                    if after is not None and after != running[bucket]:
                        yield Violation("ledger-after", where, f"{bucket} is {running[bucket]}, the entry says {after}")
            if (cause := (entry["source"], entry["id"])) != CLOCK and (account, *cause) not in known:
                yield Violation("ledger-cause", where, f"the account has no fact {cause[0]} {cause[1]}")
            if entry["version"] > row["version"]:
                yield Violation("version-untold", where, f"the account has version {row['version']} only")
        if running != (balances := {bucket: row[bucket] for bucket in OWN_BUCKETS}):
            yield Violation("ledger-balance", who, f"the entries come to {running}, the account has {balances}")
        yield from _judge_orders_of(world, account, who)
    for account in world.entries.keys() - world.accounts.keys():
        yield Violation("ledger-balance", str(account), "it has entries and is no account")


def _judge_orders_of(world: World, account: Any, who: str) -> Iterator[Violation]:
    """Of no order more is taken back than it brought, and no more handed back than was used on it."""
    credited: Counter[str] = Counter()
    used: Counter[str] = Counter()
    for entry in world.entries.get(account, ()):
        if (order := entry["order_id"]) is None:
            continue
        for bucket, sign in ((entry["from_bucket"], 1), (entry["to_bucket"], -1)):
            if bucket in ("granted", "revoked"):
                credited[order] += sign * entry["points"]
            elif bucket == "spent":
                used[order] -= sign * entry["points"]
    for what, found in (("points credited by", credited), ("points used on", used)):
        for order, points in found.items():
            if points < 0:
                yield Violation("order-below-zero", f"{who} order {order}", f"{what} it are {points}")


def judge_lots(world: World) -> Iterator[Violation]:
    """Lots hold what the entries moved into them, come to the balances, and are empty after their last day."""
    watermark = next((row["value"] for row in world.tables.rows["watermark"]), None)
    lots: dict[Any, dict[str, Json]] = defaultdict(dict)
    for row in world.tables.rows["lot"]:
        lots[row["account_id"]][_lot_name(row)] = row
    for account, row in world.accounts.items():
        who = world.name(account)
        own = lots.get(account, {})
        available = sum(lot["available"] for lot in own.values()) - row["arrears"]
        pending = sum(lot["pending"] for lot in own.values())
        if (available, pending) != (row["available"], row["pending"]):
            yield Violation(
                "lot-sum",
                who,
                f"lots less arrears come to {available} available and {pending} pending,"
                f" the account has {row['available']} and {row['pending']}",
            )
        yield from _judge_lots_of(world, account, own, who)
        for name, lot in own.items():
            where = f"{who} lot {name}"
            held = lot["pending"] + lot["available"] + lot["lapsed"]
            if min(lot["pending"], lot["available"], lot["lapsed"]) < 0 or held > lot["points"]:
                yield Violation("lot-bounds", where, f"of {lot['points']} points it holds or lost {held}")
            lapses_at = lot["lapses_at"]
            lapsed = watermark is not None and lapses_at is not None and lapses_at <= watermark - world.slack
            if lapsed and lot["available"] > 0 and row["fenced"] is None:
                yield Violation("lot-lapsed", where, f"its last day was over at {lapses_at}, and it holds {lot['available']}")


def _lot_name(row: Json) -> str:
    """How entries call a lot: its origin and its part, which a slash parts."""
    return f"{row['origin']}/{row['part'].replace('%', '%25').replace('/', '%2F')}"


def _judge_lots_of(world: World, account: Any, own: Mapping[str, Json], who: str) -> Iterator[Violation]:
    moved: dict[str | None, Buckets] = {}
    for entry in world.entries.get(account, ()):
        sums = moved.setdefault(entry["lot"], dict.fromkeys(("available", "pending", "lapsed"), 0))
        for bucket, sign in ((entry["from_bucket"], -1), (entry["to_bucket"], 1)):
            if bucket in sums:
                sums[bucket] += sign * entry["points"]
    # Entries without a lot make arrears. Later credits set them off: these were posted into a lot that no longer holds them.
    owed = -moved.pop(None, {"available": 0})["available"]
    set_off = owed - world.accounts[account]["arrears"]
    for name, sums in moved.items():
        lot = own.get(name or "")
        # A lot that was spent is not kept; one that still had something would be missed.
        holds = {bucket: lot[bucket] if lot else 0 for bucket in ("available", "pending")}
        given = sums["available"] - holds["available"]
        set_off -= given
        lapsed_differs = lot is not None and lot["lapsed"] != sums["lapsed"]
        if sums["pending"] != holds["pending"] or lapsed_differs or given < 0 or (given > 0 and owed <= 0):
            has = None if lot is None else {bucket: lot[bucket] for bucket in sums}
            yield Violation("lot-entries", f"{who} lot {name}", f"entries come to {sums}, the lot has {has}")
    if set_off != 0:
        yield Violation("lot-entries", who, f"{owed} points were owed, what lots gave for them differs by {set_off}")
    for name in own.keys() - moved.keys():
        if any(own[name][bucket] for bucket in ("available", "pending", "lapsed")):
            yield Violation("lot-entries", f"{who} lot {name}", "no entry moved anything into it")


# ---------------------------------------------------------------- tiers, verdicts, dead letters


def judge_tiers(world: World) -> Iterator[Violation]:
    """Each tier told begins where the one before ended, and the last is the account's."""
    for key, messages in world.told[TIER].items():
        seen: set[str] = set()
        tier: str | None = None
        for message in messages:
            if (name := _id_of(message.record)) in seen:
                continue
            where = f"{message.record} {_names([key])} version {message.version}"
            if seen and (previous := message.data.get("previous_tier")) != tier:
                yield Violation("tier-chain", where, f"it goes on from {previous}, {tier} was told before")
            seen.add(name)
            tier = message.data["tier"]
        account = world.account_of.get(key)
        if account is not None:
            kept = json.loads(world.accounts[account]["head"]).get("tier")
            name_kept = kept.get("name") if isinstance(kept, dict) else kept
            if name_kept is not None and name_kept != tier:
                yield Violation("tier-last", _names([key]), f"{tier} was told last, the account has {name_kept}")


def judge_verdicts(world: World) -> Iterator[Violation]:
    """Each wish to use points has one verdict, told as it was taken, and what was accepted is spent once."""
    told: dict[tuple[Any, str, str], Message] = {}
    for key, messages in world.told[DECIDED].items():
        seen: set[str] = set()
        for message in messages:
            name, cause = _id_of(message.record), message.data.get("cause")
            if name in seen or cause is None:
                continue
            seen.add(name)
            place = (world.account_of.get(key), cause["source"], cause["id"])
            where = f"{message.record} {_names([key])} version {message.version}"
            if (before := told.get(place)) is not None and before.epoch == message.epoch:
                yield Violation("verdict-twice", where, f"{before.record} has told the verdict before")
            told[place] = message
    taken = {(row["account_id"], row["source"], row["id"]): row for row in world.tables.rows["decision"]}
    decisions = {place: row for place, row in taken.items() if row["reason"] != AMBIGUOUS}
    yield from _judge_withdrawn(world, taken.keys() - decisions.keys())
    for place, row in decisions.items():
        where = f"{world.name(place[0])} {place[1]} {place[2]}"
        if place in told:
            data = told[place].data
            says = (data["decision"], data["points"], data.get("reason"))
            if says != (row["verdict"], row["points"], row["reason"]):
                yield Violation("verdict-differs", where, f"told {says}, taken {(row['verdict'], row['points'], row['reason'])}")
        elif place[0] not in world.erased and any(row["id"] == place[2] for row in world.facts.get(place[1:], ())):
            yield Violation("verdict-untold", where, f"{row['verdict']} was never told")
    for place, message in told.items():
        if place[0] is not None and place not in decisions:
            yield Violation("verdict-differs", str(message.record), "there is no such decision")
    yield from _judge_spent(world, decisions)


def _judge_withdrawn(world: World, withdrawn: Iterable[tuple[Any, str, str]]) -> Iterator[Violation]:
    """What was withdrawn from an account names no program, moved nothing in the end, and is a dead letter."""
    made_again = [row for row in world.tables.rows["dead_letter"] if row["reason"] == AMBIGUOUS and row["record_offset"] < 0]
    wiped = any(row["value"] is None for row in made_again)
    told = {(letter["source"], letter["id"]) for row in made_again if row["value"] for letter in [_json(row["value"])]}
    for place in withdrawn:
        where = f"{world.name(place[0])} {place[1]} {place[2]}"
        if place[1:] not in told and not wiped:
            yield Violation("withdrawn-untold", where, "it counts no more, and is no dead letter")
        if any(row["program"] is not None for row in world.facts.get(place[1:], ()) if row["account_id"] == place[0]):
            yield Violation("withdrawn-unfounded", where, "it names its program")
        moved: Counter[str] = Counter()
        for entry in world.entries.get(place[0], ()):
            if (entry["source"], entry["id"]) == place[1:]:
                moved[entry["from_bucket"]] -= entry["points"]
                moved[entry["to_bucket"]] += entry["points"]
        if any(moved.values()):
            yield Violation("withdrawn-counts", where, f"it counts no more, and moved {dict(moved)}")


def _judge_spent(world: World, decisions: Mapping[tuple[Any, str, str], Json]) -> Iterator[Violation]:
    spent: Counter[tuple[Any, str, str]] = Counter()
    granted: Counter[tuple[Any, str]] = Counter()
    for account, entries in world.entries.items():
        for entry in entries:
            for bucket, sign in ((entry["from_bucket"], -1), (entry["to_bucket"], 1)):
                if bucket == "spent" and entry["reason"] != "convert":  # what turns into something else at once is no use of it
                    spent[account, entry["source"], entry["id"]] += sign * entry["points"]
                elif bucket == "granted" and entry["order_id"] is not None:
                    granted[account, entry["order_id"]] -= sign * entry["points"]
    accepted: dict[tuple[Any, str], Json] = {}
    rejected: dict[tuple[Any, str], Json] = {}
    asked: set[tuple[Any, str]] = set()
    plain: set[tuple[Any, str]] = set()
    for row in world.tables.rows["fact"]:
        place = (row["account_id"], row["source"], row["id"])
        if row["type"] not in ("order.placed", "reward.requested"):
            continue
        where = f"{world.name(place[0])} {place[1]} {place[2]}"
        decision = decisions.get(place)
        if decision is not None:
            due = decision["points"] if decision["verdict"] == "accepted" else 0
            if spent[place] != due:
                yield Violation("verdict-spent", where, f"{decision['verdict']} for {due} points, {spent[place]} were spent")
        if row["type"] != "order.placed":
            continue
        order = (place[0], row["order_id"])
        data = json.loads(row["body"])
        if decision is None:
            if spent[place] > 0:
                yield Violation("verdict-spent", where, f"no decision, and {spent[place]} points were spent")
            wants = data.get("points_used") or data.get("use_all_points")
            if not wants:
                plain.add(order)
            elif world.tables.now - row["recorded_at"] > world.longest_wait:
                asked.add(order)
        elif decision["verdict"] == "accepted":
            if order in accepted:
                yield Violation("verdict-twice", where, f"order {order[1]} was accepted before by {accepted[order]['id']}")
            accepted[order] = row
        else:
            rejected[order] = row
    for order in rejected.keys() - accepted.keys() - plain:
        if granted[order]:
            where = f"{world.name(order[0])} order {order[1]}"
            yield Violation("verdict-spent", where, f"it was rejected, and {granted[order]} points come from it")
    for order in asked - accepted.keys() - rejected.keys() - plain:
        if world.accounts[order[0]]["fenced"] is None:
            yield Violation("undecided", f"{world.name(order[0])} order {order[1]}", "nobody has decided about its points")


def judge_dead_letters(world: World) -> Iterator[Violation]:
    """Each dead letter is told once, byte for byte, is a record that was sent, and was refused for a reason that holds."""
    sent = {(record.topic, record.partition, record.offset): record for record in world.sent}
    told: dict[tuple[str, int, int], list[Record]] = defaultdict(list)
    for topic in TYPES_IN:
        for record in world.records.get(topic + DLQ_SUFFIX, ()):
            own = {name: (value or b"").decode() for name, value in record.headers if name.startswith(OWN_HEADERS)}
            try:
                source = own["loyalty_topic"].removeprefix(world.prefix)
                place = (source, int(own["loyalty_partition"]), int(own["loyalty_offset"]))
            except (KeyError, ValueError):
                yield Violation("dead-letter-form", str(record), f"its headers do not say where it comes from: {own}")
                continue
            told[place].append(record)
    for place, rows in world.dead_rows.items():
        where = f"{place[0]}[{place[1]}]@{place[2]}"
        for row in rows:
            if (source_record := sent.get(place)) is None:
                continue  # cut off by the topic's retention
            if _wiped(world, row):
                continue
            if _copy(source_record) != (row["key"], row["value"], _stored_headers(row["headers"])):
                yield Violation("dead-letter-bytes", where, "the dead letter is not the record that was sent")
            yield from _judge_reason(world, source_record, row, where)
        copies = told.pop(place, [])
        if len({_copy(each) for each in copies}) != len(rows):
            name = "dead-letter-untold" if len(copies) < len(rows) else "dead-letter-twice"
            yield Violation(name, where, f"{len(rows)} dead letters, told {len(copies)} times: {', '.join(map(str, copies))}")
        for copy in copies:
            if not any(_is_copy(copy, row) or _wiped(world, row) for row in rows):
                yield Violation("dead-letter-bytes", str(copy), f"it is not the dead letter of {where}")
    for place, copies in told.items():
        yield Violation("dead-letter-twice", str(copies[0]), f"there is no dead letter of {place[0]}[{place[1]}]@{place[2]}")


def _copy(record: Record) -> tuple[bytes | None, bytes | None, Headers]:
    return (record.key, record.value, record.headers)


def _is_copy(copy: Record, row: Json) -> bool:
    theirs = tuple(pair for pair in copy.headers if not pair[0].startswith(OWN_HEADERS))
    own = {name: value for name, value in copy.headers if name.startswith(OWN_HEADERS)}
    reason = (own.get("loyalty_error") or b"").decode()
    if (reason, copy.key, theirs) != (row["reason"], row["key"], _stored_headers(row["headers"])):
        return False
    return not copy.value if "loyalty_pointer" in own else (copy.value or None) == (row["value"] or None)


def _stored_headers(text: bytes) -> Headers:
    return tuple((name, None if value is None else base64.b64decode(value)) for name, value in json.loads(text))


def _judge_reason(world: World, record: Record, row: Json, where: str) -> Iterator[Violation]:
    """Whether a record was refused for nothing, as far as that shows from outside."""
    event = read_event(record)
    if event is None or event.type not in TYPES_IN[record.topic]:
        return
    reason, wrong = row["reason"], None
    if reason == "time_too_far_ahead" and event.time <= row["recorded_at"]:
        wrong = f"its time {event.time} was over when it was refused at {row['recorded_at']}"
    elif reason == "unknown_program" and event.program in {terms["program"] for terms in world.tables.rows["program_terms"]}:
        wrong = f"the terms of {event.program} are registered"
    elif reason == "program_missing" and event.program is not None:
        wrong = f"it names {event.program}"
    elif reason == "conflict" and not _contradicted(world, event):
        wrong = "nothing else was ever said under its source and id"
    elif reason == "refused" and b"\\u0000" not in (record.value or b""):
        wrong = f"its data fits any database: {row['detail']}"
    if wrong is not None:
        yield Violation("dead-letter-unfounded", f"{where} {event.type} {event.source} {event.id}", f"{reason}, but {wrong}")


def _contradicted(world: World, event: Event) -> bool:
    parked = [row for row in world.tables.rows["parked"] if (row["source"], row["id"]) == event.name]
    if (event.program, event.text("member_id")) in world.forgotten:
        return True  # what was said is gone
    return any(not _same(world, event, row) for row in [*world.facts.get(event.name, ()), *parked])


JUDGES: Final[tuple[Callable[[World], Iterator[Violation]], ...]] = (
    judge_drained,
    judge_places,
    judge_form,
    judge_versions,
    judge_sums,
    judge_ledger,
    judge_lots,
    judge_tiers,
    judge_verdicts,
    judge_dead_letters,
)


def judge(world: World) -> Verdict:
    """All that is wrong with a ledger, and how much was looked at."""
    violations = [violation for each in JUDGES for violation in each(world)]
    rows = world.tables.rows
    published = [record for topic in TOPICS_OUT for record in world.records.get(topic, ())]
    read = {
        "sent": len(world.sent),
        "published": len(published),
        "accounts": len(world.accounts),
        "facts": len(rows["fact"]),
        "entries": len(rows["entry"]),
        "dead_letters": len(rows["dead_letter"]),
        "parked": len(rows["parked"]),
    }
    repeats = len(published) - len({(record.topic, _id_of(record)) for record in published})
    return Verdict(violations, read, {"repeated": repeats})


# ---------------------------------------------------------------- reading


COLUMNS: Final[Mapping[str, str]] = {
    "account": "account_id, program, member_id, version, epoch, available, pending, held, arrears, next_due_at, fenced, head",
    "dead_letter": "topic, partition, record_offset, reason, detail, key, value, headers, recorded_at",
    "decision": "account_id, source, id, verdict, points, reason",
    "entry": "account_id, version, line, source, id, reason, points, from_bucket, to_bucket, from_after, to_after, kind, lot,"
    " expires_on, order_id, rule",
    "erasure": "account_id",
    "fact": "account_id, source, id, type, business_at, program, order_id, body, recorded_at",
    "lot": "account_id, origin, part, points, pending, available, lapsed, lapses_at",
    "outbox": "account_id, version, topic",
    "parked": "order_id, source, id, type, business_at, program, body",
    "position": "topic, partition, next_offset",
    "program_terms": "program, body",
    "watermark": "value",
}


async def read_tables(connection: asyncpg.Connection[Any]) -> Tables:
    """The tables that are judged; the caller sees to it that they are read in one snapshot."""
    rows = {
        table: [dict(row) for row in await connection.fetch(f'SELECT {columns} FROM public."{table}"')]
        for table, columns in COLUMNS.items()
    }
    return Tables(await connection.fetchval("SELECT clock_timestamp()"), rows)


async def read_topics(bootstrap: str, prefix: str, topics: Iterable[str]) -> tuple[dict[str, list[Record]], Bounds]:
    """Every record of these topics, and the bounds of their partitions; topics that there are not are empty."""
    records: dict[str, list[Record]] = {topic: [] for topic in topics}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=32 * 2**20,
    )
    await consumer.start()
    try:
        there = await consumer.topics()
        partitions: list[TopicPartition] = []
        for topic in records:
            if prefix + topic in there:
                consumer._client.add_topic(prefix + topic)
        await consumer._client.force_metadata_update()
        for topic in records:
            numbers = consumer.partitions_for_topic(prefix + topic) or ()
            partitions += [TopicPartition(prefix + topic, number) for number in numbers]
        consumer.assign(partitions)
        first = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            consumer.seek(partition, first[partition])
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for partition, batch in (await consumer.getmany(timeout_ms=200)).items():
                topic = partition.topic.removeprefix(prefix)
                records[topic] += [
                    Record(topic, each.partition, each.offset, each.timestamp, each.key, each.value, tuple(each.headers))
                    for each in batch
                    if each.offset < ends[partition]
                ]
        bounds = {(each.topic.removeprefix(prefix), each.partition): (first[each], ends[each]) for each in partitions}
        return records, bounds
    finally:
        await consumer.stop()


async def read_world(bootstrap: str, dsn: str, prefix: str = "", slack: float = 30, longest_wait: float = 3600) -> World:
    """All that is judged, topics first: what the tables say is then at least as new."""
    wanted = [*TYPES_IN, *TOPICS_OUT, *(topic + DLQ_SUFFIX for topic in TYPES_IN)]
    records, bounds = await read_topics(bootstrap, prefix, wanted)
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            tables = await read_tables(connection)
    finally:
        await connection.close()
    return World(prefix, records, bounds, tables, timedelta(seconds=slack), timedelta(seconds=longest_wait))


async def check(bootstrap: str, dsn: str, prefix: str, wait: float, slack: float, longest_wait: float) -> Verdict:
    """The verdict; while something is wrong, it is looked at again for so many seconds: the ledger may not be drained yet."""
    give_up = time.monotonic() + wait
    while True:
        verdict = judge(await read_world(bootstrap, dsn, prefix, slack, longest_wait))
        if not verdict.violations or time.monotonic() > give_up:
            return verdict
        await asyncio.sleep(1)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Judge a drained ledger by its topics and tables.")
    parser.add_argument("--bootstrap", required=True, help="address of a broker")
    parser.add_argument("--dsn", required=True, help="address of the database")
    parser.add_argument("--prefix", default="", help="what the names of all topics begin with")
    parser.add_argument("--wait", type=float, default=0, help="seconds in which the ledger may still come right")
    parser.add_argument("--slack", type=float, default=30, help="seconds behind the watermark by which due instants are done")
    parser.add_argument("--longest-wait", type=float, default=3600, help="seconds after which a redemption is decided")
    parser.add_argument("--most", type=int, default=20, help="so many violations are told in words")
    parser.add_argument("--json", action="store_true", help="only the verdict as JSON")
    given = parser.parse_args(arguments)
    try:
        verdict = asyncio.run(check(given.bootstrap, given.dsn, given.prefix, given.wait, given.slack, given.longest_wait))
    except (OSError, KafkaError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"topics or tables cannot be read: {error}\n")
        return 2
    told = [asdict(violation) for violation in verdict.violations[: given.most]]
    if not given.json:
        sys.stdout.write("read: " + ", ".join(f"{count} {name}" for name, count in verdict.read.items()) + "\n")
        for each in told:
            sys.stdout.write(f"{each['name']}: {each['where']}: {each['says']}\n")
        sys.stdout.write(" / ".join(f"{count} {name}" for name, count in verdict.counts.items()) + "\n")
    by = dict(Counter(violation.name for violation in verdict.violations))
    sys.stdout.write(json.dumps({**verdict.counts, "by": by, "read": verdict.read, **verdict.notes, "evidence": told}) + "\n")
    return 1 if verdict.violations else 0


if __name__ == "__main__":
    sys.exit(main())
