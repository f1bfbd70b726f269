"""Registered terms: workers run what is in the database, files only feed it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from contracts.terms import Terms
from worker.decide.explain import Era
from worker.decide.program import Program
from worker.persist.api import Store
from worker.persist.rows import Terms as RegisteredTerms
from worker.programs import terms_file as files

_Built = tuple[frozenset[tuple[datetime, bytes]], Program]
"""A program, and the beginnings and hashes of the versions that it was built of."""


class TermsChanged(Exception):
    """A version is registered already with other content: what was published cannot be rewritten in silence."""


class NoProposal(Exception):
    """No version that waits for approval has this name."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where versions come from: the SHA-256 of their file, and why they are registered."""

    file_digest: bytes
    reason: str


class Outcome(NamedTuple):
    """How many versions are registered now that were not, and which are dated back and wait for another login's approval."""

    registered: int
    waiting: list[RegisteredTerms]


async def register(
    store: Store, versions: Iterable[Terms], origin: Origin, *, replace: bool = False, propose: bool = True
) -> Outcome:
    """Register the versions of a program that are not there yet; those that are dated back wait for approval.

    `replace`: other content may take the place of a version that is not in force yet, or of a program without accounts.
    `propose`: False refuses what would have to be approved. Raises TermsChanged, and then nothing was registered.
    """
    in_force = {(each.program, each.begins_at): each.hash for each in _in_force(await store.terms())}
    new: list[Terms] = []
    late: set[bytes] = set()
    for version in versions:
        hash_ = bytes.fromhex(files.hash_of(version))
        name = version.program, version.effective_from.astimezone(UTC)
        if in_force.get(name) == hash_:
            continue
        needs_approval = await store.terms_need_approval(*name)
        if refusal := _refusal(name in in_force, needs_approval, replace, propose):
            raise TermsChanged(f"{version.program}: the version from {version.effective_from:%Y-%m-%d} {refusal}")
        new.append(version)
        if needs_approval:
            late.add(hash_)
    added = [await store.register_terms(files.canonical(each), origin.file_digest, origin.reason) for each in new]
    waiting = {each.hash: each for each in await store.terms() if each.hash in late and each.counts_since is None}
    return Outcome(added.count(False), list(waiting.values()))


def _refusal(there: bool, needs_approval: bool, replace: bool, propose: bool) -> str | None:
    """Why a version is not registered; `there`: another one of its date is."""
    if needs_approval and not propose:
        return "is dated back, so it has to be proposed: `loyalty program apply FILE`"
    if needs_approval and there and replace:
        return (
            "is in force, and a version in force is never replaced: without --replace, what it should have said is proposed "
            "for another login to approve"
        )
    if there and not needs_approval and not replace:
        return "is registered with other content: give the change a later date (an amendment), or apply it with --replace"
    return None


async def proposal(store: Store, code: str, name: str) -> RegisteredTerms:
    """The version that waits for approval and whose hash begins like this. Raises NoProposal."""
    waiting = {each.hash.hex(): each for each in await store.terms() if each.program == code and each.counts_since is None}
    found = [each for hash_, each in waiting.items() if hash_.startswith(name.lower())]
    if len(found) != 1:
        names = ", ".join(hash_[:16] for hash_ in waiting) or "none"
        raise NoProposal(f"{code}: {name}: should be the hash of a version that waits for approval; waiting: {names}")
    return found[0]


def _in_force(rows: Iterable[RegisteredTerms], proposed: RegisteredTerms | None = None) -> list[RegisteredTerms]:
    """Of each program and beginning the version that counts since last; with one more as if it were approved now."""
    counting = [each for _, each in _by_time(rows)]
    if proposed is not None:
        counting.append(proposed)
    return list({(each.program, each.begins_at): each for each in counting}.values())


def _by_time(rows: Iterable[RegisteredTerms]) -> list[tuple[datetime, RegisteredTerms]]:
    """The versions that count, in the order in which they came to, and since when."""
    counting = [(each.counts_since, each) for each in rows if each.counts_since is not None]
    return sorted(counting, key=lambda each: each[0])


async def eras(store: Store, code: str) -> list[Era]:
    """A program as it was registered before versions came that had been in force already; oldest first."""
    in_force: dict[datetime, Terms] = {}
    found: list[Era] = []
    for since, each in _by_time(row for row in await store.terms() if row.program == code):
        version = Terms.model_validate_json(each.body, strict=True)
        if in_force and version.effective_from <= since:
            found.append(Era(Program(list(in_force.values())), since, version.effective_from))
        in_force[each.begins_at] = version
    return found


class Version(NamedTuple):
    """A version of the history, and what became of it: proposed, ahead, in force, replaced."""

    row: RegisteredTerms
    state: str


async def history(store: Store, code: str) -> list[Version]:
    """All versions of a program that were ever registered or proposed, by their beginning and when they were applied."""
    rows = await store.terms()
    now = (await store.state()).now
    latest = [(each.hash, each.applied_at) for each in _in_force(rows)]

    def state(row: RegisteredTerms) -> str:
        if row.counts_since is None:
            return "proposed"
        if (row.hash, row.applied_at) not in latest:
            return "replaced"
        return "in force" if row.begins_at <= now else "ahead"

    return [Version(row, state(row)) for row in rows if row.program == code]


async def programs(store: Store, proposed: RegisteredTerms | None = None) -> list[Program]:
    """All registered programs with all their versions; with one more as if it were approved."""
    return await Registered().programs(store, proposed)


class Registered:
    """The registered programs for someone who looks again and again: one whose versions stay is built once.

    What the fold works out of a version is kept by that version: built anew with every look, all that were built before would
    stay.
    """

    def __init__(self) -> None:
        self._built: dict[str, _Built] = {}

    async def programs(self, store: Store, proposed: RegisteredTerms | None = None) -> list[Program]:
        """All of them, as they are registered now."""
        rows: dict[str, list[RegisteredTerms]] = {}
        for each in _in_force(await store.terms(), proposed):
            rows.setdefault(each.program, []).append(each)
        built: dict[str, _Built] = {}
        for code, versions in rows.items():
            names = frozenset((each.begins_at, each.hash) for each in versions)
            known = self._built.get(code)
            if known is None or known[0] != names:
                known = names, Program([Terms.model_validate_json(each.body, strict=True) for each in versions])
            built[code] = known
        self._built = built
        return [program for _, program in built.values()]
