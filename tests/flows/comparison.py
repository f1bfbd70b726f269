"""Is the ledger right? Its published versions, its own invariants, and the same events simulated from nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import Any, Final, TypeVar
from uuid import UUID

from contracts.events import Event
from contracts.statement import Statement
from tests.flows.shop import Sent
from tests.flows.system import PROGRAMS, System
from worker.decide.account import Account
from worker.decide.program import Program
from worker.decide.state import Decision
from worker.decide.statement import statement
from worker.decode import Limits, Record, decode
from worker.persist.postgres import PostgresStore
from worker.programs import registry
from worker.programs.terms_file import load, shipped
from worker.reading import statements
from worker.simulation.simulate import Simulation
from worker.upkeep import verify

_T = TypeVar("_T")
NOW_TEXT = "now"
NO_VERSION = {"version": 0}
"""How many steps a worker takes depends on the batches; what it says at the end does not."""

LEFT_WAITING: Final = """
SELECT DISTINCT order_id FROM parked p JOIN order_route r USING (order_id)
WHERE p.program IS NOT NULL OR cardinality(r.programs) = 0 OR cardinality(array_remove(r.account_ids, NULL)) > 0
LIMIT 10
"""
"""What waits though nothing is missing any more: all but what names no program and follows an order of nobody, whose id an order
of some program may have yet."""


@dataclass(slots=True)
class StoredAccounts:
    """What a worker's database says: statements by program and member, and every verdict."""

    at: datetime
    statements: dict[str, dict[str, Statement]] = field(default_factory=lambda: {code: {} for code in PROGRAMS})
    verdicts: dict[tuple[str, str], Decision] = field(default_factory=dict)

    def count(self, verdict: str) -> int:
        """How many redemptions were accepted or rejected."""
        return sum(each.verdict == verdict for each in self.verdicts.values())


async def sound(system: System, processes: int = 1) -> StoredAccounts:
    """Read the whole ledger once, and fail if anything is amiss: versions, invariants, facts folded anew, what is parked."""
    published = (await system.published(["loyalty.balance-changed"])).first_versions()
    books = StoredAccounts(datetime.now(UTC))
    async with system.store() as store:
        assert [violation async for violation in store.verify()] == []
        assert await store.drainable(10) == []
        assert await system.sql(LEFT_WAITING) == []
    accounts = [row["account_id"] for row in await system.sql("SELECT account_id FROM account ORDER BY account_id")]
    parts = [(system.dsn, accounts[number::processes], books.at) for number in range(processes)]
    for versions, part in await asyncio.to_thread(_spread, _read, parts):
        for key, last in versions.items():
            told = published.pop(key, [])
            assert told == list(range(1, last + 1)), f"{key} stands at version {last}, told were {told}"
        books.verdicts |= part.verdicts
        for code, found in part.statements.items():
            books.statements[code] |= found
    assert not published
    return books


def _spread(work: Callable[..., _T], parts: Sequence[tuple[Any, ...]]) -> list[_T]:
    """The work on each part; several in processes of their own."""
    if len(parts) == 1:
        return [work(*parts[0])]
    with ProcessPoolExecutor(len(parts), mp_context=get_context("spawn")) as pool:
        return list(pool.map(work, *zip(*parts, strict=True)))


def _read(dsn: str, accounts: Sequence[UUID], at: datetime) -> tuple[dict[str, int], StoredAccounts]:
    return asyncio.run(read_accounts(dsn, accounts, at))


async def read_accounts(dsn: str, accounts: Sequence[UUID], at: datetime) -> tuple[dict[str, int], StoredAccounts]:
    """The version of each account by its key, and what the accounts say; each is folded anew from its facts."""
    books, versions = StoredAccounts(at), dict[str, int]()
    async with await PostgresStore.open(dsn) as store:
        programs = {program.code: program for program in await registry.programs(store)}
        async for dossier in store.dossiers(accounts):
            row = dossier.row
            assert row is not None
            found = [violation.detail for violation in verify.of_account(dossier, programs)]
            assert not found, found
            versions[f"{row.program}:{row.member_id}"] = row.version
            books.verdicts |= {(each.source, each.id): each for each in dossier.decisions}
            books.statements[row.program][row.member_id] = statements.read(dossier, programs[row.program], at, NOW_TEXT)
    return versions, books


def same_as_simulated(
    books: StoredAccounts, events: Sequence[Sent], processes: int = 1, registered: Iterable[Program] | None = None
) -> None:
    """Deliver the same events, in business order, to a ledger in memory that takes the same verdicts; compare every statement.
    `registered`: the terms, if they are not those of the shipped files."""
    if registered is not None:
        for program in registered:
            _compare(program.code, books, events, program)
    elif processes == 1:
        for code in PROGRAMS:
            _compare(code, books, events)
    else:
        _spread(_compare, [(code, books, events) for code in PROGRAMS])


def _compare(code: str, books: StoredAccounts, events: Sequence[Sent], program: Program | None = None) -> None:
    kept = dict(books.statements[code])
    terms = program or load(shipped()[code])
    for member, theirs in _simulated(terms, decoded(events, books.at), books.verdicts, books.at).items():
        ours = kept.pop(member)
        same = ours.model_copy(update=NO_VERSION) == theirs.model_copy(update=NO_VERSION)
        assert same, f"the worker's: {ours}\nsimulated: {theirs}"
    assert not kept


def _simulated(
    program: Program, events: Iterable[Event], verdicts: Mapping[tuple[str, str], Decision], at: datetime
) -> dict[str, Statement]:
    simulation = Simulation(program, verdicts)
    for event in events:
        simulation.deliver(event, at)
    simulation.run_clock(at)
    found: dict[str, Statement] = {}
    for member, ledger in simulation.ledgers.items():
        assert ledger.row is not None
        # The clock stands at `at`, so the state says what folding all facts once more would.
        account = Account(program, ledger.row.head, ledger.lots, ledger.items, complete=True)
        found[member] = statement(account, member, ledger.row.version, at, NOW_TEXT)
    return found


def decoded(events: Iterable[Sent], now: datetime) -> list[Event]:
    """Events as the worker reads them."""
    found = []
    for event in events:
        one = decode(Record("t", 0, 0, 0, None, event.value(), tuple(event.headers())), now, Limits())
        assert isinstance(one, Event), one
        found.append(one)
    return found
