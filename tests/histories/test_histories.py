"""Small histories that once ended wrong on real Kafka and Postgres: what each comes to, whatever the order of delivery."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from itertools import permutations

import pytest
import pytest_asyncio

from contracts.statement import Statement
from tests.flows.system import System
from tests.histories.playing import QUICK, History, StoredAccounts, in_fewer, play, read
from tests.parts.postgres import DEFAULT_VERSION, Servers
from tests.witness.asking import WAIT_SECONDS, judged

pytestmark = pytest.mark.timeout(600)
in_one_loop = pytest.mark.asyncio(loop_scope="module")

CLOSED_LOTS = {
    "closed-lot-return": "V1",
    "closed-lot-cancel": "V6",
    "closed-lot-released": "X2",
    "closed-lot-overwritten": "W1",
}
"""File → its member: points go back to a lot of which the rest has lapsed meanwhile."""
NAME_BYTES_MAX = 2_000
"""A lot's origin and part stand in one row of an index, where Postgres takes 2.7 KB."""
POOLED, FRESH = "scolar-pooled", "belle-maison-fresh"
"""Programs whose balance lapses as one and is prolonged by orders; whose points handed back get a fresh term."""

HISTORIES: Mapping[str, History] = {
    **{file: read(file, f"{file}.") for file in CLOSED_LOTS},
    **{
        f"nobody-{number}": read("order-id-of-nobody", f"nobody-{number}.", order)
        for number, order in enumerate(permutations(range(4)))
    },
    **{
        f"outside-{number}": read("order-id-outside-apart", f"outside-{number}.", order)
        for number, order in enumerate(permutations(range(3)))
    },
    "outside-together": read("order-id-outside-together", "outside-together."),
    "waiting": read("waiting-redemption", "waiting."),
    "opening": read("opening-pool-in-the-past", "opening.", program=POOLED),
    "hand-backs": in_fewer(read("hand-backs-in-turn", "", program=FRESH), 5),
    "longest-ids": read("longest-ids", "longest-ids."),
    "telling-between": read("second-telling-clock-between", "telling-between."),
    "telling-together": read("second-telling-together", "telling-together."),
}


@dataclass(slots=True)
class Played:
    """What came of all histories, played on one system."""

    system: System
    books: StoredAccounts

    def statement(self, name: str, member: str) -> Statement:
        """What the ledger says of a member of a history: neither fenced, nor with anything refused, nor at odds with itself."""
        history = HISTORIES[name]
        key = (history.program, history.member(member))
        assert self.books.fenced.get(key) is None
        assert self.books.letters_of(history) == []
        assert self.books.violations.get(key, []) == []
        return self.books.statements[key]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def played(bootstrap: str, postgres_servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Played]:
    """All histories, played by one worker beside each other."""
    dsn = postgres_servers.create_database(DEFAULT_VERSION, "histories")
    system = System(bootstrap, dsn, "histories.", tmp_path_factory.mktemp("histories"))
    try:
        await system.prepare(programs=("lenovo-pro", "belle-maison", "scolar", "puppy"))
        await system.register("scolar", {"program": POOLED, "expiry.pool.prolonged_by": ["order"]})
        await system.register("belle-maison", {"program": FRESH, "reversal.back_expiry.mode": "fresh"})
        system.start_worker("w1", **QUICK)
        yield Played(system, await play(system, list(HISTORIES.values())))
    finally:
        system.stop_workers()
        postgres_servers.drop_database(DEFAULT_VERSION, "histories")


@in_one_loop
@pytest.mark.parametrize("file", CLOSED_LOTS)
async def test_points_go_back_to_a_lot_that_has_lapsed_and_lapse_with_it(played: Played, file: str) -> None:
    history = HISTORIES[file]
    says = played.statement(file, CLOSED_LOTS[file])
    simulated = played.books.simulated[history.program, history.member(CLOSED_LOTS[file])]
    assert says.model_copy(update={"version": 0}) == simulated.model_copy(update={"version": 0})
    assert says.lapsed_total == 59


@in_one_loop
async def test_a_lot_says_all_that_lapsed_of_it(played: Played) -> None:
    rows = await played.system.sql(
        "SELECT l.lapsed FROM lot l JOIN account USING (account_id) WHERE starts_with(member_id, 'closed-lot-overwritten.')"
        " AND l.origin LIKE '%W1A'"
    )
    assert [row["lapsed"] for row in rows] == [59]


@in_one_loop
@pytest.mark.parametrize("name", [name for name in HISTORIES if name.startswith("nobody-")])
async def test_an_order_earns_though_a_store_of_nobody_has_used_its_id(played: Played, name: str) -> None:
    says = played.statement(name, "K1")
    assert [order.points_credited for order in says.orders] == [50]
    assert says.available == 50


@in_one_loop
@pytest.mark.parametrize("name", [name for name in HISTORIES if name.startswith("outside-")])
async def test_what_names_its_program_follows_the_order_of_that_program(played: Played, name: str) -> None:
    says = played.statement(name, "M")
    assert (says.available, says.pending) == (1000, 0)


@in_one_loop
async def test_a_redemption_that_overdraws_an_instant_already_told_is_rejected_and_nobody_fenced_for_it(played: Played) -> None:
    says = played.statement("waiting", "M")
    assert says.available == 0
    (order,) = says.orders
    assert order.redemption is not None
    assert (order.redemption.decision, order.redemption.reason) == ("rejected", "insufficient_points")


@in_one_loop
async def test_an_opening_that_ends_the_pool_in_the_past_makes_its_points_lapse(played: Played) -> None:
    says = played.statement("opening", "M")
    assert (says.available, says.lapsed_total) == (0, 1000)


@in_one_loop
async def test_points_can_be_handed_back_any_number_of_times(played: Played) -> None:
    says = played.statement("hand-backs", "M")
    assert says.available == 100
    rows = await played.system.sql("SELECT max(octet_length(origin) + octet_length(part)) FROM lot")
    assert rows[0][0] < NAME_BYTES_MAX


@in_one_loop
async def test_ids_of_the_greatest_length_work_in_every_event(played: Played) -> None:
    says = played.statement("longest-ids", "M")
    assert (says.available, says.pending) == (100, 100)


@in_one_loop
async def test_a_second_telling_gets_the_same_verdict_wherever_batches_end(played: Played) -> None:
    told = [played.statement(name, "M").orders[0].redemption for name in ("telling-between", "telling-together")]
    assert told[0] is not None
    assert told[0] == told[1]
    verdicts = await played.system.sql(
        "SELECT split_part(id, '.', 1) AS name, verdict, points, reason FROM decision"
        " WHERE starts_with(id, 'telling-') ORDER BY split_part(id, '.', 2)"
    )
    by_name = {
        name: [(row["verdict"], row["points"], row["reason"]) for row in verdicts if row["name"] == name]
        for name in ("telling-between", "telling-together")
    }
    assert by_name["telling-between"] == by_name["telling-together"]


@in_one_loop
async def test_a_checker_that_knows_nothing_of_us_finds_nothing_lost_doubled_or_wrong(played: Played) -> None:
    answer = await judged(played.system, wait=WAIT_SECONDS)
    assert answer.evidence == []
