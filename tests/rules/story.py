"""Stories of one shop: events told in order, a member's statement at an instant, and the same under another reading.

    story = Story("lenovo-pro")
    story.enrolled("2024-01-05")
    story.order("A", "2024-03-01", line(10_000))
    story.shipped("A", "2024-03-02")
    assert story.at("2024-04-01").available == 100

An instant is a date (noon in Japan), a local time in Japan ("2024-03-01 23:59:59"), or a time with its offset. Events are
delivered in the order in which they are told: one told after a later one comes late. Every statement is taken twice, from the
ledger as it was kept and from the facts folded anew; a difference fails the test.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from contracts.events import Event
from contracts.statement import OrderOut, Statement
from worker.decide.account import Account
from worker.decide.program import Program
from worker.decide.state import Entry
from worker.decide.statement import statement
from worker.programs.terms_file import changed, read, shipped, versions
from worker.simulation.simulate import Simulation
from worker.simulation.store import Ledger

JAPAN = ZoneInfo("Asia/Tokyo")
MEMBER = "M1"
PROGRAMS = {path.stem: path for path in (Path(__file__).parent / "programs").glob("*.yaml")}
"""Programs that are not shipped, written as data alone to show that none of them needs code."""
SECOND = timedelta(seconds=1)
Refs = Mapping[str, Any]


def instant(text: str) -> datetime:
    """The instant that a story names: "2024-03-01" is noon of that day in Japan."""
    at = datetime.fromisoformat(text if len(text) > len("2024-03-01") else f"{text} 12:00:00")
    return at if at.tzinfo is not None else at.replace(tzinfo=JAPAN)


def line(price: int, quantity: int = 1, **more: Any) -> dict[str, Any]:
    """A line of an order: `price` ex tax for one piece, 10 % tax unless `tax` is given."""
    goods = price * quantity - more.get("discount", 0)
    return {"sku": "SKU", "quantity": quantity, "unit_price": price, "tax": goods // 10, **more}


def pieces(line_id: str, quantity: int = 1) -> Refs:
    """Some pieces of a line, named by the line's id or its position from 1."""
    return {"line_id": line_id, "quantity": quantity}


@lru_cache
def file_of(code: str) -> dict[str, Any]:
    """The values of a program's file, read once: reading takes far longer than what is made of it."""
    path = PROGRAMS.get(code) or shipped()[code]
    return read(path.read_text(encoding="utf-8"), path.name)


@lru_cache(maxsize=512)
def _program(code: str, changes: str) -> Program:
    return Program(versions(changed(file_of(code), json.loads(changes)), code))


def reading_of(code: str, question: str, alternative: str) -> dict[str, Any]:
    """The values that make a program follow another reading of an open question."""
    asked = next(each for each in _program(code, "{}").versions[0].terms.questions if each.id == question)
    return dict(next(each for each in asked.alternatives if each.id == alternative).set)


