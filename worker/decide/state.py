"""What the fold keeps of one account: immutable records, replaced and never changed in place.

A record that is replaced leaves its earlier self behind as the *before-image* of the step, so going back in
time is putting the before-images back. Everything here is plain data that msgspec writes as JSON; the store keeps
the head in one row, each open lot in one row, and each item (an order, a request, a mark, ...) in one row.

Units: points and money are integers (money in the currency's minor unit), times are aware datetimes in UTC,
dates are dates of the program's zone.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, Literal, NamedTuple

from msgspec import field

from worker.decide.lot_name import bounded, lot_name
from worker.decide.order_records import Order, Spent, Voucher
from worker.decide.record import Kept, Record
from worker.decide.tally_records import Grant, Tally
from worker.decide.tier_records import Tier

Bucket = Literal["pending", "available", "held", "granted", "spent", "lapsed", "forfeited", "revoked", "adjusted"]
Reason = Literal[
    "earn", "open", "mature", "lapse", "redeem", "reserve", "hand_back", "forfeit", "void", "revoke", "write_off", "adjust",
    "hold", "release", "pay_out", "split", "convert",
]
Verdict = Literal["accepted", "rejected"]
ItemKind = Literal["order", "request", "earmark", "mark", "finding", "early", "tally", "contest", "voucher"]
ItemKey = tuple[ItemKind, str]

CLOCK_RANK = 0
CLOCK_SOURCE = ""  # that of no event, whatever producers call themselves
FORMAT: Final = 10
"""The form in which accounts are kept (head, lots, items, before-images). One kept in another is folded anew from its facts when
it is touched next: raise it whenever a release reads these otherwise than the one before wrote them."""
FOLD_VERSION: Final = 3
"""The version of the fold, which every account keeps: raise it with every mend after which facts of the past come to other points
or tiers. What was posted by another version is moved by a refold alone (`loyalty ledger refold`)."""


class Moment(NamedTuple):
    """A place in business order: at one instant the clock (rank 0) comes first, then facts by rank, source and id."""

    at: datetime
    rank: int
    source: str
    id: str

    @property
    def name(self) -> tuple[str, str]:
        """Under which a decision taken there is kept: the fact's source and id, or the clock and its instant."""
        return (self.source, self.id) if self.rank else (CLOCK_SOURCE, self.at.isoformat())


class Waiting(NamedTuple):
    """A redemption that waits for its verdict: its moment, and the number of the newest snapshot of the topics' ends when it
    began to wait."""

    moment: Moment
    snapshot: int


SNAPSHOTS_AWAITED: Final = 2
"""How many snapshots later a redemption may be refused. When it began to wait, the next snapshot may have been under way, with
ends listed earlier; the one after that was begun later, so its ends lie behind everything that Kafka had acknowledged until
then."""


class Certainty(NamedTuple):
    """How far all topics have been read: `passed` = the newest snapshot of their ends that all positions have reached, `current`
    = the newest one that was taken."""

    passed: int
    current: int

    def may_refuse(self, since: int) -> bool:
        """Whether all has been read that may turn the refusal of what waits since a snapshot."""
        return since + SNAPSHOTS_AWAITED <= self.passed


def cause_of(source: str, id_: str) -> str:
    """The name of a fact, bounded, of which there is one: what separates the two parts does not stand in the second."""
    return bounded(f"{source}:{id_.replace('%', '%25').replace(':', '%3A')}")


def clock_moment(at: datetime) -> Moment:
    """The moment of the clock at an instant: before every fact of that instant."""
    return Moment(at, CLOCK_RANK, "", "")


