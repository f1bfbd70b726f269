"""Writing terms: a starting file for a new program, and the JSON Schema with which editors help."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from worker.cli.failures import Exit, Failure
from worker.cli.output import show_json, tell

_CODE = re.compile(r"[a-z][a-z0-9-]{0,63}")


class Shape(StrEnum):
    """What a new program is like: each has a starting file of its own."""

    SHOP = "shop"
    TIERS = "tiers"
    STAMPS = "stamps"
    CASHBACK = "cashback"
    SUBSCRIPTION = "subscription"


def new(
    code: Annotated[str, typer.Argument(help="Code of the new program, such as my-shop.")],
    like: Annotated[Shape, typer.Option(help="What the program is like.")] = Shape.SHOP,
    file: Annotated[Path | None, typer.Option("--file", help="Where to write it; default CODE.yaml here.")] = None,
) -> None:
    """Write a starting file for the terms of a new program: valid as it is, with comments on what else can be chosen.

    Like a shop: a share of each order. Tiers: levels with rates of their own. Stamps: one for each piece, ten pay. Cashback: paid
    out in money, within limits. Subscription: courses, and points for the next delivery.
    """
    if not _CODE.fullmatch(code):
        raise Failure(Exit.USAGE, f"{code}: a code is lower-case letters, digits and hyphens and begins with a letter: my-shop")
    path = file or Path(f"{code}.yaml")
    try:
        with path.open("x", encoding="utf-8") as target:
            target.write(starting_file(code, like, datetime.now(UTC).year))
    except FileExistsError:
        raise Failure(Exit.USAGE, f"{path}: is there already; choose another with --file") from None
    tell(f"{path}: written; change it, then `loyalty program validate {path}`")


def starting_file(code: str, like: Shape, year: int) -> str:
    """The file that a program of this shape, in force from the beginning of a year, begins with."""
    from worker.programs.terms_file import PROGRAMS

    template = Template((PROGRAMS / "new" / f"{like.value}.yaml.template").read_text(encoding="utf-8"))
    return template.substitute(code=code, prefix=_prefix(code), year=year, next_year=year + 1)


def _prefix(code: str) -> str:
    """What the ids of the program's rules begin with: two to five capital letters made of its code."""
    letters = re.sub(r"[^a-z]", "", code).upper()
    return (letters + "X")[:5] if len(letters) < 2 else letters[:3]


def schema() -> None:
    """The JSON Schema of a terms file, for completion and hints in editors."""
    from contracts.terms_schema import terms_schema

    show_json(terms_schema())
