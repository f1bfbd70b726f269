"""Terms in tests: where they come from, and two people who answer for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from contracts.terms import Terms
from worker.local.sql import execute
from worker.persist import PostgresStore
from worker.programs.registry import Origin, proposal, register

FOR_A_TEST: Final = Origin(bytes(32), "for a test")
PEOPLE: Final = ("anna", "ben")


def dsn_of(dsn: str, person: str, role: str = "loyalty_terms") -> str:
    """The address of a database for the login of a person in a role, which is made if it is not there."""
    there = f"EXISTS (SELECT FROM pg_roles WHERE rolname = '{person}')"
    execute(dsn, f"DO $$ BEGIN IF NOT {there} THEN CREATE ROLE {person} LOGIN; END IF; END $$")
    execute(dsn, f"GRANT {role} TO {person}")
    return dsn.replace("//postgres@", f"//{person}@")


async def correct(dsn: str, versions: Iterable[Terms]) -> None:
    """Have versions that are dated back proposed by one person and approved by another."""
    anna, ben = (dsn_of(dsn, person) for person in PEOPLE)
    async with await PostgresStore.open(anna) as proposing, await PostgresStore.open(ben) as approving:
        done = await register(proposing, versions, FOR_A_TEST)
        assert done.waiting
        for each in done.waiting:
            await approving.approve_terms(await proposal(approving, each.program, each.hash.hex()))
