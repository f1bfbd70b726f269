"""What time alone does to a level: inactivity, the instants at which everyone is looked at, and forgetting old amounts."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from contracts.terms import Tiers
from worker.decide import tiers
from worker.decide.account import Account
from worker.decide.program import Version
from worker.decide.state import Tier


def _reviewed_at(version: Version, terms: Tiers, at: datetime) -> bool:
    """Whether an instant is one at which the terms look at everyone's level."""
    day = version.days.date_of(at)
    if at != version.days.start(day):
        return False
    if terms.judged == "monthly":
        return day.day == 1
    yearly = terms.judged == "yearly" or terms.yearly_review != "none"
    return yearly and day.strftime("%m-%d") == terms.yearly_on


def review_due(account: Account) -> None:
    """The clock's part: inactivity and reviews whose instant has come, or for which something counted at this very instant."""
    version = account.version
    terms, tier = version.terms.tiers, account.head.tier
    due = account.head.tier_due_at
    if terms is None or tier is None:
        if due is not None and due <= account.at:
            # The terms have no tiers any more: the level stays, and nothing looks at it again.
            account.head = replace(account.head, tier_due_at=None)
        return
    if not _reviewed_at(version, terms, account.at) and (due is None or due > account.at):
        return
    inactive = tiers.inactive_at(version, terms, account.head)
    if inactive is not None and inactive <= account.at:
        _step_down(account, terms, tier)
    else:
        inactive = None
    if inactive is None or _reviewed_at(version, terms, account.at):
        _review(account, version, terms)
    account.head = replace(account.head, tier_due_at=tiers.next_change(version, account.head, account.at))
    _forget_old(account, version, terms)


def _step_down(account: Account, terms: Tiers, tier: Tier) -> None:
    """A period without a purchase costs a level."""
    assert terms.inactivity is not None
    periods = tier.inactive_periods + 1
    if tier.last_ordered_on is not None and tier.last_counted_on is not None and tier.last_ordered_on > tier.last_counted_on:
        # An order that never came to count: the periods go on from it.
        tier = replace(tier, last_counted_on=tier.last_ordered_on, open_orders=())
        periods = 1
    account.head = replace(account.head, tier=replace(tier, lost=tier.lost + 1, inactive_periods=periods))
    tiers.set_level(account, terms, tiers.index_of(terms, tier.name) - 1, terms.inactivity.rule)


def _review(account: Account, version: Version, terms: Tiers) -> None:
    """Everyone's level is looked at: over last year beside a running judgement, or over the window."""
    if terms.judged != "at_once" or terms.yearly_review == "none":
        tiers.judge(account, version, account.at, review=True, rule=terms.yearly_rule if terms.judged == "yearly" else None)
        return
    tier = account.head.tier
    assert tier is not None
    reached, now = tiers.level_for(terms, tiers.last_year(version, account.head, account.at)), tiers.index_of(terms, tier.name)
    if reached > now:
        tiers.rise(account, terms, reached, terms.yearly_rule or terms.rule)
    elif reached < now and terms.yearly_review == "set":
        lower = now - 1 if terms.falls == "one_level" else reached
        tiers.set_level(account, terms, lower, terms.yearly_rule or terms.rule)


def _forget_old(account: Account, version: Version, terms: Tiers) -> None:
    """Buckets that no window will reach again are dropped, so that the head stays small."""
    oldest = tiers.oldest(version, terms, account.at)
    if any(bucket < oldest for bucket in account.head.windows):
        kept = {bucket: amount for bucket, amount in account.head.windows.items() if bucket >= oldest}
        account.head = replace(account.head, windows=kept)
