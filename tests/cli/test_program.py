"""`loyalty program`: terms are read strictly, shown, and registered for ever."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import KEY, ROOT, Run

LENOVO = ROOT / "contracts" / "programs" / "lenovo-pro.yaml"


def test_the_shipped_programs_are_valid(run: Run) -> None:
    files = sorted((ROOT / "contracts" / "programs").glob("*.yaml"))
    answer = run("program", "validate", *files, "-o", "json")
    assert answer.code == 0
    assert [one["program"] for one in answer.json] == [path.stem for path in files]


def test_every_mistake_of_every_file_is_told(run: Run, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(LENOVO.read_text().replace('rate: "0.01"', "rate: 0.01").replace("mode: floor", "mode: down"))
    answer = run("program", "validate", wrong, LENOVO, tmp_path / "none.yaml", "-o", "ndjson")
    assert answer.code == 2
    assert answer.out.startswith('{"program":"lenovo-pro"')
    assert len(answer.mistakes) == 3
    assert 'write it as a string, such as "0.01"' in answer.mistakes[0]
    assert answer.mistakes[1].startswith("wrong.yaml: earning.rounding.mode: ")
    assert answer.mistakes[2].endswith("none.yaml: no such file or directory")


def test_rules_say_where_they_stand_in_both_languages_and_what_carries_them_out(run: Run) -> None:
    rules = {rule["id"]: rule for rule in run("program", "rules", "lenovo-pro", "-o", "json").json}
    assert set(rules["LEN-10"]) == {"id", "document", "section", "ja", "en", "parameters", "status", "cases"}
    assert rules["LEN-10"]["status"] == "carried out"
    assert all(rule["parameters"] or rule["status"].startswith("no effect: ") for rule in rules.values())


def test_rules_tell_the_cases_that_they_leave_open(run: Run) -> None:
    told = {
        case["id"]: (rule["id"], case["rule"])
        for rule in run("program", "rules", "scolar", "-o", "json").json
        for case in rule["cases"]
    }
    cases = run("program", "show", "scolar", "-o", "json").json[-1]["cases"]
    assert told == {case["id"]: (case["rule"], case["rule"]) for case in cases}
    assert told["last-look-after-inactivity"] == ("SCO-17", "SCO-17")
    table = run("program", "rules", "scolar").out
    assert table.count("last-look-after-inactivity") == 1


def test_show_gives_every_version_in_full(run: Run, tmp_path: Path) -> None:
    amended = tmp_path / "amended.yaml"
    amendment = "\namendments:\n  - effective_from: '2027-01-01T00:00:00+09:00'\n    set: {point_value: '2'}\n"
    amended.write_text(LENOVO.read_text() + amendment)
    assert [one["point_value"] for one in run("program", "show", amended, "-o", "json").json[-1:]] == ["2"]
    assert "2027-01-01T00:00:00+09:00" in run("program", "show", amended).out


def test_migrate_says_what_it_did_and_can_be_run_again(run: Run, empty_database: str) -> None:
    environment = {
        "LOYALTY_POSTGRES_DSN": empty_database,
        "LOYALTY_ACCOUNT_KEY": KEY,
        "LOYALTY_KAFKA_BOOTSTRAP": "127.0.0.1:1",
    }
    first = run("migrate", environment=environment)
    assert (first.code, first.out) == (0, "")
    assert first.mistakes[0].startswith("schema: ")
    assert "migrations applied" in first.mistakes[0]
    assert "terms: lenovo-pro: 1 of 1 version registered now" in first.mistakes
    second = run("migrate", environment=environment)
    assert second.mistakes[0] == "schema: was up to date"
    assert "terms: lenovo-pro: was registered" in second.mistakes
    other = run("migrate", environment={**environment, "LOYALTY_ACCOUNT_KEY": "another key of sixteen characters"})
    assert other.code == 2
    assert "set LOYALTY_ACCOUNT_KEY to the key that this ledger was begun with" in other.mistakes[-1]
