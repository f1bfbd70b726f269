"""Of facts that came before, or contradict what came before, none is folded; which of them, does not hang on the batches."""

from __future__ import annotations

import json
from typing import Any

from contracts.events import Event
from tests.rules.story import instant, line
from worker.decide.deduplication import Deduplicated, deduplicate


def fact(id_: str, type_: str = "points.adjusted", **data: Any) -> Event:
    told = {"member_id": "M1", **({"points": 5, "reason": "support"} if type_ == "points.adjusted" else {}), **data}
    return Event.from_stored("story", id_, type_, instant("2024-03-01"), "lenovo-pro", None, json.dumps(told).encode())


def order(id_: str, order_id: str = "A", price: int = 1_000) -> Event:
    told = {"store": "lenovo_pro_jp", "payment_method": "credit_card", "lines": [line(price)]}
    return fact(id_, "order.placed", order_id=order_id, **told)


def names(deduplicated: Deduplicated) -> tuple[str, str, str]:
    """Ids by what became of the facts: fresh, repeated, refused and why."""
    return (
        "".join(each.id for each in deduplicated.fresh),
        "".join(each.id for each in deduplicated.duplicates),
        "".join(each.id for each in deduplicated.conflicts),
    )


def test_a_fact_that_came_before_is_a_repeat_and_other_content_under_its_id_is_refused() -> None:
    one, other = fact("a"), fact("a", points=6)
    assert names(deduplicate([one], {})) == ("a", "", "")
    assert names(deduplicate([one, other], {("story", "a"): one.digest})) == ("", "a", "a")
    assert names(deduplicate([one, one, other], {})) == ("a", "a", "a")


def test_a_repeat_of_what_was_kept_without_the_person_is_a_repeat() -> None:
    joined = fact("a", "member.registered", country="JP")
    kept = joined.without_person().digest
    assert kept != joined.digest
    assert names(deduplicate([joined], {("story", "a"): kept}, nameless=True)) == ("", "a", "")
    assert names(deduplicate([joined], {("story", "a"): kept})) == ("", "", "a")


def test_other_content_is_refused_even_where_it_differs_in_nothing_that_the_contract_names() -> None:
    plain, noted = fact("a", "member.registered", country="JP"), fact("a", "member.registered", country="JP", note="otherwise")
    nobody = fact("a", "member.registered", country="JP").without_person()
    assert noted.without_person().digest == nobody.digest
    for one, other in ((plain, noted), (noted, plain), (nobody, noted)):
        assert names(deduplicate([one, other], {})) == ("a", "", "a")
        assert names(deduplicate([other], {("story", "a"): one.digest})) == ("", "", "a")


def test_an_order_that_is_told_again_under_another_id_is_a_fact_of_its_own() -> None:
    first, same, other = order("a"), order("b"), order("c", price=2_000)
    assert names(deduplicate([first, same, other, same], {})) == ("abc", "b", "")
    assert names(deduplicate([same, other], {("story", "a"): first.digest})) == ("bc", "", "")
