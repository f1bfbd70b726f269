"""What is sent is told nowhere: not in the log, not in the metrics, not in what is said about a dead letter."""

from __future__ import annotations

import asyncio
import json
import logging
from random import Random
from typing import Any
from unittest.mock import patch

import pytest

from contracts.events import DLQ_SUFFIX, TOPIC_OF
from tests.hostile.folding import batches, pipeline
from tests.hostile.lives import MEMBER, NOW, life, programs
from tests.hostile.records import CANARY, hostile
from tests.stores.memory import MemoryStore
from worker import metrics
from worker.cli.main import app
from worker.decide.fact_types import FACT_TYPES
from worker.decode import Record
from worker.log import configure, get_logger
from worker.persist.errors import RefusedError


def full_of_canaries(seed: int) -> list[Record]:
    """Records that are read and ones that are not, with canaries in ids, names, unknown fields, headers, keys and broken JSON."""
    told = []
    for record in life(programs()["belle-maison"], seed, 20):
        event = json.loads(record.value or b"")
        event["id"], event["source"], event["subject"] = f"{CANARY}{event['id']}"[:200], f"/{CANARY}", CANARY
        event["data"][CANARY] = {"note": CANARY}
        for name in ("member_id", "order_id", "reason"):
            if name in event["data"]:
                event["data"][name] = f"{CANARY}{event['data'][name]}"[:200]
        headers = (("content-type", b"application/cloudevents+json"), (CANARY, CANARY.encode()))
        value = json.dumps(event).encode()
        told.append(Record(record.topic, 0, record.offset, record.timestamp_ms, CANARY.encode(), value, headers))
    return told + [hostile(Random(1_000 * seed + number)) for number in range(100)]


def play(seed: int, store: MemoryStore | None = None) -> MemoryStore:
    """One batch of them through the pipeline of a worker that logs everything."""
    store = store or MemoryStore(clock=lambda: NOW)
    worker = pipeline(store, programs()["belle-maison"])
    worker.know(NOW)
    for batch in batches(full_of_canaries(seed), 40):
        asyncio.run(worker.process(batch))
    return store


def assert_nothing_told(capsys: pytest.CaptureFixture[str], *expected: str) -> None:
    captured = capsys.readouterr()
    logged = captured.err + captured.out
    for words in expected:
        assert words in logged
    assert CANARY not in logged
    assert MEMBER not in logged
    assert CANARY not in metrics.render().decode()


@pytest.mark.parametrize("seed", range(5))
def test_neither_logs_nor_metrics_nor_dead_letters_tell_what_was_sent(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    configure("debug", "json")
    store = play(seed)
    assert store.tables.accounts
    assert len(store.tables.dead_letters) > 20
    for letter in store.tables.dead_letters.values():
        assert CANARY not in letter.detail
    sent = {(name, value) for letter in store.tables.dead_letters.values() for name, value in letter.record.headers}
    while asyncio.run(store.hand_over_dead_letters(100)):
        pass
    dead = [row for row in store.tables.outbox.values() if row.topic.endswith(DLQ_SUFFIX)]
    assert dead
    for row in dead:
        for name, value in row.headers:
            assert (name, value) in sent or CANARY not in f"{name}{value!r}"
    assert_nothing_told(capsys)


def test_a_fold_that_fails_is_told_by_its_kind_and_place(capsys: pytest.CaptureFixture[str]) -> None:
    configure("debug", "json")

    def fail(account: Any, data: Any) -> None:
        raise KeyError(f"{data.member_id} of {CANARY}")

    with patch.dict(FACT_TYPES, {model: each._replace(handle=fail) for model, each in FACT_TYPES.items()}):
        store = play(1)
    fenced = [account.row.fenced for account in store.tables.accounts.values() if account.row.fenced]
    assert fenced
    assert not any(CANARY in why for why in fenced)
    assert_nothing_told(capsys, "account_fenced", "KeyError")


def test_what_the_database_refuses_is_told_by_its_kind(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure("debug", "json")
    store = MemoryStore(clock=lambda: NOW)
    worker = pipeline(store, programs()["belle-maison"])
    attempt = worker._delivery.route

    async def refuse(batch: Any, inbox: Any) -> Any:
        tasks = await attempt(batch, inbox)
        if inbox.records:
            raise RefusedError(f"Key (id)=({CANARY}) already exists") from ValueError(CANARY)
        return tasks

    monkeypatch.setattr(worker._delivery, "route", refuse)
    # Of the events that come first, those that a topic brings.
    sent = [record for record in full_of_canaries(2)[:10] if json.loads(record.value or b"")["type"] in TOPIC_OF]
    (batch,) = batches(sent[:5], 10)
    asyncio.run(worker.process(batch))
    assert {letter.reason for letter in store.tables.dead_letters.values()} == {"refused"}
    assert not any(CANARY in letter.detail for letter in store.tables.dead_letters.values())
    assert_nothing_told(capsys, "batch_refused", "ValueError")


@pytest.mark.parametrize("form", ["json", "console"])
def test_exceptions_are_logged_without_their_words_and_locals(form: Any, capsys: pytest.CaptureFixture[str]) -> None:
    configure("debug", form)
    member_of_this_frame = CANARY
    try:
        try:
            raise ValueError(f"{member_of_this_frame} owes 5")
        except ValueError as error:
            raise RuntimeError(CANARY) from error
    except RuntimeError:
        get_logger("worker.x").exception("failed")
        logging.getLogger("aiokafka").exception("failed too")
    assert_nothing_told(capsys, "RuntimeError", "caused by ValueError", "test_canaries.py")


def test_a_task_that_nobody_waited_for_is_told_of_without_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    configure("debug", "json")

    async def fail() -> None:
        raise KeyError(CANARY)

    async def forget() -> None:
        task = asyncio.create_task(fail())
        await asyncio.wait([task])
        del task

    asyncio.run(forget())
    assert_nothing_told(capsys, "Task exception was never retrieved", "KeyError")


def test_a_defect_of_a_command_tells_no_words(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr("typer.core.TyperGroup.invoke", fail)
    with pytest.raises(SystemExit):
        app(["program", "rules", "puppy"])
    assert_nothing_told(capsys, "ZeroDivisionError", "a defect of ours")
