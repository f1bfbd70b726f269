"""Every place of a terms file at which something can be said, and other values that could stand there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel

from contracts.terms_reference import meaning_of, places
from tests.terms.fields.stories import Told, Values

ALTERNATIVES_MAX: Final = 14
TEXTS: Final = frozenset({"Text", "ShopWords", "Rule", "Question", "Alternative", "Case", "Amendment", "ProgramFile"})
"""What a file holds for readers, and what versions are made of: no ledger reads it."""
FORMS: Final[Mapping[str, tuple[str, ...]]] = {
    "Activity": ("event",),
    "Challenge": ("of", "granted"),
    "Conversion": ("at", "into"),
    "Measure": ("of",),
    "Campaign": ("effect",),
    "Window": ("type",),
    "Limit": ("excess",),
}
"""Fields of a section by which its others are read differently: for each of their values every other field is looked for anew."""
NAMED: Final[Mapping[str, frozenset[str]]] = {
    "tiers": frozenset({"name", "tier"}),
    "tier": frozenset({"name", "tier"}),
    "kinds": frozenset({"kind", "kinds", "first_kinds"}),
    "kind": frozenset({"kind", "kinds"}),
    "first_kinds": frozenset({"kind", "kinds"}),
    "components": frozenset({"id"}),
    "component": frozenset({"id"}),
    "activities": frozenset({"id"}),
    "entered": frozenset({"id"}),
    "entry": frozenset({"id"}),
    "stores": frozenset({"eligible", "excluded", "stores"}),
    "stores_also": frozenset({"eligible", "excluded"}),
    "stores_excluded": frozenset({"eligible", "excluded"}),
}
"""Where the names that a field may hold stand in the same file."""
HEARD: Final[Mapping[str, frozenset[str]]] = {
    "categories": frozenset({"category"}),
    "skus": frozenset({"sku"}),
    "tags": frozenset({"tags"}),
    "payment_methods": frozenset({"payment_method"}),
    "card_brands": frozenset({"card_brand"}),
    "coupons": frozenset({"coupons"}),
    "courses": frozenset({"course"}),
    "channels": frozenset({"channel"}),
    "registration_channels": frozenset({"channel"}),
    "earning_channels": frozenset({"channel"}),
    "countries": frozenset({"country"}),
    "stores": frozenset({"store"}),
    "eligible": frozenset({"store"}),
    "excluded": frozenset({"store"}),
    "stores_also": frozenset({"store"}),
    "stores_excluded": frozenset({"store"}),
    "reasons": frozenset({"reason"}),
    "activity": frozenset({"activity"}),
    "of": frozenset({"measures"}),
}
"""Where the names that a field may hold stand in what is told."""


@dataclass(frozen=True, slots=True)
class Place:
    """A field of a section at one path; of one that has a few values, one of them. `form`: where the section is of this form."""

    path: str
    model: type[BaseModel]
    field: str
    value: Any = None
    form: tuple[tuple[str, Any], ...] = ()

    @property
    def key(self) -> str:
        """Its name in the table."""
        value = "" if self.value is None else f" = {self.value}"
        form = "".join(f", {name} {value}" for name, value in self.form)
        return f"{self.path}.{self.field}".lstrip(".") + value + form


def _inner(annotation: Any) -> Iterator[Any]:
    yield annotation
    for each in get_args(annotation):
        yield from _inner(each)


def _is_list(model: type[BaseModel], name: str) -> bool:
    return any(get_origin(each) is tuple for each in _inner(model.model_fields[name].annotation))


def _choices(model: type[BaseModel], name: str) -> tuple[Any, ...]:
    """The values of a field that has only a few; those of a list's items one by one are not."""
    if _is_list(model, name):
        return ()
    annotation = model.model_fields[name].annotation
    options = [each for each in get_args(annotation) if each is not type(None)] if get_origin(annotation) is not Literal else []
    for each in (annotation, *options):
        if get_origin(each) is Literal:
            return get_args(each)
    return ()


def _items(model: type[BaseModel], name: str) -> tuple[Any, ...]:
    """The values of which a list may hold some, where they are few."""
    found = (get_args(each) for each in _inner(model.model_fields[name].annotation) if get_origin(each) is Literal)
    return next(found, ()) if _is_list(model, name) else ()


@cache
def _sections_with_defaults() -> frozenset[str]:
    """Sections that a file may leave out, and then has all the same."""
    fields = (field for place in places().values() for field in place.model.model_fields.items())
    return frozenset(name for name, field in fields if isinstance(field.default, BaseModel))


@cache
def every_place() -> tuple[Place, ...]:
    """All of them, in the order in which a reader meets them."""
    found: list[Place] = []
    for place in places().values():
        if place.model.__name__ in TEXTS:
            continue
        forms = FORMS.get(place.model.__name__, ())
        for path in place.paths:
            for name in place.model.model_fields:
                variants = [()] if name in forms else list(_variants(place.model, forms))
                for form in variants:
                    for value in _choices(place.model, name) or _items(place.model, name) or (None,):
                        found.append(Place(path, place.model, name, value, form))
    for name in places()["ProgramFile"].model.model_fields:
        if name not in ("amendments", "rules", "questions", "cases", "words", "name", "program", "effective_from"):
            model = places()["ProgramFile"].model
            found += [Place("", model, name, value) for value in _choices(model, name) or (None,)]
    return tuple(found)


