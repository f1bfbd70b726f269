"""What time alone does to a level: inactivity, the instants at which everyone is looked at, and forgetting old amounts."""

from __future__ import annotations

from datetime import date

from msgspec.structs import replace

from contracts.terms import Tiers
from worker.decide import judging, tiers
from worker.decide.account import Account
from worker.decide.program import Version
from worker.decide.state import Tier


def review_due(account: Account) -> None:
    """The clock's part: inactivity and judgements whose instant has come, or for which something counted at this very instant."""
    version, at = account.version, account.at
    terms, tier = version.terms.tiers, account.head.tier
    due = account.head.tier_due_at
    if terms is None or tier is None:
        if due is not None and due <= at:
            # The terms have no tiers any more: the level stays, and nothing looks at it again.
            account.head = replace(account.head, tier_due_at=None)
        return
    today = version.days.date_of(at)
    begins = at == version.days.start(today)
    if not (begins and judging.is_dated(terms, today)) and (due is None or due > at):
        return
    inactive = judging.inactive_at(version, terms, account.head)
    if inactive is not None and inactive <= at:
        _step_down(account, terms, tier)
    if begins:
        _judge(account, version, terms, today)
    account.head = replace(account.head, tier_due_at=judging.next_change(version, account.head, at))
    _forget_old(account, version, terms)


def _step_down(account: Account, terms: Tiers, tier: Tier) -> None:
    """A period without a purchase costs a level."""
    assert terms.inactivity is not None
    periods = tier.inactive_periods + 1
    if tier.last_ordered_on is not None and tier.last_counted_on is not None and tier.last_ordered_on > tier.last_counted_on:
        # An order that never came to count: the periods go on from it.
        tier = replace(tier, counted_for_good=tier.last_ordered_on, counted_on={}, open_orders=())
        periods = 1
    account.head = replace(account.head, tier=replace(tier, lost=tier.lost + 1, inactive_periods=periods))
    tiers.set_level(account, terms, judging.index_of(terms, tier.name) - 1, terms.inactivity.rule)


def _judge(account: Account, version: Version, terms: Tiers, today: date) -> None:
    """The judgements that are made as a day begins, one after the other."""
    counted = judging.Counted(account.head.windows)
    for judgement in terms.judgements:
        cause = judging.cause_on(version, terms, judgement, counted, today)
        if cause is not None:
            amount = judging.amount_of(version, terms, judging.period_of(terms, judgement), counted, today)
            tiers.carry_out(account, terms, judgement, amount, cause)


def _forget_old(account: Account, version: Version, terms: Tiers) -> None:
    """Buckets that no window will reach again are dropped, so that the head stays small."""
    oldest = tiers.oldest(version, terms, account.at)
    if any(bucket < oldest for bucket in account.head.windows):
        kept = {bucket: amount for bucket, amount in account.head.windows.items() if bucket >= oldest}
        account.head = replace(account.head, windows=kept)
