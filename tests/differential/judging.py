"""One life as the ledger kept it, beside `simulate`, beside one fold of its sorted facts, and beside its other cuttings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from contracts.events import OrderPlaced
from tests.differential.lives import Crowd, Life, Order
from tests.differential.playing import Cutting, Played
from tests.fold.stored import net_entries, scratch
from worker.decide.account import Account
from worker.decide.arrivals import asks
from worker.decide.state import CLOCK_SOURCE, Decision, clock_moment
from worker.decide.statement import statement
from worker.persist import Dossier
from worker.reading.statements import as_json, of_facts, of_state
from worker.simulation.simulate import Simulation

LINE_MAX: Final = 600
Place = tuple[Order, Cutting]
Decided = frozenset[tuple[str, str, str, int, str | None]]
Ledger = tuple[Mapping[str, Any], Counter[Any]]
_NO_LETTERS: Final = ("dropped", "duplicate")
_KEPT: Final = ("conflict", "unknown_order", "ambiguous_order")


@dataclass(frozen=True, slots=True)
class _Simulated:
    """What `simulate` says of a member. `statement` None: there is no account."""

    counts: Counter[str]
    facts: Mapping[tuple[str, str], bytes]
    decisions: Mapping[tuple[str, str], Decision]
    statement: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class _Folded:
    """What folding facts says: the worker's own statement, and that, the entries and decisions of a fold from nothing."""

    of_facts: Mapping[str, Any]
    pure: Mapping[str, Any]
    entries: Counter[Any]
    decided: Mapping[tuple[str, str], Decision]


def problems(crowd: Crowd, life: Life, plays: Mapping[Place, Played]) -> list[str]:
    """What is wrong with a life, one line each; the first words name the kind."""
    return list(_Judge(crowd, life).problems(plays))


class _Judge:
    """Judges one life. What several plays have in common is folded once."""

    def __init__(self, crowd: Crowd, life: Life) -> None:
        self.crowd = crowd
        self.life = life
        self.broken = sum(each.event is None for each in life.tellings)
        self.contested = frozenset(name for names in _retold(life).values() if any(names.values()) for name in names)
        self._simulated: dict[object, _Simulated] = {}
        self._folded: dict[object, _Folded] = {}

    def problems(self, plays: Mapping[Place, Played]) -> Iterator[str]:
        ledgers: dict[Place, Ledger] = {}
        for place, played in plays.items():
            where = ", ".join(place)
            for text in self._of_play(place[0], played, place, ledgers):
                yield f"{text} ({where})"
        yield from self._between(plays, ledgers)

    def _of_play(self, order: Order, played: Played, place: Place, ledgers: dict[Place, Ledger]) -> Iterator[str]:
        yield from played.problems
        dossier = played.dossier
        decided = _decided(dossier)
        if (order, decided) not in self._simulated:
            self._simulated[order, decided] = self._simulate(order, dossier)
        simulated = self._simulated[order, decided]
        counted, lettered = Counter(simulated.counts), Counter(played.letters)
        if +counted != +Counter({reason: count for reason, count in lettered.items() if reason in (*counted, *_KEPT)}):
            yield f"dead letters: {dict(lettered)}, simulate counts {dict(counted)}"
        elif lettered.total() - counted.total() != self.broken:
            yield f"dead letters: {dict(lettered)}, and {self.broken} records break the contract"
        if dossier is None or dossier.row is None or simulated.statement is None:
            if (dossier is None) != (simulated.statement is None):
                yield f"account: {'none' if dossier is None else 'one'} in the ledger, not so in simulate"
            return
        if dossier.row.fenced is not None:
            return
        kept = self._of_state(dossier)
        posted = net_entries((each.moment, each.entry) for each in dossier.entries)
        ledgers[place] = kept, posted
        yield from self._beside_simulate(dossier, kept, simulated)
        names = tuple(sorted((fact.source, fact.id, fact.digest) for fact in dossier.facts))
        if (names, decided) not in self._folded:
            self._folded[names, decided] = self._fold(dossier)
        yield from _beside_fold(dossier, kept, posted, self._folded[names, decided])

    def _beside_simulate(self, dossier: Dossier, kept: Mapping[str, Any], simulated: _Simulated) -> Iterator[str]:
        facts = {(fact.source, fact.id): fact.digest for fact in dossier.facts}
        if facts != simulated.facts:
            yield f"facts kept: not those of simulate: {different(facts, simulated.facts)}"
            return
        mine, his = _by_name(dossier), simulated.decisions
        if any(mine.get(name) != his.get(name) for name in {**mine, **his} if name in self.contested):
            return  # told before the one that waits, another telling makes a verdict on that needless
        if any(name not in mine and each.verdict == "rejected" for name, each in his.items()):
            # The worker waits before it refuses, and what it is told meanwhile (an erasure, another amendment under the same id)
            # may make a verdict needless. That none is missing, the fold of the sorted facts says.
            return
        if _by_name(dossier) != simulated.decisions:
            yield f"decisions: not those of simulate: {different(_by_name(dossier), simulated.decisions)}"
        if kept != simulated.statement:
            yield f"statement: not that of simulate: {different(kept, simulated.statement or {})}"

    def _of_state(self, dossier: Dossier) -> Mapping[str, Any]:
        return self._told(of_state(dossier, self.life.program, self.crowd.end))

    def _told(self, account: Account) -> Mapping[str, Any]:
        return as_json(statement(account, self.life.member, 0, self.crowd.end, "then"))

    def _simulate(self, order: Order, dossier: Dossier | None) -> _Simulated:
        decisions = dossier.decisions if dossier is not None else ()
        told = {(each.source, each.id): each for each in decisions if each.source != CLOCK_SOURCE}
        come = Decision(*clock_moment(self.crowd.end).name, "accepted", 0)
        paid = {self.life.member: [*(each for each in decisions if each.source == CLOCK_SOURCE), come]}
        simulation = Simulation(self.life.program, told, paid)
        for each in self.life.in_order(order):
            if each.event is not None:
                simulation.deliver(each.event, each.at(order))
        simulation.run_clock(self.crowd.end)
        counts = Counter({reason: count for reason, count in simulation.counts.items() if reason not in _NO_LETTERS})
        ledger = simulation.ledgers.get(self.life.member)
        if ledger is None or ledger.row is None:
            return _Simulated(counts, {}, {}, None)
        facts = {key: fact.digest for key, fact in ledger.facts.items()}
        statement_ = simulation.statement(self.life.member, self.crowd.end, "then")
        return _Simulated(counts, facts, ledger.decisions, {**as_json(statement_), "version": 0})

    def _fold(self, dossier: Dossier) -> _Folded:
        fold = scratch(self.life.program, dossier.facts, _by_name(dossier), self.crowd.end)
        entries = net_entries((step.moment, entry) for step in fold.steps for entry in step.entries)
        of_facts_ = self._told(of_facts(dossier, self.life.program, self.crowd.end))
        return _Folded(of_facts_, self._told(fold.account), entries, fold.account.decided)

    def _between(self, plays: Mapping[Place, Played], ledgers: Mapping[Place, Ledger]) -> Iterator[str]:
        """The same facts under the same decisions are the same ledger; what was told on time is decided the same in any cutting;
        and where nothing is refused, the same facts are kept in any order."""
        dossiers = {place: dossier for place in ledgers if (dossier := plays[place].dossier) is not None}
        facts = {place: frozenset((fact.source, fact.id) for fact in each.facts) for place, each in dossiers.items()}
        # Of two contents under one source and id the one that comes first is kept.
        kept = {place: frozenset((fact.source, fact.id, fact.digest) for fact in each.facts) for place, each in dossiers.items()}
        decided = {place: _decided(each) for place, each in dossiers.items()}
        first: dict[object, Place] = {}
        for place, ledger in ledgers.items():
            other = first.setdefault((kept[place], decided[place]), place)
            if ledger != ledgers[other]:
                what = "; ".join(different(mine, his) for mine, his in zip(ledgers[other], ledger, strict=True))
                yield f"cuttings: same facts and decisions, other ledgers: {what} ({other}, {place})"
        on_time = [verdicts for place, verdicts in decided.items() if place[0] == "on_time"]
        if len({*on_time}) > 1:
            yield f"verdicts: by where batches end: {sorted(on_time[0] ^ on_time[1], key=str)}"
        if not any(played.letters for played in plays.values()) and len({*facts.values()}) > 1:
            some = next(iter(facts.values()))
            others = sorted({name for each in facts.values() for name in each ^ some})
            yield f"facts kept: other ones in another order or cutting: {others}"


