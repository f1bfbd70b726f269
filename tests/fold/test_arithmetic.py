"""Arithmetic that everything rests on: shares add up, nothing is above its limit, names of lots are taken apart again."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from worker.decide.amounts import divide, part, spread, spread_within
from worker.decide.lot_name import NAME_BYTES_MAX, bounded, hand_back_part, lot_name, lot_place

amounts = st.integers(min_value=0, max_value=10**9)
lines = st.lists(st.tuples(amounts, amounts), min_size=1, max_size=6)
names = st.text(alphabet="aB/%2F5@~. ", max_size=12)


@given(total=amounts, weights=st.lists(amounts, min_size=1, max_size=6))
def test_shares_add_up_and_each_is_its_floor_but_the_last(total: int, weights: list[int]) -> None:
    shares = spread(total, weights)
    weight = sum(weights)
    assert sum(shares) == (total if weight else 0)
    last = max((index for index, each in enumerate(weights) if each), default=None)
    for index, (share, each) in enumerate(zip(shares, weights, strict=True)):
        assert index == last or share == (total * each // weight if weight else 0)


@given(total=amounts, rows=lines)
def test_shares_within_limits_add_up_with_what_found_no_room(total: int, rows: list[tuple[int, int]]) -> None:
    weights, limits = [weight for weight, _ in rows], [limit for _, limit in rows]
    shares, left = spread_within(total, weights, limits)
    assert all(0 <= share <= limit for share, limit in zip(shares, limits, strict=True))
    assert sum(shares) == min(total, sum(limits))
    assert sum(shares) + left == total


def test_what_does_not_fit_goes_to_the_other_lines_the_latest_first() -> None:
    assert spread_within(10, [1, 0, 0], [4, 3, 5]) == ([4, 1, 5], 0)
    assert spread_within(20, [1, 0, 0], [4, 3, 5]) == ([4, 3, 5], 8)
    assert spread_within(10, [1, 1], [9, 9]) == ([5, 5], 0)


@given(numerator=amounts, denominator=st.integers(min_value=1, max_value=10**6))
def test_a_quotient_is_rounded_down_up_or_to_the_nearest_half_up(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    assert 0 <= exact - divide(numerator, denominator) < 1
    assert 0 <= divide(numerator, denominator, "ceil") - exact < 1
    assert -Fraction(1, 2) < divide(numerator, denominator, "half_up") - exact <= Fraction(1, 2)


@given(whole=amounts, of=st.integers(min_value=1, max_value=99))
def test_pieces_of_a_whole_never_come_to_more_than_it_and_all_of_them_to_all_of_it(whole: int, of: int) -> None:
    parts = [part(whole, pieces, of) for pieces in range(of + 1)]
    assert parts == sorted(parts)
    assert (parts[0], parts[-1], part(whole, 0, 0)) == (0, whole, 0)


@given(origin=names, piece=names)
def test_a_lots_name_is_taken_apart_into_what_it_was_made_of(origin: str, piece: str) -> None:
    assert lot_place(lot_name(origin, piece)) == (origin, piece)


@given(one=st.tuples(names, names), other=st.tuples(names, names))
def test_no_two_lots_share_a_name(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (lot_name(*one) == lot_name(*other)) == (one == other)


long_names = st.one_of(names, st.text(min_size=60, max_size=1000), st.text(alphabet="a:%~#🎉", min_size=60, max_size=1000))


@given(one=long_names, other=long_names)
def test_a_bounded_name_is_short_and_its_own(one: str, other: str) -> None:
    assert len(bounded(one).encode()) <= NAME_BYTES_MAX
    assert (bounded(one) == bounded(other)) == (one == other)
    # A name that reads like what another one becomes does not become that.
    assert one == bounded(one) or bounded(bounded(one)) != bounded(one)


@given(part=long_names, causes=st.lists(long_names, min_size=1, max_size=5))
def test_points_handed_back_again_and_again_are_named_by_the_last_cause_alone(part: str, causes: list[str]) -> None:
    named = portion = bounded(part)
    for cause in map(bounded, causes):
        named = hand_back_part(named, cause)
        assert named == f"{portion}~{cause}"
