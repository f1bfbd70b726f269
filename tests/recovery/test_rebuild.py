"""The way out of a fence, beside a worker that goes on: on a store that keeps the contract of the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NoReturn
from unittest.mock import patch
from uuid import UUID

import msgspec
import pytest

from contracts.events import PointsAdjusted
from tests.flows.bad_records import HOUR, NOW, gift, order, shipped
from tests.flows.shop import Sent
from tests.flows.system import Raw
from tests.parts.topics import WITH_OPENINGS, topic_of
from tests.pipeline.harness import Harness, programs
from tests.stores import memory_batch, memory_tables
from tests.stores.memory_batch import MemoryBatch
from worker.consume.batch import Batch
from worker.decide import state
from worker.decide.account import Account
from worker.decide.fact_types import FACT_TYPES
from worker.decide.state import FORMAT
from worker.decode import Record
from worker.persist import RefusedError
from worker.programs.catalogue import Catalogue
from worker.reading import statements
from worker.upkeep import rebuild, verify
from worker.upkeep.rebuild import Rebuilt, fenced


def _defective(_: Account, data: PointsAdjusted) -> NoReturn:
    raise ZeroDivisionError(data.member_id)


@contextmanager
def defect() -> Iterator[None]:
    """A release that cannot fold gifts."""
    with patch.dict(FACT_TYPES, {PointsAdjusted: FACT_TYPES[PointsAdjusted]._replace(handle=_defective)}):
        yield


async def free(harness: Harness, accounts: AsyncIterator[UUID] | None = None, **more: Any) -> list[Rebuilt]:
    """What the command does."""
    catalogue = Catalogue(programs().values())
    return [each async for each in rebuild.rebuild(harness.store, catalogue, accounts or fenced(harness.store), NOW, 1, **more)]


def day(member: str) -> list[Raw]:
    """A member's orders, one of them paid with points, and a gift between them."""
    return [
        order(f"{member}1", member, time=NOW - 9 * HOUR),
        shipped(f"{member}1", f"{member}1-sent", time=NOW - 8 * HOUR),
        order(f"{member}2", member, time=NOW - 7 * HOUR, points_used=3),
        gift(member, 100, f"{member}-gift", time=NOW - 6 * HOUR),
        order(f"{member}3", member, time=NOW - 5 * HOUR, points_used=100),
        shipped(f"{member}3", f"{member}3-sent", time=NOW - 4 * HOUR),
    ]


async def test_a_fence_ends_with_every_fact_counted_and_one_new_version() -> None:
    harness, sound = Harness(), Harness()
    first, second = day("M")[:3], day("M")[3:]
    for each in (harness, sound):
        await each.take(*first, *day("OTHER"))
    with defect():
        for record in second:
            await harness.take(record)
        await harness.take(second[0])  # once more, for what is kept is known
    for record in second:
        await sound.take(record)
    before = await harness.dossier("M")
    assert before.row is not None
    assert before.row.fenced is not None
    assert "M" not in before.row.fenced.split()
    assert len(before.facts) == 6
    with defect():
        (failed,) = await free(harness)
    assert failed.defect is not None
    assert (await harness.dossier("M")).row == before.row
    (preview,) = await free(harness, preview=True)
    assert (await harness.dossier("M")).row == before.row
    (done,) = await free(harness)
    assert done == preview
    assert (done.defect, done.version, done.announced) == (None, before.row.version + 1, True)
    assert await free(harness) == []
    statement, wanted = await harness.statement("M"), await sound.statement("M")
    assert statement.model_copy(update={"version": 0}) == wanted.model_copy(update={"version": 0})
    assert (await harness.statement("OTHER")) == (await sound.statement("OTHER"))
    outbox = sorted(harness.store.tables.outbox)
    versions = [version for (account, version, n) in outbox if account == before.account_id and not n]
    assert versions == list(range(1, done.version + 1))


async def test_a_worker_that_brings_a_fact_in_between_and_the_command_do_not_lose_each_others_work() -> None:
    harness, other = Harness(), Harness()
    with defect():
        await harness.take(*day("M")[:4])
    other = Harness(harness.store)
    other.offset, original, calls = 1_000, MemoryBatch.compare_and_set, 0

    async def hooked(batch: MemoryBatch, changes: Any) -> set[UUID]:
        nonlocal calls
        calls += 1
        if calls == 1:
            async with harness.store.batch() as second:
                records = other.read(day("M")[4:5]).records
                await other.pipeline._apply(second, await other.pipeline._decode(records, frozenset()))
        return await original(batch, changes)

    with patch.object(MemoryBatch, "compare_and_set", hooked):
        (done,) = await free(harness)
    assert (done.facts, done.defect, calls) == (5, None, 3)
    await harness.take(*day("M")[5:])
    assert (await harness.statement("M")).available == (await _sound("M")).available


