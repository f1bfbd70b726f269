"""Rounds in turn: the worker against what people would use instead and against the machine's limits, and its own variants."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.bench.baseline import Baseline
from tests.bench.context import SEED, STEADY, Bench, tell
from tests.bench.figures import Goal, Outcome, Row
from tests.bench.limits import ConsumeOnly, CopyOnly, Replay, record
from tests.bench.measure import Contestants, Rounds, Run, in_turn
from tests.bench.peer import make_peers
from tests.bench.stack import by_order, now
from tests.bench.workload import HOT, HOT_IN_ORDER, LATE, Workload


def per_second(run: Run) -> float:
    """Events per second."""
    return run.per_second


def cpu(run: Run) -> float:
    """CPU per event over all processes."""
    return run.cpu_microseconds


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure of one contestant over that of another, round by round."""

    what: str
    one: str
    other: str
    figure: Callable[[Run], float] = per_second
    goal: Goal | None = None


AGAINST = (
    Ratio("end to end vs 8 concurrent handlers", "worker", "handlers_8", goal=Goal(at_least=5)),
    Ratio("end to end vs sequential handlers", "worker", "handlers_1"),
    Ratio("CPU per event vs 8 concurrent handlers", "worker", "handlers_8", cpu, Goal(at_most=0.2)),
    Ratio("end to end vs own SQL replayed", "worker", "sql_replayed", goal=Goal(at_least=0.6)),
    Ratio("own SQL replayed vs COPY of the same bytes", "sql_replayed", "copy_only", goal=Goal(at_least=0.2)),
    Ratio("end to end vs aiokafka that only reads", "worker", "consume_only"),
    Ratio("end to end vs pgledger, a transfer a transaction", "worker", "pgledger_single"),
    Ratio("end to end vs pgledger, a hundred a transaction", "worker", "pgledger_hundred"),
    Ratio("end to end vs django-hordak, a transfer a transaction", "worker", "hordak_single"),
)
VARIANTS = (
    Ratio("hot members vs all alike", "hot", "uniform", goal=Goal(at_least=0.9)),
    Ratio("hot members, none late, vs all alike", "hot_in_order", "uniform", goal=Goal(at_least=0.9)),
    Ratio("10 % late vs 1 % late", "late", "uniform"),
    Ratio("keyed by order id vs by member", "by_order", "uniform"),
    Ratio("CPU per event, 2 workers vs 1, keyed by member", "uniform_2", "uniform", cpu, Goal(at_most=1.1)),
    Ratio("CPU per event, 2 workers vs 1, keyed by order id", "by_order_2", "by_order", cpu, Goal(at_most=1.3)),
)
COSTS = {
    "wal_bytes_per_event": ("write-ahead log of an event", "bytes"),
    "statements_per_event": ("statements of an event", "each"),
    "commits_per_event": ("commits of an event", "each"),
}


async def against(bench: Bench) -> Outcome:
    """The worker against handlers, replayed SQL, COPY, bare reading and, where they are here, other ledgers."""
    stack, sizes = bench.stack, bench.sizes
    worker = await bench.worker("uniform", sizes.events)
    recording = await record(stack, "members", list(Workload(SEED, sizes.members, sizes.events, now()).traffic()))
    found: Contestants = {
        "worker": worker,
        "handlers_8": Baseline(stack, stack.directory, worker.prefix, min(sizes.handler_events, sizes.events), 8),
        "handlers_1": Baseline(stack, stack.directory, worker.prefix, min(sizes.sequential_events, sizes.events), 1),
        "sql_replayed": Replay(stack, recording),
        "copy_only": CopyOnly(stack, recording),
        "consume_only": ConsumeOnly(stack, worker.prefix, sizes.events),
    }
    peers, absent = make_peers(stack, sizes.handler_events)
    for why in absent:
        tell(why)
    rounds = await in_turn({**found, **peers}, sizes.rounds, tell)
    outcome = outcome_of(rounds, AGAINST)
    for figure, (what, unit) in COSTS.items():
        outcome.rows.append(Row(what, unit, rounds.figures("worker")[figure], sizes.rounds))  # type: ignore[arg-type]  # a name of COSTS
    outcome.details = {"without": absent}
    return outcome


async def variants(bench: Bench) -> Outcome:
    """The worker on other workloads and keys, with one process and with two."""
    events = bench.sizes.short_events
    found: Contestants = {
        "uniform": await bench.worker(STEADY, events),
        # One of two is dealt its partitions when the other has begun already.
        "uniform_2": await bench.worker("steady_2", 2 * events, workers=2),
        "hot": await bench.worker("hot", events, HOT),
        "hot_in_order": await bench.worker("hot_in_order", events, HOT_IN_ORDER),
        "late": await bench.worker("late", events, LATE),
        "by_order": await bench.worker("by_order", events, key=by_order),
        "by_order_2": await bench.worker("by_order_2", 2 * events, key=by_order, workers=2),
    }
    return outcome_of(await in_turn(found, bench.sizes.rounds, tell), VARIANTS)


def outcome_of(rounds: Rounds, ratios: Iterable[Ratio]) -> Outcome:
    """Rows of the ratios whose contestants took part, and the absolutes."""
    rows = [
        Row(each.what, "ratio", rounds.ratio(each.one, each.other, each.figure), len(rounds.runs), each.goal)
        for each in ratios
        if {each.one, each.other} <= set(rounds.names)
    ]
    return Outcome(rows, {name: rounds.figures(name) for name in rounds.names})
