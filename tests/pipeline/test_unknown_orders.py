"""News about an order that has not come: kept for it, or a dead letter where the program's terms refuse it (COM-C5)."""

from __future__ import annotations

import pytest

from tests.flows.bad_records import order, raw, shipped
from tests.flows.system import Raw
from tests.pipeline.harness import KEY, PROGRAM, Harness, programs
from worker.decide.program import Program
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs.catalogue import Catalogue
from worker.programs.terms_file import load
from worker.programs.terms_file import shipped as files


def harness(refusing: bool, others: bool = True) -> Harness:
    """A harness whose program refuses early news, or keeps it; `others`: beside programs that keep it."""
    made = Harness()
    program = load(files()[PROGRAM], {"unknown_order": "refused" if refusing else "kept"})
    rest: list[Program] = [each for code, each in programs().items() if code != PROGRAM] if others else []
    made.pipeline = Pipeline(made.store, Catalogue([program, *rest]), PipelineOptions(KEY), epoch=1)
    return made


def paid(program: str | None) -> Raw:
    """A payment of an order that is not there."""
    data = {"order_id": "A"}
    return raw("order.paid", "paid", data, program=program) if program else raw("order.paid", "paid", data)


@pytest.mark.parametrize(
    ("refusing", "others", "program", "letters"),
    [
        (False, True, PROGRAM, []),
        (True, True, PROGRAM, ["unknown_order"]),
        # News that names no program may be of an order of one that keeps it.
        (True, True, None, []),
        (True, False, None, ["unknown_order"]),
    ],
)
async def test_early_news_is_kept_or_refused_as_the_terms_say(
    refusing: bool, others: bool, program: str | None, letters: list[str]
) -> None:
    at = harness(refusing, others)
    await at.take(paid(program))
    assert at.letters() == letters
    assert bool(at.store.tables.parked) == (not letters)


async def test_what_was_refused_is_applied_when_it_is_sent_again_after_its_order() -> None:
    at = harness(refusing=True, others=False)
    await at.take(shipped("A", "ship"))
    await at.take(order("A", "M"))
    assert (await at.dossier("M")).entries == []
    await at.take(shipped("A", "ship"))
    assert [each.entry.reason for each in (await at.dossier("M")).entries] == ["earn"]
    assert at.letters() == ["unknown_order"]
