"""What must be true: after each step of the accounts it touched, and of everything at the end."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from contracts.events import Event
from contracts.events.erasure import without_person
from contracts.events.event import follows
from tests.fold.stored import Book, check_book, check_change, compare, scratch
from tests.simulation.post import Subscriber
from tests.simulation.stage import Commit
from tests.simulation.stages import Stage
from tests.simulation.world import Home, Message, Said, World
from tests.stores.memory_tables import Account
from worker.decide.change import FORGOTTEN
from worker.decide.change import Message as Told
from worker.decide.state import SNAPSHOTS_AWAITED, blank
from worker.decode import Record
from worker.persist import Partition
from worker.persist.identity import account_id
from worker.upkeep.verify import of_account

KEY = b"a key of the simulation, 32 bytes"
INDEX_BYTES_MAX = 2_600
"""The longest key that an index of Postgres takes, less what lies beside it."""
TURNED_BY_NEWS = frozenset(
    {
        *("not_a_member", "unknown_order", "unknown_redemption", "redemption_ended", "redemption_mismatch", "deadline_passed"),
        "insufficient_points",
    }
)
"""Refusals that news of what was before may turn, by the contract."""


class Chain:
    """Follows positions from commit to commit: every record is in exactly one."""

    def __init__(self) -> None:
        self.next: dict[Partition, int] = {}

    def follow(self, commit: Commit) -> None:
        """Fail if a batch was committed that does not go on where the one before ended."""
        for move in commit.moves:
            place = (move.topic, move.partition)
            known = self.next.get(place)
            assert move.from_offset == known, f"{place}: a batch from {move.from_offset} was committed, it stood at {known}"
            self.next[place] = move.next_offset


class Promise:
    """A redemption is refused for want of something only when all was read that was published before it, unless the longest wait
    was over, or its order was told again and that telling accepted. No verdict is given in a life that was over, but that its
    orders may use no more points. `waited_out`: the newest snapshot that counts as passed only for the longest wait."""

    def __init__(self) -> None:
        self.waited_out = 0
        self._before: dict[tuple[str, str], dict[Partition, int]] = {}
        self._orders: dict[tuple[str, str], str | None] = {}
        self._times: dict[tuple[str, str], datetime] = {}
        self._followers: set[tuple[str, str]] = set()
        self._accepted: set[tuple[UUID, str]] = set()

    def sent(self, message: Message, ends: dict[Partition, int]) -> None:
        """A message is published when the partitions end here; what counts is the first time that something is said."""
        if message.said is not None:
            self._before.setdefault((message.said.source, message.said.id), ends)
            self._orders.setdefault((message.said.source, message.said.id), message.said.order_id)
            self._times.setdefault((message.said.source, message.said.id), message.said.time)
            if follows(message.said.type):
                self._followers.add((message.said.source, message.said.id))

    def check(self, commit: Commit, chain: Chain) -> None:
        """Fail if a verdict of this commit was taken too early."""
        for row, change in commit.changes:
            waited = {each.moment.name: each.snapshot for each in (row.head.waiting if row is not None else ())}
            # Whichever telling came first: what was accepted for the order before, or is in this commit, stands.
            for decision in change.decisions:
                if decision.verdict == "accepted" and (order := self._orders.get((decision.source, decision.id))) is not None:
                    self._accepted.add((change.account_id, order))
            ended = row.head.erased_at if row is not None else None
            for decision in change.decisions:
                key = (decision.source, decision.id)
                later = ended is not None and key in self._times and self._times[key] > ended
                of_its_order = key in self._followers and decision.verdict == "rejected"
                assert not later or decision.withdraws or of_its_order, f"{key} was decided in a life that was over"
                if decision.reason not in TURNED_BY_NEWS or (change.account_id, self._orders[key] or "") in self._accepted:
                    continue
                assert key in waited, f"{key} was refused when it was first folded"
                unread = [place for place, end in self._before[key].items() if (chain.next.get(place) or 0) < end]
                over = waited[key] + SNAPSHOTS_AWAITED <= self.waited_out
                assert over or not unread, f"{key} was refused before {unread} were read up to where they ended when it came"


def check_commit(commit: Commit) -> set[UUID]:
    """Each committed change goes on from the row that it replaced; returns the accounts."""
    for row, change in commit.changes:
        assert change.expected_revision == (row.revision if row is not None else 0), "written over another worker's change"
        check_change(change, row.head if row is not None else blank(), row.version if row is not None else 0)
    return {change.account_id for _, change in commit.changes}


def check_accounts(stage: Stage, accounts: Collection[UUID]) -> None:
    """The invariants of these accounts; none of them is fenced, and nothing is announced that is not committed."""
    found = stage.unsound(accounts)
    assert not found, "; ".join(found)


def check_verified(world: World, stage: Stage, accounts: Collection[UUID]) -> None:
    """The ledger's own check finds nothing wrong, whatever waits."""
    found = [each for dossier in stage.kept_of(accounts) for each in of_account(dossier, world.programs)]
    assert not found, f"verify finds fault with what is sound: {found}"


