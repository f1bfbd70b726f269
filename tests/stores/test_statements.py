"""A batch takes the same few statements for one event as for five hundred, and none of them scans a table."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import pytest

from tests.stores.examples import KEY, PROGRAM, Moved, arrival, earned, fact, member, moment, record
from tests.stores.measured import statements
from worker.decide.change import Needs, Wanted
from worker.decide.state import ItemKey
from worker.persist import DeadLetter, PostgresStore, account_id
from worker.persist.link import PLANNED_ONCE, PLANNING
from worker.persist.queries import SQL

STATEMENTS_MAX = 30

COLD = {"watermark", "advance_watermark", "ledger_state", "settle_key", "clock", "positions", "readings", "outbox_backlog"}
COLD |= {"certainty", "snapshots", "take_snapshot", "pass_snapshots"}
COLD |= {"taken_over", "programs_to_seal", "chains_to_seal", "chains_sealed", "sealing_state"}
COLD |= {"held_commands"}
COLD |= {"drainable", "parked_since", "terms", "raise_epoch", *(name for name in SQL if name.startswith("transfer_"))}
"""Statements that read a table of one row, or all of a small one, or are asked for by people."""
IN_ORDER_OF_THE_INDEX = ("due", "outbox_range", "accounts_after")


async def _everything(store: PostgresStore, size: int, begin: int) -> None:
    """A batch that does all that a batch can do, for `size` accounts."""
    members = [member(number) for number in range(size)]
    ids = [account_id(KEY, PROGRAM, name) for name in members]
    async with store.batch() as batch:
        await batch.move_positions([Moved(p, None if begin == 0 else begin, begin + 1) for p in range(min(size, 8))])
        await batch.claim([arrival(f"{begin}-{name}", name) for name in members], [f"{begin}-wait-{name}" for name in members])
        await batch.park([fact(begin, f"{begin}-wait-{name}") for name in members])
        await batch.take_parked([(f"{begin}-{name}", PROGRAM) for name in members])
        order = frozenset[ItemKey]({("order", "A")})
        needs = [Needs(order, frozenset({f"order:{a}"}), all_open=n % 2 == 0) for n, a in enumerate(ids)]
        wanted = [Wanted(a, (("shop", "e0"),), each) for a, each in zip(ids, needs, strict=True)]
        loaded = await batch.load(wanted)
        await batch.history({a: moment(fact(0)) for a in ids})
        changes = [earned(name, begin, loaded[a].row) for name, a in zip(members, ids, strict=True)]
        for change in changes:
            change.undone_from = moment(fact(begin))
            change.lots[f"order:gone-{begin}/all"] = None
            change.items["mark", "gone"] = None
        assert len(await batch.compare_and_set(changes)) == size
        await batch.write(changes)
        await batch.dead_letter([DeadLetter(record(begin * 1000 + n), "not_json", "x") for n in range(size)])


async def test_a_batch_takes_as_many_statements_for_one_event_as_for_five_hundred(
    worker_store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await worker_store.state()  # as a worker does: from then on it knows that nothing was read back after a restore
    await _everything(worker_store, 500, 0)
    with statements(monkeypatch) as many:
        await _everything(worker_store, 500, 1)
    with statements(monkeypatch) as one:
        await _everything(worker_store, 1, 2)
    assert len(one) == len(many) <= STATEMENTS_MAX


async def test_what_has_nothing_to_write_is_not_sent(worker_store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with statements(monkeypatch) as sent:
        async with worker_store.batch() as batch:
            await batch.move_positions([])
            await batch.claim([], [])
            await batch.park([])
            await batch.points_given([])
            await batch.give_points({})
            await batch.known_commands([])
            await batch.hold([])
            await batch.load([])
            await batch.compare_and_set([])
            await batch.write([])
            await batch.dead_letter([])
    assert [text.split()[0] for text in sent if "advisory" not in text] == ["BEGIN", "COMMIT"]


# The tables are filled so that a scan would be the better plan for whoever looks at one moment only.
_FILL = """
    INSERT INTO account (account_id, program, member_id, revision, version, epoch, shard, available, pending, held, arrears,
        next_due_at, head)
    SELECT account_id, 'scolar', n::text, 1, 1, 1, (n % 64)::smallint, 0, 0, 0, 0, now() + n * interval '1 s', '{}'
    FROM ids;
    INSERT INTO fact (account_id, source, id, type, business_at, rank, digest, body)
    SELECT account_id, 'shop', n::text, 'order.paid', now(), 50, '', '{}' FROM ids;
    INSERT INTO decision SELECT account_id, 'shop', n::text, 'accepted', 1 FROM ids;
    INSERT INTO entry (account_id, version, line, business_at, rank, source, id, reason, points, from_bucket, to_bucket, rule,
        correction)
    SELECT account_id, 1, 0, now(), 50, 'shop', n::text, 'earn', 1, 'granted', 'available', 'R', false FROM ids;
    INSERT INTO lot SELECT account_id, 'order:' || n, 'all', 'regular', 1, 0, 1, 0, NULL, NULL, '{}' FROM ids;
    INSERT INTO item SELECT account_id, 'order', n::text, now(), '{}' FROM ids;
    INSERT INTO step SELECT account_id, now(), 50, 'shop', n::text, 1, '{}' FROM ids;
    INSERT INTO order_route SELECT n::text, ARRAY['scolar'], ARRAY[account_id] FROM ids;
    INSERT INTO parked SELECT 'p' || n, 'shop', n::text, 'order.paid', now(), NULL, '', '{}', NULL FROM ids;
    INSERT INTO outbox SELECT account_id, 1, 0, 'loyalty.balance-changed', '', '', 1, 'scolar', now() FROM ids;
    INSERT INTO position SELECT 'commerce.order', n, -1, 1, '', now() FROM ids;
    INSERT INTO dead_letter (topic, partition, record_offset, digest, reason, detail, headers)
    SELECT 'commerce.order', 0, n, '', 'not_json', '', '' FROM ids;
    INSERT INTO dead_letter_queue SELECT n % 256, n, 10 FROM ids;
    INSERT INTO held_command (account_id, source, id, type, business_at, digest, body, account_program, operator, points, ceiling)
    SELECT account_id, 'shop', n::text, 'points.adjusted', now(), '', '{}', 'scolar', '', 1, 'command_points' FROM ids;
    INSERT INTO command_verdict (account_id, source, id, operator, verdict, given_by, reason)
    SELECT account_id, 'shop', n::text, '', 'approved', 'ben', 'why' FROM ids WHERE n % 2 = 0;
    INSERT INTO points_given SELECT current_date - n % 40, 'member_points_per_day', account_id, 1 FROM ids;
    INSERT INTO erasure (account_id, asked_until) SELECT account_id, now() FROM ids;
