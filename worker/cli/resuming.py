"""How far a command has gone through the accounts, kept in a file so that it can be stopped and gone on with."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from uuid import UUID

from contracts.counting import counted
from worker.cli.failures import Exit, Failure
from worker.cli.output import tell

NIL: Final = UUID(int=0)


class Cursor:
    """The last account that is done, how many were, and what was found. Without a file: only in memory; the file goes at the end.

    `command`: whose file it is. `asked`: the arguments that a run which goes on has to have, by their names.
    """

    def __init__(self, file: Path | None, command: str, asked: Mapping[str, object]) -> None:
        self._file = file
        self._asked = {name: value if value is None else str(value) for name, value in asked.items()}
        self.after, self.accounts, self.found = NIL, 0, 0
        if file is None or not file.exists():
            return
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            self.after, self.accounts, self.found = UUID(kept["after"]), int(kept["accounts"]), int(kept["found"])
            begun = {name: kept[name] for name in self._asked}
        except (ValueError, KeyError, TypeError):
            raise Failure(Exit.USAGE, f"{file}: is no file of `{command} --resume`; remove it to begin anew") from None
        for name, value in begun.items():
            if value != self._asked[name]:
                raise Failure(Exit.USAGE, f"{file}: was begun with --{name} {value or 'left out'}: go on so, or remove it")
        tell(f"loyalty: going on after {counted(self.accounts, 'account')}")

    def move(self, after: UUID, accounts: int, found: int) -> None:
        """All accounts up to this one are done, so many more of them, and so much more was found."""
        self.after, self.accounts, self.found = after, self.accounts + accounts, self.found + found
        if self._file is not None:
            kept = {"after": str(after), "accounts": self.accounts, "found": self.found, **self._asked}
            # Beside it first: whoever is killed while writing leaves the last good one.
            beside = self._file.with_name(self._file.name + ".new")
            beside.write_text(json.dumps(kept), encoding="utf-8")
            os.replace(beside, self._file)  # noqa: PTH105 - the same, and said to be atomic

    def end(self) -> None:
        """All are done."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)
