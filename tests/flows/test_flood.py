"""A flood of broken and conflicting records holds up nothing of its partition; only its own publication is slowed down."""

from __future__ import annotations

import time
from collections import Counter

from tests.flows.bad_records import gift
from tests.flows.comparison import sound
from tests.flows.probes import Probes
from tests.flows.system import Raw, System, until
from worker.local.ports import free_ports

TOPIC = "loyalty.command"
EACH = 5_000
"""Broken ones, and as many conflicting ones."""
GOOD = 100
PER_SECOND = 300
READ_SECONDS = 30
"""Under the load of other tests; alone it takes a tenth."""
OTHERS_SECONDS = 5


def flood() -> list[Raw]:
    """Broken and conflicting records in turn, and good ones between; the first of those that conflict counts."""
    records: list[Raw] = []
    for number in range(EACH):
        records.append(Raw(TOPIC, b"broken %d" % number, (), b"key"))
        records.append(gift("FLOODER", number + 1, "one-id"))
        if number % (EACH // GOOD) == 0:
            records.append(gift("GOOD", 1, f"good-{number}"))
    return records


async def available(system: System, member: str) -> int:
    rows = await system.sql("SELECT available FROM account WHERE member_id = $1", member)
    return int(rows[0]["available"]) if rows else 0


async def queued(system: System) -> int:
    ((count,),) = await system.sql("SELECT count(*) FROM dead_letter_queue")
    return int(count)


async def test_a_flood_holds_up_no_good_record_and_is_published_bit_by_bit(system: System) -> None:
    await system.prepare({TOPIC: 1})
    (port,) = free_ports(1)
    probes = Probes(port)
    settings = {"LOYALTY_RELAY_DEAD_LETTERS_PER_SECOND": str(PER_SECOND)}
    first = system.start_worker("w1", LOYALTY_PROBE_PORT=str(port), **settings)
    await until(probes.ready, READ_SECONDS, "/ready says yes")
    answers: Counter[int] = Counter()
    records = flood()
    system.send(records)
    sent_at = time.time()

    async def read() -> bool:
        answers[(await probes.get("/ready"))[0]] += 1
        ((end,),) = await system.sql("SELECT coalesce(max(next_offset), 0) FROM position WHERE topic = $1", system.prefix + TOPIC)
        ((watermark,),) = await system.sql("SELECT value FROM watermark")
        return bool(end == len(records) and watermark and watermark.timestamp() > sent_at)

    await until(read, READ_SECONDS, "the partition is read to its end, and the watermark has passed it")
    assert await available(system, "GOOD") == GOOD
    # None is missing and none is kept twice: all but the good ones, and the first of those that conflict.
    bad = {offset for offset, record in enumerate(records) if record.value and b"GOOD" not in record.value} - {1}
    kept = [row["record_offset"] for row in await system.sql("SELECT record_offset FROM dead_letter")]
    assert sorted(kept) == sorted(bad)

    async def told() -> bool:
        answers[(await probes.get("/ready"))[0]] += 1
        waiting = [await probes.metric("loyalty_dead_letters_waiting", reason=why) for why in ("conflict", "not_json")]
        waits = [await probes.metric("loyalty_dead_letters_waiting_seconds", reason=why) for why in ("conflict", "not_json")]
        return min(waiting) > 0 and min(waits) > 0

    await until(told, READ_SECONDS, "the metrics tell of the flood")
    assert '"event": "dead_letters_wait"' in first.output
    assert set(answers) == {200}

    system.send([gift("NEXT", 1, "next")])

    async def others_are_published() -> bool:
        told = (await system.published(["loyalty.balance-changed"])).messages["loyalty.balance-changed"]
        return any("NEXT" in key for key, _ in told)

    await until(others_are_published, OTHERS_SECONDS, "what others do is published beside the flood")
    assert await queued(system) > 0

    # What is left waits for the next worker.
    system.stop_workers()
    system.ended.append(first)
    assert await queued(system) > 0
    for name in ("w2", "w3"):
        system.start_worker(name, **settings)
    await system.drained(120)
    letters = [letter for letter in await system.dead_letters() if dict(letter.headers)["loyalty_topic"].decode().endswith(TOPIC)]
    published = Counter(int(dict(letter.headers)["loyalty_offset"]) for letter in letters)
    assert published == Counter(bad)
    for why in (b"conflict", b"not_json"):
        of_reason = [letter for letter in letters if dict(letter.headers)["loyalty_error"] == why]
        offsets = [int(dict(letter.headers)["loyalty_offset"]) for letter in of_reason]
        assert offsets == sorted(offsets)
        seconds = (of_reason[-1].timestamp - of_reason[0].timestamp) / 1000
        # The first of them go at once, as do the first of another worker.
        assert seconds > len(of_reason) / PER_SECOND - 3
    await sound(system)
