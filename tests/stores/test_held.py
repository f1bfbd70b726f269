"""Commands above a ceiling: what a day gave is counted under locks, what is held is kept once, a verdict is applied once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from tests.stores.examples import KEY, PROGRAM, fact
from tests.stores.test_races import someone_waits
from worker.persist import (
    ApproverRightError,
    DecidedBeforeError,
    HeldCommand,
    OwnCommandError,
    PostgresStore,
    Store,
    Total,
    account_id,
)

M1 = account_id(KEY, PROGRAM, "M1")
TODAY = Total(date(2026, 11, 20), "program_points_per_day", M1)
TOMORROW = TODAY._replace(day=date(2026, 11, 21))


class _GivenUp(Exception):
    """The worker ends here."""


def command(number: int, operator: str = "anna", more: str = "") -> HeldCommand:
    return HeldCommand(M1, PROGRAM, fact(number, more=more), operator, 500, "command_points")


async def hold(store: Store, *commands: HeldCommand) -> None:
    async with store.batch() as batch:
        assert await batch.hold(commands) == set()


async def test_what_was_given_on_a_day_is_counted_by_day(store: Store) -> None:
    async with store.batch() as batch:
        assert await batch.points_given([TODAY, TOMORROW]) == {TODAY: 0, TOMORROW: 0}
        await batch.give_points({TODAY: 7})
    async with store.batch() as batch:
        assert await batch.points_given([]) == {}
        assert await batch.points_given([TOMORROW, TODAY]) == {TODAY: 7, TOMORROW: 0}
        await batch.give_points({TODAY: 5, TOMORROW: 1})
    await store.forget_given(TOMORROW.day, datetime.now(UTC))
    async with store.batch() as batch:
        assert await batch.points_given([TODAY, TOMORROW]) == {TODAY: 0, TOMORROW: 1}


async def test_a_batch_that_is_given_up_gives_and_holds_nothing(store: Store) -> None:
    with suppress(_GivenUp):
        async with store.batch() as batch:
            await batch.points_given([TODAY])
            await batch.give_points({TODAY: 7})
            await batch.hold([command(1)])
            raise _GivenUp
    async with store.batch() as batch:
        assert await batch.points_given([TODAY]) == {TODAY: 0}
        assert await batch.known_commands([command(1).name]) == (set(), {})


async def test_two_batches_together_give_no_more_than_one_after_the_other(store: Store) -> None:
    async def give() -> int:
        async with store.batch() as batch:
            so_far = (await batch.points_given([TODAY]))[TODAY]
            await asyncio.sleep(0)
            if so_far < 3:
                await batch.give_points({TODAY: 1})
            return so_far

    assert sorted(await asyncio.gather(*(give() for _ in range(6)))) == [0, 1, 2, 3, 3, 3]


async def test_a_command_is_held_once_and_other_content_is_told(store: Store) -> None:
    await hold(store, command(1), command(2))
    await hold(store, command(1))
    async with store.batch() as batch:
        assert await batch.hold([command(1, more=',"x":1'), command(3)]) == {command(1).name}
        assert await batch.hold([]) == set()
    async with store.batch() as batch:
        names = {command(number).name for number in range(1, 5)}
        facts, held = await batch.known_commands(names)
        assert (facts, held) == (set(), {command(n).name: command(n).event.digest for n in (1, 2, 3)})
        assert await batch.known_commands([]) == (set(), {})
    assert await store.held_waiting(10) == 3
    assert await store.held_waiting(2) == 2


async def test_what_is_held_is_listed_as_it_came_with_what_people_said(
    worker_store: PostgresStore, approver: PostgresStore
) -> None:
    await hold(worker_store, command(1))
    await hold(worker_store, command(2, operator=""))
    first, second = await approver.held_commands()
    assert (first.event, first.operator, first.points, first.ceiling, first.program) == (
        *(command(1).event, "anna", 500, "command_points"),
        PROGRAM,
    )
    assert [each.short_name for each in (first, second)] == [command(1).short_name, command(2).short_name]
    assert await approver.held_commands("puppy") == []
    await approver.decide_command(first, "approved", "Ben B.", "goodwill")
    assert [each.name for each in await approver.held_commands(PROGRAM)] == [second.name]
    (said, _) = [each.verdict for each in await approver.held_commands(decided=True)]
    assert said is not None
    assert (said.verdict, said.given_by, said.login, said.reason) == ("approved", "Ben B.", "olga", "goodwill")
    assert said.applied_at is None


async def test_a_verdict_is_applied_once(worker_store: PostgresStore, approver: PostgresStore) -> None:
    await hold(worker_store, command(1), command(2), command(3))
    await approver.decide_command(command(1), "approved", "Ben B.", "goodwill")
    await approver.decide_command(command(2), "rejected", "Ben B.", "who is that?")
    with pytest.raises(DecidedBeforeError):
        await approver.decide_command(command(2), "approved", "Ben B.", "after all")
    assert await worker_store.verdicts_to_apply(10) == [command(1).name, command(2).name]
    with suppress(_GivenUp):
        async with worker_store.batch() as batch:
            assert await batch.take_approved(command(1).name) is not None
            raise _GivenUp
    async with worker_store.batch() as batch:
        taken = await batch.take_approved(command(1).name)
        assert taken is not None
        assert (taken.event, taken.program) == (command(1).event, PROGRAM)
        assert await batch.take_approved(command(2).name) is None
        assert await batch.take_approved(command(3).name) is None
    async with worker_store.batch() as batch:
        assert await batch.take_approved(command(1).name) is None
    assert await worker_store.verdicts_to_apply(10) == []


async def test_of_two_workers_one_applies_a_verdict(
    worker_store: PostgresStore, approver: PostgresStore, database: str
) -> None:
    await hold(worker_store, command(1))
    await approver.decide_command(command(1), "approved", "Ben B.", "goodwill")

    async def take() -> bool:
        async with worker_store.batch() as batch:
            return await batch.take_approved(command(1).name) is not None

    async with worker_store.batch() as first:
        assert await first.take_approved(command(1).name) is not None
        second = asyncio.create_task(take())
        await someone_waits(database)
    assert await second is False


@pytest.mark.parametrize(
    ("operator", "given_by"),
    [("olga", "Ben B."), ("Ben B.", "ben b. "), ("OLGA", "somebody"), ("anna", "anna"), ("anna", "/SHOP"), ("", "shop")],
)
async def test_nobody_approves_their_own_command(
    worker_store: PostgresStore, approver: PostgresStore, operator: str, given_by: str
) -> None:
    """Neither by name nor by login, and a source is no second person; but anybody may withdraw their own."""
    held = command(1, operator)
    assert held.event.source.rpartition("/")[2] == "shop"
    await hold(worker_store, held)
    with pytest.raises(OwnCommandError):
        await approver.decide_command(held, "approved", given_by.replace("/SHOP", held.event.source.upper()), "mine")
    await approver.decide_command(held, "rejected", given_by, "a mistake of mine")


async def test_whoever_approves_cannot_say_whose_command_it_was(worker_store: PostgresStore, approver: PostgresStore) -> None:
    await hold(worker_store, command(1, "olga"))
    async with approver.connection() as sql:
        for operator, login in (("anna", None), ("olga", "carl")):
            columns, values = ("", "") if login is None else (", login", f", '{login}'")
            with pytest.raises((asyncpg.ForeignKeyViolationError, asyncpg.InsufficientPrivilegeError)):
                await sql.execute(
                    f"INSERT INTO command_verdict (account_id, source, id, operator, verdict, given_by, reason{columns}) "
                    f"VALUES ($1, $2, $3, $4, 'approved', 'carl', 'x'{values})",
                    *command(1).name,
                    operator,
                )
        for statement in ("UPDATE held_command SET operator = ''", "DELETE FROM held_command", "SELECT * FROM fact"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await sql.execute(statement)


async def test_a_worker_approves_nothing(worker_store: PostgresStore) -> None:
    await hold(worker_store, command(1))
    with pytest.raises(ApproverRightError):
        await worker_store.decide_command(command(1), "approved", "ben", "x")
    async with worker_store.connection() as sql:
        for statement in ("UPDATE held_command SET points = 1", "UPDATE command_verdict SET verdict = 'approved'"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await sql.execute(statement)


async def test_what_was_held_while_its_person_was_forgotten_goes_too(worker_store: PostgresStore, database: str) -> None:
    await hold(worker_store, command(1), command(9))
    sql = await asyncpg.connect(database)
    await sql.execute("INSERT INTO erasure (account_id, asked_until, done_until) VALUES ($1, $2, $2)", M1, command(1).event.time)
    await sql.close()
    now = datetime.now(UTC)
    await worker_store.forget_given(now.date(), now + timedelta(days=1))
    assert len(await worker_store.held_commands()) == 2
    await worker_store.forget_given(now.date(), now - timedelta(days=1))
    assert [each.name for each in await worker_store.held_commands()] == [command(9).name]


