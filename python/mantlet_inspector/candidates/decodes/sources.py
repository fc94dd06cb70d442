"""The app's own modules: their text, their syntax trees, and what binds a name in them."""

from __future__ import annotations

import ast
import re
import sys
import types
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple

from mantlet_inspector.candidates.whose import Whose
from mantlet_inspector.source import index, lookup, memory
from mantlet_inspector.source.objects import is_class, is_module, names_in

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
NOTHING = object()
PARSED = 1_500_000  # bytes of code that are read in a second


class Binding(NamedTuple):
    """One way in which a name gets its value."""

    kind: str  # `parameter`, `value`, `each` of a container, `import`, `definition` or `other`
    node: Any
    path: tuple[int, ...] = ()  # of a target in tuples: which part of the value


class Source:
    """A module of the app's own."""

    def __init__(self, name: str, module: Any, file: str, text: bytes) -> None:
        self.name = name
        self.module = module
        self.names: dict[str, Any] = names_in(module)
        self.file = file
        self.text = text
        self.bindings: dict[Any, dict[str, list[Binding]]] = {}
        self.is_parsed = False

    def parse(self) -> Source:
        if self.is_parsed:
            return self
        self.tree = ast.parse(self.text, self.file)
        self.parents: dict[Any, Any] = {}
        self.nodes: list[Any] = []
        self.named: dict[str, list[Any]] = defaultdict(list)  # names and attributes, by the last name
        self.functions: dict[tuple[str, int], list[Any]] = defaultdict(list)
        self.rebound: set[str] = set()  # names that some function gives another value
        waiting: list[Any] = [self.tree]
        while waiting:
            node = waiting.pop()
            self.nodes.append(node)
            name = index.last_name(node)
            if name:
                self.named[name].append(node)
            elif isinstance(node, FUNCTIONS):
                self.functions[getattr(node, "name", "<lambda>"), index.first_line(node)].append(node)
            elif isinstance(node, ast.Global):
                self.rebound.update(node.names)
            children = list(ast.iter_child_nodes(node))
            for child in children:
                self.parents[child] = node
            waiting += reversed(children)
        self.is_parsed = True
        return self

    def has_word(self, word: str) -> bool:
        plain = word.encode()
        # Most texts do not have it, and are quickly passed over.
        return plain in self.text and re.search(rb"\b%s\b" % re.escape(plain), self.text) is not None

    # Where a node stands

    def scopes(self, node: Any) -> Iterator[Any]:
        """Functions, comprehensions and classes around a node whose names it sees, inner ones
        first."""
        below, above = node, self.parents.get(node)
        body: Any
        is_inside = False  # of a function, which does not see the names of its class
        while above is not None:
            if isinstance(above, ast.Lambda):
                if below is above.body:
                    is_inside = True
                    yield above
            elif isinstance(above, FUNCTIONS):
                # What stands in its head is worked out before it runs.
                body = above.body
                if any(below is one for one in body):
                    is_inside = True
                    yield above
            elif isinstance(above, COMPREHENSIONS) or (isinstance(above, ast.ClassDef) and not is_inside):
                yield above
            below, above = above, self.parents.get(above)

    def function_around(self, node: Any) -> Any:
        return next((one for one in self.scopes(node) if isinstance(one, FUNCTIONS)), None)

    def class_around(self, function: Any) -> Any:
        """The class whose method a function is."""
        parent = self.parents.get(function)
        return parent if isinstance(parent, ast.ClassDef) else None

    def statement_of(self, node: Any) -> Any:
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node

    # What names stand for

    def binding_of(self, node: Any, name: str) -> tuple[Any, list[Binding]] | None:
        """What binds a name that a node mentions: the function or the comprehension, and how; none
        if it is one of the module."""
        for scope in self.scopes(node):
            known = self.bindings.get(scope)
            if known is None:
                known = self.bindings[scope] = Binder(self, scope).found
            if name in known:
                return None if known[name] == [] else (scope, known[name])
        return None

    def class_of(self, node: ast.ClassDef) -> Any:
        """The class that a definition has made; none if that is not known."""
        path, above = [node.name], self.parents[node]
        while isinstance(above, ast.ClassDef):
            path.insert(0, above.name)
            above = self.parents[above]
        if not isinstance(above, (ast.Module, ast.If, ast.Try)):
            return None
        found, names = None, self.names
        for name in path:
            found = names.get(name)
            if not is_class(found):
                return None
            names = type.__dict__["__dict__"].__get__(found)
        return found if names.get("__module__") == self.name else None


