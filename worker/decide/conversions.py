"""Points that turn into something else: a voucher, points of another kind, money, or what a partner gives for them.

By themselves as soon as a block of them is there, at the end of the step that brings it; on days of the calendar; or when the
member asks, which is decided like any other wish to use points. What is converted leaves the account as spent.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from contracts.events import ConversionRequested
from contracts.terms import Conversion, ConversionLimit
from worker.decide import caps, expiry, ledger, limits, periods, redemption, requests, vouchers
from worker.decide.account import Account
from worker.decide.calendar import recurring_in
from worker.decide.conditions import joined_at
from worker.decide.order_records import Spent
from worker.decide.program import Version
from worker.decide.state import Lot, Request
from worker.decide.trace import Converting

VOUCHERS_MAX: Final = 100
"""Most vouchers that one conversion issues at a time; what is left of the points stays for the next time."""
PART: Final = "conversion:"
"""How the part of a lot begins that a conversion has made of other points."""


def look(account: Account) -> None:
    """The end of a step: what is owed takes vouchers with it, and full blocks turn at once where the terms say so."""
    if not account.program.converts:
        return
    if account.head.arrears and account.head.vouchers:
        vouchers.withdraw(account)
    version = account.version
    for _ in version.thresholds:  # one may make points for another
        made = [_at_threshold(account, version, each) for each in version.thresholds]
        if not any(made):
            break


def _at_threshold(account: Account, version: Version, conversion: Conversion) -> bool:
    blocks = _blocks(account, conversion)
    if blocks:
        issued = account.head.issued.get(conversion.id, 0)
        _turn(account, version, conversion, blocks, "", issued)
        if conversion.into == "voucher":
            account.head = replace(account.head, issued={**account.head.issued, conversion.id: issued + blocks})
    return bool(blocks)


def next_at(account: Account) -> datetime | None:
    """The next instant after the open step at which points are converted by the calendar, if they stay as they are."""
    version = account.version
    instants = [
        _next_of(version, conversion, account.at)
        for conversion in version.by_calendar
        if account.head.available >= conversion.points
    ]
    return min((each for each in instants if each is not None), default=None)


def _next_of(version: Version, conversion: Conversion, at: datetime) -> datetime | None:
    """When points are converted next, which is in this year or the one after it."""
    year = version.days.date_of(at).year
    for each in (year, year + 1):
        later = [instant for instant in _instants(version, conversion, each) if instant > at]
        if later:
            return min(later)
    return None


def _instants(version: Version, conversion: Conversion, year: int) -> Iterator[datetime]:
    on = conversion.on
    assert on is not None
    for day in recurring_in(year, on.yearly, on.monthly):
        yield version.days.start(day)


def convert_due(account: Account) -> None:
    """The clock's part: what is converted on this very day, as it begins."""
    version, at = account.version, account.at
    for conversion in version.by_calendar:
        today = version.days.date_of(at)
        # Compared one by one: compiled, what yields cannot be asked for what it holds.
        if any(at == instant for instant in _instants(version, conversion, today.year)):
            blocks = _blocks(account, conversion)
            if blocks:
                _turn(account, version, conversion, blocks, f"{today.isoformat()}:")


