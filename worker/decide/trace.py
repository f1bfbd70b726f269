"""How the fold came to a number: what it notes of its own working, for whoever asks why points moved.

Nothing is calculated a second time: the fold writes down the numbers that it uses. Where nobody asks, nothing is noted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from worker.decide.amounts import Factor
from worker.decide.state import Entry, Lot, Moment


class Term(NamedTuple):
    """One step of what a portion earns: `points` for all up to this portion, of which `before` are those of earlier ones.

    `rate`: on `amount`, in the program's currency, after points used were taken off where the terms do so; rates that count
    something else, on what of it was `counted`. `bonus`: points of a product, for so many `pieces` of a line's.
    """

    portion: str
    how: Literal["rate", "bonus"]
    points: int
    before: int
    amount: int = 0
    rates: tuple[Factor, ...] = ()
    tier: str | None = None
    campaigns: tuple[str, ...] = ()
    pieces: int = 0
    of: int = 0
    counted: tuple[int, ...] = ()


class Share(NamedTuple):
    """What a portion of an order earns, should hold within what caps left it, and held before. `matures_at`: if known."""

    portion: str
    pieces: tuple[tuple[str, int], ...]
    earned: int
    should: int
    held: int
    matures_at: datetime | None


class Cut(NamedTuple):
    """A cap that left less than was wanted: its points, what was used of it before, and what there was room for."""

    rule: str
    period: str
    points: int
    used: int
    wanted: int
    allowed: int


@dataclass(slots=True)
class Settling:
    """What an order earns from one source, brought up to date. `total` is what its entries come to: granted less taken back.

    `cut`: points that a cap did not let through. `lapsed`, `revoked`: of what is to be taken back, what had lapsed or been
    revoked already; `written_off`: what was spent and is not claimed.
    """

    order_id: str
    source: str
    rule: str
    terms: tuple[Term, ...] = ()
    shares: tuple[Share, ...] = ()
    cuts: list[Cut] = field(default_factory=list)
    cut: int = 0
    lapsed: int = 0
    revoked: int = 0
    written_off: int = 0

    @property
    def total(self) -> int:
        """Points granted (or, below zero, taken back) by the entries of this working."""
        change = sum(share.should - share.held for share in self.shares)
        return change - self.cut + self.lapsed + self.revoked + self.written_off


class Rated(NamedTuple):
    """What a rate brings on an amount: so many points were `wanted`, of which a limit left these."""

    amount: int
    rate: Factor
    wanted: int
    points: int


@dataclass(slots=True)
class Tallied:
    """What the orders of a period have come to for a challenge, and the points that this brings (or, below zero, takes).

    `rated`: how rates came to these points; `limit`: of so many in all there was room for fewer; `before`: it had brought.
    """

    challenge: str
    period: str
    of: str
    value: int
    total: int
    rated: tuple[Rated, ...] = ()
    limit: tuple[int, int] | None = None
    before: int = 0


class Converting(NamedTuple):
    """Blocks of points that are taken for a conversion or a voucher, or made of others: how many points `each` has."""

    into: str
    each: int
    blocks: int

    @property
    def total(self) -> int:
        """Points taken, or made."""
        return self.each * self.blocks


class Detached(NamedTuple):
    """Used points on one line, and how many of them sat on pieces that are gone."""

    line_id: str
    sku: str
    quantity: int
    gone: int
    used: int
    detached: int


@dataclass(frozen=True, slots=True)
class Reversing:
    """Used points that come off goods which were cancelled, returned or exchanged. `done`: what had come off before; `later`:
    points that are on their way back, until `at`."""

    order_id: str
    kind: str
    reason: str | None
    how: str
    lines: tuple[Detached, ...]
    detached: int
    done: int
    later: int
    at: datetime

    @property
    def total(self) -> int:
        """Points that moved at once."""
        return self.detached - self.done - self.later


@dataclass(slots=True)
class Doing:
    """Points for something other than a purchase: `each`, multiplied, within the caps."""

    activity: str
    each: int
    times: tuple[str, ...]
    amount: int
    cuts: list[Cut] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Points granted."""
        return self.cuts[-1].allowed if self.cuts else self.amount


Working = Settling | Reversing | Doing | Tallied | Converting


class Noted(NamedTuple):
    """One movement of points with its lot (as it was) and the working under which it was posted (None: it moved as a whole)."""

    moment: Moment
    entry: Entry
    lot: Lot | None
    working: Working | None


class Trace:
    """What is noted while an account is folded."""

    __slots__ = ("later", "multiplied", "noted", "working")

    def __init__(self) -> None:
        self.noted: list[Noted] = []
        self.multiplied: dict[str, tuple[int, tuple[str, ...]]] = {}  # by cause: an activity's points, and what multiplied them
        self.working: Working | None = None
        self.later: dict[tuple[str, datetime], tuple[Moment, Reversing]] = {}  # by order and instant: used points on their way

    def posted(self, moment: Moment, entry: Entry, lot: Lot | None) -> None:
        """Note a movement under the working that is open."""
        self.noted.append(Noted(moment, entry, lot, self.working))

    def cap(self, cut: Cut) -> None:
        """Note that a cap left less than was wanted."""
        if isinstance(self.working, Settling | Doing):
            self.working.cuts.append(cut)
