"""Vouchers: issued once, then used, given back, lapsed, voided or withdrawn.

A voucher is named by what brings it and which of these it is (the third of a conversion, that of a birthday), not by the fact
that happens to do so: a late fact may change which fact that is, and the member holds the voucher already. What is told of one
that is not there (yet) is kept for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from hashlib import blake2b
from typing import Final, NamedTuple

from msgspec.structs import replace

from contracts.events import Event, VoucherUsed, VoucherVoided
from contracts.terms import Lasting, VoucherTerms
from worker.decide import early, ledger, parts
from worker.decide.account import Account
from worker.decide.change import AccountChange, Loaded
from worker.decide.errors import NotLoaded
from worker.decide.order_records import Ending, Order, Spent, Voucher
from worker.decide.program import Version
from worker.decide.state import Earmark, ItemKey, Moment
from worker.decide.step import Step

_SHORT: Final = 64
_BEGINNING: Final = 40


class MadeOf(NamedTuple):
    """The points that a voucher is made of, the lots that they came from, and whether it goes where they are taken back."""

    points: int
    spent: tuple[Spent, ...]
    withdraws: bool


def id_of(source: str, which: str) -> str:
    """The name of a voucher within its account, at most 180 characters: what brings it, and which one of these it is."""
    return f"{source}:{which}"


def short(name: str) -> str:
    """A name as it is, or its beginning and a digest, which is longer than all that stay as they are: no two become one."""
    if len(name) <= _SHORT:
        return name
    return f"{name[:_BEGINNING]}#{blake2b(name.encode(), digest_size=32).hexdigest()}"


def name_of(voucher_id: str) -> str:
    """What facts told before a voucher are kept under."""
    return f"voucher:{voucher_id}"


def need(account: Account, names: Iterable[str]) -> None:
    """Ask in one go for vouchers that are to be issued, and for what was told before them."""
    account.need(items=[key for name in names for key in rows_of(name)])


def rows_of(voucher_id: str) -> tuple[ItemKey, ItemKey]:
    """The rows of a voucher, and of what was told before it."""
    return ("voucher", voucher_id), ("early", name_of(voucher_id))


def issue(
    account: Account,
    version: Version,
    terms: VoucherTerms,
    voucher_id: str,
    rule: str,
    made_of: MadeOf | None = None,
) -> None:
    """Issue a voucher, unless it was before."""
    need(account, [voucher_id])
    if account.voucher(voucher_id) is not None:
        return
    last = _last_day(version, terms.lasts, account.at)
    voucher = Voucher(
        voucher_id=voucher_id,
        name=terms.name,
        rule=rule,
        since=account.at,
        value=terms.value,
        item=terms.item,
        expires_on=last,
        points=made_of.points if made_of is not None else 0,
        spent=made_of.spent if made_of is not None else (),
        withdraws=made_of is not None and made_of.withdraws,
        gives_back=terms.given_back,
        due_at=None if last is None else version.days.end(last),
    )
    _put(account, voucher)
    early.apply(account, name_of(voucher_id), None, _handle)


def _last_day(version: Version, lasts: Lasting | None, at: datetime) -> date | None:
    if lasts is None:
        return None
    day = version.days.date_of(at)
    last = version.days.add_months(day, lasts.months) if lasts.months is not None else day + timedelta(days=lasts.days or 0)
    return version.days.month_last(last) if lasts.to == "month_end" else last


def _put(account: Account, voucher: Voucher) -> None:
    """Keep a voucher as it stands now, among those that may be withdrawn or not."""
    if voucher.withdraws and voucher.usable != (voucher.voucher_id in account.head.vouchers):
        others = tuple(each for each in account.head.vouchers if each != voucher.voucher_id)
        account.head = replace(account.head, vouchers=(*others, voucher.voucher_id) if voucher.usable else others)
    account.put_voucher(voucher)


def _handle(account: Account, event: Event) -> None:
    if isinstance(event.data, VoucherUsed):
        used(account, event.data)
    elif isinstance(event.data, VoucherVoided):
        voided(account, event.data)


def used(account: Account, data: VoucherUsed) -> None:
    """A voucher is used. One that cannot be (any more) stays as it is, with a finding."""
    voucher = account.voucher(data.voucher_id)
    if voucher is None:
        early.keep(account, name_of(data.voucher_id), "unknown_voucher", data.order_id, data.voucher_id)
        return
    if not voucher.usable:
        account.note_finding(f"voucher_{voucher.status}", data.order_id, data.voucher_id)
        return
    order = parts.found(account, data.order_id) if data.order_id is not None else None
    order_id = data.order_id if order is None else order.order_id
    _put(account, replace(voucher, status="used", since=account.at, used_on=order_id, due_at=None))
    if order_id is not None and voucher.gives_back:
        name = on_order(order_id)
        known = account.earmark(name)
        names = known.values if known is not None else ()
        if voucher.voucher_id not in names:
            account.put("earmark", name, Earmark(name=name, values=(*names, voucher.voucher_id)))
        if order is not None and order.vouchers_back in voucher.gives_back:
            _give_back(account, voucher.voucher_id, order_id)


def voided(account: Account, data: VoucherVoided) -> None:
    """Nobody is to use a voucher any more; what it was made of stays spent."""
    voucher = account.voucher(data.voucher_id)
    if voucher is None:
        early.keep(account, name_of(data.voucher_id), "unknown_voucher", detail=data.voucher_id)
    elif voucher.usable or voucher.status == "used":
        _put(account, replace(voucher, status="voided", since=account.at, due_at=None))
    else:
        account.note_finding(f"voucher_{voucher.status}", None, data.voucher_id)


def lapse_due(account: Account) -> None:
    """The clock's part: vouchers whose last day is over."""
    for voucher in account.due(Voucher, account.at):
        _put(account, replace(voucher, status="lapsed", since=account.at, due_at=None))


