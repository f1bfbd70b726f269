"""The temporary database of a simulation."""

from __future__ import annotations

import pytest

from tests.fold.histories import history
from worker.programs.terms_file import load, shipped
from worker.simulation import store
from worker.simulation.simulate import Simulation


def test_a_rehearsal_is_taken_back_however_often_the_book_lets_go_of_what_it_could_undo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "WRITES_KEPT_OPEN", 2)
    program = load(shipped()["lenovo-pro"])
    life = history(program, 11, members=3)
    simulation, untouched = Simulation(program), Simulation(program)
    for event in life.events:
        simulation.deliver(event)
        untouched.deliver(event)
        with simulation.rehearsed():
            simulation.run_clock(life.end)
    kept = {member: (ledger.row, ledger.lots, ledger.items, ledger.entries) for member, ledger in simulation.ledgers.items()}
    assert kept == {member: (each.row, each.lots, each.items, each.entries) for member, each in untouched.ledgers.items()}
    assert any(ledger.entries for ledger in simulation.ledgers.values())
