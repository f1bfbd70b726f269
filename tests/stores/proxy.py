"""A line to Postgres that can be cut at a statement: before the server hears it, or after the server has answered."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit, urlunsplit

Cut = Literal["before", "after", "never"]
COMMIT = b"COMMIT\0"


class Proxy:
    """Passes bytes on between a store and Postgres. `cut` says what happens at the next statement with `at` in it, once."""

    def __init__(self, dsn: str) -> None:
        self._parts = urlsplit(dsn)
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.Task[None]] = set()
        self.cut: Cut = "never"
        self.at = COMMIT

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._server is not None
        self._server.close()
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    @property
    def dsn(self) -> str:
        """The address of the database through this line."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return urlunsplit(self._parts._replace(netloc=f"{self._parts.username}@127.0.0.1:{port}"))

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        server, to_server = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        back = asyncio.create_task(_pass_on(server, to_client))
        try:
            while data := await client.read(65536):
                cut = self.cut if self.at in data else "never"
                if cut == "before":
                    self.cut = "never"
                    break
                if cut == "after":
                    self.cut = "never"
                    back.cancel()
                    await asyncio.wait([back])
                    to_server.write(data)
                    await server.read(65536)  # the answer, which the client will never see
                    break
                to_server.write(data)
        finally:
            back.cancel()
            to_client.close()
            to_server.close()
            self._lines.discard(task)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()
