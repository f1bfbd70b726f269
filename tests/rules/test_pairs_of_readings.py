"""Choices compose: under any two other readings together a busy month still adds up, late news still comes to the same, and every
posting is still explained.
"""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest

from contracts.terms import Question
from tests.explain.story import ExplainedStory
from tests.rules.story import line, pieces, reading_of
from worker.programs.terms_file import load, shipped
from worker.reading.explain import LANGUAGES, page, text

PAIRS_EACH = 25
SEED = 20240705


def _pairs(code: str) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """Some pairs of alternatives of different questions, the same on every run."""
    asked: tuple[Question, ...] = load(shipped()[code]).versions[0].terms.questions
    every = [(question.id, other.id) for question in asked for other in question.alternatives]
    pairs = [(one, two) for one, two in combinations(every, 2) if one[0] != two[0]]
    return Random(SEED).sample(pairs, min(PAIRS_EACH, len(pairs)))


CASES = [pytest.param(code, *pair, id=f"{code}-{'-'.join((*pair[0], *pair[1]))}") for code in shipped() for pair in _pairs(code)]


@pytest.mark.parametrize(("code", "one", "two"), CASES)
def test_any_two_readings_keep_the_books(code: str, one: tuple[str, str], two: tuple[str, str]) -> None:
    story = ExplainedStory(code, {**reading_of(code, *one), **reading_of(code, *two)})
    story.registered("2024-08-01")
    story.enrolled("2024-08-01")
    story.adjusted(3_000, "2024-08-02")
    lines = line(3_333, 3, line_id="1"), line(777, 2, line_id="2", tax=99)
    story.order("A", "2024-08-03", *lines, shipping_fee=500, points_used=1_000)
    story.order("B", "2024-08-04", line(40_000))
    story.paid("A", "2024-08-04")
    story.paid("B", "2024-08-05")
    story.shipped("A", "2024-08-05", pieces("1", 2))
    story.cancelled("A", "2024-08-06", pieces("2", 1))
    story.shipped("A", "2024-08-07")
    story.shipped("B", "2024-08-07")
    story.delivered("A", "2024-08-09")
    story.delivered("B", "2024-08-09")
    story.return_requested("A", "2024-09-18", pieces("1", 1))
    story.returned("A", "2024-09-20", pieces("1", 1))
    story.exchange("received", "A", "2024-09-21", pieces("2", 1))
    story.exchange("shipped", "A", "2024-09-22", line(900))
    story.order("C", "2024-09-25", line(8_000), points_used=600)
    story.cancelled("C", "2024-09-26")
    story.order("D", "2024-08-20", line(70_000), recorded="2024-09-27")
    story.returned("B", "2024-10-05")
    story.adjusted(-5_000, "2024-10-06")
    story.returned("A", "2024-10-07")
    for at in ("2024-08-10", "2024-10-10", "2025-03-01", "2026-12-31"):
        story.at(at)
    _explained(story)
    final = {order.order_id: order for order in story.at("2026-12-31").orders}
    for order in final.values():
        assert order.points_returned + order.points_forfeited <= order.points_used
        assert order.points_credited >= 0
    if final["A"].redemption is not None and final["A"].redemption.decision == "accepted":
        assert final["A"].points_returned + final["A"].points_forfeited == final["A"].points_used, "all goods of it came back"


def _explained(story: ExplainedStory) -> None:
    """Every posting has words, a rule and its place in the published terms; together they come to the statement."""
    last = "2026-12-31"
    statement = story.at(last)
    for language in LANGUAGES:
        told = story.told(last, language)
        assert len(told.postings) == len(story.entries())
        for posting in told.postings:
            assert " moved from " not in posting.title
            assert posting.rule.document
            assert posting.rule.section
            assert posting.rule.says
            assert posting.cause
        for bucket, balance in (("available", statement.available), ("pending", statement.pending)):
            moved = sum(each.points * ((each.target == bucket) - (each.source == bucket)) for each in told.postings)
            assert moved == balance
        assert text(told)
        assert page(told).count("<article") == len(told.postings)
