"""A line to Postgres that can be cut at a statement: before the server hears it, or after the server has answered."""

from __future__ import annotations

import asyncio
from typing import Literal

from tests.parts.wire import Wire

Cut = Literal["before", "after", "never"]
COMMIT = b"COMMIT\0"


class Proxy(Wire):
    """Passes bytes on between a store and Postgres. `cut` says what happens at the next statement with `at` in it, once."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.cut: Cut = "never"
        self.at = COMMIT

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
