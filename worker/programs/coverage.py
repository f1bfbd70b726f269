"""How much of the published terms a program carries out, rule by rule, and in which languages it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final, get_args

from pydantic import BaseModel

from contracts.terms import Rule, RuleStatus, Terms, Text

STATUSES: Final[tuple[RuleStatus, ...]] = get_args(RuleStatus)


def counts(terms: Terms) -> Mapping[str, int]:
    """How many rules have each status."""
    found = Counter(rule.status for rule in terms.rules)
    return {status: found[status] for status in STATUSES}


def told(rule: Rule) -> str:
    """The status of a rule in words: `carried out`, `in part: what is missing`, and so on."""
    words = rule.status.replace("_", " ")
    return words if rule.gap is None else f"{words}: {rule.gap}"


def lacking(terms: Terms) -> Mapping[str, list[str]]:
    """By language, where texts have no words in it."""
    texts = list(_texts(terms, ""))
    return {"ja": [path for path, text in texts if text.lacks("ja")], "en": [path for path, text in texts if text.lacks("en")]}


def _texts(part: object, path: str) -> Iterator[tuple[str, Text]]:
    if isinstance(part, Text):
        yield path, part
    elif isinstance(part, BaseModel):
        for name in type(part).model_fields:
            yield from _texts(getattr(part, name), f"{path}.{name}" if path else name)
    elif isinstance(part, tuple):
        for index, each in enumerate(part):
            yield from _texts(each, f"{path}.{getattr(each, 'id', index)}")