class Story:
    """What happens in one program's shop. `set`: values of the terms changed by dotted path; `reading`: question, alternative."""

    def __init__(self, code: str, set: Mapping[str, Any] | None = None, reading: tuple[str, str] | None = None) -> None:  # noqa: A002 - as the terms call it
        changes = {**(reading_of(code, *reading) if reading else {}), **(set or {})}
        self.program = _program(code, json.dumps(changes))
        self.simulation = Simulation(self.program)
        self._told = 0

    # -- events

    def tell(self, type_: str, at: str, recorded: str | None = None, id_: str | None = None, **data: Any) -> Event:
        """Deliver any event of the contract; `recorded`: when it was delivered, if not at its own time."""
        self._told += 1
        body = json.dumps({key: value for key, value in data.items() if value is not None}, sort_keys=True, ensure_ascii=False)
        event = Event.from_stored("story", id_ or f"e{self._told:03}", type_, instant(at), self.program.code, None, body.encode())
        self.simulation.deliver(event, instant(recorded) if recorded else None)
        return event

    def registered(self, at: str, member: str = MEMBER, **data: Any) -> None:
        """A member opens an account with the shop."""
        self.tell("member.registered", at, member_id=member, **data)

    def enrolled(self, at: str, member: str = MEMBER, **data: Any) -> None:
        """A member joins the point program."""
        self.tell("member.enrolled", at, member_id=member, **data)

    def updated(self, at: str, member: str = MEMBER, **data: Any) -> None:
        """Something is told of a member: attributes, a birth date, a country."""
        self.tell("member.updated", at, member_id=member, **data)

    def order(self, order_id: str, at: str, *lines: Mapping[str, Any], member: str | None = MEMBER, **data: Any) -> None:
        """An order in the program's first store, paid by credit card, unless `data` says otherwise."""
        store = self.program.at(instant(at)).terms.membership.stores.eligible[0]
        told = {"store": store, "payment_method": "credit_card", "member_id": member, **data}
        self.tell("order.placed", at, order_id=order_id, lines=lines, **told)

    def paid(self, order_id: str, at: str, **data: Any) -> None:
        """The order's payment came in."""
        self.tell("order.paid", at, order_id=order_id, **data)

    def shipped(self, order_id: str, at: str, *refs: Refs, **data: Any) -> None:
        """Goods leave: the pieces named, or all that is left."""
        self.tell("shipment.dispatched", at, order_id=order_id, lines=refs or "all", **data)

    def bought(self, order_id: str, at: str, *lines: Mapping[str, Any], **data: Any) -> None:
        """An order that ships the moment it is placed."""
        self.order(order_id, at, *lines, **data)
        self.shipped(order_id, at)

    def delivered(self, order_id: str, at: str, *refs: Refs, **data: Any) -> None:
        """Goods arrive: the pieces named, or all that has shipped."""
        self.tell("shipment.delivered", at, order_id=order_id, lines=refs or "all", **data)

    def cancelled(self, order_id: str, at: str, *refs: Refs, reason: str = "customer_request", **data: Any) -> None:
        """Pieces (or all) are cancelled."""
        self.tell("order.cancelled", at, order_id=order_id, lines=refs or "all", reason=reason, **data)

    def return_requested(self, order_id: str, at: str, *refs: Refs, **data: Any) -> None:
        """A return is announced."""
        self.tell("return.requested", at, order_id=order_id, lines=refs or "all", **data)

    def returned(self, order_id: str, at: str, *refs: Refs, **data: Any) -> None:
        """Returned goods are received."""
        self.tell("return.received", at, order_id=order_id, lines=refs or "all", **data)

    def exchange(self, step: str, order_id: str, at: str, *refs: Mapping[str, Any], exchange_id: str = "X1", **data: Any) -> None:
        """A step of an exchange: "requested" or "received" (pieces), or "shipped" (full lines of the replacement)."""
        self.tell(f"exchange.{step}", at, order_id=order_id, exchange_id=exchange_id, lines=refs or "all", **data)

    def adjusted(self, points: int | str, at: str, member: str = MEMBER, **data: Any) -> None:
        """Support staff add or take points, or revoke "all"."""
        self.tell("points.adjusted", at, member_id=member, points=points, **{"reason": "support", **data})

    def held(self, at: str, member: str = MEMBER, **data: Any) -> None:
        """Points, or an order's, are set aside by hand."""
        self.tell("points.held", at, member_id=member, **{"reason": "support", **data})

    def released(self, at: str, member: str = MEMBER, **data: Any) -> None:
        """Held points, or an order's, can be used again."""
        self.tell("points.released", at, member_id=member, **{"reason": "support", **data})

    def survey(self, points: int, at: str, member: str = MEMBER, survey_id: str = "S1") -> None:
        """The member wins points in a survey's draw."""
        self.tell("survey.won", at, member_id=member, survey_id=survey_id, points=points)

    def converts(self, conversion: str, at: str, points: int | None = None, request: str = "C1", **data: Any) -> None:
        """The member asks for a conversion of points."""
        asked = {"member_id": MEMBER, "request_id": request, "conversion": conversion, "points": points, **data}
        self.tell("conversion.requested", at, **asked)

    def voucher(self, what: str, voucher_id: str, at: str, order_id: str | None = None, **data: Any) -> None:
        """A voucher is "used" or "voided"."""
        self.tell(f"voucher.{what}", at, **{"member_id": MEMBER, "voucher_id": voucher_id, "order_id": order_id, **data})

    # -- what came of it

    def at(self, at: str, member: str = MEMBER) -> Statement:
        """A member's statement at an instant, after the clock ran up to it."""
        until = instant(at)
        self.simulation.run_clock(until)
        anew = self.simulation.statement(member, until, at)
        ledger = self.simulation.ledgers[member]
        _add_up(ledger)
        assert ledger.row is not None
        last = ledger.row.head.last
        if last is None or last.at <= until:
            kept = Account(self.program, ledger.row.head, dict(ledger.lots), dict(ledger.items), complete=True)
            assert statement(kept, member, ledger.row.version, until, at) == anew, "the ledger differs from its facts folded anew"
        return anew

    def one_second_before(self, at: str, member: str = MEMBER) -> Statement:
        """A member's statement one second before an instant."""
        return self.at((instant(at) - SECOND).isoformat(), member)

    def order_at(self, order_id: str, at: str, member: str = MEMBER) -> OrderOut:
        """One order in a member's statement."""
        return next(order for order in self.at(at, member).orders if order.order_id == order_id)

    def entries(self, member: str = MEMBER) -> list[Entry]:
        """Everything posted for a member so far, in the order in which it was posted."""
        return [stored.entry for stored in self.simulation.ledgers[member].entries]

    def rules(self, reason: str, member: str = MEMBER) -> set[str]:
        """The rule ids under which movements of one kind were posted."""
        return {entry.rule for entry in self.entries(member) if entry.reason == reason}

    def vouchers(self, at: str, member: str = MEMBER) -> dict[str, str]:
        """What has become of each voucher."""
        return {voucher.voucher_id: voucher.status for voucher in self.at(at, member).vouchers}

    def findings(self, at: str, member: str = MEMBER) -> list[str]:
        """The codes of what did not fit."""
        return [finding.code for finding in self.at(at, member).findings]


