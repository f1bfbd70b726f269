"""Tiers: what counts toward them, over which window, when the level is judged, and when it changes with time alone.

LEN-31, ANS-01, SCO-04 to SCO-19 and BEL-03 are choices of one mechanism: amounts in buckets by date, a window over the buckets,
moments of judgement, and rules by which a level is kept, lost or restored.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Literal

from msgspec.structs import replace

from contracts.terms import Tiers
from worker.decide import exchange
from worker.decide.account import Account
from worker.decide.amounts import part
from worker.decide.order_records import Order, OrderLine
from worker.decide.program import Version
from worker.decide.state import Head, Tier
from worker.decide.step import TierMove

YEAR_MONTHS = 12


def start(account: Account, version: Version) -> None:
    """Give an account that has none its first tier, the lowest."""
    lowest = version.lowest_tier
    if lowest is not None and account.head.tier is None:
        account.head = replace(account.head, tier=Tier(name=lowest, since=account.at))


def index_of(tiers: Tiers, name: str) -> int:
    """A level's place from the bottom; a name that the terms no longer have counts as the lowest."""
    return next((index for index, level in enumerate(tiers.levels) if level.name == name), 0)


def move(tiers: Tiers, previous: str, tier: str, rule: str | None = None) -> TierMove:
    """The change between two levels."""
    up = index_of(tiers, tier) > index_of(tiers, previous)
    return TierMove(previous=previous, tier=tier, up=up, rule=rule or tiers.rule)


def level_for(tiers: Tiers, amount: int) -> int:
    """The index of the level that an amount reaches."""
    return max(index for index, level in enumerate(tiers.levels) if amount >= level.threshold or index == 0)


# -- what an order counts for


def _pieces(tiers: Tiers, order: Order, line: OrderLine) -> int:
    when, returned = tiers.measure.counted_at, tiers.measure.returns == "ignored"
    back = line.returned if returned else 0
    if when == "shipment":
        return line.shipped + back
    if when == "delivery":
        return line.delivered + back
    if when == "payment" and order.paid_at is None:
        return 0
    return line.kept + back


def _worth(version: Version, tiers: Tiers, order: Order) -> int:
    """The amount for which the order counts now."""
    measure = tiers.measure
    amount = 0
    whole = True
    for line in order.lines:
        n = _pieces(tiers, order, line)
        whole = whole and n > 0
        amount += part(line.goods, n, line.quantity)
        if measure.tax == "inclusive":
            amount += part(line.tax, n, line.quantity)
        if measure.points_used == "net":
            amount -= exchange.worth(version, order, part(line.used, n, line.quantity))
    if measure.shipping and whole:
        amount += order.fees
    return exchange.in_program_currency(version, order, max(amount, 0))


def _points_of(tiers: Tiers, order: Order) -> int:
    """The points of an order that count now: those of goods for which what the terms wait for has happened, by their price."""
    if "purchase" not in tiers.measure.points_from:
        return 0
    kept = sum(part(line.goods, line.kept, line.quantity) for line in order.lines)
    counts = sum(part(line.goods, min(_pieces(tiers, order, line), line.kept), line.quantity) for line in order.lines)
    if counts == kept:
        return order.credited if kept or tiers.measure.counted_at != "payment" or order.paid_at is not None else 0
    return part(order.credited, counts, kept)


def bucket_of(version: Version, tiers: Tiers, day: date) -> str:
    """The bucket of the window that a day falls into: the first day of its year, its month, or the day itself."""
    if tiers.window.type in ("calendar_year", "previous_calendar_year"):
        return f"{day.year:04d}-01-01"
    if tiers.window.type == "whole_months":
        return version.days.month_first(day).isoformat()
    return day.isoformat()


