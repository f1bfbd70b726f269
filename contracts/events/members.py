"""Events about members: who they are, what they did besides buying, and what they or support staff asked for."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from contracts.events.base import Contract, any_of
from contracts.events.fields import (
    HOLD_SECONDS_MAX,
    POINTS_MAX,
    AttributeName,
    Country,
    Day,
    Id,
    LotName,
    Money,
    Points,
    Quantity,
    SignedPoints,
    Text,
)

OPENED_MAX = 2000
"""Most lots, and most counted amounts, of one opening balance."""


class MemberRegistered(Contract):
    """A person opened an account with the shop."""

    member_id: Id
    channel: Text | None = None
    country: Country | None = None


class MemberEnrolled(Contract):
    """A person joined the point program."""

    member_id: Id
    channel: Text | None = None
    country: Country | None = None


ATTRIBUTES_MAX = 32
"""Most attributes that one event tells, and that are kept of a member."""
LEAP_YEAR = 2000


class Birth(Contract):
    """Month and day of birth; the year is nobody's business."""

    month: Annotated[int, Field(ge=1, le=12)]
    day: Annotated[int, Field(ge=1, le=31)]

    @model_validator(mode="after")
    def _is_a_day(self) -> Self:
        try:
            date(LEAP_YEAR, self.month, self.day)
        except ValueError:
            raise PydanticCustomError("no_such_day", "should be a day of the month") from None
        return self


class MemberUpdated(Contract):
    """What the terms may ask of a member: attributes by name (such as a plan; null: no longer), day of birth, country.

    What is left out stays as it was. It counts from the event's time on: an order keeps what was told before it.
    """

    member_id: Id
    attributes: Annotated[dict[AttributeName, Text | None], Field(max_length=ATTRIBUTES_MAX)] = Field(default_factory=dict)
    birth: Birth | None = None
    country: Country | None = None


class MemberErased(Contract):
    """The person is to be forgotten."""

    member_id: Id


class OpenedLot(Contract):
    """Points brought along from another ledger that lapse together. Without `expires_on` the program's term counts from
    `granted_on` (without that one: from the opening)."""

    points: Annotated[int, Field(ge=1, le=POINTS_MAX)]
    kind: Text | None = None
    expires_on: Day | None = None
    granted_on: Day | None = None


class CountedAmount(Contract):
    """What had counted toward tiers on a day: money in the minor unit, points, or what else the program measures. `measure`: its
    name in the terms, where they have several."""

    on: Day
    amount: Money
    measure: Text | None = None


class BalanceOpened(Contract):
    """A member's standing in another ledger, taken over once: points, tier, and what had counted toward it.

    `last_change_on`: the day from which the expiry of a balance that lapses as one runs. `announce` false: nothing is published
    about it if nothing was published about the account before.
    """

    member_id: Id
    lots: Annotated[tuple[OpenedLot, ...], Field(max_length=OPENED_MAX, fail_fast=True)] = ()
    tier: Text | None = None
    counted: Annotated[tuple[CountedAmount, ...], Field(max_length=OPENED_MAX, fail_fast=True)] = ()
    registered_on: Day | None = None
    enrolled_on: Day | None = None
    last_change_on: Day | None = None
    announce: bool = True


class ReviewPosted(Contract):
    """A product review was published."""

    member_id: Id
    review_id: Id
    sku: Id
    order_id: Id | None = None


class SurveyWon(Contract):
    """The member won points in a survey's draw."""

    member_id: Id
    survey_id: Id
    points: Points


class ActivityCompleted(Contract):
    """The member did something that a program may reward; without `points` the program's terms say how much.

    `store`: the one that it has to do with, such as where a product was bought that is registered; `order_id`: the order that it
    was bought with, whose store counts then. Of a store that the terms exclude it brings nothing.
    """

    member_id: Id
    activity: Text
    reference: Id
    points: Points | None = None
    store: Text | None = None
    order_id: Id | None = None


class PointsAdjusted(Contract):
    """Support staff added or took points; "all" revokes everything."""

    member_id: Id
    points: SignedPoints | Literal["all"]
    kind: Text | None = None
    expires_on: Day | None = None
    reason: Text
    reference: Id | None = None
    operator: Id | None = None


class _PointsOrOrder(Contract):
    model_config = ConfigDict(json_schema_extra=any_of("points", "order_id"))

    member_id: Id
    points: Points | None = None
    order_id: Id | None = None
    reason: Text

    @model_validator(mode="after")
    def _points_or_order(self) -> Self:
        if (self.points is None) == (self.order_id is None):
            raise PydanticCustomError("points_or_order", "should have either points or order_id")
        return self


class PointsHeld(_PointsOrOrder):
    """Points, or those of an order, may not be used until they are released."""


class PointsReleased(_PointsOrOrder):
    """Held points, or those of an order, may be used again."""


class EventRef(Contract):
    """Names an event by its `source` and `id`."""

    source: Id
    id: Id


class PointsVoided(Contract):
    """One grant is taken back, in part or whole: what an event brought, what an order brought, or one lot as entries name it.

    What was spent of it meanwhile is taken from other points, those that last longest first, then below zero. Goods of the order
    that come back later do not take it again.
    """

    model_config = ConfigDict(json_schema_extra=any_of("event", "order_id", "lot"))

    member_id: Id
    event: EventRef | None = None
    order_id: Id | None = None
    lot: LotName | None = None
    points: Annotated[int, Field(ge=1, le=POINTS_MAX)] | None = None
    reason: Text

    @model_validator(mode="after")
    def _one_grant(self) -> Self:
        if sum(each is not None for each in (self.event, self.order_id, self.lot)) != 1:
            raise PydanticCustomError("one_grant", "should have one of event, order_id and lot")
        return self


class RewardRequested(Contract):
    """The member asked for a gift that is paid with points."""

    member_id: Id
    request_id: Id
    reward_sku: Id
    quantity: Quantity


class ConversionRequested(Contract):
    """The member asked to turn points into what a conversion of the program's terms makes of them: one block of points, or
    `points` of them."""

    member_id: Id
    request_id: Id
    conversion: Id
    points: Points | None = None


class _OfVoucher(Contract):
    member_id: Id
    voucher_id: Id
    reason: Text | None = None


class VoucherUsed(_OfVoucher):
    """A voucher was used, on an order or for something else."""

    order_id: Id | None = None


class VoucherVoided(_OfVoucher):
    """A voucher that can still be used, or was, is not valid: nobody is to use it any more."""


class SubscriptionPointsSet(Contract):
    """Points to use on a coming subscription order; replaces an earlier amount."""

    model_config = ConfigDict(json_schema_extra=any_of("order_id", "subscription_id"))

    member_id: Id
    request_id: Id
    order_id: Id | None = None
    subscription_id: Id | None = None
    points: Points

    @model_validator(mode="after")
    def _names_a_target(self) -> Self:
        if self.order_id is None and self.subscription_id is None:
            raise PydanticCustomError("target_missing", "should have order_id or subscription_id")
        return self


class RedemptionRequested(Contract):
    """Points are to be reserved for an order that is not placed yet."""

    member_id: Id
    redemption_id: Id
    points: Points
    store: Id
    expires_in_seconds: Annotated[int, Field(ge=1, le=HOLD_SECONDS_MAX)] | None = None


class RedemptionReleased(Contract):
    """A reservation is given up before an order used it."""

    member_id: Id
    redemption_id: Id
