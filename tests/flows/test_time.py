"""Time: the clock waits for the news, topics are read in step, and instants are taken whether anyone was there or not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.flows.comparison import decoded
from tests.flows.probes import Probes
from tests.flows.shop import Sent, Shop
from tests.flows.system import PROGRAMS, System, until
from worker.local.ports import free_ports
from worker.programs import registry
from worker.programs.terms_file import load, shipped
from worker.reading import statements
from worker.simulation.simulate import Simulation

TOKYO = ZoneInfo("Asia/Tokyo")


def _sent(type_: str, number: int, at: datetime, member: str | None = None, **data: object) -> Sent:
    fields = dict(data) if member is None else {"member_id": member, **data}
    return Sent(type_, f"t{number}", "/shop", at, "belle-maison", fields, member)


def _order(number: int, at: datetime, member: str, points: int = 0) -> Sent:
    lines = [{"sku": "S", "quantity": 1, "unit_price": 2000, "tax": 200}]
    used = {"points_used": points} if points else {}
    fields = {"order_id": f"O{number}", "store": "bellemaison", "lines": lines, "payment_method": "credit_card", **used}
    return _sent("order.placed", number, at, member, **fields)


async def test_a_backlog_across_midnight_gives_no_lapse_that_is_taken_back(system: System) -> None:
    """Points that lapse at midnight are spent at 23:00 by orders deep in one topic's backlog; others' topics are short."""
    await system.prepare({"commerce.order": 1, "loyalty.command": 1, "commerce.shipment": 1})
    midnight = datetime.now(TOKYO).replace(hour=0, minute=0, second=0, microsecond=0)
    last_day = (midnight - timedelta(days=1)).date().isoformat()
    members = [f"M{number}" for number in range(60)]
    events: list[Sent] = []
    for number, member in enumerate(members):
        granted = midnight - timedelta(hours=30)
        fields = {"points": 500, "expires_on": last_day, "reason": "gift"}
        events.append(_sent("points.adjusted", number, granted, member, **fields))
        for step in range(40):  # a long backlog in the orders' topic
            at = midnight - timedelta(hours=20) + timedelta(minutes=20 * step)
            events.append(_order(1000 + number * 100 + step, at, member))
        events.append(_order(1000 + number * 100 + 50, midnight - timedelta(minutes=50), member, points=500))
        events.append(_sent("points.adjusted", 500 + number, midnight + timedelta(minutes=2), member, points=1, reason="gift"))
    events.sort(key=lambda event: event.time)
    await system.publish(events, key=lambda event: event.member, record_time=True)
    system.start_worker("w1", LOYALTY_BATCH_RECORDS_MAX="100")
    await system.drained(60)
    async with system.store() as store:
        lapsed = 0
        async for dossier in store.dossiers():
            assert dossier.row is not None
            assert dossier.row.fenced is None
            lapsed += sum(stored.entry.reason == "lapse" for stored in dossier.entries)
            assert {decision.verdict for decision in dossier.decisions} == {"accepted"}
            assert dossier.row.head.lapsed == 0
        assert lapsed == 0


async def test_a_replay_of_a_year_from_the_beginning_has_under_one_percent_late_facts(system: System) -> None:
    await system.prepare({"commerce.order": 5, "commerce.shipment": 2, "commerce.return": 1})
    events = Shop(seed=3, start=datetime.now(UTC) - timedelta(days=366), days=365).events(members=300, events=6000)
    await system.publish(events, key=lambda event: event.order_id or event.member, record_time=True)
    (port,) = free_ports(1)
    system.start_worker("w1", LOYALTY_BATCH_RECORDS_MAX="200", LOYALTY_PROBE_PORT=str(port))
    await system.drained(120)
    probes = Probes(port)
    late, applied = [await probes.metric("loyalty_events_total", outcome=outcome) for outcome in ("late", "applied")]
    assert applied > 5000
    assert late / applied < 0.01


async def test_a_worker_that_was_down_for_a_month_catches_up_to_the_same_ledger(system: System) -> None:
    """Maturities, lapses and reviews are posted at their own instants, as if the clock had been watched every day."""
    await system.prepare()
    start = datetime.now(UTC) - timedelta(days=240)
    events = Shop(seed=5, start=start, days=200).events(members=60, events=900)
    await system.publish(events, key=lambda event: event.member, record_time=True)
    system.start_worker("w1")
    await system.drained(60)
    now = datetime.now(UTC)
    async with system.store() as store:
        programs = {program.code: program for program in await registry.programs(store)}
        dossiers = [dossier async for dossier in store.dossiers()]
    delivered = decoded(events, now)
    for code in PROGRAMS:
        mine = [dossier for dossier in dossiers if dossier.row is not None and dossier.row.program == code]
        told = {(each.source, each.id): each for dossier in mine for each in dossier.decisions}
        watched = Simulation(load(shipped()[code]), told)
        day = start
        for event in delivered:
            while event.time > day:
                watched.run_clock(day)
                day += timedelta(days=1)
            watched.deliver(event)
        watched.run_clock(now)
        for dossier in mine:
            assert dossier.row is not None
            member = dossier.row.member_id
            theirs = watched.statement(member, now, "now").model_copy(update={"version": 0})
            ours = statements.read(dossier, programs[code], now, "now").model_copy(update={"version": 0})
            assert ours == theirs
            days = programs[code].versions[0].days
            for stored in dossier.entries:
                if stored.entry.reason in ("mature", "lapse"):
                    assert stored.moment.at == days.start(days.date_of(stored.moment.at))


async def test_a_reservation_ends_by_itself_when_its_time_is_over(system: System) -> None:
    await system.prepare()
    now = datetime.now(UTC)
    held = {"redemption_id": "R1", "points": 300, "store": "bellemaison", "expires_in_seconds": 3}
    events = [
        _sent("points.adjusted", 1, now - timedelta(hours=1), "M1", points=500, reason="gift"),
        _sent("redemption.requested", 2, now, "M1", **held),
    ]
    await system.publish(events, key=lambda event: event.member)
    system.start_worker("w1")

    async def ended() -> bool:
        system.check_alive()
        async with system.store() as store:
            rows = [dossier.row async for dossier in store.dossiers()]
        return bool(rows) and rows[0] is not None and rows[0].head.available == 500 and rows[0].version >= 3

    await until(ended, 30, "the reservation has ended")
