"""Bounded field types that every event is made of.

Each bound is part of the public contract: it appears in the JSON Schemas too. Units: money is an integer in the
currency's minor unit, points are integers, rates are decimal strings in percent-free form ("0.015" is 1.5 %).
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import Field, GetPydanticSchema, WithJsonSchema
from pydantic_core import core_schema

MONEY_MAX: Final = 10**12
"""Largest amount of money, in minor units, of a field, a line and a whole order: sums stay far inside 64 bits."""
POINTS_MAX: Final = 10**12
QUANTITY_MAX: Final = 1_000_000
LINES_MAX: Final = 1000
PARTS_MAX: Final = 100
TAGS_MAX: Final = 50
MEASURES_MAX: Final = 20
BONUSES_MAX: Final = 500
"""Bonus points of one order, over all its lines: each is a grant of its own in what is published about the order."""
ID_CHARACTERS_MAX: Final = 200
LOT_CHARACTERS_MAX: Final = 2_000
HOLD_SECONDS_MAX: Final = 366 * 86_400
FIRST_DATE: Final = date(1970, 1, 1)
LAST_DATE: Final = date(2200, 12, 31)

# C0 and C1 control characters: Postgres cannot store NUL, and the others are never meant.
PRINTABLE_PATTERN: Final = r"^[^\u0000-\u001F\u007F-\u009F]*$"
# What cannot be seen makes two ids look alike, or one read backwards: format characters, line and paragraph separators.
ID_PATTERN: Final = r"^[^\u0000-\u001F\u007F-\u009F\p{Cf}\p{Zl}\p{Zp}]*$"
ID_PATTERN_IN_SCHEMAS: Final = (
    r"^[^\u0000-\u001F\u007F-\u009F\u00AD\u0600-\u0605\u061C\u06DD\u070F\u0890-\u0891\u08E2\u180E"
    r"\u200B-\u200F\u2028-\u202E\u2060-\u2064\u2066-\u206F\uFEFF\uFFF9-\uFFFB]*$"
)
"""The same where patterns know no categories, up to U+FFFF: beyond, dialects of patterns differ."""
CURRENCY_PATTERN: Final = r"^[A-Z]{3}$"
COUNTRY_PATTERN: Final = r"^[A-Z]{2}$"
RATE_PATTERN: Final = r"^(?:100(?:\.0{1,8})?|[0-9]{1,2}(?:\.[0-9]{1,8})?)$"
DATE_PATTERN: Final = r"^(?:19[7-9][0-9]|20[0-9]{2}|21[0-9]{2}|2200)-[0-9]{2}-[0-9]{2}$"

Id = Annotated[
    str,
    Field(
        min_length=1,
        max_length=ID_CHARACTERS_MAX,
        pattern=ID_PATTERN,
        json_schema_extra={"pattern": ID_PATTERN_IN_SCHEMAS},
    ),
]
"""An identifier given by a producer: 1 to 200 characters, none of them a control, format or line-separator character."""

Text = Annotated[str, Field(min_length=1, max_length=ID_CHARACTERS_MAX, pattern=PRINTABLE_PATTERN)]
"""A code or a short text from an open set (reason, category, payment method, …)."""

LotName = Annotated[str, Field(min_length=1, max_length=LOT_CHARACTERS_MAX, pattern=PRINTABLE_PATTERN)]
"""The name of a lot, as entries of `loyalty.balance-changed` tell it."""

Currency = Annotated[str, Field(pattern=CURRENCY_PATTERN)]
"""ISO 4217 code."""

Country = Annotated[str, Field(pattern=COUNTRY_PATTERN)]
"""ISO 3166-1 alpha-2 code."""

Money = Annotated[int, Field(ge=0, le=MONEY_MAX)]
"""Integer in the currency's minor unit (JPY: yen), never negative."""

Points = Annotated[int, Field(ge=0, le=POINTS_MAX)]
"""A number of points, never negative."""

SignedPoints = Annotated[int, Field(ge=-POINTS_MAX, le=POINTS_MAX)]
"""A change or a balance of points; may be negative."""

Quantity = Annotated[int, Field(ge=1, le=QUANTITY_MAX)]

Measures = Annotated[dict[Text, Annotated[int, Field(ge=0, le=MONEY_MAX)]], Field(max_length=MEASURES_MAX)]
"""How much something is, by unit, as whole numbers: what is sold by decimals is told in thousandths (1.5 kg: {"g": 1500})."""

Coupons = Annotated[tuple[Text, ...], Field(max_length=TAGS_MAX, fail_fast=True)]
"""Codes of coupons."""


AttributeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""What an attribute of a member is called: small letters, digits and underscores."""


def _day_schema(_source: Any, _handler: Any) -> core_schema.CoreSchema:
    # Pydantic's own date takes numbers in strings for seconds since 1970 ("86400"), so text is matched first.
    return core_schema.json_or_python_schema(
        json_schema=core_schema.no_info_after_validator_function(
            date.fromisoformat, core_schema.str_schema(pattern=DATE_PATTERN, strict=True)
        ),
        python_schema=core_schema.date_schema(strict=True, ge=FIRST_DATE, le=LAST_DATE),
        serialization=core_schema.to_string_ser_schema(),
    )


Day = Annotated[
    date,
    GetPydanticSchema(_day_schema),
    WithJsonSchema({"type": "string", "format": "date", "pattern": DATE_PATTERN}),
]
"""A calendar day, YYYY-MM-DD from 1970 to 2200, in the program's time zone."""


def _rate_schema(_source: Any, _handler: Any) -> core_schema.CoreSchema:
    return core_schema.no_info_after_validator_function(
        Decimal,
        core_schema.str_schema(pattern=RATE_PATTERN, strict=True),
        serialization=core_schema.to_string_ser_schema(),
    )


Rate = Annotated[
    Decimal,
    GetPydanticSchema(_rate_schema),
    WithJsonSchema({"type": "string", "pattern": RATE_PATTERN}),
]
"""Decimal string from 0 to 100 with at most 8 decimals: "0.015" is one and a half points per hundred."""
