"""Who is to be forgotten and joins again before that is done: an erasure takes only what happened up to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from contracts.statement import Statement
from tests.erasure.conftest import DAY, PERSON, PROGRAM, T0, Ledger, erasure, life, pipeline, sent
from tests.flows.shop import Sent
from tests.parts.postgres import Servers
from worker.decide.change import AccountChange
from worker.decide.explain import Known, explain
from worker.local.sql import execute
from worker.persist import PostgresStore
from worker.persist.batch import PostgresBatch
from worker.persist.errors import RefusedError, UnavailableError
from worker.persist.transfer import Transfer
from worker.processing import erasures
from worker.processing.folding import Folding
from worker.reading import statements
from worker.upkeep.rebuild import rebuild
from worker.upkeep.rebuild_into import rebuild_into

END = T0 + 60 * DAY
BROKEN = b'{"member_id":"canary-person-77","points":1.5}'
LINE = {"line_id": "1", "sku": "S1", "quantity": 1, "unit_price": 9_000, "tax": 900}
ORDER = {"store": "lenovo_pro_jp", "payment_method": "credit_card", "lines": [LINE]}


def again(day: float = 31, used: int = 600) -> list[Sent]:
    """The person joins once more, is given points, and pays with them."""
    return [
        sent("member.registered", day, member_id=PERSON),
        sent("member.enrolled", day + 0.1, member_id=PERSON),
        sent("points.adjusted", day + 1, member_id=PERSON, points=700, reason="welcome back"),
        sent("order.placed", day + 2, order_id=f"N{day}", member_id=PERSON, points_used=used, **ORDER),
        sent("shipment.dispatched", day + 3, order_id=f"N{day}", lines="all"),
        # Stamped before the order, and before the erasure: it is about the order all the same.
        sent("order.paid", 29.5, order_id=f"N{day}"),
    ]


def back() -> Sent:
    """Goods of the life before are sent back after the next one began."""
    return sent("return.received", 35, order_id="C1", lines="all")


async def _told(ledger: Ledger, account: UUID) -> Statement:
    """The statement of an account, which is the same by its state and by its facts."""
    dossier, program = await ledger.dossier(account), ledger.catalogue.program(PROGRAM)
    told = statements.read(dossier, program, END)
    assert told == statements.read(dossier, program, END, told.at, today=False)
    return told


async def _nameless(ledger: Ledger) -> list[UUID]:
    """The accounts without a name, in the order of the erasures."""
    rows = await ledger.sql.fetch(
        "SELECT a.account_id FROM account a JOIN fact f USING (account_id) "
        "WHERE a.member_id LIKE 'erased:%' AND f.type = 'member.erased' ORDER BY f.business_at"
    )
    return [row["account_id"] for row in rows]


async def _facts(ledger: Ledger, account: UUID) -> set[str]:
    return {row["id"] for row in await ledger.sql.fetch("SELECT id FROM fact WHERE account_id = $1", account)}


async def _settle(ledger: Ledger) -> None:
    """Everything is read, decided and published."""
    await ledger.clock(END)
    await ledger.publish()


async def _done(ledger: Ledger) -> int:
    """Whoever asked is forgotten; how many erasures that were."""
    count = 0
    await _settle(ledger)
    while done := await ledger.erase():
        count += done
        await _settle(ledger)
    assert await ledger.findings() == []
    return count


DONE: list[Sent] = []
"""Here the erasure is done."""
DELIVERIES: dict[str, Callable[[], Sequence[Sequence[Sent]]]] = {
    "after the erasure is done": lambda: [[*life(), erasure()], DONE, [*again(), back()]],
    "in order, one by one": lambda: [[event] for event in (*life(), erasure(), *again(), back())],
    "at once": lambda: [[*life(), erasure(), *again(), back()]],
    "word of the erasure last": lambda: [life(), [*again(), back()], [erasure()]],
    "word of the erasure first": lambda: [[erasure()], [*again(), back()], life()],
    "the next life first": lambda: [again(), [erasure()], [*life(), back()]],
    "backwards, one by one": lambda: [[event] for event in reversed((*life(), erasure(), *again(), back()))],
}


@pytest.mark.parametrize("how", DELIVERIES)
async def test_both_lives_are_the_same_whatever_is_told_first_and_whenever_the_erasure_is_done(ledger: Ledger, how: str) -> None:
    for batch in DELIVERIES[how]():
        assert await _done(ledger) == 1 if batch is DONE else await ledger.deliver(batch)
    assert await _done(ledger) == (how != "after the erasure is done")
    (nameless,) = await _nameless(ledger)
    assert await _facts(ledger, ledger.person()) == {event.id for event in again()}
    assert await _facts(ledger, nameless) == {event.id for event in (*life(), erasure(), back())}
    person, ended = await _told(ledger, ledger.person()), await _told(ledger, nameless)
    assert (person.member_id, person.available) == (PERSON, 100)
    assert [(order.order_id, order.points_used) for order in person.orders] == [("N31", 600)]
    assert [finding.code for finding in person.findings] == ["timed_before_order"]
    assert [order.order_id for order in ended.orders] == ["C1", "C2"]
    assert (ended.available, ended.findings) == (950, ())
    verdict = await ledger.sql.fetch("SELECT account_id, verdict FROM decision WHERE id = 'order.placed-33-N31'")
    assert [tuple(row) for row in verdict] == [(ledger.person(), "accepted")]
    # Nothing of it is told twice: what comes once more is known, or of the life that was forgotten.
    assert (await ledger.deliver([*life(), erasure(), *again(), back()])).keys() == {"duplicate", "erased"}
    assert await ledger.findings() == []


async def test_until_the_erasure_is_done_what_came_later_waits_and_no_verdict_is_given(ledger: Ledger) -> None:
    await ledger.deliver([*life(), erasure()])
    await _settle(ledger)
    before = await _told(ledger, ledger.person())
    await ledger.deliver(again())
    await _settle(ledger)
    assert await ledger.findings() == []
    during = await _told(ledger, ledger.person())
    assert during.model_copy(update={"findings": ()}) == before.model_copy(update={"findings": ()})
    codes = [(finding.code, finding.order_id, finding.detail) for finding in during.findings]
    assert ("awaits_erasure", "N31", "order.placed") in codes
    assert [code for code, *_ in codes].count("awaits_erasure") == len(again()) - 1  # all but what is stamped earlier
    assert await ledger.sql.fetchval("SELECT count(*) FROM decision WHERE id LIKE 'order.placed-33%'") == 0
    # A return of the life that ended is posted in it meanwhile.
    assert await ledger.deliver([back()]) == {"applied": 1, "late": 1}
    await _settle(ledger)
    assert (await _told(ledger, ledger.person())).available != before.available
    assert await ledger.findings() == []


async def test_a_verdict_that_was_told_before_word_of_the_erasure_came_stands(ledger: Ledger) -> None:
    """The order was paid with points of the life before, of which nobody knew yet that it had ended."""
    await ledger.deliver(life())
    await ledger.deliver(again(used=1_200))
    assert await ledger.sql.fetchval("SELECT verdict FROM decision WHERE id = 'order.placed-33-N31'") == "accepted"
    await ledger.deliver([erasure()])
    assert await _done(ledger) == 1
    person = await _told(ledger, ledger.person())
    assert (person.available, person.orders[0].points_used) == (-500, 1_200)
    (nameless,) = await _nameless(ledger)
    assert (await _told(ledger, nameless)).available == 850
    assert [dossier.decisions[0].id for dossier in [await ledger.dossier(ledger.person())]] == ["order.placed-33-N31"]


@pytest.mark.parametrize("later_first", [True, False], ids=["the later one is told first", "in order"])
async def test_several_erasures_are_done_one_after_the_other_by_their_times(ledger: Ledger, later_first: bool) -> None:
    first, second = [*life(), erasure(30)], [*again(31), erasure(40)]
    for batch in (second, first) if later_first else (first, second):
        await ledger.deliver(batch)
    await ledger.deliver([*again(41), back()])
    asked = "SELECT asked_until FROM erasure WHERE account_id = $1"
    assert await ledger.sql.fetchval(asked, ledger.person()) == erasure(30).time
    await _settle(ledger)
    assert await ledger.erase() == 1
    assert await ledger.sql.fetchval(asked, ledger.person()) == erasure(40).time
    # One that is told of a time before the one that is done is of a life that was forgotten.
    assert await ledger.deliver([sent("member.erased", 29, member_id=PERSON)]) == {"erased": 1}
    assert await _done(ledger) == 1
    one, two = await _nameless(ledger)
    assert await _facts(ledger, one) == {event.id for event in (*first, back())}
    assert await _facts(ledger, two) == {event.id for event in second}
    assert await _facts(ledger, ledger.person()) == {event.id for event in again(41)}
    assert [(await _told(ledger, account)).available for account in (one, two, ledger.person())] == [950, 100, 100]
    returned = sent("return.received", 50, order_id="N31", lines="all")
    assert await ledger.deliver([returned]) == {"applied": 1}
    assert returned.id in await _facts(ledger, two)


async def test_what_fails_between_parting_the_lives_and_folding_them_leaves_all_as_it_was(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ledger.deliver([*life(), erasure(), *again()])
    await _settle(ledger)
    tables = ("account", "fact", "decision", "entry", "lot", "item", "step", "erasure", "order_route")
    rows = {table: sorted(map(tuple, await ledger.sql.fetch(f"SELECT * FROM {table}")), key=str) for table in tables}
    with monkeypatch.context() as failing:

        async def cut(*arguments: object) -> None:
            raise UnavailableError("the connection was cut")

        failing.setattr(PostgresBatch, "write", cut)
        with pytest.raises(UnavailableError):
            await ledger.erase()
    assert rows == {table: sorted(map(tuple, await ledger.sql.fetch(f"SELECT * FROM {table}")), key=str) for table in tables}
    assert await _done(ledger) == 1
    assert (await _told(ledger, ledger.person())).available == 100


async def test_versions_go_on_under_both_names_and_each_is_told(ledger: Ledger) -> None:
    await ledger.deliver([*life(), erasure(), *again()])
    await _settle(ledger)
    version = await ledger.sql.fetchval("SELECT version FROM account WHERE account_id = $1", ledger.person())
    assert await ledger.erase() == 1
    told = await ledger.sql.fetch(
        "SELECT version, key FROM outbox WHERE topic = 'loyalty.balance-changed' ORDER BY account_id, version"
    )
    assert {row["key"] for row in told} == {f"{PROGRAM}:{PERSON}".encode()}
    now = await ledger.sql.fetchval("SELECT version FROM account WHERE account_id = $1", ledger.person())
    assert [row["version"] for row in told] == [*range(version + 1, now + 1)]
    assert (await ledger.nameless())["version"] == version


async def test_a_batch_that_looked_before_the_erasure_finds_both_lives(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The erasure is done between the batch's look and its load, and the account goes on under the member's name."""
    await ledger.deliver([*life(), erasure(), *again()])
    await _settle(ledger)
    fold, tries = Folding.fold, list[int]()

    async def meanwhile(self: Folding, *arguments: object) -> object:
        tries.append(await ledger.erase() if not tries else 0)
        return await fold(self, *arguments)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(Folding, "fold", meanwhile)
    other = pipeline(ledger.store, ledger.catalogue)
    past = sent("points.adjusted", 21, member_id=PERSON, points=5, reason="sorry")
    returned = sent("return.received", 36, order_id="N31", lines="all")
    new = sent("points.adjusted", 37, member_id=PERSON, points=11, reason="hello")
    assert await ledger.deliver([past, back(), returned, new], pipeline=other) == {"erased": 1, "applied": 3, "late": 1}
    assert tries[0] == 1
    (nameless,) = await _nameless(ledger)
    assert await _facts(ledger, ledger.person()) == {event.id for event in (*again(), returned, new)}
    assert await _facts(ledger, nameless) == {event.id for event in (*life(), erasure(), back())}
    await _settle(ledger)
    assert await ledger.findings() == []


