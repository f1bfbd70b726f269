"""A step taken back leaves the head as it was before it, whatever the step did to it."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import msgspec
import pytest
from msgspec.structs import replace

from tests.fold.histories import history
from tests.fold.variants import as_shipped
from worker.decide.account import Account
from worker.decide.fold import fold, moment_of
from worker.decide.state import Before, Head, Moment, Tier, Waiting, blank
from worker.decide.undo import head_before, undo_of
from worker.decide.undo_records import Splice, Undo
from worker.programs.terms_file import shipped

T0 = datetime(2026, 1, 1, tzinfo=UTC)
_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder(Undo).decode


def kept(before: Head, after: Head) -> Undo:
    """What is kept of a step, as it is read back."""
    return _decode(_encode(undo_of(Before(before), after)))


@pytest.mark.parametrize("code", sorted(shipped()))
def test_every_step_of_a_history_can_be_taken_back(code: str) -> None:
    program = as_shipped(code)
    life = history(program, 11, members=1, orders=30)
    facts = sorted((event for event in life.events if event.member_id is not None), key=moment_of)
    account = Account(program, blank(), {}, {}, complete=True)
    steps = fold(account, facts, life.end)
    assert len(steps) > 20
    head = account.head
    for step in reversed(steps):
        head = head_before(head, kept(step.before.head, step.after))
        assert head == step.before.head


CASES = {
    "a value that came": (blank(), replace(blank(), available=10, registered_at=T0)),
    "a value that went": (replace(blank(), pay_out_at=T0, erased_at=T0), blank()),
    "one that went back to nothing": (replace(blank(), available=5, tier=Tier("GOLD")), replace(blank(), tier=Tier("SILVER"))),
    "the clock, which looks between steps too": (blank(), replace(blank(), clock_due_at=T0, next_due_at=T0)),
    "a sum that came, one that changed, one that went": (
        replace(blank(), windows={"2026-01-01": 1, "2026-01-02": 2, "2026-01-03": 3}),
        replace(blank(), windows={"2026-01-01": 1, "2026-01-03": 4, "2026-01-04": 5}),
    ),
    "all sums gone": (replace(blank(), caps={"2026-01-01": 7}), blank()),
    "an order at the end": (replace(blank(), deliveries=("a", "b")), replace(blank(), deliveries=("a", "b", "c"))),
    "an order out of the middle": (replace(blank(), deliveries=("a", "b", "c")), replace(blank(), deliveries=("a", "c"))),
    "an order that went to the end": (replace(blank(), deliveries=("a", "b", "c")), replace(blank(), deliveries=("b", "c", "a"))),
    "the same order many times": (replace(blank(), deliveries=("a", "a")), replace(blank(), deliveries=("a", "a", "a"))),
    "no order left": (replace(blank(), deliveries=("a",)), blank()),
    "one that waits": (blank(), replace(blank(), waiting=(Waiting(Moment(T0, 1, "/shop", "e1"), 7),))),
}


@pytest.mark.parametrize("case", CASES)
def test_a_head_comes_back_after(case: str) -> None:
    before, after = CASES[case]
    assert head_before(after, kept(before, after)) == before
    assert head_before(before, kept(after, before)) == after


def test_any_tuple_of_orders_comes_back() -> None:
    rng = Random(5)
    for _ in range(2_000):
        was, now = (tuple(rng.choice("abc") for _ in range(rng.randrange(6))) for _ in range(2))
        before, after = replace(blank(), deliveries=was), replace(blank(), deliveries=now)
        assert head_before(after, kept(before, after)) == before


def test_what_a_step_left_as_it_was_is_not_kept() -> None:
    """A year of days and hundreds of open orders stand in the head, and not once more in each of its steps."""
    days = {f"2026-{month:02}-{day:02}": 1_000 + day for month in range(1, 13) for day in range(1, 29)}
    orders = tuple(f"O{number}" for number in range(500))
    before = replace(blank(), windows=days, deliveries=orders)
    after = replace(before, available=1, windows={**days, "2026-12-28": 5}, deliveries=(*orders[:250], *orders[251:]))
    undo = undo_of(Before(before), after)
    assert undo.windows == {"2026-12-28": 1_028}
    assert undo.deliveries == Splice(250, 250, ("O250",))
    assert len(_encode(undo)) < 250
