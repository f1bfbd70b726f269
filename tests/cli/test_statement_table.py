"""The table of a statement for people."""

from __future__ import annotations

import pytest

from worker.cli.member import show_statement


def test_a_row_of_lots_of_several_orders_says_what_each_brought(capsys: pytest.CaptureFixture[str]) -> None:
    lot = {
        "kind": "basic",
        "expires_on": "2025-08-31",
        "points": 77,
        "orders": [{"order_id": None, "points": 7}, {"order_id": "A", "points": 50}, {"order_id": "B", "points": 20}],
    }
    show_statement({"member_id": "M1", "lots": [lot], "orders": [], "requests": [], "findings": []})
    assert "-: 7, A: 50, B: 20" in capsys.readouterr().out