def _retold(life: Life) -> dict[str, dict[tuple[str, str], bool]]:
    """The tellings of orders that were told more than once, and which of them ask for points. The worker waits before it refuses
    the first one, and may be told another meanwhile; `simulate` decides at once.
    """
    told: dict[str, dict[tuple[str, str], bool]] = {}
    for each in life.tellings:
        if each.event is not None and isinstance(each.event.data, OrderPlaced):
            told.setdefault(each.event.data.order_id, {})[each.event.source, each.event.id] = asks(each.event)
    return {order_id: names for order_id, names in told.items() if len(names) > 1}


def _beside_fold(dossier: Dossier, kept: Mapping[str, Any], posted: Counter[Any], fold: _Folded) -> Iterator[str]:
    if fold.of_facts != kept:
        yield f"statement: of the facts not that of the state: {different(kept, fold.of_facts)}"
    if fold.pure != kept:
        yield f"statement: of a fold of sorted facts not that of the state: {different(kept, fold.pure)}"
    if fold.decided != _by_name(dossier):
        yield f"decisions: a fold of sorted facts takes others: {different(_by_name(dossier), fold.decided)}"
    if fold.entries != posted:
        yield f"entries: not those of a fold of sorted facts: {different(posted, fold.entries)}"


def _decided(dossier: Dossier | None) -> Decided:
    found = dossier.decisions if dossier is not None else ()
    return frozenset((each.source, each.id, each.verdict, each.points, each.reason) for each in found)


def _by_name(dossier: Dossier) -> dict[tuple[str, str], Decision]:
    return {(each.source, each.id): each for each in dossier.decisions}


def different(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> str:
    """What two have under the same names and is not the same, as far as a line may be long."""
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return "; ".join(f"{name}: {one.get(name)!r} / {other.get(name)!r}" for name in names)[:LINE_MAX]
