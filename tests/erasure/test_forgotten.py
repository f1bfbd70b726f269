"""`member.erased` makes the person unrecoverable, and the ledger is still whole."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from contracts.events.event import digest_of
from tests.erasure.conftest import DAY, PERSON, PROGRAM, SECRETS, T0, Ledger, erasure, life, sent
from tests.erasure.scan import places_of
from tests.flows.comparison import decoded
from tests.flows.system import ACCOUNT_KEY
from tests.parts.postgres import Servers
from tests.upgrades.traffic import DUMPED_AT
from worker.decide.orders import content_of
from worker.local.sql import execute
from worker.persist import PostgresStore
from worker.persist.transfer import Transfer
from worker.processing.ceilings import Ceilings
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.reading import statements
from worker.upkeep.rebuild_into import rebuild_into

BROKEN = b'{"member_id":"canary-person-77","points":1.5}'
END = T0 + 40 * DAY


async def _forgotten(ledger: Ledger) -> None:
    """The person's life, then the erasure, carried out."""
    assert (await ledger.deliver([*life(), BROKEN]))["dead_letter"] == 1
    await ledger.deliver([erasure()])
    await ledger.clock(END)
    await ledger.publish()
    assert await ledger.erase() == 1


async def test_no_column_of_any_table_holds_anything_of_the_person(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    await ledger.deliver([*life(), BROKEN])
    before = {secret: await places_of(ledger.sql, secret) for secret in SECRETS}
    assert all(before.values()), before  # the scan finds what is there
    assert {"account.member_id", "fact.body", "outbox.value", "outbox.key", "dead_letter.value"} <= set(before[PERSON])
    assert "dead_letter.headers" in before[PERSON]  # in base64
    await ledger.deliver([erasure()])
    await ledger.clock(END)
    await ledger.publish()
    assert await ledger.erase() == 1
    assert {secret: await places_of(ledger.sql, secret) for secret in SECRETS} == {secret: {} for secret in SECRETS}
    logged = "".join(capsys.readouterr())
    assert "members_erased" in logged
    assert not [secret for secret in (*SECRETS, str(ledger.person())) if secret in logged]


async def test_nothing_is_left_of_held_commands_and_of_what_was_said_of_them(ledger: Ledger) -> None:
    options = PipelineOptions(ACCOUNT_KEY.encode(), ceilings=Ceilings(command=900, operator=10**9, member=10**9))
    strict = Pipeline(ledger.store, ledger.catalogue, options, epoch=1, now=lambda: DUMPED_AT + 100 * DAY)
    more = [
        sent("points.adjusted", day, member_id=PERSON, points=901, reason="canary-reason", operator="canary-operator")
        for day in (2.5, 2.6, 2.7)
    ]
    assert (await ledger.deliver([*life(), *more], pipeline=strict))["held"] == 3
    first, second, _ = await ledger.store.held_commands()
    async with await PostgresStore.open(ledger.dsn) as approver:
        await approver.decide_command(first, "approved", "ben", "canary-reason")
        await approver.decide_command(second, "rejected", "ben", "canary-reason")
    assert await strict.release(first.name)
    assert {"held_command.body", "held_command.operator", "command_verdict.reason"} <= {
        place for secret in SECRETS for place in await places_of(ledger.sql, secret)
    }
    await ledger.deliver([erasure()])
    await ledger.clock(END)
    await ledger.publish()
    assert await ledger.erase() == 1
    assert {secret: await places_of(ledger.sql, secret) for secret in SECRETS} == {secret: {} for secret in SECRETS}
    assert await ledger.deliver(more, pipeline=strict) == {"erased": 3}
    assert await ledger.findings() == []


async def test_no_digest_is_left_on_which_a_guess_could_be_tried(ledger: Ledger) -> None:
    events = decoded([*life(), erasure()], DUMPED_AT)
    naming = [event for event in events if event.member_id is not None]
    assert len(naming) > 5
    digests = [event.digest for event in naming]
    contents = [content_of(event.body) for event in naming if event.type == "order.placed"]
    await ledger.deliver([*life(), BROKEN])
    assert all([await places_of(ledger.sql, digest) for digest in digests[:-1]])
    assert all([set(await places_of(ledger.sql, content)) >= {"item.doc", "step.before"} for content in contents])
    letter = await ledger.sql.fetchval("SELECT digest FROM dead_letter")
    await ledger.deliver([erasure()])
    await ledger.clock(END)
    await ledger.publish()
    assert await ledger.erase() == 1
    for gone in (*digests, *contents, letter):
        assert await places_of(ledger.sql, gone) == {}
    # A guess with everything that is kept at hand: the body as it stands with another member's id in it.
    for row in await ledger.sql.fetch("SELECT type, business_at, program, body, digest FROM fact WHERE source = '/shop'"):
        guess = row["body"].replace(b'"erased"', f'"{PERSON}"'.encode())
        if guess != row["body"]:
            assert digest_of(row["type"], row["business_at"], row["program"], guess) != row["digest"]


async def test_with_the_key_a_guess_finds_that_somebody_was_erased_and_no_account(ledger: Ledger) -> None:
    await _forgotten(ledger)
    places = await places_of(ledger.sql, str(ledger.person()))
    assert places == {"account.account_id": 1, "erasure.account_id": 1}
    row = await ledger.sql.fetchrow("SELECT * FROM account WHERE account_id = $1", ledger.person())
    assert (row["member_id"], row["available"], row["pending"], row["held"]) == ("", 0, 0, 0)
    for table in ("fact", "decision", "entry", "lot", "item", "step", "outbox"):
        assert await ledger.sql.fetchval(f"SELECT count(*) FROM {table} WHERE account_id = $1", ledger.person()) == 0


async def test_the_ledger_still_balances_and_its_facts_still_give_it(ledger: Ledger) -> None:
    await ledger.deliver([*life(), BROKEN])
    await ledger.deliver([erasure()])
    await ledger.clock(END)
    await ledger.publish()
    sums, was = await ledger.sums(), await ledger.sql.fetchrow("SELECT * FROM account WHERE member_id = $1", PERSON)
    dossier = await ledger.dossier(ledger.person())
    told = statements.read(dossier, ledger.catalogue.program(PROGRAM), END + DAY)
    assert await ledger.erase() == 1
    assert await ledger.sums() == sums
    assert await ledger.findings() == []
    now = await ledger.nameless()
    for column in ("program", "version", "epoch", "available", "pending", "held", "arrears", "next_due_at", "head"):
        assert now[column] == was[column], column
    assert was["version"] > 4
    dossier = await ledger.dossier(now["account_id"])
    again = statements.read(dossier, ledger.catalogue.program(PROGRAM), END + DAY)
    assert again == told.model_copy(update={"member_id": now["member_id"]})


async def test_a_return_after_the_erasure_reaches_the_nameless_account(ledger: Ledger) -> None:
    await _forgotten(ledger)
    before = await ledger.nameless()
    back = sent("return.received", 36, order_id="C1", lines="all", comment="canary-gift-note")
    assert await ledger.deliver([back]) == {"applied": 1}
    after = await ledger.nameless()
    assert after["version"] > before["version"]
    keys = [row["key"] for row in await ledger.sql.fetch("SELECT DISTINCT key FROM outbox")]
    assert keys == [f"{PROGRAM}:{after['member_id']}".encode()]
    assert {secret: await places_of(ledger.sql, secret) for secret in SECRETS} == {secret: {} for secret in SECRETS}
    assert await ledger.deliver([back]) == {"duplicate": 1}
    # Late too, from before the erasure.
    late = sent("return.received", 9, order_id="C2", lines="all")
    assert await ledger.deliver([late]) == {"applied": 1, "late": 1}
    await ledger.publish()
    assert await ledger.findings() == []


async def test_everything_sent_once_more_changes_nothing_and_makes_nobody_known(ledger: Ledger) -> None:
    await _forgotten(ledger)
    rows = await ledger.sums()
    counts = await ledger.deliver([*life(), erasure()])
    followers = [event for event in life() if "member_id" not in event.data]
    assert counts == {"duplicate": len(followers), "erased": len(life()) + 1 - len(followers)}
    assert await ledger.sums() == rows
    assert await places_of(ledger.sql, PERSON) == {}
    assert await ledger.sql.fetchval("SELECT count(*) FROM dead_letter WHERE value IS NOT NULL") == 0
    assert await ledger.erase() == 0


async def test_what_is_only_now_told_of_the_past_is_dropped_with_all_that_follows(ledger: Ledger) -> None:
    await _forgotten(ledger)
    order = {**life()[3].data, "order_id": "C9", "points_used": 0}
    late = sent("order.placed", 12, **order)
    shipped = sent("shipment.dispatched", 13, order_id="C9", lines="all")
    assert await ledger.deliver([late]) == {"erased": 1}
    assert await ledger.deliver([shipped]) == {"dropped": 1}
    assert await ledger.sql.fetchval("SELECT count(*) FROM parked WHERE order_id = 'C9'") == 0
    assert await ledger.findings() == []


async def test_who_comes_back_starts_afresh(ledger: Ledger) -> None:
    await _forgotten(ledger)
    version = await ledger.sql.fetchval("SELECT version FROM account WHERE account_id = $1", ledger.person())
    again = [sent("member.registered", 50, member_id=PERSON), sent("member.enrolled", 50.1, member_id=PERSON)]
    gift = sent("points.adjusted", 51, member_id=PERSON, points=70, reason="welcome back")
    assert await ledger.deliver([*again, gift]) == {"applied": 3}
    dossier = await ledger.dossier(ledger.person())
    told = statements.read(dossier, ledger.catalogue.program(PROGRAM), T0 + 52 * DAY)
    assert (told.member_id, told.available, told.orders, told.findings) == (PERSON, 70, (), ())
    assert told.version > version  # subscribers of this key go on counting
    await ledger.clock(T0 + 60 * DAY)
    await ledger.publish()
    assert await ledger.findings() == []
    assert len(await ledger.sql.fetch("SELECT FROM account WHERE member_id LIKE 'erased:%'")) == 1
    # And can be forgotten once more.
    await ledger.deliver([erasure(61)])
    await ledger.clock(T0 + 70 * DAY)
    await ledger.publish()
    assert await ledger.erase() == 1
    assert await places_of(ledger.sql, PERSON) == {}
    assert await ledger.findings() == []


async def test_it_waits_for_its_time_and_for_what_is_still_to_be_published(ledger: Ledger) -> None:
    await ledger.deliver([*life(), erasure()])
    await ledger.clock(END)
    assert await ledger.erase() == 0  # messages of the person's wait in the outbox
    await ledger.publish()
    assert await ledger.erase(wait_seconds=(END - erasure().time).total_seconds() + 1) == 0
    late = sent("points.adjusted", 20, member_id=PERSON, points=5, reason="sorry")
    assert await ledger.deliver([late]) == {"applied": 1, "late": 1}  # it still finds the account
    await ledger.publish()
    assert await ledger.erase(wait_seconds=(END - erasure().time).total_seconds()) == 1
    assert await ledger.erase() == 0


async def test_two_workers_erase_once(ledger: Ledger) -> None:
    await ledger.deliver([*life(), erasure()])
    await ledger.clock(END)
    await ledger.publish()
    assert sorted(await asyncio.gather(ledger.erase(), ledger.erase())) == [0, 1]
    assert await ledger.findings() == []


async def test_a_batch_that_looked_before_the_erasure_looks_again(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The erasure is committed between the batch's look and its load: nothing of it reaches the emptied row."""
    from worker.processing.folding import Folding

    await ledger.deliver([*life(), erasure()])
    await ledger.clock(END)
    await ledger.publish()
    options = PipelineOptions(b"a key for tests, not a secret")
    other = Pipeline(ledger.store, ledger.catalogue, options, epoch=1, now=lambda: DUMPED_AT + 100 * DAY)
    fold, tries = Folding.fold, []

    async def meanwhile(self: Folding, *arguments: object) -> object:
        tries.append(await ledger.erase())
        return await fold(self, *arguments)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(Folding, "fold", meanwhile)
    past = sent("points.adjusted", 21, member_id=PERSON, points=5, reason="sorry")
    back = sent("return.received", 36, order_id="C1", lines="all")
    assert await ledger.deliver([past, back], pipeline=other) == {"erased": 1, "applied": 1}
    assert tries[0] == 1
    assert len(tries) == 2
    assert await places_of(ledger.sql, PERSON) == {}
    await ledger.publish()
    assert await ledger.findings() == []


async def test_an_order_whose_way_was_never_moved_ends_nowhere(ledger: Ledger) -> None:
    """The order came, and was refused for another reason: the account has no fact of it, so its route was left."""
    await ledger.sql.execute(
        "INSERT INTO order_route (order_id, programs, account_ids) VALUES ('CX', $1, $2)", [PROGRAM], [ledger.person()]
    )
    await _forgotten(ledger)
    assert await ledger.deliver([sent("shipment.dispatched", 36, order_id="CX", lines="all")]) == {"dropped": 1}


async def test_only_what_was_asked_to_be_erased_can_be(ledger: Ledger) -> None:
    await ledger.deliver(life())
    await ledger.publish()
    nothing: list[object] = [[], [], [], []]
    worker = await asyncpg.connect(ledger.dsn, server_settings={"role": "loyalty_worker"})
    reader = await asyncpg.connect(ledger.dsn, server_settings={"role": "loyalty_reader"})
    call = "SELECT erase_account($1, gen_random_uuid(), $2::text[], $3::text[], $4::bytea[], $5::bytea[])"
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="nobody asked"):
            await worker.execute(call, ledger.person(), *nothing)
        await ledger.deliver([erasure()])
        with pytest.raises(asyncpg.SerializationError, match="other facts than were given"):
            await worker.execute(call, ledger.person(), *nothing)
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
            await worker.execute("DELETE FROM fact WHERE account_id = $1", ledger.person())
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
            await reader.execute(call, ledger.person(), *nothing)
    finally:
        await worker.close()
        await reader.close()


async def test_a_ledger_built_from_the_facts_of_this_one_has_forgotten_too(
    ledger: Ledger, postgres_servers: Servers, postgres_version: int
) -> None:
    await _forgotten(ledger)
    dsn = postgres_servers.create_database(postgres_version, "erasure_target")
    async with await PostgresStore.open(ledger.dsn) as source, await PostgresStore.open(dsn) as target:
        transfer = Transfer(source, target, "test")
        await transfer.begin()
        parts = [part async for part in rebuild_into(transfer, ledger.catalogue, (await target.state()).epoch)]
        assert [difference for part in parts for difference in part.differences] == []
        other = replace(ledger, store=target, sql=await asyncpg.connect(dsn))
        assert await places_of(other.sql, PERSON) == {}
        assert await other.findings() == []
        options = PipelineOptions(ACCOUNT_KEY.encode())
        other.pipeline = Pipeline(target, ledger.catalogue, options, epoch=2, now=lambda: DUMPED_AT + 100 * DAY)
        assert (await other.deliver([*life(), erasure()])).keys() == {"duplicate", "erased"}
        assert await places_of(other.sql, PERSON) == {}
        await other.sql.close()
    execute(ledger.dsn, "DROP DATABASE erasure_target WITH (FORCE)")


async def test_a_dead_letter_that_waits_while_its_person_is_forgotten_goes_out_empty(ledger: Ledger) -> None:
    await ledger.deliver([*life(), BROKEN])
    await ledger.deliver([erasure()])
    await ledger.clock(END)
    while rows := await ledger.store.read(range(64), 1_000):
        await ledger.store.delete(rows)
    assert await ledger.erase() == 1
    assert await ledger.store.hand_over_dead_letters(1) == 1
    (letter,) = await ledger.store.read(range(64), 10)
    assert (letter.key, letter.value) == (None, None)
    assert all(name.startswith("loyalty_") for name, _ in letter.headers)
