"""Mutants: every small change of a module's functions and tables that somebody might make by mistake.

A mutant is named by what it changes, not by its line, so that an explanation of one outlives edits elsewhere in the file.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

PACKAGE = "worker.decide"
FOLDER = Path(__file__).parents[2] / "worker" / "decide"

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_CALLED = {"min": "max", "max": "min", "any": "all", "all": "any"}
# What only says that the fold itself is wrong is not put to the test.
_UNTESTED_CALLS = {"fail", "Defect", "NotLoaded", "AssertionError", "ValueError", "TypeVar"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change. `where`: the function by its qualified name, or the name of a table; `line` and `last_line`: of the statement;
    `path`: how to reach the changed node (its first `depth` steps lead to the function), and `number`: which of its changes;
    `digest`: of the function, so that a result is not kept longer than what it was found for."""

    module: str
    where: str
    what: str
    line: int
    last_line: int
    path: tuple[tuple[str, int], ...]
    depth: int
    number: int
    digest: str

    @property
    def place(self) -> str:
        """The function or table that it changes."""
        return f"{self.module}.{self.where}"

    @property
    def name(self) -> str:
        """What it changes, in one line."""
        return f"{self.place}: {self.what}"


@dataclass(frozen=True, slots=True)
class _Change:
    """A changed node and how it is told."""

    node: ast.AST | None
    what: str


def all_mutants() -> dict[str, list[Mutant]]:
    """Every mutant of every module of the fold, by module."""
    return {path.stem: list(mutants_of(path.stem, path.read_text())) for path in sorted(FOLDER.glob("[a-z]*.py"))}


def sample(seed: int, mutants: dict[str, list[Mutant]]) -> list[Mutant]:
    """All mutants in an order drawn from a seed; any beginning of it is spread over the modules by their size, and stays much the
    same when functions change, as a mutant's place comes from its name."""
    places = []
    for module, found in sorted(mutants.items()):
        drawn = sorted(found, key=lambda mutant: blake2b(f"{seed} {mutant.name}".encode(), digest_size=8).digest())
        places += [((index + 0.5) / len(drawn), module, mutant) for index, mutant in enumerate(drawn)]
    return [mutant for _, _, mutant in sorted(places, key=lambda place: place[:2])]


def mutants_of(module: str, source: str) -> Iterator[Mutant]:
    """The mutants of one module."""
    tree = ast.parse(source)
    told: Counter[tuple[str, str]] = Counter()
    for where, root, path in _roots(tree.body, "", ()):
        digest = _digest(root)
        for spot, node, (line, last) in _nodes(root, path):
            for number, change in enumerate(_changes(node)):
                told[where, change.what] += 1
                again = told[where, change.what]
                what = change.what if again == 1 else f"{change.what} ({again})"
                yield Mutant(module, where, what, line, last, spot, len(path), number, digest)


def functions_of(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef, str]]:
    """The functions of a module: qualified name, tree, and digest."""
    for where, root, _ in _roots(tree.body, "", ()):
        if isinstance(root, ast.FunctionDef):
            yield where, root, _digest(root)


def _digest(root: ast.stmt) -> str:
    return blake2b(ast.unparse(root).encode(), digest_size=6).hexdigest()


def mutated(source: str, mutant: Mutant) -> ast.Module:
    """The module's tree with the change made."""
    tree = ast.parse(source)
    *way, (field, index) = mutant.path
    parent: Any = tree
    for name, at in way:
        parent = getattr(parent, name) if at < 0 else getattr(parent, name)[at]
    node = getattr(parent, field) if index < 0 else getattr(parent, field)[index]
    changed = list(_changes(node))[mutant.number].node
    if changed is None:
        changed = ast.Pass()
    if index < 0:
        setattr(parent, field, changed)
    else:
        getattr(parent, field)[index] = changed
    ast.copy_location(changed, node)
    return ast.fix_missing_locations(tree)


# -- where


_Path = tuple[tuple[str, int], ...]


def _roots(body: list[ast.stmt], prefix: str, path: _Path) -> Iterator[tuple[str, ast.stmt, _Path]]:
    """Functions and methods by their qualified names, and tables at the top of the module by theirs."""
    for index, each in enumerate(body):
        here = (*path, ("body", index))
        if isinstance(each, ast.FunctionDef):
            yield f"{prefix}{each.name}", each, here
        elif isinstance(each, ast.ClassDef):
            yield from _roots(each.body, f"{prefix}{each.name}.", here)
        elif not prefix and (name := _table(each)) is not None:
            yield name, each, here


def _table(statement: ast.stmt) -> str | None:
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        name, value = statement.targets[0].id, statement.value
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value is not None:
        name, value = statement.target.id, statement.value
    else:
        return None
    typed = isinstance(value, ast.Subscript | ast.BinOp) or (isinstance(value, ast.Call) and _called(value) in _UNTESTED_CALLS)
    return None if typed else name


