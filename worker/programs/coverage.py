"""How much of the published terms a program carries out, rule by rule, and in which languages it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final, get_args

from contracts.terms import Rule, RuleStatus, Terms, Text, values_in

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
    texts = [(path, text) for path, text in values_in(terms, by_id=True) if isinstance(text, Text)]
    return {"ja": [path for path, text in texts if text.lacks("ja")], "en": [path for path, text in texts if text.lacks("en")]}
