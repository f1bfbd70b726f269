"""What every field of the terms means: read from `terms/reference.yaml` for the JSON Schema, and written out as `terms.md`.

The rows stand beside the models and not in them, so that a model is read at a glance; `tests/terms/test_reference.py` holds them
to be complete, and every example to be right where it stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import yaml
from pydantic import BaseModel

from contracts.counting import counted
from contracts.strict_yaml import StrictLoader
from contracts.terms import Alternative, Case, ProgramFile, Question, Rule, ShopWords, Text
from contracts.terms.values import DAY_OR_MINUTE_PATTERN, DECIMAL_PATTERN, SHARE_PATTERN, YEAR_DAY_PATTERN, Code, Name, RuleId

_ROOT: Final = Path(__file__).parent
_ANY_MODEL: Final = "*"
_OWN_WORDS: Final[tuple[type[BaseModel], ...]] = (Text, ShopWords, Rule, Question, Alternative, Case)
"""What every program fills with words of its own, which nobody would look up in another's."""
_VALUES_SHOWN: Final = 3
_ITEMS_SHOWN: Final = 8
_PATHS_SHOWN: Final = 4
_PLAIN: Final = re.compile(r"[^\W\d_][\w .%/-]*|[0-9]{4}-[0-9]{2}-[0-9]{2}")
"""Text that YAML takes for text without quotes."""


class Meaning(NamedTuple):
    """A field: what it means, a value as a file would hold it, and what it may not stand with."""

    says: str
    example: Any
    not_with: str | None = None


class Place(NamedTuple):
    """A model of the terms and the dotted paths under which it stands in a file."""

    model: type[BaseModel]
    paths: list[str]


def _read(name: str) -> Any:
    return yaml.load((_ROOT / "terms" / name).read_text(encoding="utf-8"), StrictLoader)  # noqa: S506 - a SafeLoader with less in it


@cache
def meanings() -> Mapping[tuple[str, str], Meaning]:
    """Every row, by model ("*": any) and field."""
    return {(model, name): Meaning(**row) for model, rows in _read("reference.yaml").items() for name, row in rows.items()}


def meaning_of(model: type[BaseModel], name: str) -> Meaning:
    """What a field of a model means. Raises LookupError where no row says so."""
    rows = meanings()
    found = rows.get((model.__name__, name)) or rows.get((_ANY_MODEL, name))
    if found is None:
        raise LookupError(f"{model.__name__}.{name}: write a row for it in contracts/terms/reference.yaml")
    return found


@cache
def phrases() -> tuple[Mapping[str, Any], ...]:
    """What published terms say (`page`), what a file says then (`write`: values by dotted path), and where one order shows it the
    options that `try` it and how many points it `brings`."""
    return tuple(_read("phrases.yaml"))


@cache
def places() -> Mapping[str, Place]:
    """Every model that a file is made of, by name, in the order in which a reader meets it."""
    found: dict[str, Place] = {}

    def walk(model: type[BaseModel], path: str) -> None:
        place = found.setdefault(model.__name__, Place(model, []))
        if place.model is not model:
            raise ValueError(f"two sections are called {model.__name__}: give one another name, by which its rows are found")
        if path in place.paths or (place.paths and _within(path, place.paths)):
            return
        place.paths.append(path)
        for name, field in model.model_fields.items():
            here = f"{path}.{name}" if path else name
            for inner, many in _models(field.annotation):
                walk(inner, f"{here}[]" if many else here)

    walk(ProgramFile, "")
    return found


def _within(path: str, paths: list[str]) -> bool:
    """Whether a path leads through one of these: a section within itself."""
    return any(path.startswith(f"{other}.") for other in paths if other)


