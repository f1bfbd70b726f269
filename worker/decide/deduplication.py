"""Which of an account's incoming facts are new: what is known already is left out, and what contradicts it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from contracts.events import TOPIC_OF, Event

Key = tuple[str, str]


@dataclass(slots=True)
class Deduplicated:
    """Facts by what is to become of them: `fresh` ones are folded, `conflicts` are refused: their source
    and id were used for other content before."""

    fresh: list[Event] = field(default_factory=list)
    duplicates: list[Event] = field(default_factory=list)
    conflicts: list[Event] = field(default_factory=list)


def apart(facts: Sequence[Event], types: Mapping[Key, str]) -> Sequence[Event]:
    """Facts of one account, in the order in which they came, under names that no event of another topic has: (source, id) names
    an event of a topic, so that nobody can use up the names of what others say on theirs.

    `types`: those of the facts that are known under these names. The same sequence is returned where nothing has to be renamed.
    """
    if len(facts) < 2 and not types:
        return facts
    topics = {key: TOPIC_OF.get(type_) for key, type_ in types.items()}
    found = [
        fact if topics.setdefault((fact.source, fact.id), topic := TOPIC_OF.get(fact.type)) == topic else fact.apart()
        for fact in facts
    ]
    return facts if all(one is other for one, other in zip(found, facts, strict=True)) else found


def deduplicate(facts: Iterable[Event], seen: Mapping[Key, bytes], *, nameless: bool = False) -> Deduplicated:
    """Sift facts of one account in the order in which they came.

    `seen`: digests of those that are known, by source and id. `nameless`: the person was forgotten, so what is known may be kept
    without what named them. An order that is told twice is a fact each time: which telling stands, the fold says.
    """
    found, digests = Deduplicated(), dict(seen)
    for fact in facts:
        known = digests.get((fact.source, fact.id))
        if known is None:
            digests[fact.source, fact.id] = fact.digest
            found.fresh.append(fact)
        elif known == fact.digest or (nameless and known == _nameless(fact)):
            found.duplicates.append(fact)
        else:
            found.conflicts.append(fact)
    return found


def _nameless(fact: Event) -> bytes:
    """The digest under which a fact is kept whose person was forgotten, so that a repeat of it is not taken for another."""
    return fact.without_person().digest
