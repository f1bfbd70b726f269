"""A running worker looks for terms again and again: what stays is kept, what was registered anew is taken up."""

from __future__ import annotations

from tests.parts.terms import FOR_A_TEST
from tests.stores.memory import MemoryStore
from worker.processing.pipeline import Pipeline, PipelineOptions
from worker.programs import registry
from worker.programs.catalogue import Catalogue
from worker.programs.terms_file import changed, read, shipped, versions
from worker.runtime.sweeper import Sweeper


def terms(code: str, **changes: object) -> dict[str, object]:
    return changed(read(shipped()[code].read_text(encoding="utf-8"), code), changes)


async def test_programs_are_built_once_for_as_long_as_their_terms_stay() -> None:
    """What the fold works out of a version is kept with it: programs built anew with every look filled the memory."""
    store = MemoryStore()
    for code in ("puppy", "scolar"):
        await registry.register(store, versions(terms(code), code), FOR_A_TEST)
    catalogue = Catalogue()
    sweeper = Sweeper(store, Pipeline(store, catalogue, PipelineOptions(b"a key"), 1), catalogue)
    await sweeper.turn()
    first = {code: catalogue.program(code) for code in catalogue.codes}
    assert set(first) == {"puppy", "scolar"}
    await sweeper.turn()
    assert all(catalogue.program(code) is program for code, program in first.items())

    later = terms("puppy", program="puppy-two")
    await registry.register(store, versions(later, "puppy-two"), FOR_A_TEST)
    await sweeper.turn()
    assert set(catalogue.codes) == {"puppy", "puppy-two", "scolar"}
    assert all(catalogue.program(code) is program for code, program in first.items())


async def test_terms_that_are_replaced_are_taken_up() -> None:
    store, code = MemoryStore(), "lenovo-pro"
    text = shipped()[code].read_text(encoding="utf-8")
    await registry.register(store, versions(read(text, code), code), FOR_A_TEST)
    catalogue = Catalogue()
    sweeper = Sweeper(store, Pipeline(store, catalogue, PipelineOptions(b"a key"), 1), catalogue)
    await sweeper.turn()
    before = catalogue.program(code)
    replaced = read(text.replace('- rate: "0.01"', '- rate: "0.02"'), code)
    assert await registry.register(store, versions(replaced, code), FOR_A_TEST, replace=True) == (1, [])
    await sweeper.turn()
    assert catalogue.program(code) is not before
    assert catalogue.program(code).versions[0].terms != before.versions[0].terms
