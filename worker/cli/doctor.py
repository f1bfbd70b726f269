"""`loyalty doctor`: whether everything that a worker needs is there, and if not, what to do."""

from __future__ import annotations

from typing import Any

import typer

from worker.cli.failures import Exit
from worker.cli.output import Format, Output, show


def doctor(output: Output = Format.TABLE) -> None:
    """Check settings, Kafka, topics, Postgres, schema, rights and terms; each line says what to do. Exits with 1 if one fails."""
    from worker.cli.examination import examine
    from worker.cli.opening import finish

    checks = finish(examine())
    rows: list[dict[str, Any]] = [
        {"check": each.what, "result": each.result, "found": each.found, "to_do": each.to_do} for each in checks
    ]
    show(rows, output, "What a worker needs", ("check", "result", "found", "to_do"))
    if any(each.result == "fail" for each in checks):
        raise typer.Exit(Exit.FINDING)