async def _sound(member: str) -> Any:
    harness = Harness()
    await harness.take(*day(member))
    return await harness.statement(member)


async def test_one_account_that_postgres_refuses_does_not_keep_the_others_fenced() -> None:
    harness = Harness()
    with defect():
        await harness.take(*(gift(f"M{n}", 10, f"gift-{n}") for n in range(5)))
    refused = (await harness.dossier("M3")).account_id
    original = MemoryBatch.write

    async def hooked(batch: MemoryBatch, changes: Any) -> None:
        if any(change.account_id == refused for change in changes):
            raise RefusedError("a row")
        await original(batch, changes)

    with patch.object(MemoryBatch, "write", hooked):
        found = {each.account_id: each.defect for each in await free(harness)}
    assert len(found) == 5
    assert [account for account, why in found.items() if why is not None] == [refused]
    assert [each async for each in fenced(harness.store)] == [refused]


async def test_a_verdict_that_was_announced_stands_though_the_points_are_there_now() -> None:
    harness = Harness()
    await harness.take(gift("M", 10, "first", time=NOW - 9 * HOUR), order("A", "M", time=NOW - 8 * HOUR, points_used=100))
    await harness.until(NOW)
    with defect():
        await harness.take(gift("M", 500, "late", time=NOW - 9 * HOUR + timedelta(minutes=1)))
    (done,) = await free(harness)
    assert done.available == 500
    found = await harness.statement("M")
    assert [each.redemption.decision for each in found.orders if each.redemption is not None] == ["rejected"]


async def test_what_is_told_after_a_fence_goes_on_from_what_was_told_before_it_and_not_from_a_head_that_was_wrong() -> None:
    harness = Harness()
    await harness.take(*day("M")[:4])
    dossier = await harness.dossier("M")
    row = dossier.row
    assert row is not None
    wrong = msgspec.structs.replace(row.head, available=row.head.available + 7, pending=row.head.pending + 1)
    harness.store.tables.accounts[dossier.account_id].row = msgspec.structs.replace(row, head=wrong)
    assert await harness.pipeline.fence(dossier.account_id, "found wrong: a test")
    await harness.take(*day("M")[4:], gift("M", 50, "more"))
    (done,) = await free(harness)
    assert (done.defect, done.announced) == (None, True)
    sums = {"available": 0, "pending": 0, "on_hold": 0}
    for name in sorted(harness.store.tables.outbox):
        message = harness.store.tables.outbox[name]
        if message.topic == "loyalty.balance-changed":
            told = msgspec.json.decode(message.value or b"")
            sums = {bucket: points + told["change"][bucket] for bucket, points in sums.items()}
            assert sums == {bucket: told[bucket] for bucket in sums}, told["version"]
    assert (await harness.statement("M")).available == sums["available"]


@pytest.mark.parametrize("way", ["the clock", "a rebuild", "a fence and a rebuild"])
async def test_a_redemption_that_waited_at_the_moment_of_the_backup_gets_the_verdict_that_was_announced(way: str) -> None:
    harness = Harness()
    harness.pipeline.know(NOW - 20 * HOUR)
    await harness.take(gift("M", 10, "first", time=NOW - 9 * HOUR), order("A", "M", time=NOW - 8 * HOUR, points_used=100))
    dossier = await harness.dossier("M")
    assert dossier.row is not None
    (waiting,) = dossier.row.head.waiting
    told = [(dossier.account_id, state.Decision(*waiting.moment.name, "accepted", 100))]
    assert await harness.store.announce(told) == 1
    if way == "a fence and a rebuild":
        assert await harness.pipeline.fence(dossier.account_id, "a test")
    if way == "the clock":
        await harness.until(NOW)
    else:

        async def one() -> AsyncIterator[UUID]:
            yield dossier.account_id

        (done,) = await free(harness, one())
        assert (done.defect, done.available) == (None, -100)
    found = await harness.statement("M")
    assert found.available == -90
    assert [each.redemption.decision for each in found.orders if each.redemption is not None] == ["accepted"]
    assert (await harness.dossier("M")).decisions == [told[0][1]]
    assert await harness.store.announce(told) == 0


