"""Facts about members: joining, what they do besides buying, and what support staff adjust."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Protocol

from msgspec.structs import replace

from contracts.events import (
    ActivityCompleted,
    MemberEnrolled,
    MemberErased,
    MemberRegistered,
    MemberUpdated,
    PointsAdjusted,
    ReviewPosted,
    SurveyWon,
)
from contracts.events.members import ATTRIBUTES_MAX
from contracts.names import plain
from contracts.terms import Activity
from worker.decide import caps, expiry, holding, ledger, purchases, redemption, tallies, tiers, vouchers
from worker.decide.account import Account
from worker.decide.amounts import fraction
from worker.decide.conditions import Subject, buyer_of, holds
from worker.decide.lot_name import lot_name
from worker.decide.state import Earmark, ItemKey, Lot, Mark
from worker.decide.tally_records import Grant
from worker.decide.trace import Cut, Doing

ADJUSTMENT = "adjustment"
_PROMISE = "promise:"


class _Joining(Protocol):
    @property
    def channel(self) -> str | None: ...
    @property
    def country(self) -> str | None: ...


def _introduce(account: Account, data: _Joining, event: str) -> None:
    head = account.head
    account.head = replace(head, channel=data.channel or head.channel, country=data.country or head.country)
    _earn(account, event, None, "", None)


def registered(account: Account, data: MemberRegistered) -> None:
    """An account with the shop; the first one counts by which the member takes part (ANS-06), and the first till then."""
    tiers.start(account, account.version)
    head = account.head
    if head.registered_at is None:
        account.head = replace(head, registered_at=account.at)
        _introduce(account, data, "member.registered")
    elif redemption.may_join_by(account.version, data.channel) and not redemption.may_join_by(account.version, head.channel):
        account.head = replace(head, registered_at=account.at, channel=data.channel, country=data.country or head.country)


def enrolled(account: Account, data: MemberEnrolled) -> None:
    """Joined the program; the first time counts."""
    tiers.start(account, account.version)
    if account.head.enrolled_at is None:
        account.head = replace(account.head, enrolled_at=account.at)
        _introduce(account, data, "member.enrolled")


def updated(account: Account, data: MemberUpdated) -> None:
    """What is known of the member from now on."""
    head = account.head
    attributes = {**head.attributes, **{name: plain(value) for name, value in data.attributes.items() if value is not None}}
    kept = {name: value for name, value in attributes.items() if data.attributes.get(name, "") is not None}
    if len(kept) > ATTRIBUTES_MAX:
        account.note_finding("too_many_attributes", None, str(len(kept)))
        kept = head.attributes
    birth = head.birth if data.birth is None else f"{data.birth.month:02d}-{data.birth.day:02d}"
    birth_at = head.birth_at if birth == head.birth else account.at
    country = data.country or head.country
    account.head = replace(head, attributes=kept, birth=birth, birth_at=birth_at, country=country)


def erased(account: Account, data: MemberErased) -> None:
    """The person is forgotten: nothing is earned or redeemed any more, and what the head knew of the person goes."""
    account.head = replace(
        account.head, erased_at=account.at, channel=None, country=None, birth=None, birth_at=None, attributes={}, entered=()
    )


def review_posted(account: Account, data: ReviewPosted) -> None:
    """A product review (SCO-03)."""
    _earn(account, "review.posted", None, data.review_id, None, sku=data.sku, order_id=data.order_id)


def survey_won(account: Account, data: SurveyWon) -> None:
    """A prize (LEN-27)."""
    _earn(account, "survey.won", None, data.survey_id, data.points)


def activity_completed(account: Account, data: ActivityCompleted) -> None:
    """Any other activity that the terms name. What has to do with an excluded store brings nothing (LEN-07): that of the order,
    if the member has placed it, else the one that the event names."""
    order = account.order(data.order_id) if data.order_id is not None else None
    store = order.content.store if order is not None else data.store
    if store is not None and store in account.version.terms.membership.stores.excluded:
        account.note_finding("activity_of_excluded_store", data.order_id, f"{data.activity}:{store}")
        return
    _earn(account, "activity.completed", data.activity, data.reference, data.points)


def _earn(
    account: Account,
    event: str,
    activity: str | None,
    reference: str,
    points: int | None,
    *,
    sku: str | None = None,
    order_id: str | None = None,
) -> None:
    subject = Subject(account.at, tiers.current(account), buyer_of(account), sku=sku)
    for rule in account.version.terms.activities:
        if rule.event == event and rule.activity in (None, activity) and holds(rule.when, account.version, subject):
            if rule.id in account.program.reads.entered and rule.id not in account.head.entered:
                account.head = replace(account.head, entered=(*account.head.entered, rule.id))
            tallies.enter(account, rule.id)
            amount = _multiplied(account, rule, rule.points if rule.points is not None else (points or 0), subject)
            name = _once(account, rule, reference, sku, order_id)
            if rule.delay_hours:
                _promise(account, rule, name, sku, amount)
            else:
                _grant(account, rule, account.cause, name, sku, amount)
            return
    if event not in ("member.registered", "member.enrolled"):
        account.note_finding("activity_not_offered", None, activity or event)


def grant_at_occasion(account: Account, rule: Activity, occasion: str) -> None:
    """Credit an activity that no event brings, if its condition holds. `occasion`: what it is for, which counts once if the terms
    say so: a day, or a level."""
    subject = Subject(account.at, tiers.current(account), buyer_of(account))
    if not redemption.is_member(account) or not holds(rule.when, account.version, subject):
        return
    names = {"member": f"{rule.id}:{occasion if rule.event == 'tier_reached' else ''}", "year": f"{rule.id}:{_year(account)}"}
    amount = _multiplied(account, rule, rule.points or 0, subject)
    which = f"{occasion}:{account.version.days.date_of(account.at)}" if rule.event == "tier_reached" else occasion
    _grant(account, rule, account.cause, names.get(rule.once_per, ""), None, amount, which)


def rows_of_occasion(rule: Activity, day: date) -> list[ItemKey]:
    """What is asked for where an activity occurs on a day."""
    rows: list[ItemKey] = [("mark", f"{rule.id}:{day.year:04d}")] if rule.once_per == "year" else []
    return rows if rule.voucher is None else [*rows, *vouchers.rows_of(vouchers.id_of(rule.id, vouchers.short(day.isoformat())))]


def _year(account: Account) -> str:
    return f"{account.version.days.date_of(account.at).year:04d}"


def _once(account: Account, rule: Activity, reference: str, sku: str | None, order_id: str | None) -> str:
    """The name under which this activity counts once; empty if every event counts."""
    key = {
        "member": "",
        "sku": sku or "",
        "order": f"{order_id or ''}:{sku or ''}",
        "reference": reference,
        "day": account.version.days.date_of(account.at).isoformat(),
        "year": _year(account),
        "event": None,
    }[rule.once_per]
    return "" if key is None else f"{rule.id}:{key}"


def _grant(
    account: Account, rule: Activity, origin: str, name: str, sku: str | None, points: int, which: str | None = None
) -> None:
    """Credit an activity's points now, or issue its voucher, if the member takes part and it has not counted yet. `which`: for
    what the voucher is, if not for the fact."""
    head = account.head
    if rule.event != "member.registered" and not redemption.is_member(account):
        account.note_finding("activity_without_membership", None, rule.id)
        return
    if rule.countries and not _lives_there(rule, head.country):
        account.note_finding("activity_elsewhere", None, rule.id if head.country is not None else f"{rule.id}: country not told")
        return
    if rule.bought and sku is not None and not purchases.is_bought(account, sku):
        account.note_finding("activity_without_purchase", None, f"{rule.id}:{sku}")
        return
    if name:
        if account.marked(name):
            return
        account.put("mark", name, Mark(at=account.at))
    if rule.voucher is not None:
        voucher_id = vouchers.id_of(rule.id, vouchers.short(which or origin))
        vouchers.issue(account, account.version, rule.voucher, voucher_id, rule.rule)
        return
    if account.trace is not None:
        each, times = account.trace.multiplied.get(origin, (points, ()))
        account.trace.working = Doing(rule.id, each, times, points)
    points = _within_caps(account, rule, points)
    if rule.gives is not None:
        tiers.give(account, rule.gives, rule.rule)
    if points:
        lot = Lot(origin=origin, part=rule.id, kind=rule.kind, granted_at=account.at, points=points, rule=rule.rule)
        ledger.credit(account, account.version, expiry.dated(account, account.version, lot, account.at), points)
        tiers.count_points(account, points, "activity", rule.kind)
        if rule.bought and sku is not None and rule.order_cancelled == "revoked":
            purchases.goes_with(account, sku, Grant(origin, rule.id, points, rule.rule))
    if account.trace is not None:
        account.trace.working = None


def _lives_there(rule: Activity, country: str | None) -> bool:
    return rule.unknown_country == "eligible" if country is None else country in rule.countries


def _promise(account: Account, rule: Activity, name: str, sku: str | None, points: int) -> None:
    """Points that are credited some hours later, if the member takes part by then (LEN-28)."""
    key = promise_of(account.cause)
    due_at = account.at + timedelta(hours=rule.delay_hours)
    account.add("earmark", key, Earmark(name=key, values=(rule.id, name, sku or ""), points=points, due_at=due_at))


def promise_of(origin: str) -> str:
    """The name of the earmark that promises a grant."""
    return f"{_PROMISE}{origin}"


def promised(earmark: Earmark) -> str | None:
    """The grant that an earmark promises, as its lots will be called; None: it is something else."""
    return earmark.name.removeprefix(_PROMISE) if earmark.name.startswith(_PROMISE) else None


def keep_promise(account: Account, earmark: Earmark) -> None:
    """The clock's part: an activity's points whose hours have passed are credited."""
    origin = promised(earmark)
    if origin is None:
        return
    account.put("earmark", earmark.name, None)
    rule_id, name, sku = earmark.values
    for rule in account.version.terms.activities:
        if rule.id == rule_id:
            _grant(account, rule, origin, name, sku or None, earmark.points)


def _multiplied(account: Account, rule: Activity, points: int, subject: Subject) -> int:
    numerator, denominator = 1, 1
    applied: list[str] = []
    for row in rule.multipliers:
        if holds(row.when, account.version, subject):
            top, bottom = fraction(row.times)
            numerator, denominator = numerator * top, denominator * bottom
            applied.append(row.times)
    if account.trace is not None:
        account.trace.multiplied[account.cause] = points, tuple(applied)
    return points * numerator // denominator


def _within_caps(account: Account, rule: Activity, points: int) -> int:
    """Activities use caps up, and are refused by them only where the terms say so (LEN-Q8)."""
    version, day = account.version, account.version.days.date_of(account.at)
    for name, cap in caps.of(version, "activity", rule.id, rule.kind):
        period = caps.period_of(account, version, name, cap, day)
        used = caps.used(account, cap, period, None)
        if "activity" in cap.refuses:
            left = caps.allowed(cap.beyond, max(cap.points - used, 0), points)
            if account.trace is not None and left < points:
                account.trace.cap(Cut(cap.rule, period, cap.points, used, points, left))
            points = left
        caps.use(account, cap, period, points)
    return points


def adjusted(account: Account, data: PointsAdjusted) -> None:
    """A manual grant or deduction (COM-C8), or the revocation of everything for cause (BEL-20)."""
    rules = account.version.terms.adjustment
    if data.points == "all":
        _revoke_all(account, rules.revocation_rule or rules.rule)
    elif data.points > 0:
        lot = Lot(
            origin=account.cause,
            part=ADJUSTMENT,
            kind=data.kind or rules.kind,
            granted_at=account.at,
            points=data.points,
            rule=rules.rule,
        )
        lot = expiry.dated(account, account.version, lot, account.at, data.expires_on)
        ledger.credit(account, account.version, lot, data.points, "adjust", "adjusted")
        tiers.count_points(account, data.points, "adjustment", lot.kind)
    elif data.points < 0:
        account.need_all_open()
        if -data.points > max(account.head.available, 0):
            account.note_finding("adjusted_below_zero", None, str(data.points))
        ledger.take(account, account.version, -data.points, "adjust", "adjusted", rules.rule)


def _revoke_all(account: Account, rule: str) -> None:
    account.need_all_open()
    hold = account.earmark(holding.MANUAL)
    ledger.need_lots(account, account.version, hold.spent if hold is not None else (), "revoke")
    for lot in sorted(account.open_lots(), key=lambda lot: lot.ref):
        if lot.pending:
            ledger.void(account, lot, lot.pending, rule)
            ledger.remember_revoked(account, replace(lot, pending=0), lot.pending)
    if account.head.available > 0:
        before = {lot.ref: lot for lot in account.open_lots()}
        for each in ledger.take(account, account.version, account.head.available, "revoke", "revoked", rule):
            emptied = replace(before[lot_name(each.origin, each.part)], available=0)
            ledger.remember_revoked(account, account.at_hand(each.origin, each.part) or emptied, each.points)
    if hold is not None:
        ledger.revoke_held(account, hold.points, rule)
        for each in hold.spent:
            ledger.remember_revoked(account, ledger.lot_of(account, each), each.points - each.back)
        account.put("earmark", hold.name, None)
    if account.head.held:
        account.note_finding("held_not_revoked", None, str(account.head.held))
