"""`loyalty migrate`: schema, roles, and the shipped programs."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from contracts.counting import counted
from db.migrate import migrate
from worker.cli.opening import finish, ledger
from worker.persist import key_check
from worker.programs.registry import Origin, TermsChanged, register
from worker.programs.terms_file import read, shipped, text_of, versions
from worker.runtime.build import VERSION


def bring_up(dsn: str, account_key: bytes, *, only_before: bool = False, terms: bool = True) -> Iterator[str]:
    """Bring the database of an owner's DSN up to date; says what was done, as it is done. `terms`: register what is shipped."""
    missing = finish(_missing(dsn))
    migrate(dsn, only_before=only_before)
    yield f"schema: {counted(len(missing), 'migration')} applied ({', '.join(missing)})" if missing else "schema: was up to date"
    if terms:
        yield from finish(_register(dsn, account_key))


async def _missing(dsn: str) -> list[str]:
    async with ledger(dsn=dsn) as store:
        return await store.missing_migrations()


async def _register(dsn: str, key: bytes) -> list[str]:
    done = []
    async with ledger(dsn=dsn) as store:
        await store.settle_key(key_check(key))
        for code, path in shipped().items():
            text = text_of(path)
            found = versions(read(text, path.name), path.name)
            origin = Origin(sha256(text.encode()).digest(), f"shipped with {VERSION}")
            try:
                new = (await register(store, found, origin, propose=False)).registered
            except TermsChanged as changed:
                done.append(f"terms: left as they are registered: {changed}")
                continue
            registered = f"{new} of {counted(len(found), 'version')} registered now" if new else "was registered"
            done.append(f"terms: {code}: {registered}")
    return done
