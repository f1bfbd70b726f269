"""What comes in, what may come out, and the limits between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from contracts.events import TOPICS_IN

if TYPE_CHECKING:
    from worker.decode.signatures import Signatures

Reason = Literal[
    "empty_value",
    "too_large",
    "too_deep",
    "not_utf8",
    "not_json",
    "duplicate_key",
    "number_out_of_range",
    "bad_text",
    "not_cloudevents",
    "not_json_content",
    "missing_attribute",
    "bad_attribute",
    "bad_time",
    "time_too_far_ahead",
    "float_money",
    "bad_data",
    "wrong_topic",
    "wrong_source",
    "above_ceiling",
    "unsigned",
    "bad_signature",
    "decoder_failed",
]
"""Why a record breaks the contract; see the folder's README for what each one means."""

BATCH_HEADER = "loyalty_batch"
"""Of a record that stands for a whole batch, too large to be uncompressed: its value is the compressed batch, the header says
which offsets it had, and the number of its codec."""
BATCH_TOO_LARGE = "the batch of records should be smaller uncompressed; it is kept as it came"
"""What is told of such a record, and of no other."""


class Record(Struct, frozen=True):
    """One Kafka record as it was read. `timestamp_ms` is the record's own time, in milliseconds since 1970 UTC: that of its
    producer, or, where it was `appended`, that of the broker when it took it. `is_batch`: it stands for a whole one that is too
    large to be uncompressed."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    appended: bool = False
    is_batch: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one record. The defaults fit Kafka's own default of 1 MiB a message."""

    value_bytes_max: int = 1_048_576
    headers_max: int = 100
    header_bytes_max: int = 65_536
    depth_max: int = 64
    containers_max: int = 20_000
    skew_seconds_max: int = 300


TOPICS: Final[Mapping[str, frozenset[str]]] = {topic: frozenset(types) for topic, types in TOPICS_IN.items()}
"""Topic of the contract → the types that count on it."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Who may say what by which topic. `types`: topic on this cluster → the types that count on it; on any other topic nothing
    does. `sources`: topic → patterns (`*`, `?`, `[…]`), one of which the source must match; a topic without an entry takes any
    that no other topic names: whoever names a source for a topic keeps its ids from being used by another one.
    `points_max`: how many points one event may give or take by what it says itself, not by a rule of its program. `signatures`:
    which events must be signed, and by whom; None: none must.
    """

    types: Mapping[str, frozenset[str]] = field(default_factory=lambda: TOPICS)
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    points_max: int = 1_000_000
    signatures: Signatures | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A well-formed event of a type that this program does not know; to be counted, nothing else."""

    type: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A record that breaks the contract. `detail` says where, what is wrong and what would be right; it never holds
    values of the payload. `path`: the attribute, or the field of the data by names and positions (`data.lines.0.sku`), that
    is at fault; None where it is the record as a whole. `source`: the sender that it names; None where that cannot be read."""

    reason: Reason
    detail: str
    path: str | None = None
    source: str | None = field(default=None, compare=False)


class BrokenRecordError(Exception):
    """Carries a `Broken` from where it is found to `decode`, which alone catches it."""

    def __init__(self, reason: Reason, detail: str, path: str | None = None) -> None:
        super().__init__(reason)
        self.broken = Broken(reason, detail, path)
