"""`erase_account` runs with the rights of the tables' owner; the worker gets none of them through it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from contracts.events.erasure import KEPT, without_person
from tests.erasure.conftest import DAY, T0, Ledger, erasure, life, pipeline
from tests.erasure.scan import places_of
from tests.fold.histories import history
from worker.persist import PostgresStore, StoreOptions
from worker.programs.terms_file import load, shipped

LURE = """
    CREATE TEMP TABLE dead_letter (key bytea, value bytea, headers bytea, digest bytea);
    CREATE TEMP TABLE account AS SELECT * FROM public.account LIMIT 0;
    GRANT ALL ON pg_temp.dead_letter, pg_temp.account TO PUBLIC;
    CREATE FUNCTION pg_temp.lured() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'ran as %', current_user;
    END
    $$;
    CREATE TRIGGER lured BEFORE UPDATE ON pg_temp.dead_letter FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.lured();
"""


async def _columns(ledger: Ledger) -> dict[str, list[Any]]:
    """The arguments of an erasure that is as it should be."""
    facts = await ledger.sql.fetch("SELECT * FROM fact WHERE account_id = $1 ORDER BY source, id", ledger.person())
    found = {name: [row[name] for row in facts] for name in ("source", "id", "type", "body", "digest")}
    return found | {"body": [without_person(type_, body) for type_, body in zip(found["type"], found["body"], strict=True)]}


async def _erase(connection: Any, ledger: Ledger, columns: dict[str, list[Any]]) -> None:
    given = [columns[name] for name in ("source", "id", "body", "digest")]
    await connection.execute("SELECT erase_account($1, gen_random_uuid(), $2, $3, $4, $5)", ledger.person(), *given)


FORGED: dict[str, Callable[[bytes], bytes]] = {
    "more points": lambda body: body.replace(b'"points":900', b'"points":9000'),
    "fewer points": lambda body: body.replace(b'"points_used":300,', b""),
    "another price": lambda body: body.replace(b'"unit_price":5000', b'"unit_price":1'),
    "another member": lambda body: body.replace(b'"member_id":"erased"', b'"member_id":"M1"'),
    "another name": lambda body: body.replace(b'"reason":"erased"', b'"reason":"canary-reason"'),
    "more than was said": lambda body: body.replace(b'"order_id":"C2"', b'"note":"n","order_id":"C2"'),
    "nothing": lambda body: b"{}",
    "no JSON": lambda body: b"{",
}


@pytest.mark.both_postgres
@pytest.mark.parametrize("what", FORGED)
async def test_an_erasure_cannot_change_what_facts_say(ledger: Ledger, what: str) -> None:
    await ledger.deliver([*life(), erasure()])
    columns = await _columns(ledger)
    forged = columns | {"body": [FORGED[what](body) for body in columns["body"]]}
    assert forged != columns
    rows = await ledger.sql.fetch("SELECT * FROM fact ORDER BY 1, 2, 3")
    worker = await asyncpg.connect(ledger.dsn, server_settings={"role": "loyalty_worker"})
    try:
        with pytest.raises((asyncpg.CheckViolationError, asyncpg.InvalidTextRepresentationError)):
            await _erase(worker, ledger, forged)
        assert await ledger.sql.fetch("SELECT * FROM fact ORDER BY 1, 2, 3") == rows
        await _erase(worker, ledger, columns)
    finally:
        await worker.close()
    assert await places_of(ledger.sql, "canary-reason") == {}


async def test_a_login_without_the_right_leaves_erasing_to_one_that_has_it(ledger: Ledger) -> None:
    await ledger.deliver([*life(), erasure()])
    await ledger.clock(T0 + 40 * DAY)
    await ledger.publish()
    function = "FUNCTION erase_account(uuid, uuid, text[], text[], bytea[], bytea[])"
    await ledger.sql.execute(f"REVOKE EXECUTE ON {function} FROM loyalty_worker")
    assert await ledger.erase() == 0
    await ledger.sql.execute(
        f"CREATE ROLE eraser_of_a_test IN ROLE loyalty_worker; GRANT EXECUTE ON {function} TO eraser_of_a_test"
    )
    try:
        async with await PostgresStore.open(ledger.dsn, StoreOptions(role="eraser_of_a_test")) as store:
            assert await replace(ledger, store=store, pipeline=pipeline(store, ledger.catalogue)).erase() == 1
        assert await ledger.findings() == []
    finally:
        await ledger.sql.execute("DROP OWNED BY eraser_of_a_test; DROP ROLE eraser_of_a_test")


@pytest.mark.both_postgres
async def test_the_database_says_what_is_left_of_a_fact_as_the_contract_does(database: str) -> None:
    sql = await asyncpg.connect(database)
    try:
        told = await sql.fetchval("SELECT kept_fields()")
        assert json.loads(told) == json.loads(json.dumps(KEPT)), "the contract grew: a migration has to make kept_fields() anew"
        facts = [event for code in shipped() for event in history(load(shipped()[code]), 3, members=4).events]
        kinds = {event.type for event in facts}
        assert len(kinds) > 15
        bodies = [(event.type, _with_more(event.body)) for event in facts]
        rows = await sql.fetch(
            "SELECT without_person(w.type, convert_from(w.body, 'UTF8')::jsonb) AS kept "
            "FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS w (type, body, place) ORDER BY w.place",
            *zip(*bodies, strict=True),
        )
    finally:
        await sql.close()
    for (type_, body), row in zip(bodies, rows, strict=True):
        assert json.loads(row["kept"]) == json.loads(without_person(type_, body))


def _with_more(body: bytes) -> bytes:
    """With fields that the contract does not know, at every depth, some under names that it knows elsewhere."""

    def more(value: Any) -> Any:
        if isinstance(value, list):
            return [more(each) for each in value]
        if isinstance(value, dict):
            return {**{name: more(each) for name, each in value.items()}, "note": {"a": [None, "\U0001f600"]}, "store": "s"}
        return value

    return json.dumps(more(json.loads(body))).encode()


async def test_tables_that_the_worker_makes_for_itself_are_not_those_of_the_ledger(ledger: Ledger) -> None:
    await ledger.deliver([*life(), erasure()])
    columns = await _columns(ledger)
    worker = await asyncpg.connect(ledger.dsn, server_settings={"role": "loyalty_worker"})
    try:
        await worker.execute(LURE)
        await worker.execute("INSERT INTO pg_temp.account SELECT * FROM public.account WHERE account_id = $1", ledger.person())
        await _erase(worker, ledger, columns)
    finally:
        await worker.close()
    assert await ledger.sql.fetchval("SELECT count(*) FROM fact WHERE account_id = $1", ledger.person()) == 0
