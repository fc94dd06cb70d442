"""What may refuse a request before FastAPI validates its input: what dependencies raise, and what middleware answers by itself.

A refusal is an `HTTPException`, an exception for which an app has a handler, or an answer of a middleware's own. Code is followed
by what its names stand for; where that cannot be known, by the name, through all functions of the app that have it. A dependency
that only fails (500) refuses nothing. What cannot be read may refuse.
"""

from __future__ import annotations

import ast
import collections
import functools
import inspect
import sys
import types
import typing
from collections.abc import Iterator
from typing import Any, NamedTuple

from fastapi.exceptions import RequestValidationError
from fastapi.security.base import SecurityBase
from fastapi.security.http import HTTPBasic
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mantlet_inspector.proof import known_middleware as known
from mantlet_inspector.proof.exceptions import is_apps
from mantlet_inspector.proof.interpret.calls import ERRORS
from mantlet_inspector.source import files, lookup, memory, objects, places, trees
from mantlet_inspector.source.objects import closure

MOST = 600  # functions that are followed for one dependency
# What others keep there may be anything.
KEPT = {"state", "app", "user", "auth", "scope", "session", "extra", "extensions"}
FOREIGN = object()  # something whose code is not the app's
UNKNOWN = lookup.UNKNOWN
BUILTIN = (
    ast.Constant,
    ast.JoinedStr,
    ast.List,
    ast.Dict,
    ast.Set,
    ast.Tuple,
    ast.ListComp,
    ast.DictComp,
    ast.SetComp,
    ast.Compare,
)

MAY_FAIL = (
    *(
        ast.Call,
        ast.Await,
        ast.Subscript,
        ast.Attribute,
        ast.Starred,
        ast.FormattedValue,
        ast.Assert,
        ast.Import,
        ast.ImportFrom,
    ),
    *(ast.With, ast.AsyncWith, ast.For, ast.AsyncFor, ast.comprehension, ast.YieldFrom, ast.Match),
    *(ast.BinOp, ast.Compare, ast.AugAssign),
)


class Typed(NamedTuple):
    """An object of a class of the app's own."""

    cls: type


