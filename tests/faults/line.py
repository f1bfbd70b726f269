"""A line between workers and Postgres that breaks at COMMIT: before the server hears it, after it has answered, or in between."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random
from typing import Final, Literal

from tests.parts.wire import Wire

Break = Literal["before", "answer", "overtaken"]
"""How a line breaks at a COMMIT. `before`: the server never hears it. `answer`: the server commits, and its answer is lost.
`overtaken`: the client is cut off first, and looks for the outcome while the COMMIT is still on its way to the server."""

BREAKS: Final[tuple[Break, ...]] = ("before", "answer", "answer", "overtaken")
_COMMIT: Final = b"COMMIT\0"
_SSL_REQUEST: Final = 80877103
_GSS_REQUEST: Final = 80877104
_LENGTH_BYTES: Final = 4
_TYPE_BYTES: Final = 1
_CHUNK_BYTES: Final = 65_536
_LATE_SECONDS_MAX: Final = 0.6
_ANSWER_SECONDS_MAX: Final = 30.0


class Line(Wire):
    """Passes messages on between workers and a server.

    `share`: of how many COMMITs (0 to 1) the line breaks; may be changed at any time. `counts`: COMMITs that passed, by what
    became of them: "commits" in all; "answers_lost": the server committed, and the client did not hear of it; "cut_before".
    """

    def __init__(self, dsn: str, rng: Random, share: float = 0.0) -> None:
        super().__init__(dsn)
        self._rng = rng
        self.share = share
        self.counts: Counter[str] = Counter()

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        try:
            server, to_server = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        except OSError:
            to_client.close()
            self._lines.discard(task)
            return
        back = asyncio.create_task(_pass_on(server, to_client))
        try:
            await self._forward(client, server, to_client, to_server, back)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # either side went away
        finally:
            back.cancel()
            to_client.transport.abort()
            to_server.close()
            self._lines.discard(task)

    async def _forward(
        self,
        client: asyncio.StreamReader,
        server: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        to_server: asyncio.StreamWriter,
        back: asyncio.Task[None],
    ) -> None:
        """Pass on what the client says, message by message, until it leaves or the line breaks."""
        while True:  # until the start-up message the messages have no type
            head = await client.readexactly(2 * _LENGTH_BYTES)
            length, code = int.from_bytes(head[:_LENGTH_BYTES]), int.from_bytes(head[_LENGTH_BYTES:])
            to_server.write(head + await client.readexactly(length - 2 * _LENGTH_BYTES))
            if code not in (_SSL_REQUEST, _GSS_REQUEST):
                break
        while True:
            head = await client.readexactly(_TYPE_BYTES + _LENGTH_BYTES)
            left = int.from_bytes(head[_TYPE_BYTES:]) - _LENGTH_BYTES
            if head[:_TYPE_BYTES] != b"Q" or left != len(_COMMIT):
                await _pass_exactly(client, to_server, head, left)
                continue
            statement = await client.readexactly(left)
            if statement == _COMMIT:
                self.counts["commits"] += 1
                if self._rng.random() < self.share:
                    await self._break(self._rng.choice(BREAKS), head + statement, server, to_client, to_server, back)
                    return
            to_server.write(head + statement)

    async def _break(
        self,
        how: Break,
        commit: bytes,
        server: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        to_server: asyncio.StreamWriter,
        back: asyncio.Task[None],
    ) -> None:
        back.cancel()
        await asyncio.wait([back])
        if how == "before":
            self.counts["cut_before"] += 1
            return
        if how == "overtaken":
            to_client.transport.abort()
            await asyncio.sleep(self._rng.random() * _LATE_SECONDS_MAX)
        to_server.write(commit)
        async with asyncio.timeout(_ANSWER_SECONDS_MAX):
            answer = await server.read(_CHUNK_BYTES)
        if _COMMIT in answer:  # else it was rolled back, or the server is gone
            self.counts["answers_lost"] += 1


async def _pass_exactly(client: asyncio.StreamReader, to_server: asyncio.StreamWriter, head: bytes, left: int) -> None:
    to_server.write(head)
    while left:
        data = await client.read(min(left, _CHUNK_BYTES))
        if not data:
            raise asyncio.IncompleteReadError(b"", left)
        to_server.write(data)
        left -= len(data)
    await to_server.drain()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
    except OSError:
        pass  # either side went away
    writer.close()
