"""Puts a mutant into the modules that run: the code of a function is exchanged, so whoever imported it has the changed one.

For a process that does nothing else afterwards: there is no way back.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from types import CodeType, FunctionType, ModuleType
from typing import Any

from tests.mutation.mutants import FOLDER, PACKAGE, Mutant, mutated

_FORGETFUL = ("worker.", "tests.")


class Unplantable(Exception):
    """The function that a mutant is about cannot be found in the running module."""


def plant(mutant: Mutant) -> None:
    """Run the mutant's code from now on, wherever the function or table is known."""
    module = import_module(f"{PACKAGE}.{mutant.module}")
    path = FOLDER / f"{mutant.module}.py"
    code = compile(mutated(path.read_text(), mutant), str(path), "exec")
    found = next((each for each in codes(code) if each.co_qualname == mutant.where), None)
    if found is not None:
        function(module, mutant.where).__code__ = found
    else:
        _replace_table(module, mutant.where, code)
    _forget()


def codes(code: CodeType) -> Iterator[CodeType]:
    """All code within a module's, down to the innermost function."""
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from codes(each)


def function(module: ModuleType, where: str) -> FunctionType:
    """The function of that qualified name, without what decorates it. Raises Unplantable if there is none."""
    found: Any = module
    for name in where.split("."):
        found = vars(found).get(name)
    if isinstance(found, property):
        found = found.fget
    elif isinstance(found, cached_property):
        found = found.func
    elif isinstance(found, staticmethod | classmethod):
        found = found.__func__
    found = getattr(found, "__wrapped__", found)
    if not isinstance(found, FunctionType):
        raise Unplantable(f"{module.__name__}.{where}")
    return found


def _replace_table(module: ModuleType, name: str, code: CodeType) -> None:
    """Run the changed module beside the real one, and take its table over wherever the real one is known by its name."""
    other = ModuleType(module.__name__)
    other.__file__ = module.__file__
    other.__dict__["__name__"] = module.__name__
    exec(code, other.__dict__)  # our own module, with one change
    before, after = getattr(module, name), getattr(other, name)
    for each in list(sys.modules.values()):
        if getattr(each, "__name__", "").startswith(_FORGETFUL) and vars(each).get(name) is before:
            setattr(each, name, after)


def _forget() -> None:
    """What was worked out with the real code is not kept."""
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith(_FORGETFUL):
            for each in vars(module).values():
                if hasattr(each, "cache_clear"):
                    each.cache_clear()