def check_progress(stage: Stage, before: Mapping[UUID, int], until: datetime) -> None:
    """Who was due and was taken was changed, or is not due any more. `before`: revisions by account."""
    for account, revision in before.items():
        row = stage.heads()[account]
        due_at = row.head.next_due_at
        if row.revision == revision and due_at is not None and due_at <= until:
            raise AssertionError(f"{row.program}:{row.member_id}: due at {due_at}, taken up to {until}, and nothing changed")


def check_names(stage: Stage) -> None:
    """Every row's key fits into an index of Postgres."""
    for account in stage.tables.accounts.values():
        names = [f"{lot.origin}{lot.part}" for lot in account.lots.values()]
        names += ["".join(key) for key in (*account.items, *account.facts)]
        longest = max(names, key=lambda name: len(name.encode()), default="")
        assert len(longest.encode()) <= INDEX_BYTES_MAX, f"a key of {len(longest.encode())} bytes: {longest[:80]}"


def check_everything(stage: Stage) -> None:
    """The invariants of the whole ledger."""
    found = stage.unsound_as_whole()
    assert not found, "; ".join(found)


def book_of(account: Account, told: list[Told]) -> Book:
    """An account of the store as the checks of the fold want it."""
    return Book(
        member_id=account.row.member_id,
        account_id=account.row.account_id,
        row=account.row,
        lots=account.lots,
        items=account.items,
        facts={key: fact for key, (_, fact) in account.facts.items()},
        decisions={key: decision for key, (_, decision) in account.decisions.items()},
        entries=[posted for _, posted in account.entries],
        steps=[account.steps[moment] for moment in sorted(account.steps)],
        messages=told,
    )


# -- at the end


def check_folds(world: World, stage: Stage, messages: Mapping[UUID, list[Told]]) -> None:
    """Every account is one fold of its sorted facts, given the decisions that were announced."""
    for account in stage.tables.accounts.values():
        program = world.programs[account.row.program]
        if account.row.member_id == FORGOTTEN:
            left = (account.facts, account.decisions, account.entries, account.lots, account.items, account.steps)
            assert not any(left), "something is left of who was forgotten"
            continue
        book = book_of(account, messages.get(account.row.account_id, []))
        told = dict(book.decisions)
        try:
            check_book(book, program)
            whole = scratch(program, book.facts.values(), told, world.end)
            compare(book, whole, exact_due=False)
            assert whole.account.decided == told, "the fold takes decisions of its own"
            ours, theirs = book.head.next_due_at, whole.account.head.next_due_at
            assert theirs is None or (ours is not None and ours <= theirs), f"due at {ours}, which should be {theirs}"
        except AssertionError as error:
            raise AssertionError(f"{book.row and book.row.program}:{book.member_id}: {error}") from error


