"""Which seeds the processes of a soak play."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from tests.soak import results
from tests.soak.simulating import free, played, simulating

SECONDS = 1.0


def test_seeds_that_nobody_played_are_dealt_gaps_first() -> None:
    assert list(islice(free([]), 3)) == [(0, 100), (100, 100), (200, 100)]
    assert list(islice(free([(0, 100), (100, 39), (400, 100)]), 5)) == [
        (139, 61), (200, 100), (300, 100), (500, 100), (600, 100)
    ]  # fmt: skip
    assert next(free([(0, 250), (100, 100), (300, 30)])) == (250, 50)


def test_no_seed_is_played_twice_by_several_processes_nor_by_the_next_run(tmp_path: Path) -> None:
    file = tmp_path / "soak.ndjson"
    kept = {seed for first, count in played(results.read(results.KEPT)) for seed in range(first, first + count)}
    for processes in (2, 1):
        with simulating(SECONDS, file, processes):
            pass
    blocks = played(results.read(file))
    seeds = [seed for first, count in blocks for seed in range(first, first + count)]
    assert len(blocks) >= 2
    assert len(seeds) == len(set(seeds)) > 0
    assert not kept & set(seeds)
