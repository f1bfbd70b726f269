"""The table of all settings in `deploy/settings.md`, made from the groups; a test says whether the file is current.

python -m worker.settings.table > deploy/settings.md
"""

from __future__ import annotations

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from worker.settings.loading import PREFIX, every_setting

HEAD = """# Settings

<!-- Made by `python -m worker.settings.table`; do not edit. -->

Each can be given as a variable of this name; as a file that holds the value, named by the variable with `_FILE` behind it; as a
file `<group>_<name>` in the directory `LOYALTY_SECRETS_DIR`; or as `<group>: {<name>: …}` in the file `LOYALTY_CONFIG` (.yaml or
.toml). The first of these that has it wins. `loyalty doctor` says what is wrong, and a worker does not start with it.
**Secrets** are never shown; give them as files.

| setting | default | meaning, and what is allowed |
|---|---|---|
"""


def table() -> str:
    """All settings as a page in Markdown, in the order in which they are declared."""
    return HEAD + "".join(f"| `{_variable(loc)}` | {_default(field)} | {_meaning(field)} |\n" for loc, field in every_setting())


def _variable(loc: tuple[str, ...]) -> str:
    return PREFIX + "_".join(loc).upper()


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**must be set**"
    # One that a factory makes says so in its description.
    return "" if field.default in (None, "", PydanticUndefined) else f"`{field.default}`"


def _meaning(field: FieldInfo) -> str:
    secret = "**secret**: " if "SecretStr" in str(field.annotation) else ""
    return secret + (field.description or "")


if __name__ == "__main__":
    print(table(), end="")  # noqa: T201 - what it is for
