"""Events per second and core that decoding reaches: `python -m tests.contracts.bench_decode`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from timeit import repeat

from tests.contracts.records import ATTRIBUTES, ORDER, binary, event, headers_of, record, structured
from worker.decode import Record

CASES: dict[str, Record] = {
    "order of 3 lines, binary mode": binary(),
    "order of 3 lines, structured mode": structured(),
    "the same with escaped Japanese": binary({**ORDER, "note": "配送メモ"}),
    "shipment, binary mode": record(
        b'{"order_id":"O-1","lines":"all"}', headers_of({**ATTRIBUTES, "type": "shipment.dispatched"})
    ),
}


def per_second(run: Callable[[], object], rounds: int = 10_000) -> float:
    return rounds / min(repeat(run, number=rounds, repeat=5))


def report() -> str:
    lines = []
    for name, sent in CASES.items():
        speed = per_second(partial(event, sent))
        lines.append(f"{name:36} {len(sent.value or b''):5} bytes {speed:10,.0f} events/s")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(report())
