"""Facts of one account that came together: a verdict is what it would be if each had come in a batch of its own.

In business order a redemption would see what arrived after it, and what a batch holds is chance. So the facts are folded in the
order of arrival, as many of them as had come, and the verdicts of each fold stand in the next. Only where a redemption is among
them, or waits; and where they came in business order one fold gives the same, for it takes the same steps in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from contracts.events import (
    ConversionRequested,
    Event,
    OrderAmended,
    OrderPlaced,
    RedemptionRequested,
    RewardRequested,
    SubscriptionPointsSet,
)
from worker.decide.change import AccountChange
from worker.decide.errors import Late
from worker.decide.fold import moment_of
from worker.decide.refold import Clock, going_back
from worker.decide.state import Decision, Head, Moment

_ASKS = (ConversionRequested, OrderAmended, RedemptionRequested, RewardRequested, SubscriptionPointsSet)

FoldFirst = Callable[[Sequence[Event], Sequence[Decision], Moment | None], AccountChange | None]
"""Folds new facts into the account as it is loaded, given verdicts that stand, and how far was folded when the last of them
came."""


def asks(fact: Event) -> bool:
    """Whether a fact asks for a verdict."""
    data = fact.data
    if isinstance(data, OrderPlaced):
        return bool(data.points_used or data.use_all_points or data.redemption_id is not None)
    return isinstance(data, _ASKS)


def change_by(
    facts: Sequence[Event], head: Head, clock: Clock, since: Moment | None, fold: FoldFirst
) -> AccountChange | None:
    """What new facts change in an account with this head, in the order of their arrival.

    `since`: from where on history was loaded. Raises Late if that is not far enough back for all of them, and what `fold` raises.
    """
    if _at_once(facts, head, clock):
        return fold(facts, (), None)
    back = going_back(head, sorted(facts, key=lambda fact: fact.key), clock)
    if back is not None and (since is None or since > back):
        raise Late(back)
    turn = _Turns(head, fold)
    for count, fact in enumerate(facts):
        if asks(fact):
            turn.catch_up(facts[:count])
        if asks(fact) or turn.head.waiting:
            turn.catch_up(facts[: count + 1])
    turn.catch_up(facts)
    return turn.change


class _Turns:
    """The account after the first of some facts. `change`: what they changed, None: nothing yet."""

    def __init__(self, head: Head, fold: FoldFirst) -> None:
        self.head = head
        self.change: AccountChange | None = None
        self._fold = fold
        self._count = 0

    def catch_up(self, facts: Sequence[Event]) -> None:
        """Fold so many facts, under the verdicts that were taken when fewer had come."""
        if len(facts) == self._count:
            return
        verdicts = self.change.decisions if self.change is not None else ()
        self.change = self._fold(facts, verdicts, self.head.last)
        self._count = len(facts)
        if self.change is not None:
            self.head = self.change.head


def _at_once(facts: Sequence[Event], head: Head, clock: Clock) -> bool:
    """Whether folding all facts at once gives what folding each by itself would."""
    if len(facts) < 2 or not (head.waiting or any(map(asks, facts))):
        return True
    in_order = all(one.key < other.key for one, other in pairwise(facts))
    first = facts[0]
    late = head.last is not None and moment_of(first) < head.last
    # The clock stands still meanwhile: where it lies behind the facts, each would come after its instants.
    return in_order and not late and not head.waiting and (clock.until is None or clock.until <= first.time)
