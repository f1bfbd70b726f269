"""The ledger sealed, and held against a file of what was sealed.

The file has a line for each chain, in the order of the leaves, and behind those of a program the line of its seal. It is read in
one go, beside the accounts as they are now, both by commitment: memory does not grow with the ledger.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias
from uuid import UUID

import msgspec

from worker.persist import seals
from worker.persist.chain import Chain
from worker.persist.link import Link, snapshot
from worker.persist.rows import Violation
from worker.persist.seals import KeptAccount, MerkleTree, Seal, SealedHead, leaf_of
from worker.upkeep.verify import SEALED, SEALS_KEPT

if TYPE_CHECKING:
    from worker.persist.link import Connection

CHAINS_AT_ONCE: Final = 500
"""Chains of which facts are read together."""
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class _HeadLine(msgspec.Struct, tag="chain", forbid_unknown_fields=True):
    account: str
    length: _Count
    head: str


class _SealLine(msgspec.Struct, tag="seal", forbid_unknown_fields=True):
    program: str
    number: _Count
    sealed_at: datetime
    epoch: _Count
    accounts: int
    facts: int
    root: str
    previous: str | None
    digest: str


Line: TypeAlias = SealedHead | Seal
_decode: Final = msgspec.json.Decoder(_HeadLine | _SealLine).decode
encode: Final = msgspec.json.Encoder().encode


class SealFileError(Exception):
    """A file is not what was sealed."""


def to_line(what: Line) -> bytes:
    """A line of the file."""
    if isinstance(what, SealedHead):
        return encode(_HeadLine(what.account.hex(), what.chain.length, what.chain.head.hex())) + b"\n"
    texts = [each.hex() if isinstance(each, bytes) else each for each in what]
    return encode(_SealLine(*texts)) + b"\n"  # type: ignore[arg-type]  # as they stand in a seal, bytes in hex


def of_line(line: bytes) -> Line:
    """A line of the file read. Raises SealFileError."""
    try:
        read = _decode(line)
        if isinstance(read, _HeadLine):
            return SealedHead(bytes.fromhex(read.account), Chain(read.length, bytes.fromhex(read.head)))
        hashes = (bytes.fromhex(read.root), bytes.fromhex(read.previous) if read.previous is not None else None)
        about = (read.program, read.number, read.sealed_at, read.epoch, read.accounts, read.facts)
        return Seal(*about, *hashes, bytes.fromhex(read.digest))
    except (msgspec.MsgspecError, ValueError) as error:
        raise SealFileError(f"a line cannot be read: {type(error).__name__}") from None


async def seal(
    connection: Connection,
    export: Callable[[bytes], object] | None = None,
    progress: Callable[[int], None] = lambda _count: None,
) -> list[Seal]:
    """Seal every program that has accounts, as of one moment; returns the seals. `export` gets the lines of the file; `progress`
    is told how many chains were read."""
    write = export if export is not None else (lambda _line: None)
    made: list[Seal] = []
    async with seals.sealing(connection) as link:
        for program in await seals.programs(link):
            tree, facts = MerkleTree(), 0
            async for head in seals.heads(link, program):
                tree.add(leaf_of(head))
                facts += head.chain.length
                write(to_line(head))
                if tree.leaves % CHAINS_AT_ONCE == 0:
                    progress(CHAINS_AT_ONCE)
            progress(tree.leaves % CHAINS_AT_ONCE)
            made.append(await seals.add(link, program, tree, facts))
            write(to_line(made[-1]))
    return made


class AgainstFile:
    """One comparison of the ledger with a file. `chains`, `erased`: how many were looked at, and how many of them are of people
    who were forgotten since; `seals`: what the file holds."""

    def __init__(self, lines: Callable[[], Iterable[bytes]]) -> None:
        """`lines`: begins the file anew at each call."""
        self._lines = lines
        self.seals: list[Seal] = []
        self.chains = 0
        self.erased = 0

    def read(self) -> None:
        """Go through the file alone: whether it is what its seals say. Raises SealFileError."""
        tree, facts, before = MerkleTree(), 0, b""
        for line in self._lines():
            what = of_line(line)
            if isinstance(what, SealedHead):
                if what.account <= before:
                    raise SealFileError("its lines are not in their order")
                tree.add(leaf_of(what))
                facts, before = facts + what.chain.length, what.account
                continue
            if not what.is_whole or (what.accounts, what.facts, what.root) != (tree.leaves, facts, tree.root()):
                raise SealFileError(f"its lines of {what.program} are not what seal {what.number} is over")
            self.seals.append(what)
            tree, facts, before = MerkleTree(), 0, b""
        if tree.leaves or not self.seals:
            raise SealFileError("it does not end with a seal")

    async def compare(self, connection: Connection) -> AsyncIterator[Violation]:
        """What of the ledger does not go on from the file, which was `read`, program by program as of one moment."""
        async with snapshot(connection) as link:
            heads = (what for what in map(of_line, self._lines()) if isinstance(what, SealedHead))
            for each in self.seals:
                async for violation in self._seal(link, each):
                    yield violation
                async for violation in self._program(link, each, heads):
                    yield violation

    async def _seal(self, link: Link, ours: Seal) -> AsyncIterator[Violation]:
        before = None
        for number, kept in enumerate(await seals.kept(link, ours.program, ours.number), ours.number):
            if number == ours.number and kept != ours:
                break
            if kept.number != number or not kept.is_whole or (before is not None and kept.previous != before.digest):
                yield Violation(SEALS_KEPT, None, f"seal {number} of {ours.program} was removed or rewritten")
                return
            before = kept
        if before is None:
            yield Violation(SEALS_KEPT, None, f"seal {ours.number} of {ours.program} is not the one of the file")

    async def _program(self, link: Link, sealed: Seal, heads: Iterable[SealedHead]) -> AsyncIterator[Violation]:
        accounts = seals.kept_accounts(link, sealed.program)
        now: KeptAccount | None = await anext(accounts, None)
        group: list[tuple[KeptAccount, Chain]] = []
        for _, head in zip(range(sealed.accounts), heads, strict=False):
            self.chains += 1
            while now is not None and now.account < head.account:
                now = await anext(accounts, None)
            if now is None or now.account != head.account:
                yield Violation(SEALED, None, f"an account of {sealed.program} with {head.chain.length} facts is gone")
                continue
            group.append((now, head.chain))
            if len(group) == CHAINS_AT_ONCE:
                for violation in await self._chains(link, sealed, group):
                    yield violation
                group = []
        for violation in await self._chains(link, sealed, group):
            yield violation

    async def _chains(self, link: Link, sealed: Seal, group: Sequence[tuple[KeptAccount, Chain]]) -> list[Violation]:
        found: list[Violation] = []
        wanted: dict[UUID, int] = {account.account_id: chain.length for account, chain in group}
        heads = await seals.heads_at(link, wanted) if wanted else {}
        for account, chain in group:
            if chain.head in heads[account.account_id]:
                continue
            if account.erased:
                self.erased += 1
                continue
            facts = f"up to place {chain.length} it has other facts than seal {sealed.number} is over"
            found.append(Violation(SEALED, account.account_id, f"{facts}: they were rewritten, or the ledger was restored"))
        return found
