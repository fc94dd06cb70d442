"""The syntax trees of functions that are not run."""

from __future__ import annotations

import ast
import bisect
import functools
import sys
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
    pieces = memory.facts_of(file).pieces  # in order
    end = bisect.bisect(pieces, [line, sys.maxsize])
    begin = end
    while begin and pieces[begin - 1][1] >= line:
        begin -= 1
    if begin == end:
        return ast.Module([], [])
    return piece_between(file, pieces[begin][0], pieces[end - 1][1])


@functools.cache
def piece_between(file: str, first: int, last: int) -> ast.Module:
    # Empty lines before it keep the numbers.
    return ast.parse(b"\n" * (first - 1) + b"".join(memory.lines_of(file)[first - 1 : last]), file)


def statements_around(node: Any, line: int) -> Iterator[Any]:
    """The statements within a node that a line is in, outer ones first. Without a look at
    expressions, in which no statement stands."""
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        part = getattr(node, name, None)
        if type(part) is not list or not part:
            continue
        if not hasattr(part[0], "end_lineno"):
            for one in part:
                yield from statements_around(one, line)
            continue
        # A block has its statements in order, and a file may have thousands of functions.
        for at in range(first_that_ends_at(part, line), len(part)):
            if index.first_line(part[at]) > line:
                break
            yield part[at]
            yield from statements_around(part[at], line)


def first_that_ends_at(block: list[Any], line: int) -> int:
    """Where the first statement of a block is that ends at a line or after it."""
    low, high = 0, len(block)
    while low < high:
        middle = (low + high) // 2
        if block[middle].end_lineno < line:
            low = middle + 1
        else:
            high = middle
    return low


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