class Lot(Record, frozen=True):
    """Points of one grant that are still in the account, or were lost by lapse or revoked. One that is spent is kept only where
    it is no order's, so that the grant can be taken back: what an order granted, the order knows.

    `origin` is the order (`order:ID`) or the fact that granted it, `part` tells its lots apart; both name the lot for ever.
    `matures_at` is None until what it waits for has happened, `lapses_at` (after its last day) if the pool or nothing ends it.
    """

    origin: str
    part: str
    kind: str
    granted_at: datetime
    points: int
    rule: str
    pending: int = 0
    available: int = 0
    lapsed: int = 0
    revoked: int = 0  # for cause, so that a return of its goods does not take them again
    voided: int = 0  # of a grant that is no order's: taken back, from here or from elsewhere
    order_id: str | None = None
    matures_at: datetime | None = None
    expires_on: date | None = None
    lapses_at: datetime | None = None
    pooled: bool = False
    fixed: bool = False  # its last day was given at issue
    lapse_rule: str | None = None  # under which it lapses, if that hung on the level at its grant
    notice_at: datetime | None = None  # when the member is next told that it is about to lapse

    @property
    def ref(self) -> str:
        """The lot's name in entries and events."""
        return lot_name(self.origin, self.part)


class Head(Record, frozen=True):
    """The small part of an account that every fact needs. It does not grow with history.

    `birth`: month and day ("12-03"), told `birth_at`; `attributes`: what was told of the member, by name; `entered`: activities
    done that some terms ask for; `orders`: how many orders were not cancelled as a whole.
    `windows`: amounts that count toward tiers, by the first day of their bucket (day, month or year, as the terms ask) and,
    where there are several, the measure. `caps`:
    points that used up a cap, by the first day of its period. `erased_at`: when the person was to be forgotten: what happens to
    them later is of another life. `pool_from`: the last day that prolonged the pool: that of `pool_kept`, or of one of
    `pool_orders`, which may be called off yet (the latest, by order); `pool_until`: before that it does not lapse, for points
    came back into it. `tier_due_at`: when the tier changes next if nothing happens, or the member is told that it will;
    `pay_out_at`: when the balance is paid out, or other terms say anew when; `occasion_at`: the same of an activity by the clock.
    `waiting`: redemptions not yet decided, by moment, because not all has been read that came before them. `deliveries`: orders
    with goods still to send, where something travels with them; `riders`: requests for reward items that wait for such a
    delivery. `issued`: how many vouchers each conversion has brought; `vouchers`: those that can be used and go with their
    points, oldest first. `contested`: another program, or somebody else, has an order with the id of one of the account's (for
    who routes: `worker.processing.routing`). `clock_due_at`: the next instant at which the clock changes something;
    `next_due_at`: that at which it will be done, later where it became due in the past. `format`: the form in which the account
    is kept, `fold`: the version of the fold that gives all that was posted of it (1 if it does not say).
    """

    format: int = 1
    fold: int = 1
    last: Moment | None = None
    registered_at: datetime | None = None
    enrolled_at: datetime | None = None
    country: str | None = None
    channel: str | None = None
    birth: str | None = None
    birth_at: datetime | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    entered: tuple[str, ...] = ()
    orders: int = 0
    erased_at: datetime | None = None
    available: int = 0
    pending: int = 0
    held: int = 0
    arrears: int = 0
    lapsed: int = 0
    forfeited: int = 0
    revoked: int = 0
    tier: Tier | None = None
    windows: dict[str, int] = field(default_factory=dict)
    caps: dict[str, int] = field(default_factory=dict)
    pool_from: date | None = None
    pool_kept: datetime | None = None
    pool_until: datetime | None = None
    pool_orders: dict[str, datetime] = field(default_factory=dict)
    pool_lapses_at: datetime | None = None
    pool_notice_at: datetime | None = None
    tier_due_at: datetime | None = None
    pay_out_at: datetime | None = None
    occasion_at: datetime | None = None
    waiting: tuple[Waiting, ...] = ()
    deliveries: tuple[str, ...] = ()
    riders: tuple[str, ...] = ()
    issued: dict[str, int] = field(default_factory=dict)
    vouchers: tuple[str, ...] = ()
    contested: bool = False
    clock_due_at: datetime | None = None
    next_due_at: datetime | None = None


def awaited_by(head: Head) -> int | None:
    """The snapshot that must be passed before a redemption of the account may be refused; None if none waits."""
    return min(each.snapshot for each in head.waiting) + SNAPSHOTS_AWAITED if head.waiting else None


def blank() -> Head:
    """The head of an account about which nothing is known yet."""
    return Head(format=FORMAT, fold=FOLD_VERSION)


def is_current(head: Head) -> bool:
    """Whether this release can go on from an account as it is kept: it is in this release's form, and posted by its fold."""
    return (head.format, head.fold) == (FORMAT, FOLD_VERSION)


