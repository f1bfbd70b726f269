"""What one step of the fold did, and what of it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from contracts.events import BalanceOpened, Event
from worker.decide.order_records import Voucher
from worker.decide.state import Before, Decision, Entry, Head, Moment


@dataclass(frozen=True, slots=True)
class TierMove:
    """A change of tier, whether it goes up, and the rule that brought it."""

    previous: str
    tier: str
    up: bool
    rule: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Points that lapse in so many days."""

    points: int
    expires_on: date
    days_left: int


@dataclass(frozen=True, slots=True)
class TierNotice:
    """A level that is lost after its last day, and what of which measure is missing to keep it: `any_of` that, or all."""

    tier: str
    until: date
    days_left: int
    missing: tuple[tuple[str, int], ...]
    any_of: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision as subscribers are told it: on which order (or amendment of it), request or redemption."""

    decision: Decision
    order_id: str | None = None
    amendment_id: str | None = None
    request_id: str | None = None
    redemption_id: str | None = None


@dataclass(slots=True)
class Step:
    """What one fact, or one instant of the clock, did to the account."""

    moment: Moment
    event: Event | None
    before: Before
    after: Head
    entries: list[Entry] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    tier: TierMove | None = None
    notices: list[Notice | TierNotice] = field(default_factory=list)
    vouchers: dict[str, Voucher] = field(default_factory=dict)

    @property
    def tells(self) -> bool:
        """Whether anyone outside must hear of it."""
        return bool(self.entries or self.answers or self.tier or self.notices or self.vouchers)

    @property
    def unannounced(self) -> bool:
        """Whether it takes over what the world knows from elsewhere, and need not hear again. It knows of no voucher."""
        opens = self.event is not None and isinstance(self.event.data, BalanceOpened) and not self.event.data.announce
        return opens and not self.vouchers
