"""Accounts are won by compare and set, written once, and read back as they were written."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from msgspec.structs import replace

from tests.stores.examples import KEY, PROGRAM, T0, earned, fact, member, moment
from worker.decide.change import AccountChange, Loaded, Needs, Wanted
from worker.decide.state import Decision, Mark, Moment, clock_moment
from worker.decide.undo import head_before
from worker.persist import AccountCollisionError, Batch, ConstraintError, PostgresStore, Store, StoreOptions, account_id

M1 = account_id(KEY, PROGRAM, "M1")
ALL_OPEN = Needs(all_open=True)
WIDE = Wanted(M1, needs=ALL_OPEN)


async def load(batch: Batch, wanted: Wanted = WIDE) -> Loaded:
    """One account."""
    return (await batch.load([wanted]))[wanted.account_id]


async def post(store: Store, *changes: AccountChange) -> None:
    """Changes in a batch of their own."""
    async with store.batch() as batch:
        assert await batch.compare_and_set(changes) == {change.account_id for change in changes}
        await batch.write(changes)


async def row_of(store: Store, account: UUID = M1) -> Loaded:
    """All of an account, in a batch of its own."""
    async with store.batch() as batch:
        return await load(batch, Wanted(account, needs=ALL_OPEN))


async def test_an_account_that_is_not_there_loads_as_nothing(store: Store) -> None:
    async with store.batch() as batch:
        needs = Needs(frozenset({("order", "A")}), frozenset({"order:A"}))
        found = await batch.load([Wanted(M1, (("shop", "e1"),), needs)])
        assert found == {M1: Loaded(None, needs)}
        assert await batch.load([]) == {}


async def test_what_was_written_is_loaded(store: Store) -> None:
    change = earned("M1", 1)
    await post(store, change)
    async with store.batch() as batch:
        found = await load(batch, Wanted(M1, (("shop", "e1"), ("shop", "e2")), ALL_OPEN))
    assert found.row is not None
    assert (found.row.program, found.row.member_id, found.row.revision, found.row.version) == (PROGRAM, "M1", 1, 1)
    assert (found.row.epoch, found.row.head, found.row.fenced) == (1, change.head, None)
    assert found.seen == {("shop", "e1"): change.facts[0].digest}
    assert (found.lots, found.items) == (change.lots, change.items)


async def test_only_what_was_asked_for_is_loaded(store: Store) -> None:
    first = earned("M1", 1)
    await post(store, first)
    second = earned("M1", 2, (await row_of(store)).row)
    second.items["mark", "quiet"] = Mark(T0)
    await post(store, second)
    async with store.batch() as batch:
        bare = await load(batch, Wanted(M1))
        asked = Needs(frozenset({("order", "order-M1-1"), ("mark", "none")}), frozenset({"order:order-M1-2"}))
        narrow = await load(batch, Wanted(M1, needs=asked))
        all_open = await load(batch, Wanted(M1, needs=Needs(frozenset({("mark", "quiet")}), all_open=True)))
    assert (bare.lots, bare.items) == ({}, {})
    assert (narrow.lots, narrow.items) == (second.lots, first.items)
    assert (all_open.lots, all_open.items) == ({**first.lots, **second.lots}, {**first.items, **second.items})


async def test_lots_asked_for_by_their_grant_are_loaded_open_or_not_however_wide(store: Store) -> None:
    await post(store, earned("M1", 1))
    change = earned("M1", 2, (await row_of(store)).row)
    (lapsed,) = (replace(lot, available=0, lapsed=lot.available) for lot in change.lots.values() if lot is not None)
    change.lots = {lapsed.ref: lapsed}
    await post(store, change)
    origin = frozenset({lapsed.origin})
    async with store.batch() as batch:
        narrow = await load(batch, Wanted(M1, needs=Needs(origins=origin)))
        all_open = await load(batch, Wanted(M1, needs=Needs(origins=origin, all_open=True)))
        others = await load(batch, WIDE)
    assert narrow.lots == {lapsed.ref: lapsed}
    assert all_open.lots == {**others.lots, lapsed.ref: lapsed}
    assert list(others.lots) == ["order:order-M1-1/all"]


async def test_rows_that_are_gone_are_removed(store: Store) -> None:
    await post(store, earned("M1", 1))
    change = earned("M1", 2, (await row_of(store)).row)
    change.lots["order:order-M1-1/all"] = None
    change.items["order", "order-M1-1"] = None
    await post(store, change)
    found = await row_of(store)
    assert (list(found.lots), list(found.items)) == (["order:order-M1-2/all"], [("order", "order-M1-2")])


async def test_a_lot_whose_names_hold_slashes_is_removed(store: Store) -> None:
    change = earned("M1", 1)
    (lot,) = (lot for lot in change.lots.values() if lot is not None)
    odd = replace(lot, origin="order:2026/01/7", part="a/b")
    change.lots = {odd.ref: odd, lot.ref: lot}
    await post(store, change)
    again = earned("M1", 2, (await row_of(store)).row)
    again.lots = {odd.ref: None}
    await post(store, again)
    assert list((await row_of(store)).lots) == [lot.ref]


async def test_who_loses_the_race_reloads_and_wins_in_the_same_batch(store: Store) -> None:
    await post(store, earned("M1", 1))
    async with store.batch() as batch:
        stale = earned("M1", 3, (await load(batch)).row)
        other = earned("M2", 1)
        await post(store, earned("M1", 2, stale_row := (await load(batch)).row))
        assert stale_row is not None
        assert await batch.compare_and_set([stale, other]) == {other.account_id}
        again = earned("M1", 3, (await load(batch)).row)
        assert await batch.compare_and_set([again]) == {M1}
        await batch.write([again, other])
    found = await row_of(store)
    assert found.row is not None
    assert (found.row.revision, found.row.head.available, len(found.lots)) == (3, 30, 3)


async def test_a_new_account_is_lost_to_whoever_made_it_first(store: Store) -> None:
    await post(store, earned("M1", 1))
    async with store.batch() as batch:
        assert await batch.compare_and_set([earned("M1", 2)]) == set()


async def test_an_account_is_never_taken_for_another_members(store: Store) -> None:
    await post(store, earned("M1", 1))
    names = {M1: (PROGRAM, "M1")}
    async with store.batch() as batch:
        assert (await batch.load([WIDE], names))[M1].row is not None
        with pytest.raises(AccountCollisionError):
            await batch.load([WIDE], {M1: (PROGRAM, "M2")})
        intruder = earned("M2", 2, (await load(batch)).row)
        intruder.account_id = M1
        assert await batch.compare_and_set([intruder]) == set()


async def test_a_fact_is_written_once_only(store: Store) -> None:
    await post(store, earned("M1", 1))
    with pytest.raises(ConstraintError):
        await post(store, earned("M1", 1, (await row_of(store)).row))
    found = await row_of(store)
    assert found.row is not None
    assert found.row.revision == 1


async def test_rows_that_are_called_new_are_added_and_the_others_replaced(store: Store) -> None:
    first = earned("M1", 1)
    first.new_lots, first.new_items = list(first.lots), list(first.items)
    await post(store, first)
    second = earned("M1", 2, (await row_of(store)).row)
    second.new_lots, second.new_items = list(second.lots), list(second.items)
    again = {ref: replace(lot, available=lot.available - 1) for ref, lot in first.lots.items() if lot is not None}
    second.lots |= again
    second.items["mark", "gone before it was written"] = None
    second.new_items.append(("mark", "gone before it was written"))
    await post(store, second)
    found = await row_of(store)
    assert found.lots == second.lots
    assert found.items == {**first.items, ("order", "order-M1-2"): second.items["order", "order-M1-2"]}


@pytest.mark.parametrize("what", ["lots", "items"])
async def test_a_row_is_called_new_only_if_it_is(store: Store, what: str) -> None:
    first = earned("M1", 1)
    await post(store, first)
    second = earned("M1", 2, (await row_of(store)).row)
    second.lots, second.items = (first.lots, {}) if what == "lots" else ({}, first.items)
    second.new_lots, second.new_items = list(second.lots), list(second.items)
    with pytest.raises(ConstraintError):
        await post(store, second)


async def test_history_goes_back_to_a_moment_inclusive(store: Store) -> None:
    for number in (1, 2, 3):
        await post(store, earned("M1", number, (await row_of(store)).row))
    second = fact(2, "order-M1-2")
    async with store.batch() as batch:
        found = (await batch.history({M1: moment(second)}))[M1]
        before = (await batch.history({M1: clock_moment(second.time)}))[M1]
        nothing = (await batch.history({M1: Moment(*second.key[:3], "e9")}))[M1]
        assert await batch.history({}) == {}
    assert [step.moment.id for step in found.steps] == ["e3", "e2"]
    assert [step.version for step in found.steps] == [3, 2]
    row = (await row_of(store)).row
    assert row is not None
    heads = [head := row.head, *(head := head_before(head, step.before) for step in found.steps)]
    assert [each.available for each in heads] == [30, 20, 10]
    assert [event.id for event in found.facts] == ["e2", "e3"]
    assert found.facts[0] == second
    assert list(found.decisions) == [Decision("shop", "e2", "accepted", 0), Decision("shop", "e3", "accepted", 0)]
    assert [(entry.moment.id, entry.entry.points) for entry in found.entries] == [("e2", 10), ("e3", 10)]
    assert (before.steps, before.facts, before.entries) == (found.steps, found.facts, found.entries)
    assert [step.moment.id for step in nothing.steps] == ["e3"]


async def test_steps_from_a_moment_on_give_place_to_new_ones(store: Store) -> None:
    for number in (1, 2, 4):
        await post(store, earned("M1", number, (await row_of(store)).row))
    late = earned("M1", 3, (await row_of(store)).row)
    late.undone_from = moment(fact(3, "order-M1-3"))
    async with store.batch() as batch:
        undone = (await batch.history({M1: late.undone_from}))[M1]
    late.steps = [*late.steps, *undone.steps]
    await post(store, late)
    async with store.batch() as batch:
        found = (await batch.history({M1: clock_moment(T0)}))[M1]
    assert [step.moment.id for step in found.steps] == ["e4", "e3", "e2", "e1"]


async def test_moments_are_ordered_by_code_point(store: Store) -> None:
    change = earned("M1", 1)
    (step,) = change.steps
    names = ["B", "Z", "a", "z", "é", "ア", "\U0001f600"]
    change.steps = [type(step)(step.moment._replace(id=name), 1, step.before) for name in names]
    await post(store, change)
    async with store.batch() as batch:
        found = (await batch.history({M1: step.moment._replace(id="a")}))[M1]
    assert [each.moment.id for each in reversed(found.steps)] == names[2:]


async def test_due_accounts_are_found_by_shard_and_fairly(store: Store) -> None:
    await post(store, *(earned(member(number), 1) for number in range(200)))
    due_at = fact(1).time + timedelta(days=14)
    assert await store.due(range(64), due_at - timedelta(seconds=1), 10) == []
    seen: list[UUID] = []
    for _ in range(20):
        found = await store.due(range(64), due_at, 10)
        assert len(found) == 10
        assert {due.due_at for due in found} == {due_at}
        seen += [due.account_id for due in found]
    assert len({account.int >> 122 for account in seen}) > 30
    half = await store.due(range(32), due_at, 1000)
    assert {due.account_id for due in half} == {account_id(KEY, PROGRAM, member(n)) for n in range(200)} & {
        due.account_id for due in half
    }
    assert all(due.account_id.int >> 127 == 0 for due in half)


async def test_a_fenced_account_is_not_due(store: Store) -> None:
    change = earned("M1", 1)
    change.fenced = "the fold failed"
    await post(store, change)
    assert await store.due(range(64), T0 + timedelta(days=99), 10) == []
    found = await row_of(store)
    assert found.row is not None
    assert found.row.fenced == "the fold failed"


async def test_a_dossier_holds_all_of_an_account_as_known_at_a_time(store: Store) -> None:
    first = earned("M1", 2)
    await post(store, first)
    between = (await store.state()).now
    second = earned("M1", 1, (await row_of(store)).row)
    await post(store, second, earned("M2", 1))
    found = [dossier async for dossier in store.dossiers()]
    assert [dossier.account_id for dossier in found] == sorted(dossier.account_id for dossier in found)
    (now,) = (dossier for dossier in found if dossier.account_id == M1)
    assert [event.id for event in now.facts] == ["e1", "e2"]
    assert [(e.moment.id, e.entry) for e in now.entries] == [("e2", first.entries[0].entry), ("e1", second.entries[0].entry)]
    assert (now.lots, now.items) == ({**first.lots, **second.lots}, {**first.items, **second.items})
    assert now.row is not None
    assert now.row.head == second.head
    (then,) = [dossier async for dossier in store.dossiers([M1], known_at=between)]
    assert ([event.id for event in then.facts], len(then.decisions), len(then.entries)) == (["e2"], 1, 1)
    (none,) = [dossier async for dossier in store.dossiers([UUID(int=7)])]
    assert (none.row, none.facts) == (None, [] if isinstance(none.facts, list) else ())


async def test_a_store_is_closed_though_somebody_left_off_reading(database: str) -> None:
    async with await PostgresStore.open(database, StoreOptions(acquire_seconds=0.2)) as store:
        await post(store, *(earned(f"M{n}", 1) for n in range(3)))
        left_off = store.dossiers()
        async for dossier in left_off:
            assert dossier.facts
            break
        async with asyncio.timeout(5):
            await store.close()


async def _attempted(batch: Batch, change: AccountChange) -> None:
    async with batch.attempt():
        assert await batch.compare_and_set([change]) == {change.account_id}
        await batch.write([change])


async def test_an_attempt_is_taken_back_and_the_batch_goes_on(store: Store) -> None:
    await post(store, earned("M1", 1))
    async with store.batch() as batch:
        row = (await load(batch)).row
        for _ in range(2):
            with pytest.raises(ConstraintError):
                await _attempted(batch, earned("M1", 1, row))
            await _attempted(batch, earned("M1", 2, row))
        kept = earned("M1", 3, row)
        assert await batch.compare_and_set([kept]) == {M1}
        await batch.write([kept])
    (dossier,) = [each async for each in store.dossiers()]
    assert [fact.id for fact in dossier.facts] == [earned("M1", number).facts[0].id for number in (1, 3)]
