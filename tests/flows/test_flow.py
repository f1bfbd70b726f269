"""From Kafka to Kafka through a real ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.flows.shop import Shop
from tests.flows.system import System
from tests.witness.asking import WAIT_SECONDS, judged


async def test_a_small_shop_is_drained_published_without_gaps_and_verified(system: System) -> None:
    await system.prepare()
    events = Shop(seed=1, start=datetime.now(UTC) - timedelta(days=40), days=39).events(members=50, events=600)
    await system.publish(events, key=lambda event: event.member)
    system.start_worker("w1")
    await system.drained(60)
    published = await system.published()
    async with system.store() as store:
        heads = {f"{each.row.program}:{each.row.member_id}": each.row async for each in store.dossiers() if each.row}
        assert not [violation async for violation in store.verify()]
        assert not await store.drainable(10)
    assert dict(published.first_versions()) == {key: list(range(1, row.version + 1)) for key, row in heads.items() if row.version}
    answer = await judged(system, wait=WAIT_SECONDS)
    assert answer.evidence == []
    assert (answer.read["sent"], answer.read["accounts"]) == (len(events), len(heads))