async def test_what_is_taken_over_without_a_word_is_so_though_the_member_was_known_before() -> None:
    harness, code = Harness(admission=WITH_OPENINGS), "lenovo-pro"
    lots = [{"points": 500}]

    async def take(type_: str, hours: int, program: str = code, **data: Any) -> None:
        event = Sent(type_, type_, "/shop", NOW - hours * HOUR, program, {"member_id": "M", **data}, "M")
        record = Record(topic_of(event.value(), event.headers()), 0, hours, 0, None, event.value(), tuple(event.headers()))
        assert (await harness.pipeline.process(Batch((record,), ()))).outcomes["applied"] == 1

    await take("member.registered", 5)
    await take("member.enrolled", 4)
    await take("balance.opened", 9, lots=lots, announce=False)
    dossier = await harness.dossier("M")
    assert dossier.row is not None
    assert (dossier.row.version, dossier.row.head.available, harness.store.tables.outbox) == (0, 500, {})
    assert [(posting.version, posting.correction) for posting in dossier.postings] == [(0, False)]
    await take("points.adjusted", 8, points=7, reason="late")
    told = [msgspec.json.decode(message.value or b"") for message in harness.store.tables.outbox.values()]
    assert [(each["version"], each["available"], each["change"]["available"]) for each in told] == [(1, 507, 7)]
    assert (await harness.statement("M")).available == 507


async def test_an_account_that_is_not_there_is_said() -> None:
    async def nobody() -> AsyncIterator[UUID]:
        yield UUID(int=7)

    (found,) = await free(Harness(), nobody())
    assert found.defect == "there is no such account"


# -- another form


@pytest.fixture
def next_release(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Called, this release becomes one that keeps accounts in another form."""

    def change(number: int = FORMAT + 1) -> None:
        for module in (state, statements, verify, memory_batch, memory_tables):
            monkeypatch.setattr(module, "FORMAT", number)

    return change


async def test_an_account_kept_in_another_form_is_folded_anew_when_it_is_touched(next_release: Any) -> None:
    harness = Harness()
    await harness.take(*day("M")[:3], *day("OTHER"))
    before = await harness.dossier("M")
    assert before.row is not None
    next_release()
    # Nothing of the old form may be read again.
    kept = harness.store.tables.accounts[before.account_id]
    kept.items = {key: msgspec.structs.replace(item, due_at=None) for key, item in kept.items.items()}
    kept.lots = {ref: msgspec.structs.replace(lot, available=lot.available + 5) for ref, lot in kept.lots.items()}
    assert statements.read(before, programs()["belle-maison"], NOW).available == before.row.head.available
    await harness.take(*day("M")[3:])
    after = await harness.dossier("M")
    assert after.row is not None
    assert after.row.head.format == FORMAT + 1
    wanted = await _sound("M")
    assert (await harness.statement("M")).model_copy(update={"version": 0}) == wanted.model_copy(update={"version": 0})
    other = await harness.dossier("OTHER")
    assert other.row is not None
    assert other.row.head.format == FORMAT


async def test_what_comes_for_an_account_in_another_form_that_cannot_be_folded_is_kept(next_release: Any) -> None:
    harness = Harness()
    await harness.take(*day("M")[:4])
    next_release()
    with defect():
        await harness.take(*day("M")[4:])
        await harness.take(*day("M")[2:4])  # once more
    kept = await harness.dossier("M")
    assert kept.row is not None
    assert (kept.row.fenced is not None, len(kept.facts)) == (True, 6)
    (done,) = await free(harness)
    assert (done.defect, done.facts) == (None, 6)
    wanted = await _sound("M")
    assert (await harness.statement("M")).model_copy(update={"version": 0}) == wanted.model_copy(update={"version": 0})


async def test_releases_side_by_side_with_two_forms_agree(next_release: Any) -> None:
    """During an upgrade, and when one is taken back: each folds anew what the other wrote."""
    harness = Harness()
    for number, record in enumerate(day("M")):
        next_release(FORMAT + number % 2)
        await harness.take(record)
    wanted = await _sound("M")
    found = await harness.statement("M")
    assert found.model_copy(update={"version": 0}) == wanted.model_copy(update={"version": 0})
    dossier = await harness.dossier("M")
    assert dossier.row is not None
    outbox = sorted(harness.store.tables.outbox)
    versions = [version for (account, version, n) in outbox if account == dossier.account_id and not n]
    assert versions == list(range(1, dossier.row.version + 1))
