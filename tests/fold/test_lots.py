"""What a lot is granted, loses and gets back."""

from __future__ import annotations

from msgspec.structs import replace

from contracts.events import PointsHeld
from tests.fold.histories import START
from tests.fold.variants import as_shipped
from tests.rules.story import MEMBER, Story, line
from tests.rules.test_belle_maison import SHOES
from worker.decide import holding, ledger
from worker.decide.account import Account
from worker.decide.state import Lot, Moment, blank


def test_a_lot_that_was_emptied_begins_anew_and_what_comes_back_was_granted_too() -> None:
    account = Account(as_shipped("belle-maison"), blank(), {}, {}, complete=True)
    account.begin(Moment(at=START, rank=1, source="//shop", id="1"))
    lot = Lot(origin="order:A", part="all.basic", kind="basic", granted_at=START, points=10, rule="BEL-02", order_id="A")
    ledger.credit(account, account.version, lot, 10)
    (spent,) = ledger.take(account, account.version, 10, "redeem", "spent", "BEL-11", "B")
    assert account.lot("order:A", "all.basic") is None
    ledger.credit(account, account.version, replace(lot, points=2), 2)
    ledger.give_back(account, account.version, spent, 10, "spent", "hand_back", "BEL-14", "B")
    again = account.lot("order:A", "all.basic")
    assert again is not None
    assert (again.available, again.points) == (12, 12)


def test_which_points_of_an_order_are_set_aside_first_does_not_depend_on_how_its_lots_were_read() -> None:
    kept = []
    for reverse in (False, True):
        story = Story("belle-maison")
        story.bought("A", "2024-08-01", line(2_000, **SHOES))
        book = story.simulation.ledgers[MEMBER]
        account = Account(
            story.program,
            book.row.head if book.row else blank(),
            dict(sorted(book.lots.items(), reverse=reverse)),
            dict(book.items),
            complete=True,
        )
        assert len(account.lots) == 2
        told = story.tell("points.held", "2024-08-02", member_id=MEMBER, order_id="A", reason="support")
        account.begin(Moment(at=told.time, rank=1, source=told.source, id=told.id), told)
        assert isinstance(told.data, PointsHeld)
        holding.held(account, told.data)
        kept.append(account.earmark("hold:A"))
    assert kept[0] == kept[1]
    assert kept[0] is not None
