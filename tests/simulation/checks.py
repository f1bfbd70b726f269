"""What must be true: after each step of the accounts it touched, and of everything at the end."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from tests.fold.stored import Book, check_book, check_change, compare, scratch
from tests.simulation.post import Subscriber
from tests.simulation.stage import Commit
from tests.simulation.stages import Stage
from tests.simulation.world import Message, Said, World
from tests.stores.memory_tables import Account
from worker.decide.change import Message as Told
from worker.decide.redemption import WAITS
from worker.decide.state import SNAPSHOTS_AWAITED, blank
from worker.persist import Partition
from worker.persist.identity import account_id

KEY = b"a key of the simulation, 32 bytes"


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
    was over. `waited_out`: the newest snapshot that counts as passed only for that."""

    def __init__(self) -> None:
        self.waited_out = 0
        self._before: dict[tuple[str, str], dict[Partition, int]] = {}

    def sent(self, message: Message, ends: dict[Partition, int]) -> None:
        """A message is published when the partitions end here; what counts is the first time that something is said."""
        if message.said is not None:
            self._before.setdefault((message.said.source, message.said.id), ends)

    def check(self, commit: Commit, chain: Chain) -> None:
        """Fail if a verdict of this commit was taken too early."""
        for row, change in commit.changes:
            waited = {each.moment.name: each.snapshot for each in (row.head.waiting if row is not None else ())}
            for decision in change.decisions:
                key = (decision.source, decision.id)
                if decision.reason not in WAITS:
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


def check_told(stage: Stage, subscriber: Subscriber, expected_letters: int) -> None:
    """Who reads only what is published knows every account."""
    assert len(stage.tables.dead_letters) == expected_letters
    assert not stage.tables.outbox
    versions = dict(subscriber.versions)
    for account in stage.tables.accounts.values():
        row = account.row
        key = f"{row.program}:{row.member_id}".encode()
        assert versions.pop(key, 0) == row.version, f"{key!r}: not every version was published"
        known = subscriber.balances.get(key, (0, 0, 0))
        assert known == (row.head.available, row.head.pending, row.head.held), f"{key!r}: the last balance is {known}"
        if key in subscriber.tiers:
            assert row.head.tier is not None
            assert subscriber.tiers[key] == row.head.tier.name, f"{key!r}: the last tier told is not the tier"
    assert not versions, "balances of nobody were published"
    values = {letter.record.value or b"" for letter in stage.tables.dead_letters.values()}
    assert values <= {value or b"" for value in subscriber.letters}, "a dead letter was not published"


def check_nothing_lost(stage: Stage, messages: Iterable[tuple[Message, Partition, int]]) -> int:
    """Each message became what it should, once; returns how many dead letters there must be."""
    delivered = list(messages)
    records = [letter.record for letter in stage.tables.dead_letters.values()]
    letters = {(record.topic, record.partition, record.offset) for record in records}
    waits = {key: event for key, (_, event) in stage.tables.parked.items()}
    known = {order for order, route in stage.tables.routes.items() if route.known and not route.of_nobody}
    assert not [key for key in waits if key[0] in known], "something is parked for an order that has come"
    bodies = _bodies(stage)
    contents: dict[tuple[str, str], set[bytes]] = {}
    for message, _, _ in delivered:
        if message.said is not None:
            contents.setdefault((message.said.source, message.said.id), set()).add(message.said.body)
    dead = sum(
        _fate(stage, message, (*place, offset) in letters, bodies, waits, contents) for message, place, offset in delivered
    )
    made_again = sum(record.offset < 0 for record in records)
    return dead + made_again


def _bodies(stage: Stage) -> dict[tuple[str, str], bytes]:
    found: dict[tuple[str, str], bytes] = {}
    for account in stage.tables.accounts.values():
        for key, (_, fact) in account.facts.items():
            assert key not in found, f"{key} is a fact of two accounts"
            found[key] = fact.body
    return found


def _fate(
    stage: Stage,
    message: Message,
    dead: bool,
    bodies: Mapping[tuple[str, str], bytes],
    waits: Mapping[tuple[str, str, str], object],
    contents: Mapping[tuple[str, str], set[bytes]],
) -> bool:
    """Whether a message is a dead letter; fails if it should not be, or is nowhere."""
    said = message.said
    if said is None:
        assert dead, f"message {message.number} is garbage, and no dead letter"
        return True
    key = (said.source, said.id)
    who = f"message {message.number} ({said.type} {said.id})"
    if dead:
        again = said.type == "order.placed" and any(body != said.body for body in _placed(stage, said))
        assert len(contents[key]) > 1 or again, f"{who} is a dead letter, and nothing is wrong with it"
        return True
    if key in bodies:
        assert bodies[key] == said.body or len(contents[key]) > 1, f"{who} says something else in the ledger"
        return False
    if said.home is None:
        return False
    if said.type == "order.placed":
        assert said.body in _placed(stage, said), f"{who} was lost"
        return False
    waiting = (said.order_id or "", *key) in waits
    assert waiting or len(contents[key]) > 1, f"{who} was lost"
    return False


def _placed(stage: Stage, said: Said) -> set[bytes]:
    """What the other facts say that place the order of this id."""
    account = stage.tables.accounts.get(account_id(KEY, *said.home)) if said.home is not None else None
    facts = account.facts.items() if account is not None else ()
    return {
        fact.body
        for key, (_, fact) in facts
        if fact.type == "order.placed" and fact.order_id == said.order_id and key != (said.source, said.id)
    }
