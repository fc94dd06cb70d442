"""The facts of a source file, in a form that can be kept: its definitions, and the names that each
mentions.

These facts follow from the text of the file alone, so they are kept by its hash (`memory.py`), and
a file that did not change is not parsed again. The values of the names in it are looked up in the
running interpreter each time (`proof/exceptions.py`).
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from typing import Any

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
# Calls in which a class may be named without that anything is made of it.
ABOUT = {"isinstance", "issubclass", "exception_handler", "add_exception_handler", "suppress"}
# Ways to a class that no name tells, and those that depend on what they start from.
WAYS = {"__subclasses__", "__globals__", "__builtins__"}
WAYS_OF = {"__dict__", "modules"}
CALLED_WAYS = {"import_module", "__import__", "eval", "exec", "globals"}
CALLED_WAYS_OF = {"getattr", "vars"}
HTTP = "HTTPException"


class Definition:
    """A function, a class or an assignment, without what the definitions in it mention."""

    __slots__ = ("around", "body", "calls", "children", "cls", "kind", "marks", "names", "place", "uses")

    def __init__(self, names: list[str], kind: str, cls: str | None, place: list[int]) -> None:
        self.names = names
        self.kind = kind  # `function`, `class` or `value`
        self.cls = cls  # the class around it
        self.place = place  # the line of the first decorator, of its own, and its column
        self.body: set[str] = set()  # names that its code mentions
        self.around: list[set[str]] = [set(), set()]  # those of its decorators, and of its annotations
        self.calls: dict[
            str, set[str]
        ] = {}  # what it calls -> texts of the statuses handed to it, empty for what is not clear
        self.uses: set[str] = set()  # what it has in its hands but for calling it
        self.marks: set[str] = set()
        self.children: list[int] = []  # indices of those inside

    def kept(self) -> list[Any]:
        return [
            self.names,
            self.kind,
            self.cls,
            self.place,
            sorted(self.body),
            [sorted(one) for one in self.around],
            {name: sorted(statuses) for name, statuses in self.calls.items()},
            sorted(self.uses),
            sorted(self.marks),
            self.children,
        ]

    @classmethod
    def of(cls, kept: list[Any]) -> Definition:
        made = cls(*kept[:4])
        made.body, made.around = set(kept[4]), [set(one) for one in kept[5]]
        made.calls = {name: set(statuses) for name, statuses in kept[6].items()}
        made.uses, made.marks, made.children = set(kept[7]), set(kept[8]), kept[9]
        return made


class Facts:
    """Of one file: its definitions, those inside others first."""

    def __init__(self) -> None:
        self.definitions: list[Definition] = []
        self.pieces: list[list[int]] = []  # first and last line of what stands in the module itself
        self.rebound: set[str] = set()  # names that some function gives another value while the app runs
        self.functions: dict[str, int] = {}  # "name line" -> how many functions begin there

    def kept(self) -> list[Any]:
        return [[one.kept() for one in self.definitions], self.pieces, sorted(self.rebound), self.functions]

    @classmethod
    def of(cls, kept: list[Any]) -> Facts:
        made = cls()
        made.definitions = [Definition.of(one) for one in kept[0]]
        made.pieces, made.rebound, made.functions = kept[1], set(kept[2]), kept[3]
        return made


def read(tree: ast.Module, text: bytes) -> Facts:
    reader = Reader(has_globals=b"global" in text)
    reader.module(tree)
    return reader.facts


class Reader:
    """One walk through a file."""

    def __init__(self, has_globals: bool) -> None:
        self.facts = Facts()
        self.has_globals = has_globals  # or else no function is searched for them

    def module(self, tree: ast.Module) -> None:
        for node in tree.body:
            self.facts.pieces.append([first_line(node), node.end_lineno or node.lineno])
            self.statement(node, None, None, frozenset())

    def statement(
        self, node: ast.stmt, into: Definition | None, cls: str | None, rebound: frozenset[str]
    ) -> None:
        """A statement that stands in a definition, or in the module."""
        names, kind = defined(node, into, rebound)
        if not names:
            self.visit(
                node,
                into if into is not None else Definition([], "value", cls, [0, 0, 0]),
                cls,
                False,
                rebound,
            )
            return
        made = Definition(names, kind, cls, [first_line(node), node.lineno, node.col_offset])
        if isinstance(node, FUNCTIONS):
            self.function(node, made, cls)
        elif isinstance(node, ast.ClassDef):
            for one in node.bases:
                self.visit(one, made, cls, True, rebound)
            for one in (*node.decorator_list, *node.keywords, *getattr(node, "type_params", ())):
                self.visit(one, made, cls, False, rebound)
            for one in node.body:
                self.statement(one, made, node.name, frozenset())
        else:
            self.parts(node, made, cls, False, rebound)
        self.facts.definitions.append(made)
        if into is not None:
            into.children.append(len(self.facts.definitions) - 1)

    def function(self, node: Any, made: Definition, cls: str | None) -> None:
        self.count(node.name, first_line(node))
        decorators, annotations = (Definition([], "value", cls, [0, 0, 0]) for _ in range(2))
        rebound: frozenset[str] = frozenset()
        if self.has_globals:
            rebound = frozenset(name for one in node.body for name in rebound_in(one))
        for one in node.decorator_list:
            self.visit(one, decorators, cls, False, rebound)
        arguments = node.args
        every = [
            *arguments.posonlyargs,
            *arguments.args,
            *arguments.kwonlyargs,
            arguments.vararg,
            arguments.kwarg,
        ]
        for annotation in [*(one.annotation for one in every if one is not None), node.returns]:
            if annotation is not None:
                self.visit(annotation, annotations, cls, True, rebound)
        for one in getattr(node, "type_params", ()):
            self.visit(one, annotations, cls, False, rebound)
        for one in [*arguments.defaults, *filter(None, arguments.kw_defaults)]:
            self.visit(one, made, cls, False, rebound)
        for one in node.body:
            self.statement(one, made, cls, rebound)
        made.around = [decorators.body, annotations.body]
        for part in (decorators, annotations):
            # What they make and hold counts for the function, as its own code does.
            for name, statuses in part.calls.items():
                made.calls.setdefault(name, set()).update(statuses)
            made.uses |= part.uses
            made.marks |= part.marks
            made.children += part.children

    def count(self, name: str, line: int) -> None:
        key = f"{name} {line}"
        self.facts.functions[key] = self.facts.functions.get(key, 0) + 1

    # The parts of a definition

    def visit(
        self, node: Any, into: Definition, cls: str | None, plain: bool, rebound: frozenset[str]
    ) -> None:
        kind = type(node)
        if kind is ast.Name:
            into.body.add(node.id)
            if not plain and type(node.ctx) is ast.Load:
                into.uses.add(node.id)
            return
        if kind is ast.Constant:
            return
        if kind is ast.Attribute:
            into.body.add(node.attr)
            if node.attr in WAYS:
                into.marks.add("way")
            elif node.attr in WAYS_OF:
                into.marks.add(f"of {dotted(node.value)}")
            if type(node.ctx) is ast.Load:
                if not plain:
                    into.uses.add(dotted(node))
            elif type(node.ctx) is ast.Store and node.attr == "status_code":
                into.marks.add("status")
            self.visit(node.value, into, cls, True, rebound)
            return
        if kind is ast.Call:
            self.call(node, into, cls, plain, rebound)
            return
        if kind is ast.Import or kind is ast.ImportFrom:
            self.imported(node, into)
            return
        if kind is ast.Global:
            self.facts.rebound.update(node.names)
            return
        if kind is ast.Lambda:
            self.count("<lambda>", node.lineno)
        self.parts(node, into, cls, plain, rebound)

    def parts(
        self, node: ast.AST, into: Definition, cls: str | None, plain: bool, rebound: frozenset[str]
    ) -> None:
        kind = type(node)
        about = PLAIN.get(kind)
        for name in parts_of(kind):
            value = getattr(node, name, None)
            if value is None:
                continue
            below = plain or name == about
            if type(value) is not list:
                if isinstance(value, ast.AST):
                    self.visit(value, into, cls, below, rebound)
                continue
            for one in value:
                if isinstance(one, ast.stmt):
                    self.statement(one, into, cls, rebound)
                elif isinstance(one, ast.AST):
                    self.visit(one, into, cls, below, rebound)

    def call(
        self, node: ast.Call, into: Definition, cls: str | None, plain: bool, rebound: frozenset[str]
    ) -> None:
        name = last_name(node.func)
        if name in CALLED_WAYS:
            into.marks.add("way")
        elif name in CALLED_WAYS_OF and node.args:
            into.marks.add(f"of {dotted(node.args[0])}")
        status = next((one.value for one in node.keywords if one.arg == "status_code"), None)
        if status is None and node.args:
            status = node.args[0]
        if not is_clear(status):
            is_supers = name == "__init__" and isinstance(getattr(node.func, "value", None), ast.Call)
            made_of = "super().__init__" if is_supers else dotted(node.func)
            text = dotted(status) if isinstance(status, ast.Attribute) else ""
            into.calls.setdefault(made_of, set()).add(text)
        self.visit(node.func, into, cls, True, rebound)
        for one in node.args:
            self.visit(one, into, cls, plain or name in ABOUT, rebound)
        for keyword in node.keywords:
            self.visit(keyword.value, into, cls, plain, rebound)

    def imported(self, node: Any, into: Definition) -> None:
        for alias in node.names:
            into.body.add(alias.name.rpartition(".")[2])
            if alias.asname and alias.name.endswith(HTTP):
                into.marks.add(f"alias {alias.asname}")
        level = "." * getattr(node, "level", 0)
        names = " ".join(alias.name for alias in node.names)
        into.marks.add(
            f"import {names}" if isinstance(node, ast.Import) else f"from {level}{node.module or ''} {names}"
        )


# Parts of nodes in which nothing else stands.
LEAVES = {"arg", "attr", "conversion", "ctx", "id", "kind", "op", "ops", "simple", "type_comment"}


@functools.cache
def parts_of(kind: type[ast.AST]) -> list[str]:
    return [name for name in kind._fields if name not in LEAVES]


# Where the parts of a node name a class, and nothing is made of it.
PLAIN = {ast.ExceptHandler: "type", ast.AnnAssign: "annotation", ast.arg: "annotation", ast.Dict: "keys"}


def defined(node: ast.stmt, into: Definition | None, rebound: frozenset[str]) -> tuple[list[str], str]:
    """The names that a statement defines for others, and what they are."""
    if isinstance(node, FUNCTIONS):
        return [node.name], "function"
    if isinstance(node, ast.ClassDef):
        return [node.name], "class"
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [one.id for one in targets if isinstance(one, ast.Name)]
        if into is not None and into.kind == "function":  # those are its own
            names = [name for name in names if name in rebound]
        return names, "value"
    return [], ""


def rebound_in(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Global):
            yield from one.names


def first_line(node: Any) -> int:
    decorators = getattr(node, "decorator_list", None)
    return min(node.lineno, *(one.lineno for one in decorators)) if decorators else node.lineno


def dotted(node: Any) -> str:
    """`a.b.c`, also of `getattr(a, "b")`; with a `?` for all that is not a name."""
    if isinstance(node, ast.Name):
        return node.id
    parts = attribute_parts(node)
    return "?" if parts is None else f"{dotted(parts[0])}.{parts[1]}"


def attribute_parts(node: Any) -> tuple[ast.expr, str] | None:
    """`a` and `b` of `a.b`, and of `getattr(a, "b")`."""
    if isinstance(node, ast.Attribute):
        return node.value, node.attr
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
        name = node.args[1] if len(node.args) > 1 else None
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            return node.args[0], name.value
    return None


def last_name(node: Any) -> str:
    """`b` of `a.b` and of `b`; nothing if it is neither."""
    return getattr(node, "attr", getattr(node, "id", ""))


def is_clear(status: ast.AST | None) -> bool:
    """Whether it is the status of an error without a look at any name."""
    if isinstance(status, ast.IfExp):
        return is_clear(status.body) and is_clear(status.orelse)
    return isinstance(status, ast.Constant) and type(status.value) is int and 400 <= status.value <= 599
