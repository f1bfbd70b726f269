"""A small HTTP server for probes: `/live`, `/ready` and `/metrics`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from worker import metrics
from worker.log import get_logger

log = get_logger(__name__)

Condition = Callable[[], Iterable[str]]
"""Says why not, in words for an operator; nothing when all is well. Must be quick: it only looks at what is known."""

JSON_TYPE: Final = b"application/json"
METRICS_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
STOP_SECONDS: Final = 2.0
BACKLOG_CONNECTIONS: Final = 64
CONNECTION_SECONDS: Final = 5.0
"""How long a connection lasts at most, from being taken to the end of its one answer."""
CONNECTIONS_OF_PEER_MAX: Final = 16
CONNECTIONS_MAX: Final = 256
"""Beyond either, the oldest gives way, never the one that comes: so who opens connections and asks nothing starves no probe."""

Send = Callable[[dict[str, Any]], Awaitable[None]]


class ProbeServer:
    """Serves probes until it is left: `async with ProbeServer(…)`.

    `live` and `ready` are conditions by name. A condition that raises counts as not met.
    """

    def __init__(self, host: str, port: int, live: Mapping[str, Condition], ready: Mapping[str, Condition]) -> None:
        self._host = host
        self._wanted_port = port
        self._live = live
        self._ready = ready
        self._socket: socket.socket | None = None
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._socket is not None, "it was started"
        port: int = self._socket.getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        """Start. Raises OSError if the port is taken."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._socket = socket.create_server((self._host, self._wanted_port), family=family, backlog=BACKLOG_CONNECTIONS)
        config = uvicorn.Config(
            self._answer,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            http=_Guarded,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        log.info("probes", host=self._host, port=self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await asyncio.wait([self._task], timeout=STOP_SECONDS)
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._socket is not None:
            self._socket.close()

    async def _answer(self, scope: dict[str, Any], _: object, send: Send) -> None:
        if scope["type"] != "http":
            return
        match scope["path"]:
            case "/live":
                await self._tell(send, "live", self._live)
            case "/ready":
                await self._tell(send, "ready", self._ready)
            case "/metrics":
                await _respond(send, 200, METRICS_TYPE, metrics.render())
            case _:
                await _respond(send, 404, JSON_TYPE, b'{"paths":["/live","/ready","/metrics"]}')

    async def _tell(self, send: Send, word: str, conditions: Mapping[str, Condition]) -> None:
        reasons = {name: why for name, condition in conditions.items() if (why := _reasons(condition))}
        body = json.dumps({word: not reasons, "reasons": reasons}, ensure_ascii=False).encode()
        await _respond(send, 503 if reasons else 200, JSON_TYPE, body)


class _Guarded(H11Protocol):
    """A connection that lasts for one answer and a few seconds at most, and gives way to newer ones."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self.began = self.loop.time()
        self._end = self.loop.call_later(CONNECTION_SECONDS, transport.abort)
        others = [each for each in self.connections if isinstance(each, _Guarded) and each is not self]
        of_peer = [each for each in others if each.peer == self.peer]
        for crowd, most in ((of_peer, CONNECTIONS_OF_PEER_MAX), (others, CONNECTIONS_MAX)):
            if len(crowd) >= most:
                min(crowd, key=lambda each: each.began).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        super().connection_lost(exc)

    @property
    def peer(self) -> str:
        """The address at the other end."""
        return self.client[0] if self.client else ""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Signals are the app's."""
        yield


def _reasons(condition: Condition) -> list[str]:
    try:
        return list(condition())
    except Exception as error:  # noqa: BLE001  # a probe has to answer
        return [f"could not be found out: {type(error).__name__}"]


async def _respond(send: Send, status: int, content_type: bytes, body: bytes) -> None:
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
