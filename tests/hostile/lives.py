"""Lives of a member made of extreme events that keep the contract: every number at its bounds, times at the ends of time, ids in
every script, lines by the thousand, and reversals of what never was. A life is a function of its seed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any, Final

from contracts.events import EVENT_TYPES
from contracts.events.fields import BONUSES_MAX, HOLD_SECONDS_MAX, LINES_MAX, MONEY_MAX, POINTS_MAX, QUANTITY_MAX, TAGS_MAX
from contracts.events.members import OPENED_MAX
from tests.parts.topics import topic_of
from worker.decide.program import Program
from worker.decode import Limits, Record
from worker.programs.terms_file import load, shipped

NOW: Final = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
MEMBER: Final = "会員\u3000😀"
NAMES: Final = (
    "O", "1", "2", "0", "all", "null", "a/b", "a:b", "a|b", "a b", ",", "{}", "%s", "'; --", '"', "\\", "\u00a0", "\U000e0100",
    "\u3000abc", "é", "e\u0301", "ﷺ", "Ｏ", "😀", "x" * 200, "注" * 200, "clock",
)  # fmt: skip
"""Ids and texts that a contract of 200 printable characters lets through."""
DAYS: Final = ("1970-01-01", "1999-12-31", "2024-02-29", "2026-11-20", "2026-12-31", "2100-02-28", "2200-12-31")
RATES: Final = ("0", "0.00000001", "0.015", "1", "99.99999999", "100", "100.00000000")
EXTRA: Final = {"note": {"deep": [[[["x"]]]]}, "unit_price": -1, "amount": 1e300, "\u202e": None}
_OWN_PROGRAMS: Final = Path(__file__).parents[1] / "rules" / "programs"


@lru_cache(maxsize=1)
def programs() -> dict[str, Program]:
    """The shipped programs, and the two that the tests write, by code."""
    paths = {**shipped(), **{path.stem: path for path in sorted(_OWN_PROGRAMS.glob("*.yaml"))}}
    return {code: load(path) for code, path in paths.items()}


def life(program: Program, seed: int, events: int = 30, member: str = MEMBER) -> list[Record]:
    """Records of one life, in the order in which they are delivered, which is not that of their times."""
    return _Maker(program, seed, member).make(events)


class _Maker:
    def __init__(self, program: Program, seed: int, member: str) -> None:
        self.rng = rng = Random(seed)
        self.terms = terms = program.versions[0].terms
        self.member = member
        self.large = rng.random() < 0.15
        self.names = rng.sample(NAMES, 4)
        self.times: list[datetime] = []
        self.lines: dict[str, list[dict[str, Any]]] = {}
        self.count = 0
        levels = [level.name for level in terms.tiers.levels] if terms.tiers else []
        self.tiers = [*levels, "no such tier"]
        self.kinds = sorted({terms.adjustment.kind, *(each.kind for each in terms.earning.components), "x" * 200})
        self.conversions = [each.id for each in terms.conversions]
        self.rewards = [*terms.rewards.items, "X"] if terms.rewards else ["X"]
        self.activities = [rule.activity for rule in terms.activities if rule.activity] or ["visit"]
        self.reasons = ["x" * 200, *(name for row in terms.reversal.used_points for name in row.reasons)]
        self.categories = [name for rule in terms.earning.excluded for name in rule.categories] or ["x"]
        self.types = sorted(EVENT_TYPES)

    def make(self, events: int) -> list[Record]:
        """Mostly what brings points first, then everything at random; now and then two records say the same."""
        rng = self.rng
        records = [self.record("member.registered"), self.record("member.enrolled")]
        while len(records) < events:
            records.append(self.record(rng.choice(self.types) if rng.random() < 0.6 else "order.placed"))
            if rng.random() < 0.05:
                records.append(rng.choice(records))
        if rng.random() < 0.5:
            rng.shuffle(records)
        return records

    def record(self, type_: str) -> Record:
        """One event in structured mode."""
        rng = self.rng
        data = getattr(self, "_" + type_.replace(".", "_").replace("-", "_"))()
        data = {name: value for name, value in data.items() if value is not None}
        if rng.random() < 0.05:
            data = {**EXTRA, **data}
        self.count += 1
        id_ = rng.choice(self.names) if rng.random() < 0.03 else f"{self.count}{rng.choice(self.names)}"[:200]
        event: dict[str, Any] = {"specversion": "1.0", "id": id_, "source": rng.choice(self.names), "type": type_}
        event |= {"time": self.time(), "program": self.terms.program, "data": data}
        value = json.dumps(event, ensure_ascii=rng.random() < 0.5).encode()
        return Record(topic_of(value), 0, self.count, int(NOW.timestamp() * 1000), None, value, ())

    # -- values

    def time(self) -> str:
        """Any time that is accepted: the first and last, one that was already, the end of a month, with any offset."""
        rng = self.rng
        roll = rng.random()
        if roll < 0.3 and self.times:
            at = rng.choice(self.times) + rng.choice([0, 0, 0, 1, -1]) * timedelta(microseconds=1)
        elif roll < 0.4:
            at = rng.choice([datetime(1970, 1, 1, tzinfo=UTC), NOW, NOW + timedelta(seconds=Limits().skew_seconds_max)])
        elif roll < 0.5:
            day = datetime.fromisoformat(rng.choice(DAYS[:4])).replace(tzinfo=UTC)
            at = day + rng.choice([0, -9, 9, 15]) * timedelta(hours=1)
        else:
            at = NOW - timedelta(seconds=rng.randrange(rng.choice([10, 86_400, 400 * 86_400, 56 * 365 * 86_400])))
        at = min(max(at, datetime(1970, 1, 1, tzinfo=UTC)), NOW + timedelta(seconds=Limits().skew_seconds_max))
        self.times.append(at)
        if at.year == 1970:
            return at.isoformat()
        return at.astimezone(timezone(rng.choice([0, -840, 840, 345]) * timedelta(minutes=1))).isoformat()

    def some(self, *values: Any) -> Any:
        """One of these, or none."""
        return self.rng.choice([None, *values])

    def name(self) -> str:
        return self.rng.choice(self.names)

    def points(self) -> int:
        return self.rng.choice([0, 1, 99, 100, 3_000, 10**6, POINTS_MAX - 1, POINTS_MAX, self.rng.randrange(POINTS_MAX)])

    def money(self, most: int) -> int:
        rng = self.rng
        return min(most, rng.choice([0, 1, 99, 1_000, 10**6, most, most - 1 if most else 0, rng.randrange(most + 1)]))

    def line(self, index: int, room: int) -> dict[str, Any]:
        """A line of at most `room` minor units, tax included."""
        rng = self.rng
        quantity = rng.choice([1, 1, 2, 3, QUANTITY_MAX, rng.randrange(1, QUANTITY_MAX)])
        if room < quantity:
            quantity = 1
        price = self.money(room // quantity)
        goods = price * quantity
        line: dict[str, Any] = {"sku": rng.choice(["A", self.name()]), "quantity": quantity, "unit_price": price}
        line["discount"] = rng.choice([0, goods, self.money(goods)])
        line["tax"] = self.money(room - goods + line["discount"]) if rng.random() < 0.7 else 0
        line["line_id"] = self.some(f"L{index}", f"{self.name()}{index}"[-200:])
        line["category"] = self.some(self.name(), *self.categories)
        line["list_price"] = self.some(0, MONEY_MAX, price)
        line["point_rate"] = self.some(*RATES)
        if rng.random() < 0.1:
            line["tags"] = [self.name() for _ in range(rng.choice([0, 1, TAGS_MAX]))]
        if rng.random() < 0.2:
            line["bonus_points"] = [self.bonus() for _ in range(rng.choice([1, 2, TAGS_MAX if not self.large else 1]))]
        return {name: value for name, value in line.items() if value is not None}

    def bonus(self) -> dict[str, Any]:
        bonus = {"points": self.points(), "kind": self.some(*self.kinds), "expires_on": self.some(*DAYS)}
        return {name: value for name, value in bonus.items() if value is not None}

    def order_lines(self) -> list[dict[str, Any]]:
        rng = self.rng
        count = rng.choice([200, LINES_MAX]) if self.large and rng.random() < 0.3 else rng.choice([1, 1, 2, 3, 8])
        total = rng.choice([0, count, 10_000 * count, 10**9, MONEY_MAX])
        lines = [self.line(index, total // count) for index in range(count)]
        if self.large and rng.random() < 0.3:
            for number in range(BONUSES_MAX - sum(len(line.get("bonus_points", ())) for line in lines)):
                lines[number % count].setdefault("bonus_points", []).append(self.bonus())
            for line in lines:
                line["bonus_points"] = line.get("bonus_points", [])[:TAGS_MAX]
        return lines

    def order_id(self) -> str:
        """One that was placed, or one that never was."""
        known = list(self.lines)
        return self.rng.choice(known) if known and self.rng.random() < 0.9 else self.name()

    def refs(self, lines: Sequence[Mapping[str, Any]]) -> Any:
        """Everything, some pieces, more than there are, lines that nobody ordered, a line by its id and again by its sku."""
        rng = self.rng
        if rng.random() < 0.3:
            return "all"
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for line in rng.sample(list(lines), rng.randrange(1, len(lines) + 1) if lines else 0):
            quantity = rng.choice([1, line["quantity"], QUANTITY_MAX, rng.randrange(1, QUANTITY_MAX)])
            for name in ("line_id", "sku"):
                if name in line and rng.random() < 0.6:
                    found[name, line[name]] = {name: line[name], "quantity": quantity}
        for number in range(rng.choice([0, 0, 1, 2, LINES_MAX - len(found) if self.large else 3])):
            found["line_id", str(number)] = {"line_id": str(number), "quantity": QUANTITY_MAX}
        return list(found.values())[:LINES_MAX] or "all"

    # -- events

    def _order_placed(self) -> dict[str, Any]:
        rng, stores = self.rng, self.terms.membership.stores
        lines = self.order_lines()
        order_id = self.order_id() if rng.random() < 0.1 else f"{self.name()}{len(self.lines)}"[-200:]
        self.lines.setdefault(order_id, lines)
        return {
            "order_id": order_id,
            "member_id": self.member if rng.random() < 0.97 else None,
            "store": rng.choice([*stores.eligible * 8, *stores.excluded, "elsewhere"]),
            "channel": self.some("web", "phone", "store"),
            "signed_in": self.some(True, False),
            "course": self.some("one_off", "subscription"),
            "subscription_id": self.some(self.name()),
            "currency": rng.choice([None] * 8 + ["USD", "CHF"]),
            "lines": lines,
            "shipping_fee": 0,
            "points_used": self.points() if rng.random() < 0.4 else None,
            "use_all_points": self.some(True, False) if rng.random() < 0.3 else None,
            "redemption_id": self.some(self.name()) if rng.random() < 0.4 else None,
            "payment_method": rng.choice(["credit_card", "own_card", "cod", "bank_transfer", self.name()]),
            "card_brand": self.some(self.name()),
            "planned_ship_date": self.some(*DAYS),
            "planned_delivery_date": self.some(*DAYS),
        }

    def _order_paid(self) -> dict[str, Any]:
        return {"order_id": self.order_id()}

    def _order_amended(self) -> dict[str, Any]:
        rng, order_id = self.rng, self.order_id()
        lines = self.lines.get(order_id) if rng.random() < 0.8 else None
        lines = [{**each, "quantity": rng.choice([each["quantity"], 1]), "discount": 0} for each in lines or self.order_lines()]
        points = self.points() if rng.random() < 0.4 else None
        return {"order_id": order_id, "amendment_id": self.name(), "lines": lines, "points_used": points}

    def _order_split(self) -> dict[str, Any]:
        rng, order_id = self.rng, self.order_id()
        parts: list[dict[str, Any]] = []
        for name in {rng.choice([order_id, self.name(), self.order_id()]) for _ in range(rng.randrange(2, 5))} | {self.name()}:
            refs = [self.refs(self.lines.get(order_id, [])) for _ in range(3)]
            lines = next((each for each in refs if each != "all"), [{"line_id": "1", "quantity": 1}])
            parts.append({"order_id": name, "lines": lines})
            if rng.random() < 0.7:
                self.lines.setdefault(name, self.lines.get(order_id, []))
        return {"order_id": order_id, "into": parts}

    def _payment_failed(self) -> dict[str, Any]:
        return self._of_order(amount=self.some(self.money(MONEY_MAX)))

    _payment_charged_back = _payment_failed

    def _refund_issued(self) -> dict[str, Any]:
        rng, order_id = self.rng, self.order_id()
        named = [{name: line[name] for name in ("line_id", "sku") if name in line} for line in self.lines.get(order_id, [])]
        lines = [{**each, "amount": self.money(MONEY_MAX)} for each in named[:LINES_MAX]]
        goods = {"lines": lines} if lines and rng.random() < 0.5 else {"amount": self.money(MONEY_MAX)}
        fees = {"amount": self.money(MONEY_MAX), "of": rng.choice(["shipping", "other", "goods"])}
        what = goods if rng.random() < 0.7 else fees
        return {"order_id": order_id, "refund_id": self.name(), "reason": self.some(self.name()), **what}

    def _order_rescheduled(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id(),
            "planned_ship_date": self.some(*DAYS),
            "planned_delivery_date": self.some(*DAYS),
        }

    def _of_order(self, **more: Any) -> dict[str, Any]:
        order_id = self.order_id()
        return {"order_id": order_id, "lines": self.refs(self.lines.get(order_id, [])), **more}

    def _shipment_dispatched(self) -> dict[str, Any]:
        return self._of_order(shipment_id=self.some(self.name()))

    _shipment_delivered = _shipment_dispatched

    def _order_cancelled(self) -> dict[str, Any]:
        return self._of_order(reason=self.rng.choice(self.reasons))

    _order_reinstated = _of_order

    def _return_received(self) -> dict[str, Any]:
        return self._of_order(return_id=self.some(self.name()), reason=self.some(*self.reasons))

    _return_requested = _return_received

    def _return_withdrawn(self) -> dict[str, Any]:
        return {"order_id": self.order_id(), "return_id": self.name()}

    def _exchange_withdrawn(self) -> dict[str, Any]:
        return {"order_id": self.order_id(), "exchange_id": self.name()}

    def _exchange_received(self) -> dict[str, Any]:
        return self._of_order(exchange_id=self.name())

    _exchange_requested = _exchange_received

    def _exchange_shipped(self) -> dict[str, Any]:
        return {"order_id": self.order_id(), "exchange_id": self.name(), "lines": self.order_lines()}

    def _member_registered(self) -> dict[str, Any]:
        channels = self.terms.membership.registration_channels
        return {"member_id": self.member, "channel": self.some(self.name(), *channels), "country": self.some("JP", "ZZ")}

    _member_enrolled = _member_registered

    def _member_updated(self) -> dict[str, Any]:
        rng = self.rng
        names = rng.sample(["plan", "staff", "pet_birthday", *(f"a{n}" for n in range(40))], rng.choice([0, 1, 3, 32]))
        birth = {"month": rng.randrange(1, 13), "day": rng.randrange(1, 29)}
        told = {name: self.some(self.name(), "2024-02-29", "02-30", "-----") for name in names}
        return {"member_id": self.member, "attributes": told, "birth": self.some(birth), "country": self.some("JP", "ZZ")}

    def _member_erased(self) -> dict[str, Any]:
        return {"member_id": self.member}

    def _review_posted(self) -> dict[str, Any]:
        sku, order_id = self.rng.choice(["A", self.name()]), self.some(self.order_id())
        return {"member_id": self.member, "review_id": self.name(), "sku": sku, "order_id": order_id}

    def _survey_won(self) -> dict[str, Any]:
        return {"member_id": self.member, "survey_id": self.name(), "points": self.points()}

    def _activity_completed(self) -> dict[str, Any]:
        activity = self.rng.choice([*self.activities, self.name()])
        told = {"member_id": self.member, "activity": activity, "reference": self.name(), "points": self.some(self.points())}
        return {**told, "store": self.some(self.name()), "order_id": self.some(self.order_id())}

    def _balance_opened(self) -> dict[str, Any]:
        rng = self.rng
        many = OPENED_MAX if self.large and rng.random() < 0.3 else 3
        lots = [self._opened_lot() for _ in range(rng.choice([0, 1, many]))]
        counted = [{"on": rng.choice(DAYS), "amount": self.money(MONEY_MAX)} for _ in range(rng.choice([0, 1, many]))]
        return {
            "member_id": self.member,
            "lots": lots,
            "counted": counted,
            "tier": self.some(*self.tiers),
            "registered_on": self.some(*DAYS),
            "enrolled_on": self.some(*DAYS),
            "last_change_on": self.some(*DAYS),
            "announce": self.some(True, False),
        }

    def _opened_lot(self) -> dict[str, Any]:
        lot = {"points": max(1, self.points()), "kind": self.some(*self.kinds)}
        lot |= {"expires_on": self.some(*DAYS), "granted_on": self.some(*DAYS)}
        return {name: value for name, value in lot.items() if value is not None}

    def _points_adjusted(self) -> dict[str, Any]:
        points = self.rng.choice(["all", self.points(), self.points(), -self.points()])
        more = {"kind": self.some(*self.kinds), "expires_on": self.some(*DAYS), "reference": self.some(self.name())}
        return {"member_id": self.member, "points": points, "reason": self.name(), **more}

    def _points_held(self) -> dict[str, Any]:
        what = {"points": self.points()} if self.rng.random() < 0.5 else {"order_id": self.order_id()}
        return {"member_id": self.member, "reason": self.name(), **what}

    _points_released = _points_held

    def _order_claimed(self) -> dict[str, Any]:
        return {"order_id": self.order_id(), "member_id": self.member}

    def _order_contested(self) -> dict[str, Any]:
        return {"order_id": self.order_id(), "lost": self.some(True, False)}

    def _points_voided(self) -> dict[str, Any]:
        rng = self.rng
        event = {"source": rng.choice(self.names), "id": f"{rng.randrange(self.count + 1)}{rng.choice(self.names)}"[:200]}
        lot = rng.choice([f"order:{self.order_id()}/all.regular", self.name(), "/", "a/b~c"])
        what: dict[str, Any] = rng.choice([{"event": event}, {"order_id": self.order_id()}, {"lot": lot}])
        return {"member_id": self.member, "points": self.some(max(1, self.points())), "reason": self.name(), **what}

    def _reward_requested(self) -> dict[str, Any]:
        sku = self.rng.choice([*self.rewards, self.name()])
        quantity = self.rng.choice([1, 2, QUANTITY_MAX])
        return {"member_id": self.member, "request_id": self.name(), "reward_sku": sku, "quantity": quantity}

    def _conversion_requested(self) -> dict[str, Any]:
        conversion = self.rng.choice([*self.conversions, self.name()])
        fields = {"member_id": self.member, "request_id": self.name(), "conversion": conversion}
        return {**fields, "points": self.some(self.points())}

    def _voucher_used(self) -> dict[str, Any]:
        return {**self._voucher_voided(), "order_id": self.some(self.order_id())}

    def _voucher_voided(self) -> dict[str, Any]:
        rng = self.rng
        voucher = f"{rng.choice([*self.conversions, self.name()])}:{rng.choice(['1', '2', f'{self.name()}:1'])}"
        return {"member_id": self.member, "voucher_id": voucher[:200], "reason": self.some(self.name())}

    def _subscription_points_set(self) -> dict[str, Any]:
        target = self.rng.choice([{"order_id": self.order_id()}, {"subscription_id": self.name()}])
        return {"member_id": self.member, "request_id": self.name(), "points": self.points(), **target}

    def _redemption_requested(self) -> dict[str, Any]:
        store = self.rng.choice([*self.terms.membership.stores.eligible, "elsewhere"])
        seconds = self.some(1, 600, HOLD_SECONDS_MAX)
        fields = {"member_id": self.member, "redemption_id": self.name(), "points": self.points(), "store": store}
        return {**fields, "expires_in_seconds": seconds}

    def _redemption_released(self) -> dict[str, Any]:
        return {"member_id": self.member, "redemption_id": self.name()}
