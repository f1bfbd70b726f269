"""Is the ledger right? Its published versions, its own invariants, and the same events simulated from nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from contracts.events import Event
from contracts.statement import Statement
from tests.flows.shop import Sent
from tests.flows.system import PROGRAMS, System
from worker import registry, statements, verify
from worker.decide.account import Account
from worker.decide.program import Program
from worker.decide.state import Decision
from worker.decide.statement import statement
from worker.decode import Limits, Record, decode
from worker.simulate import Simulation
from worker.terms import load, shipped

NOW_TEXT = "now"
NO_VERSION = {"version": 0}
"""How many steps a worker takes depends on the batches; what it says at the end does not."""


@dataclass(slots=True)
class Books:
    """What a worker's database says: statements by program and member, and every verdict."""

    at: datetime
    statements: dict[str, dict[str, Statement]] = field(default_factory=lambda: {code: {} for code in PROGRAMS})
    verdicts: dict[tuple[str, str], Decision] = field(default_factory=dict)

    def count(self, verdict: str) -> int:
        """How many redemptions were accepted or rejected."""
        return sum(each.verdict == verdict for each in self.verdicts.values())


async def sound(system: System) -> Books:
    """Read the whole ledger once, and fail if anything is amiss: versions, invariants, facts folded anew, what is parked."""
    published = (await system.published(["loyalty.balance-changed"])).first_versions()
    books = Books(datetime.now(UTC))
    async with system.store() as store:
        programs = {program.code: program for program in await registry.programs(store)}
        assert [violation async for violation in store.verify()] == []
        assert await store.drainable(10) == []
        assert await store.parked_since(books.at + timedelta(days=1), 10) == []
        async for dossier in store.dossiers():
            row = dossier.row
            assert row is not None
            assert list(verify.differences(dossier, programs)) == []
            assert published.pop(f"{row.program}:{row.member_id}", []) == list(range(1, row.version + 1))
            books.verdicts |= {(each.source, each.id): each for each in dossier.decisions}
            books.statements[row.program][row.member_id] = statements.read(dossier, programs[row.program], books.at, NOW_TEXT)
    assert not published
    return books


def same_as_simulated(books: Books, events: Sequence[Sent]) -> None:
    """Deliver the same events, in business order, to a ledger in memory that takes the same verdicts; compare every statement."""
    delivered = decoded(events, books.at)
    for code in PROGRAMS:
        kept = dict(books.statements[code])
        for member, theirs in _simulated(load(shipped()[code]), delivered, books.verdicts, books.at).items():
            ours = kept.pop(member)
            assert ours.model_copy(update=NO_VERSION) == theirs.model_copy(update=NO_VERSION)
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
        account.version = program.at(at)
        found[member] = statement(account, member, ledger.row.version, NOW_TEXT)
    return found


def decoded(events: Iterable[Sent], now: datetime) -> list[Event]:
    """Events as the worker reads them."""
    found = []
    for event in events:
        one = decode(Record("t", 0, 0, 0, None, event.value(), tuple(event.headers())), now, Limits())
        assert isinstance(one, Event), one
        found.append(one)
    return found
