"""One product in several lines, named by its sku: what has left comes back, what has not is cancelled."""

from __future__ import annotations

from tests.rules.story import Story, line, pieces

MUG = {"sku": "MUG", "quantity": 1}
RUG = {"sku": "RUG", "quantity": 1}


def test_what_comes_back_is_what_has_left() -> None:
    story = Story("belle-maison")
    full, sale = line(10_000, sku="MUG", line_id="1"), line(5_000, sku="MUG", line_id="2", category="sale")
    story.order("A", "2024-08-01", full, sale)
    story.shipped("A", "2024-08-02", pieces("2"))
    story.returned("A", "2024-08-05", MUG)
    story.shipped("A", "2024-08-06", pieces("1"))
    assert story.at("2024-08-07").available == 50
    assert story.findings("2024-08-07") == []


def test_what_is_cancelled_is_what_has_not_left() -> None:
    story = Story("belle-maison")
    story.order("A", "2024-08-01", line(10_000, sku="MUG"), line(10_000, sku="MUG", discount=10_000))
    story.shipped("A", "2024-08-02", MUG)
    assert story.at("2024-08-02 13:00:00").available == 50
    story.cancelled("A", "2024-08-03", MUG, reason="out_of_stock")
    assert story.at("2024-08-04").available == 50


def test_of_several_that_have_left_the_one_that_earns_nothing_is_given_up_first() -> None:
    story = Story("belle-maison")
    full, sale = line(10_000, sku="MUG", line_id="1"), line(5_000, sku="MUG", line_id="2", category="sale")
    story.bought("A", "2024-08-01", full, sale)
    story.returned("A", "2024-08-05", MUG)
    assert story.at("2024-08-06").available == 50
    story.returned("A", "2024-08-07", MUG)
    assert story.at("2024-08-08").available == 0


def test_a_replacement_is_called_what_the_shop_calls_it() -> None:
    story = Story("belle-maison")
    story.bought("A", "2024-08-01", line(8_000, sku="RUG", line_id="1"))
    story.exchange("received", "A", "2024-08-07", pieces("1"))
    story.exchange("shipped", "A", "2024-08-08", line(5_000, sku="MAT", line_id="9"))
    assert story.at("2024-08-09").available == 25
    story.exchange("shipped", "A", "2024-08-09", line(5_000, sku="MAT", line_id="9"))
    assert story.findings("2024-08-10") == ["exchange_twice"]
    story.returned("A", "2024-08-12", pieces("9"))
    assert story.at("2024-08-13").available == 0


def test_a_replacement_under_the_name_of_an_earlier_line_is_told_apart_by_its_exchange() -> None:
    story = Story("belle-maison")
    story.bought("A", "2024-08-01", line(8_000, sku="RUG", line_id="1"))
    story.exchange("received", "A", "2024-08-07", pieces("1"))
    story.exchange("shipped", "A", "2024-08-08", line(5_000, sku="MAT", line_id="1"))
    story.returned("A", "2024-08-12", pieces("X1:1"))
    assert story.at("2024-08-13").available == 0


def test_what_was_sent_in_exchange_comes_back_before_what_was_bought() -> None:
    story = Story("belle-maison")
    story.adjusted(1_000, "2024-08-01")
    story.order("A", "2024-08-02", line(4_000, 2, sku="RUG", line_id="1"), points_used=1_000)
    story.shipped("A", "2024-08-03")
    story.exchange("received", "A", "2024-08-07", pieces("1"))
    story.exchange("shipped", "A", "2024-08-08", line(3_000, sku="RUG", line_id="2"))
    assert story.at("2024-08-08 13:00:00").available == 535
    story.returned("A", "2024-08-20", RUG)
    assert story.at("2024-08-21").available == 520
