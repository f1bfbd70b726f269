from __future__ import annotations
import json
from datetime import timedelta
from tests.recovery.test_rebuild import *
from tests.recovery.test_rebuild import _sound
from worker.decide.state import Decision
from tests.flows.bad_records import *


def told(desk, account):
    out = []
    sums = {"available": 0, "pending": 0, "on_hold": 0}
    for name in sorted(desk.store.tables.outbox):
        m = desk.store.tables.outbox[name]
        if name[0] == account:
            t = json.loads(m.value)
            out.append((t["version"], m.topic, t.get("decision"), t.get("change"), t.get("available")))
            if m.topic == "loyalty.balance-changed":
                for k in sums:
                    sums[k] += t["change"][k]
                ok = all(sums[k] == t[k] for k in sums)
                if not ok:
                    out.append("BAD SUM")
    return out


async def test_waiting_announced():
    for how in ("until", "rebuild", "fence"):
        desk = Desk()
        desk.pipeline.know(NOW - 20 * HOUR)
        await desk.take(gift("M", 10, "first", time=NOW - 9 * HOUR), order("A", "M", time=NOW - 8 * HOUR, points_used=100))
        d = await desk.dossier("M")
        print(how, d.row.head.waiting, d.decisions)
        await desk.store.announce(
            [
                (d.account_id, Decision("/shop", [f.id for f in d.facts if "order.placed" == f.type][0], "accepted", 100)),
            ]
        )
        print([(f.source, f.id) for f in d.facts])
        await desk.store.announce(
            [(d.account_id, Decision(f.source, f.id, "accepted", 100)) for f in d.facts if f.type == "order.placed"]
        )
        if how == "fence":
            await desk.pipeline.fence(d.account_id, "x")
        if how == "until":
            await desk.until(NOW)
        else:

            async def one():
                yield d.account_id

            print(await free(desk, one()))
        d = await desk.dossier("M")
        print(d.decisions, d.row.head.available, d.row.head.waiting)
        for x in told(desk, d.account_id):
            print("  ", x)
        s = await desk.statement("M")
        print([o.redemption for o in s.orders])
