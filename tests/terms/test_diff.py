"""`loyalty program diff`: the same history under two terms, before anything is live."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.events import Event, OrderPlaced
from tests.cli.conftest import DAY, Run, Shop, full_shop, run, shop
from tests.fold import variants
from tests.fold.histories import history
from worker.cli.simulation import Reading
from worker.programs.terms_file import load, shipped
from worker.simulation.simulate import Simulation
from worker.simulation.whatif import Histories, Total, compare, figures

__all__ = ["full_shop", "run", "shop"]

AT = "2026-11-20T21:00:00+09:00"


def test_the_same_terms_change_nothing(run: Run) -> None:
    answer = run("program", "diff", "lenovo-pro", "lenovo-pro", "--events", DAY, "-o", "json")
    assert answer.code == 0
    assert answer.json["members"] == []
    assert (answer.json["total"]["members"], answer.json["total"]["changed"]) == (6, 0)
    assert answer.json["total"]["earned"][0] > 0


def test_each_member_and_the_sums_tell_what_changes(run: Run) -> None:
    twice = ("--set", "earning.components.basic.rates.0.rate.per=100", "--set", "tiers.levels.1.threshold=10000")
    rows = [
        json.loads(row)
        for row in run(
            "program", "diff", "belle-maison", "belle-maison", *twice, "--events", DAY, "-o", "ndjson"
        ).out.splitlines()
    ]
    members, total = rows[:-1], rows[-1]["total"]
    assert {row["member_id"] for row in members} == {f"BM-20{number}" for number in range(1, 7)}
    assert all(row["earned"][1] > row["earned"][0] for row in members)
    for name in ("available", "earned", "lapsed"):
        change = sum(row[name][1] - row[name][0] for row in members if name in row)
        assert total[name][1] - total[name][0] == change
    table = run("program", "diff", "belle-maison", "belle-maison", *twice, "--events", DAY, "--top", "2")
    assert table.out.startswith("6 of 6 members change")
    assert "Members with most to change" in table.out
    assert run("program", "diff", "belle-maison", "belle-maison", *twice, "--events", DAY, "--top", "0").code == 0


def test_a_redemption_that_new_terms_refuse_takes_its_order_along(run: Run) -> None:
    more = ("--set", "redemption.minimum=2000")
    answer = run("program", "diff", "lenovo-pro", "lenovo-pro", *more, "--events", DAY, "-o", "json")
    (member,) = answer.json["members"]
    assert member["member_id"] == "LP-101"
    assert member["refused"] == [0, 1]
    assert member["used"] == [1000, 0]


@pytest.mark.parametrize("program", ["lenovo-pro", "belle-maison"])
def test_the_ledger_is_compared_as_the_file_that_it_was_made_of(run: Run, full_shop: Shop, program: str) -> None:
    arguments = ("program", "diff", program, program, "--set", "expiry.terms.0.months=1", "--at", AT, "-o", "json")
    from_file = run(*arguments, "--events", DAY).json
    from_ledger = run(*arguments, "--database", environment=full_shop.environment).json
    assert sorted(from_ledger["members"], key=lambda row: str(row["member_id"])) == from_file["members"]
    assert from_ledger["total"] == from_file["total"]


def test_what_is_wrong_with_the_arguments_is_one_line(run: Run) -> None:
    assert run("program", "diff", "lenovo-pro", "lenovo-pro").mistakes == ["give the history: either --events FILE or --database"]
    assert run("program", "diff", "lenovo-pro", "nothing", "--events", DAY).code == 2
    assert run("program", "diff", "lenovo-pro", "lenovo-pro", "--set", "earning.rounding.mode=down", "--events", DAY).code == 2


@pytest.mark.parametrize("code", sorted(shipped()))
def test_figures_are_those_of_a_simulation(code: str) -> None:
    program = variants.as_shipped(code)
    life = history(program, 11, members=6)
    simulation, histories = Simulation(program), Histories([program])
    for event in life.events:
        simulation.deliver(event)
        histories.add(event)
        histories.add(event)
    simulation.run_clock(life.end)
    total = Total()
    for member, facts in histories.members():
        found = compare(program, program, member, facts, life.end)
        total.add(found)
        assert not found.any
        head = simulation.ledgers[member].row
        assert head is not None
        numbers = found.old.numbers
        assert (numbers["available"], numbers["pending"], numbers["held"]) == (
            head.head.available,
            head.head.pending,
            head.head.held,
        )
    assert total.members == len(simulation.ledgers)


def test_events_may_come_before_the_order_that_they_are_about() -> None:
    program = load(shipped()["belle-maison"])
    events = list(Reading(Path(DAY)).events())
    answers = []
    for order in (events, events[::-1]):
        histories = Histories([program])
        for event in order:
            histories.add(event)
        answers.append(
            {
                member: figures(program, sorted(facts, key=lambda fact: fact.key), datetime(2027, 1, 1, tzinfo=UTC))
                for member, facts in histories.members()
            }
        )
    assert answers[0] == answers[1]


@pytest.mark.parametrize("first", ["M1", None])
def test_orders_of_one_id_are_kept_and_contested_as_in_a_ledger(first: str | None) -> None:
    program = load(shipped()["belle-maison"])
    life = history(program, 11, members=1)
    placed = next(event for event in life.events if isinstance(event.data, OrderPlaced))
    events = [
        _of(placed, "one", order_id="A", member_id=first),
        _of(placed, "two", order_id="A", member_id="M2"),
        _of(placed, "other", order_id="B", member_id="M2"),
    ]
    simulation, histories = Simulation(program), Histories([program])
    for event in events:
        simulation.deliver(event)
        histories.add(event)
    kept = {member: sorted(fact.id for fact in facts) for member, facts in histories.members()}
    assert kept == {member: sorted(id_ for _, id_ in ledger.facts) for member, ledger in simulation.ledgers.items()}
    assert kept.get("M2") == ["A", "other", "two"], "A is the fact that the order is contested"


def _of(event: Event, id_: str, **changes: str | None) -> Event:
    body = json.dumps({**json.loads(event.body), **changes}).encode()
    return Event.from_stored(event.source, id_, event.type, event.time, event.program, None, body)
