"""Other choices of the mechanisms are played, not passed over."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fold.variants import CHOICES
from worker.programs.terms_file import TermsError, load, shipped


@pytest.mark.parametrize("path", sorted(CHOICES))
def test_each_choice_goes_with_some_program(path: str) -> None:
    for value in CHOICES[path]:
        assert any(_goes(code, path, value) for code in sorted(shipped())), value


def _goes(code: str, path: str, value: Any) -> bool:
    try:
        load(shipped()[code], {path: value})
    except TermsError:
        return False
    return True
