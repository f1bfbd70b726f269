"""What subscribers read: messages that keep the contract, one balance-changed for every version, and the trace of their cause."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from aiokafka import ConsumerRecord
from jsonschema import Draft202012Validator

from contracts.events import TOPICS_IN
from contracts.generate import ROOT
from tests.flows.comparison import sound
from tests.flows.shop import Sent, Shop
from tests.flows.system import Raw, System
from worker.cli.demo import day

CHANGED, TIER, DECIDED = "loyalty.balance-changed", "loyalty.tier-changed", "loyalty.redemption-decided"
MEMBERS = 40


@cache
def _schema(name: str) -> Draft202012Validator:
    schema = json.loads((ROOT / "events" / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def _trace(id_: str) -> str:
    """A trace of its own for each event."""
    return f"00-{int.from_bytes(id_.encode(), 'big') % 16**32:032x}-00000000000000ab-01"


def _traced(event: Sent) -> Raw:
    headers = [(f"ce_{name}", value) for name, value in (("traceparent", _trace(event.id).encode()),)]
    key = (event.order_id or event.member or "").encode()
    topic = next(topic for topic, types in TOPICS_IN.items() if event.type in types)
    return Raw(topic, event.value(), (*event.headers(), *headers), key)


async def test_all_that_is_published_keeps_the_contract_and_carries_the_trace_of_its_cause(system: System) -> None:
    await system.prepare()
    lines, _ = day.lines(datetime.now(UTC))
    system.send(Raw(each.topic, each.value, each.headers, each.key) for each in day.records(lines))
    events = Shop(31, datetime.now(UTC) - timedelta(days=300), 299).events(MEMBERS, 1500)
    # Far more than anybody has: what is refused is told too.
    dear = [replace(each, data={**each.data, "points_used": 10**6}) if n % 10 == 0 else each for n, each in enumerate(events)]
    events = [each if each.type == "order.placed" and each.member else old for each, old in zip(dear, events, strict=True)]
    system.send(map(_traced, events))
    system.start_worker("w1")
    await system.drained(60)
    books = await sound(system)
    records = await system.messages()
    _keeps_the_contract(records)
    _one_announcement_of_each_version(records)
    traces = {("/shop", event.id): _trace(event.id) for event in events}
    orders = {event.order_id: event.id for event in events if event.type == "order.placed"}
    carried = _carries_traces(records, traces, orders)
    for topic in (CHANGED, DECIDED):
        assert carried[topic] > 50
    verdicts = Counter(json.loads(each.value)["decision"] for each in records[DECIDED])
    assert verdicts == {"accepted": books.count("accepted"), "rejected": books.count("rejected")}
    assert min(verdicts.values()) > 10
    assert records[TIER]


def _attributes(record: ConsumerRecord) -> dict[str, str]:
    return {name.removeprefix("ce_"): value.decode() for name, value in record.headers if name.startswith("ce_")}


def _keeps_the_contract(records: dict[str, list[ConsumerRecord]]) -> None:
    ids: Counter[tuple[str, str]] = Counter()
    for topic, each in records.items():
        for record in each:
            data = json.loads(record.value)
            attributes = _attributes(record)
            headers = {name: value.decode() for name, value in record.headers}
            assert [error.message for error in _schema(topic).iter_errors(data)] == []
            assert [error.message for error in _schema("cloudevent-headers").iter_errors(headers)] == []
            assert record.key.decode() == f"{data['program']}:{data['member_id']}"
            ids[attributes["source"], attributes["id"]] += 1
    assert set(ids.values()) == {1}


def _one_announcement_of_each_version(records: dict[str, list[ConsumerRecord]]) -> None:
    announced: dict[bytes, list[int]] = defaultdict(list)
    for record in records[CHANGED]:
        announced[record.key].append(json.loads(record.value)["version"])
    for key, versions in announced.items():
        assert versions == list(range(1, len(versions) + 1)), key
    for topic, each in records.items():
        for record in each:
            assert json.loads(record.value)["version"] <= len(announced[record.key]), topic


def _carries_traces(
    records: dict[str, list[ConsumerRecord]], traces: dict[tuple[str, str], str], orders: dict[str | None, str]
) -> Counter[str]:
    """How many messages of each topic carry the trace of the event that caused them: a verdict, that of its order (`orders`: the
    event of each), whatever it waited for."""
    causes: dict[tuple[bytes, int], dict[str, Any]] = {}
    for record in records[CHANGED]:
        data = json.loads(record.value)
        causes[record.key, data["version"]] = data["cause"]
    carried: Counter[str] = Counter()
    for topic, each in records.items():
        for record in each:
            data = json.loads(record.value)
            cause = causes[record.key, data["version"]]
            wanted = traces.get((cause.get("source", ""), cause.get("id", "")))
            if topic == DECIDED and data.get("order_id") in orders:
                wanted = _trace(orders[data["order_id"]])
            assert _attributes(record).get("traceparent") == wanted, (topic, data)
            carried[topic] += wanted is not None
    return carried
