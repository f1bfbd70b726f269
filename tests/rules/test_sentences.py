"""Every sentence of the published terms has its row: the rules that carry it out, or why it moves no point."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts.terms import Terms
from tests.rules.test_every_rule import TERMS

PAGES = Path(__file__).parents[2] / "contracts" / "programs"
COLUMNS = ("#", "place", "found by", "comes to", "rules")
QUOTED_MAX = 14
"""The published texts are somebody's: of each sentence a few signs are quoted, to find it by."""
SENTENCES = {"lenovo-pro": 87, "ansage": 60, "puppy": 50, "scolar": 57, "belle-maison": 48}
"""Counted by hand once, so that no row falls out unnoticed."""


def rows(code: str) -> list[dict[str, str]]:
    """The rows of a program's page, by column."""
    lines = (PAGES / f"{code}.sentences.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert tuple(cells[0]) == COLUMNS
    return [dict(zip(COLUMNS, each, strict=True)) for each in cells[2:]]


def rules_of(row: dict[str, str]) -> list[str]:
    """The rules that carry a sentence out; none where it says why."""
    return [] if row["rules"].startswith("none: ") else row["rules"].split(", ")


@pytest.mark.parametrize("code", TERMS)
def test_the_sentences_are_numbered_without_a_gap_and_none_is_lost(code: str) -> None:
    assert [int(row["#"]) for row in rows(code)] == list(range(1, SENTENCES[code] + 1))


@pytest.mark.parametrize("code", TERMS)
def test_each_sentence_is_carried_out_by_rules_of_the_program_or_says_why_not(code: str) -> None:
    known = {rule.id for rule in TERMS[code].rules}
    for row in rows(code):
        assert set(rules_of(row)) <= known, row
        assert rules_of(row) or row["rules"].removeprefix("none: "), row
        assert row["place"], row
        assert row["comes to"], row
        assert 0 < len(row["found by"]) <= QUOTED_MAX, row


@pytest.mark.parametrize(("code", "terms"), TERMS.items())
def test_each_rule_of_a_program_carries_out_a_sentence(code: str, terms: Terms) -> None:
    carried_out = {rule for row in rows(code) for rule in rules_of(row)}
    assert {rule.id for rule in terms.rules} == carried_out


@pytest.mark.parametrize(("code", "terms"), TERMS.items())
def test_each_question_that_a_row_names_is_asked(code: str, terms: Terms) -> None:
    named = {found for row in rows(code) for found in re.findall(r"\b[A-Z]{3}-Q\d+\b", row["comes to"])}
    assert named <= {question.id for question in terms.questions}
