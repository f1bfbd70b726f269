"""`loyalty member statement` and `ledger decisions`: what the database tells, now and as of an earlier time."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import DAY, EVENING, Answer, Run, Shop
from worker.persist import Dossier, PostgresStore
from worker.programs.registry import programs
from worker.reading.statements import as_json, read

MEMBERS = {"lenovo-pro": 6, "belle-maison": 6}


def statement(run: Run, shop: Shop, member: str, *more: str, program: str = "lenovo-pro") -> Answer:
    return run("member", "statement", program, member, "-o", "json", *more, environment=shop.environment)


def without_version(statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A ledger told in one batch counts fewer versions than one told event by event."""
    return [{name: value for name, value in one.items() if name != "version"} for one in statements]


@pytest.mark.parametrize("at", [EVENING, EVENING + timedelta(days=14), datetime(2028, 1, 1, tzinfo=UTC)])
def test_the_state_as_it_is_kept_and_the_facts_folded_anew_agree(full_shop: Shop, at: datetime) -> None:
    async def both() -> int:
        count = 0
        async with await PostgresStore.open(full_shop.dsn) as store:
            terms = {program.code: program for program in await programs(store)}
            async for dossier in store.dossiers():
                assert dossier.row is not None
                program = terms[dossier.row.program]
                assert as_json(read(dossier, program, at)) == as_json(read(dossier, program, at, today=False))
                count += 1
        return count

    assert asyncio.run(both()) == sum(MEMBERS.values())


@pytest.mark.parametrize("program", MEMBERS)
@pytest.mark.parametrize("at", ["2026-06-15T00:00:00Z", "2026-11-20T21:00:00+09:00", "2027-06-15T00:00:00Z"])
def test_the_database_says_what_simulate_says_with_the_decisions_taken(
    run: Run, full_shop: Shop, tmp_path: Path, program: str, at: str
) -> None:
    decisions = tmp_path / "decisions.ndjson"
    decisions.write_text(run("ledger", "decisions", program, environment=full_shop.environment).out)
    arguments = ("--program", program, "--events", DAY, "--decisions", decisions, "--at", at)
    simulated = run("simulate", *arguments).json[0]["members"]
    told = [statement(run, full_shop, one["member_id"], "--at", at, program=program).json for one in simulated]
    assert simulated
    assert without_version(told) == without_version(simulated)


def test_known_at_answers_from_what_was_recorded_by_then(run: Run, shop: Shop) -> None:
    lines = [line for line in DAY.read_bytes().splitlines() if b"LP-101" in line or b"L-9001" in line or b"L-7001" in line]
    placed = next(place for place, line in enumerate(lines) if b'"L-9001"' in line)
    shop.deliver(lines[:placed])
    between = shop.now().isoformat()
    shop.deliver(lines[placed:])
    at = "2026-11-20T21:00:00+09:00"
    then = statement(run, shop, "LP-101", "--at", at, "--known-at", between).json
    now = statement(run, shop, "LP-101", "--at", at).json
    assert [one["order_id"] for one in then["orders"]] == ["L-7001", "L-7002"]
    assert [one["order_id"] for one in now["orders"]] == ["L-7001", "L-7002", "L-9001"]
    early = statement(run, shop, "LP-101", "--known-at", "2020-01-01T00:00:00Z")
    assert (early.code, early.mistakes) == (1, ["nothing was known of this member of lenovo-pro by then"])


def test_a_redemption_without_a_verdict_still_waits(run: Run, shop: Shop) -> None:
    lines = [line for line in DAY.read_bytes().splitlines() if b"LP-105" in line]
    shop.deliver(lines, watermark=None)
    for more in ([], ["--known-at", shop.now().isoformat()]):
        told = statement(run, shop, "LP-105", "--at", "2026-11-20T21:00:00+09:00", *more).json
        assert told["orders"][-1]["redemption"] == {"decision": "waiting"}


def test_a_statement_is_a_table_for_people_and_the_contract_for_programs(run: Run, full_shop: Shop) -> None:
    line = run("member", "statement", "lenovo-pro", "LP-105", "-o", "ndjson", environment=full_shop.environment).out
    assert json.loads(line)["orders"][-1]["redemption"] == {"decision": "rejected", "reason": "insufficient_points"}
    table = run("member", "statement", "lenovo-pro", "LP-105", environment=full_shop.environment).out
    assert "rejected: insufficient_points" in table


def test_nothing_is_written_and_a_reader_is_enough(run: Run, full_shop: Shop) -> None:
    environment = {**full_shop.environment, "LOYALTY_POSTGRES_ROLE": "loyalty_reader"}
    assert run("member", "statement", "lenovo-pro", "LP-101", environment=environment).code == 0
    assert run("ledger", "verify", environment=environment).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "mistake"),
    [
        (
            ("lenovo-pro", "nobody"),
            1,
            "no account of this member in lenovo-pro (or LOYALTY_ACCOUNT_KEY is not the key of this ledger)",
        ),
        (("nothing", "LP-101"), 2, "nothing: no program of this code: registered are "),
        (("lenovo-pro", "LP-101", "--at", "noon"), 2, "--at noon: should be a time such as "),
        (
            ("lenovo-pro", "LP-101", "--known-at", "2026-01-01T00:00:00"),
            2,
            "--known-at 2026-01-01T00:00:00: should say its offset",
        ),
    ],
)
def test_every_mistake_is_one_line(run: Run, shop: Shop, arguments: tuple[str, ...], code: int, mistake: str) -> None:
    answer = run("member", "statement", *arguments, environment=shop.environment)
    assert (answer.code, answer.out) == (code, "")
    assert [line[: len(mistake)] for line in answer.mistakes] == [mistake]


def test_settings_and_a_database_that_is_away_are_told_in_lines(run: Run, empty_database: str, shop: Shop) -> None:
    unset = run("member", "statement", "lenovo-pro", "LP-101")
    assert unset.code == 2
    assert any(line.startswith("LOYALTY_ACCOUNT_KEY must be set") for line in unset.mistakes)
    nobody = {**shop.environment, "LOYALTY_POSTGRES_DSN": "postgresql://postgres@127.0.0.1:1/none"}
    away = run("member", "statement", "lenovo-pro", "LP-101", environment=nobody)
    assert away.code == 3
    assert [line.startswith("Postgres is away: ") for line in away.mistakes] == [True]
    fresh = run(
        "member", "statement", "lenovo-pro", "LP-101", environment={**shop.environment, "LOYALTY_POSTGRES_DSN": empty_database}
    )
    assert fresh.code == 2
    assert fresh.mistakes[0].endswith("run `loyalty migrate`")


def test_dossiers_of_the_day_hold_everyone(full_shop: Shop) -> None:
    async def members() -> list[Dossier]:
        async with await PostgresStore.open(full_shop.dsn) as store:
            return [dossier async for dossier in store.dossiers()]

    assert len(asyncio.run(members())) == sum(MEMBERS.values())
