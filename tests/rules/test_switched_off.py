"""A rule that is switched off is missed: of the tests named after it, at least one fails then.

Each entry changes the terms so that they no longer carry the rule out; the tests of that rule are then run again over them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any, Final

import pytest

from tests.rules import story
from tests.rules.covered import RULES
from tests.rules.heard import Heard
from tests.rules.test_every_rule import TERMS, stories_of
from worker.decide.program import Program
from worker.programs.terms_file import changed, versions

_EVERYONE = {"membership.by": "member_id"}
_KEPT = {"reversal.earned_points.pending": "keep", "reversal.earned_points.available": "keep"}
_WORTH_TWO = {"point_value": "2"}
_TAX_TOO = {"earning.tax": "inclusive"}
_OUTLET = {"membership.stores.eligible": ["lenovo_pro_jp", "lenovo_outlet"], "membership.stores.excluded": []}
_ONE_LEVEL = [{"name": "regular", "threshold": 0}]
_AT_DELIVERY = {"maturity.after": [{"event": "delivery", "days": 0}]}
_NOT_WITH_POINTS = {"categories": ["sale", "voucher"], "mixed": "refuse"}

OFF: Final[dict[str, dict[str, Any]]] = {
    "LEN-01": _OUTLET,
    "LEN-02": _EVERYONE,
    "LEN-05": {"membership.stores.eligible": ["lenovo_pro_jp", "lenovo_personal_jp"]},
    "LEN-06": {"membership.signed_in": False},
    "LEN-07": _OUTLET,
    "LEN-08": {"reversal.used_points.0.outcome": "forfeited"},
    "LEN-09": {"earning.excluded": [], "redemption.not_redeemable": None},
    "LEN-10": {"earning.components.purchase.rates": []},
    "LEN-11": _WORTH_TWO,
    "LEN-12": {"earning.points_used": "net"},
    "LEN-13": _TAX_TOO,
    "LEN-14": {"earning.rate_date": "credit"},
    "LEN-15": {"earning.campaigns": []},
    "LEN-16": {"maturity.shown": "never"},
    "LEN-17": {"maturity.after": [{"event": "order", "days": 0}]},
    "LEN-18": {"maturity.after.0.days": 0},
    "LEN-19": _EVERYONE,
    "LEN-20": {"earning.caps": []},
    "LEN-21": {"earning.caps.0.refuses": []},
    "LEN-22": {"maturity.release": "manual"},
    "LEN-23": {"redemption.minimum": 10},
    "LEN-24": {"redemption.full": None},
    "LEN-25": {"redemption.minimum": 100_000},
    "LEN-26": {"expiry.terms.0.months": 12},
    "LEN-27": {"activities.survey.delay_hours": 25},
    "LEN-28": _EVERYONE,
    "LEN-29": {"expiry.terms": []},
    "LEN-30": {"activities.survey.countries": []},
    "LEN-31": {"tiers.levels": [{"name": "Pro", "threshold": 0}]},
    "LEN-32": _KEPT,
    "ANS-01": {"tiers.levels": _ONE_LEVEL},
    "ANS-02": {"earning.components.subscription.rates": [{"rate": "0.01"}]},
    "ANS-03": {"earning.components.one_off.rates": []},
    "ANS-04": {"redemption.channels": []},
    "ANS-05": {"membership.by": "enrolment"},
    "ANS-06": {"membership.registration_channels": []},
    "ANS-07": _EVERYONE,
    "ANS-08": {"redemption.ceiling": "goods"},
    "ANS-09": {"redemption.minimum_left.1.amount": 0},
    "ANS-10": {"redemption.minimum_left.0.amount": 0},
    "ANS-11": {"redemption.minimum_left.2.amount": 2},
    "ANS-12": {"redemption.full": None},
    "ANS-13": {"rewards.items": {}},
    "ANS-14": {"rewards": None},
    "ANS-15": {"rewards.carrier_reversed": "back_if_unshipped"},
    "ANS-16": {"rewards.deadline.business_days": 0},
    "ANS-17": {"redemption.minimum": 2},
    "ANS-18": {"redemption.subscription.deadline.business_days": 0},
    "ANS-19": _AT_DELIVERY,
    "ANS-20": {"earning.fees": "earn"},
    "ANS-21": {"earning.points_used": "gross"},
    "ANS-24": _KEPT,
    "ANS-25": {"reversal.used_points.0.days": 0},
    "ANS-26": {"earning.campaigns": []},
    "ANS-27": {"earning.excluded": []},
    "ANS-28": {"expiry.terms": [{"rule": "ANS-28", "months": 12}]},
    "PUP-01": {"membership.starts_at": None},
    "PUP-02": _TAX_TOO,
    "PUP-03": {"maturity.after.0.days": 0},
    "PUP-04": {"maturity.after": [{"event": "shipment", "days": 0}]},
    "PUP-05": {"earning.components.purchase.rates.0.rate": {"points": 1, "per": 10}},
    "PUP-06": _WORTH_TWO,
    "PUP-07": {"earning.exchange": None},
    "PUP-08": {"amendments": []},
    "PUP-09": {"redemption.minimum": 500},
    "PUP-10": {"redemption.ceiling": "goods"},
    "PUP-11": {"redemption.taken_at": "shipment"},
    "PUP-12": {"earning.points_used": "gross"},
    "PUP-13": {"maturity.after": [{"event": "payment", "days": 3}]},
    "PUP-14": {"maturity.by": "shipment"},
    "PUP-15": {"earning.fees": "earn"},
    "PUP-16": _TAX_TOO,
    "PUP-17": {"earning.excluded": [{"rule": "PUP-17", "categories": ["sale"]}]},
    "PUP-18": {"earning.points_used": "gross"},
    "PUP-19": {"redemption.not_redeemable": {"rule": "PUP-19", **_NOT_WITH_POINTS}},
    "PUP-20": {"redemption.not_redeemable": {"rule": "PUP-20", **_NOT_WITH_POINTS}},
    "PUP-21": _EVERYONE,
    "PUP-22": {"membership.earning_channels": []},
    "PUP-24": {"reversal.used_points.0.outcome": "back"},
    "PUP-25": {"expiry.pool": None},
    "PUP-26": _KEPT,
    "SCO-01": {"activities.registration.points": 0},
    "SCO-02": {"activities.birthday_coupon.voucher.value": 500},
    "SCO-03": {"activities.review.points": 0},
    "SCO-04": {"earning.components.purchase.rates": [{"rate": "0.01"}]},
    "SCO-05": {"tiers.window": {"type": "rolling_months", "months": 12}},
    "SCO-06": {"tiers.inactivity": None},
    "SCO-07": {"tiers.inactivity.restore": "ignored"},
    "SCO-08": {"earning.excluded": []},
    "SCO-09": {"earning.components.purchase.product_rate": "ignored"},
    "SCO-10": {"membership.stores.eligible": ["scolar_web", "scolar_shop_counter"], "membership.stores.excluded": []},
    "SCO-11": {"maturity.after.0.days": 0},
    "SCO-12": _KEPT,
    "SCO-13": {"adjustment.rule": "SCO-10"},
    "SCO-14": {"reversal.used_points.0.outcome": "back"},
    "SCO-15": {"reversal.used_points.1.outcome": "forfeited"},
    "SCO-16": {"tiers.judgements.0.on": {"yearly": "01-11"}},
    "SCO-17": {"tiers.judgements": [{"on": "change"}]},
    "SCO-18": {"tiers.measure.counted_at": "order", "tiers.measure.returns": "ignored"},
    "SCO-19": {"tiers.measure.judged_days_after_order": 0},
    "SCO-20": {"redemption.minimum": 1},
    "SCO-21": {"redemption.maximum": None},
    "SCO-22": {"redemption.channels": []},
    "SCO-23": {"redemption.ceiling": "goods"},
    "SCO-24": {"earning.points_used": "gross"},
    "SCO-25": {"expiry.pool.prolonged_by": ["order"]},
    "SCO-26": {"expiry.fixed_rule": None},
    "SCO-27": {"tiers.levels.VIP.threshold": 300_001},
    "SCO-28": _WORTH_TWO,
    "BEL-01": {"earning.components.stage.kind": "basic"},
    "BEL-02": {"earning.components.basic.rates.0.rate.per": 100},
    "BEL-03": {"earning.components.stage.rates": []},
    "BEL-04": {"earning.bonus_points": "ignored"},
    "BEL-05": {"earning.excluded.0.categories": []},
    "BEL-06": {"earning.excluded.1.categories": [], "earning.excluded.1.tags": []},
    "BEL-07": _AT_DELIVERY,
    "BEL-08": {"earning.bonus_points": "ignored"},
    "BEL-09": _KEPT,
    "BEL-10": _KEPT,
    "BEL-11": _WORTH_TWO,
    "BEL-12": {"redemption.not_redeemable": None},
    "BEL-13": {"reversal.used_points.0.outcome": "forfeited"},
    "BEL-14": {"reversal.used_points.1.outcome": "forfeited"},
    "BEL-15": {"reversal.back_expiry.mode": "fresh"},
    "BEL-16": {"reversal.earned_points.shortfall": "write_off"},
    "BEL-17": {"adjustment.rule": "BEL-20"},
    "BEL-18": {"expiry.terms.0.counted_from": "day", "expiry.terms.0.to": "day"},
    "BEL-19": {"earning.bonus_points": "ignored"},
    "BEL-20": {"adjustment.revocation_rule": None},
    "BEL-21": {"earning.caps": [{"rule": "BEL-21", "points": 100}]},
    "BEL-22": {"membership.by": "enrolment"},
    "BEL-23": {"amendments": []},
}


def _calls(rule: str, code: str, heard: Heard) -> Iterator[Callable[[], None]]:
    """Every test named after a rule, with each of its parameters."""
    prefix = f"test_{rule.lower().replace('-', '_')}_"
    for module in stories_of(code):
        for test in (getattr(module, name) for name in dir(module) if name.startswith(prefix)):
            given = [mark.args for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
            columns = [[(names, values) for values in rows] for names, rows in given]
            for chosen in product(*columns):
                arguments: dict[str, Any] = {}
                for names, values in chosen:
                    split = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
                    row = getattr(values, "values", values)
                    arguments |= dict(zip(split, row, strict=True)) if len(split) > 1 else {split[0]: row}
                if "heard" in test.__code__.co_varnames:
                    arguments["heard"] = heard
                yield partial(test, **arguments)


def _fails(call: Callable[[], None]) -> bool:
    try:
        call()
    except (AssertionError, LookupError, StopIteration, ValueError, pytest.fail.Exception):
        return True
    return False


@pytest.mark.parametrize(
    ("code", "rule"), [(code, rule.id) for code, terms in TERMS.items() for rule in terms.rules if rule.parameters]
)
def test_a_rule_that_is_switched_off_is_missed(code: str, rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    off = OFF[rule]
    versions(changed(story.file_of(code), off))  # its terms are right in form, so that what fails is the rule's test

    def without(of: str, changes: str) -> Program:
        return Program(versions(changed(story.file_of(of), {**json.loads(changes), **(off if of == code else {})})))

    monkeypatch.setattr(story, "_program", without)
    assert any(_fails(call) for call in _calls(rule, code, Heard(monkeypatch))), f"no test of {rule} misses it"


def test_every_rule_is_switched_off_or_has_no_effect() -> None:
    acting = {rule.id for terms in TERMS.values() for rule in terms.rules if rule.parameters}
    assert set(OFF) == acting
    assert {prefix for prefix, _ in RULES.values()} == {rule.partition("-")[0] for rule in OFF}
