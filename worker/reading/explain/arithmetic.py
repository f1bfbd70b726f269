"""The fold's working as lines of arithmetic that a person can follow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import assert_never

from worker.decide.amounts import Factor, RoundingMode
from worker.decide.lot_name import lot_name
from worker.decide.program import Version
from worker.decide.state import Entry
from worker.decide.trace import Converting, Cut, Doing, Reversing, Settling, Share, Tallied, Term, Working
from worker.reading.explain.words import MEASURES, PERIODS, ROUNDING, Words

_DIGITS = 4
ALWAYS = date.min.isoformat()
"""How the period is told that has always been."""


def lines(words: Words, version: Version, working: Working, entry: Entry) -> Iterator[str]:
    """How a working came to its points. Where it moved them in several entries, the last line says how many are here."""
    match working:
        case Settling():
            yield from _settling(words, version, working, entry)
        case Reversing():
            yield from reversing(words, version, working)
        case Doing():
            yield from _doing(words, working)
        case Tallied():
            yield from _tallied(words, version, working)
        case Converting():
            numbers = {"n": working.blocks, "each": working.each, "points": working.total}
            yield words.line("converted", **numbers, into=working.into)
        case _:
            assert_never(working)
    if abs(working.total) != entry.points and not (isinstance(working, Settling) and _alone(entry, working)):
        yield words.line("parts", n=abs(working.total), points=entry.points)


def _tallied(words: Words, version: Version, working: Tallied) -> Iterator[str]:
    value = words.money(working.value, version.terms.currency) if working.of == "amount" else f"{working.value:,}"
    of = words.of(MEASURES[working.of]) if working.of in MEASURES else working.of
    change = f"{working.total:+,}"
    named = {"challenge": working.challenge, "of": of, "value": value, "change": change}
    if working.period == ALWAYS:
        yield words.line("tallied_always", **named)
    else:
        yield words.line("tallied", **named, period=working.period)
    for each in working.rated:
        yield _rate(words, version, each.amount, each.rate)
        if each.points < each.wanted:
            yield words.line("limited", wanted=each.wanted, points=each.points)
    if working.limit is not None:
        wanted, points = working.limit
        yield words.line("limited", wanted=wanted, points=points)
    if working.before:
        yield words.line("brought", before=working.before)


# -- what an order earns


def _settling(words: Words, version: Version, working: Settling, entry: Entry) -> Iterator[str]:
    for share in _shares(entry, working):
        for term in working.terms:
            if term.portion == share.portion:
                yield from _term(words, version, term)
        if share.should == share.earned == entry.points and not share.held:
            continue  # the arithmetic above has said it all
        name = "earns" if share.earned == share.should else "earns_less"
        change = f"{share.should - share.held:+,}"
        yield words.line(name, earned=share.earned, should=share.should, held=share.held, change=change)
    yield from _cuts(words, working.cuts)
    if working.lapsed:
        yield words.line("lapsed", n=working.lapsed)
    if working.revoked:
        yield words.line("revoked", n=working.revoked)
    if working.written_off:
        yield words.line("written_off", n=working.written_off)


def _alone(entry: Entry, working: Settling) -> Share | None:
    """The portion whose points the entry moved, if they are all that it changed by."""
    for share in working.shares:
        if entry.lot == lot_name(f"order:{working.order_id}", f"{share.portion}.{working.source}"):
            return share if abs(share.should - share.held) == entry.points else None
    return None


def _shares(entry: Entry, working: Settling) -> list[Share]:
    """The portions that tell of an entry: its own, or all that changed."""
    alone = _alone(entry, working)
    return [alone] if alone is not None else [share for share in working.shares if share.should != share.held]


def _term(words: Words, version: Version, term: Term) -> Iterator[str]:
    if term.how == "bonus":
        yield words.line("bonus", bonus=term.amount, pieces=term.pieces, of=term.of, points=term.points)
    else:
        notes = [words.line("tier", tier=term.tier)] if term.tier else []
        if term.campaigns:
            notes.append(words.line("campaign", names=", ".join(term.campaigns)))
        tail = f" ({', '.join(notes)})" if notes else ""
        counted = iter(term.counted)
        for each in term.rates:
            told = _count(words, version, next(counted), each) if each.counts else _rate(words, version, term.amount, each)
            yield told + tail
        if len(term.rates) > 1:
            yield words.line("sum", points=term.points)
    if term.before:
        yield words.line("earlier", before=term.before, points=term.points - term.before)


def _rate(words: Words, version: Version, amount: int, rate: Factor) -> str:
    mode = version.terms.earning.rounding.mode
    currency = version.terms.currency
    points = rate.of(amount, mode)
    if rate.unit > 1:
        each = _exact(rate.numerator, rate.denominator)
        unit = words.money(rate.unit, currency)
        return words.line(
            "per", amount=words.money(amount, currency), unit=unit, full=amount // rate.unit, each=each, points=points
        )
    return _share(words, words.money(amount, currency), amount, rate, mode)


def _share(words: Words, told: str, amount: int, rate: Factor, mode: RoundingMode) -> str:
    """A share of an amount that is `told` so, and how it was rounded."""
    points = rate.of(amount, mode)
    exact = _exact(amount * rate.numerator, rate.denominator)
    share = _exact(100 * rate.numerator, rate.denominator) + "%"
    if amount * rate.numerator % rate.denominator == 0:
        return words.line("share_exact", amount=told, rate=share, points=points)
    return words.line("share", amount=told, rate=share, exact=exact, rounding=words.of(ROUNDING[mode]), points=points)


def _count(words: Words, version: Version, counted: int, rate: Factor) -> str:
    mode = version.terms.earning.rounding.mode
    if rate.unit == 1 and rate.denominator > 1:
        return _share(words, f"{counted:,} {rate.counts}", counted, rate, mode)
    points, each = rate.of(counted, mode), _exact(rate.numerator, rate.denominator)
    told = {"unit": rate.unit, "full": counted // rate.unit, "each": each, "points": points}
    name = "count" if rate.counts == "pieces" else "measure"
    return words.line(name, n=counted, of=rate.counts, **told)


def _exact(numerator: int, denominator: int) -> str:
    """A fraction as a decimal: exact up to four digits, else marked with an ellipsis."""
    value = Decimal(numerator) / Decimal(denominator)
    short = value.quantize(Decimal(1).scaleb(-_DIGITS))
    text = f"{short.normalize():,f}"
    return text if short == value else f"{text}…"


def _cuts(words: Words, cuts: list[Cut]) -> Iterator[str]:
    for cut in cuts:
        name = cut.period.rpartition(":")[2]
        period = words.of(PERIODS[name]) if name in PERIODS else name
        yield words.line("cap", limit=cut.points, period=period, used=cut.used, wanted=cut.wanted, allowed=cut.allowed)


# -- used points that come off, and activities


def reversing(words: Words, version: Version, working: Reversing) -> Iterator[str]:
    """How many used points come off goods that are gone."""
    if working.how == "pro_rata":
        for each in working.lines:
            yield words.line(
                "line", line=each.sku, quantity=each.quantity, gone=each.gone, used=each.used, detached=each.detached
            )
    else:
        yield words.line("by_cash" if working.how == "cash_first" else "by_points", detached=working.detached)
    rest = working.detached - working.done
    yield words.line("done", detached=working.detached, done=working.done, rest=rest)
    if working.later:
        yield words.line("later", n=working.later, date=version.days.date_of(working.at).isoformat())


def _doing(words: Words, working: Doing) -> Iterator[str]:
    if working.times:
        yield words.line("times", each=working.each, times=" × ".join(working.times), amount=working.amount)
    else:
        yield words.line("each", each=working.amount)
    yield from _cuts(words, working.cuts)
