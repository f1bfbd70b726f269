"""Names that people write in more than one way: payment methods, brands of cards, reasons."""

from __future__ import annotations

import unicodedata


def plain(name: str) -> str:
    """The name that all ways to write it come to: without case, and full-width characters as their usual ones (NFKC, UAX 15)."""
    if name.isascii():
        return name.lower()
    # Folding case may leave what is to be composed again.
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
