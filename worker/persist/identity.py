"""Which account a member of a program has: an id made from the two with a key, so that nobody has to look it up."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final
from uuid import UUID

from asyncpg.pgproto import pgproto

SHARDS: Final = 64
"""Into how many parts leases share out the accounts."""
KEY_BYTES_MIN: Final = 16


def account_id(key: bytes, program: str, member_id: str) -> UUID:
    """The id of the account (program, member_id): 128 bits, the same for ever under one key.

    `key` is 16 to 64 secret bytes: without it nobody can tell from an id whose it is, nor make two ids meet.
    Raises ValueError for another length.
    """
    if not KEY_BYTES_MIN <= len(key) <= blake2b.MAX_KEY_SIZE:
        raise ValueError(f"the key of account ids has {KEY_BYTES_MIN} to {blake2b.MAX_KEY_SIZE} bytes, not {len(key)}")
    # The length first, so that no two pairs run into the same bytes.
    name = program.encode()
    # The driver's own class of ids: the same, but made and compared in C.
    return pgproto.UUID(blake2b(len(name).to_bytes(4, "big") + name + member_id.encode(), digest_size=16, key=key).digest())


def key_check(key: bytes) -> bytes:
    """8 bytes that tell two keys apart and say nothing about them; kept with the ledger."""
    return blake2b(b"loyalty key check", digest_size=8, key=key).digest()


def shard_of(account: UUID) -> int:
    """The shard of an account, 0 to 63: the six highest bits of its id, so each shard is one range of ids."""
    return account.int >> 122


def partition_account(topic: str, partition: int) -> UUID:
    """The id under which the dead letters of a partition stand in the outbox, so that they are published in order."""
    return UUID(bytes=blake2b(f"{topic}\0{partition}".encode(), digest_size=16, person=b"dead letters").digest())
