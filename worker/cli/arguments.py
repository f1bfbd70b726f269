"""Arguments that several commands take, read strictly: a mistake is one line that says what would be right."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from worker.cli.failures import Exit, Failure


def instant(text: str, option: str) -> datetime:
    """An instant given as RFC 3339 with an offset, in UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(Exit.USAGE, f"{option} {text}: should be a time such as 2026-04-01T12:00:00+09:00") from None
    if at.tzinfo is None:
        raise Failure(Exit.USAGE, f"{option} {text}: should say its offset, such as {at.isoformat()}+09:00")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise Failure(Exit.USAGE, f"{option} {text}: is too far away") from None


def terms_file(program: str) -> Path:
    """The terms file of a shipped program's code, or a file's path."""
    from worker.programs.terms_file import shipped

    known = shipped()
    if program in known:
        return known[program]
    path = Path(program)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return path
    raise Failure(Exit.USAGE, f"{program}: is neither a program ({', '.join(known)}) nor a terms file (….yaml)")