def _models(annotation: Any, *, many: bool = False) -> Iterator[tuple[type[BaseModel], bool]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, many
    for each in get_args(annotation):
        yield from _models(each, many=many or getattr(annotation, "__origin__", None) is tuple)


# -- for editors


def described(schema: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a file with the meaning and an example of every field."""
    definitions = schema["definitions"]
    for name, place in places().items():
        properties = (schema if place.model is ProgramFile else definitions[name])["properties"]
        for field, property_ in properties.items():
            meaning = meaning_of(place.model, field)
            said = meaning.says + (f" Not with {meaning.not_with}." if meaning.not_with else "")
            told: dict[str, Any] = {"description": said, "examples": [meaning.example]}
            if "$ref" in property_:
                # In draft 7 what stands beside a reference is not read.
                told = {"allOf": [{"$ref": property_.pop("$ref")}], **told}
            properties[field] = {**property_, **told}
    return schema


# -- the page


def reference_page(schema: Mapping[str, Any]) -> str:
    """The reference of the terms in Markdown. `schema`: that of a file (`contracts.terms_schema`)."""
    guide = (_ROOT / "terms" / "guide.md").read_text(encoding="utf-8")
    lines = ["<!-- Made by `python -m contracts.generate`; do not edit. -->", "", *guide.rstrip().split("\n"), ""]
    lines += ["## If the page says …", "", *_phrases(), "", "## Every section", "", *_contents(), ""]
    used = _used()
    for place in places().values():
        lines += [*_section(place, schema, used), ""]
    return "\n".join(lines).rstrip() + "\n"


def _phrases() -> Iterator[str]:
    yield "| the page says | write | `program try` |"
    yield "|---|---|---|"
    for row in phrases():
        written = "<br>".join(f"`{path}: {_cell(_yaml(value))}`" for path, value in row["write"].items())
        tried = f"`{row['try']}` brings {counted(row['brings'], 'point')}" if "try" in row else ""
        yield f"| {row['page']} | {written} | {tried} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _contents() -> Iterator[str]:
    yield "Where a section stands in the file, and where it is explained. `[]` is a list of such sections."
    yield ""
    for name, place in places().items():
        if place.model is not ProgramFile:
            shown = ", ".join(f"`{path}`" for path in place.paths[:_PATHS_SHOWN])
            yield f"- {shown}{', …' if len(place.paths) > _PATHS_SHOWN else ''}: {_link(name)}"


def _yaml(value: Any) -> str:
    """A value as a file would hold it, on one line."""
    match value:
        case dict():
            return f"{{{', '.join(f'{_yaml(key)}: {_yaml(inner)}' for key, inner in value.items())}}}"
        case list() | tuple():
            return f"[{', '.join(map(_yaml, value))}]"
        case str() if _PLAIN.fullmatch(value) and value not in ("true", "false", "null"):
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)


def _section(place: Place, schema: Mapping[str, Any], used: Mapping[tuple[str, str], Mapping[str, list[str]]]) -> Iterator[str]:
    model = place.model
    whole = model is ProgramFile
    definition = schema if whole else schema["definitions"][model.__name__]
    *short, body = [definition] if "properties" in definition else definition["anyOf"]
    yield f"### {model.__name__ if not whole else 'The file'}"
    if not whole:
        paths = [f"`{path}`" for path in place.paths]
        more = len(paths) - _PATHS_SHOWN
        yield ""
        yield f"At {', '.join(paths[:_PATHS_SHOWN])}{f' and {more} more places' if more > 0 else ''}."
    if short:
        yield f"Short forms: {', '.join(map(_values, short))}."
    yield ""
    yield from _paragraphs(model.__doc__ or "")
    for name in body["properties"]:
        yield from _field(model, name, body)
        if model not in _OWN_WORDS and name != "rule" and (programs := used.get((model.__name__, name))):
            told = "; ".join(f"{code} {', '.join(values)}".rstrip() for code, values in programs.items())
            yield f"  In use: {told}."


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        yield " ".join(paragraph.split())
        yield ""


def _field(model: type[BaseModel], name: str, body: Mapping[str, Any]) -> Iterator[str]:
    meaning, property_ = meaning_of(model, name), body["properties"][name]
    required = name in body.get("required", ())
    yield f"- **`{name}`**{' (required)' if required else ''}: {meaning.says}"
    parts = [f"Values: {_values(property_)}"]
    if not required:
        parts.append(f"default {_default(property_.get('default'))}")
    yield f"  {'; '.join(parts)}. Example: `{name}: {_yaml(meaning.example)}`."
    if meaning.not_with:
        yield f"  Not with {meaning.not_with}."


def _default(value: Any) -> str:
    if isinstance(value, dict) and value:
        return "as its fields say"
    return "nothing" if value in (None, [], {}) else f"`{_yaml(value)}`"


def _values(schema: Mapping[str, Any]) -> str:
    """What a property of the schema may hold, in words."""
    if "$ref" in schema:
        return _link(schema["$ref"].rpartition("/")[2])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{each}`" for each in schema.get("enum", [schema.get("const")]))
    for union in ("anyOf", "allOf"):
        if union in schema:
            return " or ".join(_values(each) for each in schema[union] if each.get("type") != "null")
    return _plain_values(schema)


def _plain_values(schema: Mapping[str, Any]) -> str:
    match schema.get("type"):
        case "array":
            return f"list of {_values(schema['items'])}"
        case "object":
            inner = schema.get("additionalProperties")
            if not isinstance(inner, Mapping):
                inner = next(iter(schema.get("patternProperties", {}).values()), {})
            return f"mapping of names to {_values(inner)}" if inner else "mapping of dotted paths to values"
        case "boolean":
            return "`true`, `false`"
        case "integer":
            return _number(schema)
        case _:
            return _text(schema)


def _number(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None:
        return "whole number"
    return f"whole number, {low:,} to {high:,}" if high is not None else f"whole number, {low:,} or more"


_PATTERNS: Final = {
    YEAR_DAY_PATTERN: 'a day of every year, like `"01-10"`',
    DECIMAL_PATTERN: 'a decimal number as text, like `"1.5"`',
    SHARE_PATTERN: 'a share below 1 as text, like `"0.015"`',
    **{
        get_args(kind)[1].metadata[0].pattern: words
        for kind, words in (
            (RuleId, "the id of a rule"),
            (Name, "a name: letters, digits, `_`, `.`, `-`"),
            (Code, "lower-case letters, digits and hyphens"),
        )
    },
}


def _text(schema: Mapping[str, Any]) -> str:
    if schema.get("format") == "date":
        return "a date, like `2026-04-01`"
    if schema.get("format") == "date-time":
        return 'an instant with its offset, like `"2026-04-01T00:00:00+09:00"`'
    if schema.get("pattern") == DAY_OR_MINUTE_PATTERN:
        return 'a date, like `2026-04-01`, or a minute, like `"2026-04-01T20:00"`'
    return _PATTERNS.get(schema.get("pattern", ""), "text")


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def _used() -> dict[tuple[str, str], dict[str, list[str]]]:
    """By model and field: what each program that is shipped says there."""
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for path in sorted((_ROOT / "programs").glob("*.yaml")):
        values = yaml.load(path.read_text(encoding="utf-8"), StrictLoader)  # noqa: S506 - a SafeLoader with less in it
        _note(ProgramFile.model_validate_json(json.dumps(values), strict=True), path.stem, found)
    for programs in found.values():
        for code, shown in programs.items():
            programs[code] = [*shown[:_VALUES_SHOWN], *(["…"] if len(shown) > _VALUES_SHOWN else [])]
    return found


def _note(part: BaseModel, code: str, found: dict[tuple[str, str], dict[str, list[str]]]) -> None:
    for name in type(part).model_fields:
        if name not in part.model_fields_set:
            continue
        value = getattr(part, name)
        shown = found.setdefault((type(part).__name__, name), {}).setdefault(code, [])
        inner = list(_parts(value))
        for each in inner:
            _note(each, code, found)
        if not inner and name not in ("rule", "set") and not name.endswith("_rule"):
            text = _shown(part.model_dump(mode="json")[name])
            if text not in shown:
                shown.append(text)


def _shown(value: Any) -> str:
    """A value of a program, of a long list no more than its beginning."""
    if isinstance(value, list) and len(value) > _ITEMS_SHOWN:
        return f"`{_yaml(value[:_VALUES_SHOWN]).removesuffix(']')}, …]` ({len(value)})"
    return f"`{_yaml(value)}`"


def _parts(value: object) -> Iterable[BaseModel]:
    if isinstance(value, BaseModel):
        return [value]
    return [each for each in value if isinstance(each, BaseModel)] if isinstance(value, tuple) else []
