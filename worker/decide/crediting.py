"""Posting what an order should hold minus what it holds: grants, splits, voids and revocations of its lots.

One subtraction serves partial returns, exchanges, cancels before and after maturity, and repairs of caps and tiers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from contracts.terms import Cap
from worker.decide import caps, earning, expiry, ledger, left_behind, maturity
from worker.decide.account import Account
from worker.decide.earning import Source
from worker.decide.order_records import Order, Portion
from worker.decide.program import Version
from worker.decide.state import Lot
from worker.decide.trace import Cut, Settling, Share, Term


def settle(account: Account, order: Order) -> Order:
    """Bring the order's lots to what it earns now; returns the order with what it holds. The caller keeps it."""
    version = account.program.named(order.terms)
    undated = {portion.key for portion in order.portions if portion.matures_at is None}
    order = maturity.date_portions(account, order)
    order = _fix_tiers(account, version, order)
    for source in earning.sources(version, order):
        order = _Source(account, version, order, source, undated).reconcile()
    earned = order.earning
    credited = earned.written_off + sum([sum(portion.points.values()) for portion in order.portions])
    return order if credited == earned.credited else replace(order, earning=replace(earned, credited=credited))


def _fix_tiers(account: Account, version: Version, order: Order) -> Order:
    """Keep the tier that a portion's rate follows, where the terms take it later than at the order (SCO-Q14, BEL-Q4)."""
    tier_at = version.terms.earning.tier_at
    if tier_at == "order" or account.head.tier is None:
        return order
    portions = tuple(
        replace(portion, tier=account.head.tier.name)
        if portion.tier is None
        and (portion.triggered_at if tier_at == "trigger" else portion.matures_at and portion.matures_at <= account.at)
        else portion
        for portion in order.portions
    )
    return replace(order, portions=portions)


def void(account: Account, order: Order, points: int, rule: str, only: str | None = None) -> tuple[Order, int]:
    """Take points back that an order holds, those that were granted last first. `only`: of the lot of this part.

    They are not granted again, and what comes back of the order later takes the less. Returns the order, and how many points it
    was.
    """
    version, left = account.program.named(order.terms), points
    for source in earning.sources(version, order):
        each = _Source(account, version, order, source, set())
        left -= each.void(left, rule, only)
        order = each.settled()
    return order, points - left