class Refusals:
    def __init__(self) -> None:
        self.handled: list[type] = []  # exceptions that an app around answers
        self.looked: dict[Any, Any] = {}
        self.found: dict[Any, Any] = {}

    def dependency(self, call: Any) -> str | None:
        """Where a dependency may refuse, if it may."""
        key = (id(call), tuple(self.handled))
        if key not in self.found:
            self.found[key] = call, self.guarded(call)  # its id is its own as long as it is held
        return self.found[key][1]

    def guarded(self, call: Any) -> str | None:
        if isinstance(call, SecurityBase) and files.is_frameworks(type(call).__call__):
            return scheme(call)
        if files.is_frameworks(call) or (
            not isinstance(call, types.FunctionType) and files.is_frameworks(type(call))
        ):
            return None  # a form of FastAPI's own
        return self.reach([(call, None)], False)

    def middleware(self, cls: Any, options: dict[str, Any]) -> str | None:
        """Where a middleware may answer before the app inside, if it may."""
        things = [(one, cls) for one in functions_of(cls)] if isinstance(cls, type) else [(cls, None)]
        return self.reach([*things, *((one, None) for one in options.values() if callable(one))], True)

    def reach(self, things: list[tuple[Any, Any]], answers: bool) -> str | None:
        with memory.current.reading():
            return self.followed(list(things), answers)

    def followed(self, waiting: list[tuple[Any, Any]], answers: bool) -> str | None:
        seen: dict[tuple[int, int], Any] = {}
        try:
            while waiting:
                memory.current.check()
                thing, me = waiting.pop()
                if (id(thing), id(me)) in seen:
                    continue
                seen[id(thing), id(me)] = thing, me
                if len(seen) > MOST:
                    return "in more code than is followed"
                place = self.look(thing, me, waiting, answers)
                if place:
                    return place
        except memory.Late:
            return "in code that was not read in time"
        except Exception:  # most likely an object that is another than it seems
            return "in code that is not understood"
        return None

    def look(self, thing: Any, me: Any, waiting: list[tuple[Any, Any]], answers: bool) -> str | None:
        if isinstance(thing, functools.partial):
            waiting += [(one, None) for one in (thing.func, *thing.args, *thing.keywords.values())]
        elif isinstance(thing, types.MethodType):
            waiting.append((thing.__func__, thing.__self__))
        elif isinstance(thing, types.FunctionType):
            return self.function(thing, me, waiting, answers)
        elif isinstance(thing, type):
            if not is_foreign(thing) and not issubclass(thing, BaseException):
                # What making an object of it runs, and using it in ways that have no name. Other methods are followed where they are asked for.
                every = issubclass(thing, BaseModel)  # validators have any name
                waiting += [
                    (one, thing)
                    for one in functions_of(thing)
                    if every or one.__name__.startswith(("__", "_missing_"))
                ]
        elif isinstance(thing, (list, tuple, set, frozenset, dict)):
            held = list(thing.values() if isinstance(thing, dict) else thing)
            waiting += [(one, None) for one in held[:MOST] if callable(one)]
        elif isinstance(thing, SecurityBase) and files.is_frameworks(type(thing).__call__):
            return scheme(thing)
        elif callable(thing):
            wrapped = getattr(thing, "__dict__", {}).get("__wrapped__")  # `functools.lru_cache`
            if wrapped is not None:
                waiting.append((wrapped, None))
            elif not is_foreign(type(thing)):
                waiting.append((type(thing).__call__, thing))
        elif not is_foreign(type(thing)):
            # Using it in ways that have no name.
            waiting += [
                (one, thing)
                for one in functions_of(type(thing))
                if one.__name__.startswith("__") and one.__name__ != "__init__"
            ]
        return None

    def function(
        self, function: types.FunctionType, me: Any, waiting: list[tuple[Any, Any]], answers: bool
    ) -> str | None:
        if is_foreign(function):
            # What `contextlib` and the like made of a function of the app's own.
            wrapped = vars(function).get("__wrapped__")
            held = list(closure(function)) if files.is_standard(files.file_of(function)) else []
            waiting += [(one, None) for one in (wrapped, *held) if callable(one)]
            return None
        key = (function, id(me), answers, tuple(self.handled))
        if key not in self.looked:
            self.looked[key] = self.read(function, me, answers)
        place, following = self.looked[key]
        waiting += following
        return place

    def read(
        self, function: types.FunctionType, me: Any, answers: bool
    ) -> tuple[str | None, list[tuple[Any, Any]]]:
        node = trees.node_of(objects.generated_for(function))
        if node is None:
            is_made = "__dataclass_fields__" in vars(me) if isinstance(me, type) else False
            return (None if is_made else f"in `{function.__qualname__}`, whose source cannot be read"), []
        code = Code(function, node, me)
        following: list[tuple[Any, Any]] = []
        after = set(after_the_app(node)) if answers else set()
        called = {id(one.func) for one in inside(node) if isinstance(one, ast.Call)}
        for one in inside(node):
            if one in after:
                continue
            where = f"`{function.__qualname__}`, {places.place(function, getattr(one, 'lineno', 0))}"
            if isinstance(one, ast.Raise) and self.refuses(one, code):
                return where, []
            if may_fail(one) and self.is_foreign_handled():
                return where, []
            if answers and self.answers(one, code):
                return where, []
            if (
                isinstance(one, ast.Call)
                and code.value(one.func) is getattr
                and code.value(one.args[0]) is not FOREIGN
            ):
                name = one.args[1].value if isinstance(one.args[1], ast.Constant) else None
                if name is None:
                    return f"{where}, calls what has no name", []
                following += functions_named().get(name, ())
            if isinstance(one, (ast.Name, ast.Attribute)) and isinstance(one.ctx, ast.Load):
                found = code.value(one)
                if found is UNKNOWN and code.is_elsewhere(one):
                    return f"{where}, imports when it is asked", []
                if found is UNKNOWN and isinstance(one, ast.Attribute):
                    named = functions_named().get(one.attr, ())
                    following += (
                        named if id(one) in called else [each for each in named if each[1] is not None]
                    )
                elif found is UNKNOWN and code.is_rebound(one):
                    following += functions_named().get(one.id, ())
                elif found is not FOREIGN and found is not UNKNOWN and not isinstance(found, Typed):
                    following.append(found if isinstance(found, Bound) else (found, None))
        return None, [(one.function, one.me) if isinstance(one, Bound) else one for one in following]

    def refuses(self, node: ast.Raise, code: Code) -> bool:
        """Whether what is raised is more than a failure."""
        if node.exc is None:
            return False  # what others raised, and are looked at for
        if isinstance(node.exc, ast.Name) and node.exc.id in code.caught:
            return False
        raised = code.value(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)
        raised = raised.cls if isinstance(raised, Typed) else raised
        if isinstance(raised, BaseException):
            raised = type(raised)
        if not (isinstance(raised, type) and issubclass(raised, BaseException)):
            return True
        if issubclass(raised, (HTTPException, RequestValidationError)):
            return True
        return any(issubclass(raised, one) for one in self.handled)

    def answers(self, node: ast.AST, code: Code) -> bool:
        if isinstance(node, ast.Dict):
            return any(
                isinstance(one, ast.Constant) and one.value == "http.response.start" for one in node.values
            )
        if not isinstance(node, ast.Call):
            return False
        made = code.value(node.func)
        return (isinstance(made, type) and issubclass(made, Response)) or known.qualified(made) in ERRORS

    def is_foreign_handled(self) -> bool:
        """Whether exceptions of others are answered: then all that may fail may end in one."""
        return any(not is_apps(sys.modules.get(one.__module__)) for one in self.handled)

    # Handlers

    def handlers_of(self, app: Any) -> list[type]:
        """Exceptions that an app answers with something else than a failure."""
        found = []
        for key, handler in app.exception_handlers.items():
            key = Exception if key == 500 else key
            if not isinstance(key, type) or issubclass(key, (HTTPException, RequestValidationError)):
                continue
            if not (key is Exception and says_500(handler)) and not files.is_frameworks(handler):
                found.append(key)
        return found


