"""What a member has after some facts, which is the same in whatever order they are delivered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice, permutations
from random import Random
from typing import Any, Final

from contracts.statement import Statement
from tests.rules.story import MEMBER, Story, line

Fact = tuple[str, str, Mapping[str, Any]]
"""Type, instant and data; the order is `A` and the member the story's, unless the data says otherwise."""
_ORDERS_TRIED: Final = 120


def fact(type_: str, at: str, /, **data: Any) -> Fact:
    """One fact of a history."""
    of_member = type_.startswith(("member.", "points.", "redemption.", "review.", "survey."))
    of = {"member_id": MEMBER} if of_member else {"order_id": "A"}
    return type_, at, {**of, **data}


def placed(at: str, *lines: Mapping[str, Any], store: str, **data: Any) -> Fact:
    """An order of the member."""
    told = {"member_id": MEMBER, "payment_method": "credit_card", "store": store, **data}
    return fact("order.placed", at, lines=lines or (line(10_000, line_id="1"),), **told)


def in_any_order(
    code: str, facts: tuple[Fact, ...], at: str, set_: Mapping[str, Any] | None = None, first: tuple[Fact, ...] = ()
) -> Statement:
    """The statement at an instant after facts that were delivered in every order, or in a hundred of them drawn at random.

    `first`: those that always come first, as points do that must be there when something is decided.
    """
    numbered = list(enumerate(facts))
    orders: Iterator[tuple[tuple[int, Fact], ...]] = permutations(numbered)
    if len(facts) > 5:
        rng = Random(len(facts))
        orders = iter([tuple(numbered), tuple(reversed(numbered)), *(tuple(rng.sample(numbered, len(facts))) for _ in range(98))])
    found: Statement | None = None
    for sequence in islice(orders, _ORDERS_TRIED):
        story = Story(code, set_)
        for number, (type_, when, data) in (*enumerate(first, 50), *sequence):
            story.tell(type_, when, id_=f"f{number:02}", **data)
        says = story.at(at).model_copy(update={"version": 0})
        assert found in (None, says), f"delivered as {[number for number, _ in sequence]}"
        found = says
    assert found is not None
    return found
