"""What the fold keeps of the parts of an order that was split: which pieces each has. Units as in `state.py`."""

from __future__ import annotations

from worker.decide.record import Record


class Pieces(Record, frozen=True):
    """Pieces of a line that are of one part of its order, and what has become of them, as in `OrderLine`."""

    quantity: int = 0
    unshipped: int = 0
    cancelled: int = 0
    refused: int = 0
    returned: int = 0
    delivered: int = 0
    awaiting: int = 0

    @property
    def kept(self) -> int:
        """Pieces that were neither cancelled nor returned."""
        return self.quantity - self.cancelled - self.returned

    @property
    def shipped(self) -> int:
        """Pieces that have shipped and stay with the member."""
        return self.kept - self.unshipped


class Part(Record, frozen=True):
    """What of an order goes on under an id of its own: pieces by line. What they come to is worked out from the order as a whole.

    `under`: the ids that were split, from the order's first one on. `fees`, `other_fees` of them, and `discount`: of the order's,
    the part's. `paid`: its payment came, while that of others is not known.
    """

    order_id: str
    under: tuple[str, ...]
    pieces: dict[str, Pieces]
    fees: int = 0
    other_fees: int = 0
    discount: int = 0
    paid: bool = False
