"""What the parameters of a function may be: from the calls of it in the app's code, its defaults,
and the dependencies that FastAPI hands in."""

from __future__ import annotations

import ast
import functools
import operator
import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from mantlet_inspector.candidates.decodes.names import function_of
from mantlet_inspector.candidates.decodes.sources import NOTHING, Source
from mantlet_inspector.candidates.decodes.stores import is_first, related
from mantlet_inspector.candidates.decodes.value import (
    NO_FRAMES,
    At,
    Live,
    Made,
    Unknown,
    Value,
    arguments_of,
    default_of,
    is_depends,
    positional,
)
from mantlet_inspector.source import index, trees
from mantlet_inspector.source.objects import is_class
from mantlet_inspector.source.stored import (
    attribute,
    class_name,
    is_a,
    is_exactly,
    items,
    module_of,
    names_of,
    subclasses_of,
)

if TYPE_CHECKING:
    from mantlet_inspector.candidates.decodes.values import Values

# Decorators that leave the parameters of a function as they are.
PLAIN = {
    "abstractmethod",
    "asynccontextmanager",
    "cache",
    "cached_property",
    "classmethod",
    "contextmanager",
    "lru_cache",
    "override",
    "property",
    "staticmethod",
    "wraps",
}
# What calls a function with the arguments that follow it: how many arguments stand before it.
CARRIERS = {
    "Middleware": 0,
    "add_middleware": 0,
    "partial": 0,
    "run_in_executor": 1,
    "run_in_threadpool": 0,
    "run_sync": 0,
    "to_thread": 0,
}
# What a class is handed to without that an object is made.
ABOUT = ("cast", "isinstance", "issubclass", "super")
MIDDLEWARE = ("Middleware", "add_middleware")


class Site(NamedTuple):
    """A call."""

    source: Source
    call: ast.Call
    has_me: bool  # whether the first parameter is given by what stands before the dot
    is_open: bool = False  # whether more arguments may come later
    before: tuple[Source, ast.Call] | None = None  # with arguments that it may replace


class Use(NamedTuple):
    """How code mentions a function or a class."""

    sites: list[Site]
    is_injected: bool  # FastAPI calls it
    is_elsewhere: bool  # something else may call it, with what is not known


