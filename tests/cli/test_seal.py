"""`loyalty ledger seal` and `verify --against`: sealed from the command line, kept elsewhere, and held against the ledger."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Run, Shop
from worker.local.sql import execute

REWRITTEN = (
    "SET session_replication_role = replica; "
    "UPDATE fact SET leaf = sha256(leaf) WHERE place = 1 AND account_id = (SELECT account_id FROM account ORDER BY 1 LIMIT 1)"
)
SEALER = (
    "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sealer') THEN "
    "CREATE ROLE sealer LOGIN IN ROLE loyalty_sealer; END IF; END $$"
)


def test_what_was_sealed_is_held_against_the_ledger(run: Run, full_shop: Shop, tmp_path: Path) -> None:
    execute(full_shop.dsn, SEALER)
    sealing = {**full_shop.environment, "LOYALTY_POSTGRES_DSN": full_shop.dsn.replace("postgres@", "sealer@")}
    file = tmp_path / "seal.ndjson"
    made = run("ledger", "seal", "--export", file, "-o", "json", environment=sealing).json
    assert {each["number"] for each in made} == {1}
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["digest"] for line in lines if line["type"] == "seal"] == [each["digest"] for each in made]
    assert sum(each["accounts"] for each in made) == len([line for line in lines if line["type"] == "chain"])
    assert list(tmp_path.iterdir()) == [file]

    again = run("ledger", "seal", "--export", file, environment=sealing)
    assert (again.code, again.mistakes) == (
        2, [f"--export: {file} is there already: what was sealed before is worth keeping"]
    )  # fmt: skip
    answer = run("ledger", "verify", "--against", file, environment=full_shop.environment)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("The ledger goes on from what was sealed: ")
    assert run("ledger", "verify", "--against", file, "-o", "json", environment=full_shop.environment).json == []

    execute(full_shop.dsn, REWRITTEN)
    answer = run("ledger", "verify", "--against", file, "-o", "json", environment=full_shop.environment)
    assert (answer.code, [each["invariant"] for each in answer.json]) == (1, ["chains_go_on_from_the_seal"])
    assert "rebuild" not in answer.json[0]["cure"]


def test_a_file_that_cannot_be_used_is_told(run: Run, full_shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "seal.ndjson"
    missing = run("ledger", "verify", "--against", file, environment=full_shop.environment)
    assert (missing.code, missing.mistakes) == (2, [f"{file}: No such file or directory"])
    file.write_text("{}\n")
    wrong = run("ledger", "verify", "--against", file, environment=full_shop.environment)
    assert (wrong.code, wrong.mistakes) == (2, [f"{file}: a line cannot be read: ValidationError"])
    together = run("ledger", "verify", "--against", file, "--against-kafka", environment=full_shop.environment)
    assert together.code == 2
    assert together.mistakes[0].startswith("--against: looks at the whole ledger")


def test_an_account_with_a_forged_fact_is_rebuilt_when_somebody_says_why(run: Run, full_shop: Shop) -> None:
    execute(
        full_shop.dsn,
        "INSERT INTO fact (account_id, source, id, type, business_at, rank, program, digest, body) "
        "SELECT account_id, source, 'forged', type, business_at, rank, program, digest, body FROM fact "
        "WHERE type = 'member.enrolled' AND account_id = (SELECT account_id FROM account WHERE member_id = 'LP-101')",
    )
    account = ("ledger", "rebuild", "--account", "lenovo-pro:LP-101")
    found = run("ledger", "verify", "-o", "json", environment=full_shop.environment).json
    assert [each["invariant"] for each in found] == ["facts_are_in_the_chain"]
    refused = run(*account, environment=full_shop.environment)
    assert (refused.code, refused.mistakes[-1]) == (1, "0 accounts rebuilt, 0 with a new version; 1 could not be rebuilt")
    empty = run(*account, "--accept-unproven", " ", environment=full_shop.environment)
    assert (empty.code, empty.mistakes) == (2, ["--accept-unproven: say why"])
    assert run(*account, "--accept-unproven", "the shop confirms it", environment=full_shop.environment).code == 0
    sound = run("ledger", "verify", environment=full_shop.environment)
    assert (sound.code, len(sound.mistakes)) == (0, 1)
    assert sound.mistakes[0].startswith("1 account goes on from facts that postgres took over unproven (")
    assert sound.mistakes[0].endswith("): the shop confirms it")
