"""Money that goes back without goods, or beside them: refunds, and payments that are charged back.

What was earned follows the money, what was used stays used. Of goods that came back it pays for those first, so that nothing is
taken twice; the rest is taken off the price of what is kept, spread over the pieces of a line, and never below nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import replace

from contracts.events import PaymentChargedBack, RefundIssued
from worker.decide import exchange, order_update, orders, parts
from worker.decide.account import Account
from worker.decide.amounts import part, spread_within
from worker.decide.order_records import Order, OrderLine


def issued(account: Account, data: RefundIssued) -> None:
    """A refund, which counts once under its id. More than the goods or the fees named cost is a finding."""
    order = orders.live(account, data.order_id)
    if order is None:
        return
    said = data.model_dump_json(include={"amount", "lines", "of"})
    name, content = f"refund:{parts.own(order, data.order_id, data.refund_id)}", orders.content_of(said.encode())
    if orders.told_before(account, order, name, content, "refund_twice"):
        return
    order = replace(order, told={**order.told, name: content})
    if account.program.named(order.terms).terms.reversal.refunds == "ignored":
        account.put_order(order)
        return
    if data.lines is not None:
        scoped = orders.meant(order, data.order_id, data.lines)
        for each in data.lines:
            named = [line for line in scoped.lines if orders.is_named(each, line)]
            if not named:
                account.note_finding("unknown_line", data.order_id, each.line_id or each.sku or "")
            elif any(parts.is_shared(scoped, line.line_id) for line in named):
                account.note_finding("line_of_several_parts", data.order_id, each.line_id or each.sku or "")
            else:
                order = _off_goods(account, order, each.amount, _kept_prices(order, named))
    elif data.of == "goods":
        named = list(parts.scope(order, data.order_id).lines)
        order = _off_goods(account, order, data.amount or 0, _kept_prices(order, named))
    else:
        order = _off_fees(account, order, data.order_id, data.amount or 0)
    order_update.keep(account, order)


def charged_back(account: Account, data: PaymentChargedBack) -> None:
    """What was paid goes back, whatever the terms say of refunds: an amount, the price of lines, or all of it."""
    order = orders.live(account, data.order_id)
    if order is None:
        return
    if data.lines is not None and data.lines != "all":
        scoped = orders.meant(order, data.order_id, data.lines)
        pieces = orders.named_pieces(account, scoped, data.lines, {line.line_id: line.kept for line in scoped.lines})
        for line in order.lines:
            n = pieces.get(line.line_id, 0)
            if n:
                order = _less(order, {line.line_id: part(_kept_price(line), n, line.kept)})
    else:
        order = _charge_back(account, order, data)
    order_update.keep(account, order)


def _charge_back(account: Account, order: Order, data: PaymentChargedBack) -> Order:
    """The order after an amount was taken back, or all that was paid."""
    named = list(parts.scope(order, data.order_id).lines)
    prices = _kept_prices(order, named)
    goods, fees = sum(prices.values()), order.payment.net_fees if parts.carries_fees(order, data.order_id) else 0
    paid = goods + fees - exchange.worth(account.program.named(order.terms), order, parts.standing(order, data.order_id))
    if data.amount is None or data.amount >= paid:
        if data.amount is not None and data.amount > paid + sum(map(_gone_price, named)):
            account.note_finding("refund_above_price", data.order_id, str(data.amount - paid))
        return _less(_fees_off(order, fees), prices)
    order, left = _for_what_is_out(order, data.amount, prices.keys())
    of_fees = left * fees // (goods + fees) if goods + fees else 0
    return _off_goods(account, _fees_off(order, of_fees), left - of_fees, prices)


def _kept_price(line: OrderLine) -> int:
    """What the kept pieces of a line still cost with tax, after refunds."""
    return part(line.price - line.refunded, line.kept, line.quantity)


def _gone_price(line: OrderLine) -> int:
    """What the pieces that are out of a line cost with tax, and no refund has paid for yet."""
    return max(line.price - line.refunded - _kept_price(line) - line.settled, 0)


def _kept_prices(order: Order, named: Sequence[OrderLine]) -> dict[str, int]:
    """What is kept still costs, of lines that are named, each as far as it is meant."""
    meant = {line.line_id: _kept_price(line) for line in named}
    return {line.line_id: min(_kept_price(line), meant[line.line_id]) for line in order.lines if line.line_id in meant}


def _off_goods(account: Account, order: Order, amount: int, prices: Mapping[str, int]) -> Order:
    """The order after money went back of some of its lines: of each at most its price."""
    order, left = _for_what_is_out(order, amount, prices.keys())
    limits = [prices.get(line.line_id, 0) for line in order.lines]
    shares, above = spread_within(left, limits, limits)
    if above:
        account.note_finding("refund_above_price", order.order_id, str(above))
    return _less(order, {line.line_id: share for line, share in zip(order.lines, shares, strict=True)})


def _for_what_is_out(order: Order, amount: int, named: Collection[str]) -> tuple[Order, int]:
    """The order after money paid for what came back of it, and what is left of the money."""
    left, lines = amount, []
    for line in order.lines:
        paid = min(left, _gone_price(line)) if line.line_id in named else 0
        left -= paid
        lines.append(replace(line, settled=line.settled + paid) if paid else line)
    return replace(order, lines=tuple(lines)), left


def _less(order: Order, amounts: Mapping[str, int]) -> Order:
    """The order with money off what is kept of its lines."""
    return replace(order, lines=tuple(_off(line, amounts.get(line.line_id, 0)) for line in order.lines))


def _off(line: OrderLine, amount: int) -> OrderLine:
    if not amount:
        return line
    # Spread over all of its pieces: of those that are out it takes nothing again.
    whole = amount if line.kept == line.quantity else amount * line.quantity // line.kept
    if amount >= _kept_price(line):
        whole = line.price - line.refunded
    return replace(line, refunded=min(line.refunded + whole, line.price))


def _off_fees(account: Account, order: Order, order_id: str, amount: int) -> Order:
    back = min(amount, order.payment.net_fees) if parts.carries_fees(order, order_id) else 0
    if back < amount:
        account.note_finding("refund_above_price", order.order_id, str(amount - back))
    return _fees_off(order, back)


def _fees_off(order: Order, amount: int) -> Order:
    return replace(order, payment=replace(order.payment, fees_back=order.payment.fees_back + amount))
