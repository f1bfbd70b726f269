"""`erase_account` runs with the rights of the tables' owner; the worker gets none of them through it."""

from __future__ import annotations

import asyncpg

from tests.erasure.conftest import Ledger, erasure, life

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


async def test_tables_that_the_worker_makes_for_itself_are_not_those_of_the_ledger(ledger: Ledger) -> None:
    await ledger.deliver([*life(), erasure()])
    facts = await ledger.sql.fetch("SELECT * FROM fact WHERE account_id = $1 ORDER BY source, id", ledger.person())
    columns = [[row[name] for row in facts] for name in ("source", "id", "body", "digest")]
    worker = await asyncpg.connect(ledger.dsn, server_settings={"role": "loyalty_worker"})
    try:
        await worker.execute(LURE)
        await worker.execute("INSERT INTO pg_temp.account SELECT * FROM public.account WHERE account_id = $1", ledger.person())
        await worker.execute("SELECT erase_account($1, gen_random_uuid(), $2, $3, $4, $5)", ledger.person(), *columns)
    finally:
        await worker.close()
    assert await ledger.sql.fetchval("SELECT count(*) FROM fact WHERE account_id = $1", ledger.person()) == 0
