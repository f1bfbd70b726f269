"""Looks through a whole database for a text, in whatever form a column may hold it."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

_COLUMNS = """
    SELECT c.relname AS table, a.attname AS column, format_type(a.atttypid, NULL) AS type
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY 1, 2
"""


async def places_of(connection: Any, needle: str | bytes) -> dict[str, int]:
    """`table.column` -> in how many rows it holds the needle: as text, as bytes, in base64 as headers are kept, or as an id."""
    raw = needle if isinstance(needle, bytes) else needle.encode()
    found: dict[str, int] = {}
    for row in await connection.fetch(_COLUMNS):
        name = f'"{row["column"]}"'
        if row["type"] == "bytea":
            forms = [raw, b64encode(raw).rstrip(b"=")[:-1]]
            where = " OR ".join(f"position(${n}::bytea in {name}) > 0" for n in (1, 2))
        elif isinstance(needle, bytes):
            continue
        else:
            forms, where = [needle], f"position($1::text in {name}::text) > 0"  # type: ignore[list-item]  # text, as nothing else is left
        count = await connection.fetchval(f'SELECT count(*) FROM "{row["table"]}" WHERE {where}', *forms)
        if count:
            found[f"{row['table']}.{row['column']}"] = count
    return found
