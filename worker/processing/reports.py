"""What metrics and the log say about batches."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from contracts.events import Event
from worker import metrics
from worker.decode import Record
from worker.log import get_logger
from worker.persist.errors import ConstraintError, RefusedError
from worker.processing.inbox import Inbox

log = get_logger(__name__)


def refused(error: RefusedError, **what: int) -> None:
    """Postgres refused a batch; `what`: how much of it."""
    log.warning("batch_refused", why=error.why, **what)
    if isinstance(error, ConstraintError):
        metrics.constraints_broken.labels(constraint=error.constraint).inc()


def measure(
    records: Sequence[Record], inbox: Inbox, started: float, decoded: float, folded: float, now: datetime
) -> None:
    """A batch is committed: what it held, and when its stages ended (by `time.perf_counter`). `now`: by the database's clock."""
    committed = time.perf_counter()
    metrics.batches.inc()
    metrics.batch_records.observe(len(records))
    metrics.stage_seconds.labels(stage="decode").observe(decoded - started)
    metrics.stage_seconds.labels(stage="decide").observe(folded - decoded)
    metrics.stage_seconds.labels(stage="commit").observe(committed - folded)
    count(inbox)
    if records:
        oldest = min(record.timestamp_ms for record in records) / 1000
        metrics.event_delay_seconds.observe(max(0.0, now.timestamp() - oldest))


def count(inbox: Inbox) -> None:
    """What became of a batch's events."""
    for outcome, number in inbox.outcomes.items():
        metrics.events.labels(outcome=outcome).inc(number)
    for ceiling, number in inbox.held.items():
        metrics.commands_held.labels(ceiling=ceiling).inc(number)
    if inbox.held:
        log.warning("commands_held", count=inbox.held.total(), ceilings=sorted(inbox.held))
    for each in inbox.contested:
        metrics.orders_contested.labels(program=each.program).inc()
        log.error("order_contested", program=each.program, one=_named(each.one), other=_named(each.other))
    for reason, number in Counter(letter.reason for letter in inbox.letters).items():
        metrics.dead_letters.labels(reason=reason).inc(number)


def _named(event: Event | None) -> str:
    """An event by the record that brought it: ids and sources are what senders write, which no log tells."""
    if event is None:
        return "a guest's order, which is not kept"
    origin = event.origin
    return "an event of no record" if origin is None else f"record {origin.topic}/{origin.partition}/{origin.offset}"
