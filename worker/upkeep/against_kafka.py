"""The ledger held against Kafka: every fact is what the record says that it names, and every record came to something.

Folding facts anew shows that balances follow from facts; a fact that somebody wrote into the database is as good for that as any.
Here facts are compared with what senders sent, as far as Kafka still has it, up to where the ledger has read:

- a record that keeps the contract is a fact, an event that waits for its order, a command that is held or was refused, or a dead
  letter; or it is about a guest, a store outside every program, or a person who was forgotten;
- a fact that names a record is what that record says;
- a fact names a record, but for opened balances, which come from the command line, and facts of people who were forgotten;
- that an order is contested is noted because of somebody else's order of its id, or of a command about it.

Records are read once, in lists of some thousand; of each four bytes are kept, a keyed digest of the fact that it became, so that
one which names the record of another is found out.
"""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import blake2b
from secrets import token_bytes
from typing import Final
from uuid import UUID

from contracts.events import CONTESTED_SOURCE, Event, OrderClaimed, OrderPlaced, Origin
from worker.consume.batch import PartitionKey
from worker.consume.ends import Bounds
from worker.decode import Admission, Broken, Limits, Record, Skipped, decode
from worker.persist import commands, kafka, orders, origins
from worker.persist.identity import account_id
from worker.persist.link import Link
from worker.persist.origins import FIRST, FactName, FactOrigin
from worker.persist.rows import Route, Violation
from worker.programs.catalogue import OUTSIDE, Catalogue
from worker.upkeep.verify import ARRIVED, AS_SENT, FROM_RECORD

FACTS_AT_ONCE: Final = 5_000
"""Facts that one statement reads when all of them are gone through."""
_OPENED: Final = "balance.opened"
_UNSIGNED: Final = ("unsigned", "bad_signature")


