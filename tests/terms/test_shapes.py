"""What `loyalty program new --like …` writes: valid as it is, right in what its comments offer, and doing what its rules say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from contracts.terms_schema import terms_schema
from worker.cli.authoring import Shape, starting_file
from worker.decide.program import Program
from worker.programs.terms_file import read, versions
from worker.programs.validation import checked
from worker.simulation.story import page

YEAR = 2026
LATER = YEAR + 1


def written(shape: Shape) -> str:
    """The starting file of a shape."""
    return starting_file("my-shop", shape, YEAR)


def offered(text: str) -> Iterator[tuple[str, str]]:
    """Each choice that stands as a comment, and the file with it made."""
    lines = text.splitlines()
    for start, first in enumerate(lines):
        found = re.match(r"( *)# (?:([a-z_]+):|- )", first)
        if found is None:
            continue
        indent, end = found[1], start + 1
        while end < len(lines) and lines[end].startswith(f"{indent}#   "):
            end += 1
        made = [each.replace(f"{indent}# ", indent, 1) for each in lines[start:end]]
        yield first.strip(), "\n".join([*lines[:start], *made, *lines[end:]])


@pytest.mark.parametrize("shape", Shape)
def test_a_new_file_of_every_shape_may_be_published(shape: Shape) -> None:
    values = read(written(shape))
    assert checked(values, shape.value).code == "my-shop"
    assert Draft7Validator(terms_schema()).is_valid(values)


@pytest.mark.parametrize(
    "text", [pytest.param(text, id=f"{shape}: {name[:60]}") for shape in Shape for name, text in offered(written(shape))]
)
def test_every_choice_that_a_comment_offers_may_be_made(text: str) -> None:
    assert versions(read(text))


def at(day: str) -> str:
    return f"{day if len(day) > 5 else f'{YEAR}-{day}'}T12:00:00+09:00"


def order(order_id: str, day: str, price: int, quantity: int = 1, **more: Any) -> dict[str, Any]:
    line = {"sku": "SKU", "quantity": quantity, "unit_price": price, "tax": more.pop("tax", 0)}
    if "category" in more:
        line["category"] = more.pop("category")
    data = {"order_id": order_id, "store": "shop", "payment_method": "cash", "lines": [line], **more}
    return {"at": at(day), "says": f"Order {order_id}.", "type": "order.placed", "data": data}


def told(type_: str, day: str, **data: Any) -> dict[str, Any]:
    return {"at": at(day), "says": type_, "type": type_, "data": data}


def time(day: str) -> dict[str, Any]:
    return {"at": at(day), "says": "Time passes."}


Row = tuple[int, int, str]
"""Available, pending, and the level."""
STORIES: dict[Shape, list[tuple[dict[str, Any], Row]]] = {
    Shape.SHOP: [
        (told("member.registered", "01-05"), (0, 0, "")),
        (order("A", "01-10", 10_000, tax=1_000), (0, 100, "")),
        (told("shipment.dispatched", "01-12", order_id="A", lines="all"), (0, 100, "")),
        (time("02-11"), (100, 0, "")),
        (order("B", "02-12", 5_000, points_used=60), (40, 50, "")),
        (told("order.cancelled", "02-13", order_id="B", reason="customer_request", lines="all"), (100, 0, "")),
        (time(f"{LATER}-02-11"), (100, 0, "")),
        (time(f"{LATER}-02-12"), (0, 0, "")),
    ],
    Shape.TIERS: [
        (told("member.registered", "01-05"), (0, 0, "regular")),
        (order("A", "02-01", 40_000, tax=4_000), (0, 400, "regular")),
        (told("shipment.dispatched", "02-03", order_id="A", lines="all"), (0, 400, "silver")),
        (time("02-10"), (400, 0, "silver")),
        (order("B", "03-01", 10_000), (400, 200, "silver")),
        (time(f"{LATER}-01-01"), (400, 200, "silver")),
        (time(f"{LATER + 1}-01-01"), (0, 200, "regular")),
    ],
    Shape.STAMPS: [
        (order("A", "01-10", 500, 4, category="drink"), (4, 0, "")),
        (order("B", "02-10", 500, 7, category="drink"), (11, 0, "")),
        (order("C", "02-11", 800, category="cake"), (11, 0, "")),
        (order("D", "03-10", 500, category="drink", points_used=10), (2, 0, "")),
        (time("09-10"), (2, 0, "")),
        (time("09-11"), (0, 0, "")),
    ],
    Shape.CASHBACK: [
        (told("member.enrolled", "01-05"), (0, 0, "")),
        (order("A", "01-10", 12_000, category="groceries"), (0, 360, "")),  # 60, and 360 of which 300 are left
        (told("order.paid", "01-10", order_id="A"), (0, 360, "")),
        (order("B", "01-20", 200_000), (0, 1_000, "")),  # 1,000, of which 640 are left
        (told("order.paid", "01-20", order_id="B"), (0, 1_000, "")),
        (time("02-01"), (1_000, 0, "")),
        (time("02-15"), (0, 0, "")),
    ],
    Shape.SUBSCRIPTION: [
        (told("member.registered", "01-05"), (0, 0, "")),
        (order("A", "01-10", 10_000, course="subscription", subscription_id="S"), (0, 300, "")),
        (told("shipment.dispatched", "01-13", order_id="A", lines="all"), (0, 300, "")),
        (told("shipment.delivered", "01-15", order_id="A"), (0, 300, "")),
        (time("01-23"), (300, 0, "")),
        (order("B", "02-01", 5_000), (300, 50, "")),
        (order("C", "02-02", 5_000, points_used=100), (200, 99, "")),  # what points paid earns nothing
        (time(f"{LATER}-02-02"), (200, 99, "")),
        (time(f"{LATER}-02-03"), (0, 99, "")),
    ],
}


@pytest.mark.parametrize("shape", Shape)
def test_a_new_program_does_what_its_rules_say(shape: Shape, tmp_path: Path) -> None:
    steps = tmp_path / "story.yaml"
    story = [step for step, _ in STORIES[shape]]
    steps.write_text(yaml.safe_dump({"steps": story}, allow_unicode=True), encoding="utf-8")
    told_page = page(Program(versions(read(written(shape)))), steps)
    rows = re.findall(r"^\| ([\d,-]+) \| ([\d,]+) \| 0 \| 0 \| (\w*) \|", told_page, re.MULTILINE)
    found = [(int(available.replace(",", "")), int(pending.replace(",", "")), tier) for available, pending, tier in rows]
    assert found == [row for _, row in STORIES[shape]], told_page
