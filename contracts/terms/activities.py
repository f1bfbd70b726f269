"""What members earn by something other than a purchase."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.terms.values import DecimalText, Name, Part, Points, RuleId, When


class Multiplier(Part):
    """Points are multiplied when the condition holds; several multiply in turn, and the result is floored once."""

    times: DecimalText
    when: When


class Activity(Part):
    """Points for something other than a purchase. `points` None = the number in the event.

    `when`: what must hold for it, else the next one of its event is looked at. `bought`: only for a product that was bought, in
    an order that was not cancelled since. `order_cancelled`: whether points that came before such a cancel stay, or are taken
    back with it; what they counted for by then (a cap, a tier) stays counted.
    """

    id: Name
    rule: RuleId
    event: Literal["member.registered", "member.enrolled", "review.posted", "survey.won", "activity.completed"]
    activity: str | None = None
    points: Points | None = None
    when: When = When()
    kind: Name = "regular"
    multipliers: tuple[Multiplier, ...] = ()
    once_per: Literal["member", "sku", "order", "reference", "day", "event"] = "reference"
    bought: bool = False
    order_cancelled: Literal["kept", "revoked"] = "kept"
    countries: tuple[str, ...] = ()
    delay_hours: Annotated[int, Field(ge=0, le=24 * 366)] = 0
