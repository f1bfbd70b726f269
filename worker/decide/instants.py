"""Instants at which the clock does something."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from worker.decide.state import Item, Lot, Moment

TICK: Final = timedelta(microseconds=1)


def next_after(last: Moment, due: datetime) -> datetime:
    """When the clock does what is due: what became due in the past (terms that changed, a date worked out late) comes right after
    the last moment, so that steps stay in business order and no two have the same moment."""
    return due if due > last.at else last.at + TICK


def due_of(row: Lot | Item) -> datetime | None:
    """The next instant at which the clock changes a row."""
    if not isinstance(row, Lot):
        return row.due_at
    due = row.matures_at if row.pending else None
    if row.available:
        for at in (row.lapses_at, row.notice_at):
            if at is not None and (due is None or at < due):
                due = at
    return due
