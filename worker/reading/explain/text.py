"""An account explained as text, as a support agent reads it to a customer."""

from __future__ import annotations

from collections.abc import Iterator

from worker.reading.explain.telling import PostingTold, Told
from worker.reading.explain.words import Words


def text(told: Told) -> str:
    """The whole explanation as lines."""
    return "\n".join(_lines(told, Words(told.language)))


def _lines(told: Told, words: Words) -> Iterator[str]:
    yield words.label("title", program=told.name)
    yield words.label("member", member=told.member_id, at=told.at)
    if told.order_id is not None:
        yield words.label("order", order=told.order_id)
    yield words.label("between").join(f"{told.words[bucket]} {points:,}" for bucket, points in told.balances)
    for note in told.notes:
        yield f"! {note}"
    if not told.postings:
        yield ""
        yield words.label("nothing")
    for posting in told.postings:
        yield ""
        yield from _posting(posting, words)


def _posting(posting: PostingTold, words: Words) -> Iterator[str]:
    yield f"{posting.at[:16].replace('T', ' ')}  {posting.title}"
    yield f"    {posting.cause}"
    for line in posting.how:
        yield f"    - {line}"
    for line in posting.late:
        yield f"    ! {line}"
    rule = posting.rule
    place = f" ({rule.document}, {rule.section})" if rule.document else ""
    yield f"    {words.label('rule')} {rule.id}{place}"
    if rule.says:
        yield f"      {rule.says}"
    if rule.gap:
        yield f"      ! {rule.gap}"
