"""A ledger built anew in another database from facts and announced decisions alone, and compared with the one they came from.

Nothing of an account's state is taken over: heads, lots, items, steps and entries are what the fold makes of the facts. What does
not follow from facts (positions, routes of guests' orders, parked events, dead letters, terms) is taken over as it stands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from worker.decide.change import FORGOTTEN, AccountChange, Loaded
from worker.decide.errors import Defect
from worker.decide.fold import defect_of
from worker.decide.program import Program
from worker.decide.refold import Clock, compute_change, net
from worker.decide.state import FORMAT, Certainty, blank
from worker.persist.chain import Begun
from worker.persist.rows import Dossier
from worker.persist.transfer import Transfer
from worker.programs.catalogue import Catalogue
from worker.upkeep.heads import LOOKS_AHEAD, comparable
from worker.upkeep.rebuild import taken_over

DIFFERENCES_MAX = 1_000


@dataclass(slots=True)
class Part:
    """What became of some accounts: how many facts they have, how many rows of each table are equal, and what is not.

    `line_by_line`: accounts whose entries are equal row by row, in all but the time of posting; those of the others come to the
    same for every movement, but were posted in more steps. `not_compared`: accounts that are fenced in the source, or kept there
    in another form: there is no state to compare with. `differences`: account and what differs, the first ones; `differ`: all.
    """

    def add(self, other: Part) -> None:
        """Both together."""
        self.accounts += other.accounts
        self.facts += other.facts
        self.line_by_line += other.line_by_line
        self.not_compared += other.not_compared
        self.equal += other.equal
        self.differ += len(other.differences)
        self.differences += other.differences[: max(DIFFERENCES_MAX - len(self.differences), 0)]

    accounts: int = 0
    facts: int = 0
    line_by_line: int = 0
    not_compared: int = 0
    equal: Counter[str] = field(default_factory=Counter)
    differ: int = 0
    differences: list[tuple[str, str]] = field(default_factory=list)


class UnprovenError(Exception):
    """An account has other facts than were committed, and nobody said to take them over."""


async def rebuild_into(
    transfer: Transfer, catalogue: Catalogue, epoch: int, *, announce: bool = False, accept: str | None = None
) -> AsyncGenerator[Part, None]:
    """Build what is left of the target, some accounts at a time, each read back and compared.

    Accounts go on with the chains that they have. `epoch`: the target's. `announce`: put a message for every version of that
    epoch into the target's outbox. `accept`: why facts that are not those that were committed are taken over all the same; None:
    raises UnprovenError before the first of them is.
    """
    async with aclosing(transfer.groups()) as groups:
        async for group in groups:
            changes: list[AccountChange] = []
            part = Part()
            begun = _begun(group.dossiers, accept)
            for dossier in group.dossiers:
                try:
                    changes.append(_built(dossier, catalogue, epoch, transfer.certainty, announce=announce))
                except Defect as defect:
                    changes.append(_kept(dossier, epoch, str(defect)))
                    part.differences.append((str(dossier.account_id), f"cannot be folded: {defect}"))
            there = {each.account_id: each for each in await transfer.write(group, changes, begun)}
            for dossier in group.dossiers:
                code = dossier.row.program if dossier.row is not None else None
                program = catalogue.program(code) if code in catalogue.codes else None
                _compare(part, program, dossier, there[dossier.account_id])
            yield part
    await transfer.end()


def _begun(dossiers: Sequence[Dossier], accept: str | None) -> dict[UUID, Begun]:
    found: dict[UUID, Begun] = {}
    for dossier in dossiers:
        begun = taken_over(dossier, accept)
        if isinstance(begun, Defect):
            raise UnprovenError(f"account {dossier.account_id}: {begun}")
        if begun is not None:
            found[dossier.account_id] = begun
    return found


def _built(dossier: Dossier, catalogue: Catalogue, epoch: int, certainty: Certainty, *, announce: bool) -> AccountChange:
    """The account folded from nothing, step by step, each with a version of its own; what waits in the source waits on."""
    row = dossier.row
    assert row is not None
    if row.member_id == FORGOTTEN:
        return AccountChange(row.account_id, row.program, FORGOTTEN, 0, row.version, epoch, blank())
    last = row.head.last
    # As far as the ledger was when it was read; the worker of the new one goes on from there.
    clock = Clock(until=last.at if last is not None and not last.rank else None, certainty=certainty)
    try:
        program: Program = catalogue.program(row.program)
        change = compute_change(
            program,
            row.account_id,
            row.member_id,
            Loaded(None),
            dossier.facts,
            clock,
            announced=dossier.decisions,
            waiting=row.head.waiting,
            epoch=epoch,
        )
    except KeyError:
        raise Defect(f"no terms of {row.program} are registered") from None
    except (Defect, MemoryError):
        raise
    except Exception as error:
        raise defect_of(error, "rebuilding") from error
    if change is None:  # no facts: an erasure left the row behind
        return AccountChange(row.account_id, row.program, row.member_id, 0, 0, epoch, blank())
    told = {(each.source, each.id) for each in dossier.decisions}
    # Facts and verdicts come over as they were recorded.
    change.facts = []
    change.decisions = [each for each in change.decisions if (each.source, each.id) not in told]
    if not announce:
        change.messages = []
    return change


def _kept(dossier: Dossier, epoch: int, why: str) -> AccountChange:
    """An account that cannot be folded has its facts there, and is fenced."""
    row = dossier.row
    assert row is not None
    return AccountChange(row.account_id, row.program, row.member_id, 0, 0, epoch, blank(), fenced=why)


# -- the comparison


def _compare(part: Part, program: Program | None, ours: Dossier, theirs: Dossier) -> None:
    """Row by row, what was written beside what it was built to equal."""
    assert ours.row is not None
    assert theirs.row is not None
    part.accounts += 1
    part.facts += len(theirs.facts)
    found = list(_of_rows(part, "fact", _facts(ours), _facts(theirs)))
    decisions = ({(each.source, each.id): each for each in dossier.decisions} for dossier in (ours, theirs))
    found += _of_rows(part, "decision", *decisions)
    if ours.row.fenced is None and ours.row.head.format == FORMAT:
        found += _of_state(part, program, ours, theirs)
    else:
        part.not_compared += 1
    part.differences += [(str(ours.account_id), each) for each in found]


def _of_state(part: Part, program: Program | None, ours: Dossier, theirs: Dossier) -> Iterator[str]:
    yield from _of_rows(part, "head", {"": _head(program, ours)}, {"": _head(program, theirs)})
    yield from _of_rows(part, "lot", ours.lots, theirs.lots)
    yield from _of_rows(part, "item", ours.items, theirs.items)
    moved = [net((each.moment, each.entry) for each in dossier.postings) for dossier in (ours, theirs)]
    yield from _of_rows(part, "movement", *({key: points for key, points in each.items() if points} for each in moved))
    lines = [{(each.version, each.line): (each.moment, each.entry) for each in dossier.postings} for dossier in (ours, theirs)]
    same = lines[0] == lines[1]
    part.line_by_line += same
    part.equal["entry"] += len(lines[1]) if same else 0


def _facts(dossier: Dossier) -> dict[Any, Any]:
    return {(fact.source, fact.id): (fact.digest, at) for fact, at in zip(dossier.facts, dossier.recorded, strict=True)}


def _head(program: Program | None, dossier: Dossier) -> dict[str, Any]:
    """The head, and whose it is, without what depends on how often it was written and looked at."""
    row = dossier.row
    assert row is not None
    fields = {name: value for name, value in comparable(program, row.head).items() if name not in LOOKS_AHEAD}
    return {**fields, "program": row.program, "member_id": row.member_id, "fenced": row.fenced}


def _of_rows(part: Part, table: str, ours: Mapping[Any, Any], theirs: Mapping[Any, Any]) -> Iterator[str]:
    for key in {**ours, **theirs}:
        if key not in theirs:
            yield f"{table} {_name(key)}: is in the source alone"
        elif key not in ours:
            yield f"{table} {_name(key)}: is in the target alone"
        elif ours[key] != theirs[key]:
            yield f"{table} {_name(key)}: differs{_where(ours[key], theirs[key])}"
        else:
            part.equal[table] += 1


def _name(key: Any) -> str:
    return " ".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _where(ours: Any, theirs: Any) -> str:
    """Names of the fields, and nothing of what is in them."""
    if isinstance(ours, dict):
        names = [name for name, value in ours.items() if theirs.get(name) != value]
    else:
        names = [name for name in getattr(ours, "__struct_fields__", ()) if getattr(ours, name) != getattr(theirs, name, None)]
    return f" in {', '.join(names)}" if names else ""
