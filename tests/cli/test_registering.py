"""`loyalty program apply|history|preview|approve`: who may make terms count, and from when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ROOT, Answer, Run, Shop, correct

CODE = "lenovo-pro"
LENOVO = ROOT / "contracts" / "programs" / f"{CODE}.yaml"
WHY = ("--reason", "the rate was announced as 2 %")
FORTUNE = "earning.components.purchase.rates.0.rate: '0.5'"


@pytest.fixture
def doubled(tmp_path: Path) -> Path:
    """The terms with another content for the day from which they are in force."""
    return _written(tmp_path / "doubled.yaml", LENOVO.read_text().replace('rate: "0.01"', 'rate: "0.02"'))


def test_a_version_in_force_is_not_replaced(run: Run, full_shop: Shop, doubled: Path) -> None:
    before = _shown(run, full_shop)
    refused = run("program", "apply", "--replace", doubled, *WHY, environment=full_shop.environment)
    assert (refused.code, len(refused.mistakes)) == (2, 1)
    assert refused.mistakes[0].startswith(f"{CODE}: the version from 2024-01-01 is in force, and a version in force is never ")
    assert _shown(run, full_shop) == before
    assert run("ledger", "verify", environment=full_shop.environment).code == 0


def test_what_one_login_dates_back_moves_nobody(run: Run, full_shop: Shop, tmp_path: Path) -> None:
    """The attack: a rate that nobody published, from before the orders that are there, by whoever may register terms."""
    before = _shown(run, full_shop)
    file = _written(tmp_path / "fortune.yaml", _amended("2024-02-01", FORTUNE))
    anna = full_shop.as_person("anna")
    applied = run("program", "apply", file, *WHY, environment=anna)
    assert applied.code == 0
    assert applied.mistakes[0].startswith(f"{CODE}: the version of 2024-02-01 is dated back, so it is proposed and does not ")
    assert applied.mistakes[1].startswith(f"{CODE}: 0 of 2 versions registered now")
    (proposed,) = _proposed(run, full_shop)
    assert _shown(run, full_shop) == before
    looked = run("ledger", "refold", environment=full_shop.environment)
    assert (looked.code, looked.out) == (0, "")
    own = run("program", "approve", CODE, proposed, environment=anna)
    assert own.code == 2
    assert own.mistakes == ["anna registered these terms: the login of another person has to approve them"]
    worker = {**full_shop.environment, "LOYALTY_POSTGRES_ROLE": "loyalty_worker"}
    of_worker = run("program", "approve", CODE, proposed, environment=worker)
    assert (of_worker.code, of_worker.mistakes[0].partition(": ")[0]) == (2, "this login may only read terms")
    assert _shown(run, full_shop) == before


def test_the_preview_of_a_correction_says_what_its_refold_moves(run: Run, full_shop: Shop, doubled: Path) -> None:
    assert run("program", "apply", doubled, *WHY, environment=full_shop.as_person("anna")).code == 0
    (proposed,) = _proposed(run, full_shop)
    ben = full_shop.as_person("ben")
    would_move = run("program", "preview", CODE, proposed, "-o", "json", environment=ben)
    assert would_move.code == 0
    assert len(would_move.json) > 1
    two = run("program", "preview", CODE, proposed, "--workers", "2", "-o", "json", environment=ben)
    assert two.json == would_move.json
    approved = run("program", "approve", CODE, proposed, environment=ben)
    assert approved.code == 0
    assert "counts now, as anna proposed and ben approved it" in approved.mistakes[0]
    assert f"ledger refold --program {CODE} --apply" in approved.mistakes[1]
    assert _shown(run, full_shop)[0]["earning"]["components"][0]["rates"][0]["rate"] == {"share": "0.02"}
    moved = run("ledger", "refold", "--program", CODE, "--apply", *WHY, "-o", "json", environment=full_shop.environment)
    assert (moved.code, moved.json) == (0, would_move.json)
    assert run("ledger", "verify", environment=full_shop.environment).code == 0


def test_who_when_why_and_from_which_file_is_kept_of_every_version(
    run: Run, full_shop: Shop, doubled: Path, tmp_path: Path
) -> None:
    started = full_shop.now()
    correct(run, full_shop, doubled)
    ahead = _written(tmp_path / "ahead.yaml", doubled.read_text() + _amendments("2199-01-01", "point_value: '2'"))
    assert run("program", "apply", ahead, *WHY, environment=full_shop.as_person("ben")).code == 0
    first, corrected, later = _history(run, full_shop)
    assert [each["state"] for each in (first, corrected, later)] == ["replaced", "in force", "ahead"]
    assert (first["applied_by"], first["reason"].startswith("shipped with "), first["approved_by"]) == ("postgres", True, None)
    assert (corrected["applied_by"], corrected["approved_by"], corrected["reason"]) == ("anna", "ben", "it should have said this")
    assert (later["applied_by"], later["approved_by"], later["reason"]) == ("ben", None, WHY[1])
    assert [each["file_sha256"] for each in (first, corrected, later)] == [
        sha256(file.read_bytes()).hexdigest() for file in (LENOVO, doubled, ahead)
    ]
    times = [corrected["applied_at"], corrected["approved_at"], later["applied_at"]]
    assert times == sorted(times)
    assert datetime.fromisoformat(times[0]) >= started.replace(microsecond=0)
    table = run("program", "history", CODE, environment=full_shop.environment).out
    assert all(word in table for word in ("anna", "ben", "replaced"))


def test_what_was_corrected_may_be_corrected_back(run: Run, full_shop: Shop, doubled: Path) -> None:
    before = _shown(run, full_shop)
    correct(run, full_shop, doubled)
    assert _shown(run, full_shop) != before
    correct(run, full_shop, LENOVO)
    assert _shown(run, full_shop) == before
    assert [each["state"] for each in _history(run, full_shop)] == ["replaced", "replaced", "in force"]


def test_a_version_ahead_counts_at_once_and_may_be_replaced(run: Run, full_shop: Shop, tmp_path: Path) -> None:
    file = _written(tmp_path / "ahead.yaml", _amended("2199-01-01", "point_value: '2'"))
    applied = _apply(run, full_shop, file)
    assert applied.mistakes == [f"{CODE}: 1 of 2 versions registered now; running workers take them up within 10 s"]
    _written(file, _amended("2199-01-01", "point_value: '3'"))
    refused = run("program", "apply", file, *WHY, environment=full_shop.environment)
    assert refused.code == 2
    assert refused.mistakes[0].startswith(f"{CODE}: the version from 2199-01-01 is registered with other content: ")
    _apply(run, full_shop, file, "--replace")
    assert _point_values(run, full_shop) == ["1", "3"]
    assert _apply(run, full_shop, file).mistakes[0].startswith(f"{CODE}: 0 of 2 versions registered now")


def test_two_versions_of_one_day_are_two(run: Run, full_shop: Shop, tmp_path: Path) -> None:
    """A later hour of the day is another beginning: it takes nothing from what is in force since the morning."""
    both = _amendments("2199-01-01", "point_value: '2'", "point_value: '3'")
    file = _written(tmp_path / "twice.yaml", LENOVO.read_text() + both)
    _apply(run, full_shop, file)
    assert _point_values(run, full_shop) == ["1", "2", "3"]
    assert _apply(run, full_shop, file).mistakes[0].startswith(f"{CODE}: 0 of 3 versions registered now")


def test_where_nobody_has_an_account_terms_may_still_be_put_right(run: Run, shop: Shop, doubled: Path, tmp_path: Path) -> None:
    refused = run("program", "apply", doubled, *WHY, environment=shop.environment)
    assert refused.code == 2
    assert "--replace" in refused.mistakes[0]
    _apply(run, shop, doubled, "--replace")
    assert _shown(run, shop)[0]["earning"]["components"][0]["rates"][0]["rate"] == {"share": "0.02"}
    begun = datetime.now(UTC) - timedelta(days=1)
    late = _written(tmp_path / "late.yaml", doubled.read_text() + _amendments(f"{begun:%Y-%m-%d}", "point_value: '2'"))
    assert _apply(run, shop, late).mistakes == [
        f"{CODE}: 1 of 2 versions registered now; running workers take them up within 10 s"
    ]


def test_a_reason_has_to_be_given(run: Run, shop: Shop) -> None:
    assert "--reason" in run("program", "apply", LENOVO, environment=shop.environment).err
    assert run("program", "apply", LENOVO, "--reason", " ", environment=shop.environment).mistakes == ["--reason: should say why"]


@pytest.mark.parametrize("command", ["preview", "approve"])
def test_only_what_waits_is_previewed_and_approved(run: Run, full_shop: Shop, command: str) -> None:
    (registered,) = _history(run, full_shop)
    answer = run("program", command, CODE, registered["hash"], environment=full_shop.environment)
    assert answer.code == 2
    assert answer.mistakes[0].endswith("should be the hash of a version that waits for approval; waiting: none")


def test_migrate_proposes_nothing(run: Run, full_shop: Shop, doubled: Path) -> None:
    """Shipped terms that were published otherwise stay as they are registered."""
    correct(run, full_shop, doubled)
    done = run("migrate", environment=full_shop.environment)
    assert done.code == 0
    (line,) = [line for line in done.mistakes if "left as they are registered" in line]
    assert "it has to be proposed: `loyalty program apply FILE`" in line
    assert _proposed(run, full_shop) == []


def test_a_ledger_built_elsewhere_has_the_terms_of_its_source_and_no_others(
    run: Run, full_shop: Shop, empty_database: str, doubled: Path
) -> None:
    correct(run, full_shop, doubled)
    run("ledger", "refold", "--apply", *WHY, environment=full_shop.environment)
    there = {**full_shop.environment, "LOYALTY_POSTGRES_DSN": empty_database}
    assert run("migrate", "--no-terms", environment=there).code == 0
    assert run("ledger", "rebuild", "--into", empty_database, environment=full_shop.environment).code == 0
    assert _history(run, Shop(empty_database)) == _history(run, full_shop)
    assert run("ledger", "verify", environment=there).code == 0


def test_a_ledger_is_not_built_where_other_terms_are_registered(run: Run, full_shop: Shop, empty_database: str) -> None:
    there = {**full_shop.environment, "LOYALTY_POSTGRES_DSN": empty_database}
    assert run("migrate", environment=there).code == 0
    refused = run("ledger", "rebuild", "--into", empty_database, environment=full_shop.environment)
    assert refused.code == 2
    assert "made by `loyalty migrate --no-terms`" in refused.mistakes[0]


def test_the_login_of_the_worker_cannot_register_terms_and_is_told_which_can(run: Run, shop: Shop, doubled: Path) -> None:
    worker = {**shop.environment, "LOYALTY_POSTGRES_ROLE": "loyalty_worker"}
    refused = run("program", "apply", "--replace", doubled, *WHY, environment=worker)
    assert refused.code == 2
    (line,) = refused.mistakes
    assert line.startswith("this login may only read terms: ")
    assert "IN ROLE loyalty_terms" in line


def _written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


def _amendments(day: str, *changes: str) -> str:
    """Amendments for one day, each an hour after the one before."""
    return "\namendments:\n" + "".join(
        f"  - effective_from: '{day}T{hour:02}:00:00+09:00'\n    set: {{{change}}}\n" for hour, change in enumerate(changes)
    )


def _amended(day: str, change: str) -> str:
    return LENOVO.read_text() + _amendments(day, change)


def _apply(run: Run, shop: Shop, file: Path, *more: str) -> Answer:
    answer = run("program", "apply", file, *more, *WHY, environment=shop.environment)
    assert answer.code == 0, answer.err
    return answer


def _shown(run: Run, shop: Shop) -> Any:
    return run("program", "show", CODE, "--registered", "-o", "json", environment=shop.environment).json


def _point_values(run: Run, shop: Shop) -> list[str]:
    return [each.get("point_value", "1") for each in _shown(run, shop)]


def _history(run: Run, shop: Shop) -> Any:
    return run("program", "history", CODE, "-o", "json", environment=shop.environment).json


def _proposed(run: Run, shop: Shop) -> list[str]:
    return [each["hash"] for each in _history(run, shop) if each["state"] == "proposed"]
