"""A worker whose own clock is wrong says so and harms nothing: it goes by the database's."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from tests.faults import clock
from tests.faults.clock import Clock
from tests.flows.bad_records import gift
from tests.flows.comparison import sound
from tests.flows.probes import Probes
from tests.flows.system import System, until
from tests.parts.missing import cannot_run
from worker.local.ports import free_ports
from worker.local.topics import create_topics

pytestmark = pytest.mark.timeout(400)  # several starts of Python, on a machine that may be busy

GIFTS: Final = 40
WAIT_SECONDS: Final = 60
CHANGED: Final = "loyalty.balance-changed"
APPENDING: Final = {"message.timestamp.type": "LogAppendTime"}


@pytest.fixture(autouse=True)
def clocks_move() -> None:
    """A C compiler is needed."""
    if (why := clock.missing()) is not None:
        cannot_run("workers with wrong clocks", why, "install a C compiler")


@pytest.mark.parametrize("seconds", [-600, 2 * 86_400], ids=["10-minutes-slow", "2-days-fast"])
async def test_a_wrong_clock_is_told_and_harms_no_event_and_no_message(system: System, seconds: int) -> None:
    await create_topics(system.bootstrap, {system.prefix + "loyalty.points-expiring": 1}, configs=APPENDING)
    await system.prepare()
    own, (port,) = Clock(system.directory / "own.clock"), free_ports(1)
    own.set(seconds)
    probes = Probes(port)
    worker = system.start_worker("w1", LOYALTY_PROBE_PORT=str(port), **own.environment)
    began = time.time()
    now = datetime.now(UTC)
    system.send(gift(f"M{number}", 1, f"now-{number}", time=now) for number in range(GIFTS))
    system.send([gift("M1", 1, "tomorrow", time=now + timedelta(days=1))])
    await system.drained(WAIT_SECONDS)
    await sound(system)
    (row,) = await system.sql("SELECT count(*) AS accounts, sum(available) AS points FROM account")
    assert (row["accounts"], row["points"]) == (GIFTS, GIFTS)
    refused = await system.sql("SELECT reason FROM dead_letter")
    assert [row["reason"] for row in refused] == ["time_too_far_ahead"]
    records = (await system.messages([CHANGED]))[CHANGED]
    assert len(records) == GIFTS
    assert all(began - 5 < record.timestamp / 1000 < time.time() + 5 for record in records)

    assert await probes.metric("loyalty_clock_offset_seconds", against="database") == pytest.approx(seconds, abs=5)
    (reason,) = (await probes.reasons())["clock"]
    told = rf"this worker's clock is \d+\.\d s {'ahead of' if seconds > 0 else 'behind'} the database's"
    assert re.match(told, reason)
    assert [json.loads(line)["against"] for line in worker.output.splitlines() if '"clock_differs"' in line] == ["database"]
    found = await _clock_check(system, own, 1)
    assert found["result"] == "fail"
    assert re.match(told, found["found"])
    assert found["to_do"].startswith("set the clock that is wrong")

    own.set(0)
    await until(probes.ready, WAIT_SECONDS, "the worker is ready once its clock is right")
    assert (await _clock_check(system, own, 0))["result"] == "ok"


async def _clock_check(system: System, own: Clock, code: int) -> dict[str, str]:
    """What `doctor` finds out about the clock of a machine, ending with the code."""
    environment: dict[str, Any] = dict(own.environment)
    checks = json.loads(await system.command("doctor", "-o", "json", code=code, **environment))
    (found,) = [each for each in checks if each["check"] == "clock"]
    return dict(found)


async def test_a_clock_unlike_the_brokers_is_told_where_a_topic_keeps_the_time_of_appending(system: System) -> None:
    await create_topics(system.bootstrap, {system.prefix + CHANGED: 1}, configs=APPENDING)
    await system.prepare()
    own, (port,) = Clock(system.directory / "own.clock"), free_ports(1)
    own.set(-600)
    probes = Probes(port)
    system.start_worker("w1", LOYALTY_PROBE_PORT=str(port), **own.environment)
    system.send([gift("M1", 1, "now")])
    await system.drained(WAIT_SECONDS)
    assert await probes.metric("loyalty_clock_offset_seconds", against="broker") == pytest.approx(-600, abs=5)
    reasons = (await probes.reasons())["clock"]
    assert [("database" in reason, "broker" in reason) for reason in reasons] == [(True, False), (False, True)]