def check_told(
    stage: Stage, subscriber: Subscriber, expected_letters: int, forgotten: Mapping[UUID, Forgotten]
) -> None:
    """Who reads only what is published knows every account."""
    assert len(stage.tables.dead_letters) == expected_letters
    assert not stage.tables.outbox
    versions = dict(subscriber.versions)
    for account in stage.tables.accounts.values():
        row = account.row
        name = forgotten[row.account_id].key if row.member_id == FORGOTTEN else f"{row.program}:{row.member_id}"
        key = name.encode()
        assert versions.pop(key, 0) == row.version, f"{key!r}: not every version was published"
        known = subscriber.balances.get(key, (0, 0, 0))
        assert known == (row.head.available, row.head.pending, row.head.held), f"{key!r}: the last balance is {known}"
        if key in subscriber.tiers:
            assert row.head.tier is not None
            assert subscriber.tiers[key] == row.head.tier.name, f"{key!r}: the last tier told is not the tier"
    assert not versions, "balances of nobody were published"
    values = {letter.record.value or b"" for letter in stage.tables.dead_letters.values()}
    # What named somebody who was forgotten may have been published before.
    told = {value or b"" for value in subscriber.letters} | ({b""} if forgotten else set())
    assert values <= told, "a dead letter was not published"


@dataclass(slots=True)
class Forgotten:
    """Whose account a member's was, by its key, and the accounts without a name as which it went on, oldest first."""

    key: str
    lives: list[UUID] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message that was read: at which place of its topic, and as which of all messages."""

    message: Message
    place: tuple[str, int, int]
    number: int


def check_nothing_lost(stage: Stage, delivered: Collection[Delivered], forgotten: Mapping[UUID, Forgotten]) -> int:
    """Each message became what it should, once; returns how many dead letters there must be."""
    records = [letter.record for letter in stage.tables.dead_letters.values()]
    fates = _Fates(stage, delivered, {(record.topic, record.partition, record.offset) for record in records}, forgotten)
    made_again = sum(record.offset < 0 for record in records)
    return sum(map(fates.dead, delivered)) + made_again


def _made_anew(record: Record) -> tuple[str, str] | None:
    """Source and id of an event that was kept before it was refused: its record is written anew, with the event's own time."""
    if record.headers != (("content-type", b"application/cloudevents+json"),):
        return None
    told = json.loads(record.value or b"{}")
    if "time" not in told or int(datetime.fromisoformat(told["time"]).timestamp() * 1000) != record.timestamp_ms:
        return None
    return told["source"], told["id"]


