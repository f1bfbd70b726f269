"""One account while facts are folded into it: reads, replacements with their before-images, and the open step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import TypeVar

from msgspec.structs import replace

from contracts.events import Event
from worker.decide.change import NOTHING, Needs
from worker.decide.errors import NotLoaded
from worker.decide.instants import due_of, next_after
from worker.decide.lot_name import is_grant, lot_name
from worker.decide.order_records import Order, Voucher
from worker.decide.program import Program, Version
from worker.decide.state import (
    CLOCK_SOURCE,
    Before,
    Certainty,
    Contest,
    Decision,
    Early,
    EarlyFact,
    Earmark,
    Entry,
    Finding,
    Head,
    Item,
    ItemKey,
    ItemKind,
    Lot,
    Mark,
    Moment,
    Request,
    Waiting,
    cause_of,
)
from worker.decide.step import Answer, Notice, Step, TierMove, TierNotice
from worker.decide.tally_records import Tally
from worker.decide.trace import Trace

_I = TypeVar("_I", Order, Request, Earmark, Tally, Voucher)


class Account:
    """The working copy of one account.

    `needs` says what the rows were loaded for: of that, what is not here is not there. Whatever else is read or replaced
    raises NotLoaded, but rows that the open step itself makes, named after its cause. `complete`: everything is here.
    Decisions already taken are in `decided`; the ones taken in this run are added to it, unless `announced_only`: then what is
    not in it waits, as in the ledger that took them. `certainty`: how far all topics have been read (None: everything was),
    `began`: the snapshots since which facts wait already. `overdrawing`: facts whose redemption would leave less than nothing
    at a later instant already folded, so they count as not covered. `overtaken`: facts that wait no longer, for their order
    was told again by another fact and is covered as told then; those that this run finds are in `overtaking`. `paid_until`: up
    to here `decided` has all that was paid out in money; `recorded_from`: from here on it has every verdict (None: it has all).
    `trace`: where the fold notes its working, if anyone asks. `vouchers`: those of which the open step tells. `turning`: facts to
    be folded by which earlier ones may be read otherwise, by what they are about. `at`: the instant of the open step; there is
    none before the first `begin`.
    """

    __slots__ = (
        "_before_items", "_before_lots", "_head_before", "_named", "_origins", "_rows_due", "_rows_known", "_version",
        "all_open", "announced_only", "answers", "at", "began", "certainty", "complete", "decided", "entries",
        "event", "head", "items", "lots", "moment", "notices", "overdrawing", "overtaken", "overtaking", "paid_until",
        "program", "recorded_from", "tier_move", "trace", "turning", "vouchers",
    )

    def __init__(
        self,
        program: Program,
        head: Head,
        lots: dict[str, Lot],
        items: dict[ItemKey, Item],
        needs: Needs = NOTHING,
        *,
        complete: bool = False,
    ) -> None:
        self.program = program
        self.head = head
        self.lots = lots
        self.items = items
        self.complete = complete or needs.complete
        self.all_open = needs.all_open or self.complete
        self._named = set(needs.items)
        self._origins = needs.origins
        self.decided: dict[tuple[str, str], Decision] = {}
        self.certainty: Certainty | None = None
        self.began: Mapping[Moment, int] = {}
        self.announced_only = False
        self.overdrawing: set[tuple[str, str]] = set()
        self.overtaken: Mapping[tuple[str, str], tuple[str, str]] = {}
        self.overtaking: dict[tuple[str, str], tuple[str, str]] = {}
        self.paid_until: datetime | None = None
        self.recorded_from: Moment | None = None
        self.trace: Trace | None = None
        self.turning: Mapping[str, Sequence[Event]] = {}
        self.moment: Moment | None = None
        self.at: datetime
        self._version: Version
        self._rows_due: datetime | None = None
        self._rows_known = False
        self._reset(head)

    def _reset(self, head: Head) -> None:
        self._head_before = head
        self._before_lots: dict[str, Lot | None] = {}
        self._before_items: dict[ItemKey, Item | None] = {}
        self.entries: list[Entry] = []
        self.answers: list[Answer] = []
        self.notices: list[Notice | TierNotice] = []
        self.vouchers: dict[str, Voucher] = {}
        self.tier_move: TierMove | None = None
        self.event: Event | None = None

    # -- the open step

    @property
    def version(self) -> Version:
        """The terms in force at the open step's instant. Whoever works on an order passes those of its date along."""
        return self._version

    @property
    def cause(self) -> str:
        """The name of the fact (or clock) of the open step, as lots granted by it are called."""
        return f"clock:{self.at.isoformat()}" if self.event is None else cause_of(self.event.source, self.event.id)

    @property
    def asked_at(self) -> Moment:
        """The moment of the fact in hand: before the open step's, if it was told before what it is about."""
        assert self.event is not None
        return Moment(*self.event.key)

    def begin(self, moment: Moment, event: Event | None = None) -> None:
        """Open a step: what changes from here on has its before-image kept."""
        self._reset(self.head)
        self.moment = moment
        self.at = moment.at
        self.event = event
        self._version = self.program.at(moment.at)

    def finish(self) -> Step:
        """Close the step, with the instants at which to look again worked out."""
        assert self.moment is not None
        due = self._clock_due()
        last = self.moment if self.event is not None or self.changed else self.head.last
        look = due if due is None or last is None else next_after(last, due)
        if (last, due, look) != (self.head.last, self.head.clock_due_at, self.head.next_due_at):
            self.head = replace(self.head, last=last, clock_due_at=due, next_due_at=look)
        before = Before(head=self._head_before, lots=self._before_lots, items=self._before_items)
        told = self.answers, self.tier_move, self.notices, self.vouchers
        return Step(self.moment, self.event, before, self.head, self.entries, *told)

    @property
    def certain(self) -> bool:
        """Whether all has been read that was there before the open step's fact came."""
        assert self.moment is not None
        return self.certainty is None or self.certainty.may_refuse(self._began())

    def _began(self) -> int:
        """The snapshot since which the fact in hand waits: the newest one, if it begins now."""
        newest = self.certainty.current if self.certainty is not None else 0
        return self.began.get(self.asked_at, newest)

    @property
    def changed(self) -> bool:
        """Whether the open step did anything at all."""
        return bool(
            self.entries
            or self.answers
            or self.notices
            or self.tier_move
            or self._before_items
            or self._before_lots
            or (self.head is not self._head_before and self.head != self._head_before)
        )

    def _clock_due(self) -> datetime | None:
        """The next instant at which the clock changes something. In a narrow account only rows of this step can be new."""
        head = self.head
        if self.all_open:
            self._rows_due = self._all_open_due()
            instants = [] if self._rows_due is None else [self._rows_due]
        else:
            instants = [] if head.clock_due_at is None else [head.clock_due_at]
            instants.extend(self._touched_due())
        if head.pool_lapses_at is not None and self._pool_matters(head):
            instants.append(head.pool_lapses_at)
            if head.pool_notice_at is not None:
                instants.append(head.pool_notice_at)
        others = head.tier_due_at, head.pay_out_at, head.occasion_at, self.told_after(self.at)
        instants.extend(filter(None, others))
        return min(instants) if instants else None

    def told_after(self, at: datetime) -> datetime | None:
        """The next instant of the clock at which something was decided that the world was told, so that it happens again."""
        if not self.program.pays_out:
            return None
        instants = (datetime.fromisoformat(key) for source, key in self.decided if source == CLOCK_SOURCE)
        return min((each for each in instants if each > at), default=None)

    def _pool_matters(self, head: Head) -> bool:
        """Whether something is in the pool that can lapse. A narrow account takes it for granted while the pool's end lies ahead,
        and after it that nothing is: what was there has lapsed, what comes lapses at once. But not if this step moved the end."""
        if not self.all_open:
            assert head.pool_lapses_at is not None
            ahead = head.pool_lapses_at > self.at
            if ahead or head.pool_lapses_at == self._head_before.pool_lapses_at:
                return ahead
        return any(lot.pooled and lot.available for lot in self.open_lots())

    def _all_open_due(self) -> datetime | None:
        """The earliest instant at which a row has something due. Every row is looked at the first time, and when one that had it
        was touched; else only those that the step touched can be earlier, so that an account with many lots stays quick."""
        rows = chain(self._before_lots.values(), self._before_items.values())
        if not self._rows_known or any(due_of(row) == self._rows_due for row in rows if row is not None):
            self._rows_known = True
            return min(filter(None, map(due_of, chain(self.lots.values(), self.items.values()))), default=None)
        first = self._rows_due
        return min(self._touched_due() if first is None else (first, *self._touched_due()), default=None)

    def _touched_due(self) -> list[datetime]:
        """When the rows that the open step touched have something due."""
        lots = (due_of(self.lots[ref]) for ref in self._before_lots if ref in self.lots)
        items = (item.due_at for item in map(self.items.get, self._before_items) if item is not None)
        return [due for due in chain(lots, items) if due is not None]

    # -- reading

    def need_all_open(self) -> None:
        """Ask for every open lot: raises NotLoaded if they are not all here."""
        if not self.all_open:
            raise NotLoaded(all_open=True)

    def need(self, items: Iterable[ItemKey] = (), origins: Iterable[str] = ()) -> None:
        """Ask in one go for rows that will be read one by one: raises NotLoaded with all that are not here."""
        if not self.complete:
            absent = self._unknown(items)
            unknown = {*origins} - self._origins
            if absent or unknown:
                raise NotLoaded(items=absent, origins=unknown)

    def knows(self, items: Iterable[ItemKey]) -> bool:
        """Whether of all these rows it is known what they are, or that they are not there."""
        return self.complete or not self._unknown(items)

    def _unknown(self, items: Iterable[ItemKey]) -> set[ItemKey]:
        return {key for key in items if key not in self.items and key not in self._named}

    def lot(self, origin: str, part: str) -> Lot | None:
        """The lot of that name, be it open or lost; None if nothing was ever lost of it and nothing is left."""
        found = self.at_hand(origin, part)
        if found is None:
            self._must_know(origin)
        return found

    def at_hand(self, origin: str, part: str) -> Lot | None:
        """The lot of that name if it happens to be at hand; None says nothing of whether it is there."""
        return self.lots.get(lot_name(origin, part))

    def open_lots(self) -> list[Lot]:
        """Every open lot, in no order that means anything (and lost ones that happen to be at hand). Raises NotLoaded."""
        self.need_all_open()
        return list(self.lots.values())

    def _must_know(self, origin: str) -> None:
        """Raises NotLoaded unless all lots of a grant are here; of one that the open step makes there are no others."""
        if not self.complete and origin not in self._origins and origin != self.cause:
            raise NotLoaded(origins=(origin,))

    def _find(self, kind: ItemKind, key: str) -> Item | None:
        found = self.items.get((kind, key))
        if found is None and not self.complete and (kind, key) not in self._named:
            raise NotLoaded(items=((kind, key),))
        return found

    def order(self, order_id: str) -> Order | None:
        """The order of that id, if the account has it."""
        found = self._find("order", order_id)
        assert found is None or isinstance(found, Order)
        return found

    def order_at_hand(self, order_id: str) -> Order | None:
        """The order of that id if it happens to be at hand; None says nothing of whether it is there."""
        found = self.items.get(("order", order_id))
        return found if isinstance(found, Order) else None

    def request(self, type_: str, request_id: str) -> Request | None:
        """The request of that type and id, if the account has it."""
        found = self._find("request", f"{type_}:{request_id}")
        assert found is None or isinstance(found, Request)
        return found

    def earmark(self, name: str) -> Earmark | None:
        """The earmark of that name, if the account has it."""
        found = self._find("earmark", name)
        assert found is None or isinstance(found, Earmark)
        return found

    def earmarks(self) -> list[Earmark]:
        """Every earmark of a complete account."""
        assert self.complete
        return [item for item in self.items.values() if isinstance(item, Earmark)]

    def mark(self, name: str) -> Mark | None:
        """The mark of that name, if what it is of has happened."""
        found = self._find("mark", name)
        assert found is None or isinstance(found, Mark)
        return found

    def marked(self, name: str) -> bool:
        """Whether something that counts once has happened."""
        return self.mark(name) is not None

    def early(self, thing: str) -> tuple[EarlyFact, ...]:
        """Facts that were told before the thing of that name, and wait for it to stand."""
        found = self._find("early", thing)
        assert found is None or isinstance(found, Early)
        return found.facts if found is not None else ()

    def contest(self, order_id: str) -> Contest | None:
        """Whose the order of that id is, where that is or was a question."""
        found = self._find("contest", order_id)
        assert found is None or isinstance(found, Contest)
        return found

    def tally(self, name: str) -> Tally | None:
        """The tally of that name, if the account has it."""
        found = self._find("tally", name)
        assert found is None or isinstance(found, Tally)
        return found

    def voucher(self, voucher_id: str) -> Voucher | None:
        """The voucher of that id, if it was issued."""
        found = self._find("voucher", voucher_id)
        assert found is None or isinstance(found, Voucher)
        return found

    def due(self, of: type[_I], at: datetime) -> list[_I]:
        """Items of a type with something due at or before an instant, by key. Raises NotLoaded."""
        self.need_all_open()
        rows = self.items.items()
        found = {key: item for key, item in rows if isinstance(item, of) and item.due_at is not None and item.due_at <= at}
        return [found[key] for key in sorted(found)]

    # -- replacing

    def put_lot(self, lot: Lot) -> None:
        """Replace a lot (or add it); one of an order with nothing left is dropped."""
        ref = lot.ref
        if ref not in self._before_lots:
            before = self.lots.get(ref)
            if before is None:
                self._must_know(lot.origin)
            self._before_lots[ref] = before
        if lot.pending or lot.available or lot.lapsed or lot.revoked or is_grant(lot.origin, lot.part):
            self.lots[ref] = lot
        else:
            self.lots.pop(ref, None)

    def put(self, kind: ItemKind, key: str, item: Item | None) -> None:
        """Replace an item, add it, or (None) take it away."""
        name = kind, key
        if name not in self._before_items:
            self._before_items[name] = self._find(kind, key)
        if item is None:
            self.items.pop(name, None)
        else:
            self.items[name] = item
        self._named.add(name)

    def add(self, kind: ItemKind, key: str, item: Item) -> None:
        """Keep an item under a name that holds the open step's cause: no other step makes one like it, none need be loaded."""
        self._named.add((kind, key))
        self.put(kind, key, item)

    def put_order(self, order: Order) -> None:
        """Replace an order."""
        self.put("order", order.order_id, order)

    def put_voucher(self, voucher: Voucher) -> None:
        """Replace or add a voucher, and have subscribers told."""
        self.put("voucher", voucher.voucher_id, voucher)
        self.vouchers[voucher.voucher_id] = voucher

    def put_request(self, request: Request) -> None:
        """Replace a request."""
        self.put("request", f"{request.type}:{request.request_id}", request)

    def note_finding(self, code: str, order_id: str | None = None, detail: str = "") -> None:
        """Keep as a finding that something did not fit."""
        self.add("finding", f"{self.cause}:{code}:{detail}", Finding(code=code, at=self.at, order_id=order_id, detail=detail))

    def wait(self) -> None:
        """Note that the redemption of the fact in hand waits for its decision."""
        self.head = replace(self.head, waiting=tuple(sorted((*self.head.waiting, Waiting(self.asked_at, self._began())))))
