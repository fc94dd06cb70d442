"""The syntax trees of functions that are not run."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Iterator
from typing import Any

from mantlet_inspector.source import index, memory
from mantlet_inspector.source.objects import code_of

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@functools.cache
def piece_of(file: str, line: int) -> ast.Module:
    """The tree of the code around a line of a module, without the rest of the file where the facts
    are known."""
    if not memory.are_known(file) or b"coding" in b"".join(memory.lines_of(file)[:2]):
        return memory.tree_of(file)
    pieces = [piece for piece in memory.facts_of(file).pieces if piece[0] <= line <= piece[1]]
    if not pieces:
        return ast.Module([], [])
    first, last = min(piece[0] for piece in pieces), max(piece[1] for piece in pieces)
    return piece_between(file, first, last)


@functools.cache
def piece_between(file: str, first: int, last: int) -> ast.Module:
    # Empty lines before it keep the numbers.
    return ast.parse(b"\n" * (first - 1) + b"".join(memory.lines_of(file)[first - 1 : last]), file)


def statements_around(node: Any, line: int) -> Iterator[Any]:
    """The statements within a node that a line is in, outer ones first. Without a look at
    expressions, in which no statement stands."""
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        part = getattr(node, name, None)
        for one in part if type(part) is list else ():
            end = getattr(one, "end_lineno", None)
            if end is None:
                yield from statements_around(one, line)
            elif index.first_line(one) <= line <= end:
                yield one
                yield from statements_around(one, line)


def around(node: Any, line: int) -> Iterator[Any]:
    """The nodes within one that a line is in, outer ones first."""
    for one in ast.iter_child_nodes(node):
        end = getattr(one, "end_lineno", None)
        if end is None:
            yield from around(one, line)
        elif index.first_line(one) <= line <= end:
            yield one
            yield from around(one, line)


def node_of(function: Any) -> Any:
    """The tree of a function as it runs, not of what it wraps; none if that is not certain."""
    code = code_of(function)
    return None if code is None else node_at(code.co_filename, code.co_name, code.co_firstlineno)


@functools.cache
def node_at(file: str, name: str, line: int) -> Any:
    """The function of this name whose first line, that of the first decorator, this is."""
    try:
        if memory.are_known(file) and memory.facts_of(file).functions.get(f"{name} {line}") != 1:
            return None
        parts = around if name == "<lambda>" else statements_around
        found = [
            one
            for one in parts(piece_of(file, line), line)
            if isinstance(one, FUNCTIONS)
            and getattr(one, "name", "<lambda>") == name
            and index.first_line(one) == line
        ]
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
    return found[0] if len(found) == 1 else None


def definition_at(file: str, place: list[int]) -> Any:
    """The function, class or assignment that begins at a place."""
    first, line, column = place
    found = [
        one
        for one in statements_around(piece_of(file, first), line)
        if isinstance(one, (*index.DEFINITIONS, ast.Assign, ast.AnnAssign))
        and (one.lineno, one.col_offset) == (line, column)
    ]
    return found[0]


def mentioned_in(node: Any, plain: bool) -> set[str]:
    names, parts = set(), [node]
    if isinstance(node, index.FUNCTIONS):
        parts = [*node.body, *node.args.defaults, *filter(None, node.args.kw_defaults)]
        parts += () if plain else node.decorator_list
    for one in (inner for part in parts for inner in ast.walk(part)):
        if isinstance(one, ast.Name):
            names.add(one.id)
        elif isinstance(one, ast.Attribute):
            names.add(one.attr)
        elif isinstance(one, (ast.Import, ast.ImportFrom)):
            names |= {alias.name.rpartition(".")[2] for alias in one.names}
    return told_by(names)


def told_by(names: Iterable[str]) -> set[str]:
    """Without methods like `__init__`, which are part of their class."""
    return {name for name in names if not (name.startswith("__") and name.endswith("__"))}


def constant(node: Any) -> Any:
    return node.value if isinstance(node, ast.Constant) else None


def is_super(node: Any) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"
