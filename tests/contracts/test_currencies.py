"""The digits of currencies are those of ISO 4217, and an order in what is no currency is refused."""

from __future__ import annotations

import pytest
from iso4217 import Currency

from contracts.currencies import MINOR_DIGITS
from contracts.events import Event
from tests.contracts.records import ORDER, binary, broken, event


def test_every_currency_of_the_standard_has_its_digits() -> None:
    standard = {each.code: each.exponent for each in Currency}
    assert {code: MINOR_DIGITS.get(code) for code in standard} == standard
    by_digits = {0: ("JPY", "KRW", "VND"), 2: ("USD", "EUR", "HUF"), 3: ("KWD", "BHD", "OMR", "TND"), 4: ("CLF",)}
    assert all(MINOR_DIGITS[code] == digits for digits, codes in by_digits.items() for code in codes)


@pytest.mark.parametrize("code", ["BGN", "HRK", "SLL"])
def test_a_currency_that_has_left_the_standard_is_known_for_the_orders_of_its_time(code: str) -> None:
    assert MINOR_DIGITS[code] == 2


@pytest.mark.parametrize("code", ["XXX", "XAU", "ZZZ"])
def test_an_order_in_what_is_no_currency_is_a_broken_record(code: str) -> None:
    outcome = broken(binary({**ORDER, "currency": code}))
    assert (outcome.reason, outcome.detail) == ("bad_data", "data.currency: should be a currency of ISO 4217, is none")


def test_what_is_kept_stays_a_fact_whatever_the_list_has() -> None:
    told = event(binary({**ORDER, "currency": "KWD"}))
    body = told.body.replace(b"KWD", b"ZZZ")
    kept = Event.from_stored(told.source, told.id, told.type, told.time, told.program, None, body)
    assert kept.body == body