class AgainstKafka:
    """One comparison. `catalogue`: of all programs that are registered. `bounds`: what is read of each partition.

    `records`, `facts`: how many were looked at so far; `beyond`: facts whose records are not among those that are read.
    """

    def __init__(
        self, catalogue: Catalogue, key: bytes, limits: Limits, admission: Admission, bounds: Mapping[PartitionKey, Bounds]
    ) -> None:
        """`key`: what account ids are derived with."""
        self._catalogue = catalogue
        self._key = key
        self._limits = limits
        self._admission = admission
        self._bounds = bounds
        self._became_too: set[tuple[Origin, int]] = set()
        self._became = {place: array("I", bytes(4 * (end - start))) for place, (start, end) in bounds.items()}
        self._secret = token_bytes(16)
        self._read_up_to: Mapping[PartitionKey, int] = {}
        self.records = 0
        self.facts = 0
        self.beyond = 0

    async def take(self, link: Link, records: Sequence[Record]) -> list[Violation]:
        """Look for what became of records; what came to nothing."""
        self.records += len(records)
        now = datetime.now(UTC)
        decoded = [(record, decode(record, now, self._limits, self._admission)) for record in records]
        decoded = await self._unsigned(link, decoded, now)
        events = [each for _, each in decoded if isinstance(each, Event)]
        named = {order_id for event in events for order_id in (event.order_id, *event.brings) if order_id is not None}
        routes = await orders.routes(link, named)
        accounts = {_place_of(event): self._accounts(event, routes) for event in events}
        wanted = {(account, event.source, event.id) for event in events for account in accounts[_place_of(event)]}
        noted = {_place_of(event): self._noted(event, routes) for event in events}
        facts = await origins.kept_facts(link, wanted.union(*noted.values()))
        for place, names in noted.items():
            self._became_too |= {(place, self._digest(name)) for name in names if name in facts and facts[name].origin == place}
        open_: list[tuple[Origin, Event | None]] = []
        for record, each in decoded:
            place = _origin(record)
            if isinstance(each, Broken):
                open_.append((place, None))
            elif isinstance(each, Event) and not self._is_kept(each, accounts[place], facts):
                open_.append((place, each))
        open_ = await self._apart(link, open_, accounts)
        return [
            Violation(ARRIVED, None, f"{_named(place)}: {_told(event)} is no fact, waits for nothing and is no dead letter")
            for place, event in await self._lost(link, open_, routes, accounts)
        ]

    async def _unsigned(
        self, link: Link, decoded: list[tuple[Record, Event | Skipped | Broken]], now: datetime
    ) -> list[tuple[Record, Event | Skipped | Broken]]:
        """The same, but for records that lack a signature and were taken all the same: nobody asked for one then."""
        lacking = [_origin(record) for record, each in decoded if isinstance(each, Broken) and each.reason in _UNSIGNED]
        if not lacking:
            return decoded
        letters = await origins.letters_at(link, lacking)
        taken = set(lacking) - letters
        before = replace(self._admission, signatures=None)
        return [
            (record, decode(record, now, self._limits, before) if _origin(record) in taken else each) for record, each in decoded
        ]

    async def _apart(
        self, link: Link, open_: Sequence[tuple[Origin, Event | None]], accounts: Mapping[Origin, Sequence[UUID]]
    ) -> list[tuple[Origin, Event | None]]:
        """Those that are not kept apart from what another topic's event has the name of."""
        apart = [(place, event, event.apart()) for place, event in open_ if event is not None]
        facts = await origins.kept_facts(link, {(of, e.source, e.id) for place, _, e in apart for of in accounts[place]})
        kept = {place for place, _, each in apart if self._is_kept(each, accounts[place], facts)}
        return [(place, event) for place, event in open_ if place not in kept]

    def _is_kept(self, event: Event, accounts: Iterable[UUID], facts: Mapping[FactName, origins.KeptFact]) -> bool:
        """Whether the event is a fact of one of its accounts; the record is noted if it is the one that the fact names. It may be
        one of several accounts, where several placed the order."""
        kept = False
        for account in accounts:
            name = (account, event.source, event.id)
            fact = facts.get(name)
            if fact is not None and (fact.origin is None or fact.digest == event.digest):
                if fact.origin is not None and fact.origin == event.origin:
                    if kept:
                        self._became_too.add((fact.origin, self._digest(name)))
                    else:
                        start, _ = self._bounds[fact.origin[:2]]
                        self._became[fact.origin[:2]][fact.origin.offset - start] = self._digest(name)
                kept = True
        return kept

    def _noted(self, event: Event, routes: Mapping[str, Route]) -> set[FactName]:
        """Facts that the worker wrote into other accounts which placed the order, because of this event."""
        if isinstance(event.data, OrderClaimed):
            route = routes.get(event.data.order_id)
            return {(account, event.source, event.id) for account in route.members} if route is not None else set()
        brought = [routes[order_id] for order_id in event.brings if order_id in routes]
        return {(account, CONTESTED_SOURCE, route.order_id) for route in brought for account in route.members}

    async def _lost(
        self,
        link: Link,
        open_: Sequence[tuple[Origin, Event | None]],
        routes: Mapping[str, Route],
        accounts: Mapping[Origin, Sequence[UUID]],
    ) -> list[tuple[Origin, Event | None]]:
        """Those that are neither dead letters nor wait, nor are about nobody."""
        if not open_:
            return []
        letters = await origins.letters_at(link, [place for place, _ in open_])
        left = [(place, event) for place, event in open_ if place not in letters]
        followers = [event for _, event in left if event is not None and event.follows]
        names = [(event.order_id or "", each.source, each.id) for event in followers for each in (event, event.apart())]
        parked = await origins.parked_of(link, names)
        named = {account for place, _ in left for account in accounts.get(place, ())}
        held = await commands.waiting_among(
            link, {(account, event.source, event.id) for place, event in left if event for account in accounts[place]}
        )
        erased = {row["account_id"] for row in await link.fetch("erased", sorted(named))} if named else set()
        found = []
        for place, event in left:
            if event is not None:
                waits = any((event.order_id or "", each.source, each.id) in parked for each in (event, event.apart()))
                waits = waits or any((account, event.source, event.id) in held for account in accounts[place])
                if waits or _of_nobody(event, routes) or not erased.isdisjoint(accounts[place]):
                    continue
            found.append((place, event))
        return found

    def _accounts(self, event: Event, routes: Mapping[str, Route]) -> list[UUID]:
        """Accounts that the event may have gone to, the likeliest first: what told its program may have changed since."""
        if event.follows:
            route = routes.get(event.order_id or "")
            return route.members if route is not None else []
        member = event.member_id
        first = self._catalogue.resolve(event)
        codes = sorted(self._catalogue.codes, key=lambda code: code != first)
        return [account_id(self._key, program, member) for program in codes] if member is not None else []

    def _digest(self, name: FactName) -> int:
        account, source, id_ = name
        text = b"\0".join((account.bytes, source.encode(), id_.encode()))
        return int.from_bytes(blake2b(text, digest_size=4, key=self._secret).digest())

    async def unfounded(self, link: Link) -> AsyncIterator[Violation]:
        """Facts that name a record which does not say them, and those that name none; after all records were taken."""
        after = FIRST
        while facts := await origins.origins_after(link, after, FACTS_AT_ONCE):
            # Workers read on meanwhile, and commit positions with facts.
            self._read_up_to = {place: each.next_offset for place, each in (await kafka.positions(link)).items()}
            self.facts += len(facts)
            for fact in facts:
                violation = self._unfounded(fact)
                if violation is not None:
                    yield violation
            after = facts[-1].name

    def _unfounded(self, fact: FactOrigin) -> Violation | None:
        account, source, id_ = fact.name
        name = f"{fact.type} {id_!r} of {source!r}"
        if fact.origin is None:
            if fact.type == _OPENED or fact.forgotten:
                return None
            return Violation(FROM_RECORD, account, f"{name} came in no record of Kafka")
        partition = fact.origin[:2]
        if fact.origin.offset >= self._read_up_to.get(partition, 0):
            return Violation(AS_SENT, account, f"{name}: {_named(fact.origin)} was never read")
        start, end = self._bounds.get(partition, (0, 0))
        if not start <= fact.origin.offset < end:
            self.beyond += 1
            return None
        if (fact.origin, self._digest(fact.name)) in self._became_too:
            return None
        if self._became[partition][fact.origin.offset - start] == self._digest(fact.name):
            return None
        return Violation(AS_SENT, account, f"{name}: {_named(fact.origin)} does not say so")


def _of_nobody(event: Event, routes: Mapping[str, Route]) -> bool:
    """Whether the event is about a guest's order or one outside every program, and leaves nothing."""
    route = routes.get(event.order_id or "")
    if isinstance(event.data, OrderPlaced):
        return event.member_id is None or (route is not None and OUTSIDE in route.accounts)
    return route is not None and (route.of_nobody or not any(route.accounts.get(event.program or "", route.members)))


def _origin(record: Record) -> Origin:
    return Origin(record.topic, record.partition, record.offset)


def _place_of(event: Event) -> Origin:
    assert event.origin is not None
    return event.origin


def _named(origin: Origin) -> str:
    return f"record {origin.topic}/{origin.partition}/{origin.offset}"


def _told(event: Event | None) -> str:
    return "what breaks the contract" if event is None else f"{event.type} {event.id!r} of {event.source!r}"
