"""The places in the app's code that verify tokens, and uses of libraries that are not
understood."""

from __future__ import annotations

import ast
import functools
import re
import sys
import types
from collections.abc import Iterator
from typing import Any, NamedTuple

from mantlet_inspector.candidates.decodes.libraries import (
    HARMLESS,
    LOGINS,
    MODULE,
    OTHERS,
    TOKENS,
    Kind,
    Libraries,
    is_below,
)
from mantlet_inspector.candidates.decodes.names import Instance, Names
from mantlet_inspector.candidates.decodes.sources import Source, Sources, imported
from mantlet_inspector.candidates.decodes.stores import Stores
from mantlet_inspector.candidates.reach import CACHED
from mantlet_inspector.source import index
from mantlet_inspector.source.objects import is_class, is_module
from mantlet_inspector.source.stored import attribute, bases_of, entries, is_a, is_exactly, items

KNOWN = (*TOKENS, *LOGINS, *OTHERS)
ROOTS = tuple(dict.fromkeys(one.rpartition(".")[2] for one in KNOWN))
WORDS = re.compile(rb"\b(?:%s|JSONWebSignatureSerializer)\b" % b"|".join(one.encode() for one in ROOTS))
MADE_OF = b"urlsafe_b64decode"
SIGNED = re.compile(rb"\bhmac\b|\.verify\(")
BY_CLIENT = b"parse_id_token"  # of Authlib
PLAIN = (str, int, dict, list, tuple, bool, type(None), bytes, float, set)
DYNAMIC = ("__import__", "eval", "exec", "import_module")
CARRIERS = {"partial": 0, "run_in_executor": 1, "run_in_threadpool": 0, "run_sync": 0, "to_thread": 0}


class NotUnderstood(Exception):
    """A use of a library, at a node."""

    def __init__(self, node: Any) -> None:
        self.node = node


class Place(NamedTuple):
    """A call that verifies a token, or reads it without."""

    source: Source
    call: ast.Call
    kind: Kind
    arguments: list[ast.expr]  # positional ones
    keywords: list[ast.keyword]
    held: Any = None  # a `partial` that is called

    def argument(self, name: str, index: int) -> ast.expr | None:
        for one in self.keywords:
            if one.arg == name:
                return one.value
        return self.arguments[index] if index < len(self.arguments) else None

    def is_certain(self) -> bool:
        """Whether each argument is written out."""
        return not any(isinstance(one, ast.Starred) for one in self.arguments) and all(
            one.arg is not None for one in self.keywords
        )