RequestType = Literal["reward", "redemption", "subscription", "conversion"]


class Request(Kept, frozen=True):
    """A request that stands for itself: a reward item, a two-step redemption, a subscription's points, or a conversion (its id is
    the `sku`)."""

    request_id: str
    type: RequestType
    made_at: datetime
    points: int
    status: Literal["open", "waiting", "accepted", "rejected", "captured", "released", "ended", "shipped"] = "open"
    reason: str | None = None
    sku: str | None = None
    quantity: int = 0
    store: str | None = None
    order_id: str | None = None
    subscription_id: str | None = None
    ships_with: str | None = None
    ends_at: datetime | None = None
    spent: tuple[Spent, ...] = ()
    due_at: datetime | None = None


class Earmark(Kept, frozen=True):
    """Points under a name that wait for something: promised for later, set for a subscription's next order, or held by hand."""

    name: str
    values: tuple[str, ...] = ()
    points: int = 0
    spent: tuple[Spent, ...] = ()
    rules: tuple[str, ...] = ()  # by which each of `spent` was set aside
    due_at: datetime | None = None


class Mark(Kept, frozen=True):
    """That something happened once (a review of a product, an activity's reference), so that it earns once.

    Of a product that was bought: by how many `orders`, and the `grants` that are taken back when the last of them is cancelled.
    """

    at: datetime
    due_at: datetime | None = None
    orders: int = 0
    grants: tuple[Grant, ...] = ()


class Finding(Kept, frozen=True):
    """Something that did not fit: what, where, and how much of it was left aside."""

    code: str
    at: datetime
    order_id: str | None = None
    detail: str = ""
    due_at: datetime | None = None


class EarlyFact(Record, frozen=True):
    """A fact of before what it is about, without what named a person; `finding`: as what it is told until it takes effect."""

    at: datetime
    source: str
    id: str
    type: str
    program: str | None
    body: bytes
    finding: str
    detail: str = ""


class Early(Kept, frozen=True):
    """Facts about one thing that were told for a time at which it did not stand, in the order in which they were folded."""

    facts: tuple[EarlyFact, ...]
    due_at: datetime | None = None


class Contest(Kept, frozen=True):
    """That somebody else was told to have placed an order of the account's too, and the latest command that says whose it is.

    `since`: when the account's own first telling of it was, as far as it is known; `lost`: the command names somebody else.
    """

    since: datetime
    contested: bool = False
    decided: Moment | None = None
    lost: bool = False
    due_at: datetime | None = None


Item = Order | Request | Earmark | Mark | Finding | Early | Tally | Contest | Voucher


class Entry(Record, frozen=True):
    """Points that moved from one bucket of the account to another; always positive, always both sides."""

    reason: Reason
    points: int
    source: Bucket
    target: Bucket
    rule: str
    kind: str | None = None
    lot: str | None = None
    expires_on: date | None = None
    order_id: str | None = None


AMBIGUOUS_ORDER: Final = "ambiguous_order"
"""Why a fact is withdrawn: it names an order and no program, and several programs have an order of that id."""


class Decision(Record, frozen=True):
    """A verdict on a redemption, or a sum paid out, that the world has been told: never taken again, only read.

    Keyed by the fact that asked (`source`, `id`) or the clock's instant; `points` is the number taken (for use-all, the number
    found). One that `withdraws` its fact is told as a dead letter: the fact is kept and folded no more.
    """

    source: str
    id: str
    verdict: Verdict
    points: int
    reason: str | None = None

    @property
    def withdraws(self) -> bool:
        """Whether the fact does not count."""
        return self.reason == AMBIGUOUS_ORDER


def withdrawal(source: str, id_: str) -> Decision:
    """The decision that a fact does not count, for it cannot be told whose it is."""
    return Decision(source, id_, "rejected", 0, AMBIGUOUS_ORDER)


class Before(Record, frozen=True):
    """The before-images of one step: the head, and every lot and item it replaced (None = it was not there)."""

    head: Head
    lots: dict[str, Lot | None] = field(default_factory=dict)
    items: dict[ItemKey, Item | None] = field(default_factory=dict)
