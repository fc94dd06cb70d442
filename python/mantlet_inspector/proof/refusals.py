"""Code that may refuse a request before FastAPI validates its input: dependencies that raise, and
middleware that answers.

A refusal is an `HTTPException`, an exception for which an app has a handler, or an answer of a
middleware's own. Code is followed by the values of its names. Where a value cannot be known, every
function of the app with that name is followed. A dependency that only fails (500) refuses nothing.
Code that cannot be read may refuse.
"""

from __future__ import annotations

import ast
import functools
import sys
import types
from collections.abc import Iterator
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.security.base import SecurityBase
from fastapi.security.http import HTTPBasic
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mantlet_inspector.proof import known_middleware
from mantlet_inspector.proof.app_code import is_apps
from mantlet_inspector.proof.inference import (
    FOREIGN,
    Bound,
    FunctionNames,
    Typed,
    functions_named,
    functions_of,
    inside,
    is_foreign,
)
from mantlet_inspector.proof.known_middleware import ERRORS
from mantlet_inspector.source import files, index, lookup, memory, objects, places, trees
from mantlet_inspector.source.objects import closure
from mantlet_inspector.source.trees import constant

MOST = 600  # functions that are followed for one dependency
LOOK_EVERY = 16  # functions
UNKNOWN = lookup.UNKNOWN

MAY_FAIL = (
    *(ast.Call, ast.Await, ast.Subscript, ast.Attribute, ast.Starred, ast.FormattedValue, ast.Assert),
    *(ast.Import, ast.ImportFrom, ast.With, ast.AsyncWith, ast.For, ast.AsyncFor, ast.comprehension),
    *(ast.YieldFrom, ast.BinOp, ast.Compare, ast.AugAssign),
    *([ast.Match] if sys.version_info >= (3, 10) else []),
)


class Refusals:
    """Finds where code may refuse. What was found of a function counts for all that reach it."""

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
                if not len(seen) % LOOK_EVERY:  # to ask for the time takes long, too
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
                # The methods that run when an object is made, or used without a name. Others are
                # followed where code names them.
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
        code = FunctionNames(function, node, me)
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
                name = constant(one.args[1])
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
                elif found is UNKNOWN and isinstance(one, ast.Name) and code.is_rebound(one):
                    following += functions_named().get(one.id, ())
                elif found is not FOREIGN and found is not UNKNOWN and not isinstance(found, Typed):
                    following.append(found if isinstance(found, Bound) else (found, None))
        return None, [(one.function, one.me) if isinstance(one, Bound) else one for one in following]

    def refuses(self, node: ast.Raise, code: FunctionNames) -> bool:
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

    def answers(self, node: ast.AST, code: FunctionNames) -> bool:
        if isinstance(node, ast.Dict):
            return any(
                isinstance(one, ast.Constant) and one.value == "http.response.start" for one in node.values
            )
        if not isinstance(node, ast.Call):
            return False
        made = code.value(node.func)
        return (isinstance(made, type) and issubclass(made, Response)) or known_middleware.qualified(
            made
        ) in ERRORS

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


def scheme(found: SecurityBase) -> str | None:
    """Where one of FastAPI's schemes refuses: without a credential; `HTTPBasic` a malformed one."""
    refuses = getattr(found, "auto_error", True) or isinstance(found, HTTPBasic)
    return "without its credential" if refuses else None


def says_500(handler: Any) -> bool:
    """Whether a handler of any exception says each time that the app has failed."""
    node = trees.node_of(handler)
    if node is None:
        return files.is_frameworks(handler)
    for one in ast.walk(node):
        if index.last_name(one) in ("isinstance", "type", "getattr", "status_code", "__class__"):
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
    """Whether this may raise an exception that no `raise` in the app names: it may run any code, as
    `request.user` does."""
    if isinstance(node, ast.Name):
        return isinstance(node.ctx, ast.Del)
    if isinstance(node, (ast.Tuple, ast.List)):
        return not isinstance(node.ctx, ast.Load)  # unpacking
    return isinstance(node, MAY_FAIL)


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
    return index.last_name(node.func) in ("call_next", "app", "_app")