async def test_a_life_that_cannot_be_folded_is_fenced_with_its_facts(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    await ledger.deliver([*life(), erasure(), *again()])
    await _settle(ledger)
    with monkeypatch.context() as failing:

        def broken(*arguments: object, **more: object) -> None:
            raise ZeroDivisionError

        failing.setattr(erasures, "compute_change", broken)
        assert await ledger.erase() == 1
    fenced = await ledger.sql.fetch("SELECT account_id FROM account WHERE fenced IS NOT NULL")
    assert [row["account_id"] for row in fenced] == [ledger.person()]
    assert await _facts(ledger, ledger.person()) == {event.id for event in again()}
    await _rebuilt(ledger, [ledger.person()])
    assert await ledger.findings() == []
    assert (await _told(ledger, ledger.person())).available == 100


async def test_lives_that_postgres_refuses_are_fenced_with_their_facts(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    await ledger.deliver([*life(), erasure(), *again()])
    await _settle(ledger)
    write = PostgresBatch.write
    with monkeypatch.context() as failing:

        async def picky(self: PostgresBatch, changes: Sequence[AccountChange]) -> None:
            if any(change.fenced is None for change in changes):
                raise RefusedError
            await write(self, changes)

        failing.setattr(PostgresBatch, "write", picky)
        assert await ledger.erase() == 1
    (nameless,) = await _nameless(ledger)
    fenced = await ledger.sql.fetch("SELECT account_id, fenced FROM account WHERE fenced IS NOT NULL")
    assert {row["account_id"] for row in fenced} == {ledger.person(), nameless}
    assert {row["fenced"] for row in fenced} == {"the database refused what its fold made: RefusedError"}
    await _rebuilt(ledger, [ledger.person(), nameless])
    assert await ledger.findings() == []
    assert [(await _told(ledger, account)).available for account in (ledger.person(), nameless)] == [100, 850]


async def _rebuilt(ledger: Ledger, accounts: Sequence[UUID]) -> None:
    async def given() -> Any:
        for account in accounts:
            yield account

    found = [each async for each in rebuild(ledger.store, ledger.catalogue, given(), END, 1)]
    assert [each.defect for each in found] == [None] * len(accounts)


@pytest.mark.parametrize("done", [False, True], ids=["while the erasure waits", "when it is done"])
async def test_it_is_rebuilt_explained_and_built_elsewhere_as_it_is(
    ledger: Ledger, postgres_servers: Servers, postgres_version: int, done: bool
) -> None:
    # Entries of the next life were posted in the account, and taken back when word of the erasure came.
    for batch in (life(), [*again(), back()], [erasure()]):
        await ledger.deliver(batch)
    await _settle(ledger)
    assert not done or await _done(ledger) == 1
    accounts = [ledger.person(), *(await _nameless(ledger))]
    before = [await _told(ledger, account) for account in accounts]
    await _rebuilt(ledger, accounts)
    assert [await _told(ledger, account) for account in accounts] == before
    assert await ledger.findings() == []
    for account, told in zip(accounts, before, strict=True):
        dossier = await ledger.dossier(account)
        facts = [Known(fact, at) for fact, at in zip(dossier.facts, dossier.recorded, strict=True)]
        program = ledger.catalogue.program(PROGRAM)
        explained = explain(program, facts, dossier.decisions, dossier.postings, END)
        assert explained.balances[0] == told.available
        assert len(explained.postings) == len(dossier.postings)
    dsn = postgres_servers.create_database(postgres_version, "rejoining_target")
    async with await PostgresStore.open(ledger.dsn) as source, await PostgresStore.open(dsn) as target:
        transfer = Transfer(source, target, "test")
        await transfer.begin()
        parts = [part async for part in rebuild_into(transfer, ledger.catalogue, (await target.state()).epoch)]
        assert [difference for part in parts for difference in part.differences] == []
        sql = await asyncpg.connect(dsn)
        other = replace(ledger, store=target, sql=sql, pipeline=pipeline(target, ledger.catalogue))
        assert await other.findings() == []
        assert await _done(other) == (not done)
        assert (await _told(other, ledger.person())).available == 100
        await sql.close()
    execute(ledger.dsn, "DROP DATABASE rejoining_target WITH (FORCE)")


async def test_broken_records_of_the_next_life_are_kept_as_they_came(ledger: Ledger) -> None:
    await ledger.deliver([*life(), BROKEN])  # sent in 1970, as all that the ledger of these tests is given
    await ledger.deliver([erasure(), *again()])
    await ledger.deliver([BROKEN.replace(b"1.5", b"2.5")])
    await ledger.sql.execute("ALTER TABLE dead_letter DISABLE TRIGGER USER")
    await ledger.sql.execute("UPDATE dead_letter SET record_at = $1 WHERE position('2.5' IN value) > 0", again()[0].time)
    assert await _done(ledger) == 1
    assert [row["value"] for row in await ledger.sql.fetch("SELECT value FROM dead_letter ORDER BY record_at")] == [
        None,
        BROKEN.replace(b"1.5", b"2.5"),
    ]