def _variants(model: type[BaseModel], forms: Sequence[str]) -> Iterator[tuple[tuple[str, Any], ...]]:
    if not forms:
        yield ()
        return
    first, *rest = forms
    for value in _choices(model, first) or ("money" if model.__name__ == "Rate" else "purchases", "orders", "points", "pieces"):
        for others in _variants(model, rest):
            yield ((first, value), *others)


# -- where it stands in a file


def sections(values: Any, path: str) -> Iterator[str]:
    """The dotted paths of the sections of a file that a path of the reference leads to, as far as they are there."""
    yield from _sections(values, path.replace("[]", ".[]").split(".") if path else [], "")


def _sections(at: Any, parts: Sequence[str], here: str) -> Iterator[str]:
    if not parts:
        yield here
        return
    first, *rest = parts
    inner: list[tuple[str, Any]]
    if first == "[]":
        inner = [(str(number), each) for number, each in enumerate(at)] if isinstance(at, list) else []
    elif isinstance(at, dict) and first in at:
        inner = [(first, at[first])]
        if isinstance(at[first], dict) and rest and rest[0] not in at[first] and rest[0] != "[]":
            # A mapping by names of the file's own, such as measures.
            inner += [(f"{first}.{name}", each) for name, each in at[first].items() if isinstance(each, dict)]
    elif isinstance(at, dict) and first in _sections_with_defaults():
        inner = [(first, {})]
    else:
        inner = []
    for name, each in inner:
        yield from _sections(each, rest, f"{here}.{name}" if here else name)


def fits(section: Any, place: Place) -> bool:
    """Whether a section is of the form that a place is about."""
    if not isinstance(section, dict):
        return False
    fields = place.model.model_fields
    return all(section.get(name, fields[name].default) == value for name, value in place.form)


# -- what else could stand there


def alternatives(place: Place, now: Any, values: Values, told: Told, pool: Sequence[Any]) -> list[Any]:
    """Other values for a place, the likeliest to matter first; `now`: what stands there. Of a place with a value: that, or where
    it stands already all others."""
    choices = _choices(place.model, place.field)
    if place.value is not None and not choices:
        items = list(now if now is not None else place.model.model_fields[place.field].default)
        some = [each for each in items if each != place.value] if place.value in items else [*items, place.value]
        return [some, [place.value], [each for each in _items(place.model, place.field) if each != place.value]]
    if place.value is not None:
        default = place.model.model_fields[place.field].default
        stands = (now if now is not None else default) == place.value
        return [each for each in choices if each != place.value] if stands else [place.value]
    annotation = place.model.model_fields[place.field].annotation
    found: list[Any] = []
    names = [*_names(values, NAMED.get(place.field, frozenset())), *_heard(told, HEARD.get(place.field, frozenset())), "zz"]
    kinds = set(_inner(annotation))
    many = any(get_origin(each) is tuple for each in kinds)
    if bool in kinds:
        found += [True, False]
    if int in kinds and not many:
        number = now if isinstance(now, int) else 1
        found += [number + 1, number * 2 + 1, 0, 1, 1_000, 10, number // 2, 1_000_000]
    if str in kinds and not many:
        found += _texts(now, names)
    if many and str in kinds:
        found += [[each] for each in names[:8]]
        found += [[]]
    if date in kinds or datetime in kinds or any(get_origin(each) is Annotated and date in get_args(each) for each in kinds):
        found += [*_days(told), "2000-01-01T00:00:00+09:00", "2099-01-01T00:00:00+09:00"]
    found += [meaning_of(place.model, place.field).example, *pool]
    if place.field == "unless":
        found.insert(0, {"since": "2000-01-01"})
    if many and isinstance(now, list) and len(now) > 1:
        found += [now[:-1], now[1:], now[::-1]]
    unlike: list[Any] = []
    default = place.model.model_fields[place.field].default
    unsaid = [[], {}, None, default] if now is None else []
    for each in found:
        if each not in unsaid and json.dumps(each) not in {json.dumps(now), *map(json.dumps, unlike)}:
            unlike.append(each)
    return unlike[:ALTERNATIVES_MAX]


def _days(told: Told) -> list[str]:
    """Days before, amid and after what is told."""
    days = sorted(each[1][:10] for each in told.tellings if isinstance(each, list))
    return ["2000-01-01", "2099-01-01", days[len(days) // 2], days[-1]]


def _texts(now: Any, names: Sequence[str]) -> list[Any]:
    if isinstance(now, str) and now[:4].isdecimal() and "-" in now[4:]:
        return ["2024-03-02", "2024-06-15", "2024-09-01"]
    if isinstance(now, str) and now[:2].isdecimal() and now[2:3] == "-":
        return ["04-15", "10-02", "12-20"]
    if isinstance(now, str) and now[:2].isdecimal() and now[2:3] == ":":
        return ["03:00", "12:30", "21:00"]
    if isinstance(now, str) and now.replace(".", "").isdecimal():
        return ["0.5", "0.031", "2", "0.002", "0"]
    return [*names[:8], "XX-99"]


def _names(values: Any, fields: frozenset[str]) -> list[str]:
    return list(dict.fromkeys(_walked(values, fields)))


def _heard(told: Told, fields: frozenset[str]) -> list[str]:
    return list(dict.fromkeys(name for each in told.tellings if isinstance(each, list) for name in _walked(each[3], fields)))


def _walked(value: Any, fields: frozenset[str]) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            if name in fields:
                yield from ([each] if isinstance(each, str) else [x for x in each if isinstance(x, str)] if each else [])
            if isinstance(each, dict | list):
                yield from _walked(each, fields)
    elif isinstance(value, list):
        for each in value:
            yield from _walked(each, fields)

