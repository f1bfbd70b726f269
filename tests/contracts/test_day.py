"""The day of a shop's life that the demo plays holds what it is there to show."""

from __future__ import annotations

import json
from collections import Counter

from contracts.events import Event, OrderPlaced
from contracts.events.orders import OrderCancelled, ReturnReceived, ShipmentDispatched
from contracts.generate import ROOT
from tests.contracts.records import EVENING, read, record
from worker.decode import Broken

LINES = (ROOT / "examples" / "day.ndjson").read_bytes().splitlines()


def events() -> list[Event]:
    outcomes = [read(record(line), now=EVENING) for line in LINES]
    assert [outcome for outcome in outcomes if not isinstance(outcome, Event)] == []
    return [outcome for outcome in outcomes if isinstance(outcome, Event)]


def test_two_programs_and_a_dozen_members() -> None:
    day = events()
    assert {event.program for event in day} == {"lenovo-pro", "belle-maison", None}
    assert len({event.member_id for event in day} - {None}) == 12


def test_one_line_is_there_twice_and_all_others_once() -> None:
    assert sorted(Counter(LINES).values())[-2:] == [1, 2]
    assert sum(count - 1 for count in Counter((event.source, event.id) for event in events()).values()) == 1


def test_one_shipment_comes_before_its_order() -> None:
    placed: set[str] = set()
    early = []
    for event in events():
        if isinstance(event.data, OrderPlaced):
            placed.add(event.data.order_id)
        elif event.order_id is not None and event.order_id not in placed:
            early.append((event.type, event.order_id))
    assert early == [("shipment.dispatched", "L-9009")]
    assert "L-9009" in placed


def test_a_guest_a_cancel_partial_returns_and_parcels_are_there() -> None:
    data = [event.data for event in events()]
    guests = {one.order_id for one in data if isinstance(one, OrderPlaced) and one.member_id is None}
    assert {one.order_id for one in data if isinstance(one, ShipmentDispatched)} & guests
    assert any(isinstance(one, OrderCancelled) and one.lines == "all" for one in data)
    assert any(isinstance(one, OrderCancelled) and one.lines != "all" for one in data)
    assert sum(isinstance(one, ReturnReceived) and one.lines != "all" for one in data) >= 3
    assert {"exchange.requested", "exchange.received", "exchange.shipped"} <= {event.type for event in events()}


def test_points_are_used_and_once_more_than_there_are() -> None:
    used = {event.order_id: event.data.points_used for event in events() if isinstance(event.data, OrderPlaced)}
    assert used["L-9001"] == 1000
    assert used["L-9006"] == 2000  # what was given to that member lapsed before
    grants = [json.loads(line)["data"] for line in LINES if b'"points.adjusted"' in line]
    assert [grant["expires_on"] for grant in grants if grant["member_id"] == "LP-105"] == ["2026-10-31"]


def test_the_broken_record_is_broken_for_a_reason_to_show() -> None:
    outcome = read(record((ROOT / "examples" / "broken-record.bin").read_bytes()), now=EVENING)
    assert isinstance(outcome, Broken)
    assert outcome.reason == "float_money"
    assert outcome.detail == "data.lines.0.unit_price: should be an integer in the minor unit, is a float"