def _nodes(root: ast.stmt, path: _Path) -> Iterator[tuple[_Path, ast.AST, tuple[int, int]]]:
    """Every node that may be changed, the way to it, and the lines of its statement. What is said about types, and what only
    defects say, is left out."""
    fields = ("body",) if isinstance(root, ast.FunctionDef) else ("value",)
    waiting = [(here, child, _lines(root)) for here, child in _children(root, path) if here[len(path)][0] in fields]
    while waiting:
        here, node, lines = waiting.pop(0)
        if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr | ast.FunctionDef) or _docstring(node):
            continue
        if isinstance(node, ast.Call) and _called(node) in _UNTESTED_CALLS:
            continue
        lines = _lines(node) if isinstance(node, ast.stmt) else lines
        yield here, node, lines
        waiting[:0] = [(below, child, lines) for below, child in _children(node, here) if _is_put_to_test(below[-1][0], child)]


def _is_put_to_test(field: str, node: ast.AST) -> bool:
    if field == "func":
        return isinstance(node, ast.Attribute | ast.Call)
    return field not in ("annotation", "ctx", "op", "ops", "targets", "target")


def _lines(statement: ast.stmt) -> tuple[int, int]:
    """The lines of a statement; of a compound one, of its head."""
    head = next((each for name in ("test", "iter", "subject") if (each := getattr(statement, name, None)) is not None), statement)
    return statement.lineno, head.end_lineno or statement.lineno


def _children(node: ast.AST, path: _Path) -> Iterator[tuple[_Path, ast.AST]]:
    for field, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            yield (*path, (field, -1)), value
        elif isinstance(value, list):
            for index, each in enumerate(value):
                if isinstance(each, ast.AST):
                    yield (*path, (field, index)), each


def _docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


# -- what


def _changes(node: ast.AST) -> Iterator[_Change]:
    match node:
        case ast.Compare(ops=[op]) if type(op) in _COMPARED:
            yield _instead(node, ops=[_COMPARED[type(op)]()])
        case ast.BoolOp():
            yield _instead(node, op=ast.And() if isinstance(node.op, ast.Or) else ast.Or())
            for index in range(len(node.values)):
                rest = [each for at, each in enumerate(node.values) if at != index]
                yield _told(node, rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest))
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield _told(node, node.operand)
        case ast.BinOp() if type(node.op) in _COMPUTED:
            yield _instead(node, op=_COMPUTED[type(node.op)]())
        case ast.IfExp():
            yield _instead(node, body=node.orelse, orelse=node.body)
        case ast.Constant():
            yield from _other_constant(node)
        case ast.Call():
            yield from _other_call(node)
        case ast.comprehension(ifs=[_, *_]):
            for index in range(len(node.ifs)):
                kept = [each for at, each in enumerate(node.ifs) if at != index]
                yield _Change(_copied(node, ifs=kept), f"if {ast.unparse(node.ifs[index])} -> (every one)")
        case ast.stmt():
            yield from _other_statement(node)
        case _:
            pass


def _other_constant(node: ast.Constant) -> Iterator[_Change]:
    value = node.value
    if isinstance(value, bool):
        yield _told(node, ast.Constant(not value))
    elif isinstance(value, int):
        yield _told(node, ast.Constant(value + 1))
    elif isinstance(value, str) and value:
        yield _told(node, ast.Constant(f"{value}~"))


def _other_call(node: ast.Call) -> Iterator[_Change]:
    name = _called(node)
    if isinstance(node.func, ast.Name) and name in _CALLED:
        yield _instead(node, func=ast.Name(_CALLED[name], ast.Load()))
    if isinstance(node.func, ast.Name) and name == "replace":
        for index, keyword in enumerate(node.keywords):
            if keyword.arg is not None:
                kept = [each for at, each in enumerate(node.keywords) if at != index]
                yield _Change(_copied(node, keywords=kept), f"{ast.unparse(node.args[0])} keeps its {keyword.arg}")


def _other_statement(node: ast.stmt) -> Iterator[_Change]:
    match node:
        case ast.If():
            for value in (True, False):
                yield _Change(_copied(node, test=ast.Constant(value)), f"if {ast.unparse(node.test)} -> if {value}")
        case ast.Expr(value=ast.Call()) | ast.AugAssign():
            yield _Change(None, f"{_short(node)} -> (nothing)")
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield _Change(None, f"{_short(node)} -> (nothing)")
        case ast.Continue():
            yield _told(node, ast.Break())
        case ast.Break():
            yield _told(node, ast.Continue())
        case _:
            pass
    if isinstance(node, ast.AugAssign) and type(node.op) in _COMPUTED:
        yield _instead(node, op=_COMPUTED[type(node.op)]())


def _copied(node: ast.AST, **fields: Any) -> Any:
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def _instead(node: ast.AST, **fields: Any) -> _Change:
    return _told(node, _copied(node, **fields))


def _told(node: ast.AST, other: ast.AST) -> _Change:
    return _Change(other, f"{_short(node)} -> {_short(other)}")


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 120 else f"{text[:117]}..."
