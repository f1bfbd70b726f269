"""What a worker says of itself on its probe port."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

ANSWER_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Probes:
    """The probe port of a worker of this machine."""

    port: int

    async def get(self, path: str) -> tuple[int, str]:
        """Status and body; status 0 while nobody listens."""
        return await asyncio.to_thread(self._get, path)

    def _get(self, path: str) -> tuple[int, str]:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=ANSWER_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()
        except (URLError, ConnectionError, TimeoutError):
            return 0, ""

    async def ready(self) -> bool:
        """Whether it says that it is ready."""
        return (await self.get("/ready"))[0] == 200

    async def reasons(self) -> dict[str, list[str]]:
        """Why it is not ready, by condition; empty when it is or does not answer."""
        _, body = await self.get("/ready")
        reasons: dict[str, list[str]] = json.loads(body)["reasons"] if body else {}
        return reasons

    async def metric(self, name: str, **labels: str) -> float:
        """The value of a metric; 0 while it was never counted."""
        wanted = ",".join(f'{label}="{value}"' for label, value in labels.items())
        start = f"{name}{{{wanted}}} " if labels else f"{name} "
        _, body = await self.get("/metrics")
        return next((float(line.split()[-1]) for line in body.splitlines() if line.startswith(start)), 0.0)
