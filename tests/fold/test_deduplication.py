"""Of facts that came before, or contradict what came before, none is folded; which of them, does not hang on the batches."""

from __future__ import annotations

import json
from typing import Any

from contracts.events import Event
from tests.rules.story import instant, line
from worker.decide.arrivals import change_by
from worker.decide.deduplication import Deduplicated, deduplicate
from worker.decide.order_records import Order
from worker.decide.orders import content_of
from worker.decide.refold import Clock
from worker.decide.state import ItemKey, blank


def fact(id_: str, type_: str = "points.adjusted", **data: Any) -> Event:
    told = {"member_id": "M1", **({"points": 5, "reason": "support"} if type_ == "points.adjusted" else {}), **data}
    return Event.from_stored("story", id_, type_, instant("2024-03-01"), "lenovo-pro", None, json.dumps(told).encode())


def order(id_: str, order_id: str = "A", price: int = 1_000) -> Event:
    told = {"store": "lenovo_pro_jp", "payment_method": "credit_card", "lines": [line(price)]}
    return fact(id_, "order.placed", order_id=order_id, **told)


def rows(fact: Event, **status: Any) -> dict[ItemKey, Any]:
    """The row of an order that was placed."""
    assert fact.order_id is not None
    kept = Order(
        order_id=fact.order_id,
        source=fact.source,
        id=fact.id,
        placed_at=fact.time,
        terms="",
        lines=(),
        content=content_of(fact.body),
        **status,
    )
    return {("order", fact.order_id): kept}


def names(deduplicated: Deduplicated) -> tuple[str, str, list[tuple[str, str]]]:
    """Ids by what became of the facts: fresh, repeated, refused and why."""
    return (
        "".join(each.id for each in deduplicated.fresh),
        "".join(each.id for each in deduplicated.duplicates),
        [(each.id, reason) for each, reason, _ in deduplicated.conflicts],
    )


def test_a_fact_that_came_before_is_a_repeat_and_other_content_under_its_id_is_refused() -> None:
    one, other = fact("a"), fact("a", points=6)
    assert names(deduplicate([one], {}, {})) == ("a", "", [])
    assert names(deduplicate([one, other], {("story", "a"): one.digest}, {})) == ("", "a", [("a", "conflict")])
    assert names(deduplicate([one, one, other], {}, {})) == ("a", "a", [("a", "conflict")])
    ((_, _, detail),) = deduplicate([other], {("story", "a"): one.digest}, {}).conflicts
    assert detail == "id: this source and id were used for other content before"


def test_a_repeat_of_what_was_kept_without_the_person_is_a_repeat() -> None:
    joined = fact("a", "member.registered", country="JP")
    kept = joined.without_person().digest
    assert kept != joined.digest
    assert names(deduplicate([joined], {("story", "a"): kept}, {}, nameless=True)) == ("", "a", [])
    assert names(deduplicate([joined], {("story", "a"): kept}, {})) == ("", "", [("a", "conflict")])


def test_a_repeat_of_what_was_kept_without_the_person_is_one_beside_facts_that_are_taken_one_by_one_too() -> None:
    joined = fact("a", "member.registered", country="JP")
    facts, seen = [joined, order("b"), order("c", price=2_000)], {("story", "a"): joined.without_person().digest}
    sifted = deduplicate(facts, seen, {}, nameless=True)
    assert sifted.doubtful
    _, found = change_by(facts, sifted, blank(), Clock(None, None), seen, {}, None, lambda *_: None)
    assert names(found)[1:] == ("a", [])


def test_other_content_is_refused_even_where_it_differs_in_nothing_that_the_contract_names() -> None:
    plain, noted = fact("a", "member.registered", country="JP"), fact("a", "member.registered", country="JP", note="otherwise")
    nobody = fact("a", "member.registered", country="JP").without_person()
    assert noted.without_person().digest == nobody.digest
    for one, other in ((plain, noted), (noted, plain), (nobody, noted)):
        assert names(deduplicate([one, other], {}, {})) == ("a", "", [("a", "conflict")])
        assert names(deduplicate([other], {("story", "a"): one.digest}, {})) == ("", "", [("a", "conflict")])


def test_an_order_that_stands_is_repeated_with_its_content_and_contradicted_with_other() -> None:
    first = order("a")
    assert names(deduplicate([order("b"), order("c", price=2_000)], {}, rows(first))) == ("", "b", [("c", "order_conflict")])
    ((_, _, detail),) = deduplicate([order("c", price=2_000)], {}, rows(first)).conflicts
    assert detail == "data.order_id: the order was placed before with other content; the first stands"


def test_an_order_that_was_refused_or_waits_does_not_stand_in_the_way_of_another() -> None:
    for status in ("rejected", "waiting"):
        assert names(deduplicate([order("b", price=2_000)], {}, rows(order("a"), status=status))) == ("b", "", [])


def test_a_second_order_of_one_batch_waits_for_what_becomes_of_the_first() -> None:
    first, second = order("a"), order("b", price=2_000)
    for status, folded, found in (
        ("open", False, ("ad", "", [("b", "order_conflict")])),
        ("rejected", True, ("adb", "", [])),
    ):
        deduplicated = deduplicate([first, second, fact("d")], {}, {})
        assert (names(deduplicated), [each.id for each in deduplicated.doubtful]) == (("ad", "", []), ["b"])
        assert deduplicated.settle({}, rows(first, status=status)) is folded
        assert (names(deduplicated), deduplicated.doubtful) == (found, [])


def test_a_repeat_of_a_doubtful_fact_is_as_doubtful() -> None:
    first, second = order("a"), order("b", price=2_000)
    deduplicated = deduplicate([first, second, second, fact("b")], {}, {})
    assert [each.id for each in deduplicated.doubtful] == ["b", "b", "b"]
    while deduplicated.doubtful:
        deduplicated.settle({}, rows(first, status="rejected"))
    assert names(deduplicated) == ("ab", "b", [("b", "conflict")])


def test_an_order_under_the_id_of_a_repeated_one_is_told_at_once() -> None:
    first = order("a")
    assert names(deduplicate([first, order("b", price=2_000)], {("story", "a"): first.digest}, rows(first))) == (
        "",
        "a",
        [("b", "order_conflict")],
    )
