"""Terms that may be published: right in form, free of contradictions, with every alternative reading ready to be chosen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from contracts.terms import Terms
from contracts.terms_checks import contradictions
from worker.decide.program import Program
from worker.programs.terms_file import TermsError, changed, read, text_of, versions


def validated(path: Path) -> Program:
    """The program of a terms file that may be published. Raises TermsError with everything that is wrong, OSError."""
    return checked(read(text_of(path), path.name), path.name)


def checked(values: Mapping[str, Any], source: str) -> Program:
    """The program of a terms file's values. Raises TermsError with everything that is wrong."""
    found = versions(values, source)
    problems: list[str] = []
    for terms in found:
        version = "" if terms is found[0] else f"(from {terms.effective_from:%Y-%m-%d}) "
        problems += [f"{version}{each}" for each in contradictions(terms) if str(each) not in problems]
    problems += _readings(values, found[0], source)
    if problems:
        raise TermsError(source, problems)
    return Program(found)


def _readings(values: Mapping[str, Any], terms: Terms, source: str) -> Iterator[str]:
    """Alternatives that cannot be chosen, because a path is not there or the terms would not be right."""
    for asked, question in enumerate(terms.questions):
        for index, other in enumerate(question.alternatives):
            try:
                versions(changed(dict(values), other.set), source)
            except TermsError as error:
                where = f"questions.{asked}.alternatives.{index}.set"
                yield from (f"{where}: {question.id} {other.id}: {problem}" for problem in error.problems)
