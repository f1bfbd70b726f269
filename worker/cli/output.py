"""Answers on stdout as a table, one JSON document, or one JSON object a line; everything else goes to stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contracts.counting import counted

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_COLUMNS = 200
"""Width of a table where no terminal says how wide it is."""
PACE_SECONDS = 10.0


class Format(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"


Output = Annotated[Format, typer.Option("--output", "-o", help="How to print the answer.")]


def to_json(value: Any) -> str:
    """One JSON text on one line; text as it is, not escaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def show_json(value: Any) -> None:
    """One JSON document, indented for people."""
    print(json.dumps(value, ensure_ascii=False, indent=2))  # noqa: T201 - the answer


def show_lines(values: Iterable[Any]) -> None:
    """One JSON object a line."""
    for value in values:
        print(to_json(value))  # noqa: T201 - the answer


def show(values: Sequence[dict[str, Any]], format_: Format, title: str, columns: Sequence[str]) -> None:
    """Rows as a table of these columns, or whole as JSON."""
    match format_:
        case Format.JSON:
            show_json(list(values))
        case Format.NDJSON:
            show_lines(values)
        case Format.TABLE:
            show_table(title, columns, ([value.get(column) for column in columns] for value in values))


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table; numbers stand to the right, what is not there stays empty."""
    from rich import box
    from rich.table import Table

    cells = [list(row) for row in rows]
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, show_header=any(columns))
    for place, column in enumerate(columns):
        numbers = any(isinstance(row[place], int) and not isinstance(row[place], bool) for row in cells)
        table.add_column(column.replace("_", " "), justify="right" if numbers else "left", overflow="fold")
    for row in cells:
        table.add_row(*(_text(cell) for cell in row))
    console().print(table)


def _text(cell: Any) -> str:
    from rich.markup import escape

    match cell:
        case None:
            return ""
        case bool():
            return "yes" if cell else "no"
        case int():
            return f"{cell:,}"
        case list() | tuple() | dict():
            return escape(to_json(cell)) if cell else ""
        case _:
            return escape(str(cell))


def console() -> Console:
    """Where answers for people go."""
    from rich.console import Console

    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=PLAIN_COLUMNS)


def tell(line: str) -> None:
    """A line beside the answer: what is wrong, or how far it is."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - not the answer


class Progress:
    """A count on stderr that is rewritten in place, where a person watches; silent elsewhere."""

    def __init__(self, what: str, every: int = 1_000) -> None:
        self._what = what
        self._every = every
        self._shown = False
        self._watched = sys.stderr.isatty()

    def at(self, count: int) -> None:
        """Say how far it is."""
        if self._watched and count % self._every == 0:
            sys.stderr.write(f"\r{count:,} {self._what}")
            sys.stderr.flush()
            self._shown = True

    def end(self) -> None:
        """Clear the line."""
        if self._shown:
            sys.stderr.write("\r\033[K")


class Pace:
    """How far long work is, a line on stderr every few seconds where nobody watches and rewritten in place where somebody does:
    done of all (0: not known), per second, and how long the rest will take.
    """

    def __init__(
        self, one: str, many: str | None = None, *, of: int = 0, done: int = 0, every_seconds: float = PACE_SECONDS
    ) -> None:
        """`one`, `many`: what is counted. `done`: what an earlier run did, which says nothing about the pace of this one."""
        self._one, self._many = one, many
        self._of = of
        self._before = self._done = done
        self._every = every_seconds if not sys.stderr.isatty() else 1.0
        self._began = self._told = time.monotonic()
        self._watched = sys.stderr.isatty()

    def add(self, count: int) -> None:
        """So many more are done; says so now and then."""
        self.count(count)
        if time.monotonic() - self._told >= self._every:
            self._told = time.monotonic()
            self._say(self._line())

    def expect(self, of: int) -> None:
        """So many there will have been in all, as far as is known by now."""
        self._of = of

    def count(self, count: int) -> None:
        """So many more are done."""
        self._done += count

    def end(self) -> None:
        """Clear the line, where it was rewritten."""
        if self._watched and self._told != self._began:
            sys.stderr.write("\r\033[K")

    @property
    def per_second(self) -> float:
        """The pace of this run so far."""
        return (self._done - self._before) / max(time.monotonic() - self._began, 1e-9)

    def _line(self) -> str:
        pace = self.per_second
        all_ = counted(self._of or self._done, self._one, self._many)
        line = f"{self._done:,} of {all_}, {pace:,.0f}/s" if self._of else f"{all_}, {pace:,.0f}/s"
        left = self._of - self._done
        return f"{line}, {left / pace:,.0f} s left" if left > 0 and pace > 0 else line

    def _say(self, line: str) -> None:
        if self._watched:
            sys.stderr.write(f"\r\033[K{line}")
            sys.stderr.flush()
        else:
            tell(line)