class _Fates:
    """What became of messages, beside what should."""

    def __init__(
        self,
        stage: Stage,
        delivered: Iterable[Delivered],
        letters: Collection[tuple[str, int, int]],
        forgotten: Mapping[UUID, Forgotten],
    ) -> None:
        self._letters = letters
        self._lives = {account: [(_ended(stage, life), life) for life in each.lives] for account, each in forgotten.items()}
        self._facts: dict[tuple[str, str], tuple[UUID, Event]] = {}
        self._placed: dict[str, set[UUID]] = defaultdict(set)
        self._withdrawn: set[tuple[str, str]] = set()
        self._decided: set[tuple[str, str]] = set()
        for of, account in stage.tables.accounts.items():
            self._withdrawn |= {name for name, (_, decision) in account.decisions.items() if decision.withdraws}
            self._decided |= {name for name, (_, decision) in account.decisions.items() if not decision.withdraws}
            for key, (_, fact) in account.facts.items():
                assert key not in self._facts, f"{key} is a fact of two accounts"
                self._facts[key] = (of, fact)
                if fact.type == "order.placed":
                    self._placed[fact.order_id or ""].add(of)
        self._waits = set(stage.tables.parked)
        self._routes = stage.tables.routes
        self._made_anew = {_made_anew(letter.record) for letter in stage.tables.dead_letters.values()}
        self._contents: dict[tuple[str, str], set[bytes]] = defaultdict(set)
        self._come: dict[str, dict[str, tuple[int, Home | None]]] = defaultdict(dict)
        for each in sorted(delivered, key=lambda each: each.number):
            if (said := each.message.said) is None:
                continue
            self._contents[said.source, said.id].add(said.body)
            if said.places is not None:
                self._come[said.order_id or ""].setdefault(said.places, (each.number, said.home))
        splits = [each for each in delivered if each.message.said is not None and each.message.said.brings]
        for _ in splits:  # a part may be split before its order is
            for each in splits:
                said = each.message.said
                for part in said.brings if said is not None else ():
                    for program, home in self._come[said.order_id or "" if said is not None else ""].items():
                        self._come[part].setdefault(program, home)
        for (order_id, source, id_), (_, event) in stage.tables.parked.items():
            come, owners = self._come[order_id], self._routes[order_id].accounts
            # An order of a life that is over, told when that was forgotten, is nobody's.
            of_nobody = all(home is None or (forgotten and not any(owners[program])) for program, (_, home) in come.items())
            homeless = event.program not in come if event.program is not None else of_nobody
            assert homeless, f"{source} {id_} is parked for an order that has come"

    def dead(self, each: Delivered) -> bool:
        """Whether a message is a dead letter; fails if it should not be, or is nowhere."""
        said, dead = each.message.said, each.place in self._letters
        if said is None:
            assert dead, f"message {each.message.number} is garbage, and no dead letter"
            return True
        who = f"message {each.message.number} ({said.type} {said.id})"
        come = self._come_of(said) if said.of_any else []
        if len(come) > 1:
            key = said.source, said.id
            # What has a verdict, which was told, stands.
            told = dead or key in self._withdrawn or key in self._made_anew or key in self._decided
            assert told, f"{who} could be about several orders, and is no dead letter"
            return dead
        home = (come[0][1] if come else None) if said.of_any else said.home
        return self._dead(said, who, dead, home)

    def _come_of(self, said: Said) -> list[tuple[int, Home | None]]:
        """The orders of programs that an event may be about: those that came, and were not refused."""
        route = self._routes.get(said.order_id or "")
        programs = route.accounts if route is not None else {}
        return [order for program, order in self._come[said.order_id or ""].items() if program in programs]

    def _dead(self, said: Said, who: str, dead: bool, home: Home | None) -> bool:
        key = (said.source, said.id)
        contradicted = len(self._contents[key]) > 1
        account = account_id(KEY, *home) if home is not None else None
        if account in self._lives:
            return self._of_lives(said, who, dead, account)
        if dead:
            assert contradicted, f"{who} is a dead letter, and nothing is wrong with it"
            return True
        if key in self._facts:
            of, fact = self._facts[key]
            assert fact.body == said.body, f"{who} says something else in the ledger, and is no dead letter"
            assert of == account, f"{who} is a fact of another account"
            return False
        waiting = (said.order_id or "", *key) in self._waits
        assert home is None or waiting, f"{who} was lost"
        return False

    def _of_lives(self, said: Said, who: str, dead: bool, account: UUID) -> bool:
        """The same of a member who was forgotten: each life has what happened in it, and what is told of one that is over is
        dropped."""
        key, lives = (said.source, said.id), self._lives[account]
        placed = said.type == "order.placed"
        if dead:
            # An order of a life that is over is told again, or something else is told under its name.
            assert placed or len(self._contents[key]) > 1, f"{who} is a dead letter, and nothing is wrong with it"
            return True
        if key in self._facts:
            of, fact = self._facts[key]
            theirs = said.body if of == account else without_person(said.type, said.body)
            assert fact.body == theirs or len(self._contents[key]) > 1, f"{who} says something else in the ledger"
            assert of == account or of in [life for _, life in lives], f"{who} is a fact of another account"
            if not placed and not follows(said.type):
                life = next((life for until, life in lives if said.time <= until), account)
                assert of == life, f"{who} is a fact of another life"
            else:
                placed_in = self._placed.get(said.order_id or "", set()) & {account, *(life for _, life in lives)}
                assert placed_in <= {of}, f"{who} is a fact of another life than its order"
            return False
        over = said.time <= lives[-1][0]
        waiting = (said.order_id or "", *key) in self._waits
        # Another program may have an order of that id: what names its program does not follow that one.
        placed_by = self._placed.get(said.order_id or "", set())
        ordered = placed_by if said.program is None else placed_by & {account, *(life for _, life in lives)}
        assert waiting or (not ordered if follows(said.type) else over), f"{who} was lost"
        return False


def _ended(stage: Stage, life: UUID) -> datetime:
    """When a life that was forgotten ended."""
    return min(fact.time for _, fact in stage.tables.accounts[life].facts.values() if fact.type == "member.erased")
