"""What the statement tells of the lots that a member can use."""

from __future__ import annotations

from tests.rules.story import Story, line


def lots(story: Story, at: str) -> list[tuple[str, int, str | None, dict[str | None, int]]]:
    """Last usable day and points of each row, the order that they came from, or what each order brought."""
    return [
        (str(lot.expires_on), lot.points, lot.order_id, {each.order_id: each.points for each in lot.orders})
        for lot in story.at(at).lots
    ]


def test_points_with_one_last_day_are_one_row_that_says_what_each_order_brought() -> None:
    story = Story("belle-maison")
    story.registered("2024-07-01", channel="web")
    story.enrolled("2024-07-01")
    story.bought("B", "2024-08-01", line(4_000))
    story.bought("A", "2024-08-02", line(10_000))
    story.adjusted(7, "2024-08-03", kind="basic", expires_on="2025-08-31")
    assert lots(story, "2024-08-04") == [("2025-08-31", 77, None, {None: 7, "A": 50, "B": 20})]


def test_points_that_were_used_and_come_back_are_still_of_the_order_that_earned_them() -> None:
    story = Story("belle-maison")
    story.registered("2024-07-01", channel="web")
    story.enrolled("2024-07-01")
    story.bought("A", "2024-08-01", line(40_000))
    story.order("B", "2024-08-05", line(5_000), points_used=200)
    assert lots(story, "2024-08-06") == []
    story.cancelled("B", "2024-08-07")
    assert lots(story, "2024-08-30") == [("2025-08-31", 200, "A", {})]
