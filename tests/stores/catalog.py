"""What a database consists of, in words that do not depend on how it was made or on the version of Postgres."""

from __future__ import annotations

from typing import Any

_PARTS = {
    "columns": """
        SELECT table_name, column_name, ordinal_position, column_default, is_nullable, data_type, collation_name, is_identity
        FROM information_schema.columns WHERE table_schema = 'public'""",
    "constraints": """
        SELECT conrelid::regclass::text, contype::text, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'""",
    "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "triggers": "SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "functions": "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    "options": "SELECT relname, reloptions::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'",
    "comments": """
        SELECT objoid::regclass::text, objsubid, description FROM pg_description
        WHERE classoid = 'pg_class'::regclass AND objoid::regclass::text !~ '^pg_|^information_schema'""",
}


async def catalog(connection: Any) -> dict[str, set[tuple[Any, ...]]]:
    """The parts of a database's schema, each as a set of rows."""
    await connection.execute("SET search_path = public")
    return {part: {tuple(row) for row in await connection.fetch(query)} for part, query in _PARTS.items()}