class Bound(NamedTuple):
    """A function, and what its first argument is."""

    function: types.FunctionType
    me: Any


class Code:
    """One function that is read: what its names stand for."""

    def __init__(self, function: types.FunctionType, node: Any, me: Any) -> None:
        self.function, self.node, self.me = function, node, me
        parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        self.parameters = [one.arg for one in parameters]
        self.bound = set(self.parameters)
        self.given: dict[str, list[ast.expr]] = collections.defaultdict(list)
        self.imported: dict[str, Any] = {}
        self.caught: set[str] = set()
        self.open: set[int] = set()
        self.stored: collections.Counter[str] = collections.Counter()
        for one in inside(node):
            self.bind(one)

    def bind(self, one: ast.AST) -> None:
        if isinstance(one, ast.Name) and isinstance(one.ctx, (ast.Store, ast.Del)):
            self.bound.add(one.id)
            self.stored[one.id] += 1
        elif isinstance(one, (*trees.FUNCTIONS, ast.ClassDef)) and one is not self.node:
            self.bound.add(getattr(one, "name", "<lambda>"))
            for inner in ast.walk(one.args) if isinstance(one, trees.FUNCTIONS) else ():
                if isinstance(inner, ast.arg):
                    self.bound.add(inner.arg)
        elif isinstance(one, ast.ExceptHandler) and one.name:
            self.bound.add(one.name)
            self.caught.add(one.name)
        elif isinstance(one, ast.Import):
            for alias in one.names:
                top = alias.name if alias.asname else alias.name.partition(".")[0]
                self.imported[alias.asname or top] = sys.modules.get(top, UNKNOWN)
        elif isinstance(one, ast.ImportFrom):
            module = sys.modules.get(self.absolute(one))
            for alias in one.names:
                found = vars(module).get(alias.name, UNKNOWN) if module is not None else UNKNOWN
                if found is UNKNOWN:
                    found = sys.modules.get(f"{self.absolute(one)}.{alias.name}", UNKNOWN)
                self.imported[alias.asname or alias.name] = found
        if isinstance(one, ast.Assign):
            for target in one.targets:
                if isinstance(target, ast.Name):
                    self.given[target.id].append(one.value)
        elif (
            isinstance(one, (ast.AnnAssign, ast.NamedExpr))
            and isinstance(one.target, ast.Name)
            and one.value is not None
        ):
            self.given[one.target.id].append(one.value)
        elif isinstance(one, ast.withitem) and isinstance(one.optional_vars, ast.Name):
            self.given[one.optional_vars.id].append(one.context_expr)

    def absolute(self, node: ast.ImportFrom) -> str:
        name = node.module or ""
        if not node.level:
            return name
        module = sys.modules.get(self.function.__module__)
        package = (getattr(module, "__package__", None) or "").split(".")
        return ".".join([*package[: len(package) - node.level + 1], *([name] if name else [])])

    def is_elsewhere(self, node: ast.AST) -> bool:
        """A name that an import in the function brings, of a module that nobody has imported."""
        return isinstance(node, ast.Name) and self.imported.get(node.id) is UNKNOWN

    def is_rebound(self, node: ast.AST) -> bool:
        """A name of the module that stands for now one thing, now another."""
        return (
            isinstance(node, ast.Name) and node.id not in self.bound and node.id in self.function.__globals__
        )

    def value(self, node: ast.AST) -> Any:
        """What an expression stands for."""
        if id(node) in self.open:  # a name that is made of itself
            return UNKNOWN
        self.open.add(id(node))
        try:
            return self.seen(node)
        finally:
            self.open.discard(id(node))

    def seen(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Name):
            return self.name(node.id)
        if isinstance(node, ast.Attribute):
            return attribute(self.value(node.value), node.attr)
        if isinstance(node, ast.Await):
            return self.value(node.value)
        if isinstance(node, ast.Call):
            return made_by(self.value(node.func))
        if isinstance(node, ast.BoolOp):
            return FOREIGN if all(self.value(one) is FOREIGN for one in node.values) else UNKNOWN
        return FOREIGN if isinstance(node, BUILTIN) else UNKNOWN

    def name(self, name: str) -> Any:
        if name in self.imported:
            return self.imported[name]
        if name not in self.bound:
            return plain(lookup.value_of(self.function, name))
        given = self.given.get(name, ())
        stored = self.stored[name]
        if name in self.parameters and not stored:
            if self.parameters[0] == name and self.me is not None:
                return self.me if isinstance(self.me, type) is False else Typed(self.me)
            return typed(hints_of(self.function).get(name))
        if name in self.parameters or stored != len(given) or not given:
            return FOREIGN if name in self.caught and not stored else UNKNOWN
        values = [self.value(one) for one in given]
        return values[0] if all(one is values[0] or one == values[0] for one in values) else UNKNOWN


