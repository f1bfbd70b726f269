"""Why a fold cannot go on: rows or history that are not there, or a rule of its own that it broke."""

from __future__ import annotations

from collections.abc import Iterable

from worker.decide.change import Needs
from worker.decide.state import ItemKey, Moment


class NotLoaded(Exception):
    """The fold needs rows that were not loaded: load these as well and fold again."""

    def __init__(self, *, all_open: bool = False, items: Iterable[ItemKey] = (), origins: Iterable[str] = ()) -> None:
        self.needs = Needs(frozenset(items), frozenset(origins), all_open)
        super().__init__(f"not loaded: {self.needs}")


class Late(Exception):
    """A fact belongs before what was folded already: the history from this moment on is needed."""

    def __init__(self, since: Moment) -> None:
        super().__init__(f"history needed from {since}")
        self.since = since


class Defect(Exception):
    """The fold broke one of its own rules: our fault, never the record's. The account is fenced."""
