"""What a file says of its own gaps is counted and shown: rules carried out, in part, not, and without effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Run, run
from tests.explain.story import ExplainedStory
from tests.rules.story import PROGRAMS, line
from worker.programs.terms_file import TermsError, changed, read, versions
from worker.reading.explain import page as html
from worker.reading.explain import text
from worker.simulation.story import page

__all__ = ["run"]

IN_PART = "Gift wrapping is not told, so it earns."
NOT = "Points of other companies are not exchanged."


def shop(**rules: dict[str, Any]) -> dict[str, Any]:
    """The file of a small shop, with values of some of its rules changed."""
    values = read(PROGRAMS["shop"].read_text(encoding="utf-8"))
    for rule in values["rules"]:
        rule.update(rules.get(rule["id"].replace("-", "_"), {}))
    return {**values, "rules": [{name: value for name, value in rule.items() if value is not None} for rule in values["rules"]]}


GAPS: dict[str, dict[str, Any]] = {
    "SHO_02": {"in_part": IN_PART, "says": {"ja": "税抜の1%です。"}},
    "SHO_06": {"parameters": None, "not_carried_out": NOT},
    "SHO_08": {"parameters": None, "no_effect": "It is about letters."},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump(shop(**GAPS), allow_unicode=True), encoding="utf-8")
    return path


def test_the_rules_of_each_status_are_counted_and_what_is_missing_is_listed(run: Run, file: Path) -> None:
    (told,) = run("program", "coverage", file, "-o", "json").json
    assert {name: told[name] for name in ("rules", "carried_out", "in_part", "not_carried_out", "no_effect")} == {
        "rules": 8,
        "carried_out": 5,
        "in_part": 1,
        "not_carried_out": 1,
        "no_effect": 1,
    }
    assert [(gap["id"], gap["gap"]) for gap in told["gaps"]] == [
        ("SHO-02", f"in part: {IN_PART}"),
        ("SHO-06", f"not carried out: {NOT}"),
    ]
    assert told["without_words"] == {"en": ["rules.SHO-02.says"]}
    table = run("program", "coverage", file)
    assert NOT in table.out
    assert table.err == "without words in en: rules.SHO-02.says\n"


def test_validate_counts_them_and_rules_shows_them(run: Run, file: Path) -> None:
    (version,) = run("program", "validate", file, "-o", "json").json
    assert (version["carried_out"], version["in_part"], version["not_carried_out"], version["no_effect"]) == (5, 1, 1, 1)
    status = {rule["id"]: rule["status"] for rule in run("program", "rules", file, "-o", "json").json}
    assert status["SHO-01"] == "carried out"
    assert status["SHO-02"] == f"in part: {IN_PART}"
    assert status["SHO-06"] == f"not carried out: {NOT}"
    assert status["SHO-08"] == "no effect: It is about letters."


def test_explanations_and_the_worked_example_show_gaps_and_missing_words(file: Path, tmp_path: Path) -> None:
    story = ExplainedStory("shop", {"rules": shop(**GAPS)["rules"]})
    story.registered("2024-01-05")
    story.order("A", "2024-03-01", line(10_000))
    told = story.told("2024-03-02")
    assert f"! Carried out in part: {IN_PART}" in text(told)
    assert f"Carried out in part: {IN_PART}" in html(told)
    assert told.notes == ("Rules without words in English: SHO-02",)
    assert {each.rule.says for each in told.postings if each.rule.id == "SHO-02"} == {"税抜の1%です。"}
    assert story.told("2024-03-02", "ja").notes == ()
    steps = tmp_path / "story.yaml"
    steps.write_text('steps: [{at: "2024-01-05T10:00:00+09:00", says: "A member joins.", type: member.registered, data: {}}]')
    written = page(story.program, steps)
    assert f"Not carried out: {NOT}".lower() in written.lower()
    assert "Without words in English: SHO-02." in written


@pytest.mark.parametrize(
    "rule",
    [
        {"parameters": None},
        {"no_effect": "Both."},
        {"not_carried_out": "Both."},
        {"parameters": None, "no_effect": "One.", "not_carried_out": "Other."},
        {"parameters": None, "in_part": "Nothing does."},
        {"parameters": None, "no_effect": "None.", "in_part": "Some."},
        {"says": {}},
        {"says": {"ja": ""}},
    ],
)
def test_a_rule_without_a_status_of_its_own_or_without_words_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(TermsError, match=r"rules\.0"):
        versions(shop(SHO_01=rule))


def test_one_language_is_enough() -> None:
    (terms,) = versions(changed(shop(), {"name": {"en": "Shop"}, "rules.0.says": {"en": "Members."}}))
    assert (terms.name.told("ja"), terms.name.lacks("ja"), terms.name.lacks("en")) == ("Shop", True, False)