def attribute(base: Any, name: str) -> Any:
    if base is FOREIGN:
        return UNKNOWN if name in KEPT else FOREIGN
    if base is UNKNOWN:
        return UNKNOWN
    if isinstance(base, Bound):
        return UNKNOWN
    if isinstance(base, Typed):
        found = inspect.getattr_static(base.cls, name, UNKNOWN)
        found = found.fget if isinstance(found, property) else getattr(found, "__func__", found)
        return (
            Bound(found, base.cls)
            if isinstance(found, types.FunctionType)
            else typed(hints_of(base.cls).get(name))
        )
    found = lookup.attribute_of(base, name)
    if found is UNKNOWN and not isinstance(base, type):
        held = getattr(base, "__dict__", {})
        found = held[name] if isinstance(held, dict) and name in held else found
    if found is UNKNOWN and is_foreign(base if isinstance(base, (type, types.FunctionType)) else type(base)):
        return UNKNOWN if name in KEPT else FOREIGN
    return plain(found)


def made_by(callee: Any) -> Any:
    if isinstance(callee, type):
        return FOREIGN if is_foreign(callee) else Typed(callee)
    if callee is FOREIGN:
        return FOREIGN
    if isinstance(callee, types.MethodType):
        callee = callee.__func__
    callee = callee.function if isinstance(callee, Bound) else callee
    if isinstance(callee, types.BuiltinFunctionType):
        return UNKNOWN if callee.__name__ in ("getattr", "eval", "__import__", "next") else FOREIGN
    if isinstance(callee, types.FunctionType):
        return typed(hints_of(callee).get("return")) if not is_foreign(callee) else FOREIGN
    return UNKNOWN


def typed(hint: Any) -> Any:
    """What an annotation says of a value."""
    if typing.get_origin(hint) is not None:
        parts = [typed(one) for one in typing.get_args(hint) if one is not type(None)]
        return (
            parts[0]
            if parts and all(one == parts[0] for one in parts) and not isinstance(parts[0], Typed)
            else UNKNOWN
        )
    if not isinstance(hint, type) or hint is object:
        return UNKNOWN
    return FOREIGN if is_foreign(hint) else Typed(hint)


def plain(value: Any) -> Any:
    """A value of a module; what holds no code is foreign."""
    if isinstance(value, (str, bytes, int, float, bool, type(None))):
        return FOREIGN
    return value