class Places:
    def __init__(self, sources: Sources, names: Names, libraries: Libraries, stores: Stores) -> None:
        self.sources = sources
        self.names = names
        self.libraries = libraries
        self.stores = stores

    @functools.cached_property
    def words(self) -> set[str]:
        """Names that stand for a part of a library in some module, and those of the libraries."""
        found, known = set(ROOTS), {}
        modules = self.libraries.modules
        for source in self.sources.all:
            self.sources.check()
            for name, value in list(source.names.items()):
                if is_exactly(value, *PLAIN) or type(name) is not str:
                    continue
                if type(value) is types.FunctionType and value.__module__ not in modules:
                    continue
                if id(value) not in known:
                    known[id(value)] = self.kind(value) not in (None, HARMLESS)
                if known[id(value)]:
                    found.add(name)
        return found

    def mentioning(self) -> Iterator[Source]:
        for source in self.sources.all:
            if any(map(source.has_word, self.words)):
                yield source

    def words_in(self, source: Source) -> set[str]:
        """Those, and the names that the code of a module gives them."""
        found = set(self.words)
        before = 0
        while before != len(found):
            before = len(found)
            for node in source.nodes:
                if isinstance(node, (ast.Import, ast.ImportFrom)):
                    base = (getattr(node, "module", None) or "").split(".")
                    for one in node.names:
                        if not found.isdisjoint([*base, *one.name.split(".")]):
                            found.add(one.asname or one.name.partition(".")[0])
                elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
                    if node.value is not None and not found.isdisjoint(names_on(node.value)):
                        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                        found.update(index.last_name(one) for one in targets)
        found.discard("")
        return found

    def kind(self, value: Any) -> Kind | None:
        """Of an object, also of a `partial` of one."""
        if type(value) is Instance:
            return MODULE
        if is_a(value, functools.partial):
            inner = self.kind(attribute(value, "func"))
            return inner if inner is not None and inner.what in ("decode", "peek") else None
        if type(value) is CACHED:
            return None
        kind = self.libraries.kind(value)
        if kind is None and is_class(value):  # one of the app's own, made of a library's
            kinds = (self.libraries.kind(base) for base in bases_of(value)[1:])
            kind = next((one for one in kinds if one is not None and one.what == "maker"), None)
        return kind

    def of_source(self, source: Source) -> Iterator[Place | NotUnderstood]:
        words = self.words_in(source)
        for node in source.nodes:
            try:
                found = self.of_node(source, node, words)
            except NotUnderstood as odd:
                found = odd
            if found is not None:
                yield found

    def of_node(self, source: Source, node: Any, words: set[str]) -> Place | None:
        context = getattr(node, "ctx", None)
        if self.is_odd(source, node):
            raise NotUnderstood(node)
        if not isinstance(node, (ast.Name, ast.Attribute)) and index.attribute_parts(node) is None:
            return None
        if words.isdisjoint(names_on(node)):
            return None
        live = self.names.live(source, node)
        kind = self.kind(live)
        if kind is None or kind == HARMLESS:
            return None
        if isinstance(node, ast.Call) or isinstance(context, ast.Load):
            return self.use(source, node, live, kind)
        if isinstance(node, ast.Name):
            return None  # what it is given counts
        raise NotUnderstood(node)

    def is_odd(self, source: Source, node: Any) -> bool:
        """A way to a library that no name shows."""
        if isinstance(node, ast.Call):
            return last_of(node.func) in DYNAMIC and self.is_dynamic(node)
        if isinstance(node, ast.Subscript) and index.last_name(node.value) == "modules":
            return index.last_name(node.slice) != "__name__" and is_library(node.slice)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            return self.is_odd_import(source, node)
        return False

    def is_odd_import(self, source: Source, node: Any) -> bool:
        """In a function: of a library that is not imported yet, or under a name that stands for
        more. In a class: it is an attribute then."""
        for alias in node.names:
            is_plain = isinstance(node, ast.Import)
            name = alias.asname or (alias.name.partition(".")[0] if is_plain else alias.name)
            bound = source.binding_of(node, name)
            if bound is None:
                continue
            base = alias.name if is_plain else node.module or ""
            is_of_library = is_below(base, KNOWN) and not getattr(node, "level", 0)
            if is_of_library and base not in sys.modules:
                return True
            kind = self.kind(imported(source, node, alias))
            is_sole = len(bound[1]) == 1 and not isinstance(bound[0], ast.ClassDef)
            if kind not in (None, HARMLESS) and not is_sole:
                return True
        return False

    def is_dynamic(self, call: ast.Call) -> bool:
        return last_of(call.func) in ("eval", "exec") or not call.args or is_library(call.args[0])

    def use(self, source: Source, node: Any, live: Any, kind: Kind) -> Place | None:
        """A place, if it is one. What is neither harmless nor understood raises."""
        parent = source.parents[node]
        is_type = is_class(live)
        while is_type and isinstance(parent, ast.Subscript) and parent.value is node:
            node, parent = parent, source.parents[parent]
        if isinstance(parent, ast.Attribute):
            # What it leads to counts. An object of a library has more than what is known.
            is_known = is_type or is_module(live) or self.kind(self.names.live(source, parent)) is not None
            if not is_known and kind == MODULE:
                raise NotUnderstood(parent)
            return None
        if (
            isinstance(parent, ast.Call)
            and index.attribute_parts(parent) is not None
            and parent.args[0] is node
        ):
            return None
        if kind.what == "unknown":
            if is_type and is_annotation(source, node):
                return None
            raise NotUnderstood(node)
        if isinstance(parent, ast.Call) and parent.func is node:
            return self.called(source, parent, live, kind)
        if self.is_alias(source, node, parent) or (is_type and is_annotation(source, node)):
            return None
        if kind.what == "maker" and isinstance(parent, ast.ClassDef) and node in parent.bases:
            self.inherited(source, parent)
            return None
        if isinstance(parent, ast.Call) and kind.what in ("decode", "peek"):
            before = CARRIERS.get(last_of(parent.func), len(parent.args))
            if before < len(parent.args) and parent.args[before] is node:
                place = Place(source, parent, kind, parent.args[before + 1 :], parent.keywords)
                name, index_ = kind.keys[0] if kind.keys else ("", 0)
                is_given = place.argument(name, index_) is not None
                if last_of(parent.func) != "partial":
                    return place
                if is_given and self.is_kept(source, parent):
                    return place
        raise NotUnderstood(node)

    def is_kept(self, source: Source, partial: ast.Call) -> bool:
        """Whether a module has a `partial` under a name, so that each call of it is known; or it is
        called as it is."""
        parent = source.parents[partial]
        if isinstance(parent, ast.Call):
            before = CARRIERS.get(last_of(parent.func))
            return before is not None and parent.args[before:] == [partial] and not parent.keywords
        return source.function_around(partial) is None and self.is_alias(source, partial, parent)

    def called(self, source: Source, call: ast.Call, live: Any, kind: Kind) -> Place | None:
        if kind.what in ("class", "module"):
            if (call.args or call.keywords) and not kind.is_free:  # options that may turn verification off
                raise NotUnderstood(call)
            parent = source.parents[call]
            if isinstance(parent, ast.Attribute) or self.is_alias(source, call, parent):
                return None
            raise NotUnderstood(call)
        held = live if is_a(live, functools.partial) else None
        return Place(source, call, kind, call.args, call.keywords, held)

    def is_alias(self, source: Source, node: Any, parent: Any) -> bool:
        """`decode = jwt.decode`, in a module or in a function, where nothing else has this name."""
        if isinstance(parent, ast.Assign) and parent.value is node and len(parent.targets) == 1:
            target = parent.targets[0]
        elif isinstance(parent, ast.AnnAssign) and parent.value is node:
            target = parent.target
        else:
            return False
        if not isinstance(target, ast.Name):
            return False
        bound = source.binding_of(parent, target.id)
        if bound is None:
            return not self.stores.is_rebound(source, target.id)
        return not isinstance(bound[0], ast.ClassDef) and len(bound[1]) == 1

    def inherited(self, source: Source, node: ast.ClassDef) -> None:
        """A class of the app's own that verifies as a library's does: not if it decides itself
        which key that is."""
        for one in node.body:
            names = {getattr(one, "name", "")}
            if isinstance(one, (ast.Assign, ast.AnnAssign)):
                targets = one.targets if isinstance(one, ast.Assign) else [one.target]
                names = {index.last_name(target) for target in targets}
            if names & {"__init__", "__new__", "decode_key", "secret", "public_key", "_config"}:
                raise NotUnderstood(one)


