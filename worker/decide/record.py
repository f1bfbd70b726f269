"""What all that is kept of an account is made of."""

from __future__ import annotations

import msgspec


class Record(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Base of all that is kept: defaults are left out when written, so rows stay small and fields can be added.

    Records never refer to each other in circles, so the garbage collector need not follow them.
    """


class Kept(Record, frozen=True, tag_field="is", tag=str.lower):
    """Base of the items, each kept in a row of its own; the tag tells which one was written."""
