"""Messages and dead letters wait in the outbox, in order, until they were published."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from uuid import UUID

import pytest

from tests.stores.examples import KEY, PROGRAM, T0, earned, member, record
from tests.stores.test_accounts import post, row_of
from worker.decide.change import Message
from worker.persist import DeadLetter, OutboxRow, Store, StoreError, account_id, shard_of
from worker.persist.dead_letters import BYTES_AT_ONCE_MAX, LETTERS_AT_ONCE_MAX
from worker.persist.identity import partition_account

ALL = range(64)
M1 = account_id(KEY, PROGRAM, "M1")


def name(row: OutboxRow) -> tuple[UUID, int, int]:
    return row.account_id, row.version, row.ordinal


async def handed_over(store: Store, per_lane: int = 10) -> list[OutboxRow]:
    """The outbox, with the next dead letters in it."""
    await store.hand_over_dead_letters(per_lane)
    return await store.read(ALL, 5_000)


async def test_a_message_is_a_cloudevent_in_binary_mode(store: Store) -> None:
    await post(store, earned("M1", 1))
    (row,) = await store.read(ALL, 10)
    assert (row.topic, row.key, row.value) == ("loyalty.balance-changed", b"scolar:M1", b"{}")
    assert dict(row.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": f"{M1}:1:0:1".encode(),
        "ce_source": b"loyalty",
        "ce_type": b"loyalty.balance-changed",
        "ce_time": b"2026-01-01T00:01:00Z",
        "ce_program": b"scolar",
        "ce_traceparent": b"00-trace-01",
        "content-type": b"application/json",
    }


async def test_messages_of_an_account_come_in_order_and_go_when_published(store: Store) -> None:
    for number in (1, 2, 3):
        change = earned("M1", number, (await row_of(store)).row)
        decided = Message(change.version, 1, "loyalty.redemption-decided", "scolar:M1", b"[]", T0)
        change.messages.append(decided)
        await post(store, change)
    first = await store.read(ALL, 4)
    assert [name(row) for row in first] == [(M1, 1, 0), (M1, 1, 1), (M1, 2, 0), (M1, 2, 1)]
    await store.delete(first)
    await store.delete(first)
    await store.delete([])
    assert [name(row) for row in await store.read(ALL, 4)] == [(M1, 3, 0), (M1, 3, 1)]
    messages, oldest_at = await store.backlog()
    assert messages == 2
    assert oldest_at is not None


async def test_reading_goes_round_so_that_no_account_keeps_others_waiting(store: Store) -> None:
    await post(store, *(earned(member(number), 1) for number in range(10)))
    rounds = [await store.read(ALL, 4) for _ in range(5)]
    accounts = [row.account_id for rows in rounds for row in rows]
    assert accounts == sorted(set(accounts)) * 2


async def test_a_relay_reads_its_own_shards_only(store: Store) -> None:
    await post(store, *(earned(member(number), 1) for number in range(100)))
    mine = [0, 1, 2, 9, 40, 63]
    found = await store.read(mine, 1000)
    assert {row.account_id for row in found} == {
        account for n in range(100) if shard_of(account := account_id(KEY, PROGRAM, member(n))) in mine
    }
    others = await store.read([shard for shard in ALL if shard not in mine], 1000)
    assert len(found) + len(others) == 100
    assert await store.read([], 1000) == []


async def test_a_dead_letter_is_kept_and_sent_byte_for_byte(store: Store) -> None:
    async with store.batch() as batch:
        assert await batch.dead_letter([DeadLetter(record(7), "not_json", "at byte 0")]) == 1
        assert await batch.dead_letter([]) == 0
    (row,) = await handed_over(store)
    assert (row.account_id, row.version) == (partition_account("commerce.order", 0), 7)
    assert (row.topic, row.key, row.value) == ("commerce.order.loyalty.dlq", b"key", b"\xff broken")
    assert row.headers == (
        ("ce_id", b"1"),
        ("odd", None),
        ("loyalty_error", b"not_json"),
        ("loyalty_detail", b"at byte 0"),
        ("loyalty_topic", b"commerce.order"),
        ("loyalty_partition", b"0"),
        ("loyalty_offset", b"7"),
    )


async def test_a_dead_letter_names_the_field_at_fault_in_a_header_of_its_own(store: Store) -> None:
    path = "data.lines.0.unit_price"
    async with store.batch() as batch:
        await batch.dead_letter([DeadLetter(record(7), "float_money", f"{path}: should be an integer", path)])
        await batch.dead_letter([DeadLetter(record(8, b"x" * 2_000), "bad_data", f"{path}: is too long", path)])
    fields, pointer = (dict(row.headers) for row in sorted(await handed_over(store), key=lambda row: row.version))
    assert fields["loyalty_path"] == pointer["loyalty_path"] == path.encode()
    assert "loyalty_pointer" in pointer


async def test_a_record_is_one_dead_letter_however_often_it_is_read(store: Store) -> None:
    letter = DeadLetter(record(7), "not_json", "x")
    async with store.batch() as batch:
        assert await batch.dead_letter([letter, letter]) == 1
    async with store.batch() as batch:
        again = DeadLetter(record(7, b"of a topic made again"), "not_json", "x")
        assert await batch.dead_letter([letter, again, DeadLetter(record(8, None), "empty_value", "x")]) == 2
    rows = await handed_over(store)
    assert sorted((row.version, row.value) for row in rows if row.version == 7) == [
        (7, b"of a topic made again"),
        (7, b"\xff broken"),
    ]
    assert [row.value for row in rows if row.version == 8] == [None]


async def test_a_record_too_large_to_send_again_goes_as_a_pointer(store: Store) -> None:
    async with store.batch() as batch:
        await batch.dead_letter([DeadLetter(record(7, b"x" * 2_000), "too_large", "x")])
    (row,) = await handed_over(store)
    assert (row.key, row.value) == (None, b"")
    assert dict(row.headers)["loyalty_pointer"] == b"commerce.order/0/7"
    assert "ce_id" not in dict(row.headers)


@pytest.mark.parametrize("milliseconds", [-(2**63), -1, 0, 2**63 - 1])
async def test_a_dead_letter_may_have_any_time(store: Store, milliseconds: int) -> None:
    base = record(7)
    odd = type(base)(base.topic, base.partition, base.offset, milliseconds, None, None, ())
    try:
        async with store.batch() as batch:
            assert await batch.dead_letter([DeadLetter(odd, "empty_value", "x")]) == 1
    except StoreError as error:
        pytest.fail(str(error))


def flood(count: int, source: str | None, first: int = 0, value: bytes = b"broken", reason: str = "not_json") -> list[DeadLetter]:
    return [DeadLetter(record(first + n, value), reason, "x", source=source) for n in range(count)]


async def test_a_flood_is_handed_over_bit_by_bit_in_order_and_no_other_sender_waits_for_it(store: Store) -> None:
    async with store.batch() as batch:
        await batch.dead_letter(flood(7, "/flooder"))
        await batch.dead_letter([*flood(2, "/other", 100), *flood(1, "/flooder", 200, reason="bad_data"), *flood(1, None, 300)])
    assert await store.read(ALL, 10) == []
    assert (await store.backlog())[0] == 11
    turns = []
    for _ in range(5):
        rows = await handed_over(store, 3)
        turns.append([row.version for row in rows])
        await store.delete(rows)
    assert turns == [[0, 1, 2, 100, 101, 200, 300], [3, 4, 5], [6], [], []]


async def test_of_all_senders_together_only_so_much_is_handed_over_and_the_first_of_each_goes_first(store: Store) -> None:
    async with store.batch() as batch:
        await batch.dead_letter(flood(2 * LETTERS_AT_ONCE_MAX, "/flooder"))
        await batch.dead_letter(flood(1, "/other", 5_000))
    versions = [row.version for row in await handed_over(store, 2 * LETTERS_AT_ONCE_MAX)]
    assert versions == [*range(LETTERS_AT_ONCE_MAX - 1), 5_000]


async def test_large_letters_are_handed_over_a_few_at_once(store: Store) -> None:
    quarter = bytes(BYTES_AT_ONCE_MAX // 4)
    async with store.batch() as batch:
        await batch.dead_letter([*flood(6, "/flooder", 0, quarter), *flood(1, "/other", 100)])
    assert [row.version for row in await handed_over(store)] == [0, 1, 2, 3, 100]
    async with store.batch() as batch:
        await batch.dead_letter(flood(1, "/larger", 200, 5 * quarter))
    assert [row.version for row in await handed_over(store)][-2:] == [100, 200]


async def test_what_two_hand_over_at_once_is_handed_over_once(store: Store) -> None:
    async with store.batch() as batch:
        await batch.dead_letter(flood(100, "/flooder"))
    moved = 0
    while (await store.waiting_dead_letters()) != []:
        moved += sum(await asyncio.gather(*(store.hand_over_dead_letters(20) for _ in range(3))))
    assert moved == 100
    assert Counter(row.version for row in await store.read(ALL, 1_000)) == Counter(range(100))


async def test_letters_of_a_batch_that_was_given_up_wait_for_nothing(store: Store) -> None:
    with suppress(ZeroDivisionError):
        async with store.batch() as batch:
            await batch.dead_letter(flood(3, "/flooder"))
            raise ZeroDivisionError
    assert await handed_over(store) == []
    assert (await store.backlog())[0] == 0


async def test_what_waits_is_told_by_reason(store: Store) -> None:
    assert await store.waiting_dead_letters() == []
    async with store.batch() as batch:
        await batch.dead_letter([*flood(3, "/a"), *flood(2, "/b", 10), *flood(1, "/a", 20, reason="bad_data")])
    found = await store.waiting_dead_letters()
    assert [(each.reason, each.letters) for each in found] == [("bad_data", 1), ("not_json", 5)]
    assert all(0 <= each.seconds < 60 for each in found)
    await store.hand_over_dead_letters(2)
    assert [(each.reason, each.letters) for each in await store.waiting_dead_letters()] == [("not_json", 1)]