def is_by_hand(text: bytes) -> bool:
    """Whether a module may verify tokens without a library, or by Authlib's clients."""
    return BY_CLIENT in text or (MADE_OF in text and SIGNED.search(text) is not None)


def names_on(node: Any) -> list[str]:
    """The names on the way to what an expression stands for: `a`, `b` and `c` of `a.b().c`."""
    found = []
    while True:
        parts = index.attribute_parts(node)
        if parts is not None:
            node, name = parts
            found.append(name)
        elif isinstance(node, ast.Name):
            return [*found, node.id]
        elif isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, (ast.Subscript, ast.Await, ast.NamedExpr)):
            node = node.value
        else:
            return found


def last_of(node: Any) -> str:
    return index.last_name(node.func if isinstance(node, ast.Call) else node)


def is_library(name: Any) -> bool:
    """Whether a text may be the name of a library."""
    text = name.value if isinstance(name, ast.Constant) else None
    return type(text) is not str or is_below(text, KNOWN)


def is_annotation(source: Source, node: Any) -> bool:
    """Whether a class only says of what type something is."""
    below, above = node, source.parents[node]
    while isinstance(above, (ast.Subscript, ast.Tuple, ast.List, ast.BinOp)):
        below, above = above, source.parents[above]
    if isinstance(above, (ast.arg, ast.AnnAssign)):
        return above.annotation is below
    if isinstance(above, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return above.returns is below
    if isinstance(above, ast.Call):
        return last_of(above.func) in ("isinstance", "issubclass") and above.func is not below
    return isinstance(above, ast.ExceptHandler)


def options_of(held: Any) -> tuple[list[Any], dict[str, Any]]:
    """What a `partial` holds."""
    given = attribute(held, "args")
    known = attribute(held, "keywords")
    named = {name: value for name, value in entries(known) if type(name) is str} if is_a(known, dict) else {}
    return (items(given) if is_a(given, tuple) else []), named
