"""The chain of one account, without a database: whatever is done to its facts or its head is told, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from tests.stores.examples import T0, fact
from worker.decide.errors import Defect
from worker.persist.chain import (
    BEGINNING,
    AccountChain,
    Chain,
    ChainedFact,
    Content,
    Proof,
    chained,
    content_of,
    leaf_of,
    salts,
)

LENGTH = 6
Attack = Callable[[AccountChain], AccountChain]


def chain_of(count: int = LENGTH) -> AccountChain:
    """An account with so many facts, committed two at a time."""
    chain, kept = BEGINNING, list[ChainedFact]()
    for number in range(0, count, 2):
        contents = [content_of(fact(each, f"order-{each}")) for each in range(number, min(number + 2, count))]
        chain, proofs = chained(chain, contents, salts())
        at = T0 + timedelta(seconds=number)
        kept += [ChainedFact(content, proof, at) for content, proof in zip(contents, proofs, strict=True)]
    return AccountChain(chain, kept)


def _with(account: AccountChain, place: int, **changed: Any) -> AccountChain:
    """One fact says something else."""
    facts = list(account.facts)
    old = facts[place - 1]
    facts[place - 1] = old._replace(content=old.content._replace(**changed))
    return replace(account, facts=facts)


def _without(account: AccountChain, *places: int) -> AccountChain:
    return replace(account, facts=[fact for fact in account.facts if fact.proof.place not in places])


def _inserted(account: AccountChain, proof: Proof) -> AccountChain:
    content = content_of(fact(99, "forged"))
    return replace(account, facts=[*account.facts, ChainedFact(content, proof, T0 + timedelta(days=1))])


def _swapped(account: AccountChain) -> AccountChain:
    """Facts 2 and 5 change places, each with its salt and leaf."""
    facts = list(account.facts)
    second, fifth = facts[1], facts[4]
    facts[1] = second._replace(proof=second.proof._replace(place=5))
    facts[4] = fifth._replace(proof=fifth.proof._replace(place=2))
    return replace(account, facts=facts)


def _proven(place: int) -> Proof:
    content = content_of(fact(99, "forged"))
    return Proof(place, bytes(16), leaf_of(place, bytes(16), content))


def _rewritten(account: AccountChain, place: int) -> AccountChain:
    """A fact is changed, and its leaf made to fit."""
    changed = _with(account, place, body=b'{"order_id":"other"}')
    facts = list(changed.facts)
    old = facts[place - 1]
    assert old.proof.salt is not None
    facts[place - 1] = old._replace(proof=old.proof._replace(leaf=leaf_of(place, old.proof.salt, old.content)))
    return replace(changed, facts=facts)


ATTACKS: dict[str, tuple[Attack, list[tuple[str, str]]]] = {
    "a fact without a place": (
        lambda a: _inserted(a, Proof(None, None, None)),
        [("facts_are_in_the_chain", "order.paid 'e99' of 'shop' is in no chain: it was written by hand")],
    ),
    "a fact behind the last, of which the account knows nothing": (
        lambda a: _inserted(a, _proven(LENGTH + 1)),
        [("facts_are_in_the_chain", "order.paid 'e99' of 'shop' is in no chain: it was written by hand")],
    ),
    "a fact at the place of another": (
        lambda a: _inserted(a, _proven(3)),
        [("facts_are_in_the_chain", "place 3 is taken by order.paid 'e2' of 'shop' and order.paid 'e99' of 'shop'")],
    ),
    "a fact before the first": (
        lambda a: _inserted(a, _proven(0)),
        [("facts_are_in_the_chain", "order.paid 'e99' of 'shop' is in no chain: it was written by hand")],
    ),
    "a fact put in the place of one that is gone": (
        lambda a: _inserted(_without(a, 3), _proven(3)),
        [
            ("chain_leads_to_its_head", "6 facts do not lead to the head that the account has"),
            ("facts_are_as_chained", "order.paid 'e3' of 'shop', place 4, says that it was recorded before the one before it"),
        ],
    ),
    "a body changed": (
        lambda a: _with(a, 4, body=b'{"order_id":"other"}'),
        [("facts_are_as_chained", "order.paid 'e3' of 'shop', place 4, is not what was chained: it was changed")],
    ),
    "a body changed, and the leaf made to fit": (lambda a: _rewritten(a, 4), [("chain_leads_to_its_head", "6 facts do not")]),
    "the first fact gone": (lambda a: _without(a, 1), [("chain_is_complete", "place 1 is empty")]),
    "facts in the middle gone": (lambda a: _without(a, 3, 4), [("chain_is_complete", "places 3 to 4 are empty")]),
    "the last fact gone": (lambda a: _without(a, LENGTH), [("chain_is_complete", f"place {LENGTH} is empty")]),
    "all facts gone": (lambda a: replace(a, facts=[]), [("chain_is_complete", f"places 1 to {LENGTH} are empty")]),
    "two facts swapped": (
        _swapped,
        [
            ("facts_are_as_chained", "order.paid 'e4' of 'shop', place 2, was moved there from place 5"),
            ("facts_are_as_chained", "order.paid 'e1' of 'shop', place 5, was moved there from place 2"),
        ],
    ),
    "another time of recording": (
        lambda a: replace(a, facts=[*a.facts[:5], a.facts[5]._replace(recorded_at=T0)]),
        [("facts_are_as_chained", "order.paid 'e5' of 'shop', place 6, says that it was recorded before the one before it")],
    ),
    "another head": (
        lambda a: replace(a, chain=Chain(LENGTH, sha256(b"").digest())),
        [("chain_leads_to_its_head", "6 facts do not lead to the head that the account has")],
    ),
    "a shorter chain": (
        lambda a: replace(a, chain=chain_of(LENGTH - 1).chain),
        [("facts_are_in_the_chain", "order.paid 'e5' of 'shop' is in no chain")],
    ),
    "a salt taken away, though nobody was forgotten": (
        lambda a: replace(a, facts=[a.facts[0]._replace(proof=a.facts[0].proof._replace(salt=None)), *a.facts[1:]]),
        [("facts_are_as_chained", "order.paid 'e0' of 'shop', place 1, is not what was chained")],
    ),
}


def _told(account: AccountChain) -> list[tuple[str, str]]:
    return [tuple(fault) for fault in account.faults()]  # type: ignore[misc]  # both are two texts


@pytest.mark.parametrize("count", [0, 1, 2, LENGTH])
def test_facts_as_they_were_committed_are_sound(count: int) -> None:
    assert _told(chain_of(count)) == []
    assert chain_of(count).chain.length == count


@pytest.mark.parametrize("what", ATTACKS)
def test_every_attack_is_told_by_name_or_place(what: str) -> None:
    attack, wanted = ATTACKS[what]
    told = _told(attack(chain_of()))
    assert len(told) == len(wanted), told
    for (invariant, detail), (name, text) in zip(told, wanted, strict=True):
        assert invariant == name
        assert text in detail


OTHER: dict[str, Any] = {
    "source": "shop2",
    "id": "e33",
    "type": "order.cancelled",
    "business_at": T0 + timedelta(microseconds=1),
    "rank": 1,
    "program": None,
    "order_id": None,
    "digest": b"",
    "body": b"{}",
    "traceparent": "00-01",
    "topic": "commerce.order",
    "partition": 0,
    "record_offset": 0,
}


@pytest.mark.parametrize("field", Content._fields)
def test_every_column_of_a_fact_is_under_its_leaf(field: str) -> None:
    assert [invariant for invariant, _ in _told(_with(chain_of(), 4, **{field: OTHER[field]}))] == ["facts_are_as_chained"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"source": "ab", "id": "c"}, {"source": "a", "id": "bc"}),
        ({"program": None}, {"program": ""}),
        ({"topic": "t=1", "partition": None}, {"topic": "t", "partition": 1}),
        ({"digest": b"", "body": b"\0"}, {"digest": b"\0", "body": b""}),
        ({"order_id": "x", "program": None}, {"order_id": None, "program": "x"}),
        ({"digest": b"ab", "body": b"c"}, {"digest": b"a", "body": b"bc"}),
        ({"traceparent": "t", "topic": None}, {"traceparent": None, "topic": "t"}),
    ],
)
def test_no_two_facts_have_the_same_bytes_under_the_leaf(one: dict[str, Any], other: dict[str, Any]) -> None:
    content = content_of(fact(1))
    assert leaf_of(1, bytes(16), content._replace(**one)) != leaf_of(1, bytes(16), content._replace(**other))


def test_a_leaf_cannot_be_guessed_without_its_salt() -> None:
    content = content_of(fact(1))
    proofs = [chained(BEGINNING, [content], salts())[1][0] for _ in range(2)]
    assert proofs[0].leaf != proofs[1].leaf
    assert len({proof.salt for proof in proofs}) == 2


def test_an_erased_account_is_sound_without_salts_and_bodies_and_its_leaves_still_lead_to_its_head() -> None:
    account = chain_of()
    facts = [
        each._replace(content=each.content._replace(body=b"{}", traceparent=None), proof=each.proof._replace(salt=None))
        for each in account.facts
    ]
    erased = replace(account, facts=facts, erased=True)
    assert _told(erased) == []
    assert [invariant for invariant, _ in _told(replace(erased, erased=False))] == ["facts_are_as_chained"] * LENGTH
    other = facts[2]._replace(proof=facts[2].proof._replace(leaf=bytes(32)))
    assert [name for name, _ in _told(replace(erased, facts=[*facts[:2], other, *facts[3:]]))] == ["chain_leads_to_its_head"]
    assert [name for name, _ in _told(_without(erased, 2))] == ["chain_is_complete"]


def _begun(account: AccountChain) -> AccountChain:
    begun = account.begun_anew("for a test")
    return replace(account, chain=begun.chain, begun=begun)


def test_what_was_taken_over_is_sound_and_goes_on() -> None:
    account = _begun(_with(chain_of(), 4, body=b"{}"))
    assert _told(account) == []
    chain, (proof,) = chained(account.chain, [content_of(fact(7))], salts())
    later = ChainedFact(content_of(fact(7)), proof, T0 + timedelta(days=1))
    longer = replace(account, chain=chain, facts=[*account.facts, later])
    assert _told(longer) == []
    again = _begun(_without(longer, 7))
    assert _told(again) == []
    assert again.begun is not None
    assert (again.begun.number, again.begun.before) == (2, chain)
    assert _told(_with(again, 2, body=b"{}")) == [
        ("facts_are_as_chained", "the facts up to place 7 are not those that were taken over")
    ]


@pytest.mark.parametrize("what", [name for name in ATTACKS if "salt" not in name and "time" not in name])
def test_an_attack_on_what_was_taken_over_is_told_as_well(what: str) -> None:
    attack, _ = ATTACKS[what]
    begun = _begun(_with(chain_of(), 1, body=b"{}"))
    assert begun.begun is not None
    attacked = attack(begun)
    assert _told(attacked)


def test_another_beginning_is_told() -> None:
    begun = _begun(_with(chain_of(), 1, body=b"{}"))
    assert begun.begun is not None
    other = replace(begun, begun=replace(begun.begun, reason="another"))
    assert ("chain_leads_to_its_head", "what the chain begins with was rewritten") in _told(other)


def test_a_fact_out_of_reach_is_not_taken_over() -> None:
    with pytest.raises(Defect, match="place 2147483647, where no chain comes"):
        _inserted(chain_of(), _proven(2**31 - 1)).begun_anew("for a test")
