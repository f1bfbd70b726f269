"""What an erasure does to the rows of the store in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar
from uuid import UUID, uuid5

import msgspec
from msgspec.structs import replace as other

from contracts.events import Event
from tests.stores.memory_tables import Account, FactKey, chain_of
from worker.decide.change import FORGOTTEN, AccountRow, StoredStep, nameless
from worker.decide.lives import Told, ended_at, of_next
from worker.decide.orders import content_of
from worker.decide.state import CLOCK_SOURCE, Item, blank
from worker.persist import DeadLetter
from worker.persist.dead_letters import LetterName

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Parted:
    """Both sides of an account. `orders`: those that lead to the nameless one from now on; `asked_until`: when the life that is
    left ended, if it did."""

    nameless: Account
    left: Account
    orders: Collection[str]
    asked_until: datetime | None

    @property
    def to(self) -> UUID:
        """The id of the account that goes on without a name."""
        return self.nameless.row.account_id


def part(account: Account, until: datetime) -> Parted:
    """The account as an erasure leaves it: what happened up to an instant, and what came later."""
    row = account.row
    told = [Told(fact.source, fact.id, fact.type, fact.time, fact.order_id, fact.brings) for _, fact in account.facts.values()]
    later = of_next(told, until)
    left_keys = {(each.source, each.id) for each in later}
    ended = {key: (at, fact.without_person()) for key, (at, fact) in account.facts.items() if key not in left_keys}
    renew = _renewal({key: account.facts[key][1] for key in ended}, {key: fact for key, (_, fact) in ended.items()})
    to = uuid5(row.account_id, until.isoformat())  # else nobody could work it out, nor play it again
    gone = Account(
        AccountRow(to, row.program, nameless(to), row.revision, row.version, row.epoch, row.head, row.fenced),
        facts=ended,
        decisions={key: each for key, each in account.decisions.items() if key in ended or key[0] == CLOCK_SOURCE},
        entries=account.entries,
        lots=account.lots,
        items={key: renew(item, Item) for key, item in account.items.items()},
        steps={moment: renew(step, StoredStep) for moment, step in account.steps.items()},
    )
    left = Account(
        AccountRow(row.account_id, row.program, FORGOTTEN, row.revision + 1, row.version, row.epoch, blank()),
        facts={key: account.facts[key] for key in account.facts if key in left_keys},
        decisions={key: each for key, each in account.decisions.items() if key in left_keys},
    )
    gone.proofs = {key: account.proofs[key]._replace(salt=None) for key in ended}
    gone.chain, gone.begun = account.chain, None if account.begun is None else replace(account.begun, salt=None)
    left.proofs = {key: account.proofs[key] for key in left.facts}
    if later:
        whole = chain_of(account)
        for life in (gone, left):
            begun = chain_of(life).parted(whole)
            if begun is not None:
                life.chain, life.begun = begun.chain, begun
    placed_later = {each.order_id for each in later if each.type == "order.placed"}
    orders = {each for _, fact in ended.values() for each in (fact.order_id, *fact.brings) if each is not None} - placed_later
    return Parted(gone, left, orders, ended_at((each.type, each.at) for each in later))


def _renewal(was: Mapping[FactKey, Event], now: Mapping[FactKey, Event]) -> Callable[[_T, object], _T]:
    """Puts digests of what orders say now in place of those of what they said."""
    pairs = [
        (content_of(fact.body).encode(), content_of(now[key].body).encode())
        for key, fact in was.items()
        if fact.type == "order.placed"
    ]

    def renew(row: _T, of: object) -> _T:
        doc = msgspec.json.encode(row)
        for old, new in pairs:
            doc = doc.replace(old, new)
        renewed: _T = msgspec.json.decode(doc, type=of)
        return renewed

    return renew


def emptied(letters: Mapping[LetterName, DeadLetter], row: AccountRow, until: datetime | None) -> dict[LetterName, DeadLetter]:
    """The dead letters that name a member, without what they say. `until`: what was sent later is of another life."""
    named = row.member_id.encode()
    quoted = msgspec.json.encode(row.member_id)
    keys = (named, f"{row.program}:{row.member_id}".encode())
    found = {}
    for name, letter in letters.items():
        record = letter.record
        headers = [value for _, value in record.headers if value is not None]
        names = quoted in (record.value or b"") or record.key in keys or named in headers
        if names and (until is None or record.timestamp_ms <= until.timestamp() * 1000):
            found[name] = replace(letter, record=other(record, key=None, value=None, headers=()))
    return found


