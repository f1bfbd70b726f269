"""Somebody who placed a contested order is forgotten: the ledger is the same before and after, and nothing of theirs is left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.erasure.conftest import DAY, PERSON, PROGRAM, T0, Ledger, erasure, life, sent
from tests.erasure.scan import places_of
from tests.flows.shop import Sent
from tests.flows.system import ACCOUNT_KEY
from worker.persist import account_id
from worker.reading import statements

OTHER = "somebody-else"
END = T0 + 40 * DAY
JOINED = [
    replace(sent("member.registered", 0, member_id=OTHER), id="other-registered", member=OTHER),
    replace(sent("member.enrolled", 0.1, member_id=OTHER), id="other-enrolled", member=OTHER),
]


def theirs() -> Sent:
    """The order C1 of the person, told as another member's."""
    (order,) = [event for event in life() if event.type == "order.placed" and event.data["order_id"] == "C1"]
    data = {name: value for name, value in order.data.items() if name not in ("points_used", "nickname")}
    return replace(order, id="told-of-other", data={**data, "member_id": OTHER}, time=order.time + DAY, member=OTHER)


def claim(member: str) -> Sent:
    return replace(sent("order.claimed", 30, order_id="C1", member_id=member), id=f"claim-{member}")


async def forget(ledger: Ledger) -> None:
    await ledger.deliver([erasure()])
    await ledger.clock(END)
    await ledger.publish()
    assert await ledger.erase() == 1


async def standing(ledger: Ledger) -> dict[str, Any]:
    """The statements of the nameless account and of the other member, but for names; the ledger is verified."""
    await ledger.clock(END)
    assert await ledger.findings() == []
    found = {}
    for account in ((await ledger.nameless())["account_id"], account_id(ACCOUNT_KEY.encode(), PROGRAM, OTHER)):
        says = statements.read(await ledger.dossier(account), ledger.catalogue.program(PROGRAM), END + DAY)
        found["other" if says.member_id == OTHER else "nameless"] = says.model_dump_json(exclude={"version", "member_id"})
    return found


@pytest.mark.parametrize("claimed", [None, OTHER])
async def test_a_contested_order_is_one_ledger_whenever_one_of_its_members_is_forgotten(
    claimed: str | None, ledger: Ledger
) -> None:
    decides = [claim(claimed)] if claimed is not None else []
    await ledger.deliver([*JOINED, *life()])
    await ledger.deliver([theirs(), *decides])
    await forget(ledger)
    after = await standing(ledger)
    assert await places_of(ledger.sql, PERSON) == {}
    again = replace(sent("shipment.dispatched", 35, order_id="C1", lines="all", shipment_id="S2"), id="again")
    assert (await ledger.deliver([again]))["applied"] == 2
    assert await ledger.findings() == []
    code = "order_contested" if claimed is None else None
    assert all((code or "order_of_another") in text for name, text in after.items() if name == "nameless")
    assert ("order_contested" in after["other"]) == (claimed is None)


async def test_an_order_is_contested_after_its_member_was_forgotten_too(ledger: Ledger) -> None:
    await ledger.deliver([*JOINED, *life()])
    await forget(ledger)
    await ledger.deliver([theirs()])
    after = await standing(ledger)
    assert all("order_contested" in text for text in after.values())
    await ledger.deliver([claim(OTHER)])
    after = await standing(ledger)
    assert "order_of_another" in after["nameless"]
    assert "order_contested" not in after["other"]
    assert '"order_id":"C1"' in after["other"]
    assert await places_of(ledger.sql, PERSON) == {}
