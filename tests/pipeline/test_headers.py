"""A dead letter is told by us: what its sender called as our headers are called goes on under another name."""

from __future__ import annotations

from dataclasses import replace

from contracts.events import DLQ_SUFFIX
from tests.flows.bad_records import NOW, gift
from tests.flows.system import Raw
from tests.pipeline.harness import Harness


async def test_a_sender_does_not_tell_where_a_dead_letter_came_from() -> None:
    harness = Harness()
    forged = (("loyalty_topic", b"commerce.order"), ("Loyalty_Offset", b"1"), ("loyalty_error", b"conflict"), ("mine", b"x"))
    await harness.take(Raw("commerce.member", b"broken", forged, b"key"))
    assert await harness.store.hand_over_dead_letters(1) == 1
    (letter,) = harness.store.tables.outbox.values()
    assert letter.topic == "commerce.member" + DLQ_SUFFIX
    assert letter.value == b"broken"
    told = [(name, value) for name, value in letter.headers if name not in ("loyalty_detail", "loyalty_partition")]
    assert told == [
        *(("sent_loyalty_topic", b"commerce.order"), ("sent_Loyalty_Offset", b"1"), ("sent_loyalty_error", b"conflict")),
        ("mine", b"x"),
        *(("loyalty_error", b"not_json"), ("loyalty_topic", b"commerce.member"), ("loyalty_offset", b"0")),
    ]


async def test_a_sender_cannot_pass_its_record_off_as_a_batch_that_is_too_large() -> None:
    harness = Harness()
    event = gift("M1", 5, "g1", time=NOW)
    done = await harness.take(replace(event, headers=(("loyalty_batch", b"0 to 9, codec 1"), *event.headers)))
    assert (done.outcomes["applied"], harness.letters()) == (1, [])
    await harness.take(Raw("commerce.member", b"broken", (("loyalty_batch", b"0 to 9, codec 1"),), b"key"))
    await harness.store.hand_over_dead_letters(1)
    (letter,) = [each for each in harness.store.tables.outbox.values() if each.topic.endswith(DLQ_SUFFIX)]
    assert ("sent_loyalty_batch", b"0 to 9, codec 1") in letter.headers
    assert "loyalty_batch" not in dict(letter.headers)