def _add_up(ledger: Ledger) -> None:
    """Entries, balances and lots of an account agree, and nothing is below zero but the balance itself."""
    assert ledger.row is not None
    head = ledger.row.head
    sums: Counter[str] = Counter()
    for stored in ledger.entries:
        sums[stored.entry.source] -= stored.entry.points
        sums[stored.entry.target] += stored.entry.points
    for bucket in ("available", "pending", "held", "lapsed", "forfeited", "revoked"):
        assert sums[bucket] == getattr(head, bucket), f"{bucket}: the entries come to {sums[bucket]}"
    assert head.available == sum(lot.available for lot in ledger.lots.values()) - head.arrears
    assert head.pending == sum(lot.pending for lot in ledger.lots.values())
    assert head.arrears >= 0
    assert head.held >= 0
    assert all(lot.available >= 0 and lot.pending >= 0 and lot.lapsed >= 0 for lot in ledger.lots.values())


@dataclass(frozen=True, slots=True)
class Reading:
    """One alternative of one open question, and a story whose numbers tell it from the reading that is the default."""

    question: str
    alternative: str
    tell: Callable[[Story], object]
    default: object
    other: object
    set: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        return f"{self.question}-{self.alternative}"

    def check(self, code: str) -> None:
        """The story comes to `default` under the shipped terms and to `other` under the alternative; `set` holds for both."""
        assert self.tell(Story(code, self.set)) == self.default
        assert self.tell(Story(code, self.set, (self.question, self.alternative))) == self.other


def verdict(story: Story, order_id: str = "A", at: str = "2024-12-31") -> str:
    """What became of the points that an order asked to use: "accepted", or the reason against it."""
    redemption = story.order_at(order_id, at).redemption
    assert redemption is not None
    return redemption.reason or redemption.decision


def names(readings: Sequence[Reading]) -> list[str]:
    """Names of the cases of a table of readings."""
    return [str(reading) for reading in readings]
