"""`loyalty member explain`: why a member's points are what they are, posting by posting."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.output import show_json

if TYPE_CHECKING:
    from worker.reading.explain import Told


class Lang(StrEnum):
    """Languages of an explanation."""

    JA = "ja"
    EN = "en"


class Form(StrEnum):
    """How an explanation is printed."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"


def explain(
    program: Annotated[str, typer.Argument(help="Program code.")],
    member: Annotated[str, typer.Argument(help="Member id.")],
    order: Annotated[str | None, typer.Option(help="Only what belongs to this order.")] = None,
    at: Annotated[str | None, typer.Option(help="Instant up to which, with its offset; default now.")] = None,
    lang: Annotated[Lang, typer.Option(help="Language.")] = Lang.JA,
    output: Annotated[
        Form, typer.Option("--output", "-o", help="How to print it; html is a page that needs nothing else.")
    ] = Form.TEXT,
) -> None:
    """Explain every point posted: when, why, under which rule, with which numbers, and what late news changed."""
    from worker.cli.opening import finish

    told = finish(_told(program, member, order, at, lang))
    match output:
        case Form.JSON:
            show_json(told.as_json())
        case Form.TEXT:
            from worker.reading.explain import text

            print(text(told))  # noqa: T201 - the answer
        case Form.HTML:
            from worker.reading.explain import page

            print(page(told))  # noqa: T201 - the answer


async def _told(program: str, member: str, order: str | None, at: str | None, lang: Lang) -> Told:
    from worker.cli.arguments import instant
    from worker.cli.asking import dossier_of
    from worker.cli.failures import Exit, Failure
    from worker.cli.opening import ledger, program_of
    from worker.decide.explain import Known
    from worker.decide.explain import explain as explain_postings
    from worker.programs.registry import eras
    from worker.reading.explain import tell
    from worker.settings import load

    asked = instant(at, "--at") if at is not None else None
    settings = load()
    async with ledger(settings) as store:
        terms = await program_of(store, program)
        before = await eras(store, program)
        dossier = await dossier_of(store, settings, program, member)
        until = asked or (await store.state()).now
    if order is not None and ("order", order) not in dossier.items:
        raise Failure(Exit.FINDING, f"{order}: this member has no order of that id in {program}")
    facts = [
        Known(fact, recorded_at, dossier.withdrawn.get((fact.source, fact.id)))
        for fact, recorded_at in zip(dossier.facts, dossier.recorded, strict=True)
    ]
    found = explain_postings(terms, facts, dossier.decisions, dossier.postings, until, before)
    return tell(terms, found, member, until, lang.value, order)
