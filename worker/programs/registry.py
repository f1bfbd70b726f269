"""Registered terms: workers run what is in the database, files only feed it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from contracts.terms import Terms
from worker.decide.explain import Era
from worker.decide.program import Program
from worker.persist.api import Store
from worker.persist.rows import Terms as RegisteredTerms
from worker.programs import terms_file as files

_Built = tuple[frozenset[tuple[date, bytes]], Program]
"""A program, and the effective dates and hashes of the versions that it was built of."""


class TermsChanged(Exception):
    """A version is registered already with other content: what was published cannot be rewritten in silence."""

    def __init__(self, program: str, effective_from: str) -> None:
        super().__init__(
            f"{program}: a version in force from {effective_from} is registered with other content; "
            "give the change a later date (an amendment), or apply it with --replace to let refolds use the new content"
        )


async def register(store: Store, versions: Iterable[Terms], *, replace: bool = False) -> int:
    """Register the versions of a program that are not there yet; returns how many are new. Raises TermsChanged."""
    known = {(each.program, each.effective_from): each.hash for each in await _in_force(store)}
    new = 0
    for version in versions:
        hash_ = bytes.fromhex(files.hash_of(version))
        date = version.effective_from.date()
        registered = known.get((version.program, date))
        if registered is not None and registered != hash_ and not replace:
            raise TermsChanged(version.program, date.isoformat())
        new += await store.register_terms(version.program, hash_, date, files.canonical(version))
    return new


async def _in_force(store: Store) -> list[RegisteredTerms]:
    """Of each program and effective date the version registered last."""
    latest = {(each.program, each.effective_from): each for each in sorted(await store.terms(), key=lambda each: each.applied_at)}
    return list(latest.values())


async def eras(store: Store, code: str) -> list[Era]:
    """A program as it was registered before versions came that had been in force already; oldest first."""
    in_force: dict[date, Terms] = {}
    found: list[Era] = []
    for each in sorted((row for row in await store.terms() if row.program == code), key=lambda row: row.applied_at):
        version = Terms.model_validate_json(each.body, strict=True)
        if in_force and version.effective_from <= each.applied_at:
            found.append(Era(Program(list(in_force.values())), each.applied_at, version.effective_from))
        in_force[each.effective_from] = version
    return found


async def programs(store: Store) -> list[Program]:
    """All registered programs with all their versions."""
    return await Registered().programs(store)


class Registered:
    """The registered programs for someone who looks again and again: one whose versions stay is built once.

    What the fold works out of a version is kept by that version: built anew with every look, all that were built before would
    stay.
    """

    def __init__(self) -> None:
        self._built: dict[str, _Built] = {}

    async def programs(self, store: Store) -> list[Program]:
        """All of them, as they are registered now."""
        rows: dict[str, list[RegisteredTerms]] = {}
        for each in await _in_force(store):
            rows.setdefault(each.program, []).append(each)
        built: dict[str, _Built] = {}
        for code, versions in rows.items():
            names = frozenset((each.effective_from, each.hash) for each in versions)
            known = self._built.get(code)
            if known is None or known[0] != names:
                known = names, Program([Terms.model_validate_json(each.body, strict=True) for each in versions])
            built[code] = known
        self._built = built
        return [program for _, program in built.values()]
