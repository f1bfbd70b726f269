"""Seals: what all chains of a program stood at, under one digest, and whether they still go on from there.

A seal is the root of a Merkle tree (RFC 6962) over the heads of all chains, in the order of the accounts' commitments, and is
chained to the seal before. The heads themselves may be written to a file: who keeps it elsewhere can tell which account was
rewritten.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from worker.persist.accounts import begun_of, by_account
from worker.persist.chain import BEGINNING, Chain, head_of
from worker.persist.link import Link, translated
from worker.persist.queries import SQL

if TYPE_CHECKING:
    from worker.persist.link import Connection

ROWS_AT_ONCE: Final = 1_000
_SEAL: Final = b"loyalty seal 1\n"
_NUMBERS: Final = Struct(">iqiqqii").pack
_PLACE: Final = Struct(">q").pack
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class SealedHead(NamedTuple):
    """How far the chain of an account went. `account`: the commitment to its id, 32 bytes."""

    account: bytes
    chain: Chain


class Seal(NamedTuple):
    """A row of `seal`; `facts` and `accounts`: how many are under it."""

    program: str
    number: int
    sealed_at: datetime
    epoch: int
    accounts: int
    facts: int
    root: bytes
    previous: bytes | None
    digest: bytes

    @property
    def is_whole(self) -> bool:
        """Whether the digest is that of all else."""
        return self.digest == digest_of(*self[:-1])


class KeptAccount(NamedTuple):
    """An account as it is now. `erased`: its person was forgotten, and what was sealed goes on without a name."""

    account: bytes
    account_id: UUID
    erased: bool


class MerkleTree:
    """The root over leaves that come one after the other, in memory for the logarithm of their number (RFC 6962, 2.1)."""

    def __init__(self) -> None:
        self._complete: list[tuple[int, bytes]] = []
        self.leaves = 0

    def add(self, leaf: bytes) -> None:
        """One leaf more."""
        self.leaves += 1
        size, node = 1, sha256(b"\0" + leaf).digest()
        while self._complete and self._complete[-1][0] == size:
            node = _node(self._complete.pop()[1], node)
            size *= 2
        self._complete.append((size, node))

    def root(self) -> bytes:
        """Of all leaves so far."""
        if not self._complete:
            return sha256(b"").digest()
        root = self._complete[-1][1]
        for _, left in reversed(self._complete[:-1]):
            root = _node(left, root)
        return root


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def leaf_of(head: SealedHead) -> bytes:
    """What stands under the root for an account."""
    return head.account + _PLACE(head.chain.length) + head.chain.head


def digest_of(
    program: str, number: int, sealed_at: datetime, epoch: int, accounts: int, facts: int, root: bytes, previous: bytes | None
) -> bytes:
    """The digest of a seal."""
    name = program.encode()
    at = (sealed_at - _EPOCH) // timedelta(microseconds=1)
    numbers = _NUMBERS(number, at, epoch, accounts, facts, len(name), len(previous or b""))
    return sha256(_SEAL + numbers + name + root + (previous or b"")).digest()


@asynccontextmanager
async def sealing(connection: Connection) -> AsyncIterator[Link]:
    """A transaction that sees one moment, and may add seals."""
    with translated():
        async with connection.transaction(isolation="repeatable_read"):
            yield Link(connection)


async def programs(link: Link) -> list[str]:
    """Programs that have accounts."""
    return [row["program"] for row in await link.fetch("programs_to_seal")]


async def heads(link: Link, program: str) -> AsyncIterator[SealedHead]:
    """The chains of a program's accounts, by commitment; those that have a fact."""
    with translated():
        async for row in link.connection.cursor(SQL["chains_to_seal"], program, prefetch=ROWS_AT_ONCE):
            yield SealedHead(row["commitment"], Chain(row["chain_length"], row["chain_head"]))


async def kept_accounts(link: Link, program: str) -> AsyncIterator[KeptAccount]:
    """All accounts of a program, by commitment."""
    with translated():
        async for row in link.connection.cursor(SQL["chains_sealed"], program, prefetch=ROWS_AT_ONCE):
            yield KeptAccount(*row)


async def add(link: Link, program: str, tree: MerkleTree, facts: int) -> Seal:
    """Adds the next seal of a program; a message about it goes into the outbox. Raises ConstraintError where another login added
    it meanwhile."""
    (state,) = await link.fetch("sealing_state")
    before = await link.fetch("last_seal", program)
    number, previous = (before[0]["number"] + 1, before[0]["digest"]) if before else (1, None)
    what = (program, number, state["now"], state["epoch"], tree.leaves, facts, tree.root(), previous)
    seal = Seal(*what, digest_of(*what))
    await link.execute("add_seal", *seal)
    return seal


async def kept(link: Link, program: str, number: int) -> list[Seal]:
    """The seals of a program from one on."""
    return [Seal(*row) for row in await link.fetch("seals", program, number)]


async def heads_at(link: Link, lengths: Mapping[UUID, int]) -> dict[UUID, list[bytes]]:
    """What facts make of the head of each account's chain at a length: one for each beginning that it had up to there; none where
    there are not so many facts."""
    leaves = by_account(await link.fetch("leaves", list(lengths)))
    begun = by_account(await link.fetch("beginnings", list(lengths)))
    found: dict[UUID, list[bytes]] = {}
    for account_id, length in lengths.items():
        beginnings = [each.chain for each in map(begun_of, begun.get(account_id, ())) if each.is_linked]
        of_account = [(row["place"], row["leaf"]) for row in leaves.get(account_id, ())]
        heads = (_head_at(begin, of_account, length) for begin in (BEGINNING, *beginnings))
        found[account_id] = [head for head in heads if head is not None]
    return found


def _head_at(begin: Chain, leaves: Sequence[tuple[int, bytes]], length: int) -> bytes | None:
    wanted = [(place, leaf) for place, leaf in leaves if begin.length < place <= length]
    if begin.length > length or [place for place, _ in wanted] != list(range(begin.length + 1, length + 1)):
        return None
    return head_of(begin, [leaf for _, leaf in wanted])
