"""The checker finds a sound ledger sound, and names what was tampered with: each judgement is seen to fail."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from tests.flows.system import Raw, System
from tests.parts.postgres import DEFAULT_VERSION, Servers
from tests.witness import checker
from tests.witness.asking import judged
from tests.witness.checker import Record, World, judge
from tests.witness.ledger import fill

pytestmark = pytest.mark.timeout(300)
in_one_loop = pytest.mark.asyncio(loop_scope="module")

CHECKER = Path(checker.__file__)
ALLOWED = {"aiokafka", "asyncpg", *sys.stdlib_module_names}


@dataclass(slots=True)
class Drained:
    """A ledger that is sound, and all that was read of it."""

    system: System
    world: World


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def drained(bootstrap: str, postgres_servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Drained]:
    """One ledger for all: it is tampered with in copies and in transactions that are rolled back."""
    dsn = postgres_servers.create_database(DEFAULT_VERSION, "witness")
    system = System(bootstrap, dsn, "witness.", tmp_path_factory.mktemp("witness"))
    try:
        await fill(system)
        yield Drained(system, await checker.read_world(bootstrap, dsn, system.prefix))
    finally:
        system.stop_workers()
        postgres_servers.drop_database(DEFAULT_VERSION, "witness")


@in_one_loop
async def test_a_sound_ledger_is_found_sound(drained: Drained) -> None:
    answer = await judged(drained.system)
    assert (answer.code, answer.counts) == (0, {"lost": 0, "doubled": 0, "violations": 0}), answer.said
    assert answer.read["sent"] > 270
    assert all(answer.read[what] > 0 for what in ("published", "accounts", "facts", "entries", "dead_letters", "parked"))
    assert all(drained.world.records[topic] for topic in ("loyalty.tier-changed", "loyalty.redemption-decided"))


A_LOT = "SELECT account_id, origin, part FROM lot WHERE {} ORDER BY 1, 2, 3 LIMIT 1"
AN_ENTRY = "SELECT account_id, version, line FROM entry WHERE {} ORDER BY 1, 2, 3 LIMIT 1"
AN_ACCOUNT = "SELECT account_id FROM account WHERE {} ORDER BY 1 LIMIT 1"
A_FACT = "SELECT account_id, source, id FROM fact WHERE {} ORDER BY 1, 2, 3 LIMIT 1"
A_LETTER = "SELECT dead_letter_id FROM dead_letter WHERE {} ORDER BY 1 LIMIT 1"
REJECTED = "SELECT account_id, source, id FROM decision WHERE verdict = 'rejected' ORDER BY 1, 2, 3 LIMIT 1"
ACCEPTED = (
    "SELECT account_id, source, id FROM decision JOIN fact USING (account_id, source, id)"
    " WHERE verdict = 'accepted' AND type = 'reward.requested' ORDER BY 1, 2, 3 LIMIT 1"
)
FOLLOWER = A_FACT.format("type = 'shipment.dispatched'")
PARKING = (
    "INSERT INTO parked (order_id, source, id, type, business_at, program, digest, body)"
    " SELECT order_id, source, id, type, business_at, program, digest, body FROM fact"
    f" WHERE (account_id, source, id) = ({FOLLOWER})"
)

EARNING = (
    "SELECT account_id, source, id FROM fact JOIN entry USING (account_id, source, id)"
    " WHERE type = 'shipment.dispatched' ORDER BY 1, 2, 3 LIMIT 1"
)


def withdrawing(which: str) -> str:
    return (
        "INSERT INTO decision (account_id, source, id, verdict, points, reason)"
        f" SELECT account_id, source, id, 'rejected', 0, 'ambiguous_order' FROM ({which}) AS withdrawn"
    )


def the_lot(change: str, which: str = "available > 0") -> str:
    return f"UPDATE lot SET {change} WHERE (account_id, origin, part) = ({A_LOT.format(which)})"


def the_account(change: str, which: str = "version > 0") -> str:
    return f"UPDATE account SET {change} WHERE account_id = ({AN_ACCOUNT.format(which)})"


def the_entry(change: str, which: str = "from_bucket = 'granted'") -> str:
    return f"UPDATE entry SET {change} WHERE (account_id, version, line) = ({AN_ENTRY.format(which)})"


def the_letter(change: str, which: str = "reason = 'not_cloudevents'") -> str:
    return f"UPDATE dead_letter SET {change} WHERE dead_letter_id = ({A_LETTER.format(which)})"


TABLES: dict[str, tuple[str, str]] = {
    "an entry is gone": (
        "ledger-balance",
        f"DELETE FROM entry WHERE (account_id, version, line) = ({AN_ENTRY.format('points > 5')})",
    ),
    "an entry that was told is another": ("told-entries", the_entry("rule = 'XXX-1'")),
    "an entry says more than was moved": ("ledger-balance", the_entry("points = points + 1")),
    "an entry carries on from another balance": ("ledger-after", the_entry("to_after = to_after + 1")),
    "an entry has no cause": ("ledger-cause", the_entry("id = 'nobody said so'")),
    "an order brought less than was taken back": (
        "order-below-zero",
        the_entry("order_id = 'ELSEWHERE'", "to_bucket = 'revoked'"),
    ),
    "an account has more than was told": ("balance-last", the_account("available = available + 1")),
    "an account has a version that was not told": ("version-untold", the_account("version = version + 1")),
    "an account is fenced": ("fenced", the_account("fenced = 'a reason'")),
    "an instant was left out": ("overdue", the_account("next_due_at = now() - interval '1 day'")),
    "an account has another tier than was told": (
        "tier-last",
        the_account(
            "head = convert_to(jsonb_set(convert_from(head, 'UTF8')::jsonb, '{tier,name}', '\"Z\"')::text, 'UTF8')",
            "convert_from(head, 'UTF8')::jsonb -> 'tier' ->> 'name' IS NOT NULL",
        ),
    ),
    "a lot holds more": ("lot-sum", the_lot("available = available + 1, points = points + 1")),
    "a lot lost less than entries say": ("lot-entries", the_lot("lapsed = lapsed - 1", "lapsed > 0")),
    "a lot holds more than was granted": ("lot-bounds", the_lot("points = available + pending + lapsed - 1")),
    "a lot did not lapse": ("lot-lapsed", the_lot("lapses_at = now() - interval '1 day'")),
    "a lot is gone": ("lot-entries", f"DELETE FROM lot WHERE (account_id, origin, part) = ({A_LOT.format('available > 0')})"),
    "a fact is gone": ("lost", f"DELETE FROM fact WHERE (account_id, source, id) = ({FOLLOWER})"),
    "a fact was withdrawn and nobody was told": ("withdrawn-untold", withdrawing(FOLLOWER)),
    "a fact was withdrawn and counts": ("withdrawn-counts", withdrawing(EARNING)),
    "a fact that names its program was withdrawn": (
        "withdrawn-unfounded",
        withdrawing(A_FACT.format("program IS NOT NULL AND type <> 'order.placed'")),
    ),
    "a fact says something else": (
        "lost",
        f"UPDATE fact SET body = convert_to('{{}}', 'UTF8') WHERE (account_id, source, id) = ({FOLLOWER})",
    ),
    "a fact that nobody sent": ("invented", f"UPDATE fact SET id = 'x' || id WHERE (account_id, source, id) = ({FOLLOWER})"),
    "a fact of another account": (
        "misplaced",
        f"UPDATE fact SET account_id = (SELECT account_id FROM account WHERE member_id = 'H1')"
        f" WHERE (account_id, source, id) = ({FOLLOWER})",
    ),
    "a fact of two accounts": (
        "doubled",
        "INSERT INTO fact (account_id, source, id, type, business_at, rank, program, order_id, digest, body)"
        " SELECT a.account_id, f.source, f.id, f.type, f.business_at, f.rank, f.program, f.order_id, f.digest, f.body"
        f" FROM fact f, account a WHERE (f.account_id, f.source, f.id) = ({FOLLOWER}) AND a.member_id = 'H1'",
    ),
    "a fact that is parked as well": ("doubled", PARKING),
    "an event parked after its order has come": (
        "stranded",
        f"WITH moved AS ({PARKING} RETURNING source, id) DELETE FROM fact USING moved"
        " WHERE fact.source = moved.source AND fact.id = moved.id",
    ),
    "a parked event is gone": ("lost", "DELETE FROM parked"),
    "a dead letter is gone": ("lost", f"DELETE FROM dead_letter WHERE dead_letter_id = ({A_LETTER.format('true')})"),
    "a dead letter lost a header": ("dead-letter-bytes", the_letter("headers = '[]'")),
    "a dead letter for no reason": ("dead-letter-unfounded", the_letter("reason = 'time_too_far_ahead'", "reason = 'conflict'")),
    "a position before the end": (
        "unread",
        "UPDATE \"position\" SET next_offset = next_offset - 1 WHERE topic LIKE '%commerce.order' AND next_offset > 1",
    ),
    "a message that was not published": (
        "unpublished",
        "INSERT INTO outbox (account_id, version, ordinal, topic, epoch) SELECT account_id, 99, 0, 'loyalty.tier-changed', 1"
        " FROM account LIMIT 1",
    ),
    "a verdict is gone": (
        "verdict-differs",
        f"DELETE FROM decision WHERE (account_id, source, id) = ({REJECTED})",
    ),
    "a verdict is another": (
        "verdict-differs",
        f"UPDATE decision SET verdict = 'accepted', reason = NULL WHERE (account_id, source, id) = ({REJECTED})",
    ),
    "less was spent than was accepted": (
        "verdict-spent",
        f"UPDATE decision SET points = points + 1 WHERE (account_id, source, id) = ({ACCEPTED})",
    ),
}


@in_one_loop
@pytest.mark.parametrize("what", TABLES)
async def test_what_was_changed_in_the_database_is_named(drained: Drained, what: str) -> None:
    name, statement = TABLES[what]
    connection = await asyncpg.connect(drained.system.dsn)
    change = connection.transaction()
    await change.start()
    try:
        await connection.execute("SET LOCAL session_replication_role = replica")  # the tables refuse such things otherwise
        assert not (await connection.execute(statement)).endswith(" 0"), "nothing was tampered with"
        tables = await checker.read_tables(connection)
    finally:
        await change.rollback()
        await connection.close()
    world = drained.world
    found = {violation.name for violation in judge(World(world.prefix, world.records, world.bounds, tables)).violations}
    assert name in found, found


Tamper = Callable[[list[Record]], list[Record]]


def without(number: int) -> Tamper:
    return lambda records: [record for place, record in enumerate(records) if place != number]


def saying(change: Callable[[dict[str, Any]], object]) -> Callable[[Record], Record]:
    """A record whose data is another."""

    def changed(record: Record) -> Record:
        data = json.loads(record.value or b"{}")
        change(data)
        return replace(record, value=json.dumps(data).encode())

    return changed


def called(id_: bytes) -> Callable[[Record], Record]:
    return lambda record: replace(record, headers=tuple((n, id_ if n == "ce_id" else v) for n, v in record.headers))


def first(change: Callable[[Record], Record]) -> Tamper:
    return lambda records: [change(records[0]), *records[1:]]


def again(*changes: Callable[[Record], Record]) -> Tamper:
    """The first record once more at the end, changed."""

    def tamper(records: list[Record]) -> list[Record]:
        copy = replace(records[0], offset=10**6)
        for change in changes:
            copy = change(copy)
        return [*records, copy]

    return tamper


def nobody_kept(records: list[Record]) -> list[Record]:
    return [*records, replace(called(b"nowhere")(records[0]), offset=10**6)]


BALANCES, TIERS, DECIDED = "loyalty.balance-changed", "loyalty.tier-changed", "loyalty.redemption-decided"
LETTERS = "commerce.order.loyalty.dlq"

TOPICS: dict[str, tuple[str, str, Tamper]] = {
    "a version was not told": ("version-order", BALANCES, without(0)),
    "a version was told twice with other words": (
        "version-repeat",
        BALANCES,
        again(saying(lambda data: data.update(available=-7))),
    ),
    "a version that the account does not have": (
        "version-order",
        BALANCES,
        again(saying(lambda data: data.update(version=data["version"] + 10**6)), called(b"forged")),
    ),
    "an epoch goes back": ("epoch", BALANCES, again(saying(lambda data: data.update(epoch=0)), called(b"forged"))),
    "a balance does not follow from the one before": (
        "balance-chain",
        BALANCES,
        first(saying(lambda data: data.update(pending=data["pending"] + 1))),
    ),
    "a change is not the sum of its entries": (
        "message-entries",
        BALANCES,
        first(saying(lambda data: data["change"].update(on_hold=data["change"]["on_hold"] + 1))),
    ),
    "entries are told that were not posted": (
        "told-entries",
        BALANCES,
        first(saying(lambda data: data["entries"].append({**data["entries"][0], "from": "lapsed", "to": "spent"}))),
    ),
    "a key is that of another account": ("form", BALANCES, first(lambda record: replace(record, key=b"scolar:Nobody"))),
    "a tier goes on from one that was not told": (
        "tier-last",
        TIERS,
        lambda records: [saying(lambda data: data.update(tier="Z"))(record) for record in records],
    ),
    "a tier told twice under two names": (
        "tier-chain",
        TIERS,
        again(called(b"forged"), saying(lambda data: data.update(previous_tier="Z"))),
    ),
    "a verdict about a version that there is not": (
        "version-unknown",
        DECIDED,
        again(called(b"forged"), saying(lambda data: data.update(version=10**6))),
    ),
    "a verdict was not told": ("verdict-untold", DECIDED, without(0)),
    "a verdict was told twice": ("verdict-twice", DECIDED, again(called(b"forged"))),
    "a verdict was told otherwise": (
        "verdict-differs",
        DECIDED,
        first(saying(lambda data: data.update(points=data["points"] + 1))),
    ),
    "a dead letter was not told": ("dead-letter-untold", LETTERS, without(0)),
    "a dead letter was told twice, each time otherwise": (
        "dead-letter-twice",
        LETTERS,
        again(lambda record: replace(record, value=b"something else")),
    ),
    "a dead letter has other bytes": (
        "dead-letter-bytes",
        LETTERS,
        first(lambda record: replace(record, value=b"something else")),
    ),
    "a dead letter has lost a header": (
        "dead-letter-bytes",
        LETTERS,
        first(lambda record: replace(record, headers=tuple(pair for pair in record.headers if pair[0] != "x"))),
    ),
    "a dead letter of no record": (
        "dead-letter-twice",
        LETTERS,
        again(lambda record: replace(record, headers=(*record.headers[:-1], ("loyalty_offset", b"123456")))),
    ),
    "a dead letter that does not say where it was": (
        "dead-letter-form",
        LETTERS,
        again(lambda record: replace(record, headers=())),
    ),
    "a record that is nowhere": ("lost", "commerce.member", nobody_kept),
    "a record that is no event": ("lost", "commerce.member", again(lambda record: replace(record, value=b"garbage"))),
    "a fact whose record is not there": ("invented", "commerce.member", without(0)),
}


def tampered(world: World, topic: str, tamper: Tamper) -> World:
    records = {**world.records, topic: tamper(list(world.records[topic]))}
    return World(world.prefix, records, world.bounds, deepcopy(world.tables))


@in_one_loop
@pytest.mark.parametrize("what", TOPICS)
async def test_what_was_changed_in_a_topic_is_named(drained: Drained, what: str) -> None:
    name, topic, tamper = TOPICS[what]
    found = {violation.name for violation in judge(tampered(drained.world, topic, tamper)).violations}
    assert name in found, found


@in_one_loop
@pytest.mark.parametrize("topic", [BALANCES, TIERS, DECIDED, LETTERS])
async def test_what_is_published_once_more_as_it_was_is_no_violation(drained: Drained, topic: str) -> None:
    verdict = judge(tampered(drained.world, topic, again()))
    assert not verdict.violations


@in_one_loop
@pytest.mark.parametrize("points", [0, 1])
async def test_entries_that_are_told_in_sums_are_compared_by_reason_and_bucket(drained: Drained, points: int) -> None:
    records = drained.world.records[BALANCES]
    place = max(range(len(records)), key=lambda number: len(json.loads(records[number].value or b"")["entries"]))

    def sum_up(data: dict[str, Any]) -> None:
        sums: dict[tuple[str, str, str], dict[str, Any]] = {}
        for entry in data["entries"]:
            one = {name: entry[name] for name in ("reason", "from", "to", "rule")}
            sums.setdefault((entry["reason"], entry["from"], entry["to"]), {**one, "points": 0})["points"] += entry["points"]
        data.update(summed={"entries": len(data["entries"]), "by": ["reason", "from", "to"]}, entries=list(sums.values()))
        assert len(data["entries"]) < data["summed"]["entries"]
        data["entries"][0]["points"] += points

    summed = [saying(sum_up)(record) if number == place else record for number, record in enumerate(records)]
    found = {violation.name for violation in judge(tampered(drained.world, BALANCES, lambda _: summed)).violations}
    assert found == ({"told-entries", "message-entries"} if points else set())


@in_one_loop
async def test_what_was_refused_after_it_had_waited_is_a_dead_letter_wherever_it_stood(drained: Drained) -> None:
    world = tampered(drained.world, LETTERS, lambda records: records)
    # What follows a guest is parked too, and may be dropped.
    (row,) = (each for each in world.tables.rows["parked"] if each["order_id"] not in world.orders)
    world.tables.rows["parked"].remove(row)
    assert [violation.name for violation in judge(replace(world)).violations] == ["lost"]
    said = {"specversion": "1.0", "id": row["id"], "source": row["source"], "type": row["type"], "program": row["program"]}
    value = json.dumps({**said, "time": row["business_at"].isoformat(), "data": json.loads(row["body"])}).encode()
    letter = {"topic": "witness.commerce.order", "partition": -1, "record_offset": -1, "reason": "unknown_order"}
    headers = b'[["content-type","YXBwbGljYXRpb24vY2xvdWRldmVudHMranNvbg=="]]'
    world.tables.rows["dead_letter"].append({**letter, "key": None, "value": value, "headers": headers})
    assert [violation.name for violation in judge(replace(world)).violations] == ["dead-letter-untold"]
    own = {"error": b"unknown_order", "detail": b"", "topic": b"witness.commerce.order", "partition": b"-1", "offset": b"-1"}
    told = tuple((f"loyalty_{name}", text) for name, text in own.items())
    structured = (("content-type", b"application/cloudevents+json"),)
    world.records[LETTERS].append(Record(LETTERS, 0, 10**6, 0, None, value, (*structured, *told)))
    assert not judge(replace(world)).violations


@in_one_loop
async def test_points_that_nobody_decided_about_are_named_after_the_longest_wait(drained: Drained) -> None:
    world = tampered(drained.world, DECIDED, lambda records: [])
    rejected = {(row["source"], row["id"]) for row in world.tables.rows["decision"] if row["verdict"] == "rejected"}
    world.tables.rows["decision"] = []
    assert not [each for each in judge(world).violations if each.name == "undecided"]
    world.longest_wait -= world.longest_wait
    undecided = [each for each in judge(world).violations if each.name == "undecided"]
    assert rejected
    assert undecided


def test_every_name_of_a_violation_is_seen_to_be_given() -> None:
    tree = ast.parse(CHECKER.read_text())
    given = {
        text.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Violation"
        for text in ast.walk(node.args[0])
        if isinstance(text, ast.Constant) and isinstance(text.value, str)
    }
    seen = {name for name, *_ in (*TABLES.values(), *TOPICS.values())} | {"undecided"}
    assert given - seen == set()


def test_the_checker_imports_nothing_of_what_it_judges() -> None:
    imported = set()
    for node in ast.walk(ast.parse(CHECKER.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("__import__", "import_module", "exec", "eval")
    assert imported
    assert imported <= ALLOWED


@in_one_loop
async def test_forged_messages_and_skipped_records_of_a_real_topic_are_told_by_the_program(drained: Drained) -> None:
    system, world = drained.system, drained.world
    balance, letter = world.records[BALANCES][0], world.records[LETTERS][0]
    forged = saying(lambda data: data.update(version=data["version"] + 10**6))(balance)
    sent = world.records["commerce.member"][0]
    skipped = called(b"skipped")(sent)
    places = system.send(
        [
            Raw(BALANCES, forged.value, forged.headers, forged.key),
            Raw(LETTERS, b"forged", letter.headers, letter.key),
            Raw("commerce.member", skipped.value, skipped.headers, skipped.key),
        ]
    )
    topic, partition, offset = places[-1]
    await system.sql(
        'UPDATE "position" SET next_offset = $3 WHERE topic = $1 AND partition = $2', system.prefix + topic, partition, offset + 1
    )
    answer = await judged(system)
    assert answer.code == 1
    assert answer.counts["lost"] == 1
    assert f"lost: {topic}[{partition}]@{offset} " in answer.said
    assert f"version-order: {BALANCES}[{places[0][1]}]@{places[0][2]} " in answer.said
    (twice,) = [line for line in answer.evidence if line.startswith("dead-letter-twice")]
    assert f"{LETTERS}[{places[1][1]}]@{places[1][2]}" in twice
