"""What is published: balances, tiers, decisions about redemptions, points that are about to lapse, digests of the books."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import AwareDatetime, Field, model_validator
from pydantic_core import PydanticCustomError

from contracts.events.base import Contract
from contracts.events.fields import PRINTABLE_PATTERN, Day, Id, Text

LOT_CHARACTERS_MAX: Final = 10_000
MESSAGE_BYTES_MAX: Final = 500_000
"""Bytes of the data of one published message: far below the megabyte that Kafka takes unless it is told otherwise."""
VARIOUS: Final = "various"
"""`rule` of entries that are summed over several rules."""
CLOCK: Final = "clock"
"""`cause.type` of what happened by the passing of time alone."""
REFOLD: Final = "refold"
"""`cause.type` of numbers that move because the ledger was folded anew, by another release or other terms, and `reason` of each
entry that moves them."""
REFOLD_SOURCE: Final = "loyalty:refold"
"""`cause.source` of these; `cause.id` names the run of the command."""

Bucket = Literal["pending", "available", "held", "granted", "spent", "lapsed", "forfeited", "revoked", "adjusted"]
"""Where points are or went; the first three belong to the account."""

RejectionReason = Literal[
    "not_a_member",
    "store_not_eligible",
    "channel_not_eligible",
    "conditions_not_met",
    "deadline_passed",
    "unknown_order",
    "unknown_redemption",
    "redemption_ended",
    "redemption_mismatch",
    "reward_not_offered",
    "conversion_not_offered",
    "below_minimum",
    "above_maximum",
    "not_a_multiple",
    "line_not_redeemable",
    "exceeds_payable",
    "full_redemption_payment_method",
    "remaining_below_payment_minimum",
    "limit_reached",
    "insufficient_points",
]
"""Why points were refused, in the order in which the reasons are judged: the first that applies is given."""

Counter = Annotated[int, Field(ge=0, le=2**53)]

Sum = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""Points of one movement. One event brings at most POINTS_MAX at a time, but may do so often: sums are bounded by 64 bits."""

SignedSum = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
"""A balance or a change of one; may be negative."""

Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

LotName = Annotated[str, Field(min_length=1, max_length=LOT_CHARACTERS_MAX, pattern=PRINTABLE_PATTERN)]
"""Names a grant within its account: made of the ids of what it was granted for."""


class CauseOut(Contract):
    """What made the change: an input event, or the clock (`type` is "clock", nothing else is set). Where the operators of the
    ledger had points of the past worked out anew, `type` is "refold", `source` "loyalty:refold" and `id` the name of that run."""

    type: Text
    source: Text | None = None
    id: Text | None = None
    order_id: Id | None = None

    @model_validator(mode="after")
    def _event_or_clock(self) -> Self:
        named = self.source is not None and self.id is not None
        if named == (self.type == CLOCK):
            raise PydanticCustomError("cause", "should name an event by source and id, or be the clock")
        return self

    @classmethod
    def clock(cls) -> Self:
        """The cause of what time alone brings about."""
        return cls(type=CLOCK)


class EntryOut(Contract):
    """One movement of points. `rule` is the id of the rule in the program's terms, `lot` the grant that it belongs to,
    `expires_on` the last usable day of that lot. `effective_at`: the pay day, where points are paid out in money by a change
    that is told as of another instant. Where `reason` is "refold", `corrects` is the reason of the movement of the past that is
    put right (the other way round, if it was too much), and `fold` the version of the calculation that gives it so."""

    reason: Text
    points: Sum
    from_: Bucket = Field(alias="from")
    to: Bucket
    kind: Text | None = None
    lot: LotName | None = None
    expires_on: Day | None = None
    order_id: Id | None = None
    effective_at: AwareDatetime | None = None
    corrects: Text | None = None
    fold: Counter | None = None
    rule: Text


class Summed(Contract):
    """That the entries of a message are sums. `entries`: how many the ledger has of this version; `by`: the fields that all
    entries of one sum share."""

    entries: Counter
    by: tuple[Text, ...]


class Change(Contract):
    """How much the buckets of an account moved."""

    available: SignedSum
    pending: SignedSum
    on_hold: SignedSum