class Callers:
    def __init__(self, values: Values) -> None:
        self.values = values
        self.sources = values.sources
        self.names = values.names
        self.known: dict[Any, Use] = {}

    def parameter(self, source: Source, function: Any, argument: ast.arg) -> list[Value]:
        """All that a parameter may be."""
        if is_first(function, argument.arg) and source.class_around(function) is not None:
            return self.me(source, function)
        if isinstance(function, ast.Lambda):
            raise Unknown
        found = self.marked(source, function, argument)
        is_marked = found is not None
        found = found or []
        use = self.use(source, function)
        is_odd = use.is_elsewhere or any(last_of(one) not in PLAIN for one in function.decorator_list)
        if (is_odd or use.is_injected) and not is_marked:
            raise Unknown
        names = positional(function)
        is_method = source.class_around(function) is not None
        is_free = not is_method or "staticmethod" in map(last_of, function.decorator_list)
        default = None if is_marked else default_of(function, argument)
        is_used = False
        for site in use.sites:
            given = names if is_free or not site.has_me else names[1:]
            at = At(site.source, NO_FRAMES)
            bound = self.values.calls.bound_by(function, given, site.call, at)
            if site.before is not None:
                earlier = At(site.before[0], NO_FRAMES)
                bound = {**self.values.calls.bound_by(function, given, site.before[1], earlier), **bound}
            if not site.is_open and any(one not in bound for one in self.needed(function, given)):
                continue  # it would fail
            is_used = True
            if argument.arg in bound:
                found += bound[argument.arg]()
            elif site.is_open:
                raise Unknown
            elif default is not None:
                found += self.values.default(source, function, argument)
        if not is_used and not is_marked:
            return self.values.default(source, function, argument)
        return found

    def needed(self, function: Any, given: list[str]) -> list[str]:
        needed = [one for one in arguments_of(function) if default_of(function, one) is None]
        known = positional(function)
        return [one.arg for one in needed if one.arg in given or one.arg not in known]

    def me(self, source: Source, function: Any) -> list[Value]:
        cls = source.class_of(source.class_around(function))
        if cls is None:
            raise Unknown
        is_of_class = "classmethod" in map(last_of, function.decorator_list)
        return [Live(cls) if is_of_class else Made(cls)]

    # FastAPI

    def injected(self, source: Source, function: Any, argument: ast.arg) -> list[Value]:
        """What FastAPI hands in."""
        found = self.marked(source, function, argument)
        if found is None:
            raise Unknown
        return found

    def marked(self, source: Source, function: Any, argument: ast.arg) -> list[Value] | None:
        """What a dependency comes to that a parameter declares; none if it declares none."""
        at = At(source, NO_FRAMES)
        for node in (default_of(function, argument), *metadata(argument.annotation)):
            if isinstance(node, ast.Call) and is_depends(self.names.live(source, node.func)):
                call = node.args[0] if node.args else keyword(node, "dependency")
                if call is None:
                    call = annotated(argument.annotation)
                if call is None:
                    raise Unknown
                return self.values.calls.depended(call, at)
        if argument.annotation is None or isinstance(argument.annotation, ast.Constant):
            return None
        alias = self.names.live(source, argument.annotation)  # `SettingsDep`
        marks = attribute(alias, "__metadata__") if alias is not NOTHING and not is_class(alias) else None
        for mark in items(marks) if is_a(marks, tuple) else ():
            if module_of(type(mark)) == "fastapi.params":
                call = attribute(mark, "dependency")
                call = attribute(alias, "__origin__") if call is None else call
                if call is not None:
                    return self.values.calls.injected_by(Live(call), at)
        return None

    # Where a function or a class is mentioned

    def use(self, source: Source, function: Any) -> Use:
        if function not in self.known:
            self.known[function] = Use([], True, True)  # while it is looked for
            self.known[function] = self.found(source, function)
        return self.known[function]

    def found(self, source: Source, function: Any) -> Use:
        around = source.class_around(function)
        if function.name == "__init__" and around is not None:
            cls = source.class_of(around)
            return self.use_of_class(cls) if cls is not None else Use([], True, True)
        if function.name == "__call__" and around is not None:
            return Use([], True, False)
        if function.name.startswith("__"):
            return Use([], True, True)
        words = self.words(function.name, lambda value: self.is_function(value, source, function))
        uses = []
        for other, node in self.sources.named(words):
            if isinstance(node.ctx, ast.Load):
                has_me = self.is_it(other, node, source, function)
                if has_me is not None:
                    uses.append(self.used(other, node, has_me))
        return joined(uses)

    def words(self, name: str, is_it: Callable[[Any], bool]) -> set[str]:
        """A name, and those that modules and functions have given to what it stands for."""
        found = {name}
        for other in self.sources.all:
            found |= {one for one, value in list(other.names.items()) if type(one) is str and is_it(value)}
        for other in self.sources.with_word(name):
            for node in other.nodes:
                if isinstance(node, ast.ImportFrom):
                    found |= {one.asname for one in node.names if one.name == name and one.asname}
        return found

    def is_function(self, value: Any, source: Source, function: Any) -> bool:
        live = function_of(value) if is_exactly(value, *CALLABLE) else None
        code = live.__code__ if live is not None else None
        return code is not None and (code.co_name, code.co_filename) == (function.name, source.file)

    def is_it(self, other: Source, node: Any, source: Source, function: Any) -> bool | None:
        """Whether a name may be a function, and whether it comes with its first argument; none if
        it is not."""
        live = self.names.live(other, node)
        if live is not NOTHING:
            behind = function_of(live)
            found = self.sources.function(behind) if behind is not None else None
            is_same = found is not None and found[1] is function
            return type(live) is types.MethodType if is_same else None
        around = source.class_around(function)
        if isinstance(node, ast.Name):
            bound = other.binding_of(node, node.id)
            is_inner = bound is not None and any(
                one.kind == "definition" and one.node is function for one in bound[1]
            )
            return False if is_inner else None
        if around is None:
            return None
        cls = source.class_of(around)
        mine = self.values.stores.class_of_self(other, node.value)
        typed = self.values.stores.type_of(other, node.value)
        for one in (mine, typed):
            if is_class(one) and is_class(cls) and not related(one, cls):
                return None
        return True

    def used(self, source: Source, node: Any, has_me: bool) -> Use:
        """How a mention uses it."""
        parent = source.parents[node]
        while isinstance(parent, ast.Subscript) and parent.value is node:
            node, parent = parent, source.parents[parent]
        if isinstance(parent, ast.Call):
            if parent.func is node:
                return Use([Site(source, parent, has_me)], False, False)
            name = last_of(parent.func)
            before = CARRIERS.get(name, len(parent.args))
            if before < len(parent.args) and parent.args[before] is node:
                rest = parent.args[before + 1 :]
                if name in MIDDLEWARE:  # the app stands first
                    rest = [ast.Constant(None), *rest]
                carried = ast.Call(parent.func, rest, parent.keywords)
                if name == "partial":
                    return self.use_of_partial(source, parent, carried, has_me)
                return Use([Site(source, carried, has_me)], False, False)
            if is_depends(self.names.live(source, parent.func)):
                return Use([], True, False)
        return Use([], False, True)

    def use_of_partial(self, source: Source, made: ast.Call, carried: ast.Call, has_me: bool) -> Use:
        """Calls of a `partial` that has a name, in which its arguments may be others; or one that
        is called as it is."""
        parent = source.parents[made]
        if isinstance(parent, ast.Call):
            return Use([Site(source, carried, has_me)], False, not is_carried(parent, made))
        target = parent.targets[0] if isinstance(parent, ast.Assign) and len(parent.targets) == 1 else None
        name = target.id if isinstance(target, ast.Name) else ""
        live = source.names.get(name)
        is_odd = live is None or source.binding_of(parent, name) is not None
        if is_odd or self.values.stores.had_others(source, name):
            return Use([], False, True)
        sites = []
        for other, node in self.sources.named(self.words(name, functools.partial(operator.is_, live))):
            if self.names.live(other, node) is not live or not isinstance(node.ctx, ast.Load):
                continue
            call = other.parents[node]
            if not isinstance(call, ast.Call) or call.func is not node or (call.args and carried.args):
                return Use([], False, True)
            sites.append(Site(other, call, has_me, before=(source, carried)))
        return Use(sites or [Site(source, carried, has_me, is_open=True)], False, False)

    def use_of_class(self, cls: Any) -> Use:
        """Calls of a class, of those below it that are made in the same way, and of its
        `__init__`."""
        uses = []
        for one in [cls, *inheriting(cls)]:
            words = self.words(class_name(one), functools.partial(operator.is_, one))
            for source, node in self.sources.named(words):
                if isinstance(node.ctx, ast.Load) and self.names.live(source, node) is one:
                    uses += self.use_as_class(source, node)
            uses += self.use_inside(one)
        for one in below(cls):
            uses += self.use_by_super(one)
        return joined(uses)

    def use_as_class(self, source: Source, node: Any) -> Iterator[Use]:
        parent = source.parents[node]
        if isinstance(parent, (ast.Attribute, ast.ClassDef, ast.ExceptHandler)):
            return
        if isinstance(parent, ast.Call) and last_of(parent.func) in ABOUT:
            return
        argument = annotates(source, node)
        if argument is None:
            yield self.used(source, node, True)
        elif isinstance(argument, ast.arg):
            function = source.parents[source.parents[argument]]
            for one in (default_of(function, argument), *metadata(argument.annotation)):
                if isinstance(one, ast.Call) and last_of(one) in ("Depends", "Security") and not one.args:
                    yield Use([], True, False)

    def use_inside(self, cls: Any) -> Iterator[Use]:
        """`cls(…)` in a class method; and `self.__class__(…)`, of which it is not known what it
        makes."""
        source = self.sources.by_name.get(module_of(cls))
        if source is None:
            return
        if self.sources.parsed(source).named.get("__class__") or any(
            isinstance(one, ast.Call) and isinstance(one.func, ast.Call) and last_of(one.func) == "type"
            for one in source.nodes
        ):
            yield Use([], False, True)
        for node in list(self.sources.parsed(source).named.get("cls", ())):
            function = source.function_around(node)
            around = source.class_around(function)
            if around is not None and isinstance(node.ctx, ast.Load) and source.class_of(around) is cls:
                if not isinstance(source.parents[node], ast.Attribute):
                    yield self.used(source, node, True)

    def use_by_super(self, cls: Any) -> Iterator[Use]:
        init = names_of(cls).get("__init__")
        found = self.sources.function(init) if type(init) is types.FunctionType else None
        if found is None:
            return
        source, function = found
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and last_of(node.func) == "__init__":
                is_super = trees.is_super(getattr(node.func, "value", None))
                yield Use([Site(source, node, is_super)], False, False)


