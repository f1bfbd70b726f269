"""`loyalty ledger refold`: a mend that changes numbers is told before it happens, and moves them in entries that say so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from contracts.events.outbound import BalanceChanged
from tests.cli.conftest import DAY, Run, Shop
from tests.recovery.ledgers import rows
from worker.decide import earning, state

EVENTS = DAY.read_bytes().splitlines()
AT = ("--at", "2026-11-20T21:00:00+09:00")
LEDGER = ("fact", "decision", "entry", "account", "lot", "item", "step", "outbox")
WHY = ("--reason", "rounding was wrong", "--operator", "sato")
MEMBER = "lenovo-pro:LP-101"


@contextmanager
def last_release() -> Iterator[None]:
    """A release whose fold gave a point too many for whatever an order earns at a rate."""
    right = earning.points_for

    def wrong(*arguments: Any) -> int:
        points = right(*arguments)
        return points + 1 if points else points

    with patch.object(earning, "points_for", wrong), patch.object(state, "FOLD_VERSION", state.FOLD_VERSION - 1):
        yield


@pytest.fixture
def older(shop: Shop) -> Shop:
    """A ledger in which the last release posted the whole day."""
    with last_release():
        shop.deliver(EVENTS)
    return shop


def _rows(shop: Shop, query: str) -> list[dict[str, Any]]:
    """What a query gives, as JSON has it."""
    ((found,),) = asyncio.run(rows(shop.dsn, f"SELECT coalesce(json_agg(q), '[]')::text FROM ({query}) AS q"))
    decoded: list[dict[str, Any]] = json.loads(found)
    return decoded


def _all(shop: Shop) -> dict[str, Any]:
    return {table: _rows(shop, f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in LEDGER}


def _refold(run: Run, shop: Shop, *arguments: str | Path, code: int = 1) -> list[dict[str, Any]]:
    answer = run("ledger", "refold", *arguments, "-o", "ndjson", environment=shop.environment)
    assert answer.code == code, answer.err
    return [json.loads(line) for line in answer.out.splitlines()]


def _balances(shop: Shop) -> dict[str, tuple[int, int]]:
    heads = _rows(shop, "SELECT account_id, convert_from(head, 'UTF8')::jsonb AS head FROM account")
    return {each["account_id"]: (each["head"].get("available", 0), each["head"].get("pending", 0)) for each in heads}


def _is_simulated(run: Run, shop: Shop, events: Sequence[bytes], directory: Path) -> None:
    """Every statement is what this release gives for these events."""
    file = directory / "events.ndjson"
    file.write_bytes(b"\n".join(events) + b"\n")
    for program in ("lenovo-pro", "belle-maison"):
        (simulated,) = run("simulate", "--program", program, "--events", file, *AT, "-o", "json").json
        assert simulated["members"]
        for member in simulated["members"]:
            asked = ("member", "statement", program, member["member_id"], *AT, "-o", "json")
            told = run(*asked, environment=shop.environment).json
            assert (told["available"], told["pending"]) == (member["available"], member["pending"]), member["member_id"]


def test_it_tells_whose_points_would_move_and_by_how_much_and_writes_nothing(run: Run, older: Shop) -> None:
    before, balances = _all(older), _balances(older)
    found = _refold(run, older)
    assert _all(older) == before
    assert len(found) > 3
    assert all(each["available"] + each["pending"] < 0 for each in found)
    moved = {each["account_id"]: (each["available"], each["pending"]) for each in found}
    assert _refold(run, older, "--preview", "--workers", "2") == found
    (one,) = _refold(run, older, "--account", MEMBER)
    assert one in found
    assert [each["account_id"] for each in _refold(run, older, "--program", "belle-maison")] == [
        each["account_id"] for each in found if each["program"] == "belle-maison"
    ]
    _refold(run, older, "--apply", *WHY, code=0)
    after = _balances(older)
    assert moved == {
        account: (now[0] - balances[account][0], now[1] - balances[account][1])
        for account, now in after.items()
        if now != balances[account]
    }


def test_the_right_to_read_is_enough_to_see_it(run: Run, older: Shop) -> None:
    reader = {**older.environment, "LOYALTY_POSTGRES_ROLE": "loyalty_reader"}
    answer = run("ledger", "refold", "-o", "json", environment=reader)
    assert (answer.code, answer.json) == (1, _refold(run, older))


def test_people_see_a_table_and_what_it_comes_to(run: Run, older: Shop) -> None:
    answer = run("ledger", "refold", "--program", "lenovo-pro", environment=older.environment)
    assert answer.code == 1
    assert "By rule" in answer.out
    points = [each["available"] + each["pending"] for each in _refold(run, older, "--program", "lenovo-pro")]
    accounts = len(_rows(older, "SELECT 1 FROM account WHERE program = 'lenovo-pro'"))
    move = f"{len(points)} would move: 0 points up, {-sum(points)} down"
    assert answer.mistakes[-1] == f"{accounts} accounts looked at; {move}; 0 cannot be folded"


def test_what_moves_is_labelled_told_once_and_leaves_the_ledger_sound(run: Run, older: Shop, tmp_path: Path) -> None:
    before = {each["account_id"]: each["version"] for each in _rows(older, "SELECT account_id, version FROM account")}
    found = _refold(run, older)
    answer = run("ledger", "refold", "--apply", *WHY, "-o", "ndjson", environment=older.environment)
    assert answer.code == 0
    assert [json.loads(line) for line in answer.out.splitlines()] == found
    (line,) = [json.loads(line) for line in answer.err.splitlines() if '"ledger_refolded"' in line]
    assert (line["operator"], line["reason"], line["accounts"]) == ("sato", "rounding was wrong", len(found))

    label = state.FOLD_VERSION
    posted = _rows(older, "SELECT DISTINCT account_id, version, refold FROM entry WHERE refold IS NOT NULL")
    assert sorted((each["account_id"], each["version"], each["refold"]) for each in posted) == sorted(
        (each["account_id"], before[each["account_id"]] + 1, label) for each in found
    )
    assert run("ledger", "verify", environment=older.environment).code == 0
    _is_simulated(run, older, EVENTS, tmp_path)

    told = _rows(
        older, "SELECT account_id, convert_from(value, 'UTF8') AS value FROM outbox WHERE value LIKE '%loyalty:refold%'::bytea"
    )
    changes = {each["account_id"]: BalanceChanged.model_validate_json(each["value"]) for each in told}
    assert changes.keys() == {each["account_id"] for each in found}
    for each in found:
        change = changes[each["account_id"]]
        assert (change.cause.type, change.cause.source, change.cause.id) == ("refold", "loyalty:refold", line["run"])
        assert (change.change.available, change.change.pending) == (each["available"], each["pending"])
        assert {(entry.reason, entry.fold) for entry in change.entries} == {("refold", label)}
        assert [entry.corrects for entry in change.entries] == [movement["reason"] for movement in each["movements"]]


def test_once_more_moves_nothing(run: Run, older: Shop) -> None:
    _refold(run, older, "--apply", *WHY, code=0)
    before = _all(older)
    assert _refold(run, older, code=0) == _refold(run, older, "--apply", *WHY, code=0) == []
    assert _all(older) == before
    answer = run("ledger", "rebuild", "--program", "lenovo-pro", "-o", "ndjson", environment=older.environment)
    assert (answer.code, answer.out) == (0, "")


def test_a_fact_that_comes_late_afterwards_posts_its_own_difference_alone(run: Run, older: Shop, tmp_path: Path) -> None:
    """Of two members alike, the ledger of one was never wrong."""
    _refold(run, older, "--apply", *WHY, code=0)
    versions = {each["account_id"]: each["version"] for each in _rows(older, "SELECT account_id, version FROM account")}
    sent, order = _late()
    older.deliver(sent)
    news = [each for each in _rows(older, "SELECT * FROM entry") if each["version"] > versions[each["account_id"]]]
    assert {each["order_id"] for each in news} == {order}
    assert {each["refold"] for each in news} == {None}
    assert run("ledger", "verify", environment=older.environment).code == 0
    _is_simulated(run, older, [*EVENTS, *sent], tmp_path)


def _late() -> tuple[list[bytes], str]:
    """An order of a member and its shipment, before others of the same."""
    placed, sent = (json.loads(line) for line in EVENTS[5:7])
    assert (placed["type"], sent["type"], placed["data"]["member_id"]) == ("order.placed", "shipment.dispatched", "LP-101")
    for place, event in enumerate((placed, sent)):
        event |= {"id": f"late-{place}", "subject": "L-1", "time": event["time"].replace("2026-02-1", "2026-02-2")}
        event["data"] |= {"order_id": "L-1"}
    return [json.dumps(each).encode() for each in (placed, sent)], "L-1"


def test_a_worker_posts_nothing_of_the_past_by_itself(run: Run, older: Shop, tmp_path: Path) -> None:
    """What a new release would move is set aside until somebody has seen it; what came meanwhile is posted after it, apart."""
    sent, order = _late()
    entries = _rows(older, "SELECT * FROM entry ORDER BY account_id, version, line")
    older.deliver(sent)
    assert _rows(older, "SELECT * FROM entry ORDER BY account_id, version, line") == entries
    fences = {each["account_id"]: each["fenced"] for each in _rows(older, "SELECT * FROM account WHERE fenced IS NOT NULL")}
    (account,) = [each["account_id"] for each in _rows(older, "SELECT account_id FROM account WHERE member_id = 'LP-101'")]
    assert fences[account].startswith("awaits a refold that moves its points (available -")
    found = run("ledger", "verify", "--account", MEMBER, "-o", "json", environment=older.environment)
    assert [each["invariant"] for each in found.json] == ["awaits_refold"]
    assert "`loyalty ledger refold`" in found.json[0]["cure"]
    # Nor does a rebuild, which would not say so.
    assert run("ledger", "rebuild", "--fenced", environment=older.environment).code == 1
    assert _rows(older, "SELECT * FROM entry ORDER BY account_id, version, line") == entries

    (shown,) = _refold(run, older, "--account", MEMBER)
    assert _refold(run, older, "--account", MEMBER, "--apply", *WHY, code=0) == [shown]
    _refold(run, older, "--apply", *WHY, code=0)
    assert _rows(older, "SELECT * FROM account WHERE fenced IS NOT NULL") == []
    news = _rows(older, f"SELECT * FROM entry WHERE account_id = '{account}' ORDER BY version, line")
    news = news[sum(each["account_id"] == account for each in entries) :]
    assert {(each["order_id"] == order, each["refold"]) for each in news} == {(False, state.FOLD_VERSION), (True, None)}
    assert run("ledger", "verify", environment=older.environment).code == 0
    _is_simulated(run, older, [*EVENTS, *sent], tmp_path)


def test_stopped_between_moving_and_freeing_it_is_simply_run_again(run: Run, older: Shop, tmp_path: Path) -> None:
    sent, _ = _late()
    older.deliver(sent)

    def stops(*_: Any) -> None:
        raise KeyError("stopped here")

    with patch("worker.upkeep.refold.rebuild", stops):
        answer = run("ledger", "refold", "--account", MEMBER, "--apply", *WHY, environment=older.environment)
    assert answer.code == 70
    (left,) = _refold(run, older, "--account", MEMBER)
    assert (left["movements"], bool(left["fenced"])) == ([], True)
    _refold(run, older, "--apply", *WHY, code=0)
    assert run("ledger", "verify", environment=older.environment).code == 0
    _is_simulated(run, older, [*EVENTS, *sent], tmp_path)


def test_an_account_that_another_release_posted_alike_goes_on_by_itself(run: Run, shop: Shop) -> None:
    with patch.object(state, "FOLD_VERSION", state.FOLD_VERSION - 1):
        shop.deliver(EVENTS)
    fold = "coalesce((convert_from(head, 'UTF8')::jsonb ->> 'fold')::int, 1) AS fold"
    versions = f"SELECT {fold}, fenced, version FROM account WHERE member_id = 'LP-101'"
    (before,) = _rows(shop, versions)
    assert _refold(run, shop, code=0) == []
    sent, _ = _late()
    shop.deliver(sent)
    (after,) = _rows(shop, versions)
    assert (before["fold"], after["fold"], after["fenced"]) == (state.FOLD_VERSION - 1, state.FOLD_VERSION, None)
    assert after["version"] > before["version"]
    assert _rows(shop, "SELECT * FROM entry WHERE refold IS NOT NULL") == []


def test_it_goes_on_where_it_was_stopped(run: Run, older: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.upkeep.audit.ACCOUNTS_AT_ONCE", 2)
    whole = _refold(run, older)
    from worker.upkeep import refold

    moved, chunks = refold.apply, 0

    async def stops(*arguments: Any) -> Any:
        nonlocal chunks
        chunks += 1
        if chunks == 3:
            raise KeyError("stopped here")
        return await moved(*arguments)

    monkeypatch.setattr(refold, "apply", stops)
    file = tmp_path / "far"
    first = run("ledger", "refold", "--apply", *WHY, "--resume", file, "-o", "ndjson", environment=older.environment)
    assert first.code == 70
    other = run("ledger", "refold", "--resume", file, environment=older.environment)
    assert (other.code, "begun with --apply" in other.err) == (2, True)
    second = run("ledger", "refold", "--apply", *WHY, "--resume", file, "-o", "ndjson", environment=older.environment)
    assert second.code == 0
    assert [json.loads(line) for line in (first.out + second.out).splitlines()] == whole
    assert not file.exists()
    assert run("ledger", "verify", environment=older.environment).code == 0


def test_explaining_tells_what_was_put_right_and_claims_nothing_of_how_it_was_worked_out_before(run: Run, older: Shop) -> None:
    _refold(run, older, "--apply", *WHY, code=0)
    version = state.FOLD_VERSION
    for language, title, line in (
        ("en", "Calculation put right, undone: 1 point granted, not usable yet", f"by version {version} of the calculation"),
        ("ja", "計算の訂正（取り消し）：1ポイント付与（付与待ち）", f"今の計算方法（第{version}版）"),
    ):
        asked = ("member", "explain", "lenovo-pro", "LP-101", "--lang", language, "-o", "json")
        postings = run(*asked, environment=older.environment).json["postings"]
        refolded = [each for each in postings if each["reason"] == "refold"]
        assert title in {each["title"] for each in refolded}
        assert all(any(line in each for each in posting["late"]) for posting in refolded)
        assert {each["fold"] for each in refolded} == {state.FOLD_VERSION}
        put_right = {(each["at"], each["lot"], each["corrects"]) for each in refolded}
        first = [each for each in postings if (each["at"], each["lot"], each["reason"]) in put_right]
        assert first
        assert not any("×" in how or "=" in how for each in first for how in each["how"])


@pytest.mark.parametrize(
    ("arguments", "mistake"),
    [
        (("--apply",), "--apply: give --reason as well: why these points move, for the log"),
        (("--apply", "--reason", " "), "--apply: give --reason as well: why these points move, for the log"),
        (("--apply", "--preview", "--reason", "x"), "give --preview or --apply, not both"),
        (("--reason", "x"), "--reason, --operator: are for --apply"),
        (("--account", MEMBER, "--program", "belle-maison"), "--account: is not for --program or --resume"),
    ],
)
def test_arguments_that_do_not_go_together(run: Run, shop: Shop, arguments: tuple[str, ...], mistake: str) -> None:
    answer = run("ledger", "refold", *arguments, environment=shop.environment)
    assert (answer.code, answer.out, answer.mistakes) == (2, "", [mistake])
