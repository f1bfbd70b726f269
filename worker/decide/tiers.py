"""Tiers: what counts toward them, and the level that comes of it.

LEN-31, ANS-01, SCO-04 to SCO-19 and BEL-03 are choices of one mechanism: amounts in buckets by date, a window over the buckets,
judgements (`judging`), and rules by which a level is kept, lost or restored.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal

from msgspec.structs import replace

from contracts.terms import GivenLevel, Judgement, Measure, Tiers
from worker.decide import counting, earning, exchange, prospects, reaching
from worker.decide.account import Account
from worker.decide.amounts import in_unit, part
from worker.decide.called_off import ORDERS_REMEMBERED, remember
from worker.decide.conditions import holds_for
from worker.decide.judging import Cause, cause_of, given_index, held_on, index_of, levels_withheld, own_index, standing
from worker.decide.order_records import Order
from worker.decide.program import Version
from worker.decide.reaching import YEAR_MONTHS, Amounts, Counted, amounts_of, level_for, period_of
from worker.decide.step import TierMove
from worker.decide.tier_records import GivenTier, Tier


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


def _worth(version: Version, measure: Measure, order: Order) -> int:
    """The amount for which the order counts now, by a measure."""
    if measure.of == "points":
        return _points_of(version, measure, order)
    lines = [line for line in order.lines if holds_for(version, measure.when, order, line)]
    counted = [(line, counting.pieces(measure, order, line)) for line in lines]
    if measure.of not in ("purchases", "orders"):
        return sum([in_unit(line, n, measure.of) for line, n in counted])
    amount = counting.amount(version, measure, order, counted)
    if measure.shipping and lines and all(n > 0 for _, n in counted):
        amount += order.payment.net_fees
    amount = exchange.in_program_currency(version, order, max(amount, 0))
    return amount if measure.of == "purchases" else int(amount >= max(measure.minimum, 1))


def _points_of(version: Version, measure: Measure, order: Order) -> int:
    """The points of an order that count now: those of goods for which what the terms wait for has happened, by their price."""
    if "purchase" not in measure.points_from:
        return 0
    credited = _credited(version, order, measure.kinds) if measure.kinds else order.earning.credited
    kept = sum(part(line.goods, line.kept, line.quantity) for line in order.lines)
    counted = ((line, min(counting.pieces(measure, order, line), line.kept)) for line in order.lines)
    counts = sum(part(line.goods, n, line.quantity) for line, n in counted)
    if counts == kept:
        return credited if kept or measure.counted_at != "payment" or order.payment.paid_at is not None else 0
    return part(credited, counts, kept)


def _credited(version: Version, order: Order, kinds: tuple[str, ...]) -> int:
    """The points of some kinds that an order holds."""
    known = {source.id for source in earning.sources(version, order) if source.kind in kinds}
    return sum([points for portion in order.portions for source, points in portion.points.items() if source in known])


def bucket_of(version: Version, tiers: Tiers, day: date, measure: str = "") -> str:
    """The bucket of the window that a day falls into, for a measure."""
    return reaching.bucket_named(reaching.bucket_day(version, tiers, day), measure)


def count(account: Account, order: Order) -> Order:
    """Bring what the order counts for up to date, or note when it will be judged; then see whether the level rises.

    Returns the order with what it has counted for; the caller keeps it.
    """
    version = account.program.named(order.terms)
    tiers = version.terms.tiers
    if tiers is None or order.status != "open" or not order.earning.earns:
        return order
    order = _forget_called_off(account, version, tiers, order)
    counted, bucket, waits_until, changes, worth = order.counted.amounts, "", None, [0], 0
    for name, measure in tiers.measured:
        now = _worth(version, measure, order)
        judged_at = version.days.days_after(order.placed_at, measure.judged_days_after_order)
        if now and judged_at > account.at and not any(reaching.is_of(each, name) for each in counted):
            waits_until = judged_at if waits_until is None else min(waits_until, judged_at)
            continue
        dated = order.placed_at if measure.dated_by == "order" else (order.delivery.shipped_at or account.at)
        bucket = bucket_of(version, tiers, version.days.date_of(dated), name)
        counted, change = _recount(counted, now, bucket, name)
        changes.append(change)
        worth += now
    if waits_until != order.counted.at:
        order = replace(order, counted=replace(order.counted, at=waits_until))
    if counted == order.counted.amounts:
        return order
    cause = cause_of(changes) or "date"
    if cause != "less":
        _forget_lost(account, version, tiers)
    for each in (*counted, *(known for known in order.counted.amounts if known not in counted)):
        add(account, each, counted.get(each, 0) - order.counted.amounts.get(each, 0))
    first = bool(worth) and not order.counted.judged
    order = replace(order, counted=replace(order.counted, amounts=counted, judged=order.counted.judged or first))
    if first:
        _purchase_counts(account, version, tiers, order)
    judge(account, version, cause, bucket)
    return order


def count_points(
    account: Account, points: int, of: Literal["activity", "adjustment"], kind: str, granted_at: datetime | None = None
) -> None:
    """Points of a kind that come from no order count on the day of their grant (now, if it is not given), where points of that
    origin are measured. Below zero: those that were taken back."""
    version = account.version
    tiers = version.terms.tiers
    if tiers is None:
        return
    for name, measure in tiers.measured:
        if measure.of == "points" and of in measure.points_from and (not measure.kinds or kind in measure.kinds):
            start(account, version)
            bucket = bucket_of(version, tiers, version.days.date_of(granted_at or account.at), name)
            if points > 0:
                _forget_lost(account, version, tiers)
            add(account, bucket, points)
            judge(account, version, "more" if points > 0 else "less", bucket)


def _recount(counted: dict[str, int], worth: int, bucket: str, measure: str) -> tuple[dict[str, int], int]:
    """What an order counts for, by bucket, and by how much that has changed for a measure: more goes to the bucket given, less
    comes off the latest ones first."""
    own = [each for each in counted if reaching.is_of(each, measure)]
    change = less = worth - sum([counted[each] for each in own])
    if not change:
        return counted, 0
    changed = dict(counted)
    if change > 0:
        changed[bucket] = changed.get(bucket, 0) + change
    for each in sorted(own, reverse=True):
        off = min(changed[each], max(-less, 0))
        changed[each] -= off
        less += off
    return changed, change


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
    months = max(tiers.window.months, 2 * YEAR_MONTHS) + YEAR_MONTHS + reaching.months_held(tiers)
    return (version.days.add_months(version.days.date_of(at), -months) - timedelta(days=31)).isoformat()


def reachable(version: Version, tiers: Tiers, windows: dict[str, int], at: datetime) -> dict[str, int]:
    """Amounts by bucket without the days and months that no window will reach again. Years are kept, for they are few, and what
    counts late for a year that is over may still raise a level (LEN-31)."""
    if reaching.by_period(tiers):
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
    account.head = replace(account.head, tier_due_at=prospects.next_look(version, account.head, account.at))


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
    account.head = replace(account.head, tier_due_at=prospects.next_look(version, account.head, account.at))
    return order


def _purchase_counts(account: Account, version: Version, tiers: Tiers, order: Order) -> None:
    """A purchase that counts ends inactivity, and restores a level lost to it (SCO-06, SCO-07)."""
    start(account, version)
    tier, rule = account.head.tier, tiers.inactivity
    assert tier is not None
    most = 0 if rule is None or rule.called_off == "stays" else ORDERS_REMEMBERED
    placed_on = version.days.date_of(order.placed_at)
    counted, day = remember(tier.counted_on, order.order_id, placed_on, tier.counted_for_good, most)
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
    set_level(account, tiers, own_index(tiers, tier) + 1, tiers.inactivity.restore_rule or tiers.inactivity.rule)


def current(account: Account, order: Order | None = None) -> str | None:
    """The tier in force. For an order that is being placed, its amount is added where the terms say so (ANS-Q2)."""
    version = account.version
    tiers = version.terms.tiers
    if tiers is None:
        return None
    name = account.head.tier.name if account.head.tier else tiers.levels[0].name
    if order is None or not tiers.includes_current_order:
        return name
    own = [counting.of_placed(version, measure, order) for _, measure in tiers.measured]
    amounts = tuple([amount + more for amount, more in zip(_in_window(account, version, tiers), own, strict=True)])
    return tiers.levels[max(level_for(tiers, amounts), index_of(tiers, name))].name


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
    counted, today = Counted(tiers, account.head.windows), version.days.date_of(account.at)
    still = 0
    if bucket is not None and (_years_stay_open(tiers) or _still_raises(tiers, bucket, today)):
        still = level_for(tiers, reaching.in_period_with(version, tiers, counted, reaching.day_of(bucket)))
    if cause != "less" and tiers.holds is not None:
        # What counts only now may be of a period that is over, where the level that it reached holds still.
        still = max(still, reaching.held_on(version, tiers, counted, today))
    for judgement in tiers.judgements:
        if judgement.on.change:
            reached = level_for(tiers, amounts_of(version, tiers, period_of(tiers, judgement), counted, today))
            carry_out(account, version, tiers, judgement, max(reached, still), counted, cause)
    account.head = replace(account.head, tier_due_at=prospects.next_look(version, account.head, account.at))


def _years_stay_open(tiers: Tiers) -> bool:
    """Whether a year that is over may still raise a level: no judgement looks at it afterwards, and none lowers a level."""
    return tiers.window.type in ("calendar_year", "half_year", "quarter") and all(
        judgement.over == "window" and judgement.falls == "never" for judgement in tiers.judgements
    )


def _still_raises(tiers: Tiers, bucket: str, today: date) -> bool:
    """Whether what counts only after the last look at its year raises a level still, as the terms say."""
    if all(measure.late == "lost" for _, measure in tiers.measured) or tiers.window.type != "calendar_year":
        return False
    looks = [each for each in tiers.judgements if each.over == "previous_calendar_year"]
    days = [date.fromisoformat(f"{int(bucket[:4]) + 1:04d}-{each.on.yearly}") for each in looks if each.on.yearly is not None]
    return all(each.falls == "never" for each in tiers.judgements) and all(day <= today for day in days)


def carry_out(
    account: Account, version: Version, tiers: Tiers, judgement: Judgement, reached: int, counted: Counted, cause: Cause
) -> None:
    """Put the standing in force that a judgement gives where a level is reached. What rises so of levels that were lost to
    inactivity is no longer owed."""
    tier = account.head.tier
    assert tier is not None
    now, today = own_index(tiers, tier), version.days.date_of(account.at)
    held = held_on(version, tiers, tier, counted, today) if reached < now else 0
    level = standing(judgement, reached, now, cause, levels_withheld(tiers, tier.lost), held)
    if level > now:
        account.head = replace(account.head, tier=replace(tier, lost=max(tier.lost - (level - now), 0)))
    set_level(account, tiers, level, judgement.rule)
    if level < now and level > max(reached, held):
        tier = account.head.tier
        assert tier is not None
        account.head = replace(account.head, tier=replace(tier, kept_until=reaching.landing_holds_until(version, tiers, today)))


def _in_window(account: Account, version: Version, tiers: Tiers) -> Amounts:
    today = version.days.date_of(account.at)
    return amounts_of(version, tiers, tiers.window.type, Counted(tiers, account.head.windows), today)


def _forget_lost(account: Account, version: Version, tiers: Tiers) -> None:
    """Before more counts: of levels lost to inactivity only those are withheld that their amount still reaches."""
    tier = account.head.tier
    if tier is not None and levels_withheld(tiers, tier.lost):
        reached = level_for(tiers, _in_window(account, version, tiers))
        lost = min(tier.lost, max(reached - own_index(tiers, tier), 0))
        if lost != tier.lost:
            account.head = replace(account.head, tier=replace(tier, lost=lost))


def set_level(account: Account, tiers: Tiers, index: int, rule: str | None) -> None:
    """Put a level in force as the member's own, under a rule or else that of the tiers."""
    tier = account.head.tier
    assert tier is not None
    own = tiers.levels[max(0, min(index, len(tiers.levels) - 1))].name
    if own != (tier.own or tier.name):
        _stand(account, tiers, replace(tier, own=own, kept_until=None), rule)


