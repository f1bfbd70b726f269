"""However much one version moves, it is announced once, by a message of bounded size whose sums are exact."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, get_args
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from contracts.events import MESSAGE_BYTES_MAX, BalanceChanged
from contracts.events.fields import ID_CHARACTERS_MAX
from contracts.generate import ROOT
from tests.fold.histories import START
from tests.fold.stored import StoredAccounts
from tests.fold.test_returns import told
from tests.fold.variants import as_shipped
from tests.rules.story import line
from worker.decide import messages, summing
from worker.decide.change import AccountChange, Message
from worker.decide.state import Before, Bucket, Entry, Head, Moment, Reason, blank, clock_moment
from worker.decide.step import Step

AT: Final = datetime(2026, 3, 1, tzinfo=UTC)
BUCKETS: Final = get_args(Bucket)
REASONS: Final = get_args(Reason)
WIDEST: Final = "\U0001f600"
"""A character of four bytes."""
SHORTEST_BYTES_MAX: Final = 120_000
"""Of an announcement in its shortest form, whatever its ids are; far less where they are those of a shop."""
SCHEMA: Final = Draft7Validator(json.loads((ROOT / "events" / "schemas" / "loyalty.balance-changed.json").read_text()))


def _id(number: int, characters: int = ID_CHARACTERS_MAX) -> str:
    name = str(number)
    return WIDEST * max(characters - len(name), 0) + name


def _entry(number: int, rules: int, days: int, characters: int) -> Entry:
    return Entry(
        reason=REASONS[number % len(REASONS)],
        points=number + 1,
        source=BUCKETS[number % 3],
        target=BUCKETS[3 + number % 6],
        rule=_id(number % rules, characters),
        kind=_id(number % 2, characters),
        lot=f"order:{_id(number, characters)}/{_id(0, characters)}",
        expires_on=date(2026, 1, 1) + timedelta(days=number % days),
        order_id=_id(number, characters),
    )


def _change() -> AccountChange:
    return AccountChange(
        account_id=UUID(int=1),
        program=_id(1),
        member_id=_id(2),
        expected_revision=0,
        version=1,
        epoch=0,
        head=blank(),
    )


def _of_step(entries: Sequence[Entry]) -> list[Message]:
    step = Step(clock_moment(AT), None, Before(blank()), blank(), list(entries))
    return messages.of_step(_change(), step)


def _of_refold(entries: Sequence[Entry]) -> list[Message]:
    rows: list[tuple[Moment, Entry]] = [(clock_moment(AT), entry) for entry in entries]
    steps = [Step(clock_moment(AT), None, Before(blank()), blank(), [])]
    return messages.of_refold(as_shipped("scolar"), _change(), Head(), 1, steps, rows)


def _moved(entries: Sequence[Mapping[str, Any]]) -> Counter[tuple[str, str, str]]:
    moved: Counter[tuple[str, str, str]] = Counter()
    for entry in entries:
        moved[entry["reason"], entry["from"], entry["to"]] += entry["points"]
    return moved


@pytest.mark.parametrize("announced", [_of_step, _of_refold])
@settings(max_examples=30, deadline=None)
@given(
    count=st.integers(1, 4_000), rules=st.integers(1, 2_000), days=st.integers(1, 2_000), characters=st.sampled_from((8, 40, 200))
)
def test_any_number_of_entries_is_told_within_the_bound_and_in_exact_sums(
    announced: Callable[[Sequence[Entry]], list[Message]], count: int, rules: int, days: int, characters: int
) -> None:
    entries = [_entry(number, rules, days, characters) for number in range(count)]
    (message,) = announced(entries)
    assert len(message.data) <= MESSAGE_BYTES_MAX
    data = json.loads(message.data)
    BalanceChanged.model_validate_json(message.data)
    wanted = Counter[tuple[str, str, str]]()
    for entry in entries:
        wanted[entry.reason, entry.source, entry.target] += entry.points
    assert _moved(data["entries"]) == wanted
    if "summed" in data:
        assert data["summed"]["entries"] == count
        assert not any("lot" in entry or "order_id" in entry for entry in data["entries"])
        groups = [tuple(entry.get(name) for name in data["summed"]["by"]) for entry in data["entries"]]
        assert len(set(groups)) == len(groups)
    else:
        assert len(data["entries"]) == count
    short = summing.in_short(message.data)
    assert len(short) <= SHORTEST_BYTES_MAX
    assert [error.message for error in SCHEMA.iter_errors(json.loads(short))] == []
    told_short = BalanceChanged.model_validate_json(short)
    assert told_short.summed is not None
    assert told_short.summed.entries == count
    assert _moved(json.loads(short)["entries"]) == wanted
    assert {name: value for name, value in json.loads(short).items() if name not in ("entries", "summed")} == {
        name: value for name, value in data.items() if name not in ("entries", "summed")
    }


def test_sums_go_no_further_than_they_must() -> None:
    by = {}
    for rules, days in ((1, 1), (1, 4_000), (2_000, 4_000)):
        (message,) = _of_step([_entry(number, rules, days, 40) for number in range(4_000)])
        by[rules, days] = json.loads(message.data)["summed"]["by"]
    assert list(by.values()) == [list(each) for each in summing.SUMMED_BY]


def test_what_was_paid_out_on_several_days_is_not_summed_over_them() -> None:
    pay_days = [AT + timedelta(days=30 * number) for number in range(3)]
    steps = [Step(clock_moment(AT), None, Before(blank()), blank(), [])]
    paid = Entry("pay_out", 1, "available", "spent", "X-1", lot="L" * 300)
    rows = [(clock_moment(pay_days[number % 3]), paid) for number in range(3_000)]
    (message,) = messages.of_refold(as_shipped("scolar"), _change(), Head(), 1, steps, rows)
    data = json.loads(message.data)
    assert data["summed"]["entries"] == 3_000
    assert {entry["effective_at"]: entry["points"] for entry in data["entries"]} == {
        at.isoformat().replace("+00:00", "Z"): 1_000 for at in pay_days
    }


def _told(books: StoredAccounts) -> list[dict[str, Any]]:
    """The changes of balances of the one account, in order of their versions."""
    (book,) = books.books.values()
    told = [message.data for message in book.messages if message.topic == "loyalty.balance-changed"]
    assert max(map(len, told)) <= MESSAGE_BYTES_MAX
    return [json.loads(data) for data in told]


def test_a_late_joining_after_many_orders_is_one_announcement_that_kafka_takes() -> None:
    program = as_shipped("lenovo-pro")
    books, member = StoredAccounts(program, checked=False), {"member_id": "M1"}
    order = {**member, "store": "lenovo_pro_jp", "payment_method": "credit_card", "lines": [line(10_000)]}
    facts = []
    for number in range(1_000):
        at, name = START + timedelta(minutes=number), f"{number:0200}"
        facts.append(told(program, "order.placed", at, f"p{number}", {**order, "order_id": name}))
        facts.append(told(program, "shipment.dispatched", at, f"s{number}", {"order_id": name, "lines": "all"}))
    books.deliver([told(program, "member.registered", START - timedelta(days=2), "r", member), *facts])
    before = len(_told(books)) if any(book.messages for book in books.books.values()) else 0
    books.deliver([told(program, "member.enrolled", START - timedelta(days=1), "e", member)])
    (late,) = _told(books)[before:]
    assert late["summed"]["entries"] == 1_000
    assert sum(each["points"] for each in late["entries"]) == late["change"]["pending"] > 0


def test_many_lots_spent_at_once_are_one_announcement_that_kafka_takes() -> None:
    program = as_shipped("lenovo-pro")
    books, member = StoredAccounts(program, checked=False), {"member_id": "M1"}
    gift = {**member, "points": 10, "reason": "a gift"}
    order = {**member, "order_id": "A", "store": "lenovo_pro_jp", "payment_method": "credit_card", "lines": [line(200_000)]}
    gifts = [
        told(program, "points.adjusted", START + timedelta(seconds=number), f"{number:0200}", gift) for number in range(2_000)
    ]
    at = START + timedelta(days=1)
    spent = told(program, "order.placed", at, "p", {**order, "points_used": 20_000})
    books.deliver([told(program, "member.enrolled", START - timedelta(days=1), "e", member), *gifts, spent])
    told_last = _told(books)[-1]
    assert (told_last["change"]["available"], told_last["summed"]["entries"]) == (-20_000, 2_001)  # and what the order earns
    assert _moved(told_last["entries"])["redeem", "available", "spent"] == 20_000
