"""Logging: JSON lines on stderr (in colours where a person watches), with an allow-nothing-personal rule.

What a worker logs are counts, names of topics, offsets, reasons and ids of its own. Keys that could hold personal data or
payloads are dropped wherever they come from, exceptions are told by kind and place, long texts are cut, and what libraries
log goes the same way.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb
from typing import Any, Literal

import structlog

Level = Literal["debug", "info", "warning", "error"]
Form = Literal["auto", "json", "console"]

TEXT_CHARACTERS_MAX = 500
FRAMES_MAX = 30

DROPPED_KEYS = frozenset(
    {
        "member_id", "member", "subject", "key", "value", "body", "data", "payload", "headers", "record", "records_raw",
        "message_body", "event_data", "email", "phone", "name", "address", "password", "secret", "token", "dsn",
    }
)  # fmt: skip
"""Keys that never reach the log."""

# Handlers and levels of these are taken over: FastStream and aiokafka would print records or every heartbeat.
_LIBRARIES: dict[str, int] = {
    "aiokafka": logging.WARNING,
    "aiokafka.conn": logging.ERROR,
    "faststream": logging.ERROR,
    "asyncio": logging.WARNING,
    "uvicorn": logging.WARNING,
    "uvicorn.error": logging.WARNING,
    "uvicorn.access": logging.ERROR,
}

EventDict = MutableMapping[str, Any]


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger of structured events: `log.info("event_name", key=value)`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def drop_personal(_: Any, __: str, event: EventDict) -> EventDict:
    """Processor: remove keys that could hold personal data, and payloads."""
    for key in DROPPED_KEYS.intersection(event):
        del event[key]
    return event


def cut_long(_: Any, __: str, event: EventDict) -> EventDict:
    """Processor: bytes become their length, long texts are cut."""
    for key, value in event.items():
        if isinstance(value, bytes | bytearray | memoryview):
            event[key] = f"<{len(value)} bytes>"
        elif isinstance(value, str) and len(value) > TEXT_CHARACTERS_MAX and key != "exception":
            event[key] = value[:TEXT_CHARACTERS_MAX] + "…"
    return event


def told_by_place(_: Any, __: str, event: EventDict) -> EventDict:
    """Processor: an exception becomes its kind and the places it came through, for its words may quote what was sent."""
    found = event.pop("exc_info", None)
    error = sys.exc_info()[1] if found is True else found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event["exception"] = kind_and_places(error)
    return event


def kind_and_places(error: BaseException) -> str:
    """An exception and its causes without their words: kinds, and the places that each came through, the last one first."""
    return "; caused by ".join(_places(each) for each in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and what led to it, each once."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)


def _places(error: BaseException) -> str:
    frames = extract_tb(error.__traceback__)[-FRAMES_MAX:]
    return " < ".join([type(error).__name__, *(f"{Path(each.filename).name}:{each.lineno} {each.name}" for each in frames[::-1])])


def first_line_of_asyncio(_: Any, __: str, event: EventDict) -> EventDict:
    """Processor: the further lines of asyncio's complaints show tasks with what they raised."""
    if str(event.get("logger")) == "asyncio":
        event["event"] = str(event["event"]).partition("\n")[0]
    return event


def configure(level: Level = "info", form: Form = "auto") -> None:
    """Send the worker's own events and the standard library's logging to stderr in one form. May be called again."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        drop_personal,
        first_line_of_asyncio,
        cut_long,
    ]
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    render: list[structlog.typing.Processor] = (
        [told_by_place, structlog.dev.ConsoleRenderer()]
        if console
        else [told_by_place, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, floor in _LIBRARIES.items():
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(max(floor, logging.getLevelNamesMapping()[level.upper()]))


@contextmanager
def for_a_while(level: Level, form: Form) -> Iterator[None]:
    """As `configure`, until the end of a command that logs what it does."""
    root, kept = logging.getLogger(), structlog.get_config()
    handlers, before = root.handlers[:], root.level
    configure(level, form)
    try:
        yield
    finally:
        structlog.configure(**kept)
        root.handlers[:] = handlers
        root.setLevel(before)
