"""`loyalty command list|approve|reject`: the second person whom a command above a ceiling needs."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from contracts.events import Event
from tests.cli.conftest import EVENING, KEY, Answer, Run, Shop
from tests.cli.test_doctor import results
from tests.parts.terms import dsn_of
from tests.parts.topics import topic_of
from worker.consume.batch import Batch
from worker.decode import Admission, Limits, Record, Signatures, decode
from worker.persist import PostgresStore, StoreOptions
from worker.processing.ceilings import Ceilings
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs.catalogue import Catalogue
from worker.programs.registry import programs
from worker.runtime.sweeper import Sweeper

MEMBER = ("lenovo-pro", "LP-101")
WHY = ("--reason", "goodwill, ticket 4711")
BEN = ("--operator", "Ben B.")


def gift(points: int, id_: str, operator: str = "anna") -> bytes:
    """Points given to a member of the day by an operator of support."""
    data = {"member_id": MEMBER[1], "points": points, "reason": "goodwill", "operator": operator}
    event = {"specversion": "1.0", "id": id_, "source": "/support/desk", "type": "points.adjusted", "program": MEMBER[0]}
    return json.dumps({**event, "time": EVENING.isoformat(), "data": data}).encode()


def work(shop: Shop, *lines: bytes) -> None:
    """A worker with ceilings, and no more rights than it needs, takes a batch and sweeps once."""
    asyncio.run(_work(shop.dsn, lines))


async def _work(dsn: str, lines: Sequence[bytes]) -> None:
    async with await PostgresStore.open(dsn, StoreOptions(role="loyalty_worker")) as store:
        catalogue = Catalogue(await programs(store))
        options = PipelineOptions(KEY.encode(), ceilings=Ceilings(command=1_000, program=2_000))
        pipeline = Pipeline(store, catalogue, options, epoch=0, now=lambda: EVENING)
        pipeline.know(EVENING)
        records = tuple(Record(topic_of(line), 0, place, 0, None, line, ()) for place, line in enumerate(lines))
        await pipeline.process(Batch(records, ()))
        await Sweeper(store, pipeline, catalogue).turn()


@pytest.fixture
def ben(full_shop: Shop) -> dict[str, str]:
    """The settings of a person who decides about commands."""
    return {**full_shop.environment, "LOYALTY_POSTGRES_DSN": dsn_of(full_shop.dsn, "olga", "loyalty_approver")}


def available(run: Run, shop: Shop) -> int:
    answer: dict[str, Any] = run("member", "statement", *MEMBER, "-o", "json", environment=shop.environment).json
    return int(answer["available"])


def listed(run: Run, environment: dict[str, str], *arguments: str) -> list[dict[str, Any]]:
    answer: Answer = run("command", "list", *arguments, "-o", "json", environment=environment)
    assert answer.code == 0, answer.err
    found: list[dict[str, Any]] = answer.json
    return found


def test_what_a_thief_gives_waits_until_another_person_lets_it_go(run: Run, full_shop: Shop, ben: dict[str, str]) -> None:
    before = available(run, full_shop)
    work(full_shop, gift(900_000, "fortune"), *(gift(900, f"small{n}") for n in range(5)))
    assert available(run, full_shop) == before + 1_800
    fortune, *small = listed(run, ben)
    assert (fortune["points"], fortune["ceiling"], fortune["state"]) == (900_000, "command_points", "waits")
    assert (fortune["program"], fortune["member_id"], fortune["operator"]) == (*MEMBER, "anna")
    assert {each["ceiling"] for each in small} == {"program_points_per_day"}
    assert len(small) == 3
    doctor = run("doctor", "-o", "json", environment=full_shop.environment)
    assert results(doctor)["commands"] == ("warn", "`loyalty command list`, then approve or reject")

    shown = run("command", "approve", small[0]["name"][:8], *BEN, *WHY, environment=ben)
    assert shown.code == 0
    assert shown.mistakes == ["1 command of 900 points: nothing is decided; --apply does it"]
    work(full_shop)
    assert available(run, full_shop) == before + 1_800

    approved = run("command", "approve", small[0]["name"], small[1]["name"][:10], *BEN, *WHY, "--apply", environment=ben)
    assert (approved.code, approved.mistakes) == (
        0,
        ["2 commands of 1,800 points: approved; running workers apply it within 10 s"],
    )
    rejected = run("command", "reject", fortune["name"], *BEN, "--reason", "nobody asked", "--apply", environment=ben)
    assert (rejected.code, rejected.mistakes) == (0, ["1 command of 900,000 points: rejected"])
    work(full_shop, gift(900_000, "fortune"), *(gift(900, f"small{n}") for n in range(5)))
    work(full_shop)
    assert available(run, full_shop) == before + 3_600
    assert [each["name"] for each in listed(run, ben)] == [small[2]["name"]]
    assert run("ledger", "verify", environment=full_shop.environment).code == 0

    decided = {each["id"]: each for each in listed(run, ben, "--decided", "--program", MEMBER[0])}
    assert decided["fortune"]["state"] == "rejected, done"
    kept = decided[small[0]["id"]]
    assert (kept["state"], kept["decided_by"], kept["login"], kept["reason"]) == ("approved, done", "Ben B.", "olga", WHY[1])
    assert listed(run, ben, "--program", "puppy") == []


def test_nobody_approves_their_own_and_no_worker_approves(run: Run, full_shop: Shop, ben: dict[str, str]) -> None:
    work(full_shop, gift(5_000, "mine", operator="Ben B."), gift(5_000, "by-login", operator="olga"))
    for each in listed(run, ben):
        own = run("command", "approve", each["name"], *BEN, *WHY, "--apply", environment=ben)
        assert (own.code, own.mistakes) == (
            2,
            ["nobody approves their own command: another person has to, under a login of their own"],
        )
        worker = {**full_shop.environment, "LOYALTY_POSTGRES_ROLE": "loyalty_worker"}
        of_worker = run("command", "approve", each["name"], "--operator", "carl", *WHY, "--apply", environment=worker)
        assert (of_worker.code, of_worker.mistakes[0].partition(": ")[0]) == (2, "this login may not decide about commands")


def test_names_of_none_or_of_several_and_empty_words_are_told(run: Run, full_shop: Shop, ben: dict[str, str]) -> None:
    work(full_shop, *(gift(5_000, f"g{n}") for n in range(17)))
    beginnings = Counter(each["name"][0] for each in listed(run, ben))
    ((shared, _),) = beginnings.most_common(1)
    answer = run("command", "approve", shared, *BEN, *WHY, environment=ben)
    assert (answer.code, answer.mistakes) == (2, [f"{shared}: several begin so, give more digits"])
    for name, told in (("x", "x: no command of this name waits: `loyalty command list`"), ("", ": no command of this name")):
        answer = run("command", "approve", name, *BEN, *WHY, environment=ben)
        assert (answer.code, answer.mistakes[0].startswith(told)) == (2, True)
    names = [each["name"] for each in listed(run, ben)]
    for option in ("--operator", "--reason"):
        said = {"--operator": "Ben B.", "--reason": "why", option: " "}
        words = [part for pair in said.items() for part in pair]
        answer = run("command", "reject", names[0], *words, "--apply", environment=ben)
        assert (answer.code, answer.mistakes) == (2, [f"{option}: should not be empty"])
    run("command", "reject", names[0], *BEN, *WHY, "--apply", environment=ben)
    again = run("command", "approve", names[0], *BEN, *WHY, "--apply", environment=ben)
    assert (again.code, again.mistakes) == (2, [f"{names[0]}: no command of this name waits: `loyalty command list`"])


def test_doctor_warns_of_ceilings_that_are_not_set_where_others_may_send(run: Run, shop: Shop) -> None:
    far = {**shop.environment, "LOYALTY_KAFKA_BOOTSTRAP": "kafka.example.invalid:9092"}
    found = results(run("doctor", "-o", "json", environment=far))
    assert found["ceilings"] == (
        "warn",
        "set LOYALTY_CEILINGS_COMMAND_POINTS and LOYALTY_CEILINGS_PROGRAM_POINTS_PER_DAY (worker/processing/README.md)",
    )
    ceilings = {"LOYALTY_CEILINGS_COMMAND_POINTS": "5000", "LOYALTY_CEILINGS_PROGRAM_POINTS_PER_DAY": "100000"}
    assert results(run("doctor", "-o", "json", environment={**far, **ceilings}))["ceilings"] == ("ok", "")
    assert results(run("doctor", "-o", "json", environment=shop.environment))["ceilings"][0] == "ok"


def test_what_is_signed_here_is_taken_where_signatures_are_needed(run: Run, tmp_path: Path) -> None:
    private = Ed25519PrivateKey.generate()
    key, events = tmp_path / "key.pem", tmp_path / "events.ndjson"
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    events.write_bytes(gift(500, "a") + b"\n\n" + gift(7, "b"))
    answer = run("command", "sign", events, "--key", key)
    assert answer.code == 0
    keys = [("/support/*", private.public_key().public_bytes_raw())]
    needed = Admission(signatures=Signatures({"loyalty.command": frozenset({"points.adjusted"})}, keys))
    lines = answer.out.encode().splitlines()
    taken = [decode(Record("loyalty.command", 0, 0, 0, None, line, ()), EVENING, Limits(), needed) for line in lines]
    assert [each.id for each in taken if isinstance(each, Event)] == ["a", "b"]

    events.write_bytes(gift(500, "a") + b"\n{}")
    broken = run("command", "sign", events, "--key", key)
    assert (broken.code, broken.mistakes[0].startswith(f"{events}, line 2: not_cloudevents")) == (2, True)
    wrong = run("command", "sign", events, "--key", events)
    assert (wrong.code, wrong.mistakes) == (2, [f"{events}: should be a private key of Ed25519 in PEM, not encrypted"])
