"""A failing simulation made small: fewer messages and fewer steps, as long as it still fails in the same way."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from traceback import extract_tb

from tests.simulation.play import Outcome, Play
from tests.simulation.stages import Stages, in_memory
from tests.simulation.world import World, world

TRIES_MAX = 600


@dataclass(frozen=True, slots=True)
class Failure:
    """A simulation that did not end well, and what to leave of it to see that again (None: everything)."""

    seed: int
    why: str
    messages: tuple[int, ...] | None = None
    steps: tuple[int, ...] | None = None

    @property
    def kind(self) -> str:
        """What failed, without the numbers and names of this seed."""
        return re.sub(r"b?'[^']*'|[0-9a-f-]{8,}|\d+", "?", self.why.splitlines()[0])[:60]

    @property
    def command(self) -> str:
        """Replays it, on the store in memory unless another one is named."""
        parts = [f"python -m tests.simulation --seed {self.seed}"]
        if self.messages is not None:
            parts.append(f"--messages {spans(self.messages)}")
        if self.steps is not None:
            parts.append(f"--steps {spans(self.steps)}")
        return " ".join(parts)


def attempt(
    seed: int,
    messages: Sequence[int] | None = None,
    steps: Sequence[int] | None = None,
    made: World | None = None,
    stages: Stages = in_memory,
) -> Outcome | Failure:
    """Play a seed, or a part of it."""
    try:
        return Play(made or world(seed), messages, stages).run(steps)
    except Exception as error:  # noqa: BLE001  # whatever goes wrong is a finding
        cause = f" ({error.__cause__})" if error.__cause__ is not None and str(error.__cause__) not in str(error) else ""
        place = extract_tb((error.__cause__ or error).__traceback__)[-1]
        why = f"{type(error).__name__} in {place.name}: {error if str(error).strip(': ') else place.line}{cause}"
        return Failure(seed, why, tuple(messages) if messages is not None else None, tuple(steps) if steps is not None else None)


def shrink(failure: Failure, stages: Stages = in_memory) -> Failure:
    """The same failure with as little as possible left of its messages and steps."""
    made = world(failure.seed)
    tries = 0

    def fails(messages: Sequence[int], steps: Sequence[int]) -> Failure | None:
        nonlocal tries
        tries += 1
        found = attempt(failure.seed, messages, steps, made, stages)
        return found if isinstance(found, Failure) and found.kind == failure.kind else None

    def few_steps(messages: Sequence[int], steps: Sequence[int]) -> Sequence[int]:
        return _fewer(steps, lambda some: fails(messages, some) is not None, lambda: tries < TRIES_MAX)

    def few_messages(messages: Sequence[int], steps: Sequence[int]) -> Sequence[int]:
        return _fewer(messages, lambda some: fails(some, steps) is not None, lambda: tries < TRIES_MAX)

    messages: Sequence[int] = failure.messages or range(len(made.messages))
    steps: Sequence[int] = failure.steps or range(made.steps)
    before = None
    while before != (len(messages), len(steps)) and tries < TRIES_MAX:
        before = (len(messages), len(steps))
        steps = few_steps(messages, steps)
        messages = few_messages(messages, steps)
    return fails(messages, steps) or failure


def _fewer(numbers: Sequence[int], still_fails: Callable[[Sequence[int]], bool], may_go_on: Callable[[], bool]) -> Sequence[int]:
    """Leave out halves, quarters, ... down to single ones."""
    left = list(numbers)
    size = max(1, len(left) // 2)
    while left and may_go_on():
        start = 0
        while start < len(left) and may_go_on():
            some = left[:start] + left[start + size :]
            if still_fails(some):
                left = some
            else:
                start += size
        if size == 1:
            break
        size //= 2
    return left


def spans(numbers: Sequence[int]) -> str:
    """Numbers as text: 1-4,7."""
    parts: list[str] = []
    first = last = None
    for number in [*sorted(numbers), None]:
        if first is not None and last is not None and number == last + 1:
            last = number
            continue
        if first is not None:
            parts.append(str(first) if first == last else f"{first}-{last}")
        first = last = number
    return ",".join(parts) or "none"


def numbers_of(text: str) -> tuple[int, ...]:
    """The numbers that `spans` wrote."""
    found: list[int] = []
    for part in text.split(",") if text != "none" else []:
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)
