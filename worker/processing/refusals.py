"""What Postgres refuses: a record whose data it cannot keep, which is the sender's fault, or rows that the fold made of an
account's facts, which is a defect of ours.

A batch that is refused is tried again without folding: what is refused then is the data of records. Everything else that
is refused was made by the fold. Nothing of these attempts is kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

Places = Sequence[int]


async def at_fault(count: int, refused: Callable[[Places], Awaitable[str | None]]) -> dict[int, str]:
    """Which of so many are refused, by place, and why: found by halving. Of those refused only together it is the last.

    `refused`: why those at some places are refused together; None if they are taken.
    """
    found: dict[int, str] = {}
    spans: list[Places] = [range(count)] if count else []
    while spans:
        span = spans.pop()
        why = await refused(span)
        if why is None:
            continue
        if len(span) == 1:
            found[span[0]] = why
        else:
            middle = len(span) // 2
            spans += [span[:middle], span[middle:]]
    left = [place for place in range(count) if place not in found]
    while left and (why := await refused(left)) is not None:
        low, high = 0, len(left)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if await refused(left[:middle]) is None else (low, middle)
        found[left.pop(high - 1)] = why
    return found
