"""Probes answer whatever the rest of the worker does."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from contextlib import AsyncExitStack

import pytest

from worker import metrics
from worker.health import ProbeServer


async def get(port: int, path: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = (await asyncio.wait_for(reader.read(), 10)).decode()
    writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split()[1]), body


async def test_ready_says_why_not() -> None:
    problems: list[str] = []
    async with ProbeServer("127.0.0.1", 0, live={}, ready={"kafka": lambda: problems}) as probes:
        assert await get(probes.port, "/ready") == (200, '{"ready": true, "reasons": {}}')
        problems.append("no partition is assigned")
        status, body = await get(probes.port, "/ready")
        assert status == 503
        assert json.loads(body) == {"ready": False, "reasons": {"kafka": ["no partition is assigned"]}}
        assert (await get(probes.port, "/live"))[0] == 200


async def test_a_condition_that_fails_is_not_met() -> None:
    def broken() -> list[str]:
        raise RuntimeError("secret detail")

    async with ProbeServer("127.0.0.1", 0, live={"loop": broken}, ready={}) as probes:
        status, body = await get(probes.port, "/live")
        assert status == 503
        assert json.loads(body)["reasons"] == {"loop": ["could not be found out: RuntimeError"]}


async def test_metrics_are_prometheus_text() -> None:
    metrics.batches.inc()
    async with ProbeServer("127.0.0.1", 0, live={}, ready={}) as probes:
        status, body = await get(probes.port, "/metrics")
        assert status == 200
        assert "loyalty_batches_total " in body
        assert (await get(probes.port, "/nothing"))[0] == 404


async def test_a_port_that_is_taken_is_an_error_at_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        await ProbeServer("127.0.0.1", taken.getsockname()[1], live={}, ready={}).__aenter__()


async def test_signals_stay_the_apps() -> None:
    before = signal.getsignal(signal.SIGTERM)
    async with ProbeServer("127.0.0.1", 0, live={}, ready={}) as probes:
        await get(probes.port, "/live")
        assert signal.getsignal(signal.SIGTERM) is before


async def half_open(stack: AsyncExitStack, port: int, count: int, source: str) -> None:
    """Connections that begin to ask and never end."""
    for _ in range(count):
        _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
        stack.callback(writer.close)
        writer.write(b"GET /live HTTP/1.1\r\nHost:")


@pytest.mark.parametrize("sources", [["127.0.0.1"], [f"127.0.1.{number}" for number in range(1, 41)]], ids=["one peer", "many"])
async def test_connections_that_never_ask_do_not_make_it_look_dead(sources: list[str]) -> None:
    async with ProbeServer("127.0.0.1", 0, live={}, ready={}) as probes, AsyncExitStack() as stack:
        for source in sources:
            await half_open(stack, probes.port, max(110 // len(sources), 15), source)
        for _ in range(3):
            assert (await get(probes.port, "/live"))[0] == 200


async def test_a_connection_that_never_asks_is_closed() -> None:
    async with ProbeServer("127.0.0.1", 0, live={}, ready={}) as probes:
        reader, writer = await asyncio.open_connection("127.0.0.1", probes.port)
        writer.write(b"GET /live HTTP/1.1\r\nHost:")
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
