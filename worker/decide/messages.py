"""What subscribers are told: every version by exactly one balance-changed, then what else belongs to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from contracts.events import MESSAGE_BYTES_MAX, Event
from contracts.events.outbound import REFOLD, REFOLD_SOURCE
from worker.decide import summing, tiers
from worker.decide.change import AccountChange, Message, OutTopic, Refold
from worker.decide.order_records import Voucher
from worker.decide.program import Program
from worker.decide.state import Entry, Head, Moment
from worker.decide.step import Answer, Notice, Step, TierMove, TierNotice

_encode = msgspec.json.Encoder().encode
CLOCK = "clock"


def of_step(change: AccountChange, step: Step) -> list[Message]:
    """The messages of one step, under the version that `change` has now."""
    before, after = step.before.head, step.after
    teller = _Teller(change, change.version, step.event, step.moment.at)
    teller.balance(before, after, [_entry_out(entry) for entry in step.entries])
    if step.tier is not None:
        teller.tier(step.tier, step.moment.at)
    for answer in step.answers:
        teller.decided(answer, step.moment.at, step.event)
    for notice in step.notices:
        teller.expiring(notice, step.moment.at)
    for voucher in step.vouchers.values():
        teller.voucher(voucher)
    return teller.messages


def of_refold(
    program: Program,
    change: AccountChange,
    before: Head,
    version: int,
    steps: Sequence[Step],
    rows: Sequence[tuple[Moment, Entry]],
    cause: Event | Refold | None = None,
    vouchers: Sequence[Voucher] = (),
) -> list[Message]:
    """The messages of a refold: one version for all that became different, nothing for what was told before.

    `cause`: what made it necessary, where it is not a fact that comes with the change. `vouchers`: those that are not
    as they were told.
    """
    refold = cause if isinstance(cause, Refold) else None
    event = change.facts[0] if change.facts else None if isinstance(cause, Refold) else cause
    at = event.time if event is not None else (steps[-1].moment.at if steps else before.last.at if before.last else None)
    if at is None:
        return []
    teller = _Teller(change, version, event, at, refold)
    teller.balance(before, change.head, [_entry_out(entry, moment, refold) for moment, entry in rows])
    new = {(decision.source, decision.id) for decision in change.decisions}
    moved = _tier_move(program, before, change.head, steps, at)
    if moved is not None:
        teller.tier(moved[0], moved[1])
    promised = {_wish(answer) for step in steps for answer in step.answers if _accepted_before(answer, new)}
    for step in steps:
        for answer in step.answers:
            key = (answer.decision.source, answer.decision.id)
            # What was accepted for a wish stands, whatever an earlier telling of it comes to: one wish, one verdict.
            if key in new and not (answer.decision.verdict == "rejected" and _wish(answer) in promised):
                teller.decided(answer, step.moment.at, step.event)
        if before.last is None or step.moment > before.last:
            for notice in step.notices:
                teller.expiring(notice, step.moment.at)
    for voucher in vouchers:
        teller.voucher(voucher)
    return teller.messages if rows or len(teller.messages) > 1 else []


def _wish(answer: Answer) -> tuple[str | None, ...]:
    """What a verdict is about, however often it was told."""
    return answer.order_id, answer.amendment_id, answer.request_id, answer.redemption_id


def _accepted_before(answer: Answer, new: Collection[tuple[str, str]]) -> bool:
    """Whether the world was told before that a wish is accepted."""
    return answer.decision.verdict == "accepted" and (answer.decision.source, answer.decision.id) not in new


def _tier_move(
    program: Program, before: Head, after: Head, steps: Sequence[Step], at: datetime
) -> tuple[TierMove, datetime] | None:
    """The change of tier from what was told to what holds now, said once, at the moment since when it holds. `at`: when it became
    known, for an account of which nothing is left."""
    if after.tier is not None and after.tier.since is not None:
        at = after.tier.since
    elif steps:
        at = steps[-1].moment.at
    # An order may still count under its own terms when those in force have no tiers any more.
    version = program.judging(at)
    if version is None or version.terms.tiers is None:
        return None
    # An account without a tier has the lowest one: nobody was told so, and nobody has to be.
    previous = before.tier.name if before.tier is not None else version.lowest_tier
    tier = after.tier.name if after.tier is not None else version.lowest_tier
    if previous is None or tier is None or previous == tier:
        return None
    rule = next((step.tier.rule for step in reversed(steps) if step.tier and step.tier.tier == tier), None)
    return tiers.move(version.terms.tiers, previous, tier, rule), at


class _Teller:
    """Collects the messages of one version of one account."""

    def __init__(
        self, change: AccountChange, version: int, event: Event | None, at: datetime, refold: Refold | None = None
    ) -> None:
        self.messages: list[Message] = []
        self._change = change
        self._version = version
        self._event = event
        self._at = at
        self._refold = refold

    def _tell(self, topic: OutTopic, at: datetime, data: Mapping[str, Any], because: Event | None = None) -> None:
        """`because`: the event whose trace goes along, where that is another than the cause of the version."""
        self._add(topic, at, self._encoded(data), because)

    def _encoded(self, data: Mapping[str, Any]) -> bytes:
        change = self._change
        named = {"program": change.program, "member_id": change.member_id, "epoch": change.epoch, "version": self._version}
        return _encode({**named, **data})

    def _add(self, topic: OutTopic, at: datetime, data: bytes, because: Event | None = None) -> None:
        change = self._change
        self.messages.append(
            Message(
                version=self._version,
                ordinal=len(self.messages),
                topic=topic,
                key=f"{change.program}:{change.member_id}",
                data=data,
                effective_at=at,
                traceparent=event.traceparent if (event := because or self._event) is not None else None,
            )
        )

    def _cause(self) -> dict[str, str]:
        event = self._event
        if self._refold is not None:
            return {"type": REFOLD, "source": REFOLD_SOURCE, "id": self._refold.run}
        if event is None:
            return {"type": CLOCK}
        cause = {"type": event.type, "source": event.sent_source, "id": event.id}
        return cause if event.order_id is None else {**cause, "order_id": event.order_id}

    def balance(self, before: Head, after: Head, entries: Sequence[Mapping[str, Any]]) -> None:
        """The balances after this version, and what moved: summed as far as the size of a message makes it necessary."""
        told = {
            "available": after.available,
            "pending": after.pending,
            "on_hold": after.held,
            "change": {
                "available": after.available - before.available,
                "pending": after.pending - before.pending,
                "on_hold": after.held - before.held,
            },
            "effective_at": self._at,
            "cause": self._cause(),
        }
        data = b""
        for form in summing.forms(entries):
            data = self._encoded({**told, **form})
            if len(data) <= MESSAGE_BYTES_MAX:
                break
        self._add("loyalty.balance-changed", self._at, data)

    def tier(self, move: TierMove, at: datetime) -> None:
        """A change of tier; which way follows from the order of the program's levels."""
        self._tell(
            "loyalty.tier-changed",
            at,
            {
                "tier": move.tier,
                "previous_tier": move.previous,
                "direction": "up" if move.up else "down",
                "effective_at": at,
                "rule": move.rule,
                "cause": self._cause(),
            },
        )

    def decided(self, answer: Answer, at: datetime, asked: Event | None) -> None:
        """The verdict on a redemption that `asked` for it, which may have waited until something else settled it."""
        decision = answer.decision
        named = {
            "order_id": answer.order_id,
            "amendment_id": answer.amendment_id,
            "request_id": answer.request_id,
            "redemption_id": answer.redemption_id,
        }
        data: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
        data |= {"decision": decision.verdict, "points": decision.points}
        if decision.reason is not None:
            data["reason"] = decision.reason
        if asked is not None:
            # Whoever restores a database reads the verdict back under this name.
            data["cause"] = {"type": asked.type, "source": decision.source, "id": decision.id}
        self._tell("loyalty.redemption-decided", at, data, because=asked)

    def expiring(self, notice: Notice | TierNotice, at: datetime) -> None:
        """Points that are about to lapse, or a level that is about to be lost."""
        if isinstance(notice, TierNotice):
            missing = [{"measure": measure, "amount": amount} for measure, amount in notice.missing]
            data: dict[str, Any] = {"tier": notice.tier, "until": notice.until, "days_left": notice.days_left, "missing": missing}
            self._tell("loyalty.tier-expiring", at, data | {"any_of": True} if notice.any_of else data)
            return
        self._tell(
            "loyalty.points-expiring",
            at,
            {"points": notice.points, "expires_on": notice.expires_on, "days_left": notice.days_left},
        )


    def voucher(self, voucher: Voucher) -> None:
        """A voucher as it stands now."""
        data: dict[str, Any] = {"voucher_id": voucher.voucher_id, "name": voucher.name, "status": voucher.status}
        optional = {"value": voucher.value, "item": voucher.item, "expires_on": voucher.expires_on, "order_id": voucher.used_on}
        data |= {name: value for name, value in optional.items() if value is not None}
        self._tell("loyalty.voucher-issued", voucher.since, {**data, "rule": voucher.rule, "effective_at": voucher.since})


def _entry_out(entry: Entry, moment: Moment | None = None, refold: Refold | None = None) -> dict[str, Any]:
    """`moment`: where the message may be as of another one. Whoever restores a database reads back when money was paid out."""
    data: dict[str, Any] = {
        "reason": entry.reason if refold is None else REFOLD,
        "points": entry.points,
        "from": entry.source,
        "to": entry.target,
        "rule": entry.rule,
    }
    optional = {"kind": entry.kind, "lot": entry.lot, "expires_on": entry.expires_on, "order_id": entry.order_id}
    data.update((name, value) for name, value in optional.items() if value is not None)
    if moment is not None and entry.reason == "pay_out":
        data["effective_at"] = moment.at
    if refold is not None:
        data["corrects"], data["fold"] = entry.reason, refold.fold
    return data
