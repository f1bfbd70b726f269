"""Every type of event that the contract knows is one that the fold can handle, and that can be told in words."""

from __future__ import annotations

from contracts.events import TYPES
from worker.decide.fact_types import FACT_TYPES
from worker.reading.explain.words import CAUSES, LANGUAGES


def test_every_type_of_event_has_what_the_fold_does_with_it() -> None:
    assert FACT_TYPES.keys() == {each.model for each in TYPES}
    assert len({each.handle for each in FACT_TYPES.values()}) == len(TYPES), "two types share a handler"


def test_every_type_of_event_has_words_of_its_own_in_each_language() -> None:
    assert CAUSES.keys() == {each.name for each in TYPES}
    for place, language in enumerate(LANGUAGES):
        assert len({words[place] for words in CAUSES.values()}) == len(TYPES), language
    for each in TYPES:
        assert len({"{id}" in words for words in CAUSES[each.name]}) == 1, f"{each.name} names its order in one language only"
