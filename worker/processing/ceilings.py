"""Ceilings over what commands give: what is above one is no fact until another person approves it.

A command is an event that says itself how many points it gives (`given`). It is judged once, in the transaction of its batch:
what is let through is a fact from then on, and what is held is kept as held, so neither a repeat nor a rebuild judges it again.
What is held counts nothing, also when it is approved.

A ceiling of a day counts under locks of its rows, so batches of several workers that give points on one day under one ceiling
go one after the other; a ceiling of a command locks nothing. The day (UTC) is the one on which the broker took the record, where
the topic keeps that (`message.timestamp.type=LogAppendTime`), else the one on which the ledger takes it: never one that a sender
gives. Only what is given counts: nothing that is taken makes room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Final, NamedTuple

from contracts.events import ActivityCompleted, Event, PointsAdjusted, SurveyWon
from worker.decode import Record
from worker.persist.api import Batch
from worker.persist.identity import account_id
from worker.persist.rows import CommandName, HeldCommand, Total
from worker.processing.inbox import Inbox

COMMAND: Final = "command_points"
MEMBER: Final = "member_points_per_day"
OPERATOR: Final = "operator_points_per_day"
PROGRAM: Final = "program_points_per_day"


@dataclass(frozen=True, slots=True)
class Ceilings:
    """How many points commands may give without another person; None: any number.

    `command`: one of them. By day: `member`: all to one account; `operator`: all that name one operator, or come from one source
    and name none, in one program; `program`: all of one program. An operator is a claim that a sender may vary: what bounds
    whoever does so are the other three.
    """

    command: int | None = None
    member: int | None = None
    operator: int | None = None
    program: int | None = None

    @property
    def any(self) -> bool:
        """Whether there is one at all."""
        return any(each is not None for each in (self.command, self.member, self.operator, self.program))


def given(event: Event) -> int:
    """The points that a command gives by what it says itself; 0: it gives none, or is no command.

    Bonus points of an order are not among them: an order that is held would keep all that follows it from the ledger, and whoever
    may place orders needs no bonus.
    """
    match event.data:
        case PointsAdjusted(points=int(points)) | SurveyWon(points=points) | ActivityCompleted(points=int(points)):
            return max(points, 0)
        case _:
            return 0


class _Command(NamedTuple):
    """A command of a batch, and the ceilings of the totals that it counts in."""

    held: HeldCommand
    totals: dict[Total, int]


class Gate:
    """Judges the commands of a batch. `account_key`: what account ids are derived with. `now`: by the database's clock."""

    def __init__(self, ceilings: Ceilings, account_key: bytes, now: Callable[[], datetime]) -> None:
        self._ceilings = ceilings
        self._account_key = account_key
        self._now = now

    async def judge(self, batch: Batch, inbox: Inbox) -> list[Event]:
        """Take what is above a ceiling, or was once, out of the batch, and keep it. Returns those among them that use the source
        and id of a held command for other content."""
        if inbox.approved or not self._ceilings.any:
            return []
        commands = [self._command(inbox, event, program) for event, program in inbox.members]
        judged = [command for command in commands if command is not None]
        if not judged:
            return []
        # First the locks: whoever waited for them sees what the other batch made a fact.
        so_far = await batch.points_given({total for command in judged for total in command.totals})
        facts, held = await batch.known_commands({command.held.name for command in judged})
        new: dict[CommandName, HeldCommand] = {}
        more: Counter[Total] = Counter()
        for each, totals in judged:
            if each.name in facts or each.name in held:
                continue
            ceiling = self._above(each.points, totals, so_far, more)
            if ceiling is None:
                facts.add(each.name)
                more.update(dict.fromkeys(totals, each.points))
            else:
                held[each.name] = each.event.digest
                new[each.name] = replace(each, ceiling=ceiling)
        await batch.give_points(more)
        lost = await batch.hold(list(new.values()))
        inbox.held.update(each.ceiling for name, each in new.items() if name not in lost)
        inbox.outcomes["held"] += len(new.keys() - lost)
        return self._left_out(inbox, commands, {name: digest for name, digest in held.items() if name not in facts}, new, lost)

    def _command(self, inbox: Inbox, event: Event, program: str) -> _Command | None:
        points = given(event)
        if not points:
            return None
        ceilings, key = self._ceilings, self._account_key
        account = account_id(key, program, event.member_id or "")
        operator = getattr(event.data, "operator", None) or ""
        day = _day(inbox.records.get(event.origin) if event.origin is not None else None, self._now())
        counted = (
            (MEMBER, ceilings.member, account),
            (OPERATOR, ceilings.operator, account_id(key, f"{OPERATOR}:{program}", operator or f"{event.source}\0")),
            (PROGRAM, ceilings.program, account_id(key, PROGRAM, program)),
        )
        totals = {Total(day, scope, of): ceiling for scope, ceiling, of in counted if ceiling is not None}
        return _Command(HeldCommand(account, program, event, operator, points), totals)

    def _above(
        self, points: int, totals: Mapping[Total, int], so_far: Mapping[Total, int], more: Mapping[Total, int]
    ) -> str | None:
        """The first ceiling that so many points more would be above."""
        if self._ceilings.command is not None and points > self._ceilings.command:
            return COMMAND
        for total, ceiling in totals.items():
            if so_far[total] + more.get(total, 0) + points > ceiling:
                return total.scope
        return None

    @staticmethod
    def _left_out(
        inbox: Inbox,
        commands: Sequence[_Command | None],
        held: Mapping[CommandName, bytes],
        new: Mapping[CommandName, HeldCommand],
        lost: Collection[CommandName],
    ) -> list[Event]:
        """Leave what is held out of the batch; `new`: by this batch; `lost`: another kept other content. Returns conflicts."""
        conflicts: list[Event] = []
        goes_on: list[tuple[Event, str]] = []
        for (event, program), command in zip(inbox.members, commands, strict=True):
            if command is None or command.held.name not in held:
                goes_on.append((event, program))
            elif command.held.name in lost or event.digest != held[command.held.name]:
                conflicts.append(event)
            elif (first := new.get(command.held.name)) is None or first.event is not event:
                inbox.outcomes["duplicate"] += 1
        inbox.members = goes_on
        return conflicts


def _day(record: Record | None, now: datetime) -> date:
    """The day on which the broker took a record, if its topic keeps that; else today."""
    if record is None or not record.appended:
        return now.astimezone(UTC).date()
    return datetime.fromtimestamp(record.timestamp_ms / 1000, UTC).date()