# -- the order on which a voucher was used


def on_order(order_id: str) -> str:
    """What vouchers that were used on an order are kept under."""
    return f"vouchers:{order_id}"


def follow(account: Account, order: Order) -> Order:
    """After an order changed: if nothing of it is kept, vouchers used on it are given back where their terms say so; if it goes
    on after all, they are used again. Returns the order, which the caller keeps."""
    if not account.program.gives_vouchers_back:
        return order
    ended, before = _ending(order), order.vouchers_back
    if ended == before:
        return order
    earmark = account.earmark(on_order(order.order_id))
    names = earmark.values if earmark is not None else ()
    account.need(items=[("voucher", each) for each in names])
    for voucher_id in names:
        voucher = account.voucher(voucher_id)
        if voucher is not None and ended in voucher.gives_back:
            _give_back(account, voucher_id, order.order_id)
        elif voucher is not None and before in voucher.gives_back:
            _use_again(account, voucher_id, order.order_id)
    return replace(order, vouchers_back=ended)


def _ending(order: Order) -> Ending | None:
    if order.called_off:
        return "cancelled"
    return None if any(line.kept for line in order.lines) else "returned"


def _give_back(account: Account, voucher_id: str, order_id: str) -> None:
    voucher = account.voucher(voucher_id)
    if voucher is None or voucher.status != "used" or voucher.used_on != order_id:
        return
    end = None if voucher.expires_on is None else account.version.days.end(voucher.expires_on)
    if end is not None and end <= account.at:
        _put(account, replace(voucher, status="lapsed", since=account.at, used_on=None))
    else:
        _put(account, replace(voucher, status="given_back", since=account.at, used_on=None, due_at=end))


def _use_again(account: Account, voucher_id: str, order_id: str) -> None:
    voucher = account.voucher(voucher_id)
    if voucher is None:
        return
    if voucher.status == "given_back":
        _put(account, replace(voucher, status="used", since=account.at, used_on=order_id, due_at=None))
    elif voucher.used_on != order_id:
        account.note_finding(f"voucher_{voucher.status}", order_id, voucher_id)


# -- points that it was made of


def withdraw(account: Account) -> None:
    """Where points are owed: vouchers that go with their points are withdrawn, the newest first, until nothing is owed. What is
    left of their points comes back into the lots that they came from."""
    names = account.head.vouchers
    account.need(items=[("voucher", each) for each in names])
    for voucher_id in reversed(names):
        voucher = account.voucher(voucher_id)
        if account.head.arrears and voucher is not None:
            account.need_all_open()
            version = account.version
            left = voucher.points - ledger.set_off(account, voucher.points, "convert", voucher.rule)
            ledger.need_lots(account, version, voucher.spent, "convert")
            for each in voucher.spent:
                points = min(left, each.points)
                if points:
                    ledger.give_back(account, version, each, points, "spent", "convert", voucher.rule, None)
                    left -= points
            if left:
                # What it was made of was gone when the account was folded again.
                ledger.give_back_unnamed(account, version, left, "spent", voucher.rule, None)
            _put(account, replace(voucher, status="withdrawn", since=account.at, spent=(), due_at=None))


# -- what subscribers do not know


def otherwise(loaded: Loaded, change: AccountChange, at: datetime) -> list[Voucher]:
    """Vouchers that a change leaves otherwise than they were told; one that is gone as withdrawn, `at` an instant. Raises
    NotLoaded: of some it is not known how they were."""
    touched = sorted(key for key in change.items if key[0] == "voucher")
    if loaded.row is not None and not loaded.needs.complete:
        unknown = {key for key in touched if key not in loaded.items} - loaded.needs.items
        if unknown:
            raise NotLoaded(items=unknown)
    found: list[Voucher] = []
    for key in touched:
        before, after = loaded.items.get(key), change.items[key]
        if isinstance(after, Voucher):
            if not isinstance(before, Voucher) or (before.status, before.expires_on) != (after.status, after.expires_on):
                found.append(after)
        elif isinstance(before, Voucher):
            found.append(replace(before, status="withdrawn", since=at))
    return found


def since(kept: Collection[ItemKey], change: AccountChange, steps: Iterable[Step], last: Moment | None) -> list[Voucher]:
    """Vouchers of an account that is folded from nothing which were not there before, or have changed after the last moment of
    before. Of one that is gone nothing is known any more but its name."""
    later = {each for step in steps if last is None or step.moment > last for each in step.vouchers}
    every = sorted((key, item) for key, item in change.items.items() if isinstance(item, Voucher))
    return [item for key, item in every if key not in kept or item.voucher_id in later]