def count(account: Account, order: Order) -> Order:
    """Bring what the order counts for up to date, or note when it will be judged; then see whether the level rises.

    Returns the order with what it has counted for; the caller keeps it.
    """
    version = account.program.named(order.terms)
    tiers = version.terms.tiers
    if tiers is None or order.status != "open" or not order.earns:
        return order
    _forget_called_off(account, version, tiers, order)
    worth = _worth(version, tiers, order) if tiers.measure.of == "purchases" else _points_of(tiers, order)
    judged_at = version.days.days_after(order.placed_at, tiers.measure.judged_days_after_order)
    if worth and not order.counted and judged_at > account.at:
        return replace(order, count_at=judged_at)
    order = replace(order, count_at=None)
    day = version.days.date_of(order.placed_at if tiers.measure.dated_by == "order" else (order.shipped_at or account.at))
    bucket = bucket_of(version, tiers, day)
    counted = _recount(order.counted, worth, bucket)
    if counted == order.counted:
        return order
    more = sum(counted.values()) > sum(order.counted.values())
    if more:
        _forget_lost(account, version, tiers)
    for each, amount in counted.items():
        add(account, each, amount - order.counted.get(each, 0))
    order = replace(order, counted=counted)
    if worth and not order.judged:
        order = replace(order, judged=True)
        _purchase_counts(account, version, tiers, version.days.date_of(order.placed_at))
    judge(account, version, account.at, counted_in=bucket, may_rise=more)
    return order


def count_points(account: Account, points: int, of: Literal["activity", "adjustment"]) -> None:
    """Points that come from no order count on the day of their grant, where points of that origin are what is measured."""
    version = account.version
    tiers = version.terms.tiers
    if tiers is None or tiers.measure.of != "points" or of not in tiers.measure.points_from:
        return
    start(account, version)
    bucket = bucket_of(version, tiers, version.days.date_of(account.at))
    _forget_lost(account, version, tiers)
    add(account, bucket, points)
    judge(account, version, account.at, counted_in=bucket)


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
    if tiers.window.type in ("calendar_year", "previous_calendar_year"):
        return windows
    first = oldest(version, tiers, at)
    return windows if min(windows, default=first) >= first else {each: windows[each] for each in windows if each >= first}


def ordered(account: Account, order: Order, *, again: bool = False) -> None:
    """An order that takes part ends inactivity at once, so that nobody loses a level while it is not judged yet (SCO-06).

    `again`: one that had been called off goes on, as of its date; it restores nothing a second time.
    """
    version = account.version
    tiers = version.terms.tiers
    if tiers is None or tiers.inactivity is None or not order.earns:
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


def _forget_called_off(account: Account, version: Version, tiers: Tiers, order: Order) -> None:
    """An order that was called off before it counted was no purchase: the one before it is the last again."""
    tier = account.head.tier
    if tiers.inactivity is None or tier is None or order.judged or any(line.kept for line in order.lines):
        return
    day = version.days.date_of(order.placed_at)
    others = list(tier.open_orders)
    if day in others:
        others.remove(day)
        account.head = replace(account.head, tier=replace(tier, open_orders=tuple(others)))
    if tier.last_ordered_on == day:
        last = max(others, default=None)
        account.head = replace(account.head, tier=replace(tier, last_ordered_on=last, open_orders=tuple(others)))
        account.head = replace(account.head, tier_due_at=next_change(version, account.head, account.at))


def _purchase_counts(account: Account, version: Version, tiers: Tiers, day: date) -> None:
    """A purchase that counts ends inactivity, and restores a level lost to it (SCO-06, SCO-07)."""
    start(account, version)
    tier = account.head.tier
    assert tier is not None
    last = day if tier.last_counted_on is None else max(day, tier.last_counted_on)
    later = tuple(each for each in tier.open_orders if each > last)
    tier = replace(tier, last_counted_on=last, inactive_periods=0, open_orders=later)
    rule = tiers.inactivity
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


# -- the window


class Counted:
    """Amounts by bucket, ready to be summed over many windows: somebody may have bought on every day of a year."""

    def __init__(self, windows: Mapping[str, int]) -> None:
        self._buckets = sorted(windows)
        self._sums = [0, *accumulate(windows[bucket] for bucket in self._buckets)]

    def through(self, bucket: str) -> int:
        """The sum of all buckets up to and including one."""
        return self._sums[bisect_right(self._buckets, bucket)]

    def before(self, bucket: str) -> int:
        """The sum of all buckets before one."""
        return self._sums[bisect_left(self._buckets, bucket)]


