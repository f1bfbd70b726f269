"""Every posted entry is explained by the fold's own working, and the parts of each working add up to its entries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given

from tests.fold.examples import batches, draw, programs, seeds, tried
from tests.fold.histories import History
from tests.fold.stored import StoredAccounts
from worker.decide.explain import Explained, Known, Posting, explain, trace_of
from worker.decide.program import Program
from worker.decide.state import Entry
from worker.decide.trace import Noted, Reversing, Settling, Working
from worker.reading.explain import LANGUAGES, page, tell, text

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class Scribe:
    """Delivers batches to books and keeps when each fact and entry was recorded."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.books = StoredAccounts(program, checked=False)
        self.facts: dict[str, list[Known]] = defaultdict(list)
        self.postings: dict[str, list[Posting]] = defaultdict(list)
        self._turn = 0

    def deliver(self, life: History, rng: Random) -> None:
        for batch in batches(life.events, rng):
            self.books.deliver(batch)
            self.note()
        self.books.run_clock(life.end)
        self.note()

    def note(self) -> None:
        self._turn += 1
        recorded_at = BEGIN + timedelta(seconds=self._turn)
        for member, book in self.books.books.items():
            seen = {(each.event.source, each.event.id) for each in self.facts[member]}
            self.facts[member] += [Known(fact, recorded_at) for key, fact in book.facts.items() if key not in seen]
            for each in book.entries[len(self.postings[member]) :]:
                posting = Posting(each.version, each.line, recorded_at, each.moment, each.entry, each.correction)
                self.postings[member].append(posting)


def movement(working: Working, entry: Entry) -> int:
    """What an entry counts for in its working."""
    if isinstance(working, Reversing):
        return entry.points if entry.source in ("spent", "held") else 0
    sign = {"earn": 1, "void": -1, "revoke": -1}.get(entry.reason, 0)
    return sign * entry.points


def assert_adds_up(noted: Iterable[Noted]) -> None:
    """The parts of every working come to what its entries move."""
    sums: dict[int, int] = defaultdict(int)
    workings = {}
    for row in noted:
        if row.working is not None:
            workings[id(row.working)] = row.working
            sums[id(row.working)] += movement(row.working, row.entry)
    for key, working in workings.items():
        assert working.total == sums[key], working
        if isinstance(working, Settling):
            for share in working.shares:
                terms = [term for term in working.terms if term.portion == share.portion]
                assert share.earned == sum(term.points - term.before for term in terms)


def assert_explained(each: Explained) -> None:
    """An entry is explained: by a fact or the clock, and where it was earned or lost, by numbers."""
    entry = each.posting.entry
    assert each.posting.moment.rank == 0 or each.cause is not None
    if each.change is None:
        assert entry.lot is None or each.lot is not None
        if entry.reason in ("earn", "void") and entry.order_id is not None and (each.cause is None or entry.reason == "earn"):
            assert isinstance(each.working, Settling)
    else:
        assert each.change.now - each.change.was == entry.points


@programs
@tried
@given(seed=seeds)
def test_every_posted_entry_is_explained_and_the_parts_add_up(code: str, seed: int) -> None:
    program, life, rng = draw(code, seed)
    scribe = Scribe(program)
    scribe.deliver(life, rng)
    for member, book in scribe.books.books.items():
        facts, decisions = scribe.facts[member], list(book.decisions.values())
        found = explain(program, facts, decisions, scribe.postings[member], life.end)
        assert len(found.postings) == len(scribe.postings[member])
        for each in found.postings:
            assert_explained(each)
        _, trace = trace_of(program, book.facts.values(), decisions, life.end)
        assert_adds_up(trace.noted)


@programs
@tried
@given(seed=seeds)
def test_noting_the_working_changes_nothing(code: str, seed: int) -> None:
    program, life, rng = draw(code, seed)
    scribe = Scribe(program)
    scribe.deliver(life, rng)
    for member, book in scribe.books.books.items():
        account, _ = trace_of(program, book.facts.values(), book.decisions.values(), life.end)
        assert account.lots == book.lots
        assert (account.head.available, account.head.pending) == (book.head.available, book.head.pending)
        explained = explain(program, scribe.facts[member], list(book.decisions.values()), scribe.postings[member], life.end)
        assert explained.account.lots == book.lots


@programs
@tried
@given(seed=seeds)
def test_every_posting_can_be_told_in_both_languages(code: str, seed: int) -> None:
    program, life, rng = draw(code, seed)
    scribe = Scribe(program)
    scribe.deliver(life, rng)
    for member, book in scribe.books.books.items():
        found = explain(program, scribe.facts[member], list(book.decisions.values()), scribe.postings[member], life.end)
        japanese, english = (tell(program, found, member, life.end, language) for language in LANGUAGES)
        for ja, en in zip(japanese.postings, english.postings, strict=True):
            assert len(ja.how) == len(en.how)
            assert f"{en.points:,}" in en.title
            assert f"{ja.points:,}" in ja.title
            assert " moved from " not in en.title, f"no words for {en.reason} from {en.source} to {en.target}"
        assert text(english)
        assert page(japanese).count("<article") == len(japanese.postings)
