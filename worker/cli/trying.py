"""`loyalty program try`: what happens to one order under some terms, without writing events."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.explain import Lang
from worker.cli.failures import Exit, Failure
from worker.cli.output import Format, Output, show_json, show_lines, tell

if TYPE_CHECKING:
    from worker.simulation.trial import Outcome, Trial

_Words = list[str] | None
_On = Annotated[str | None, typer.Option(help="Day of the order in the program's zone, or its time; default today.")]
_Goods = Annotated[int, typer.Option(help="Price of a piece without tax, in the minor unit (yen, cents).", min=0)]
_Pieces = Annotated[int, typer.Option(help="Pieces, of which each has the price.", min=1)]
_Measure = Annotated[_Words, typer.Option(metavar="UNIT=N", help="How much the goods are, such as litres=40.")]
_Fee = Annotated[int, typer.Option(help="Shipping fee with tax.", min=0)]
_Used = Annotated[int, typer.Option(help="Points that pay; the member has them.", min=0)]
_Balance = Annotated[int | None, typer.Option(help="Points that the member has; default those used.", min=0)]
_Joined = Annotated[str | None, typer.Option(help="Day on which the member joined; default a year before.")]
_Birthday = Annotated[str | None, typer.Option(metavar="MM-DD", help="The member's birthday.")]
_Attribute = Annotated[_Words, typer.Option(metavar="NAME=VALUE", help="An attribute of the member.")]
_Entered = Annotated[_Words, typer.Option(metavar="ACTIVITY", help="An activity that was completed before.")]
_Earlier = Annotated[int, typer.Option(help="Orders that the member placed before.", min=0)]


def try_(
    code: Annotated[str, typer.Argument(help="Code of a shipped program, or a terms file.")],
    order: _Goods,
    on: _On = None,
    tier: Annotated[str | None, typer.Option(help="Level of the member; default the lowest.")] = None,
    category: Annotated[str | None, typer.Option(help="Category of the goods.")] = None,
    tag: Annotated[_Words, typer.Option(help="Tag of the goods; may be given again.")] = None,
    sku: Annotated[str, typer.Option(help="Product.")] = "SKU",
    quantity: _Pieces = 1,
    measure: _Measure = None,
    tax: Annotated[int, typer.Option(help="Tax on the goods.", min=0)] = 0,
    fee: _Fee = 0,
    points_used: _Used = 0,
    balance: _Balance = None,
    coupon: Annotated[_Words, typer.Option(help="Code of a coupon; may be given again.")] = None,
    payment: Annotated[str | None, typer.Option(help="Payment method.")] = None,
    store: Annotated[str | None, typer.Option(help="Store; default the first one that earns.")] = None,
    channel: Annotated[str | None, typer.Option(help="Channel: web, phone, store.")] = None,
    course: Annotated[str | None, typer.Option(help="Course: one_off, subscription.")] = None,
    joined: _Joined = None,
    birthday: _Birthday = None,
    attribute: _Attribute = None,
    country: Annotated[str | None, typer.Option(help="Where the member lives.")] = None,
    entered: _Entered = None,
    earlier: _Earlier = 0,
    paid: Annotated[bool, typer.Option("--paid", help="The order is paid.")] = False,
    shipped: Annotated[bool, typer.Option("--shipped", help="All of it is shipped.")] = False,
    delivered: Annotated[bool, typer.Option("--delivered", help="All of it is shipped and delivered.")] = False,
    lang: Annotated[Lang, typer.Option(help="Language.")] = Lang.EN,
    output: Output = Format.TABLE,
) -> None:
    """Say what happens to one order: what it earns by which component, campaign and rule, what a cap cut, when its points can be
    used, and when they lapse. Nothing is written, and no events are needed."""
    from worker.simulation.trial import Trial

    day, at = _day_and_time(on)
    measures = {unit: _whole(text, "--measure") for unit, text in _pairs(measure, "--measure", "litres=40")}
    of_line = {"sku": sku, "quantity": quantity, "unit_price": order, "tax": tax, "category": category, "tags": tag}
    of_order = {"points_used": points_used, "shipping_fee": fee, "coupons": coupon, "payment_method": payment}
    of_order |= {"store": store, "channel": channel, "course": course}
    trial = Trial(
        day,
        at,
        line=_given({**of_line, "measures": measures}) | {"unit_price": order, "tax": tax},
        order=_given(of_order),
        tier=tier,
        joined=_day(joined, "--joined") if joined is not None else None,
        balance=points_used if balance is None else balance,
        attributes=dict(_pairs(attribute, "--attribute", "plan=gold")),
        birthday=_month_day(birthday) if birthday is not None else None,
        country=country,
        activities=tuple(entered or ()),
        earlier=earlier,
        told=tuple(_told(paid=paid, shipped=shipped or delivered, delivered=delivered)),
    )
    _answer(code, trial, lang, output)


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


def _answer(code: str, trial: Trial, lang: Lang, output: Format) -> None:
    from worker.cli.arguments import terms_file
    from worker.programs.terms_file import load
    from worker.simulation.trial import outcome

    program = load(terms_file(code))
    found = outcome(program, trial, lang.value)
    begins = program.versions[0].terms.effective_from
    if trial.on < begins.date():
        tell(f"these terms are in force from {begins:%Y-%m-%d} on: it is tried as if they were by then")
    match output:
        case Format.TABLE:
            print("\n".join(_lines(found)))  # noqa: T201 - the answer
        case Format.JSON:
            show_json(_as_json(found))
        case Format.NDJSON:
            show_lines(_as_json(found)["movements"])


def _told(*, paid: bool, shipped: bool, delivered: bool) -> Iterator[str]:
    if paid:
        yield "order.paid"
    if shipped:
        yield "shipment.dispatched"
    if delivered:
        yield "shipment.delivered"


# -- what is typed


def _day_and_time(text: str | None) -> tuple[date, time]:
    if text is None:
        return datetime.now(UTC).date(), time(12)
    if "T" not in text and " " not in text:
        return _day(text, "--on"), time(12)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is not None:
        raise Failure(Exit.USAGE, f"--on {text}: should be a day or a time of the program's zone, such as 2026-12-03T21:30")
    return moment.date(), moment.time()


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Failure(Exit.USAGE, f"{option} {text}: should be a day such as 2026-12-03") from None


def _month_day(text: str) -> dict[str, int]:
    if not re.fullmatch(r"[0-9]{2}-[0-9]{2}", text):
        raise Failure(Exit.USAGE, f"--birthday {text}: should be a month and day such as 12-03")
    month, day = text.split("-")
    return {"month": int(month), "day": int(day)}


def _pairs(texts: Sequence[str] | None, option: str, like: str) -> Iterator[tuple[str, str]]:
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not name or not equals or not value:
            raise Failure(Exit.USAGE, f"{option} {text}: should be like {like}")
        yield name, value


def _whole(text: str, option: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise Failure(Exit.USAGE, f"{option} {text}: should be a whole number")
    return int(text)


# -- what is answered


def _lines(found: Outcome) -> Iterator[str]:
    yield f"Level before: {found.tier_before or 'none'}; after: {found.statement.tier or 'none'}"
    for order in found.statement.orders:
        if order.redemption is not None:
            reason = f" ({order.redemption.reason})" if order.redemption.reason else ""
            yield f"Points asked for: {order.redemption.decision}{reason}, {order.points_used:,} used"
    for each in found.statement.findings:
        yield f"Finding: {each.code}{f' ({each.detail})' if each.detail else ''}"
    if not found.movements:
        yield "No points move."
    for movement in found.movements:
        posting = movement.posting
        by = f" ({movement.component})" if movement.component else ""
        yield f"{posting.at[:16].replace('T', ' ')}  {posting.title}{by}"
        yield from (f"    {line}" for line in posting.how)
        yield f"    {posting.rule.id}: {posting.rule.says or ''}"
    if found.waits:
        yield f"Points wait for: {'; '.join(found.waits)}"


def _as_json(found: Outcome) -> dict[str, Any]:
    shown = ("at", "title", "points", "source", "target", "reason", "kind", "how")
    return {
        "tier_before": found.tier_before,
        "tier": found.statement.tier,
        "available": found.statement.available,
        "pending": found.statement.pending,
        "findings": [each.code for each in found.statement.findings],
        "redemptions": [
            {"decision": each.redemption.decision, "reason": each.redemption.reason, "points": each.points_used}
            for each in found.statement.orders
            if each.redemption is not None
        ],
        "movements": [
            {
                **{name: getattr(each.posting, name) for name in shown},
                "component": each.component,
                "rule": each.posting.rule.id,
                "expires_on": each.posting.expires_on.isoformat() if each.posting.expires_on else None,
            }
            for each in found.movements
        ],
        "waits_for": list(found.waits),
    }
