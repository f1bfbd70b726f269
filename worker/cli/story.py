"""`loyalty program story`: a worked example of a program, as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.failures import Exit, Failure


def story(
    code: Annotated[str, typer.Argument(help="Code of a shipped program, or a terms file.")],
    steps: Annotated[Path | None, typer.Option(help="Another story than the shipped one: a YAML file.")] = None,
) -> None:
    """What happens to one member step by step, and the account after each, in Markdown."""
    from worker.cli.arguments import terms_file
    from worker.programs.terms_file import load
    from worker.simulation.story import page, stories

    program = load(terms_file(code))
    file = steps or stories().get(program.code)
    if file is None:
        like = next(iter(stories().values()))
        raise Failure(Exit.USAGE, f"{program.code}: no story is shipped for it; give one with --steps, written like {like}")
    print(page(program, file), end="")  # noqa: T201 - the answer
