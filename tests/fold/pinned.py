"""What a change of the fold's code may not move silently: ledgers of random histories, as members and subscribers see them.

Kept as digests in `pinned.json`. Where numbers are meant to change, `python -m tests.fold.pinned` writes the file anew, and the
change of the file says so to whoever reads the commit. `python -m tests.fold.pinned belle-maison 7` prints one ledger, to be
compared with what the code before printed.
"""

from __future__ import annotations

import json
import sys
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

from tests.fold import variants
from tests.fold.examples import batches
from tests.fold.histories import history
from tests.fold.stored import Book, StoredAccounts
from worker.decide.account import Account
from worker.decide.program import Program
from worker.decide.statement import statement
from worker.programs.terms_file import shipped
from worker.reading.statements import as_json

FILE = Path(__file__).with_name("pinned.json")
SEEDS = range(24)
VARIATIONS = 12
"""Other choices of each program's mechanisms; few, for a program takes long to read."""
SAID_SINCE = frozenset({"tier_until", "next_tier", "keeps_tier", "pending_lots"})
"""What statements say besides since the ledgers were pinned."""
FIRST_SEED = 7_000
"""Far from those that other tests begin with."""


def ledger(code: str, seed: int) -> list[Any]:
    """What was published of a history that came in any order, and the statements in the middle and at the end."""
    seed += FIRST_SEED
    program = variants.as_shipped(code) if seed % 4 == 0 else variants.variant(code, seed % VARIATIONS, more=False)
    life, rng = history(program, seed, members=1, orders=6, later=False), Random(seed)
    books = StoredAccounts(program, checked=False)
    found: list[Any] = []
    for number, batch in enumerate(batches(life.events, rng, most=4) if seed % 2 else ((event,) for event in life.events)):
        books.deliver(batch)
        if number == len(life.events) // 3:
            found += [_statement(program, book) for _, book in sorted(books.books.items())]
    books.run_clock(life.end)
    for _, book in sorted(books.books.items()):
        found += [[message.topic, json.loads(message.data)] for message in book.messages]
        found.append(_statement(program, book))
    return found


def _statement(program: Program, book: Book) -> Any:
    assert book.row is not None
    account = Account(program, book.row.head, dict(book.lots), dict(book.items), complete=True)
    last = book.row.head.last
    assert last is not None
    says = as_json(statement(account, book.member_id, book.row.version, last.at, "now"))
    return {name: value for name, value in says.items() if name not in SAID_SINCE}


def digest(code: str, seed: int) -> str:
    """A ledger in twelve characters."""
    return blake2b(json.dumps(ledger(code, seed), sort_keys=True).encode(), digest_size=6).hexdigest()


def pinned() -> dict[str, list[str]]:
    """The digests as they are kept: by program, one for each seed."""
    kept: dict[str, list[str]] = json.loads(FILE.read_text())
    return kept


def main() -> None:
    """Write the file anew, or print one ledger."""
    if len(sys.argv) > 1:
        for each in ledger(sys.argv[1], int(sys.argv[2])):
            print(json.dumps(each, sort_keys=True, ensure_ascii=False))  # noqa: T201 - a command: this is its answer
        return
    FILE.write_text(json.dumps({code: [digest(code, seed) for seed in SEEDS] for code in sorted(shipped())}, indent=1) + "\n")


if __name__ == "__main__":
    main()
