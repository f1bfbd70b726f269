"""One life as the ledger kept it, beside `simulate`, beside one fold of its sorted facts, and beside its other cuttings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from contracts.events import Event
from tests.differential.lives import Crowd, Life, Order
from tests.differential.playing import Cutting, Played
from tests.fold.books import Scratch, net_entries, scratch
from worker.decide.program import Program
from worker.decide.state import CLOCK_SOURCE, Decision, clock_moment
from worker.decide.statement import statement
from worker.persist import Dossier
from worker.statements import as_json, of_facts, of_state
from worker.trial.simulate import Simulation

Decisions = frozenset[Decision]
Ledger = tuple[Mapping[str, Any], Counter[Any]]
_NO_LETTERS: Final = ("dropped", "duplicate")


def problems(crowd: Crowd, life: Life, plays: Mapping[tuple[Order, Cutting], Played]) -> list[str]:
    """What is wrong with a life, one line each; the first words name the kind."""
    return list(_problems(crowd, life, plays))


def _problems(crowd: Crowd, life: Life, plays: Mapping[tuple[Order, Cutting], Played]) -> Iterator[str]:
    folds: dict[object, Scratch] = {}
    ledgers: dict[tuple[Order, Cutting], Ledger] = {}
    simulated: dict[object, Any] = {}
    for (order, cutting), played in plays.items():
        where = f"{order}, {cutting}"
        yield from (f"{text} ({where})" for text in played.problems)
        dossier = played.dossier
        key = (order, _decisions(dossier))
        if key not in simulated:
            simulated[key] = _simulate(crowd, life, order, dossier)
        yield from (f"{text} ({where})" for text in _beside_simulate(crowd, life, played, simulated[key]))
        if dossier is None or dossier.row is None or dossier.row.fenced is not None:
            continue
        names = tuple(sorted((fact.source, fact.id, fact.digest) for fact in dossier.facts))
        fold = folds.get((names, key[1]))
        if fold is None:
            fold = folds[names, key[1]] = scratch(crowd.program, dossier.facts, _by_name(dossier), crowd.end, crowd.end)
        ledgers[order, cutting] = yield from _beside_fold(crowd, dossier, fold, where)
    yield from _cuttings(life, crowd, plays, ledgers)


def _decisions(dossier: Dossier | None) -> frozenset[tuple[str, str, str, int, str | None]]:
    found = dossier.decisions if dossier is not None else ()
    return frozenset((each.source, each.id, each.verdict, each.points, each.reason) for each in found)


def _by_name(dossier: Dossier) -> dict[tuple[str, str], Decision]:
    return {(each.source, each.id): each for each in dossier.decisions}


# -- beside simulate


def _simulate(crowd: Crowd, life: Life, order: Order, dossier: Dossier | None) -> Simulation:
    decisions = dossier.decisions if dossier is not None else ()
    told = {(each.source, each.id): each for each in decisions if each.source != CLOCK_SOURCE}
    paid = {life.member: [*(each for each in decisions if each.source == CLOCK_SOURCE), Decision(*clock_moment(crowd.end).name, "accepted", 0)]}
    simulation = Simulation(crowd.program, told, paid)
    for each in life.in_order(order):
        if each.event is not None:
            simulation.deliver(each.event, each.at(order))
    simulation.run_clock(crowd.end)
    return simulation


def _beside_simulate(crowd: Crowd, life: Life, played: Played, simulation: Simulation) -> Iterator[str]:
    counts = Counter({reason: count for reason, count in simulation.counts.items() if reason not in _NO_LETTERS and count})
    broken = sum(each.event is None for each in life.tellings)
    letters = Counter({r: count for r, count in played.letters.items() if r in ("order_conflict", "conflict", "unknown_order") or r in counts})
    if letters != counts or played.letters.total() - letters.total() != broken:
        yield f"dead letters: {dict(played.letters)}, simulate counts {dict(counts)} and {broken} broken"
    dossier, ledger = played.dossier, simulation.ledgers.get(life.member)
    if dossier is None or ledger is None or ledger.row is None or dossier.row is None:
        if (dossier is None or dossier.row is None) != (ledger is None or ledger.row is None):
            yield f"account: {'none' if dossier is None else 'one'} in the ledger, not so in simulate"
        return
    if dossier.row.fenced is not None:
        return
    ours, theirs = {(fact.source, fact.id): fact.digest for fact in dossier.facts}, {k: f.digest for k, f in ledger.facts.items()}
    if ours != theirs:
        yield f"facts kept: not those of simulate: {_different(ours, theirs)}"
        return
    if _by_name(dossier) != ledger.decisions:
        yield f"decisions: not those of simulate: {_different(_by_name(dossier), ledger.decisions)}"
    mine = as_json(_statement_of_state(dossier, crowd))
    his = as_json(simulation.statement(life.member, crowd.end, "then"))
    if {**mine, "version": 0} != {**his, "version": 0}:
        yield f"statement: not that of simulate: {_different(mine, his)}"


def _statement_of_state(dossier: Dossier, crowd: Crowd) -> Any:
    assert dossier.row is not None
    account = of_state(dossier, crowd.program, crowd.end)
    return statement(account, dossier.row.member_id, dossier.row.version, crowd.end, "then")


# -- beside a fold


def _beside_fold(crowd: Crowd, dossier: Dossier, fold: Scratch, where: str) -> Iterator[str]:
    assert dossier.row is not None
    member, version = dossier.row.member_id, dossier.row.version
    kept = as_json(_statement_of_state(dossier, crowd))
    ours = as_json(statement(of_facts(dossier, crowd.program, crowd.end), member, version, crowd.end, "then"))
    if ours != kept:
        yield f"statement: of the facts not that of the state: {_different(kept, ours)} ({where})"
    pure = as_json(statement(fold.account, member, version, crowd.end, "then"))
    if pure != kept:
        yield f"statement: of a fold of sorted facts not that of the state: {_different(kept, pure)} ({where})"
    if fold.account.decided != _by_name(dossier):
        yield f"decisions: the fold takes others: {_different(_by_name(dossier), fold.account.decided)} ({where})"
    posted = net_entries((each.moment, each.entry) for each in dossier.entries)
    folded = net_entries((step.moment, entry) for step in fold.steps for entry in step.entries)
    if posted != folded:
        yield f"entries: not those of a fold of sorted facts: {_different(posted, folded)} ({where})"
    return {**kept, "version": 0}, posted


# -- beside other cuttings


def _cuttings(
    life: Life, crowd: Crowd, plays: Mapping[tuple[Order, Cutting], Played], ledgers: Mapping[tuple[Order, Cutting], Ledger]
) -> Iterator[str]:
    first: dict[object, tuple[tuple[Order, Cutting], Ledger]] = {}
    for place, ledger in ledgers.items():
        dossier = plays[place].dossier
        facts = frozenset((fact.source, fact.id, fact.digest) for fact in dossier.facts) if dossier is not None else frozenset()
        other, known = first.setdefault((facts, _decisions(dossier)), (place, ledger))
        if known != ledger:
            yield f"cuttings: same facts and decisions, other ledgers: {_different(known[0], ledger[0])} ({other}, {place})"
    on_time = {_decisions(plays[place].dossier): place for place in ledgers if place[0] == "on_time"}
    if len(on_time) > 1:
        one, two, *_ = on_time
        yield f"verdicts: by where batches end: {sorted(one ^ two, key=str)}"
    if not any(played.letters for played in plays.values()):
        kept = {place: frozenset((f.source, f.id) for f in played.dossier.facts) if played.dossier else frozenset() for place, played in plays.items()}
        some, *others = kept.values()
        if missing := next((some ^ each for each in others if each != some), None):
            yield f"facts kept: other ones in another order or cutting: {sorted(missing)}"


def _different(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> str:
    return "; ".join(f"{key}: {one.get(key)!r} / {other.get(key)!r}" for key in {**one, **other} if one.get(key) != other.get(key))[:600]
