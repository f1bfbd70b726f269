"""Tiers: what counts toward them, and the level that comes of it.

LEN-31, ANS-01, SCO-04 to SCO-19 and BEL-03 are choices of one mechanism: amounts in buckets by date, a window over the buckets,
judgements (`judging`), and rules by which a level is kept, lost or restored.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Literal

from msgspec.structs import replace

from contracts.terms import Judgement, Tiers
from worker.decide import counting, exchange, expiry
from worker.decide.account import Account
from worker.decide.amounts import part
from worker.decide.judging import (
    CALENDAR,
    YEAR_MONTHS,
    Cause,
    Counted,
    amount_of,
    index_of,
    level_for,
    levels_withheld,
    next_change,
    period_of,
    standing,
)
from worker.decide.order_records import Order, OrderLine
from worker.decide.periods import last_begun
from worker.decide.program import Version
from worker.decide.state import Tier
from worker.decide.step import TierMove


def start(account: Account, version: Version) -> None:
    """Give an account that has none its first tier, the lowest."""
    lowest = version.lowest_tier
    if lowest is not None and account.head.tier is None:
        account.head = replace(account.head, tier=Tier(name=lowest, since=account.at))


def move(tiers: Tiers, previous: str, tier: str, rule: str | None = None) -> TierMove:
    """The change between two levels."""
    up = index_of(tiers, tier) > index_of(tiers, previous)
    return TierMove(previous=previous, tier=tier, up=up, rule=rule or tiers.rule)


# -- what an order counts for


def _worth(version: Version, tiers: Tiers, order: Order) -> int:
    """The amount for which the order counts now."""
    measure = tiers.measure
    counted = [(line, counting.pieces(measure, order, line)) for line in order.lines]
    amount = counting.amount(version, measure, order, counted)
    if measure.shipping and all(n > 0 for _, n in counted):
        amount += order.payment.net_fees
    return exchange.in_program_currency(version, order, max(amount, 0))


def _points_of(tiers: Tiers, order: Order) -> int:
    """The points of an order that count now: those of goods for which what the terms wait for has happened, by their price."""
    if "purchase" not in tiers.measure.points_from:
        return 0
    kept = sum(part(line.goods, line.kept, line.quantity) for line in order.lines)
    counted = ((line, min(counting.pieces(tiers.measure, order, line), line.kept)) for line in order.lines)
    counts = sum(part(line.goods, n, line.quantity) for line, n in counted)
    if counts == kept:
        return order.earning.credited if kept or tiers.measure.counted_at != "payment" or order.payment.paid_at is not None else 0
    return part(order.earning.credited, counts, kept)


def bucket_of(version: Version, tiers: Tiers, day: date) -> str:
    """The bucket of the window that a day falls into: the first day of its year (half year, quarter), its month, or the day."""
    if tiers.window.type in CALENDAR:
        return last_begun(version.days, tiers.window.begins, CALENDAR[tiers.window.type], day).isoformat()
    if tiers.window.type == "whole_months":
        return version.days.month_first(day).isoformat()
    return day.isoformat()


def count(account: Account, order: Order) -> Order:
    """Bring what the order counts for up to date, or note when it will be judged; then see whether the level rises.

    Returns the order with what it has counted for; the caller keeps it.
    """
    version = account.program.named(order.terms)
    tiers = version.terms.tiers
    if tiers is None or order.status != "open" or not order.earning.earns:
        return order
    order = _forget_called_off(account, version, tiers, order)
    worth = _points_of(tiers, order) if tiers.measure.of == "points" else _worth(version, tiers, order)
    if tiers.measure.of == "orders":
        worth = int(worth >= max(tiers.measure.minimum, 1))
    judged_at = version.days.days_after(order.placed_at, tiers.measure.judged_days_after_order)
    if worth and not order.counted.amounts and judged_at > account.at:
        return replace(order, counted=replace(order.counted, at=judged_at))
    if order.counted.at is not None:
        order = replace(order, counted=replace(order.counted, at=None))
    dated = order.placed_at if tiers.measure.dated_by == "order" else (order.delivery.shipped_at or account.at)
    bucket = bucket_of(version, tiers, version.days.date_of(dated))
    counted = _recount(order.counted.amounts, worth, bucket)
    if counted == order.counted.amounts:
        return order
    more = sum(counted.values()) > sum(order.counted.amounts.values())
    if more:
        _forget_lost(account, version, tiers)
    for each, amount in counted.items():
        add(account, each, amount - order.counted.amounts.get(each, 0))
    first = bool(worth) and not order.counted.judged
    order = replace(order, counted=replace(order.counted, amounts=counted, judged=order.counted.judged or first))
    if first:
        _purchase_counts(account, version, tiers, order)
    judge(account, version, "more" if more else "less", bucket)
    return order


def count_points(
    account: Account, points: int, of: Literal["activity", "adjustment"], granted_at: datetime | None = None
) -> None:
    """Points that come from no order count on the day of their grant (now, if it is not given), where points of that origin are
    what is measured. Below zero: those that were taken back."""
    version = account.version
    tiers = version.terms.tiers
    if tiers is None or tiers.measure.of != "points" or of not in tiers.measure.points_from:
        return
    start(account, version)
    bucket = bucket_of(version, tiers, version.days.date_of(granted_at or account.at))
    if points > 0:
        _forget_lost(account, version, tiers)
    add(account, bucket, points)
    judge(account, version, "more" if points > 0 else "less", bucket)


def _recount(counted: Mapping[str, int], worth: int, bucket: str) -> dict[str, int]:
    """What an order counts for, by bucket: more goes to the bucket given, less comes off the latest ones first."""
    change = worth - sum(counted.values())
    changed = dict(counted)
    if change > 0:
        changed[bucket] = changed.get(bucket, 0) + change
    for each in sorted(changed, reverse=True):
        less = min(changed[each], max(-change, 0))
        changed[each] -= less
        change += less
    return changed


def add(account: Account, bucket: str, amount: int) -> None:
    """Count an amount (below zero: less) toward tiers. A day or month that begins drops those that no window will reach again."""
    windows = dict(account.head.windows)
    windows[bucket] = windows.get(bucket, 0) + amount
    if not windows[bucket]:
        del windows[bucket]
    elif bucket not in account.head.windows:
        version = account.version
        tiers = version.terms.tiers
        if tiers is not None:
            windows = reachable(version, tiers, windows, account.at)
            if amount < 0 and bucket < oldest(version, tiers, account.at):
                windows.pop(bucket, None)  # less of what was dropped
    account.head = replace(account.head, windows=windows)


def oldest(version: Version, tiers: Tiers, at: datetime) -> str:
    """The first bucket that a window may reach at an instant or later. Longer than the windows are now, so that an amendment of
    the terms may lengthen them to two years, or else by one."""
    months = max(tiers.window.months, 2 * YEAR_MONTHS) + YEAR_MONTHS
    return (version.days.add_months(version.days.date_of(at), -months) - timedelta(days=31)).isoformat()


def reachable(version: Version, tiers: Tiers, windows: dict[str, int], at: datetime) -> dict[str, int]:
    """Amounts by bucket without the days and months that no window will reach again. Years are kept, for they are few, and what
    counts late for a year that is over may still raise a level (LEN-31)."""
    if tiers.window.type in CALENDAR:
        return windows
    first = oldest(version, tiers, at)
    return windows if min(windows, default=first) >= first else {each: windows[each] for each in windows if each >= first}


def ordered(account: Account, order: Order, *, again: bool = False) -> None:
    """An order that takes part ends inactivity at once, so that nobody loses a level while it is not judged yet (SCO-06).

    `again`: one that had been called off goes on, as of its date; it restores nothing a second time.
    """
    version = account.version
    tiers = version.terms.tiers
    if tiers is None or tiers.inactivity is None or not order.earning.earns:
        return
    start(account, version)
    tier = account.head.tier
    assert tier is not None
    day = version.days.date_of(order.placed_at)
    last = day if tier.last_ordered_on is None else max(day, tier.last_ordered_on)
    account.head = replace(account.head, tier=replace(tier, last_ordered_on=last, open_orders=(*tier.open_orders, day)))
    if tiers.inactivity.restore == "one_per_order" and not again:
        restore(account, tiers)
    account.head = replace(account.head, tier_due_at=next_change(version, account.head, account.at))


def _forget_called_off(account: Account, version: Version, tiers: Tiers, order: Order) -> Order:
    """An order that was called off before it counted was no purchase: the one before it is the last again. So was one that had
    counted and was cancelled as a whole, unless the terms let that stay."""
    tier = account.head.tier
    if tiers.inactivity is None or tier is None or any(line.kept for line in order.lines):
        return order
    if order.counted.judged:
        if order.order_id not in tier.counted_on or not order.called_off:
            return order
        others_count = {name: day for name, day in tier.counted_on.items() if name != order.order_id}
        tier = replace(tier, counted_on=others_count)
        account.head = replace(account.head, tier=tier)
        order = replace(order, counted=replace(order.counted, judged=False))
    day = version.days.date_of(order.placed_at)
    others = list(tier.open_orders)
    if day in others:
        others.remove(day)
        account.head = replace(account.head, tier=replace(tier, open_orders=tuple(others)))
    if tier.last_ordered_on == day:
        last = max(others, default=None)
        account.head = replace(account.head, tier=replace(tier, last_ordered_on=last, open_orders=tuple(others)))
    account.head = replace(account.head, tier_due_at=next_change(version, account.head, account.at))
    return order


def _purchase_counts(account: Account, version: Version, tiers: Tiers, order: Order) -> None:
    """A purchase that counts ends inactivity, and restores a level lost to it (SCO-06, SCO-07)."""
    start(account, version)
    tier, rule = account.head.tier, tiers.inactivity
    assert tier is not None
    counted, day = {**tier.counted_on, order.order_id: version.days.date_of(order.placed_at)}, tier.counted_for_good
    for_good = len(counted) if rule is None or rule.called_off == "stays" else max(len(counted) - expiry.ORDERS_REMEMBERED, 0)
    for name in sorted(counted, key=lambda each: (counted[each], each))[:for_good]:
        day = max(day or counted[name], counted.pop(name))
    later = tuple(each for each in tier.open_orders if day is None or each > day)
    tier = replace(tier, counted_for_good=day, counted_on=counted, inactive_periods=0, open_orders=later)
    account.head = replace(account.head, tier=tier)
    if rule is not None and rule.restore == "one_per_judged_purchase":
        restore(account, tiers)


def restore(account: Account, tiers: Tiers) -> None:
    """One level that was lost to inactivity comes back."""
    tier = account.head.tier
    if tier is None or not tier.lost or tiers.inactivity is None:
        return
    account.head = replace(account.head, tier=replace(tier, lost=tier.lost - 1))
    set_level(account, tiers, index_of(tiers, tier.name) + 1, tiers.inactivity.restore_rule or tiers.inactivity.rule)


def current(account: Account, lines: tuple[OrderLine, ...] | None = None) -> str | None:
    """The tier in force. For an order of these lines being placed, their amount is added where the terms say so (ANS-Q2)."""
    version = account.version
    tiers = version.terms.tiers
    if tiers is None:
        return None
    name = account.head.tier.name if account.head.tier else tiers.levels[0].name
    if lines is None or not tiers.includes_current_order:
        return name
    own = sum(line.goods + (line.tax if tiers.measure.tax == "inclusive" else 0) for line in lines)
    if tiers.measure.of == "orders":
        own = int(own >= max(tiers.measure.minimum, 1))
    return tiers.levels[max(level_for(tiers, _in_window(account, version, tiers) + own), index_of(tiers, name))].name


# -- judging


def judge(account: Account, version: Version, cause: Cause, bucket: str | None = None) -> None:
    """What counts has changed: let the judgements that are made on a change move the level, then look when it changes next.

    `bucket`: that of an amount which counts only now. If it is a year that is over and no judgement looks at that year again, the
    level that it reached with this amount counts still (LEN-31: ordered in December, shipped in January).
    """
    tiers = version.terms.tiers
    if tiers is None:
        return
    start(account, version)
    counted, today = Counted(account.head.windows), version.days.date_of(account.at)
    for judgement in tiers.judgements:
        if judgement.on.change:
            amount = amount_of(version, tiers, period_of(tiers, judgement), counted, today)
            if bucket is not None and (_years_stay_open(tiers) or _still_raises(tiers, bucket, today)):
                amount = max(amount, account.head.windows.get(bucket, 0))
            carry_out(account, tiers, judgement, amount, cause)
    account.head = replace(account.head, tier_due_at=next_change(version, account.head, account.at))


def _years_stay_open(tiers: Tiers) -> bool:
    """Whether a year that is over may still raise a level: no judgement looks at it afterwards, and none lowers a level."""
    return tiers.window.type in ("calendar_year", "half_year", "quarter") and all(
        judgement.over == "window" and judgement.falls == "never" for judgement in tiers.judgements
    )


def _still_raises(tiers: Tiers, bucket: str, today: date) -> bool:
    """Whether what counts only after the last look at its year raises a level still, as the terms say."""
    if tiers.measure.late == "lost" or tiers.window.type != "calendar_year":
        return False
    looks = [each for each in tiers.judgements if each.over == "previous_calendar_year"]
    days = [date.fromisoformat(f"{int(bucket[:4]) + 1:04d}-{each.on.yearly}") for each in looks if each.on.yearly is not None]
    return all(each.falls == "never" for each in tiers.judgements) and all(day <= today for day in days)


def carry_out(account: Account, tiers: Tiers, judgement: Judgement, amount: int, cause: Cause) -> None:
    """Put the standing in force that a judgement gives for an amount. What rises so of levels that were lost to inactivity is no
    longer owed."""
    tier = account.head.tier
    assert tier is not None
    now = index_of(tiers, tier.name)
    level = standing(judgement, level_for(tiers, amount), now, cause, levels_withheld(tiers, tier.lost))
    if level > now:
        account.head = replace(account.head, tier=replace(tier, lost=max(tier.lost - (level - now), 0)))
    set_level(account, tiers, level, judgement.rule)


def _in_window(account: Account, version: Version, tiers: Tiers) -> int:
    today = version.days.date_of(account.at)
    return amount_of(version, tiers, tiers.window.type, Counted(account.head.windows), today)


def _forget_lost(account: Account, version: Version, tiers: Tiers) -> None:
    """Before more counts: of levels lost to inactivity only those are withheld that their amount still reaches."""
    tier = account.head.tier
    if tier is not None and levels_withheld(tiers, tier.lost):
        reached = level_for(tiers, _in_window(account, version, tiers))
        lost = min(tier.lost, max(reached - index_of(tiers, tier.name), 0))
        if lost != tier.lost:
            account.head = replace(account.head, tier=replace(tier, lost=lost))


def set_level(account: Account, tiers: Tiers, index: int, rule: str | None) -> None:
    """Put a level in force, under a rule or else that of the tiers, and have it told once what a step changed in all."""
    tier = account.head.tier
    assert tier is not None
    name = tiers.levels[max(0, min(index, len(tiers.levels) - 1))].name
    if name == tier.name:
        return
    first = account.tier_move.previous if account.tier_move is not None else tier.name
    account.tier_move = move(tiers, first, name, rule) if first != name else None
    account.head = replace(account.head, tier=replace(tier, name=name, since=account.at))
