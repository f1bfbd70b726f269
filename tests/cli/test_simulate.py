"""`loyalty simulate`: the contract's shape, time travel, what-ifs, and a line for every mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import DAY, Run
from tests.rules.story import PROGRAMS

LATE = "2026-11-20T21:00:00+09:00"
MEMBER: dict[str, Any] = {"member_id": "M1", "channel": "web", "country": "JP"}


def event(id_: str, type_: str, at: str, recorded: str | None = None, **data: Any) -> str:
    more = {"recordedtime": recorded} if recorded else {}
    envelope = {"specversion": "1.0", "id": id_, "source": "/t", "type": type_, "time": at, "program": "lenovo-pro", **more}
    return json.dumps({**envelope, "data": data})


def order(id_: str, at: str, recorded: str | None = None, price: int = 10_000, **more: Any) -> str:
    line = {"line_id": "1", "sku": "S", "quantity": 1, "unit_price": price, "tax": price // 10}
    data = {
        "order_id": id_,
        "member_id": "M1",
        "store": "lenovo_pro_jp",
        "lines": [line],
        "payment_method": "credit_card",
        **more,
    }
    return event(f"o-{id_}", "order.placed", at, recorded, **data)


START = [
    event("m-1", "member.registered", "2026-01-01T00:00:00Z", **MEMBER),
    event("m-2", "member.enrolled", "2026-01-01T00:00:00Z", **MEMBER),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.ndjson"


def simulate(run: Run, file: Path, *more: str, at: str = LATE, program: str = "lenovo-pro") -> Any:
    return run("simulate", "--program", program, "--events", file, "--at", at, *more)


def test_the_answer_is_an_array_with_one_object_for_each_instant_in_the_order_asked(run: Run) -> None:
    early = "2026-05-09T00:00:00Z"
    answer = simulate(run, DAY, "--at", early)
    assert answer.code == 0
    assert [each["at"] for each in answer.json] == [LATE, early]
    members = {one["member_id"]: one for one in answer.json[0]["members"]}
    assert list(members) == sorted(members)
    assert members["LP-101"] == {
        "program": "lenovo-pro",
        "member_id": "LP-101",
        "at": LATE,
        "version": members["LP-101"]["version"],
        "available": 1500,
        "pending": 2839,
        "on_hold": 0,
        "due_back": 14,
        "reserved": 0,
        "lapsed_total": 1800,
        "forfeited_total": 0,
        "revoked_total": 40,
        "tier": "Plus",
        "lots": [
            {"kind": "regular", "expires_on": "2026-12-31", "points": 1200, "order_id": "L-7002"},
            {"kind": "regular", "expires_on": "2027-05-31", "points": 300},
        ],
        "orders": members["LP-101"]["orders"],
        "requests": [],
        "findings": [],
        "next_tier": {"tier": "Elite", "missing": [{"measure": "purchases", "amount": 1316020}]},
        "pending_lots": [{"points": 2839, "usable_from": "2026-12-20", "order_id": "L-9001"}],
    }
    assert [one["member_id"] for one in answer.json[1]["members"]] == ["LP-101", "LP-102", "LP-103"]


def test_each_instant_is_answered_as_if_it_were_asked_alone(run: Run) -> None:
    instants = ["2026-06-15T00:00:00Z", "2026-11-20T03:00:00Z", LATE]
    together = run(
        "simulate", "--program", "lenovo-pro", "--events", DAY, *(part for at in instants for part in ("--at", at))
    ).json
    assert together == [simulate(run, DAY, at=at).json[0] for at in instants]


def test_events_recorded_later_are_not_there_yet_whatever_their_own_time(run: Run, file: Path) -> None:
    told = [*START, order("A", "2026-02-01T00:00:00Z", recorded="2026-03-01T00:00:00Z")]
    file.write_text("\n".join(told))
    before = simulate(run, file, at="2026-02-28T23:59:59Z").json[0]["members"][0]
    after = simulate(run, file, at="2026-03-01T00:00:00Z").json[0]["members"][0]
    assert (before["pending"], before["orders"]) == (0, [])
    assert (after["pending"], after["orders"][0]["points_credited"]) == (100, 100)


def test_a_file_that_is_not_in_the_order_of_recording_is_read_for_each_instant_anew(run: Run, file: Path) -> None:
    late, early = "2026-04-01T00:00:00Z", "2026-02-15T00:00:00Z"
    told = [*START, order("A", "2026-02-01T00:00:00Z", recorded="2026-03-01T00:00:00Z"), order("B", "2026-02-02T00:00:00Z")]
    file.write_text("\n".join(["{", *told]))
    answer = simulate(run, file, "--at", early, at=late)
    assert answer.err.splitlines()[1:] == ["4 delivered, 1 broken"]
    assert [one["members"][0]["pending"] for one in answer.json] == [200, 100]


def test_what_happens_after_the_instant_does_not_count_though_it_is_known(run: Run, file: Path) -> None:
    file.write_text("\n".join([*START, order("A", "2026-03-02T00:00:00Z", recorded="2026-03-01T00:00:00Z")]))
    assert simulate(run, file, at="2026-03-01T12:00:00Z").json[0]["members"][0]["orders"] == []


def test_values_of_the_terms_are_set_by_path_and_rates_stay_text(run: Run, file: Path) -> None:
    file.write_text("\n".join([*START, order("A", "2026-02-01T00:00:00Z")]))
    answer = simulate(run, file, "--set", "earning.components.purchase.rates.0.rate=0.02")
    assert answer.json[0]["members"][0]["orders"][0]["points_credited"] == 200


def test_an_overrides_file_goes_into_what_is_there_and_single_settings_go_over_it(run: Run, file: Path, tmp_path: Path) -> None:
    file.write_text("\n".join([*START, order("A", "2026-02-01T00:00:00Z"), order("B", "2026-09-01T00:00:00Z")]))
    overrides = tmp_path / "over.yaml"
    overrides.write_text(
        "earning:\n  components:\n    purchase: {rates: [{rate: 0.03}]}\n"
        "earning.rounding.mode: ceil\n"
        "amendments:\n  - effective_from: 2026-08-01T00:00:00+09:00\n"
        "    set: {earning.components.purchase.rates.0.rate: 0.05}\n"
    )
    orders = simulate(run, file, "--overrides", str(overrides)).json[0]["members"][0]["orders"]
    assert [one["points_credited"] for one in orders] == [300, 500]
    orders = simulate(run, file, "--overrides", str(overrides), "--set", "amendments=[]").json[0]["members"][0]["orders"]
    assert [one["points_credited"] for one in orders] == [300, 300]


def test_decisions_of_a_worker_are_replayed(run: Run, file: Path, tmp_path: Path) -> None:
    grant = event("g", "points.adjusted", "2026-01-02T00:00:00Z", member_id="M1", points=500, reason="welcome")
    file.write_text("\n".join([*START, grant, order("A", "2026-02-01T00:00:00Z", points_used=500)]))
    decisions = tmp_path / "decisions.ndjson"
    decisions.write_text('{"source":"/t","id":"o-A","verdict":"rejected","points":500,"reason":"insufficient_points"}\n')
    at = "2026-02-02T00:00:00Z"
    assert simulate(run, file, at=at).json[0]["members"][0]["available"] == 0
    member = simulate(run, file, "--decisions", str(decisions), at=at).json[0]["members"][0]
    assert member["available"] == 500
    assert member["orders"][0]["redemption"] == {"decision": "rejected", "reason": "insufficient_points"}


def test_a_file_of_something_else_is_not_told_of_line_by_line_without_end(run: Run, file: Path) -> None:
    file.write_text("no event\n" * 200)
    answer = run("simulate", "--program", "lenovo-pro", "--events", file, "--at", "2026-12-31T00:00:00Z", "--strict")
    told = answer.err.splitlines()
    assert (answer.code, len(told), told[-1]) == (1, 52, "200 broken")
    assert told[-2].endswith("they are only counted")


def test_broken_lines_are_told_with_their_number_and_the_rest_goes_on(run: Run, file: Path) -> None:
    broken = order("B", "2026-02-01T00:00:00Z").replace("10000", "100.5")
    unknown = event("u", "order.gift-wrapped", "2026-02-01T00:00:00Z")
    file.write_text("\n".join([*START, "{", broken, unknown, "", order("A", "2026-02-01T00:00:00Z")]))
    answer = simulate(run, file)
    assert answer.code == 0
    assert [line.split(":")[1:3] for line in answer.err.splitlines()[:2]] == [["3", " not_json"], ["4", " float_money"]]
    assert answer.err.splitlines()[2] == f"{file}:5: skipped, nothing is known of the type order.gift-wrapped"
    assert answer.err.splitlines()[3] == "3 delivered, 2 broken, 1 of unknown type"
    assert answer.json[0]["members"][0]["orders"][0]["points_credited"] == 100
    assert simulate(run, file, "--strict").code == 1


def test_events_of_other_programs_and_guests_are_left_out(run: Run) -> None:
    assert {one["program"] for one in simulate(run, DAY, program="belle-maison").json[0]["members"]} == {"belle-maison"}


@pytest.mark.parametrize(
    ("arguments", "mistake"),
    [
        (["--at", "yesterday"], "--at yesterday: should be a time such as 2026-04-01T12:00:00+09:00"),
        (["--at", "2026-04-01"], "--at 2026-04-01: should say its offset, such as 2026-04-01T00:00:00+09:00"),
        (["--set", "earning"], "--set earning: should be path=value, such as earning.rounding.mode=floor"),
        (["--set", "earning.rounding.mode=up"], "lenovo-pro.yaml: earning.rounding.mode: Input should be "),
        (
            ["--set", "earning.components.7.kind=x"],
            "--set earning.components.7.kind=x: earning.components.7.kind: there is no item 7",
        ),
        (["--set", "earning.caps=[1"], "--set earning.caps=[1: line 1, column 3: not YAML: "),
        (["--overrides", "/nowhere.yaml"], "/nowhere.yaml: no such file or directory"),
        (["--decisions", "/nowhere.ndjson"], "/nowhere.ndjson: no such file or directory"),
        (["--program", "nobody"], "nobody: is neither a program ("),
        (["--program", "nobody.yaml"], "nobody.yaml: no such file or directory"),
        (["--events", "/nowhere"], "/nowhere: no such file or directory"),
    ],
)
def test_every_mistake_is_one_line_that_says_what_would_be_right(
    run: Run, file: Path, arguments: list[str], mistake: str
) -> None:
    file.write_text("\n".join(START))
    answer = simulate(run, file, *arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert [line[: len(mistake)] for line in answer.mistakes] == [mistake]


def test_a_decision_that_is_none_is_named_by_its_line(run: Run, file: Path, tmp_path: Path) -> None:
    file.write_text("\n".join(START))
    decisions = tmp_path / "decisions.ndjson"
    decisions.write_text('{"source":"/t","id":"o-A","verdict":"maybe","points":500}\n')
    answer = simulate(run, file, "--decisions", str(decisions))
    assert (answer.code, answer.mistakes[0].partition(": ")[0]) == (2, f"{decisions}:1")


def test_what_was_paid_out_in_money_is_paid_again_to_whom_it_was_paid(run: Run, file: Path, tmp_path: Path) -> None:
    def told(id_: str, type_: str, at: str, **data: Any) -> str:
        return json.dumps(json.loads(event(id_, type_, at, **data)) | {"program": "cash"})

    lines: list[str] = []
    goods: dict[str, Any] = {"store": "outfitter", "currency": "EUR", "payment_method": "own_card"}
    for member in ("M1", "M2"):
        line = {"line_id": "1", "sku": "S", "quantity": 1, "unit_price": 60_000, "tax": 0}
        name, at = f"of-{member}", "2024-03-05T10:00:00Z"
        lines.append(told(name, "order.placed", at, order_id=name, member_id=member, lines=[line], **goods))
        lines.append(told(f"{name}-sent", "shipment.dispatched", at, order_id=name, lines="all"))
    file.write_text("\n".join(lines))
    decisions = tmp_path / "decisions.ndjson"
    paid = {"source": "", "id": "2024-04-01T00:00:00+02:00", "verdict": "accepted", "points": 1_200, "member_id": "M2"}
    decisions.write_text(json.dumps(paid))
    program = str(PROGRAMS["cash"])
    for at, balances in (("2024-03-31T21:59:59Z", [900, 900]), ("2024-04-02T00:00:00Z", [0, -300])):
        answer = simulate(run, file, "--decisions", str(decisions), at=at, program=program)
        assert [each["available"] for each in answer.json[0]["members"]] == balances
    for wrong in ({**paid, "member_id": None}, {**paid, "id": "April"}, {**paid, "id": "2024-04-01T00:00:00"}):
        decisions.write_text(json.dumps(wrong))
        answer = simulate(run, file, "--decisions", str(decisions), program=program)
        assert (answer.code, answer.mistakes[0].partition(": ")[0]) == (2, f"{decisions}:1")