def window_sum(version: Version, tiers: Tiers, counted: Counted, at: datetime) -> int:
    """What counts at an instant: the buckets that the window covers then."""
    today = version.days.date_of(at)
    kind = tiers.window.type
    if kind in ("calendar_year", "previous_calendar_year"):
        year = today.year if kind == "calendar_year" else today.year - 1
        bucket = f"{year:04d}-01-01"
        return counted.through(bucket) - counted.before(bucket)
    if kind == "whole_months":
        first = version.days.month_first(today, -tiers.window.months)
        return counted.before(version.days.month_first(today).isoformat()) - counted.before(first.isoformat())
    after = version.days.add_months(today, -tiers.window.months)
    return counted.through(today.isoformat()) - counted.through(after.isoformat())


def current(account: Account, order: Order | None = None) -> str | None:
    """The tier in force for an order being placed; its own amount is added where the terms say so (ANS-Q2)."""
    version = account.version
    tiers = version.terms.tiers
    if tiers is None:
        return None
    name = account.head.tier.name if account.head.tier else tiers.levels[0].name
    if order is None or not tiers.includes_current_order:
        return name
    own = sum(line.goods + (line.tax if tiers.measure.tax == "inclusive" else 0) for line in order.lines)
    amount = window_sum(version, tiers, Counted(account.head.windows), account.at) + own
    return tiers.levels[max(level_for(tiers, amount), index_of(tiers, name))].name


# -- judging


def judge(
    account: Account,
    version: Version,
    at: datetime,
    *,
    review: bool = False,
    counted_in: str | None = None,
    may_rise: bool = True,
    rule: str | None = None,
) -> None:
    """Set the level that the window gives, as far as the terms let it rise or fall now; then look when it changes next.

    `may_rise`: False where an amount went back, since less never lifts a level. `rule`: the one under which it is judged, if not
    that of the tiers. `counted_in`: the bucket of an amount that counts only now. If it is a year that is over and nothing looks
    at it again, the level that the year reached with it counts still (LEN-31: ordered in December, shipped in January).
    """
    tiers = version.terms.tiers
    if tiers is None:
        return
    start(account, version)
    assert account.head.tier is not None
    now = index_of(tiers, account.head.tier.name)
    reached = level_for(tiers, window_sum(version, tiers, Counted(account.head.windows), at))
    if (
        counted_in is not None
        and tiers.window.type == "calendar_year"
        and tiers.yearly_review == "none"
        and tiers.falls == "never"
    ):
        reached = max(reached, level_for(tiers, account.head.windows.get(counted_in, 0)))
    if tiers.judged == "at_once" or review:
        rule = rule or tiers.rule
        if reached > now:
            if may_rise:
                rise(account, tiers, reached, rule)
        elif reached < now and (tiers.falls == "with_window" or (tiers.falls == "one_level" and review)):
            set_level(account, tiers, reached if tiers.falls == "with_window" else now - 1, rule)
    account.head = replace(account.head, tier_due_at=next_change(version, account.head, at))


def rise(account: Account, tiers: Tiers, reached: int, rule: str) -> None:
    """A level is reached by its amount; what that brings back of levels lost to inactivity is no longer owed.

    Where the terms bring back none, the amount that had reached a lost level does not reach it again: only a higher one.
    """
    tier = account.head.tier
    assert tier is not None
    now = index_of(tiers, tier.name)
    if _brings_back_none(tiers) and reached <= now + tier.lost:
        return
    lost = max(tier.lost - (reached - now), 0)
    account.head = replace(account.head, tier=replace(tier, lost=lost))
    set_level(account, tiers, reached, rule)


def _brings_back_none(tiers: Tiers) -> bool:
    return tiers.inactivity is not None and tiers.inactivity.restore == "ignored"


def _forget_lost(account: Account, version: Version, tiers: Tiers) -> None:
    """Before more counts: of levels lost to inactivity only those are withheld that their amount still reaches."""
    tier = account.head.tier
    if tier is not None and tier.lost and _brings_back_none(tiers):
        reached = level_for(tiers, window_sum(version, tiers, Counted(account.head.windows), account.at))
        lost = min(tier.lost, max(reached - index_of(tiers, tier.name), 0))
        if lost != tier.lost:
            account.head = replace(account.head, tier=replace(tier, lost=lost))


def set_level(account: Account, tiers: Tiers, index: int, rule: str) -> None:
    """Put a level in force, and have it told once what a step changed in all."""
    tier = account.head.tier
    assert tier is not None
    name = tiers.levels[max(0, min(index, len(tiers.levels) - 1))].name
    if name == tier.name:
        return
    first = account.tier_move.previous if account.tier_move is not None else tier.name
    account.tier_move = move(tiers, first, name, rule) if first != name else None
    account.head = replace(account.head, tier=replace(tier, name=name, since=account.at))


