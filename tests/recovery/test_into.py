"""Facts and announced verdicts alone build the whole ledger once more, in another database."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import count
from unittest.mock import patch

import pytest

from contracts.events import Event
from tests.flows.system import ACCOUNT_KEY
from tests.parts.postgres import DEFAULT_VERSION, Servers
from tests.recovery.ledgers import KEY, deliver, prepare, rows, shuffled, traffic
from tests.stores.examples import record
from worker.local.sql import execute
from worker.persist import DeadLetter, HeldCommand, PostgresStore, Total
from worker.persist.identity import account_id, key_check
from worker.persist.transfer import Transfer
from worker.programs import registry
from worker.programs.catalogue import Catalogue
from worker.upkeep import verify
from worker.upkeep.rebuild_into import rebuild_into
from worker.upkeep.sealing import AgainstFile, seal

MEMBERS = 60
EVENTS = 1_500
_numbers = count(1)

# Every column of every table that follows from facts, but those that cannot be equal:
EQUAL = {
    # recorded_at and all: they are taken over as they were recorded.
    "fact": "*",
    "decision": "*",
    "lot": "*",
    "item": "*",
    "order_route": "*",
    "parked": "*",
    "position": "*",
    "dead_letter": "topic, partition, record_offset, digest, record_at, reason, detail, path, key, value, headers, recorded_at",
    "program_terms": "*",
    "terms_approval": "*",
    "erasure": "*",
    "announced": "*",
    "chain_begun": "*",
    "seal": "*",
    "held_command": "*",
    "command_verdict": "*",
    "points_given": "*",
    # Not: revision and updated_at (how often and when the row was written); version and epoch (what was told under the next epoch
    # is counted anew); next_due_at and the same in the head (the clock may have been asked to look earlier than need be).
    "account": "account_id, program, member_id, shard, available, pending, held, arrears, fenced, chain_length, "
    "convert_from(head, 'UTF8')::jsonb - 'next_due_at' - 'clock_due_at' AS head",
    # Not: version (see above), and before (it holds the head of that time).
    "step": "account_id, business_at, rank, source, id",
    # Not: version, line, correction, from_after, to_after (what came late was posted and corrected, and is posted once now);
    # recorded_at (the time of posting). So movements are compared in sum, each with its rule, lot and order.
    "entry": "account_id, business_at, rank, source, id, reason, least(from_bucket, to_bucket), "
    "greatest(from_bucket, to_bucket), kind, lot, expires_on, order_id, rule, "
    "sum(CASE WHEN from_bucket < to_bucket THEN points ELSE -points END) AS points",
}
STATE = ("account", "lot", "item", "step", "entry")
"""What has no time of recording that is compared."""
GROUPED = " GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 HAVING "
GROUPED += "sum(CASE WHEN from_bucket < to_bucket THEN points ELSE -points END) <> 0"
WHOLE_LINES = (
    "account_id, version, line, business_at, rank, source, id, reason, points, from_bucket, to_bucket, from_after, to_after, "
    "kind, lot, expires_on, order_id, rule, correction"
)


@pytest.fixture
def other(postgres_servers: Servers) -> Iterator[str]:
    """A second database, empty, at the schema of this release."""
    name = f"into_{next(_numbers)}"
    yield postgres_servers.create_database(DEFAULT_VERSION, name)
    execute(postgres_servers.get(DEFAULT_VERSION).dsn(), f"DROP DATABASE {name} WITH (FORCE)")


async def into(source: str, target: str, *more: str, code: int = 0) -> str:
    """Run the command; returns what it says of the comparison."""
    environment = {**os.environ, "LOYALTY_POSTGRES_DSN": source, "LOYALTY_ACCOUNT_KEY": ACCOUNT_KEY}
    environment["LOYALTY_KAFKA_BOOTSTRAP"] = "127.0.0.1:1"
    arguments = (sys.executable, "-m", "worker", "ledger", "rebuild", "--into", target, *more)
    done = await asyncio.to_thread(subprocess.run, arguments, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr


async def equal(source: str, target: str, tables: Iterable[str] = tuple(EQUAL)) -> None:
    """Every row of these tables but for the columns that cannot be equal."""
    for table, columns in ((table, EQUAL[table]) for table in tables):
        query = f"SELECT {columns} FROM {table}{GROUPED if table == 'entry' else ''}"
        ours, theirs = await rows(source, query), await rows(target, query)
        assert sorted(map(repr, ours)) == sorted(map(repr, theirs)), table


async def sound(dsn: str) -> None:
    """Nothing is found by verify."""
    async with await PostgresStore.open(dsn) as store:
        programs = {program.code: program for program in await registry.programs(store)}
        assert [violation async for violation in verify.check(store, programs)] == []


async def test_a_ledger_built_anew_from_facts_is_the_ledger_row_by_row(database: str, other: str) -> None:
    await prepare(database)
    events = traffic(3, MEMBERS, EVENTS)
    mixed = shuffled(events, 3)
    early, late = mixed[: EVENTS * 4 // 5], mixed[EVENTS * 4 // 5 :]
    await deliver(database, early)
    said = await into(database, other)
    assert said.splitlines()[-1] == "0 differences; 0 accounts had no state to compare with"
    await equal(database, other)
    await sound(other)
    assert (await rows(database, "SELECT count(*) FROM entry WHERE correction"))[0][0] > 50
    assert await rows(other, "SELECT count(*) FILTER (WHERE correction), min(epoch), max(epoch) FROM entry, account") == [
        (0, 2, 2)
    ]
    assert await rows(other, "SELECT count(*) FROM outbox") == [(0,)]
    # Where nothing came late, entries are equal line by line.
    corrected = "(SELECT account_id FROM entry WHERE correction)"
    lines = f"SELECT {WHOLE_LINES} FROM entry WHERE account_id NOT IN {corrected} ORDER BY account_id, version, line"
    ours = await rows(database, lines)
    accounts = ", ".join(f"'{account}'" for account in {row[0] for row in ours})
    theirs = await rows(
        other, f"SELECT {WHOLE_LINES} FROM entry WHERE account_id IN ({accounts}) ORDER BY account_id, version, line"
    )
    assert len(ours) > 20
    assert ours == theirs
    # Whoever has the new one goes on as the old one would.
    for dsn in (database, other):
        async with await PostgresStore.open(dsn) as store:
            assert (await store.positions())["t", 0].next_offset == len(early)
        await deliver(dsn, late, start=len(early))
    await equal(database, other, STATE)
    await sound(other)


async def test_dead_letters_that_wait_to_be_published_wait_in_the_new_ledger(database: str, other: str) -> None:
    await prepare(database)
    async with await PostgresStore.open(database) as source, await PostgresStore.open(other) as target:
        async with source.batch() as batch:
            await batch.dead_letter([DeadLetter(record(n), "not_json", "x", source="/shop") for n in range(5)])
        await source.hand_over_dead_letters(2)
        await Transfer(source, target, key_check(KEY).hex()).begin()
        assert [(each.reason, each.letters) for each in await target.waiting_dead_letters()] == [("not_json", 3)]
        await target.hand_over_dead_letters(10)
        assert [row.version for row in await target.read(range(64), 10)] == [2, 3, 4]


async def test_held_commands_and_what_was_said_of_them_are_taken_over(database: str, other: str) -> None:
    """So what was above a ceiling in the old ledger is above it in the new one, and a verdict is applied there."""
    await prepare(database)
    now = datetime.now(UTC)
    event = Event.from_stored("/desk", "c1", "survey.won", now, None, None, b'{"member_id":"M","points":500,"survey_id":"S"}')
    held = HeldCommand(account_id(KEY, "scolar", "M"), "scolar", event, "anna", 500, "command_points")
    total = Total(now.date(), "member_points_per_day", held.account_id)
    async with await PostgresStore.open(database) as source, await PostgresStore.open(other) as target:
        async with source.batch() as batch:
            await batch.points_given([total])
            await batch.give_points({total: 70})
            await batch.hold([held])
        await source.decide_command(held, "approved", "ben", "goodwill")
        await Transfer(source, target, key_check(KEY).hex()).begin()
        assert await target.held_commands(decided=True) == await source.held_commands(decided=True)
        assert await target.verdicts_to_apply(10) == [held.name]
        async with target.batch() as batch:
            assert await batch.points_given([total]) == {total: 70}


async def test_an_interrupted_run_goes_on_and_a_database_in_use_is_refused(database: str, other: str) -> None:
    await prepare(database)
    await deliver(database, traffic(3, 30, 400))
    async with await PostgresStore.open(database) as source, await PostgresStore.open(other) as target:
        transfer = Transfer(source, target, key_check(KEY).hex())
        left = await transfer.begin()
        with patch("worker.persist.transfer.ACCOUNTS_AT_ONCE", 7):
            parts = rebuild_into(transfer, Catalogue(await registry.programs(source)), 2)
            first = await anext(parts)
            await parts.aclose()
        assert (left, first.accounts) == (30, 7)
    said = await into(database, other)
    assert "23 accounts built" in said
    await equal(database, other)
    assert "holds a ledger already" in await into(database, other, code=2)


async def test_a_fenced_account_is_free_in_the_new_ledger_and_what_was_changed_by_hand_is_found(
    database: str, other: str
) -> None:
    await prepare(database)
    await deliver(database, traffic(3, 20, 300))
    await rows(database, "UPDATE account SET fenced = 'a defect' WHERE member_id = 'M00003' AND program = 'lenovo-pro'")
    changed = await rows(
        database,
        "UPDATE item SET doc = convert_to(jsonb_set(convert_from(doc, 'UTF8')::jsonb, '{source}', '\"/by-hand\"')::text, 'UTF8') "
        "WHERE (account_id, key) = (SELECT account_id, key FROM item WHERE kind = 'order' AND account_id <> "
        "(SELECT account_id FROM account WHERE fenced IS NOT NULL) LIMIT 1) RETURNING account_id",
    )
    said = await into(database, other, "-o", "ndjson", code=1)
    assert "1 difference; 1 account had no state to compare with" in said
    assert len(changed) == 1
    assert await rows(other, "SELECT count(*) FROM account WHERE fenced IS NOT NULL") == [(0,)]
    await sound(other)


async def test_chains_and_seals_go_on_in_the_new_ledger_and_a_forged_fact_is_not_taken_over_unseen(
    database: str, other: str
) -> None:
    await prepare(database)
    await deliver(database, traffic(3, 20, 300))
    lines: list[bytes] = []
    async with await PostgresStore.open(database) as store, store.connection() as connection:
        await seal(connection, lines.append)
    forged = await rows(
        database,
        "INSERT INTO fact (account_id, source, id, type, business_at, rank, program, order_id, digest, body) "
        "SELECT account_id, source, 'forged', type, business_at, rank, program, order_id, digest, body FROM fact "
        "WHERE type = 'member.enrolled' ORDER BY account_id LIMIT 1 RETURNING account_id",
    )
    said = await into(database, other, code=1)
    assert f"account {forged[0][0]}: its facts are not those that were committed" in said
    assert await rows(other, "SELECT count(*) FROM fact") == [(0,)]
    await into(database, other, "--accept-unproven", "the shop confirms it")
    await sound(other)
    assert await rows(other, "SELECT account_id, number, reason FROM chain_begun") == [(*forged[0], 1, "the shop confirms it")]
    forgeries = "SELECT account_id FROM fact WHERE id = 'forged'"
    chains = f"SELECT account_id, chain_length, chain_head FROM account WHERE account_id NOT IN ({forgeries}) ORDER BY 1"
    assert await rows(database, chains) == await rows(other, chains)
    assert await rows(database, "SELECT * FROM seal ORDER BY 1") == await rows(other, "SELECT * FROM seal ORDER BY 1")
    # What was published of them once is not published again.
    assert await rows(other, "SELECT count(*) FROM outbox") == [(0,)]
    compared = AgainstFile(lambda: lines)
    compared.read()
    async with await PostgresStore.open(other) as store, store.connection() as connection:
        assert [each async for each in compared.compare(connection)] == []
