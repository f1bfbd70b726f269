"""Looking for a row of each place: in the stories that fit it best first, as they are, or with the section that they lack."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from contracts.terms_reference import meaning_of, places
from tests.terms.fields.places import Place, alternatives, every_place, fits, sections
from tests.terms.fields.stories import Outcome, Told, Values, at, otherwise, outcome, program_of
from worker.programs.terms_file import TermsError

STORIES_TRIED: Final = 100
REFUSALS_ASKED: Final = 3
"""In so many files every other value is refused before a place counts as one at which nothing else can be said."""
REFUSED_TRIED: Final = 200
GIVEN_TRIED: Final = 3
"""So many forms of a section that a story lacks are given to it."""
POOLED: Final = 8


@dataclass(frozen=True, slots=True)
class Row:
    """What shows that a place is read: in a `story`, `given` values by dotted path, another `value` at a `path` (None: none)
    makes another outcome; or `refused`: no other value may stand there, or with a `value`: the section may not, which it is."""

    key: str
    story: str
    path: str
    given: Mapping[str, Any] = field(default_factory=dict)
    value: Any = None
    refused: bool = False

    def as_json(self) -> str:
        """The row as a line."""
        body = {"key": self.key, "story": self.story, "path": self.path, "value": self.value}
        body |= {"given": self.given} if self.given else {}
        body |= {"refused": True} if self.refused else {}
        return json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def values_with(told: Told, given: Mapping[str, Any]) -> list[Values]:
    """The terms of a story with some values given."""
    values = told.values()
    for path, value in given.items():
        values = otherwise(values, path, value)
    return values


def differs(values: Sequence[Values], told: Told, path: str, value: Any, before: Outcome) -> bool | None:
    """Whether another value at a path makes another outcome; None: it is refused."""
    try:
        program = program_of(otherwise(values, path, value, without=value is None))
    except TermsError:
        return None
    return outcome(program, told) != before


class Finder:
    """Stories, and what stands in their terms."""

    def __init__(self, stories: Sequence[Told]) -> None:
        self.stories: dict[str, Told] = {}
        self.values: dict[str, list[Values]] = {}
        self._outcomes: dict[str, Outcome] = {}
        for each in stories:
            try:
                values = each.values()
                program_of(values)
            except TermsError:
                continue  # terms that were told to be refused
            self.stories[each.name], self.values[each.name] = each, values
        self.texts = {name: json.dumps([*values, self.stories[name].tellings]) for name, values in self.values.items()}
        self._pool = self._pooled()

    def _pooled(self) -> dict[tuple[str, str], list[Any]]:
        """What stands in a field anywhere, by section and field."""
        found: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
        seen: set[str] = set()
        for versions in self.values.values():
            for values in versions:
                text = json.dumps(values, sort_keys=True)
                if text in seen:
                    continue
                seen.add(text)
                for place in places().values():
                    for path in place.paths:
                        for here in sections(values, path):
                            section = at(values, here) if here else values
                            for name in place.model.model_fields if isinstance(section, dict) else ():
                                if name in section:
                                    found[place.model.__name__, name].setdefault(json.dumps(section[name]), section[name])
        return {key: [*each.values()][:POOLED] for key, each in found.items()}

    def outcome(self, name: str) -> Outcome:
        """What comes of a story as it is."""
        if name not in self._outcomes:
            self._outcomes[name] = outcome(program_of(self.values[name]), self.stories[name])
        return self._outcomes[name]

    def find(self, place: Place) -> Row | None:
        """A row for a place; None: nothing shows that it is read."""
        refused: list[Row] = []
        accepted = False
        self._refused_sections: list[tuple[str, str, Any]] = []
        for name, given, here, values in self._candidates(place):
            told = self.stories[name]
            path = f"{here}.{place.field}" if here else place.field
            pool = self._pool.get((place.model.__name__, place.field), ())
            now = at(values[-1], path)
            others = alternatives(place, now, values[-1], told, pool)
            if now is not None and place.value is None:
                others.append(None)
            before: Outcome | None = None
            allowed = False
            for other in others:
                if before is None:
                    before = outcome(program_of(values), told) if given else self.outcome(name)
                try:
                    found = differs(values, told, path, other, before)
                except Exception as error:  # a file that is accepted and cannot be folded
                    what = f"{place.key}: {name} {given} {path} = {other!r}"
                    raise RuntimeError(f"{what}: {type(error).__name__} {error}") from error
                if found:
                    return Row(place.key, name, path, given, other)
                allowed = allowed or found is False
            accepted = accepted or allowed
            if not allowed:
                refused.append(Row(place.key, name, path, given, refused=True))
                if not accepted and len(refused) >= REFUSALS_ASKED:
                    break
        if not refused and not accepted and len(self._refused_sections) >= REFUSALS_ASKED:
            story, path, section = self._refused_sections[0]
            return Row(place.key, story, path, value=section, refused=True)
        return refused[0] if refused and not accepted else None

    def _candidates(self, place: Place) -> Iterator[tuple[str, Mapping[str, Any], str, list[Values]]]:
        """Stories with a section of the place's form: by themselves, or with one given to them."""
        tried = 0
        for name in self._likely(place):
            values = self.values[name]
            newest = values[-1]
            found = [here for here in sections(newest, place.path) if fits(at(newest, here) if here else newest, place)]
            for here in found[:2]:
                yield name, {}, here, values
                tried += 1
            if not found:
                more_of_it = 0
                for given, here in self._given(place, values[-1]):
                    more = values_with(self.stories[name], given)
                    try:
                        program_of(more)
                    except TermsError:
                        self._refused_sections += [(name, path, value) for path, value in given.items()]
                        continue
                    if fits(at(more[-1], here), place):
                        yield name, given, here, more
                        tried += 1
                        more_of_it += 1
                    if more_of_it == GIVEN_TRIED:
                        break
            if tried >= STORIES_TRIED or len(self._refused_sections) > REFUSED_TRIED:
                return

    def _given(self, place: Place, values: Values) -> Iterator[tuple[dict[str, Any], str]]:
        """Values by which a file gets a section that it lacks, or one of another form; and where it is then."""
        if not place.path:
            return
        whole, _, last = place.path.rpartition(".")
        many, name = last.endswith("[]"), last.removesuffix("[]")
        for above in sections(values, whole):
            owner = self._owner(whole)
            if owner is None:
                return
            path = f"{above}.{name}" if above else name
            there = at(values, path)
            some = [*self._pool.get((owner, name), ()), _example(owner, name)]
            some.sort(key=lambda each: f'"{place.field}"' not in json.dumps(each))
            for each in some:
                options = each if many and isinstance(each, list) else [each]
                for option in options:
                    if isinstance(option, dict) and fits({**option}, place):
                        whole_list = [*(there if isinstance(there, list) else []), option] if many else option
                        yield {path: whole_list}, f"{path}.{len(whole_list) - 1}" if many else path

    @staticmethod
    @cache
    def _owner(path: str) -> str | None:
        return next((name for name, place in places().items() if path in place.paths), None)

    def _likely(self, place: Place) -> list[str]:
        """Stories, those first whose own values are about the section, then the short ones."""
        parts = [part for part in place.path.replace("[]", "").split(".") if part]

        def score(name: str) -> tuple[int, int]:
            told = self.stories[name]
            text = json.dumps(told.set)
            about = sum(part in text for part in parts) + 3 * (f'"{place.field}"' in text or f".{place.field}" in text)
            about += sum(f'"{value}"' in text for _, value in place.form)
            about += 2 * (place.value is not None and f'"{place.value}"' in text)
            about += 2 * (f'"{place.field}"' in self.texts[name])
            return -about, len(told.tellings)

        with_section = [name for name in self.stories if next(sections(self.values[name][-1], place.path), None) is not None]
        others = [name for name in self.stories if name not in set(with_section)] if len(with_section) < STORIES_TRIED else []
        return sorted(with_section, key=score) + sorted(others, key=score)[:STORIES_TRIED]


def _example(model: str, name: str) -> Any:
    place = places()[model]
    return meaning_of(place.model, name).example


def missing(rows: Mapping[str, Row]) -> list[Place]:
    """Places without a row."""
    return [place for place in every_place() if place.key not in rows]
