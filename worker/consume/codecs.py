"""Batches of records are uncompressed up to a bound: a megabyte of zstd may stand for thirty gigabytes of nothing.

aiokafka uncompresses whole batches on the event loop, as large as they come. Its codecs are replaced by these, in the compiled
reader and in the one in Python.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Final

import cramjam
from aiokafka.record import default_records as in_python
from aiokafka.record._crecords import default_records as compiled

BATCH_BYTES_MAX: Final = 64 * 2**20
"""Of one batch of records, uncompressed. Producers of usual settings send a megabyte at a time, which may grow tenfold."""
_FIRST_BYTES: Final = 65_536
_GROWTH: Final = 16
_XERIAL_HEAD: Final = b"\x82SNAPPY\x00"
_XERIAL_BYTES: Final = 16


class BatchTooLarge(Exception):
    """A batch of records would have more than BATCH_BYTES_MAX uncompressed."""


def gzip_decode(payload: bytes | memoryview) -> bytes:
    """All members of a gzip file. Raises BatchTooLarge."""
    found, rest = bytearray(), bytes(payload)
    while rest:
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        found += member.decompress(rest, BATCH_BYTES_MAX + 1 - len(found))
        if len(found) > BATCH_BYTES_MAX:
            raise BatchTooLarge
        if not member.eof:
            raise zlib.error("the end of the gzip file is missing")
        rest = member.unused_data.lstrip(b"\x00")
    return bytes(found)


def snappy_decode(payload: bytes) -> bytes:
    """A raw block, or the blocks of Xerial's framing. Raises BatchTooLarge."""
    if payload[:8] != _XERIAL_HEAD:
        return _snappy_block(payload, 0)
    found, at = bytearray(), _XERIAL_BYTES
    while at < len(payload):
        (size,) = struct.unpack_from("!i", payload, at)
        if size <= 0:
            raise ValueError("a snappy block without a size")
        found += _snappy_block(payload[at + 4 : at + 4 + size], len(found))
        at += 4 + size
    return bytes(found)


def _snappy_block(block: bytes, before: int) -> bytes:
    if before + cramjam.snappy.decompress_raw_len(block) > BATCH_BYTES_MAX:
        raise BatchTooLarge
    return bytes(cramjam.snappy.decompress_raw(block))


def lz4_decode(payload: bytes) -> bytes:
    """A frame. Raises BatchTooLarge."""
    return _grown(cramjam.lz4.decompress_into, payload)


def zstd_decode(payload: bytes) -> bytes:
    """A frame. Raises BatchTooLarge."""
    return _grown(cramjam.zstd.decompress_into, payload)


def _grown(into: Callable[[bytes, bytearray], int], payload: bytes) -> bytes:
    """Into a buffer that is made larger until it is large enough, for a frame need not say how large that is."""
    size = max(_FIRST_BYTES, 4 * len(payload))
    while True:
        size = min(size, BATCH_BYTES_MAX)
        buffer = bytearray(size)
        try:
            return bytes(memoryview(buffer)[: into(payload, buffer)])
        except cramjam.DecompressionError as error:
            if "whole buffer" not in str(error):
                raise
            if size == BATCH_BYTES_MAX:
                raise BatchTooLarge from None
        size *= _GROWTH


for _reader in (in_python, compiled):
    for _codec in (gzip_decode, snappy_decode, lz4_decode, zstd_decode):
        assert hasattr(_reader, _codec.__name__), "aiokafka uncompresses otherwise than it did"
        setattr(_reader, _codec.__name__, _codec)
