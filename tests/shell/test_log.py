"""What is logged holds nothing of persons and no payloads."""

from __future__ import annotations

import json
import logging

import pytest

from worker.log import TEXT_CHARACTERS_MAX, configure, get_logger


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_events_are_json_on_stderr_without_personal_keys_and_payloads(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    get_logger("worker.x").info("batch", count=3, member_id="M1", value=b"secret", raw=b"12345", text="x" * 9_999)
    (event,) = lines(capsys)
    assert event.pop("timestamp")
    assert len(str(event.pop("text"))) == TEXT_CHARACTERS_MAX + 1
    assert event == {"event": "batch", "count": 3, "raw": "<5 bytes>", "logger": "worker.x", "level": "info"}


def test_libraries_go_the_same_way_and_are_held_back(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    logging.getLogger("aiokafka.consumer.fetcher").info("heartbeat")
    logging.getLogger("aiokafka.consumer.fetcher").warning("broker %s is away", 1)
    logging.getLogger("faststream.kafka").info("Received")
    (event,) = lines(capsys)
    assert (event["event"], event["level"], event["logger"]) == ("broker 1 is away", "warning", "aiokafka.consumer.fetcher")


def test_the_level_holds_back_what_is_below(capsys: pytest.CaptureFixture[str]) -> None:
    configure("warning", "json")
    get_logger("worker.x").info("quiet")
    get_logger("worker.x").warning("loud")
    assert [event["event"] for event in lines(capsys)] == ["loud"]


def test_exceptions_are_told_with_where_they_came_from(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    try:
        raise KeyError("k")
    except KeyError:
        get_logger("worker.x").exception("failed")
    (event,) = lines(capsys)
    assert "test_log.py" in str(event["exception"])


def test_a_person_gets_lines_to_read(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "console")
    get_logger("worker.x").info("batch", count=3)
    assert "batch" in capsys.readouterr().err