def _reviews(version: Version, tiers: Tiers, head: Head, at: datetime) -> list[datetime]:
    """Instants after `at` at which time alone may change the level, soonest first, as far as they can matter."""
    days = version.days
    today = days.date_of(at)
    found: list[date] = []
    buckets = [date.fromisoformat(bucket) for bucket in head.windows]
    if tiers.judged == "monthly":
        months = tiers.window.months if tiers.window.type != "calendar_year" else YEAR_MONTHS
        found = [days.month_first(today, n) for n in range(1, months + 2)]
    elif tiers.judged == "yearly" or tiers.yearly_review != "none":
        found = [date.fromisoformat(f"{year}-{tiers.yearly_on}") for year in (today.year, today.year + 1, today.year + 2)]
    elif tiers.falls == "with_window" or tiers.window.type in ("whole_months", "previous_calendar_year"):
        # An amount comes into a window of whole periods when the period is over, so that time alone raises a level too.
        if tiers.window.type == "rolling_months":
            for bucket in buckets:
                end = days.add_months(bucket, tiers.window.months)
                # Where a month has no such day, the window lets go of an amount a day sooner or later than that.
                near = (-1, 0, 1) if end.day != bucket.day or bucket.day == 1 else (0,)
                found += [end + timedelta(days=n) for n in near]
        elif tiers.window.type == "whole_months":
            found = [days.month_first(bucket, n) for bucket in buckets for n in (1, tiers.window.months + 1)]
        else:
            found = [date(bucket.year + n, 1, 1) for bucket in buckets for n in (1, 2)]
    return sorted({days.start(day) for day in found if days.start(day) > at})


def _changes(version: Version, tiers: Tiers, head: Head, counted: Counted, at: datetime) -> bool:
    assert head.tier is not None
    now = index_of(tiers, head.tier.name)
    if tiers.judged == "at_once" and tiers.yearly_review != "none":
        reached = level_for(tiers, last_year(version, head, at))
        return reached > now or (reached < now and tiers.yearly_review == "set")
    reached = level_for(tiers, window_sum(version, tiers, counted, at))
    if _brings_back_none(tiers) and now < reached <= now + head.tier.lost:
        return False
    falls = tiers.falls == "with_window" or (tiers.falls == "one_level" and tiers.judged != "at_once")
    return reached > now or (reached < now and falls)


def last_year(version: Version, head: Head, at: datetime) -> int:
    """What the year before an instant's came to."""
    return head.windows.get(f"{version.days.date_of(at).year - 1:04d}-01-01", 0)


def inactive_at(version: Version, tiers: Tiers, head: Head) -> datetime | None:
    """When inactivity next costs a level; None if there is none to lose."""
    rule, tier = tiers.inactivity, head.tier
    if rule is None or tier is None or tier.last_counted_on is None or index_of(tiers, tier.name) == 0:
        return None
    last, periods = tier.last_counted_on, tier.inactive_periods
    if tier.last_ordered_on is not None and tier.last_ordered_on > last:
        last, periods = tier.last_ordered_on, 0
    if periods and not rule.repeats:
        return None
    day = version.days.add_months(last, rule.months * (periods + 1))
    if rule.executed == "yearly_review":
        review = date.fromisoformat(f"{day.year}-{tiers.yearly_on}")
        day = review if review >= day else date.fromisoformat(f"{day.year + 1}-{tiers.yearly_on}")
    return version.days.start(day)


def next_change(version: Version, head: Head, at: datetime) -> datetime | None:
    """The next instant at which the level changes if nothing happens until then."""
    tiers = version.terms.tiers
    if tiers is None or head.tier is None:
        return None
    inactive = inactive_at(version, tiers, head)
    if index_of(tiers, head.tier.name) == 0 and level_for(tiers, sum(head.windows.values())) == 0:
        # The lowest level, and no window can hold enough for another: nothing to look for.
        return inactive
    counted = Counted(head.windows)
    for instant in _reviews(version, tiers, head, at):
        if inactive is not None and inactive <= instant:
            break
        if _changes(version, tiers, head, counted, instant):
            return instant
    return inactive