@functools.cache
def hints_of(function: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # a name that is there for type checkers only
        return {
            name: hint
            for name, hint in getattr(function, "__annotations__", {}).items()
            if not isinstance(hint, str)
        }


def is_foreign(thing: Any) -> bool:
    """Code that knows no `HTTPException`, and the frameworks' own."""
    if files.is_frameworks(thing) or files.is_standard(files.file_of(thing)):
        return True
    module = sys.modules.get(getattr(thing, "__module__", None) or "")
    return files.is_installed(files.file_of(thing)) and not is_apps(module)


def functions_of(cls: type) -> Iterator[types.FunctionType]:
    """The methods of the app's own that objects of a class have."""
    for one in (part for base in cls.__mro__ if not is_foreign(base) for part in list(vars(base).values())):
        for part in (one.fget, one.fset) if isinstance(one, property) else (getattr(one, "__func__", one),):
            part = vars(part).get("__wrapped__", part) if isinstance(part, types.FunctionType) else part
            if isinstance(part, types.FunctionType):
                yield part


@functools.cache
def functions_named() -> dict[str, list[tuple[types.FunctionType, Any]]]:
    """All functions and methods of the app's own, by their names."""
    found: dict[str, list[tuple[types.FunctionType, Any]]] = collections.defaultdict(list)
    for module in [
        one for one in list(sys.modules.values()) if isinstance(one, types.ModuleType) and is_apps(one)
    ]:
        for name, value in list(vars(module).items()):
            if isinstance(value, types.FunctionType) and value.__module__ == module.__name__:
                found[name].append((value, None))
            elif isinstance(value, type) and value.__module__ == module.__name__:
                for inner, function in list(vars(value).items()):
                    function = (
                        function.fget
                        if isinstance(function, property)
                        else getattr(function, "__func__", function)
                    )
                    if isinstance(function, types.FunctionType) and not inner.startswith("__"):
                        found[inner].append((function, value))
    return found


def scheme(found: SecurityBase) -> str | None:
    """Where a scheme of FastAPI's refuses: without its credential, and `HTTPBasic` what is not written as it should be."""
    refuses = getattr(found, "auto_error", True) or isinstance(found, HTTPBasic)
    return "without its credential" if refuses else None


def says_500(handler: Any) -> bool:
    """Whether a handler of any exception says each time that the app has failed."""
    node = trees.node_of(handler)
    if node is None:
        return files.is_frameworks(handler)
    for one in ast.walk(node):
        name = getattr(one, "id", getattr(one, "attr", ""))
        if name in ("isinstance", "type", "getattr", "status_code", "__class__"):
            return False
        if (
            isinstance(one, ast.Constant)
            and type(one.value) is int
            and 100 <= one.value <= 599
            and one.value != 500
        ):
            return False
        if isinstance(one, ast.Call) and any(
            word.arg == "status_code" and is_open(word.value) for word in one.keywords
        ):
            return False
    return True


def is_open(node: ast.expr) -> bool:
    return not (
        isinstance(node, ast.Constant) or getattr(node, "attr", "").endswith(("INTERNAL_SERVER_ERROR",))
    )


def may_fail(node: ast.AST) -> bool:
    """Whether this may raise something that no `raise` of the app's names: what code it runs may be anybody's, `request.user` too."""
    if isinstance(node, ast.Name):
        return isinstance(node.ctx, ast.Del)
    if isinstance(node, (ast.Tuple, ast.List)):
        return not isinstance(node.ctx, ast.Load)  # unpacking
    return isinstance(node, MAY_FAIL)


def inside(node: Any) -> Iterator[ast.AST]:
    """What runs when a function is called: not its defaults, nor its decorators."""
    for one in node.body if isinstance(node.body, list) else [node.body]:
        yield from ast.walk(one)


def after_the_app(node: Any) -> Iterator[ast.AST]:
    """What a middleware does only where the app inside has failed."""
    for one in ast.walk(node):
        if isinstance(one, ast.Try) and any(map(is_the_app, ast.walk(one.body[0]))):
            for handler in one.handlers:
                for inner in handler.body:
                    yield from ast.walk(inner)


def is_the_app(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    return getattr(node.func, "id", getattr(node.func, "attr", "")) in ("call_next", "app", "_app")