class Published(Contract):
    """What all that is published says: whose account, and which version of it. `version` counts without gaps; `epoch` is
    raised when a database was restored from a backup."""

    program: Id
    member_id: Id
    epoch: Counter
    version: Counter

    def to_json(self) -> bytes:
        """The data of the published event, without fields that are not set."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


class BalanceChanged(Published):
    """The account's balances after a change; every version is announced by exactly one of these.

    Where `entries` would make the data larger than 500,000 bytes, or than the topic takes, they are summed, no further than is
    necessary: by reason, from, to, rule, kind and expires_on; by reason, from, to and rule; by reason, from and to (`rule` is
    "various" where it differs). Always by effective_at, corrects and fold too. Then `summed` is there, and lot and order_id are
    not. Sums of points by reason, from and to stay exact, and so do the balances.
    """

    available: SignedSum
    pending: SignedSum
    on_hold: SignedSum
    change: Change
    effective_at: AwareDatetime
    cause: CauseOut
    entries: tuple[EntryOut, ...]
    summed: Summed | None = None


class TierChanged(Published):
    """The member's tier after a change."""

    tier: Text
    previous_tier: Text | None = None
    direction: Literal["up", "down"]
    effective_at: AwareDatetime
    rule: Text
    cause: CauseOut


class RedemptionDecided(Published):
    """The answer to a wish to use points. `cause`: the event that asked. `amendment_id`: with `order_id`, of an order that was
    changed to use more points, `points` in all; refused, it stays as it was."""

    order_id: Id | None = None
    amendment_id: Id | None = None
    request_id: Id | None = None
    redemption_id: Id | None = None
    decision: Literal["accepted", "rejected"]
    points: Sum
    reason: RejectionReason | None = None
    cause: CauseOut | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.order_id is None and self.request_id is None and self.redemption_id is None:
            raise PydanticCustomError("subject_missing", "should have order_id, request_id or redemption_id")
        if (self.decision == "rejected") != (self.reason is not None):
            raise PydanticCustomError("reason", "should have a reason exactly if rejected")
        return self


class PointsExpiring(Published):
    """Points that lapse soon unless they are used; `expires_on` is their last usable day."""

    points: Sum
    expires_on: Day
    days_left: Counter


class MissingAmount(Contract):
    """How much is missing of what is measured toward tiers: of a measure of the terms by its name (the only one: by what it is
    of). Money is in the minor unit."""

    measure: Text
    amount: Sum


class TierExpiring(Published):
    """A level that is lost soon unless something else happens. `until`: its last day; `missing`: what would have to count now to
    keep it, `any_of` it or all; empty if no amount keeps it (a level that was given, one that inactivity costs)."""

    tier: Text
    until: Day
    days_left: Counter
    missing: tuple[MissingAmount, ...] = ()
    any_of: bool = False


VoucherStatus = Literal["open", "used", "given_back", "lapsed", "voided", "withdrawn"]
"""What has become of a voucher. It can be used while it is `open`, or was `given_back` because its order was cancelled.
`withdrawn`: by the ledger, because what it was made of is not there (any more)."""


class VoucherIssued(Published):
    """A voucher as it stands from `effective_at` on; told when it is issued, and again whenever its status changes.

    `voucher_id` names it within its account for ever. `value`: in the minor unit of the program's currency; `item`: what else it
    is good for. `expires_on`: the last day on which it can be used. `order_id`: on which it was used.
    """

    voucher_id: Id
    name: Text
    status: VoucherStatus
    value: Sum | None = None
    item: Text | None = None
    expires_on: Day | None = None
    order_id: Id | None = None
    rule: Text
    effective_at: AwareDatetime


class LedgerDigest(Contract):
    """A digest of a program's books, chained to the one before: who keeps it can tell later whether they were rewritten.

    `kind` "seal": over the heads of all chains of facts as they stood at the instant `period`. `number` counts from 1; `entries`:
    how many facts are under it, in so many `accounts`; `root`: of the Merkle tree over the heads; `digest`: of all of this and of
    `previous`, the digest before. Hashes are SHA-256 in hex.
    """

    program: Id
    kind: Literal["seal"]
    period: Text
    number: Counter
    epoch: Counter
    accounts: Counter
    entries: Counter
    root: Hash
    digest: Hash
    previous: Hash | None = None

    def to_json(self) -> bytes:
        """The data of the published event, without fields that are not set."""
        return self.model_dump_json(exclude_none=True).encode()


TOPICS_OUT: Final[dict[str, type[Published] | type[LedgerDigest]]] = {
    "loyalty.balance-changed": BalanceChanged,
    "loyalty.tier-changed": TierChanged,
    "loyalty.redemption-decided": RedemptionDecided,
    "loyalty.points-expiring": PointsExpiring,
    "loyalty.tier-expiring": TierExpiring,
    "loyalty.voucher-issued": VoucherIssued,
    "loyalty.ledger-digest": LedgerDigest,
}
"""Topic, which is also the event type → model of its data."""

DLQ_SUFFIX: Final = ".loyalty.dlq"
"""What breaks the contract on topic T goes to T + this."""
