"""An erasure beside commands and workers that have the account in hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from uuid import UUID

import pytest

from tests.erasure.conftest import DAY, T0, Ledger, erasure, life
from worker.persist import Dossier
from worker.persist.batch import PostgresBatch
from worker.upkeep.rebuild import rebuild

END = T0 + 40 * DAY


async def test_an_account_that_is_erased_while_it_is_read_to_be_rebuilt_is_read_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ledger.deliver([*life(), erasure()])
    await ledger.clock(END)
    await ledger.publish()
    read = PostgresBatch.dossiers
    erased: list[int] = []

    async def between(self: PostgresBatch, accounts: Collection[UUID]) -> list[Dossier]:
        if erased:
            return await read(self, accounts)
        before = await read(self, accounts)
        erased.append(await ledger.erase())
        # The head was read before the erasure, all else after it.
        return [replace(each, row=old.row) for each, old in zip(await read(self, accounts), before, strict=True)]

    async def person() -> AsyncIterator[UUID]:
        yield ledger.person()

    monkeypatch.setattr(PostgresBatch, "dossiers", between)
    (found,) = [each async for each in rebuild(ledger.store, ledger.catalogue, person(), END, 1)]
    assert (erased, found.defect, found.facts, found.announced) == ([1], None, 0, False)
    assert await ledger.findings() == []
