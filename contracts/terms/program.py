"""A program: one version of its terms, and a file of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from contracts.terms.activities import Activity
from contracts.terms.challenges import Challenge
from contracts.terms.conversions import Conversion
from contracts.terms.earning import Calendar, Earning, Expiry, Maturity, Membership
from contracts.terms.published import Case, Question, Rule, ShopWords
from contracts.terms.redemption import Adjustment, PayOut, Redemption, Reversal, Rewards
from contracts.terms.tiers import Tiers
from contracts.terms.values import Code, DecimalText, Instant, Part, RuleId, Text


class Terms(Part):
    """One version of one program's terms, in force from `effective_from` until the next version.

    `point_value`: what one point pays, in the currency (`"0.01"`: a cent); all amounts of money are in its minor unit.
    `unknown_order`: an event about an order that has not come is kept and applied when it comes, or refused, so that whoever sent
    it must send it again.
    """

    program: Code
    name: Text
    words: ShopWords = ShopWords()
    effective_from: Instant
    zone: str = "Asia/Tokyo"
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "JPY"
    point_value: DecimalText = "1"
    point_value_rule: RuleId | None = None
    unknown_order: Literal["kept", "refused"] = "kept"
    calendar: Calendar = Calendar()
    membership: Membership
    earning: Earning
    maturity: Maturity
    expiry: Expiry = Expiry()
    redemption: Redemption
    reversal: Reversal
    tiers: Tiers | None = None
    activities: tuple[Activity, ...] = ()
    challenges: tuple[Challenge, ...] = ()
    conversions: tuple[Conversion, ...] = ()
    rewards: Rewards | None = None
    adjustment: Adjustment
    pay_out: PayOut | None = None
    notice_days: tuple[Annotated[int, Field(ge=0, le=366)], ...] = ()
    rules: tuple[Rule, ...] = ()
    questions: tuple[Question, ...] = ()
    cases: tuple[Case, ...] = ()


class Amendment(Part):
    """A later version: from when, and which values change (dotted paths; a list's items by number)."""

    effective_from: Instant
    set: dict[str, Any]


class ProgramFile(Terms):
    """A program as it stands in a file: the first version and the amendments that followed."""

    amendments: tuple[Amendment, ...] = ()