class Binder:
    """What binds the names of a function or of a comprehension. A name of the module that it may
    give a value has no binding here."""

    def __init__(self, source: Source, scope: Any) -> None:
        self.source = source
        self.found: dict[str, list[Binding]] = {}
        self.globals: set[str] = set()
        if isinstance(scope, COMPREHENSIONS):
            for one in scope.generators:
                self.target(one.target, "each", one.iter)
            return
        if isinstance(scope, ast.ClassDef):
            self.walk(scope.body)
            return
        arguments = scope.args
        for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            self.add(one.arg, "parameter", one)
        for one in (arguments.vararg, arguments.kwarg):
            if one is not None:
                self.add(one.arg, "other", one)
        self.walk(scope.body if isinstance(scope.body, list) else [scope.body])
        for name in self.globals:
            self.found[name] = []

    def add(self, name: str, kind: str, node: Any, path: tuple[int, ...] = ()) -> None:
        self.found.setdefault(name, []).append(Binding(kind, node, path))

    def target(self, target: Any, kind: str, value: Any, path: tuple[int, ...] = ()) -> None:
        if isinstance(target, ast.Name):
            self.add(target.id, kind, value, path)
        elif isinstance(target, (ast.Tuple, ast.List)):
            for number, one in enumerate(target.elts):
                self.target(one, kind, value, (*path, number))
        elif isinstance(target, ast.Starred):
            self.target(target.value, "other", value)

    def walk(self, nodes: list[Any]) -> None:
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if isinstance(node, DEFINITIONS):
                self.add(node.name, "definition", node)
                self.inner(node)
                continue
            if isinstance(node, ast.Lambda):
                continue
            if isinstance(node, COMPREHENSIONS):
                waiting += [one for one in ast.walk(node) if isinstance(one, ast.NamedExpr)]
                continue
            self.one(node)
            waiting += ast.iter_child_nodes(node)

    def inner(self, node: Any) -> None:
        """A function inside may give a name of this one another value."""
        for one in ast.walk(node):
            if isinstance(one, ast.Nonlocal):
                for name in one.names:
                    self.add(name, "other", one)

    def one(self, node: Any) -> None:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self.target(target, "value", node.value)
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)):
            if node.value is not None:
                self.target(node.target, "value", node.value)
        elif isinstance(node, (ast.For, ast.AsyncFor)):
            self.target(node.target, "each", node.iter)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                plain = alias.name.partition(".")[0] if isinstance(node, ast.Import) else alias.name
                self.add(alias.asname or plain, "import", (node, alias))
        elif isinstance(node, ast.Global):
            self.globals.update(node.names)
        elif isinstance(node, (ast.AugAssign, ast.withitem)):
            target = node.target if isinstance(node, ast.AugAssign) else node.optional_vars
            if target is not None:
                self.target(target, "other", node)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            self.add(node.name, "other", node)
        elif type(node).__name__ in ("MatchAs", "MatchStar", "MatchMapping"):
            name = getattr(node, "name", None) or getattr(node, "rest", None)
            if name:
                self.add(name, "other", node)


def imported(source: Source, node: Any, alias: ast.alias) -> Any:
    """What an import inside a function brings; nothing if it is not imported yet."""
    if isinstance(node, ast.Import):
        name = alias.name if alias.asname else alias.name.partition(".")[0]
        return sys.modules.get(name, NOTHING)
    base = lookup.imported_from(node, source.module)
    module = sys.modules.get(base)
    found = names_in(module).get(alias.name, NOTHING) if is_module(module) else NOTHING
    return sys.modules.get(f"{base}.{alias.name}", NOTHING) if found is NOTHING else found


class Sources:
    """All of them."""

    def __init__(self, whose: Whose, check: Callable[..., None]) -> None:
        self.check = check  # raises if there is less time than that
        self.all: list[Source] = []
        self.unread: list[Any] = []  # modules of which there is no text
        self.by_file: dict[str, Source] = {}
        self.by_name: dict[str, Source] = {}
        self.words: dict[str, list[Source]] = {}  # those that mention a word
        self.setting: dict[str, list[Source]] = {}  # those that may set an attribute
        for name, module in whose.modules():
            check()
            file: Any = names_in(module).get("__file__")
            try:
                is_python = type(file) is str and file.endswith(".py")
                source = Source(name, module, file, memory.text_of(file)) if is_python else None
            except (OSError, ValueError):
                source = None
            if source is None:
                self.unread.append(module)
                continue
            self.all.append(source)
            self.by_file.setdefault(source.file, source)
            self.by_name[name] = source

    def parsed(self, source: Source) -> Source:
        """May raise what parsing does, or that the time is up."""
        if not source.is_parsed:
            self.check(len(source.text) / PARSED)
        return source.parse()

    def with_word(self, word: str) -> Iterator[Source]:
        if word not in self.words:
            self.check()
            self.words[word] = [source for source in self.all if source.has_word(word)]
        for source in self.words[word]:
            yield self.parsed(source)

    def that_may_set(self, name: str) -> Iterator[Source]:
        """Those in which an attribute stands as it does where it is set."""
        if name not in self.setting:
            self.check()
            plain = name.encode()
            pattern = re.compile(rb"\.\s*%s\b(?!\s*[.(\[])" % re.escape(plain))
            found = (one for one in self.all if plain in one.text and pattern.search(one.text))
            self.setting[name] = list(found)
        for source in self.setting[name]:
            yield self.parsed(source)

    def named(self, words: set[str]) -> Iterator[tuple[Source, Any]]:
        """Names and attributes in all modules, by the last name."""
        for word in sorted(words):
            for source in self.with_word(word):
                self.check()
                for node in list(source.named.get(word, ())):
                    yield source, node

    def function(self, function: types.FunctionType) -> tuple[Source, Any] | None:
        """The tree of a function of the app's own."""
        code = function.__code__
        source = self.by_file.get(code.co_filename)
        if source is None and type(function.__module__) is str:
            source = self.by_name.get(function.__module__)
        if source is None:
            return None
        found = self.parsed(source).functions.get((code.co_name, code.co_firstlineno), [])
        return (source, found[0]) if len(found) == 1 else None
