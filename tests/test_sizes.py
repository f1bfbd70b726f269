"""What is read at a time is small: no file of the worker is longer than 400 lines, and no function longer than a screen."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

WORKER: Final = Path(__file__).parents[1] / "worker"
FILE_MAX: Final = 400
FUNCTION_MAX: Final = 60
"""Lines of a function with its docstring."""


def too_long(path: Path) -> Iterator[str]:
    """What exceeds a limit in a file."""
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    if lines > FILE_MAX:
        yield f"{path}: {lines} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION_MAX:
                yield f"{path}:{node.lineno}: {node.name} has {length} lines"


def test_files_and_functions_of_the_worker_are_short() -> None:
    files = sorted(WORKER.rglob("*.py"))
    assert files
    assert [each for path in files for each in too_long(path)] == []


def test_what_is_too_long_is_found(tmp_path: Path) -> None:
    path = tmp_path / "long.py"
    path.write_text("def long():\n" + "    pass\n" * FUNCTION_MAX + "\n" * FILE_MAX)
    assert list(too_long(path)) == [
        f"{path}: {FILE_MAX + FUNCTION_MAX + 1} lines",
        f"{path}:1: long has {FUNCTION_MAX + 1} lines",
    ]
