"""Ledgers of random commerce under the five programs, down to all that is kept of them, as digests.

`python -m tests.compiled.ledgers` prints them as JSON, with the way in which the fold ran.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from random import Random
from typing import Any

from contracts.events import Event
from tests.fold import variants
from tests.fold.examples import batches
from tests.fold.histories import History, history
from tests.fold.stored import Book, StoredAccounts
from worker.decide.change import AccountChange
from worker.decide.program import Program
from worker.decide.refold import Clock
from worker.programs.terms_file import shipped
from worker.runtime.build import the_fold_is

SEEDS = range(3_000, 3_003)
"""Every third is played under the program as it is shipped, the others under other choices of its mechanisms."""
MEMBERS = 2
ORDERS = 8


class Recorded(StoredAccounts):
    """Books that keep a digest of all changes that are written: heads, rows, steps with before-images, entries, messages."""

    def __init__(self, program: Program) -> None:
        super().__init__(program, narrow=True, checked=False)
        self.digest = blake2b(digest_size=8)

    def change(self, book: Book, facts: list[Event], clock: Clock) -> AccountChange | None:
        """As in any book, and noted."""
        change = super().change(book, facts, clock)
        self.digest.update(repr(change).encode())
        return change


def played(code: str, seed: int) -> tuple[History, str]:
    """A history that came in any order, and the digest of the ledgers that it made."""
    program = variants.as_shipped(code) if seed % 3 == 0 else variants.variant(code, seed)
    life, rng = history(program, seed, members=MEMBERS, orders=ORDERS), Random(seed)
    books = Recorded(program)
    for batch in batches(life.events, rng):
        books.deliver(batch)
    books.run_clock(life.end)
    return life, books.digest.hexdigest()


def all_ledgers() -> Mapping[str, Any]:
    """How the fold ran, how many events were folded, and a digest for every program and seed."""
    found = {f"{code} {seed}": played(code, seed) for code in sorted(shipped()) for seed in SEEDS}
    return {
        "fold": the_fold_is(),
        "events": sum(len(life.events) for life, _ in found.values()),
        "ledgers": {name: digest for name, (_, digest) in found.items()},
    }


if __name__ == "__main__":
    print(json.dumps(all_ledgers()))  # noqa: T201 - a command: this is its answer