CALLABLE = (types.FunctionType, types.MethodType, type(functools.lru_cache(len)))


def is_carried(call: ast.Call, callee: Any) -> bool:
    """Whether a call only calls what is handed to it, as it is."""
    before = CARRIERS.get(last_of(call.func))
    return before is not None and call.args[before:] == [callee] and not call.keywords


def joined(uses: Any) -> Use:
    all_ = list(uses)
    return Use(
        [site for one in all_ for site in one.sites],
        any(one.is_injected for one in all_),
        any(one.is_elsewhere for one in all_),
    )


def below(cls: Any) -> Iterator[Any]:
    for one in subclasses_of(cls):
        yield one
        yield from below(one)


def inheriting(cls: Any) -> Iterator[Any]:
    """Classes below one that have no `__init__` of their own."""
    for one in subclasses_of(cls):
        if "__init__" not in names_of(one):
            yield one
            yield from inheriting(one)


def last_of(node: Any) -> str:
    return index.last_name(node.func if isinstance(node, ast.Call) else node)


def keyword(call: ast.Call, name: str) -> Any:
    return next((one.value for one in call.keywords if one.arg == name), None)


def metadata(annotation: Any) -> list[Any]:
    """What stands in `Annotated[…]`, but for the type."""
    if isinstance(annotation, ast.Subscript) and last_of(annotation.value) == "Annotated":
        return list(getattr(annotation.slice, "elts", ()))[1:]
    return []


def annotated(annotation: Any) -> Any:
    """The type in `Annotated[…]`, or that of a plain annotation."""
    if isinstance(annotation, ast.Subscript) and last_of(annotation.value) == "Annotated":
        return next(iter(getattr(annotation.slice, "elts", ())), None)
    return annotation


def annotates(source: Source, node: Any) -> Any:
    """The parameter, the assignment or the function in whose annotation a node stands."""
    below, above = node, source.parents[node]
    while isinstance(above, (ast.Subscript, ast.Tuple, ast.List, ast.BinOp)):
        below, above = above, source.parents[above]
    if isinstance(above, (ast.arg, ast.AnnAssign)) and above.annotation is below:
        return above
    if isinstance(above, (ast.FunctionDef, ast.AsyncFunctionDef)) and above.returns is below:
        return above
    return None