class _Source:
    """One earning source of one order, while its portions are brought to what they should hold.

    `undated`: portions that had no date of maturity before this fact.
    """

    def __init__(self, account: Account, version: Version, order: Order, source: Source, undated: set[str]) -> None:
        self.account = account
        self.version = version
        self.order = order
        self.source = source
        self.working: Settling | None = None
        self.undated = undated
        self.portions = {portion.key: portion for portion in order.portions}
        self.holds = {portion.key: portion.points.get(source.id, 0) for portion in order.portions}

    def reconcile(self) -> Order:
        """Split, revoke or grant until the portions hold what they should; then date what matures."""
        trace = self.account.trace
        if not any(self.holds.values()) and not any(map(self._shown, self.order.portions)):
            return self.order
        if trace is not None:
            self.working = trace.working = Settling(self.order.order_id, self.source.id, self.source.rule)
        wanted = self._wanted()
        before = dict(self.holds)
        if wanted != before:
            self._split(wanted)
        over = {key: self.holds[key] - wanted[key] for key in self.holds} if wanted != self.holds else {}
        net = sum(over.values())
        if net > 0:
            self._revoke(over, net)
        self._cap_by_date_of_grant()
        if net < 0:
            self._grant(over)
        self._date()
        if trace is not None:
            trace.working = None
        return self.order if self.holds == before else self.settled()

    def settled(self) -> Order:
        """The order with what its portions hold now."""
        return replace(self.order, portions=tuple(map(self._with_points, self.order.portions)))

    def void(self, points: int, rule: str, only: str | None) -> int:
        """Take up to so many points back that portions hold, and remember that they may not hold them again."""
        left = points
        for portion in reversed(earning.in_turn(self.order)):
            gone = min(left, self.holds[portion.key]) if only in (None, self._part(portion)) else 0
            if gone:
                self._take_back(portion, gone, rule)
                self.holds[portion.key] -= gone
                left -= gone
                # What still waits may part, and each part holds the less; what is parted is cut alone.
                alone = portion.triggered_at is not None
                same = [portion] if alone else [each for each in self.order.portions if each.root == portion.root]
                limit = self._limit("void" if alone else "order", portion)
                self._allow(limit, sum(self.holds[each.key] for each in same))
        return points - left

    def _part(self, portion: Portion) -> str:
        """The part by which the lot of a portion is named."""
        return f"{portion.key}.{self.source.id}"

    def _with_points(self, portion: Portion) -> Portion:
        """The portion with what it holds now."""
        points = {source: n for source, n in {**portion.points, self.source.id: self.holds[portion.key]}.items() if n}
        return portion if points == portion.points else replace(portion, points=points)

    def _is_fresh(self, portion: Portion) -> bool:
        """Whether the portion's date of maturity became known with this fact."""
        return portion.matures_at is not None and portion.key in self.undated

    def _shown(self, portion: Portion) -> bool:
        return maturity.shown(self.version, self._matures_at(portion), self.account.at)

    def _matures_at(self, portion: Portion) -> datetime | None:
        return maturity.date_of(self.version, portion, self.source.later)

    def _matured(self, portion: Portion) -> bool:
        at = self._matures_at(portion)
        return at is not None and at <= self.account.at

    def _wanted(self) -> dict[str, int]:
        """What each portion should hold: what it earns, if it is shown, within what a cap has left it."""
        terms: list[Term] | None = [] if self.working is not None else None
        earned = earning.desired(self.account.program, self.order, self.source, self.account.at, terms)
        rules = self.version.terms.reversal.earned_points
        left = dict(self.order.earning.allowed)
        wanted: dict[str, int] = {}
        # In turn, so that a cut falls on what has not shipped: what shipped would else rise when the rest is cancelled.
        for portion in earning.in_turn(self.order) if left else self.order.portions:
            points = earned[portion.key] if self._shown(portion) else 0
            if left:
                limits = [limit for limit in (self._limit(by, portion) for by in ("order", "grant", "void")) if limit in left]
                points = min([points, *(left[limit] for limit in limits)])
                left.update((limit, left[limit] - points) for limit in limits)
            keep = rules.available if self._matured(portion) else rules.pending
            wanted[portion.key] = max(points, self.holds[portion.key]) if keep == "keep" else points
        if "keep" in (rules.available, rules.pending):
            left_behind.bring_no_more(self.account, self.order, self.source, self.holds, earned, wanted)
        if self.working is not None and terms is not None:
            self._note(self.working, terms, earned, wanted)
        return wanted

    def _note(self, working: Settling, terms: list[Term], earned: Mapping[str, int], wanted: Mapping[str, int]) -> None:
        working.terms = tuple(terms)
        working.shares = tuple(
            Share(key, tuple(each.pieces.items()), earned[key], wanted[key], self.holds[key], self._matures_at(each))
            for key, each in self.portions.items()
        )

    # -- lots

    def _lot(self, portion: Portion) -> Lot:
        """The lot of a portion: as it stands, or a new one with the dates that are known."""
        origin, part = f"order:{self.order.order_id}", f"{portion.key}.{self.source.id}"
        kept = self.account.lot(origin, part)
        if kept is not None:
            return kept
        lot = Lot(
            origin=origin,
            part=part,
            kind=self.source.kind,
            granted_at=self.account.at,
            points=0,
            rule=self.source.rule,
            order_id=self.order.order_id,
        )
        return self._dated(lot, portion)

    def _dated(self, lot: Lot, portion: Portion) -> Lot:
        """The lot with its dates. Points that were held past their date are granted when they are released (LEN-22)."""
        matures_at = self._matures_at(portion)
        if matures_at is None or (self._matured(portion) and self.order.earning.held):
            return lot
        granted_at = max(matures_at, self.account.at) if lot.pending else matures_at
        fixed = self.order.earning.bonus[self.source.bonus].expires_on if self.source.bonus >= 0 else None
        return replace(expiry.dated(self.account, self.version, lot, granted_at, fixed), matures_at=matures_at)

    def _split(self, wanted: dict[str, int]) -> None:
        """Pieces that parted from waiting ones take their pending points with them, to mature on their own date. What is pending
        for pieces that are gone goes to those that are short."""
        for to in self.order.portions:
            short = wanted[to.key] - self.holds[to.key]
            for giver in self.order.portions if short > 0 else ():
                parted = to.parted_from is not None and giver.root == to.root
                lot = self.account.lot(f"order:{self.order.order_id}", f"{giver.key}.{self.source.id}")
                moved = min(short, self.holds[giver.key] - wanted[giver.key], lot.pending) if lot is not None else 0
                if lot is not None and moved > 0 and (parted or not giver.pieces):
                    ledger.split(self.account, self.version, lot, self._lot(to), moved)
                    self.holds[giver.key] -= moved
                    self.holds[to.key] += moved
                    short -= moved

    def _date(self) -> None:
        """Lots of portions whose date has become known get it, and mature if it is now."""
        for portion in self.order.portions:
            matures_at = self._matures_at(portion)
            if matures_at is None or not self.holds[portion.key]:
                continue
            lot = self.account.lot(f"order:{self.order.order_id}", f"{portion.key}.{self.source.id}")
            if lot is None or not lot.pending:
                continue
            due = matures_at <= self.account.at
            if due and self.order.earning.held:
                continue  # it waits for its release, and the clock has nothing to do with it until then
            if lot.matures_at != matures_at:
                lot = self._dated(lot, portion)
                self.account.put_lot(lot)
            if due:
                ledger.mature(self.account, self.version, lot, self.version.terms.maturity.rule)

    # -- more and less

    def _grant(self, over: dict[str, int]) -> None:
        """Grant points to the portions that hold too few. What others hold too much makes up for the earliest of them, and is not
        moved: what is new belongs to what shipped last (BEL-10)."""
        spare = sum(each for each in over.values() if each > 0)
        for portion in earning.in_turn(self.order):
            short = -over[portion.key]
            if short > 0:
                covered = min(short, spare)
                short, spare = short - covered, spare - covered
            if short <= 0:
                continue
            allowed = self._within_caps(portion, short)
            if self.working is not None:
                self.working.cut += short - allowed
            if allowed:
                lot = self._lot(portion)
                lot = replace(lot, points=lot.points + allowed)
                if self._matured(portion) and not self.order.earning.held:
                    ledger.credit(self.account, self.version, lot, allowed)
                else:
                    ledger.credit_pending(self.account, self.version, lot, allowed)
                self.holds[portion.key] += allowed

    def _revoke(self, over: dict[str, int], points: int) -> None:
        """Take points back, from the portions that hold the most too much, and of those the latest, first."""
        order = {portion.key: index for index, portion in enumerate(earning.in_turn(self.order))}
        left = points
        for key in sorted(over, key=lambda key: (-over[key], -order[key])):
            gone = min(over[key], left)
            if gone > 0:
                self._take_back(self.portions[key], gone)
                self.holds[key] -= gone
                left -= gone

    def _take_back(self, portion: Portion, points: int, cause: str | None = None) -> None:
        """Void what is pending, then revoke from the portion's own lot, the order's, the others, then below zero (COM-Q6).

        `cause`: the rule by which they are taken back for cause: then from the other lots that last longest, and in full.
        """
        account, rules = self.account, self.version.terms.reversal.earned_points
        rule = cause or rules.rule
        kind = self.source.kind if rules.taken_from == "own_kind" and cause is None else None
        self._free_caps(portion, points)
        lot = account.lot(f"order:{self.order.order_id}", f"{portion.key}.{self.source.id}")
        left = points
        own: list[Lot] = []
        if lot is not None:
            pending = min(left, lot.pending)
            if pending:
                ledger.void(account, lot, pending, rule)
                left -= pending
                lot = account.lot(lot.origin, lot.part)
        if lot is not None:
            # What has lapsed or was revoked meanwhile is gone already: taking it again from other points would charge it twice.
            lapsed = min(max(left - lot.available, 0), lot.lapsed)
            revoked = min(max(left - lot.available - lapsed, 0), lot.revoked)
            if lapsed or revoked:
                lot = replace(lot, lapsed=lot.lapsed - lapsed, revoked=lot.revoked - revoked)
                account.put_lot(lot)
                left -= lapsed + revoked
                if self.working is not None:
                    self.working.lapsed += lapsed
                    self.working.revoked += revoked
            own = [lot]
        if not left:
            return
        covered = own[0].available if own else 0
        if cause is not None:
            own += [each for each in ledger.longest_first(account.open_lots()) if not own or each.ref != own[0].ref]
        elif covered < left:
            mine = [each for each in account.open_lots() if each.order_id == self.order.order_id and kind in (None, each.kind)]
            known = {lot.ref for lot in own}
            own += [each for each in ledger.in_spend_order(account, self.version, mine) if each.ref not in known]
            if rules.shortfall == "write_off":
                short = left - min(left, max(ledger.of_kind(account, kind), 0))
                earned = self.order.earning
                self.order = replace(self.order, earning=replace(earned, written_off=earned.written_off + short))
                if self.working is not None:
                    self.working.written_off += short
                left -= short
        if left:
            ledger.take(account, self.version, left, "revoke", "revoked", rule, self.order.order_id, own, kind)

    # -- caps

    def _caps(self) -> list[tuple[str, Cap]]:
        """The caps that concern the source, with the name under which each is counted."""
        if not self.version.cap_names:
            return []
        name = "bonus" if self.source.component is None else self.source.id
        return list(caps.of(self.version, "purchase", name, self.source.kind))

    def _period(self, name: str, cap: Cap, portion: Portion) -> str | None:
        at = self.order.placed_at if cap.dated_by == "order" else self._matures_at(portion)
        return None if at is None else caps.period_of(self.account, self.version, name, cap, self.version.days.date_of(at))

    def _limit(self, dated_by: str, portion: Portion) -> str:
        """The name under which a cut is remembered: by its order date for all that parts from a portion, else for it alone."""
        return f"{portion.root if dated_by == 'order' else f'{portion.key}@{dated_by}'}/{self.source.id}"

    def _within_caps(self, portion: Portion, points: int, dated_by: str | None = None) -> int:
        """How many of these points the caps allow; they use the room up. A cut stays with the order (LEN-Q6, LEN-Q7)."""
        counted: list[tuple[Cap, str]] = []
        for name, cap in self._caps():
            period = self._period(name, cap, portion)
            if period is None or dated_by not in (None, cap.dated_by):
                continue
            counted.append((cap, period))
            used = caps.used(self.account, cap, period, self.order)
            room = max(cap.points - used, 0)
            # What this order itself used up does not make it a purchase after the limit was reached.
            crosses = cap.crossing == "full" and used - self.order.earning.capped.get(period, 0) < cap.points
            if "purchase" in cap.refuses and points > room and not crosses:
                left = caps.allowed(cap.beyond, room, points)
                self._cut(cap, portion, left, before=dated_by is None)
                if self.account.trace is not None:
                    self.account.trace.cap(Cut(cap.rule, period, cap.points, used, points, left))
                points = left
        if points:
            for cap, period in counted:
                self._use_cap(cap, period, points)
        return points

    def _cut(self, cap: Cap, portion: Portion, room: int, *, before: bool) -> None:
        """Remember that a portion (or all that parted from it) may hold `room` more than it did before."""
        same = (
            [each.key for each in self.order.portions if each.root == portion.root] if cap.dated_by == "order" else [portion.key]
        )
        holding = sum(self.holds[key] for key in same) if before else 0
        self._allow(self._limit(cap.dated_by, portion), holding + room)

    def _allow(self, limit: str, points: int) -> None:
        """Keep under a limit's name the most points that may be held."""
        earned = self.order.earning
        self.order = replace(self.order, earning=replace(earned, allowed={**earned.allowed, limit: points}))

    def _cap_by_date_of_grant(self) -> None:
        """Points shown before their date was known come under the cap of that date once it is (LEN-Q5)."""
        dated = [cap for _, cap in self._caps() if cap.dated_by == "grant"]
        for portion in filter(self._is_fresh, self.order.portions if dated else ()):
            points = self.holds[portion.key]
            over = points - self._within_caps(portion, points, "grant")
            if over:
                lot = self._lot(portion)
                ledger.void(self.account, lot, min(over, lot.pending), dated[0].rule)
                self.holds[portion.key] -= min(over, lot.pending)
                if self.working is not None:
                    self.working.cut += min(over, lot.pending)

    def _use_cap(self, cap: Cap, period: str, points: int) -> None:
        caps.use(self.account, cap, period, points)
        earned = self.order.earning
        capped = {**earned.capped, period: earned.capped.get(period, 0) + points}
        self.order = replace(self.order, earning=replace(earned, capped=capped))

    def _free_caps(self, portion: Portion, points: int) -> None:
        for name, cap in self._caps():
            period = self._period(name, cap, portion)
            uncounted = cap.dated_by == "grant" and self._is_fresh(portion)
            used = self.order.earning.capped.get(period or "", 0)
            if period is not None and used and cap.freed_by_reversal and not uncounted:
                self._use_cap(cap, period, -min(points, used))
