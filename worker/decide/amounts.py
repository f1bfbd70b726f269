"""Exact arithmetic on amounts: rounding, rates, and splitting a whole into shares that add up to it again."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

from contracts.terms import Rate
from worker.decide.order_records import OrderLine

RoundingMode = Literal["floor", "half_up", "ceil"]


class Factor(NamedTuple):
    """A rate as whole numbers: of every full `unit` of an amount, `numerator / denominator`. `counts`: of what, if not money, and
    as how much of it each piece counts `at_least`."""

    unit: int
    numerator: int
    denominator: int
    counts: str = ""
    at_least: int = 0

    def of(self, amount: int, mode: RoundingMode = "floor") -> int:
        """Points for an amount of 0 or more, rounded once (COM-Q1)."""
        return divide((amount // self.unit) * self.numerator, self.denominator, mode)


def divide(numerator: int, denominator: int, mode: RoundingMode = "floor") -> int:
    """The quotient of two non-negative integers, rounded as told."""
    if mode == "floor":
        return numerator // denominator
    if mode == "ceil":
        return -(-numerator // denominator)
    return (2 * numerator + denominator) // (2 * denominator)


@lru_cache(maxsize=4096)
def fraction(text: str) -> tuple[int, int]:
    """A decimal string as numerator and denominator."""
    return Decimal(text).as_integer_ratio()


@lru_cache(maxsize=4096)
def factor(rate: Rate) -> Factor:
    """The rate of a terms file as a factor."""
    counts = "" if rate.of == "money" else rate.of
    if rate.share is not None:
        return Factor(1, *fraction(rate.share), counts, rate.at_least)
    assert rate.points is not None
    assert rate.per is not None
    return Factor(rate.per, rate.points, 1, counts, rate.at_least)


def part(whole: int, pieces: int, of: int) -> int:
    """What `pieces` of `of` pieces make of a whole: floored, and the whole itself for all of them."""
    return whole * pieces // of if of else 0


def spread(total: int, weights: Sequence[int]) -> list[int]:
    """A total over weights: floored shares, the remainder to the last weight that is not 0 (COM-Q4).

    The shares add up to `total`; with no weight at all they are all 0.
    """
    weight = sum(weights)
    if weight == 0:
        return [0] * len(weights)
    shares = [total * each // weight for each in weights]
    last = max(index for index, each in enumerate(weights) if each)
    shares[last] += total - sum(shares)
    return shares


def spread_within(total: int, weights: Sequence[int], limits: Sequence[int]) -> tuple[list[int], int]:
    """Like `spread`, but no share above its limit: what does not fit goes to the other lines, latest first.

    Returns the shares and what found no room.
    """
    shares = [min(share, limit) for share, limit in zip(spread(min(total, sum(limits)), weights), limits, strict=True)]
    left = total - sum(shares)
    for index in range(len(shares) - 1, -1, -1):
        moved = min(left, limits[index] - shares[index])
        shares[index] += moved
        left -= moved
    return shares, left


def in_unit(line: OrderLine, pieces: int, unit: str, at_least: int = 0) -> int:
    """How much some pieces of a line are, in a unit: pieces themselves, or one in which the line is told (if not: nothing), where
    each piece may count as so much `at_least`."""
    if unit == "pieces":
        return pieces
    told = line.measures.get(unit, 0)
    return part(max(told, at_least * line.quantity) if told else 0, pieces, line.quantity)
