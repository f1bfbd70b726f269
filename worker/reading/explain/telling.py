"""From an explanation to words: each posting with its cause, the rule it stands under, and the arithmetic line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from msgspec.structs import replace

from contracts.events import Event, OrderPlaced, PointsAdjusted
from contracts.events.outbound import REFOLD
from contracts.terms import Rule
from worker.decide import maturity
from worker.decide.account import Account
from worker.decide.explain import Explained, Explanation
from worker.decide.order_records import Order, Portion
from worker.decide.program import Program, Version
from worker.reading.explain import arithmetic
from worker.reading.explain.words import (
    ANY_TITLE,
    BACK_TITLE,
    CAUSES,
    CLOCK,
    EVENTS,
    MORE_TITLE,
    REFOLD_BACK_TITLE,
    REFOLD_TITLE,
    TITLES,
    Language,
    Words,
)


@dataclass(frozen=True, slots=True)
class RuleTold:
    """A rule of the published terms: where it stands and what it says. `gap`: what of it is not carried out, if anything."""

    id: str
    document: str | None
    section: str | None
    says: str | None
    gap: str | None = None


@dataclass(frozen=True, slots=True)
class PostingTold:
    """One posting. `points` moved from `source` to `target` at business time `at`; it was written at `recorded_at`.

    Where `reason` is `refold`, `corrects` is the reason of what it puts right, and `fold` the version of the calculation.
    """

    at: str
    recorded_at: str
    version: int
    line: int
    title: str
    cause: str
    points: int
    source: str
    target: str
    reason: str
    rule: RuleTold
    how: tuple[str, ...]
    kind: str | None
    lot: str | None
    expires_on: date | None
    order_id: str | None
    correction: bool
    late: tuple[str, ...]
    corrects: str | None = None
    fold: int | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """An account explained in one language. Balances are those at `at`; `words`: what the program calls them; `notes`: what is to
    be said of all of it."""

    language: Language
    program: str
    name: str
    member_id: str
    order_id: str | None
    at: str
    available: int
    pending: int
    held: int
    tier: str | None
    words: dict[str, str]
    notes: tuple[str, ...]
    postings: tuple[PostingTold, ...]

    @property
    def balances(self) -> tuple[tuple[str, int], ...]:
        """The buckets that members see, and what is in them."""
        return ("available", self.available), ("pending", self.pending), ("held", self.held)

    def as_json(self) -> dict[str, Any]:
        """As it is printed: dates as text."""
        told = asdict(self)
        for posting in told["postings"]:
            posting["expires_on"] = posting["expires_on"].isoformat() if posting["expires_on"] else None
        return told


def tell(
    program: Program, explanation: Explanation, member_id: str, at: datetime, language: Language, order_id: str | None = None
) -> Told:
    """Tell an explanation; with `order_id`, only what belongs to that order (and the points it used): of one that was split from
    another, what belongs to that one, with a note of where it came from."""
    version = program.at(at)
    words = Words(language, version.terms.words)
    head = explanation.account.head
    teller = _Teller(words, explanation.events, explanation.account)
    available, pending, held = explanation.balances
    of = teller.posted_as(order_id)
    chosen = [each for each in explanation.postings if of is None or _of_order(each, of)]
    postings = tuple(teller.posting(each) for each in chosen)
    notes = list(teller.parts(version, order_id)) if order_id is not None else []
    notes += [] if explanation.settled else [words.label("unsettled")]
    if teller.lacking:
        notes.append(words.label("lacking", rules=", ".join(sorted(teller.lacking))))
    return Told(
        language=language,
        program=program.code,
        name=version.terms.name.told(language),
        member_id=member_id,
        order_id=order_id,
        at=_local(version, at),
        available=available,
        pending=pending,
        held=held,
        tier=head.tier.name if head.tier else version.lowest_tier,
        words={bucket: words.bucket(bucket) for bucket in ("available", "pending", "held")},
        notes=tuple(notes),
        postings=postings,
    )


def _of_order(each: Explained, order_id: str) -> bool:
    return each.posting.entry.order_id == order_id or (each.lot is not None and each.lot.order_id == order_id)


def _local(version: Version, at: datetime) -> str:
    return at.astimezone(version.days.zone).isoformat(timespec="seconds")


def _minute(version: Version, at: datetime) -> str:
    return _local(version, at)[:16].replace("T", " ")


class _Teller:
    """Tells single postings in one language. `lacking`: rules that were told and have no words in it."""

    def __init__(self, words: Words, events: Mapping[tuple[str, str], Event], account: Account) -> None:
        self.events = events
        self._account = account
        self.words = words
        self.lacking: set[str] = set()
        self._rules: dict[int, dict[str, Rule]] = {}

    def posting(self, each: Explained) -> PostingTold:
        """One posting in words."""
        entry, moment = each.posting.entry, each.posting.moment
        version = each.program.named(each.order.terms) if each.order is not None else each.program.at(moment.at)
        return PostingTold(
            at=_local(version, moment.at),
            recorded_at=_local(version, each.posting.recorded_at),
            version=each.posting.version,
            line=each.posting.line,
            title=self._title(each),
            cause=self._cause(each.cause),
            points=entry.points,
            source=entry.source,
            target=entry.target,
            reason=entry.reason if each.posting.refold is None else REFOLD,
            rule=self._rule(each.program, entry.rule),
            how=tuple(self._how(version, each)),
            kind=entry.kind,
            lot=entry.lot,
            expires_on=entry.expires_on,
            order_id=entry.order_id,
            correction=bool(each.change and each.change.was),
            late=tuple(self._late(version, each)),
            corrects=entry.reason if each.posting.refold is not None else None,
            fold=each.posting.refold,
        )

    # -- orders that were split

    def posted_as(self, order_id: str | None) -> str | None:
        """The order under whose id the points of an order are posted: its own, or that from which it was split."""
        named = self._account.order_at_hand(order_id) if order_id is not None else None
        return order_id if named is None or named.part_of is None else named.part_of

    def parts(self, version: Version, order_id: str) -> Iterator[str]:
        """Where an order came from, or as what it goes on."""
        order = self._account.order_at_hand(order_id)
        if order is None:
            return
        if order.part_of is not None:
            yield self.words.label("part_of", part=order_id, order=order.part_of, at=_minute(version, order.placed_at))
        elif order.parts:
            ids = self.words.label("between").join(each.order_id for each in order.parts)
            yield self.words.label("parts", order=order_id, parts=ids)

    # -- what, why, under which rule

    def _title(self, each: Explained) -> str:
        entry = each.posting.entry
        words = TITLES.get((entry.reason, entry.source, entry.target))
        backwards = TITLES.get((entry.reason, entry.target, entry.source))
        names = {name: self.words.bucket(bucket) for name, bucket in (("source", entry.source), ("target", entry.target))}
        refold = each.posting.refold is not None
        if words is None and backwards is not None:
            back = REFOLD_BACK_TITLE if refold else BACK_TITLE
            return self.words.of(back, what=self.words.of(backwards, n=entry.points))
        title = self.words.of(words or ANY_TITLE, n=entry.points, **names)
        if refold:
            return self.words.of(REFOLD_TITLE, what=title)
        return self.words.of(MORE_TITLE, what=title) if each.change and each.change.was else title

    def _cause(self, event: Event | None) -> str:
        if event is None:
            return self.words.of(CLOCK)
        return self.words.of(CAUSES[event.type], id=event.order_id or "") if event.type in CAUSES else event.type

    def _rule(self, program: Program, rule_id: str) -> RuleTold:
        if id(program) not in self._rules:
            self._rules[id(program)] = {rule.id: rule for version in program.versions for rule in version.terms.rules}
        rule = self._rules[id(program)].get(rule_id)
        if rule is None:
            return RuleTold(rule_id, None, None, None)
        language = self.words.language
        if rule.says.lacks(language):
            self.lacking.add(rule_id)
        gap = self.words.label(rule.status, gap=rule.gap) if rule.status in ("in_part", "not_carried_out") else None
        return RuleTold(rule_id, *rule.place(language), rule.says.told(language), gap)

    def _late(self, version: Version, each: Explained) -> Iterator[str]:
        change = each.change
        if change is None:
            return
        yield self.words.line("posted", at=_minute(version, each.posting.recorded_at))
        if change.was:
            sign = 1 if change.was > 0 else -1  # told in the direction in which the points went first
            yield self.words.line("changed", was=sign * change.was, now=sign * change.now)
        if each.posting.refold is not None:
            yield self.words.line("refold", fold=each.posting.refold)
        for era in change.eras:
            yield self.words.line("terms", since=_minute(version, era.since), at=_minute(version, era.until))
        for event in change.late:
            if each.cause is not None and (event.source, event.id) == (each.cause.source, each.cause.id):
                yield self.words.line("late_itself")
            elif change.was or each.cause is None or self.posted_as(event.order_id) == each.posting.entry.order_id:
                yield self.words.line("late", cause=self._cause(event), at=_minute(version, event.time))

    # -- the numbers

    def _how(self, version: Version, each: Explained) -> Iterator[str]:
        entry, told_of = each.posting.entry, each.cause.order_id if each.cause is not None else None
        if told_of not in (None, entry.order_id) and self.posted_as(told_of) == entry.order_id:
            yield self.words.line("part", part=told_of, order=entry.order_id)
        if not each.known:
            yield self.words.line("unknown")
            return
        if entry.reason in ("mature", "lapse"):
            yield from self._by_time(version, each)
        if each.since is not None:
            begun, working = each.since
            cause = self._cause(self.events.get((begun.source, begun.id)))
            yield self.words.line("since", at=_minute(version, begun.at), cause=cause)
            yield from arithmetic.reversing(self.words, version, working)
        elif each.working is not None and entry.reason not in ("mature", "split"):
            # A correction is told by what the whole movement is since.
            told = entry if each.change is None or not each.change.was else replace(entry, points=abs(each.change.now))
            yield from arithmetic.lines(self.words, version, each.working, told)
        elif entry.reason in ("redeem", "reserve", "hand_back", "adjust", "hold"):
            yield from self._asked(each)
        if entry.lot is None and entry.source == "available":
            yield self.words.line("no_lot")
        if each.lot is not None:
            yield self._lot(version, each)

    def _lot(self, version: Version, each: Explained) -> str:
        lot = each.lot
        assert lot is not None
        if lot.pooled:
            last = self.words.line("until_pool")
        elif lot.expires_on is None:
            last = self.words.line("until_known" if lot.pending or each.posting.entry.target == "pending" else "for_ever")
        else:
            last = self.words.line("until", date=lot.expires_on.isoformat())
        granted = version.days.date_of(lot.granted_at).isoformat()
        return self.words.line("lot", kind=lot.kind, granted=granted, last=last)

    def _by_time(self, version: Version, each: Explained) -> Iterator[str]:
        lot, order = each.lot, each.order
        if each.posting.entry.reason == "lapse":
            if lot is not None and lot.pooled:
                yield self.words.line("pooled")
            elif lot is not None and lot.expires_on is not None:
                yield self.words.line("last_day", date=lot.expires_on.isoformat())
            return
        if order is None or lot is None:
            return
        portion = next((each for each in order.portions if lot.part.startswith(f"{each.key}.")), None)
        date_ = version.days.date_of(lot.matures_at or each.posting.moment.at).isoformat()
        for trigger in maturity.triggers(version, order):
            happened = _happened(order, portion, trigger.event)
            if happened is not None:
                name = "matures" if trigger.days else "matures_business" if trigger.business_days else "matures_at_once"
                day = version.days.date_of(happened).isoformat()
                event = self.words.of(EVENTS[trigger.event])
                yield self.words.line(name, date=date_, event=event, happened=day, days=trigger.days or trigger.business_days)
        component = next((each for each in version.terms.earning.components if lot.part.endswith(f".{each.id}")), None)
        for on in (version.terms.maturity.on, component.later if component is not None else None):
            if on is not None:
                yield self.words.line("matures_on_last" if on.day < 0 else "matures_on", date=date_, day=on.day)

    def _asked(self, each: Explained) -> Iterator[str]:
        data = each.cause.data if each.cause is not None else None
        if isinstance(data, OrderPlaced) and each.posting.entry.reason in ("redeem", "reserve"):
            yield self.words.line("all_asked") if data.use_all_points else self.words.line("asked", n=data.points_used)
        elif isinstance(data, PointsAdjusted) and data.reason:
            yield self.words.line("reason", text=data.reason)


def _happened(order: Order, portion: Portion | None, event: str) -> datetime | None:
    """When something that points wait for happened, as the order knows it."""
    match event:
        case "order":
            return order.placed_at
        case "payment":
            return order.payment.paid_at
        case "shipment":
            return portion.triggered_at if portion is not None and portion.triggered_at else order.delivery.shipped_at
        case _:
            return portion.triggered_at if portion is not None and portion.triggered_at else order.delivery.delivered_at
