"""`loyalty member`: statements and explanations of a member's points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from worker.cli.examples import example
from worker.cli.explain import explain
from worker.cli.output import Format, Output, show_json, show_lines, show_table

app = typer.Typer(no_args_is_help=True, help="Members and their points.")
app.command(name="explain", epilog=example("member explain"))(explain)

COLUMNS = ("member_id", "tier", "available", "pending", "on_hold", "reserved", "due_back", "lapsed_total", "version")
_PARTS = {
    "lots": ("kind", "expires_on", "points", "order_id", "orders"),
    "orders": ("order_id", "points_used", "points_returned", "points_forfeited", "points_credited", "redemption"),
    "requests": ("request_id", "decision", "points", "reason", "ships_with"),
    "findings": ("code", "at", "order_id", "detail"),
}


@app.callback()
def members() -> None:
    """Members and their points."""


@app.command(epilog=example("member statement"))
def statement(
    program: Annotated[str, typer.Argument(help="Program code.")],
    member: Annotated[str, typer.Argument(help="Member id.")],
    at: Annotated[str | None, typer.Option(help="Instant, with its offset; default now.")] = None,
    known_at: Annotated[str | None, typer.Option(help="Only what was recorded by this instant.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Show a member's balances, lots, orders and requests, from the database. Nothing is written."""
    from worker.cli.asking import member_statement
    from worker.cli.opening import finish

    found = finish(member_statement(program, member, at, known_at))
    match output:
        case Format.JSON:
            show_json(found)
        case Format.NDJSON:
            show_lines([found])
        case Format.TABLE:
            show_statement(found)


def show_statement(found: Mapping[str, Any]) -> None:
    """A statement for people."""
    simple = [name for name in found if name not in _PARTS]
    show_table("Statement", ("", ""), [(name.replace("_", " "), found[name]) for name in simple])
    for part, columns in _PARTS.items():
        if found[part]:
            rows = [[_cell(one.get(column)) for column in columns] for one in found[part]]
            show_table(part.capitalize(), columns, rows)


def _cell(value: Any) -> Any:
    """A verdict in words, what each order brought to a row of lots; anything else as it is."""
    if isinstance(value, list | tuple):
        return ", ".join(f"{one['order_id'] or '-'}: {one['points']:,}" for one in value)
    if isinstance(value, dict):
        return ": ".join(str(part) for part in (value["decision"], value.get("reason")) if part)
    return value
