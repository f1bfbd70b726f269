"""All metrics of the worker, in one place: names are a public contract of the dashboards and alerts.

Labels are bounded: topics, partitions, reasons and kinds, never members or orders. Units stand last in the names.
"""

from __future__ import annotations

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry(auto_describe=True)

Outcome = Literal["applied", "duplicate", "late", "parked", "dropped", "skipped", "erased", "dead_letter"]
Stage = Literal["wait", "decode", "load", "decide", "commit"]
IncidentKind = Literal["GapFound", "TopicReplaced"]
RestartReason = Literal["stalled", "failing"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_RECORDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)

build_info = Gauge(
    "loyalty_build_info", "1, with the release and how its fold was built.", ["version", "fold"], registry=REGISTRY
)

# in
partitions_assigned = Gauge("loyalty_partitions_assigned", "Partitions that this worker reads.", registry=REGISTRY)
records_buffered = Gauge("loyalty_records_buffered", "Records read and not yet handed to a batch.", registry=REGISTRY)
positions_lost = Counter("loyalty_positions_lost", "Partitions whose position another worker had moved.", registry=REGISTRY)
incidents = Counter("loyalty_incidents", "Records removed before they were read, topics made anew.", ["kind"], registry=REGISTRY)
consumer_restarts = Counter("loyalty_consumer_restarts", "Consumers replaced.", ["reason"], registry=REGISTRY)

# through
batches = Counter("loyalty_batches", "Batches committed.", registry=REGISTRY)
batch_records = Histogram("loyalty_batch_records", "Records of a committed batch.", buckets=_RECORDS, registry=REGISTRY)
stage_seconds = Histogram("loyalty_stage_seconds", "Time of a batch in a stage.", ["stage"], buckets=_SECONDS, registry=REGISTRY)
events = Counter("loyalty_events", "Events by what became of them.", ["outcome"], registry=REGISTRY)
dead_letters = Counter("loyalty_dead_letters", "Records that break the contract.", ["reason"], registry=REGISTRY)
dead_letters_waiting = Gauge(
    "loyalty_dead_letters_waiting",
    "Dead letters that wait to be published, up to 10,000 of a source; told by one worker.",
    ["reason"],
    registry=REGISTRY,
)
dead_letters_waiting_seconds = Gauge(
    "loyalty_dead_letters_waiting_seconds", "How long the oldest of them has waited.", ["reason"], registry=REGISTRY
)
commands_held = Counter(
    "loyalty_commands_held", "Commands held until another person approves them.", ["ceiling"], registry=REGISTRY
)
commands_held_now = Gauge(
    "loyalty_commands_held_now", "Held commands that nobody has decided about, up to 500.", registry=REGISTRY
)
commit_retries = Counter("loyalty_commit_retries", "Commits tried again.", ["why"], registry=REGISTRY)
event_delay_seconds = Histogram(
    "loyalty_event_delay_seconds", "From the record's time to its commit.", buckets=(*_SECONDS, 60, 300, 3_600), registry=REGISTRY
)
accounts_fenced = Counter("loyalty_accounts_fenced", "Accounts set aside because their fold failed.", registry=REGISTRY)
constraints_broken = Counter(
    "loyalty_constraints_broken",
    "Batches that a constraint of the database refused: a defect, whose accounts are then fenced.",
    ["constraint"],
    registry=REGISTRY,
)
accounts_fenced_now = Gauge(
    "loyalty_accounts_fenced_now", "Accounts of the ledger that are set aside now, up to 500.", registry=REGISTRY
)
accounts_erased = Counter("loyalty_accounts_erased", "Accounts whose person was forgotten.", registry=REGISTRY)
orders_contested = Counter(
    "loyalty_orders_contested",
    "Orders that somebody else turned out to have placed too: both events are in the log.",
    ["program"],
    registry=REGISTRY,
)
orders_contested_now = Gauge(
    "loyalty_orders_contested_now",
    "Orders that several placed and no command has decided about, up to 500.",
    registry=REGISTRY,
)
parked_too_long = Gauge("loyalty_orders_parked_too_long", "Orders that events have waited for too long.", registry=REGISTRY)

# looking whether it is right
verify_accounts = Counter("loyalty_verify_accounts", "Accounts that were looked at beside the work.", registry=REGISTRY)
verify_findings = Counter("loyalty_verify_findings", "What was found wrong with them.", ["invariant"], registry=REGISTRY)
verify_failures = Counter("loyalty_verify_failures", "Rounds of looking that failed.", registry=REGISTRY)
verify_seconds = Counter("loyalty_verify_seconds", "Time that looking took.", registry=REGISTRY)

# time
clock_offset_seconds = Gauge(
    "loyalty_clock_offset_seconds", "How far this worker's clock is ahead of another.", ["against"], registry=REGISTRY
)
watermark_seconds = Gauge("loyalty_watermark_seconds", "The watermark, in seconds since 1970.", registry=REGISTRY)
due_accounts = Counter("loyalty_due_accounts", "Accounts looked at because an instant of theirs had come.", registry=REGISTRY)
due_failures = Counter("loyalty_due_failures", "Rounds of the due loop that failed.", registry=REGISTRY)

# out
published = Counter("loyalty_published", "Messages acknowledged by Kafka.", ["topic"], registry=REGISTRY)
publish_failures = Counter("loyalty_publish_failures", "Publications that failed and are tried again.", registry=REGISTRY)
published_smaller = Counter(
    "loyalty_published_smaller", "Messages too large for their topic, sent as sums or pointers.", ["topic"], registry=REGISTRY
)
publish_delay_seconds = Histogram(
    "loyalty_publish_delay_seconds", "From commit to acknowledgement.", buckets=_SECONDS, registry=REGISTRY
)
producers_replaced = Counter("loyalty_producers_replaced", "Producers replaced after an error.", registry=REGISTRY)


def render() -> bytes:
    """The metrics in Prometheus' text format."""
    return generate_latest(REGISTRY)