def _blocks(account: Account, conversion: Conversion) -> int:
    """How many full blocks there are to be converted."""
    if account.head.available < conversion.points or not redemption.is_member(account):
        return 0
    return _within(conversion, _usable(account, conversion) // conversion.points)


def _within(conversion: Conversion, blocks: int) -> int:
    return min(blocks, VOUCHERS_MAX) if conversion.into == "voucher" else blocks


def _usable(account: Account, conversion: Conversion) -> int:
    """The available points of the kinds that are converted."""
    if not conversion.kinds:
        return account.head.available
    return min(sum(lot.available for lot in _lots(account, account.version, conversion)), account.head.available)


def _lots(account: Account, version: Version, conversion: Conversion) -> list[Lot]:
    return [lot for lot in ledger.in_spend_order(account, version) if not conversion.kinds or lot.kind in conversion.kinds]


def _turn(account: Account, version: Version, conversion: Conversion, blocks: int, which: str, before: int = 0) -> None:
    """Turn so many blocks. `which`, and a number behind those `before`, tell a voucher from all others of the conversion."""
    account.need_all_open()
    if conversion.into == "voucher":
        assert conversion.voucher is not None
        names = [vouchers.id_of(conversion.id, f"{which}{before + n}") for n in range(1, blocks + 1)]
        vouchers.need(account, names)
        for voucher_id in names:
            spent = _take(account, version, conversion, 1, voucher_id)
            made_of = vouchers.MadeOf(conversion.points, spent, conversion.reversed == "withdrawn")
            vouchers.issue(account, version, conversion.voucher, voucher_id, conversion.rule, made_of)
    else:
        _take(account, version, conversion, blocks, conversion.id)
        if conversion.into == "points":
            _give(account, version, conversion, blocks)


def _take(account: Account, version: Version, conversion: Conversion, blocks: int, into: str) -> tuple[Spent, ...]:
    first, points = _lots(account, version, conversion), conversion.points * blocks
    if account.trace is not None:
        account.trace.working = Converting(into, conversion.points, blocks)
    spent = ledger.take(account, version, points, "convert", "spent", conversion.rule, None, first)
    if account.trace is not None:
        account.trace.working = None
    return spent


def _give(account: Account, version: Version, conversion: Conversion, blocks: int) -> None:
    assert conversion.kind is not None
    assert conversion.gives is not None
    origin, part = account.cause, f"{PART}{conversion.id}"
    points = conversion.gives * blocks
    lot = account.lot(origin, part)
    if lot is None:
        new = Lot(origin=origin, part=part, kind=conversion.kind, granted_at=account.at, points=0, rule=conversion.rule)
        lot = expiry.dated(account, version, new, account.at)
    if account.trace is not None:
        account.trace.working = Converting(conversion.id, conversion.gives, blocks)
    ledger.credit(account, version, replace(lot, points=lot.points + points), points, "convert")
    if account.trace is not None:
        account.trace.working = None


# -- when the member asks


def requested(account: Account, data: ConversionRequested) -> None:
    """The member asks for a conversion: decided now, and carried out if it is accepted."""
    if requests.made_before(account, "conversion", data.request_id):
        return
    version = account.version
    offered = (each for each in version.terms.conversions if each.id == data.conversion and each.at == "request")
    conversion = next(offered, None)
    points = data.points if data.points is not None else conversion.points if conversion is not None else 0
    verdict = requests.decide(account, redemption.Finding(points, _against(account, version, conversion, points)))
    request = Request(
        request_id=data.request_id, type="conversion", made_at=account.at, points=points, sku=data.conversion
    )
    known = conversion is not None
    if not requests.stands(account, request, verdict, offered=known, request_id=data.request_id) or conversion is None:
        return
    for name in _limits(account, version, conversion):
        caps.add(account, name, points)
    blocks = _within(conversion, points // conversion.points)
    _turn(account, version, conversion, blocks, f"{vouchers.short(data.request_id)}:")
    expiry.prolong(account, version, "use")
    account.put_request(replace(request, status="accepted"))


def _against(account: Account, version: Version, conversion: Conversion | None, points: int) -> str | None:
    if not redemption.is_member(account):
        return "not_a_member"
    if conversion is None:
        return "conversion_not_offered"
    if points < max(conversion.minimum or 0, conversion.points):
        return "below_minimum"
    blocks = points // conversion.points
    if (conversion.maximum is not None and points > conversion.maximum) or blocks > _within(conversion, blocks):
        return "above_maximum"
    if points % conversion.points:
        return "not_a_multiple"
    used = _limits(account, version, conversion)
    if any(account.head.caps.get(name, 0) + points > limit.points for name, limit in used.items()):
        return "limit_reached"
    return "insufficient_points" if points > limits.usable(account, version, _usable(account, conversion)) else None


def _limits(account: Account, version: Version, conversion: Conversion) -> dict[str, ConversionLimit]:
    """The limits of a conversion by the name under which each is counted now."""
    day, at = version.days.date_of(account.at), joined_at(account)
    joined = None if at is None else version.days.date_of(at)
    return {
        f"convert:{conversion.id}.{place}:{periods.name_of(version.days, limit.period, day, joined)}": limit
        for place, limit in enumerate(conversion.limits)
    }