def give(account: Account, level: GivenLevel, rule: str) -> None:
    """A level is given for some months, whatever the member's own is meanwhile."""
    version = account.version
    tiers = version.terms.tiers
    if tiers is None:
        return
    start(account, version)
    tier = account.head.tier
    assert tier is not None
    given = GivenTier(level.tier, version.days.add_months(version.days.date_of(account.at), level.months), rule)
    _stand(account, tiers, replace(tier, given=(*tier.given, given)), rule)
    account.head = replace(account.head, tier_due_at=prospects.next_look(version, account.head, account.at))


def take_given(account: Account, tiers: Tiers, today: date) -> None:
    """Levels that were given up to a day hold no longer."""
    tier = account.head.tier
    assert tier is not None
    over = [each for each in tier.given if each.until <= today]
    if over:
        kept = tuple([each for each in tier.given if each.until > today])
        _stand(account, tiers, replace(tier, given=kept), over[-1].rule)


def _stand(account: Account, tiers: Tiers, tier: Tier, rule: str | None) -> None:
    """Keep a standing; the higher of the member's own level and what was given is in force. It is told once what a step changed
    in all."""
    before = tier.name
    own = own_index(tiers, tier)
    name = tiers.levels[max(own, given_index(tiers, tier))].name
    tier = replace(tier, own=None if name == tiers.levels[own].name else tiers.levels[own].name)
    if name != before:
        first = account.tier_move.previous if account.tier_move is not None else before
        account.tier_move = move(tiers, first, name, rule) if first != name else None
        tier = replace(tier, name=name, since=account.at)
    account.head = replace(account.head, tier=tier)