"""


@pytest.fixture
async def full(database: str) -> AsyncIterator[Any]:
    """A connection to a database with rows in every table, with the store's settings for planning."""
    connection = await asyncpg.connect(database)
    await connection.execute(
        "CREATE TEMP TABLE ids AS SELECT md5(n::text)::uuid AS account_id, n FROM generate_series(1, 20000) AS n;" + _FILL
    )
    await connection.execute("ANALYZE")
    for setting in (*PLANNING, PLANNED_ONCE):
        await connection.execute(f"SET {setting}")
    yield connection
    await connection.close()


@pytest.mark.both_postgres
async def test_no_statement_of_the_hot_path_scans_a_table(full: Any) -> None:
    plans = {name: await _plan(full, SQL[name]) for name in sorted(SQL.keys() - COLD)}
    scanned = {(name, n.get("Relation Name")) for name, nodes in plans.items() for n in nodes if n["Node Type"] == "Seq Scan"}
    assert scanned == {("move_positions", "watermark")}  # one row
    for name in IN_ORDER_OF_THE_INDEX:
        assert {n["Node Type"] for n in plans[name]} <= {"Limit", "Index Scan", "Index Only Scan"}, name


ASKED = 500
OF_REFILLED = {
    "outbox_delete": ("account_id", "1", "0"),
    "parked_digests": ("'p' || n", "'shop'::text", "n::text"),
    "take_parked": ("'p' || n", "'scolar'::text"),
}
"""Statements on tables that are emptied and filled again, and their keys as columns of `ids`."""


@pytest.fixture
async def refilled(full: Any) -> Any:
    """Tables that come and go were vacuumed while one row was left at their end, and filled again since."""
    for table in ("outbox", "parked", "dead_letter_queue"):
        await full.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        await full.execute(f"CREATE TEMP TABLE kept AS SELECT * FROM {table} WHERE ctid < (SELECT max(ctid) FROM {table})")
        await full.execute(f"DELETE FROM {table} WHERE ctid < (SELECT max(ctid) FROM {table})")
        await full.execute(f"VACUUM (ANALYZE) {table}")
        await full.execute(f"INSERT INTO {table} SELECT * FROM kept; DROP TABLE kept")
        assert await full.fetchval("SELECT reltuples FROM pg_class WHERE relname = $1", table) == 1
    return full


@pytest.mark.both_postgres
@pytest.mark.parametrize("name", sorted(OF_REFILLED))
async def test_a_table_that_statistics_call_empty_is_not_compared_row_by_row_with_all_that_is_asked_for(
    refilled: Any, name: str
) -> None:
    keys = ", ".join(f"quote_literal(array_agg({key}))" for key in OF_REFILLED[name])
    values = await refilled.fetchrow(f"SELECT {keys} FROM ids WHERE n <= $1", ASKED)
    nodes = await _plan(refilled, SQL[name], values, "ANALYZE")
    looked_at = sum(n["Actual Rows"] * n["Actual Loops"] + n.get("Rows Removed by Filter", 0) for n in nodes)
    assert ASKED < looked_at < 20 * ASKED


@pytest.mark.both_postgres
async def test_handing_over_dead_letters_looks_at_those_that_it_takes_however_many_wait(refilled: Any) -> None:
    nodes = await _plan(refilled, SQL["take_dead_letters"], ("256", "2", str(ASKED), "1000000"), "ANALYZE")
    tables = {"dead_letter", "dead_letter_queue"}
    looked_at = sum(n["Actual Rows"] * n["Actual Loops"] for n in nodes if n.get("Relation Name") in tables)
    removed = sum(n.get("Rows Removed by Filter", 0) for n in nodes)
    assert ASKED < looked_at < 5 * ASKED
    assert removed < ASKED


async def _plan(connection: Any, query: str, values: Sequence[str] = (), how: str = "COSTS") -> list[dict[str, Any]]:
    """The nodes of the plan for any values, as the store uses it."""
    values = values or ["NULL"] * max(map(int, re.findall(r"\$(\d+)", query)), default=0)
    given = f"({', '.join(values)})" if values else ""
    await connection.execute(f"PREPARE hot AS {query}")
    try:
        plan = json.loads(await connection.fetchval(f"EXPLAIN ({how}, FORMAT JSON) EXECUTE hot{given}"))
    finally:
        await connection.execute("DEALLOCATE hot")
    return _nodes(plan[0]["Plan"])


def _nodes(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(inner for child in node.get("Plans", ()) for inner in _nodes(child))]
