"""No password is seen where others on the machine look: in a list of processes, or in what a command says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run, Shop


@pytest.mark.parametrize(
    ("dsn", "why"),
    [
        ("postgresql://me:hidden@127.0.0.1:1/ledger", "would be seen in the list of processes"),
        ("postgresql://me@127.0.0.1:1/ledger?password=hidden", "would be seen in the list of processes"),
        ("postgresql://me:hid/hidden@127.0.0.1:1/ledger", "is written %2F"),
    ],
)
def test_another_database_is_not_named_with_its_password(run: Run, shop: Shop, dsn: str, why: str) -> None:
    answer = run("ledger", "rebuild", "--into", dsn, environment=shop.environment)
    assert answer.code == 2
    assert why in " ".join(answer.err.split())
    assert "hid" not in answer.err


def test_another_database_is_named_by_a_file(run: Run, shop: Shop, empty_database: str, tmp_path: Path) -> None:
    file = tmp_path / "dsn"
    file.write_text(f"{empty_database}\n")
    answer = run("ledger", "rebuild", "--into", file, environment=shop.environment)
    assert "the database to build in lacks migration" in " ".join(answer.err.split())


def test_plain_text_to_another_host_is_warned_of(run: Run, shop: Shop) -> None:
    elsewhere = {**shop.environment, "LOYALTY_KAFKA_BOOTSTRAP": "192.0.2.1:1"}
    found = {one["check"]: one for one in run("doctor", "-o", "json", environment=elsewhere).json}
    assert found["tls"]["result"] == "warn"
    assert "192.0.2.1" in str(found["tls"])
    found = {one["check"]: one for one in run("doctor", "-o", "json", environment=shop.environment).json}
    assert found["tls"]["result"] == "ok"
