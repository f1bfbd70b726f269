"""Requests that stand for themselves: reservations in two steps, reward items, points set for a subscription's delivery."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from contracts.events import RedemptionReleased, RedemptionRequested
from worker.decide import early, ledger, limits, redemption
from worker.decide.account import Account
from worker.decide.state import Decision, Request, RequestType


def decide(account: Account, found: redemption.Finding) -> Decision | None:
    """The verdict on the request of the open step: as it was told, or taken now; None while it must wait."""
    event = account.event
    assert event is not None
    return redemption.verdict_on(account, event.source, event.id, found)


def made_before(account: Account, type_: RequestType, request_id: str, order_id: str | None = None) -> bool:
    """Whether a request of this id stands already, which is a finding; one that was rejected, or waits, may be made again."""
    known = account.request(type_, request_id)
    twice = known is not None and known.status not in ("rejected", "waiting")
    if twice:
        account.note_finding("setting_twice" if type_ == "subscription" else f"{type_}_twice", order_id, request_id)
    return twice


def stands(account: Account, request: Request, verdict: Decision | None, *, offered: bool = True, **named: str | None) -> bool:
    """Tell the verdict, and keep a request that waits or is rejected. True: it is accepted, and the caller carries it out.

    `offered`: whether the terms know of such requests; `named`: under which ids the verdict is told.
    """
    if verdict is None:
        account.put_request(replace(request, status="waiting"))
        account.wait()
        return False
    redemption.answer(account, verdict, **named)
    if verdict.verdict == "rejected" or not offered:
        account.put_request(replace(request, status="rejected", reason=verdict.reason))
        return False
    return True


def name_of(redemption_id: str) -> str:
    """What facts told before a reservation are kept under."""
    return f"reservation:{redemption_id}"


def reservation_requested(account: Account, data: RedemptionRequested) -> None:
    """Hold points until an order names the reservation, it is released, or its time is over."""
    if made_before(account, "redemption", data.redemption_id):
        return
    rules = account.version.terms.redemption
    verdict = decide(account, redemption.Finding(data.points, _against(account, data)))
    seconds = min(data.expires_in_seconds or rules.two_step.hold_seconds, rules.two_step.hold_seconds_max)
    ends_at = account.at + timedelta(seconds=seconds)
    request = Request(
        request_id=data.redemption_id,
        type="redemption",
        made_at=account.at,
        points=data.points,
        store=data.store,
        ends_at=ends_at,
    )
    if stands(account, request, verdict, redemption_id=data.redemption_id):
        first = limits.paying_lots(account, account.version, limits.without_order(account, account.version, data.store))
        spent = ledger.hold(account, account.version, data.points, "reserve", rules.rule, None, first)
        account.put_request(replace(request, status="accepted", spent=spent, due_at=ends_at))


def _against(account: Account, data: RedemptionRequested) -> str | None:
    terms = account.version.terms
    rules = terms.redemption
    if not redemption.is_member(account):
        return "not_a_member"
    if not redemption.takes_points(account.version, data.store):
        return "store_not_eligible"
    if data.points < max(rules.minimum, 1):
        return "below_minimum"
    if rules.maximum is not None and data.points > rules.maximum:
        return "above_maximum"
    if data.points % rules.unit:
        return "not_a_multiple"
    if rules.pays == "nothing":
        return "exceeds_payable"
    subject = limits.without_order(account, account.version, data.store)
    if data.points > redemption.usable(account, account.version, subject):
        return "insufficient_points"
    account.need_all_open()
    return None


def reservation_released(account: Account, data: RedemptionReleased) -> None:
    """A reservation is given up."""
    request = account.request("redemption", data.redemption_id)
    if request is None:
        early.keep(account, name_of(data.redemption_id), "release_without_reservation", detail=data.redemption_id)
        return
    if request.status != "accepted":
        account.note_finding("release_without_reservation", None, data.redemption_id)
        return
    _give_back(account, request, "released")


def end_due(account: Account, request: Request, at: datetime) -> None:
    """The clock's part: reservations whose time is over."""
    if request.type == "redemption" and request.status == "accepted" and request.ends_at is not None and request.ends_at <= at:
        _give_back(account, request, "ended")


def _give_back(account: Account, request: Request, status: str) -> None:
    version = account.version
    rule = account.program.at(request.made_at).terms.redemption.rule  # as it was set aside
    ledger.need_lots(account, version, request.spent, "release")
    for each in request.spent:
        ledger.give_back(account, version, each, each.points, "held", "release", rule, None)
    unnamed = request.points - sum(each.points for each in request.spent)
    if unnamed:
        # The verdict stood, but what it took from was gone when the account was folded again.
        ledger.give_back_unnamed(account, version, unnamed, "held", rule, None)
    account.put_request(replace(request, status=status, due_at=None))
