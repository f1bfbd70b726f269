"""The chain of an account: its facts in the order in which they were committed, so that none is added, changed or lost unseen.

Each fact has a place (1, 2, …), a salt and a leaf. The leaf is a commitment to what the fact says, where it came from and its
place; the head of the chain is made from the head before and the leaf, and stands with the length in the account's row:

    leaf = SHA-256("loyalty leaf 1" ‖ salt ‖ place ‖ content)        head = SHA-256("loyalty head 1" ‖ head before ‖ leaf)

A leaf says nothing without its salt, and has no id of the account in it: an erasure takes salt and body away, moves the account,
and leaves leaf and head. Somebody who may write both facts and accounts can make a chain anew; that shows against what was sealed
elsewhere, and against Kafka.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from struct import Struct
from typing import Final, NamedTuple
from uuid import UUID

from contracts.events import Event
from worker.decide.change import AccountChange
from worker.decide.errors import Defect

NO_ORIGIN: Final = (None, None, None)
"""Topic, partition and offset of what came in no record."""
SALT_BYTES: Final = 16
SALTS_AT_ONCE: Final = 64
MOVED_MAX: Final = 100
"""Among so many facts that are not what was chained it is looked for those that changed places."""
CHAINED: Final = "facts_are_in_the_chain"
AS_CHAINED: Final = "facts_are_as_chained"
PARTED: Final = "the person of the life before was forgotten"
"""Why the chains of both lives begin anew where an account is parted."""
COMPLETE: Final = "chain_is_complete"
HEAD: Final = "chain_leads_to_its_head"

# Begun once, for the library takes longer to begin a hash than to hash what is in one.
_LEAF: Final = sha256(b"loyalty leaf 1\n")
_HEAD: Final = sha256(b"loyalty head 1\n")
_ACCEPTED: Final = b"loyalty accepted 1\n"
_BEGUN: Final = b"loyalty begun 1\n"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PLACE: Final = Struct(">q").pack


class Chain(NamedTuple):
    """How many facts are in a chain, and its head (32 bytes)."""

    length: int
    head: bytes


BEGINNING: Final = Chain(0, bytes(32))


class Proof(NamedTuple):
    """What a fact is checked with. None: it never got one; `salt` alone is None where a person was forgotten."""

    place: int | None
    salt: bytes | None
    leaf: bytes | None


class Content(NamedTuple):
    """All that a row of `fact` says, but whose it is, when it was recorded, and its proof."""

    source: str
    id: str
    type: str
    business_at: datetime
    rank: int
    program: str | None
    order_id: str | None
    digest: bytes
    body: bytes
    traceparent: str | None
    topic: str | None
    partition: int | None
    record_offset: int | None

    @property
    def named(self) -> str:
        """For an operator to read."""
        return f"{self.type} {self.id!r} of {self.source!r}"


class ChainedFact(NamedTuple):
    """A fact as it is kept: what it says, what proves it, and when it was recorded."""

    content: Content
    proof: Proof
    recorded_at: datetime


class Fault(NamedTuple):
    """What is wrong with a chain: the invariant that is broken, and where."""

    invariant: str
    detail: str


@dataclass(frozen=True, slots=True)
class Begun:
    """Where a chain begins anew because somebody took over facts that could not be proven.

    `number`: counted from 1 per account. `before`: the chain as it stood. `accepted`: a salted digest of all facts there were.
    `reason`: why, as whoever did it says. `chain`: what goes on from here.
    """

    number: int
    before: Chain
    accepted: bytes
    salt: bytes | None
    reason: str
    chain: Chain

    @property
    def is_linked(self) -> bool:
        """Whether the chain begins with what it should: the chain before, what was taken over, and why."""
        return self.chain.head == _begun_head(self.before, self.accepted, self.reason)


@dataclass(frozen=True, slots=True)
class AccountChain:
    """The chain of one account, with all facts that are kept of it. `erased`: its person was forgotten."""

    chain: Chain
    facts: Sequence[ChainedFact]
    begun: Begun | None = None
    erased: bool = False

    def faults(self) -> Iterator[Fault]:
        """What cannot be: facts that are not in the chain, are not what was chained, or are gone; or another head."""
        begin = self.begun.chain if self.begun is not None else BEGINNING
        if self.begun is not None:
            yield from self._of_begun(self.begun)
        facts = self._since(begin)
        found = list(_of_facts(facts, begin, self.chain, erased=self.erased))
        yield from found
        if not found:
            yield from _of_whole(facts, begin, self.chain)

    def begun_anew(self, reason: str) -> Begun:
        """A chain that takes over all facts as they are, and is linked to this one. Raises Defect for a place out of reach."""
        places = [fact.proof.place for fact in self.facts if fact.proof.place is not None]
        if max(places, default=0) > self.chain.length + len(self.facts):
            raise Defect(f"a fact stands at place {max(places)}, where no chain comes: it has to be removed first")
        salt = os.urandom(SALT_BYTES)
        number = self.begun.number + 1 if self.begun is not None else 1
        length = max(self.chain.length, 0, *places)
        accepted = _accepted(self.facts, salt)
        return Begun(number, self.chain, accepted, salt, reason, Chain(length, _begun_head(self.chain, accepted, reason)))

    def parted(self, whole: AccountChain) -> Begun | None:
        """The chain that takes over the facts of one of the two lives into which an account was parted; None where the chain of
        the whole has faults, which are to stay seen."""
        return None if any(whole.faults()) else replace(self, chain=whole.chain).begun_anew(PARTED)

    def _since(self, begin: Chain) -> list[ChainedFact]:
        """Facts that are in no chain taken over before, by their place."""
        if self.begun is None:
            later = list(self.facts)
        else:
            later = [fact for fact in self.facts if fact.proof.place is not None and fact.proof.place > begin.length]
        return sorted(later, key=lambda fact: (fact.proof.place or 0, fact.recorded_at, fact.content.source, fact.content.id))

    def _of_begun(self, begun: Begun) -> Iterator[Fault]:
        taken_over = [fact for fact in self.facts if fact.proof.place is None or fact.proof.place <= begun.chain.length]
        if begun.salt is None:
            if not self.erased:
                yield Fault(AS_CHAINED, "the salt of what was taken over is gone, though nobody was forgotten")
        elif _accepted(taken_over, begun.salt) != begun.accepted:
            yield Fault(AS_CHAINED, f"the facts up to place {begun.chain.length} are not those that were taken over")
        if not begun.is_linked:
            yield Fault(HEAD, "what the chain begins with was rewritten")


def _of_facts(facts: Sequence[ChainedFact], begin: Chain, chain: Chain, *, erased: bool) -> Iterator[Fault]:
    """`facts`: by their place."""
    by_place: dict[int, list[ChainedFact]] = {}
    changed: list[tuple[int, ChainedFact]] = []
    for fact in facts:
        place = fact.proof.place
        if place is None or not begin.length < place <= chain.length:
            yield Fault(CHAINED, f"{fact.content.named} is in no chain: it was written by hand")
            continue
        by_place.setdefault(place, []).append(fact)
        if not _is_as_chained(fact, place, erased=erased):
            changed.append((place, fact))
    yield from _of_changed(changed)
    for place, several in by_place.items():
        if len(several) > 1:
            names = " and ".join(sorted(fact.content.named for fact in several))
            yield Fault(CHAINED, f"place {place} is taken by {names}: one was written by hand")
    for first, last in _gaps(sorted(by_place), begin.length, chain.length):
        places = f"place {first} is" if first == last else f"places {first} to {last} are"
        yield Fault(COMPLETE, f"{places} empty: what stood there was removed")


def _of_whole(facts: Sequence[ChainedFact], begin: Chain, chain: Chain) -> Iterator[Fault]:
    """Of facts that are each what was chained: where they lead to, and when they came, which is under no leaf."""
    if head_of(begin, [fact.proof.leaf for fact in facts if fact.proof.leaf is not None]) != chain.head:
        why = "the head, or facts with their proofs, were rewritten"
        yield Fault(HEAD, f"{chain.length} facts do not lead to the head that the account has: {why}")
    for fact, after in pairwise(facts):
        if after.recorded_at < fact.recorded_at:
            where = f"{after.content.named}, place {after.proof.place}"
            yield Fault(AS_CHAINED, f"{where}, says that it was recorded before the one before it")


def _gaps(places: Sequence[int], after: int, last: int) -> Iterator[tuple[int, int]]:
    for place in (*places, last + 1):
        if place > after + 1:
            yield after + 1, place - 1
        after = place


def _of_changed(changed: Sequence[tuple[int, ChainedFact]]) -> Iterator[Fault]:
    """Facts whose leaf is another one, and where they stood if they were moved."""
    for place, fact in changed:
        others = (other for other, _ in changed[:MOVED_MAX] if other != place and _is_as_chained(fact, other, erased=False))
        stood = next(others, None)
        how = f"was moved there from place {stood}" if stood is not None else "is not what was chained: it was changed"
        yield Fault(AS_CHAINED, f"{fact.content.named}, place {place}, {how}")


def _is_as_chained(fact: ChainedFact, place: int, *, erased: bool) -> bool:
    """Whether a fact is what its leaf says; of one whose person was forgotten only the leaf is left."""
    salt, leaf = fact.proof.salt, fact.proof.leaf
    if leaf is None or len(leaf) != len(BEGINNING.head):
        return False
    return erased if salt is None else leaf == leaf_of(place, salt, fact.content)


def leaf_of(place: int, salt: bytes, content: Content) -> bytes:
    """The commitment to a fact at a place, 32 bytes."""
    leaf = _LEAF.copy()
    leaf.update(b"".join((salt, _PLACE(place), _encoded(content))))
    return leaf.digest()


def head_of(begin: Chain, leaves: Iterable[bytes]) -> bytes:
    """The head of a chain that goes on with these leaves."""
    head = begin.head
    for leaf in leaves:
        head = _joined(head, leaf)
    return head


def _joined(head: bytes, leaf: bytes) -> bytes:
    joined = _HEAD.copy()
    joined.update(head + leaf)
    return joined.digest()


def _accepted(facts: Iterable[ChainedFact], salt: bytes) -> bytes:
    ordered = sorted(facts, key=lambda fact: (fact.content.source, fact.content.id))
    whole = sha256(_ACCEPTED + salt)
    for fact in ordered:
        whole.update(sha256(_PLACE(fact.proof.place or 0) + _encoded(fact.content)).digest())
    return whole.digest()


def _begun_head(before: Chain, accepted: bytes, reason: str) -> bytes:
    return sha256(_BEGUN + _PLACE(before.length) + before.head + accepted + reason.encode()).digest()


def _encoded(content: Content) -> bytes:
    """Every field in one way only: texts and numbers, each with a zero byte behind it, which no text of Postgres has in it; what
    may be NULL is nothing then, and has "=" before it if it is not; the body is the rest."""
    source, id_, type_, business_at, rank, program, order_id, digest, body, traceparent, topic, partition, record_offset = content
    at = (business_at - _EPOCH) // _MICROSECOND
    about = (
        f"{source}\0{id_}\0{type_}\0{at}\0{rank}\0"
        f"{'' if program is None else '=' + program}\0{'' if order_id is None else '=' + order_id}\0"
        f"{'' if traceparent is None else '=' + traceparent}\0{'' if topic is None else '=' + topic}\0"
        f"{'' if partition is None else f'={partition}'}\0{'' if record_offset is None else f'={record_offset}'}\0"
        f"{digest.hex()}\0"
    )
    return about.encode() + body


def content_of(fact: Event) -> Content:
    """What is kept of a fact."""
    said = (fact.source, fact.id, fact.type, fact.time, fact.rank, fact.program, fact.order_id, fact.digest, fact.body)
    return Content._make((*said, fact.traceparent, *(fact.origin or NO_ORIGIN)))


def salts() -> Iterator[bytes]:
    """Random salts; the system is asked for many at once."""
    while True:
        many = os.urandom(SALT_BYTES * SALTS_AT_ONCE)
        for place in range(0, len(many), SALT_BYTES):
            yield many[place : place + SALT_BYTES]


def chained(chain: Chain, facts: Sequence[Content], new_salts: Iterator[bytes]) -> tuple[Chain, list[Proof]]:
    """The chain with these facts behind it, and what each of them is checked with."""
    place, head = chain
    proofs: list[Proof] = []
    for content, salt in zip(facts, new_salts, strict=False):
        place += 1
        leaf = leaf_of(place, salt, content)
        head = _joined(head, leaf)
        proofs.append(Proof(place, salt, leaf))
    return Chain(place, head), proofs


class Grown(NamedTuple):
    """The chain of an account after a change; what the change adds as it is kept, and `begun`, if the chain begins anew in it."""

    chain: Chain
    facts: Sequence[tuple[Content, Proof]]
    begun: Begun | None


class Chains:
    """The chains of the accounts that a transaction has at hand, each as of the revision that was read, and how they grow."""

    def __init__(self) -> None:
        self._at_hand: dict[UUID, tuple[int, Chain]] = {}
        self._begun: dict[UUID, Begun] = {}
        self._grown: dict[UUID, Grown] = {}
        self._salts = salts()

    def read(self, account_id: UUID, revision: int, chain: Chain) -> None:
        """Notes the chain of an account as it was read."""
        self._at_hand[account_id] = (revision, chain)

    def begin(self, account_id: UUID, begun: Begun) -> None:
        """Lets the chain begin anew with the change that is made next."""
        self._begun[account_id] = begun

    def unknown(self, changes: Iterable[AccountChange]) -> list[UUID]:
        """Accounts that are changed from a revision whose chain is not at hand."""
        return [
            change.account_id
            for change in changes
            if change.expected_revision and self._at_hand.get(change.account_id, (0,))[0] != change.expected_revision
        ]

    def grow(self, change: AccountChange) -> Chain:
        """The account's chain after a change."""
        begun = self._begun.get(change.account_id)
        before = begun.chain if begun is not None else self._at_hand.get(change.account_id, (0, BEGINNING))[1]
        contents = [content_of(fact) for fact in change.facts]
        chain, proofs = chained(before, contents, self._salts) if contents else (before, [])
        self._grown[change.account_id] = Grown(chain, list(zip(contents, proofs, strict=True)), begun)
        return chain

    def grown(self, change: AccountChange) -> Grown:
        """What `grow` made of a change."""
        return self._grown[change.account_id]
