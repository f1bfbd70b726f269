"""A subscriber that reads all that is published and holds it to the promise: of each account every version, in order, once."""

from __future__ import annotations

from collections import Counter, defaultdict
from zlib import crc32

import msgspec
import stamina
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from contracts.events import TOPICS_OUT

_POLL_SECONDS = 0.2
_RECORDS_A_POLL = 5_000
_BALANCE = "loyalty.balance-changed"
_DECIDED = "loyalty.redemption-decided"
_PROBLEMS_MAX = 20
_END_SECONDS = 30


def _not_yet(error: Exception) -> bool:
    """Whether a leader has just changed and does not know yet up to where all have its records."""
    return isinstance(error, KafkaException) and error.args[0].code() == KafkaError.OFFSET_NOT_AVAILABLE


class Subscriber:
    """Goes on where it stopped.

    By key of an account: `versions`, the last one told; `balances`, the last available, pending and held points told;
    `decided`, the orders and requests of which a decision about points was told, with how many there were.
    `problems`: what broke the promise.
    """

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._prefix = prefix
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"{prefix}subscriber",
                "enable.auto.commit": False,
                "reconnect.backoff.max.ms": 500,
            }
        )
        self._next: dict[tuple[str, int], int] = {}
        self._told: dict[tuple[str, str], int] = {}
        self.versions: dict[str, int] = defaultdict(int)
        self.balances: dict[str, tuple[int, int, int]] = {}
        self.decided: dict[str, Counter[str]] = defaultdict(Counter)
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []

    def follow(self) -> None:
        """Read up to the present end of all topics."""
        ends: dict[tuple[str, int], int] = {}
        known = self._consumer.list_topics(timeout=30).topics
        for topic in TOPICS_OUT:
            for number in known[self._prefix + topic].partitions:
                place = TopicPartition(self._prefix + topic, number)
                ends[place.topic, number] = self._end(place)
        assigned = [TopicPartition(topic, number, self._next.get((topic, number), 0)) for topic, number in ends]
        self._consumer.assign(assigned)
        while any(self._next.get(place, 0) < end for place, end in ends.items()):
            for message in self._consumer.consume(_RECORDS_A_POLL, _POLL_SECONDS):
                self._take(message)
        self._consumer.unassign()

    @stamina.retry(on=_not_yet, attempts=None, timeout=_END_SECONDS, wait_max=0.5)
    def _end(self, place: TopicPartition) -> int:
        end: int = self._consumer.get_watermark_offsets(place, timeout=_END_SECONDS)[1]
        return end

    def forget(self) -> None:
        """What was told so far is not compared any more with what is told again later."""
        self._told.clear()

    def close(self) -> None:
        """Leave Kafka."""
        self._consumer.close()

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            if error.code() not in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
                self._problem(f"the subscriber got {error}")
            return
        topic, value = message.topic() or "", message.value() or b""
        self._next[topic, message.partition() or 0] = (message.offset() or 0) + 1
        headers = dict(message.headers() or [])
        id_ = headers.get("ce_id") or b""
        name = (topic, id_.decode() if isinstance(id_, bytes) else id_)
        key = (message.key() or b"").decode()
        self.counts["messages"] += 1
        if (told := self._told.get(name)) is not None:
            self.counts["repeated"] += 1
            if told != crc32(value):
                self._problem(f"{key}: {id_!r} of {topic} was published with two contents")
            return
        self._told[name] = crc32(value)
        if topic == self._prefix + _BALANCE:
            self._balance(key, value)
        elif topic == self._prefix + _DECIDED:
            data = msgspec.json.decode(value)
            self.decided[key][data.get("redemption_id") or data.get("request_id") or data["order_id"]] += 1

    def _balance(self, key: str, value: bytes) -> None:
        data = msgspec.json.decode(value)
        version, last = data["version"], self.versions[key]
        if version <= last:  # told so long ago that it was forgotten here
            self.counts["repeated"] += 1
            return
        if version != last + 1:
            self._problem(f"{key}: version {version} was published after {last}")
        self.versions[key] = version
        self.balances[key] = (data["available"], data["pending"], data["on_hold"])

    def _problem(self, text: str) -> None:
        if len(self.problems) < _PROBLEMS_MAX:
            self.problems.append(text)
