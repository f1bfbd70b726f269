"""`loyalty program coverage`: how much of the published terms a program carries out."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.output import Format, Output, show, tell


def coverage(
    code: Annotated[str, typer.Argument(help="Code of a shipped program, or a terms file.")],
    output: Output = Format.TABLE,
) -> None:
    """Count the rules of the published terms that are carried out, in part, not, and without effect on a ledger; and list what is
    missing."""
    from worker.cli.arguments import terms_file
    from worker.programs.coverage import STATUSES, counts, lacking, told
    from worker.programs.terms_file import load

    program = load(terms_file(code))
    terms = program.versions[-1].terms
    gaps = [
        {"id": rule.id, "status": rule.status, "says": rule.says.told("en"), "gap": told(rule)}
        for rule in terms.rules
        if rule.status in ("in_part", "not_carried_out")
    ]
    counted = {"program": program.code, "rules": len(terms.rules), **counts(terms)}
    without = {language: paths for language, paths in lacking(terms).items() if paths}
    if output is not Format.TABLE:
        show([{**counted, "gaps": gaps, "without_words": without}], output, "", ())
        return
    show([counted], output, f"Rules of {program.code}", ("rules", *STATUSES))
    if gaps:
        show(gaps, output, "What is missing", ("id", "says", "gap"))
    for language, paths in without.items():
        tell(f"without words in {language}: {', '.join(paths)}")
