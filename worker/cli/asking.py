"""Questions to the ledger's database, for the commands that print the answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime

from worker.cli.arguments import instant
from worker.cli.failures import Exit, Failure
from worker.cli.opening import key_of, ledger, program_of
from worker.decide.change import FORGOTTEN
from worker.decide.program import Program
from worker.persist import Dossier, PostgresStore, Violation, account_id
from worker.programs.registry import programs
from worker.reading.statements import as_json, read
from worker.settings import Settings, load
from worker.upkeep.verify import check


async def member_statement(program: str, member: str, at: str | None, known_at: str | None) -> Mapping[str, object]:
    """A member's statement as it is printed. Texts of instants are those of the command line."""
    asked = instant(at, "--at") if at is not None else None
    known = instant(known_at, "--known-at") if known_at is not None else None
    settings = load()
    async with ledger(settings) as store:
        terms = await program_of(store, program)
        dossier = await dossier_of(store, settings, program, member, known)
        now = (await store.state()).now
        # Without an instant, what was known by a time is told as of that time.
        moment = asked or (min(known, now) if known is not None else now)
        today = known is None or known >= now
        text = at if asked is not None else (known_at if known is not None and moment == known else None)
        return as_json(read(dossier, terms, moment, text, today=today))


async def dossier_of(
    store: PostgresStore, settings: Settings, program: str, member: str, known_at: datetime | None = None
) -> Dossier:
    """All that is kept of a member's account."""
    account = account_id(key_of(settings), program, member)
    async for dossier in store.dossiers([account], known_at):
        if dossier.row is not None and dossier.row.member_id == FORGOTTEN:
            break
        if dossier.row is not None and dossier.fault is not None:
            raise Failure(Exit.FINDING, f"this account has {dossier.fault}: see `loyalty ledger verify`")
        if dossier.row is not None and (known_at is None or dossier.facts):
            return dossier
        if dossier.row is not None:
            raise Failure(Exit.FINDING, f"nothing was known of this member of {program} by then")
    raise Failure(Exit.FINDING, f"no account of this member in {program} (or LOYALTY_ACCOUNT_KEY is not the key of this ledger)")


async def all_statements(store: PostgresStore, at: datetime) -> AsyncIterator[Mapping[str, object]]:
    """Every account's statement at an instant; those of accounts that are fenced or cannot be read, which `violations` tells of,
    are left out."""
    terms = {program.code: program for program in await programs(store)}
    async for dossier in store.dossiers():
        if dossier.fault is not None:
            continue
        if dossier.row is not None and dossier.row.fenced is None and dossier.row.member_id != FORGOTTEN:
            yield as_json(read(dossier, terms[dossier.row.program], at))


async def violations(store: PostgresStore) -> AsyncIterator[Violation]:
    """What is wrong with the ledger, as it is found."""
    terms: dict[str, Program] = {program.code: program for program in await programs(store)}
    async for violation in check(store, terms):
        yield violation
