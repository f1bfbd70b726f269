"""A terms file means what is written there: nothing is turned into something else without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.cli.changes import program_with
from worker.programs.terms_file import TermsError, read, shipped, versions

CODE = "belle-maison"


def problems(old: str, new: str) -> list[str]:
    """What is wrong with a shipped file after some of its text was written otherwise."""
    text = shipped()[CODE].read_text()
    assert text.count(old) == 1
    try:
        versions(read(text.replace(old, new)))
    except TermsError as error:
        return list(error.problems)
    return []


@pytest.mark.parametrize("written", ["010", "0x0A", "0b1", "1_0", "1:30", "+1", "1.0", '"1"', "true", "null"])
def test_only_plain_digits_are_a_number(written: str) -> None:
    found = problems("event: shipment, days: 0", f"event: shipment, days: {written}")
    assert len(found) == 1
    assert found[0].startswith("maturity.after.0.days: Input should be a valid integer; write ")


def test_a_name_without_a_value_is_refused_with_its_line() -> None:
    found = problems("ceiling: payable", "maximum:\n  ceiling: payable")
    assert len(found) == 1
    assert "there is no value; write one, or null, or leave the name out" in found[0]
    assert "line " in found[0]
    assert not problems("ceiling: payable", "maximum: null\n  ceiling: payable")


@pytest.mark.parametrize(
    "text",
    [
        "{ja: 1日2,000まで。}",
        "{ja: 1日2,000まで。, en: x}",
        "{en: Up to 2,000 a day: no more}",
        "{ja: 一日に2,まで: 以上}",
        "{en: Members, who joined, take part}",
    ],
)
def test_a_comma_in_a_text_without_quotes_names_its_line_and_the_cure(text: str) -> None:
    with pytest.raises(TermsError, match=r"^terms: line 2, column \d+: .*if .* stands in a text, put the text in quotes"):
        read(f"program: shop\nname: {text}")


def test_a_colon_in_a_text_without_quotes_names_its_line_and_the_cure() -> None:
    with pytest.raises(TermsError, match=r"line 3, .*if a colon stands in a text, put the text in quotes"):
        read("program: shop\nname:\n  en: Note: points")


def test_a_comma_between_names_needs_no_quotes() -> None:
    assert read("words: {tier: {ja: 段階, en: stage}, set: {earning.rounding.mode: floor, a-b: 1}}")


def test_a_key_that_is_no_text_is_refused_with_its_cure() -> None:
    wrong = "rewards: {rule: BEL-04, items: {700: 700}, deadline: {business_days: 1, before: planned_ship_date}}\nadjustment:"
    assert 'a key should be text, is 700; write it in quotes: "700"' in problems("\nadjustment:", f"\n{wrong}")[0]
    assert not problems("\nadjustment:", f"\n{wrong.replace('700: ', chr(34) + '700' + chr(34) + ': ')}")


def test_a_key_given_twice_is_refused() -> None:
    assert "key given twice: ceiling" in problems("ceiling: payable", "ceiling: payable\n  ceiling: goods")[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("point_value: 1\npoint_value: 2", "key given twice: point_value"),
        ("redemption: {minimum: 010}", "redemption.minimum: Input should be a valid integer"),
        ("a: &a [1]\nb: *a", "aliases (*name) are not read"),
        ("earning.components.1.rates.0.rate: 1", "100 % of the amount"),
        ("zone: Asia/Tokio", "zone: Asia/Tokio is no time zone"),
        (f"zone: {'x' * 300}", "is no time zone"),
    ],
)
def test_overrides_are_read_as_strictly(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "over.yaml"
    path.write_text(text)
    with pytest.raises(TermsError, match=told.replace("(", r"\(").replace(")", r"\)").replace("*", r"\*")):
        program_with(shipped()[CODE], path, ())


@pytest.mark.parametrize(
    "rate",
    ['{share: "0.01", points: 5}', '{share: "0.01", per: 100}', '{share: "0.01", points: 1, per: 9}', "{points: 1}", "{}"],
)
def test_a_rate_is_written_in_one_form_alone(rate: str) -> None:
    told = problems("rate: {points: 2, per: 200}", f"rate: {rate}")
    assert "a rate is either a share" in told[0]
