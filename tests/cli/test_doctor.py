"""`loyalty doctor` and `topics create`: what is wrong and what to do, one line each."""

from __future__ import annotations

from typing import Any

from tests.cli.conftest import Answer, Run, Shop
from tests.parts.kafka import TopicNames
from worker.local.sql import execute


def results(answer: Answer) -> dict[str, tuple[str, str]]:
    found: list[dict[str, Any]] = answer.json
    return {one["check"]: (one["result"], one["to_do"]) for one in found}


def doctor(run: Run, environment: dict[str, str]) -> Answer:
    return run("doctor", "-o", "json", environment=environment)


def test_every_wrong_setting_is_a_line(run: Run) -> None:
    answer = doctor(run, {"LOYALTY_KAFKA_BOOTSTRAP": "nowhere"})
    assert answer.code == 1
    assert {one["result"] for one in answer.json} == {"fail"}
    assert any("LOYALTY_KAFKA_BOOTSTRAP=nowhere" in one["found"] for one in answer.json)
    assert any(one["found"].startswith("LOYALTY_ACCOUNT_KEY must be set") for one in answer.json)


def test_what_is_away_is_named_with_the_setting_to_look_at(run: Run, shop: Shop) -> None:
    nobody = "postgresql://postgres@127.0.0.1:1/none"
    answer = doctor(run, {**shop.environment, "LOYALTY_POSTGRES_DSN": nobody})
    found = results(answer)
    assert answer.code == 1
    assert found["kafka"] == ("fail", "start Kafka, or correct LOYALTY_KAFKA_BOOTSTRAP and its TLS and SASL settings")
    assert found["postgres"] == ("fail", "start Postgres, or correct LOYALTY_POSTGRES_DSN")


def test_a_database_without_schema_or_terms_or_with_another_key(run: Run, shop: Shop, empty_database: str) -> None:
    fresh = results(doctor(run, {**shop.environment, "LOYALTY_POSTGRES_DSN": empty_database}))
    assert fresh["schema"] == ("fail", "run `loyalty migrate` as the owner of the database")
    other = results(doctor(run, {**shop.environment, "LOYALTY_ACCOUNT_KEY": "another key of sixteen characters"}))
    assert other["account key"] == ("fail", "correct LOYALTY_ACCOUNT_KEY")
    assert (other["schema"], other["terms"][0]) == (("ok", ""), "ok")
    execute(shop.dsn, *(f"ALTER TABLE {table} DISABLE TRIGGER ALL" for table in ("program_terms", "terms_approval")))
    execute(shop.dsn, "TRUNCATE program_terms, terms_approval")
    assert results(doctor(run, shop.environment))["terms"][0] == "fail"


def test_rights_that_are_missing_fail_and_rights_too_many_are_warned_of(run: Run, shop: Shop) -> None:
    rights = {
        role: results(doctor(run, {**shop.environment, "LOYALTY_POSTGRES_ROLE": role}))["rights"][0]
        for role in ("loyalty_worker", "loyalty_reader", "postgres")
    }
    assert rights == {"loyalty_worker": "ok", "loyalty_reader": "fail", "postgres": "warn"}


def test_topics_are_missed_then_created_and_uneven_ones_are_warned_of(
    run: Run, shop: Shop, bootstrap: str, topics: TopicNames
) -> None:
    environment = {
        **shop.environment,
        "LOYALTY_KAFKA_BOOTSTRAP": bootstrap,
        "LOYALTY_KAFKA_TOPICS_PREFIX": topics.prefix,
        "LOYALTY_POSTGRES_ROLE": "loyalty_worker",
    }
    assert results(doctor(run, environment))["topics"] == ("fail", "create them: loyalty topics create")
    created = run("topics", "create", "--partitions", "3", environment=environment)
    assert (created.code, created.out) == (0, "")
    assert created.err.startswith("21 topics are there: ")
    answer = doctor(run, environment)
    assert (answer.code, {one["result"] for one in answer.json}) == (0, {"ok"})


def test_fenced_accounts_are_warned_of(run: Run, shop: Shop) -> None:
    assert results(doctor(run, shop.environment))["accounts"] == ("ok", "")
    columns = "account_id, program, member_id, revision, version, epoch, shard, available, pending, held, arrears, fenced, head"
    execute(
        shop.dsn,
        f"INSERT INTO account ({columns}) VALUES (gen_random_uuid(), 'scolar', 'M', 1, 0, 1, 0, 0, 0, 0, 0, 'why', '{{}}')",
    )
    result, to_do = results(doctor(run, shop.environment))["accounts"]
    assert (result, "ledger verify" in to_do) == ("warn", True)
