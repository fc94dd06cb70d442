"""Proves of code that runs before FastAPI validates that it leaves requests as they are: by reading it.

Nothing is taken for harmless because it looks so: every use of a request, its scope, what is received and what the app inside
answers has to be one of those that are known to change nothing (`kinds.py`). What is not understood is not proven. The
code may call functions of its own and of others, as far as their source can be read.
"""

from __future__ import annotations

import ast
import functools
import http
import logging
import types

from starlette.applications import Starlette
from starlette.datastructures import URL, Headers, MutableHeaders, QueryParams
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Router

from . import kinds, known, source
from .kinds import FREE, Kind, joined, kind

DEPTH = 6
STEPS = 20_000  # of one proof
READING = {
    "str", "repr", "bool", "len", "isinstance", "id", "hash", "dict", "list", "tuple", "set", "sorted", "any", "all", "hasattr",
    "print", "enumerate", "iter", "next",
}
COPYING = (dict, list, tuple, set, sorted, enumerate, iter, next)
# They run any code or reach any object.
OPEN = {"exec", "eval", "compile", "globals", "locals", "vars", "__import__", "delattr", "setattr", "breakpoint"}
FRAMES = {
    "_getframe", "currentframe", "get_objects", "get_referrers", "get_referents", "__globals__", "__closure__", "__code__", "__dict__",
    "__init__", "__setattr__",
}


class Unproven(Exception):
    """Why, as a person reads it: what the code does."""


class Facts:
    """What was found: each is none, or says why not."""

    def __init__(self):
        self.rewrites = None  # it may change the request, or answer by itself
        self.answers = None  # it may turn an answer into another
        self.reads = None  # it looks at bytes of the body or at names in the query
        self.preflights = False  # it answers OPTIONS by itself

    def is_proven(self):
        return not (self.rewrites or self.answers)


# What there is to prove


def middleware(cls, options, instance=None):
    """A middleware of ASGI, as a class or a function that makes one; the instance if it is there already."""
    facts = Facts()
    if known.is_known(cls, options):
        return facts
    return proving(facts, lambda prover: prover.middleware(cls, options, instance))


def dependency(call, names, bodies=(), has_body=True):
    """A dependency that is handed the request, by these names, or parts of the body. FastAPI validates the very same objects after,
    a body if there is one to validate."""
    place = "dependency" if has_body else "handler"
    return proving(Facts(), lambda prover: prover.dependency(call, names, bodies), place)


def reads(call, names):
    """Whether a handler that is handed the request may look at what nobody declared."""
    facts = proving(Facts(), lambda prover: prover.dependency(call, names), "handler")
    return not facts.is_proven() or facts.reads is not None


def answers_errors(handler, key):
    """Whether a handler of exceptions only ever answers with an error."""
    if qualified_function(handler) in ERRORS:
        return True
    facts = proving(Facts(), lambda prover: prover.handler(handler, key), "handler")
    return facts.is_proven()


def proving(facts, prove, place="middleware"):
    try:
        prove(Prover(facts, place))
    except Unproven as why:
        facts.rewrites = str(why)
    except Exception as error:  # no source, or not one that is understood
        facts.rewrites = f"is not understood ({type(error).__name__})"
    return facts


class Prover:
    def __init__(self, facts, place):
        self.facts = facts
        self.place = place
        self.known = {}
        self.steps = 0

    # Pieces

    def middleware(self, cls, options, instance):
        if not isinstance(cls, type):
            made = self.returned(cls, [kinds.APP], {}, 0)
            if made.name != "function":
                raise Unproven("is made by code that is not understood")
            self.enter_local(made, [kinds.SCOPE, kinds.RECEIVE, kinds.SEND])
            return
        if known.qualified(cls) == "starlette.middleware.authentication.AuthenticationMiddleware":
            self.authentication(options if instance is None else vars(instance))
            return
        own = [one for one in cls.__mro__ if one is not object and not source.is_frameworks(one)]
        if not own and cls is not BaseHTTPMiddleware:
            raise Unproven("is not one that is known")
        for base in cls.__mro__:
            if base not in own and base not in (object, BaseHTTPMiddleware):
                if set(vars(base)) & {name for one in own for name in vars(one)} - {"__init__", "__module__", "__doc__"}:
                    raise Unproven(f"changes how `{base.__name__}` works")
        me = kind("self", Me(cls, instance))
        dispatch = options.get("dispatch") if instance is None else getattr(instance, "dispatch_func", None)
        if issubclass(cls, BaseHTTPMiddleware):
            handler = dispatch or cls.dispatch
            if isinstance(handler, types.MethodType):
                handler = handler.__func__ if getattr(handler, "__self__", None) is instance else handler
            is_method = handler is getattr(cls, "dispatch", None)
            if is_method and not own:
                raise Unproven("has no code")
            self.init(cls, me)
            arguments = [kinds.REQUEST, kinds.CALL_NEXT]
            self.answered(self.returned(handler, [me, *arguments] if is_method else arguments, {}, 0))
            if source.is_frameworks(source.behind(cls.__call__)):
                return
        else:
            self.init(cls, me)
        self.returned(source.behind(cls.__call__), [me, kinds.SCOPE, kinds.RECEIVE, kinds.SEND], {}, 0)

    def init(self, cls, me):
        """What stands in the place of the app inside, and whether something else is put there later."""
        own = [base for base in cls.__mro__ if base is not object and not source.is_frameworks(base)]
        for name in ("__new__", "__getattr__", "__getattribute__", "__setattr__"):
            if any(name in vars(base) for base in own):
                raise Unproven(f"has a `{name}` of its own")
        init = cls.__init__
        if not isinstance(init, types.FunctionType):
            raise Unproven("has no source")
        if not source.is_frameworks(init):
            if source.node_of(init) is None and "__dataclass_fields__" in vars(cls):
                me.data.apps.add(next(iter(cls.__dataclass_fields__)))
            else:
                self.returned(init, [me, kinds.APP], {}, 0, making=True)
        elif issubclass(cls, BaseHTTPMiddleware):
            me.data.apps.add("app")
        for name in me.data.apps:
            if hasattr(cls, name) and "__dataclass_fields__" not in vars(cls):
                raise Unproven(f"decides in its class what `{name}` is")
        guarded = me.data.apps | GUARDED
        for base in own:
            for name, function in vars(base).items():
                node = source.node_of(function) if name != "__init__" else None
                for one in ast.walk(node) if node is not None else ():
                    if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store) and one.attr in guarded:
                        raise Unproven(f"puts something else in the place of `{one.attr}` (line {one.lineno})")

    def authentication(self, options):
        backend, on_error = options.get("backend"), options.get("on_error")
        self.returned(source.attribute_of(backend, "authenticate"), [kinds.MADE], {}, 0)
        default = source.attribute_of(on_error, "__func__")
        if on_error is not None and not source.is_frameworks(on_error if default is source.UNKNOWN else default):
            self.handler(on_error)

    def dependency(self, call, names, bodies=()):
        function, first = callable_of(call)
        named = {**dict.fromkeys(bodies, kinds.JSON), **dict.fromkeys(names, kinds.REQUEST)}
        came = self.returned(function, first, named, 0)
        if came.name not in kinds.HARMLESS:
            raise Unproven("hands the request on to whoever depends on it")

    def handler(self, handler, key=None):
        told = isinstance(key, int) or (isinstance(key, type) and (issubclass(key, HTTPException) or are_errors(key)))
        came = self.returned(handler, [FREE, kinds.EXCEPTION if told else FREE], {}, 0)
        if came.name != "refusal" or not came.sure:
            raise Unproven("may answer something that is no error")

    def answered(self, came):
        if came.name not in ("answer", "refusal") or not came.sure:
            # Whether before or after the app inside answered is not told apart.
            self.facts.answers = "answers in the place of the app"
            raise Unproven("answers by itself, with something that need not be an error")

    # Functions

    def returned(self, function, arguments, named, depth, making=False):
        """What a function returns that is called so."""
        first = []
        if isinstance(function, functools.partial):
            raise Unproven("is made of parts (`partial`)")
        if isinstance(function, types.MethodType):
            first, function = [self.of_value(function.__self__)], function.__func__
        elif type(function) is not types.FunctionType:
            call = source.attribute_of(type(function), "__call__")
            if not isinstance(call, types.FunctionType):
                raise Unproven(f"hands the request to `{name_of(function)}`, whose source cannot be read")
            first, function = [self.of_value(function)], call
        if depth > DEPTH:
            raise Unproven("hands the request on too often to be followed")
        if source.is_frameworks(function):
            raise Unproven(f"hands the request to `{function.__qualname__}`")
        node = source.node_of(function)
        if node is None:
            raise Unproven(f"hands the request to `{function.__qualname__}`, whose source cannot be read")
        arguments = [*first, *arguments]
        key = (id(function.__code__), tuple(map(repr, arguments)), tuple(sorted((n, repr(k)) for n, k in named.items())))
        if key not in self.known:
            self.known[key] = FREE  # if it calls itself
            read = Read(self, function, None, depth)
            read.making = making
            self.known[key] = read.run(node, arguments, named)
        return self.known[key]

    def enter_local(self, made, arguments):
        node, outer = made.data
        return Read(self, outer.function, outer, outer.depth + 1).run(node, arguments, {})

    def of_value(self, value):
        if isinstance(value, (Starlette, Router)):
            return kinds.THE_APP
        return kind("value", Box(value))


class Me:
    """The middleware itself."""

    def __init__(self, cls, instance):
        self.cls = cls
        self.instance = instance
        self.apps = set()  # attributes in which the app inside is

    def __repr__(self):
        return f"Me({id(self.cls)})"


class Box:
    """A value that is compared by what it is."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, Box) and self.key() == other.key()

    def __hash__(self):
        return hash(self.key())

    def __repr__(self):
        return f"Box{self.key()}"

    def key(self):
        return ("int", self.value) if type(self.value) is int else ("id", id(self.value))


def callable_of(call):
    """The function that runs when a dependency is called, and what its first argument is if that is not FastAPI's."""
    if isinstance(call, types.MethodType):
        return call.__func__, [kind("value", Box(call.__self__))]
    if isinstance(call, types.FunctionType):
        return call, []
    if isinstance(call, type):
        return call.__init__, [kind("self", Me(call, None))]
    if isinstance(call, functools.partial):
        raise Unproven("is made of parts (`partial`)")
    return type(call).__call__, [kind("value", Box(call))]


def code_of(thing, options):
    """The function by whose place a piece is named."""
    if options.get("dispatch"):
        return options["dispatch"]
    if isinstance(thing, type):
        for name in ("dispatch", "__call__", "__init__"):
            function = source.behind(vars(thing).get(name))
            if isinstance(function, types.FunctionType):
                return function
        return thing
    try:
        return callable_of(thing)[0]
    except Unproven:
        return thing


def name_of(thing):
    return getattr(thing, "__qualname__", None) or type(thing).__name__


class Read:
    """One function that is read, or one inside another."""

    def __init__(self, prover, function, outer, depth):
        self.prover = prover
        self.function = function
        self.outer = outer
        self.depth = depth
        self.making = False
        self.names = {}
        self.elsewhere = set()  # names that are assigned further out
        self.result = None

    def run(self, node, arguments, named):
        if self.depth > 2 * DEPTH:
            raise Unproven("hands the request on too often to be followed")
        parameters = node.args
        names = [one.arg for one in parameters.posonlyargs + parameters.args]
        given = dict(zip(names, arguments))
        rest = arguments[len(names) :]
        if any(not is_harmless(one) for one in rest):
            raise Unproven("takes what it is handed as `*args`")
        for name, value in named.items():
            if name not in names and name not in [one.arg for one in parameters.kwonlyargs]:
                if is_harmless(value):
                    continue
                raise Unproven("takes what it is handed as `**kwargs`")
            given[name] = value
        for one in [*parameters.posonlyargs, *parameters.args, *parameters.kwonlyargs]:
            self.names[one.arg] = given.get(one.arg, FREE)
        for one in (parameters.vararg, parameters.kwarg):
            if one is not None:
                self.names[one.arg] = FREE
        body = node.body if isinstance(node.body, list) else [ast.Return(value=node.body)]
        assigned = {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
        self.assigned = assigned
        before = None
        # Names of a loop may be read before the line that gives them a value: until nothing changes.
        for _ in range(4):
            self.result = None
            self.block(body)
            now = dict(self.names)
            if now == before:
                break
            before = now
        else:
            raise Unproven("is too tangled to be understood")
        return self.result or kinds.NOTHING

    def fail(self, what, node):
        line = getattr(node, "lineno", None)
        raise Unproven(f"{what} (line {line})" if line else what)

    # Statements

    def block(self, body):
        for statement in body:
            self.statement(statement)

    def statement(self, node):
        self.prover.steps += 1
        if self.prover.steps > STEPS:
            raise Unproven("is too long to be followed")
        method = getattr(self, "on_" + type(node).__name__, None)
        if method is None:
            self.parts(node)
        else:
            method(node)

    def parts(self, node):
        """A statement that is only the sum of its parts."""
        for _, value in ast.iter_fields(node):
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, ast.expr):
                    self.used(one)
                elif isinstance(one, ast.stmt):
                    self.statement(one)
                elif isinstance(one, ast.AST):
                    self.parts(one)
                # Names that a `match` binds.
        for name in ("name", "rest"):
            bound = getattr(node, name, None)
            if isinstance(bound, str) and type(node).__name__.startswith("Match"):
                self.bind(bound, FREE, node)

    def on_FunctionDef(self, node):
        for one in node.decorator_list:
            self.used(one)
        for one in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
            self.used(one)
        made = kind("function", (node, self))
        if node.decorator_list:
            self.mention(made, node)
            made = FREE
        self.bind(node.name, made, node)

    on_AsyncFunctionDef = on_FunctionDef

    def on_ClassDef(self, node):
        self.fail("defines a class inside", node)

    def on_Global(self, node):
        self.elsewhere.update(node.names)

    on_Nonlocal = on_Global

    def on_Pass(self, node):
        pass

    on_Import = on_ImportFrom = on_Break = on_Continue = on_Pass

    def on_Return(self, node):
        value = kinds.NOTHING if node.value is None else self.see(node.value)
        value = self.forced(value)
        if self.result is None:
            self.result = value
            return
        came = joined(self.result, value)
        if came is None:
            self.fail("returns now one thing, now another", node)
        self.result = came

    def forced(self, value):
        """A call of another function whose result matters."""
        if value.name == "call":
            function, arguments, named = value.data.value
            try:
                return self.prover.returned(function, arguments, named, self.depth + 1)
            except Unproven:
                return FREE
        return value

    def on_Expr(self, node):
        value = self.see(node.value)
        if value.name in ("yielded",):
            return

    def on_Assign(self, node):
        if len(node.targets) == 1 and isinstance(node.targets[0], (ast.Tuple, ast.List)):
            if isinstance(node.value, (ast.Tuple, ast.List)) and len(node.value.elts) == len(node.targets[0].elts):
                for target, value in zip(node.targets[0].elts, node.value.elts):
                    self.store(target, self.see(value))
                return
        value = self.see(node.value)
        for target in node.targets:
            self.store(target, value)

    def on_AnnAssign(self, node):
        if node.value is not None:
            self.store(node.target, self.see(node.value))

    def on_AugAssign(self, node):
        self.used(node.value)
        if isinstance(node.target, ast.Name):
            if not is_harmless(self.look_up(node.target)):
                self.fail("changes it in place", node)
            return
        self.store(node.target, FREE)

    def on_Delete(self, node):
        for target in node.targets:
            if isinstance(target, ast.Name):
                continue
            base = self.see(target.value)
            if not is_harmless(base) and base.name != "self":
                self.fail(f"deletes something of the {base.name}", node)

    def on_For(self, node):
        came = self.see(node.iter)
        self.readable(came, node.iter)
        self.store(node.target, PARTS.get(came.name, FREE))
        self.block(node.body)
        self.block(node.orelse)

    on_AsyncFor = on_For

    def on_With(self, node):
        for one in node.items:
            self.used(one.context_expr)
            if one.optional_vars is not None:
                self.store(one.optional_vars, FREE)
        self.block(node.body)

    on_AsyncWith = on_With

    def on_Try(self, node):
        self.block(node.body)
        for handler in node.handlers:
            if handler.type is not None:
                self.see(handler.type)
            if handler.name is None:
                self.block(handler.body)
                continue
            told = handler.type is not None and is_http(self.see(handler.type))
            # The name is gone after the block.
            before = self.names.get(handler.name)
            self.names[handler.name] = kinds.EXCEPTION if told else FREE
            self.block(handler.body)
            del self.names[handler.name]
            if before is not None:
                self.names[handler.name] = before
        self.block(node.orelse)
        self.block(node.finalbody)

    on_TryStar = on_Try

    def on_If(self, node):
        self.readable(self.see(node.test), node.test)
        if self.is_preflight(node.test):
            before, self.result = self.result, None
            self.block(node.body)
            if self.result is not None and self.result.name == "own answer":
                self.prover.facts.preflights, self.result = True, before
            elif self.result is not None and before is not None:
                came = joined(before, self.result)
                self.result = came if came is not None else self.fail("returns now one thing, now another", node)
            elif self.result is None:
                self.result = before
            self.block(node.orelse)
            return
        self.block(node.body)
        self.block(node.orelse)

    def is_preflight(self, node):
        """`request.method == "OPTIONS"`"""
        if not (isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq)):
            return False
        left, right = node.left, node.comparators[0]
        if constant(right) != "OPTIONS" or not isinstance(left, ast.Attribute) or left.attr != "method":
            return False
        return self.see(left.value).name in kinds.REQUESTS

    def on_While(self, node):
        self.on_If(node)

    # Storing

    def bind(self, name, value, node):
        where = self
        if name in self.elsewhere:
            where = self.outer
            while where is not None and name not in where.names:
                where = where.outer
            if where is None:
                if not is_harmless(value):
                    self.fail(f"keeps the {value.name} in `{name}`", node)
                return
        if value.name == "value" or value.name == "call":
            pass
        if name in where.names:
            came = joined(where.names[name], value)
            if came is None:
                self.fail(f"`{name}` is now one thing, now another", node)
            value = came
        where.names[name] = value

    def store(self, target, value):
        if isinstance(target, ast.Name):
            self.bind(target.id, value, target)
        elif isinstance(target, (ast.Tuple, ast.List)):
            if not is_harmless(value) and value.name not in kinds.MAPPINGS:
                self.fail(f"takes the {value.name} apart", target)
            for one in target.elts:
                self.store(one, FREE)
        elif isinstance(target, ast.Starred):
            self.store(target.value, value)
        elif isinstance(target, ast.Attribute):
            self.store_attribute(target, value)
        elif isinstance(target, ast.Subscript):
            self.store_item(target, value)
        else:
            self.fail("stores in a way that is not understood", target)

    def store_attribute(self, target, value):
        base = self.see(target.value)
        if base.name == "self":
            me = base.data
            if value.name == "app" and value.sure and self.making:
                me.apps.add(target.attr)
                return
            if target.attr in me.apps or target.attr in ("dispatch", "dispatch_func", "__class__"):
                self.fail(f"puts something else in the place of `{target.attr}`", target)
        elif base.name == "answer":
            if target.attr not in ("background", "media_type", "charset", "headers", "raw_headers"):
                self.answers(f"sets `{target.attr}` of what the app answered", target)
            return self.harmless(value, target)
        elif base.name in ("refusal", "own answer"):
            if target.attr in ("status_code", "__class__"):
                self.fail("changes the status of its own answer", target)
        elif base.name == "value":
            held = base.data.value
            if source.is_frameworks(held) or source.is_frameworks(type(held)) or target.attr in GUARDED:
                self.fail(f"changes `{name_of(held)}`", target)
        elif base.name not in ("free", "object", "call", "exception"):
            self.fail(f"sets `{target.attr}` of the {base.name}", target)
        self.harmless(value, target)

    def store_item(self, target, value):
        base = self.see(target.value)
        self.used(target.slice)
        self.harmless(value, target)
        key = constant(target.slice)
        if base.name == "scope":
            if not isinstance(key, str) or key in kinds.TAKEN or kinds.is_private(key):
                self.fail(f"writes {key!r} into the scope" if key else "writes into the scope", target)
        elif base.name == "message":
            if key != "headers":
                self.answers("changes what the app answers", target)
        elif base.name not in ("free", "value", "object", "call"):
            self.fail(f"writes into the {base.name}", target)

    # Expressions

    def used(self, node):
        """An expression that goes somewhere by itself."""
        self.harmless(self.see(node), node)

    def harmless(self, value, node):
        if value.name == "function":
            self.mention(value, node)
        elif not is_harmless(value):
            self.fail(f"hands the {value.name} on", node)

    def readable(self, value, node):
        if value.name == "query" or value.name == "json":
            self.reads(node)
        if value.name not in (*kinds.READ_ONLY, "request", "made-request", "answer", "the app", "self", "route", "routes") and not is_harmless(value):
            if value.name == "function":
                return
            self.fail(f"uses the {value.name} in a way that is not known", node)

    def mention(self, made, node):
        """A function inside that somebody else may call, with anything."""
        inner, outer = made.data
        Read(self.prover, self.function, outer, self.depth + 1).checked(inner, outer)

    def checked(self, node, outer):
        came = self.run(node, [], {})
        if not is_harmless(came):
            self.fail(f"hands the {came.name} on", node)

    def reads(self, node):
        self.prover.facts.reads = self.prover.facts.reads or f"looks at the query or the body (line {node.lineno})"

    def answers(self, what, node):
        self.prover.facts.answers = self.prover.facts.answers or f"{what} (line {node.lineno})"

    def see(self, node):
        method = getattr(self, "see_" + type(node).__name__, None)
        if method is not None:
            return method(node)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.used(child)
        return FREE

    def see_Constant(self, node):
        if type(node.value) is int:
            return kind("value", Box(node.value))
        return kinds.NOTHING if node.value is None else FREE

    def look_up(self, node):
        where = self
        while where is not None:
            if node.id in where.names and not (where is self and node.id in self.elsewhere):
                return where.names[node.id]
            where = where.outer
        if node.id in self.assigned and node.id not in self.elsewhere:
            return FREE  # not assigned yet, or deleted
        value = source.value_of(self.function, node.id)
        return FREE if value is source.UNKNOWN else self.prover.of_value(value)

    def see_Name(self, node):
        return self.look_up(node)

    def see_NamedExpr(self, node):
        value = self.see(node.value)
        self.store(node.target, value)
        return value

    def see_Await(self, node):
        value = self.see(node.value)
        return kinds.ANSWER._replace(sure=value.sure) if value.name == "coming" else value

    def see_Yield(self, node):
        if node.value is not None:
            self.used(node.value)
        return FREE

    see_YieldFrom = see_Yield

    def see_JoinedStr(self, node):
        for one in node.values:
            if isinstance(one, ast.FormattedValue):
                self.readable(self.see(one.value), one)
                if one.format_spec is not None:
                    self.see(one.format_spec)
        return FREE

    def see_BoolOp(self, node):
        return self.either([self.see(one) for one in node.values], node)

    def see_IfExp(self, node):
        self.readable(self.see(node.test), node.test)
        return self.either([self.see(node.body), self.see(node.orelse)], node)

    def either(self, values, node):
        came = values[0]
        for value in values[1:]:
            # A value of its own beside another is not the other.
            came = joined(came, value)
            if came is None:
                self.fail("is now one thing, now another", node)
        return came

    def see_UnaryOp(self, node):
        self.readable(self.see(node.operand), node)
        return FREE

    def see_Compare(self, node):
        for one in (node.left, *node.comparators):
            value = self.see(one)
            if value.name != "scope":  # `"x" in scope`
                self.readable(value, one)
        return FREE

    def see_Lambda(self, node):
        return kind("function", (node, self))

    def comprehension(self, node):
        for generator in node.generators:
            came = self.see(generator.iter)
            self.readable(came, generator.iter)
            self.store(generator.target, PARTS.get(came.name, FREE))
            for test in generator.ifs:
                self.readable(self.see(test), test)
        for name in ("elt", "key", "value"):
            if getattr(node, name, None) is not None:
                self.used(getattr(node, name))
        return FREE

    see_ListComp = see_SetComp = see_DictComp = see_GeneratorExp = comprehension

    def see_Dict(self, node):
        for key, value in zip(node.keys, node.values):
            if key is None:
                came = self.see(value)
                if came.name in kinds.MAPPINGS:
                    self.readable(came, value)
                else:
                    self.harmless(came, value)
            else:
                self.used(key)
                self.used(value)
        return FREE

    def see_Starred(self, node):
        came = self.see(node.value)
        if came.name in (*kinds.MAPPINGS, "raw headers"):
            self.readable(came, node)
        else:
            self.harmless(came, node)
        return FREE

    def see_Subscript(self, node):
        base = self.see(node.value)
        self.used(node.slice)
        key = constant(node.slice)
        if base.name == "scope":
            return self.part_of_scope(key, node)
        if base.name in kinds.MAPPINGS:
            self.readable(base, node)
            return FREE
        if base.name == "raw headers":
            return FREE
        if base.name == "json":
            self.reads(node)
            return kinds.JSON
        if base.name == "message":
            return FREE
        if base.name not in ("free", "value", "object", "call", "exception", "nothing"):
            self.fail(f"takes something out of the {base.name}", node)
        return FREE

    def part_of_scope(self, key, node):
        if not isinstance(key, str):
            self.fail("takes something out of the scope that is not known", node)
        if key == "headers":
            return kinds.RAW_HEADERS
        if key == "path_params":
            return kinds.PATH
        if key == "query_string":
            self.reads(node)
            return FREE
        if key == "app":
            return kinds.THE_APP
        if key == "route":
            return kinds.ROUTE
        if key == "router" or kinds.is_private(key):
            self.fail(f"takes {key!r} out of the scope", node)
        return FREE

    def see_Attribute(self, node):
        if isinstance(node.value, ast.Attribute) and node.value.attr == "url":
            if node.attr in URL_PARTS and self.see(node.value.value).name in kinds.REQUESTS:
                return FREE
            if node.attr not in ("replace", "__str__"):
                self.reads(node)
        return self.attribute(self.see(node.value), node.attr, node)

    def attribute(self, base, name, node):
        if name in FRAMES:
            self.fail(f"reaches into other code (`{name}`)", node)
        if base.name in kinds.REQUESTS:
            return self.of_request(base, name, node)
        if base.name == "self":
            return self.of_self(base, name, node)
        if base.name in ("the app", "app") :
            if name in kinds.APP_FREE:
                return FREE
            if name == "routes":
                return kinds.ROUTES
            if name == "router":
                return kinds.THE_APP
            self.fail(f"uses `{name}` of the app", node)
        if base.name == "route":
            if name in kinds.ROUTE_FREE:
                return FREE
            if name == "matches":
                return kind("method", (base, name))
            self.fail(f"uses `{name}` of the route", node)
        if base.name == "value":
            return self.of_value(base.data.value, name, node)
        if base.name in ("answer", "coming"):
            if name not in kinds.ANSWER_FREE:
                self.answers(f"uses `{name}` of what the app answered", node)
            return FREE
        if base.name == "object":
            return self.of_class(base.data.value, base, name)
        if base.name == "exception":
            return kinds.ERROR_STATUS if name == "status_code" else FREE
        if base.name in ("refusal", "own answer"):
            return FREE
        if base.name in (*kinds.MAPPINGS, "raw headers", "scope", "message", "json"):
            return kind("method", (base, name))
        if is_harmless(base):
            return FREE
        self.fail(f"uses `{name}` of `{base.name}`", node)

    def of_request(self, base, name, node):
        if name in kinds.REQUEST_FREE:
            if name == "url" and self.prover.place != "middleware":
                self.reads(node)
            return FREE
        simple = {
            "headers": kinds.HEADERS, "cookies": kinds.COOKIES, "path_params": kinds.PATH, "scope": kinds.SCOPE,
            "app": kinds.THE_APP,
        }
        if name in simple:
            return simple[name]
        if name == "query_params":
            self.reads(node)
            return kinds.QUERY
        if name == "receive" and base.name == "made-request" and base.data == "receives":
            return kinds.RECEIVE._replace(sure=base.sure)
        if name in ("body", "json", "form", "stream", "get", "is_disconnected"):
            return kind("method", (base, name))
        self.fail(f"uses `{name}` of the request", node)

    def of_self(self, base, name, node):
        me = base.data
        if name in me.apps:
            return kinds.APP
        if me.instance is not None and name in vars(me.instance):
            return self.prover.of_value(vars(me.instance)[name])
        return self.of_class(me.cls, base, name)

    def of_class(self, cls, base, name):
        """A method of an object that is not made yet."""
        stored = source.stored_in(cls)
        found = source.attribute_of(cls, name)
        if stored is None or name in stored:
            return FREE
        if isinstance(found, types.FunctionType):
            static = isinstance(vars(owner(cls, name)).get(name), staticmethod)
            return kind("value", Box(found)) if static else kind("own method", (Box(found), base))
        if isinstance(found, types.MethodType):
            return kind("value", Box(found))
        return FREE

    def of_value(self, value, name, node):
        if name in FRAMES:
            self.fail(f"reaches into other code (`{name}`)", node)
        if isinstance(value, types.ModuleType) and is_file(value) and name in source.rebound(value.__file__):
            return FREE
        if not isinstance(value, (types.ModuleType, type, types.FunctionType)) and source.is_read(type(value)):
            stored = source.stored_in(type(value), made=True)
            if stored is None or name in stored:
                return FREE
        found = source.attribute_of(value, name)
        if found is source.UNKNOWN:
            return FREE
        return self.prover.of_value(found)

    # Calls

    def see_Call(self, node):
        if is_super(node):
            return kind("super")
        if isinstance(node.func, ast.Attribute) and is_super(node.func.value):
            return self.call_super(node)
        callee = self.see(node.func)
        arguments, named = [], {}
        for one in node.args:
            if isinstance(one, ast.Starred):
                self.see_Starred(one)
            else:
                arguments.append(self.see(one))
        starred = any(isinstance(one, ast.Starred) for one in node.args)
        for keyword in node.keywords:
            value = self.see(keyword.value)
            if keyword.arg is None:
                if value.name not in kinds.MAPPINGS:
                    self.harmless(value, node)
                starred = True
            else:
                named[keyword.arg] = value
        if starred and any(not is_harmless(one) for one in (*arguments, *named.values())):
            self.fail("hands the request on among arguments that are not known", node)
        return self.call(callee, arguments, named, node)

    def call(self, callee, arguments, named, node):
        every = [*arguments, *named.values()]
        if not callee.sure and not all(map(is_harmless, every)):
            self.fail("hands the request to what need not be the app inside", node)
        if callee.name == "call_next":
            if len(every) != 1 or every[0].name != "request" or not every[0].sure:
                self.fail("hands on another request than came", node)
            return kinds.COMING._replace(sure=callee.sure)
        if callee.name == "app":
            self.call_app(arguments, named, node)
            return FREE
        if callee.name == "send":
            return self.call_send(every, node)
        if callee.name == "receive":
            self.fail("takes the body out of what is received", node)
        if callee.name == "method":
            return self.call_method(callee.data, arguments, named, node)
        if callee.name == "own method":
            function, me = callee.data
            return self.call_function(function.value, [me, *arguments], named, node)
        if callee.name == "function":
            inner, outer = callee.data
            return Read(self.prover, self.function, outer, self.depth + 1).run(inner, arguments, named)
        if callee.name in ("refusal", "own answer"):
            if any(not is_harmless(one) for one in every):
                if callee.name == "own answer" or not callee.sure:
                    self.fail("answers by itself, with something that need not be an error", node)
                names = [one.name for one in every]
                if names != ["scope", "receive", "send"]:
                    self.fail("answers in a way that is not understood", node)
            return FREE
        if callee.name == "value":
            return self.call_value(callee.data.value, arguments, named, node)
        if callee.name == "call":
            pass
        for one in every:
            self.harmless(one, node)
        return FREE

    def call_app(self, arguments, named, node):
        given = dict(zip(("scope", "receive", "send"), arguments))
        given.update(named)
        for name in ("scope", "receive"):
            came = given.get(name)
            if came is None or came.name != name or not came.sure:
                self.fail(f"hands on another {name} than came", node)
        send = given.get("send")
        if send is None or len(given) != 3:
            self.fail("calls the app in a way that is not understood", node)
        if send.name == "send" and send.sure:
            return
        try:
            self.wrapper(send, node)
        except Unproven as why:
            self.prover.facts.answers = self.prover.facts.answers or f"may change what the app answers: {why}"

    def wrapper(self, send, node):
        """A function that stands in the place of `send`."""
        if send.name == "function":
            inner, outer = send.data
            came = Read(self.prover, self.function, outer, self.depth + 1).run(inner, [kinds.MESSAGE], {})
            senders, where = set(), outer
            while where is not None:
                senders |= {name for name, one in where.names.items() if one.name == "send" and one.sure}
                where = where.outer
            if isinstance(inner, ast.Lambda) or not always_sends(inner.body, senders):
                raise Unproven("it may keep a part of it back")
        else:
            raise Unproven("it is sent through code that is not understood")
        if not is_harmless(came):
            raise Unproven("it is sent through code that is not understood")

    def call_send(self, every, node):
        if len(every) == 1 and every[0].name == "message" and every[0].sure:
            return FREE
        message = node.args[0] if len(node.args) == 1 and isinstance(node.args[0], ast.Dict) else None
        parts = {}
        for key, value in zip(message.keys, message.values) if message is not None else ():
            parts[constant(key) if key is not None else None] = value
        kind_of_message = constant(parts.get("type"))
        if self.is_inside_wrapper():
            self.answers("sends something of its own", node)
        elif kind_of_message == "http.response.start" and self.is_error(parts.get("status")):
            pass
        elif kind_of_message != "http.response.body" or None in parts:
            self.fail("answers by itself, with something that need not be an error", node)
        return FREE

    def is_inside_wrapper(self):
        where = self
        while where is not None:
            if any(one.name == "message" for one in where.names.values()):
                return True
            where = where.outer
        return False

    def call_method(self, method, arguments, named, node):
        base, name = method
        if base.name == "route" and [one.name for one in arguments] == ["scope"] and not named:
            return FREE  # Starlette's own; a route class with another is opaque
        for one in (*arguments, *named.values()):
            self.harmless(one, node)
        if base.name in kinds.REQUESTS:
            return self.call_request(base, name, node)
        if base.name == "scope":
            key = constant(node.args[0]) if node.args else None
            if name == "get":
                return self.part_of_scope(key, node)
            if name == "setdefault" and isinstance(key, str) and key not in kinds.TAKEN and not kinds.is_private(key):
                return FREE
        elif base.name == "raw headers":
            if name in ("copy", "index", "count"):
                return FREE
        elif base.name == "message":
            if name in ("get", "keys"):
                return FREE
            if name == "setdefault" and constant(node.args[0]) == "headers":
                return FREE
        elif base.name in kinds.MAPPINGS and name in kinds.READERS:
            self.readable(base, node)
            return FREE
        elif base.name == "headers" and name == "mutablecopy":
            return FREE
        elif base.name == "json" and name in ("get", "keys", "values", "items"):
            self.reads(node)
            return kinds.JSON
        elif base.name == "json" and name in TEXT:
            return FREE
        self.fail(f"calls `{name}` of the {base.name}", node)

    def call_request(self, base, name, node):
        if name == "get":
            return self.part_of_scope(constant(node.args[0]) if node.args else None, node)
        place = self.prover.place
        if name == "is_disconnected" and place != "middleware":
            return FREE  # before, it could take a part of the body
        self.reads(node)
        if base.name == "made-request" and place != "handler":
            self.fail("takes the body out of what is received", node)
        if name == "body" or place == "handler":
            return FREE
        if name == "json":
            return FREE if place == "middleware" else kinds.JSON
        self.fail(f"calls `{name}` of the request: nothing of it is left after", node)

    def call_value(self, value, arguments, named, node):
        every = [*arguments, *named.values()]
        if isinstance(value, types.BuiltinFunctionType) and value.__name__ in OPEN and value.__module__ == "builtins":
            if value.__name__ not in ("setattr", "delattr") or not all(map(is_harmless, every)):
                self.fail(f"calls `{value.__name__}`", node)
            return FREE
        if getattr(value, "__module__", None) == "builtins" and getattr(value, "__name__", "") in READING:
            if value in COPYING and any(one.name == "json" for one in every):
                self.fail("copies what of the body is validated after", node)
            for one in every:
                self.readable(one, node)
            return FREE
        if value is getattr and len(arguments) >= 2:
            name = constant(node.args[1])
            if is_harmless(arguments[0]):
                for one in every:
                    self.harmless(one, node)
                return FREE
            if not isinstance(name, str):
                self.fail("reads an attribute that is not known", node)
            for one in every[2:]:
                self.harmless(one, node)
            return self.attribute(arguments[0], name, node)
        if isinstance(value, type):
            return self.make(value, arguments, named, node)
        if isinstance(value, types.MethodType) and isinstance(value.__self__, logging.Logger):
            for one in every:
                if one.name in kinds.MAPPINGS:
                    self.readable(one, node)
                else:
                    self.harmless(one, node)
            return FREE
        called = qualified_function(value)
        if called in ("asyncio.tasks.wait_for", "asyncio.tasks.shield") and arguments and arguments[0].name == "coming":
            for one in every[1:]:
                self.harmless(one, node)
            return arguments[0]
        if called == "typing.cast" and len(arguments) == 2:
            return arguments[1]
        if called in ("starlette.concurrency.run_in_threadpool", "asyncio.threads.to_thread") and arguments:
            return self.call(arguments[0], arguments[1:], named, node)
        if called in ERRORS:
            return kinds.REFUSAL
        return self.call_function(value, arguments, named, node)

    def call_function(self, value, arguments, named, node):
        every = [*arguments, *named.values()]
        tracked = [one for one in every if not is_harmless(one) and one.name not in ("function", "self")]
        if any(one.name == "app" for one in tracked):
            self.fail("hands the app inside on", node)
        if not tracked:
            for one in every:
                if one.name == "function":
                    self.mention(one, node)
            if any(one.name == "self" for one in every[1:]):
                self.fail("hands itself on", node)
            if isinstance(value, (types.FunctionType, types.MethodType)) and not source.is_frameworks(value):
                return kind("call", Box((value, tuple(arguments), dict(named))))
            return FREE
        if isinstance(value, types.FunctionType) and is_security(value):
            return FREE
        return self.prover.returned(value, arguments, named, self.depth + 1)

    def call_super(self, node):
        """`super().method(…)`"""
        method = node.func.attr
        arguments = [self.see(one) for one in node.args if not isinstance(one, ast.Starred)]
        named = {one.arg: self.see(one.value) for one in node.keywords if one.arg is not None}
        me = next((one for one in self.names.values() if one.name == "self"), None)
        defined = self.function.__qualname__.rpartition(".")[0].rpartition(".")[2]
        first = None
        if me is not None:
            order = me.data.cls.__mro__
            place = next((index for index, one in enumerate(order) if one.__name__ == defined), None)
            if place is not None:
                first = next((one for one in order[place + 1 :] if method in vars(one)), None)
        if first is None:
            values = [*arguments, *named.values()]
            if all(map(is_harmless, values)):
                return FREE
            held = next((one for one in self.names.values() if one.name == "value"), None)
            if held is not None:
                found = getattr(super(owner_of(held.data.value, self.function), held.data.value), method, None)
                if isinstance(found, types.MethodType) and is_security(found.__func__):
                    return FREE
            self.fail(f"hands the request to `{method}` of another class", node)
        function = vars(first)[method]
        if first is object:
            return FREE
        if method == "__init__" and first is BaseHTTPMiddleware:
            if set(named) - {"app", "dispatch"} or len(arguments) > 1:
                self.fail("is made in a way that is not understood", node)
            given = [*arguments, named.get("app")]
            if given[0] is None or given[0].name != "app" or not self.making:
                self.fail("is made in a way that is not understood", node)
            dispatch = named.get("dispatch")
            if dispatch is not None and not is_own(dispatch, me.data.cls, "dispatch"):
                self.fail("is made in a way that is not understood", node)
            me.data.apps.add("app")
            return FREE
        if method == "__call__" and first is BaseHTTPMiddleware:
            if [one.name for one in arguments] != ["scope", "receive", "send"] or not all(one.sure for one in arguments):
                self.fail("hands on another request than came", node)
            return FREE
        if source.is_frameworks(first):
            if method == "__init__" and known.qualified(first) in known.KNOWN:
                return FREE
            if known.is_known(first, {}) and [one.name for one in arguments] == ["scope", "receive", "send"]:
                return FREE
            if is_security(function):
                return FREE
            self.fail(f"hands the request to `{first.__name__}`", node)
        return self.prover.returned(function, [me, *arguments], named, self.depth + 1, making=self.making)

    def make(self, cls, arguments, named, node):
        """An object of a class."""
        every = [*arguments, *named.values()]
        names = [one.name for one in arguments]
        if cls in (Request, HTTPConnection):
            if names == ["scope"] and not named or cls is HTTPConnection and names[:1] == ["scope"]:
                return kinds.MADE
            if names[:2] == ["scope", "receive"] and all(one.sure for one in every) and set(names[2:]) <= {"send"}:
                return kind("made-request", "receives")
            self.fail("makes another request", node)
        if cls is Headers:
            if {one.name for one in every} <= {"scope", "raw headers", "headers", "free"}:
                return kinds.HEADERS
        if cls is MutableHeaders and any(one.name in ("scope", "raw headers", "headers") for one in every):
            self.fail("may change the headers of the request", node)
        if cls is MutableHeaders and [one.name for one in every] == ["message"]:
            return FREE
        if cls is URL and [one.name for one in every] == ["scope"]:
            return FREE
        if cls is QueryParams:
            self.reads(node)
        if issubclass(cls, Response):
            for one in every:
                self.harmless(one, node)
            return self.response(cls, node)
        for one in every:
            if one.name == "function":
                self.mention(one, node)
        if any(not is_harmless(one) and one.name != "function" for one in every):
            if source.is_frameworks(cls) or not isinstance(cls.__init__, types.FunctionType):
                self.fail(f"hands the request to `{cls.__name__}`", node)
            self.prover.returned(cls.__init__, [kind("self", Me(cls, None)), *arguments], named, self.depth + 1)
        own = not source.is_frameworks(cls) and source.file_of(cls)
        return kind("object", Box(cls)) if own and "__getattr__" not in vars(cls) else FREE

    def response(self, cls, node):
        if issubclass(cls, RedirectResponse) or not source.is_frameworks(cls.__init__):
            return kinds.OWN
        status = next((one.value for one in node.keywords if one.arg == "status_code"), None)
        if status is None and len(node.args) > 1:
            status = node.args[1]
        if any(one.arg is None for one in node.keywords) or any(isinstance(one, ast.Starred) for one in node.args):
            return kinds.OWN
        return kinds.REFUSAL if self.is_error(status) else kinds.OWN

    def is_error(self, node):
        """Whether an expression is the status of an error."""
        if node is None:
            return False
        if isinstance(node, ast.IfExp):
            return self.is_error(node.body) and self.is_error(node.orelse)
        value = constant(node)
        if value is None and isinstance(node, (ast.Name, ast.Attribute)):
            seen = self.see(node)
            if seen.name == "error status":
                return True
            value = seen.data.value if seen.name == "value" else None
        if isinstance(value, http.HTTPStatus):
            value = value.value
        return type(value) is int and 400 <= value <= 599


PARTS = {"json": kinds.JSON, "routes": kinds.ROUTE}
URL_PARTS = {"path", "scheme", "hostname", "port", "netloc", "is_secure", "username", "fragment"}
GUARDED = {"app", "dispatch", "dispatch_func", "__call__", "__class__"}
TEXT = {
    "lower", "upper", "strip", "split", "startswith", "endswith", "encode", "isdigit", "replace", "rstrip", "lstrip", "count",
}
ERRORS = {
    "fastapi.exception_handlers.http_exception_handler",
    "fastapi.exception_handlers.request_validation_exception_handler",
    "slowapi.extension._rate_limit_exceeded_handler",
}


def always_sends(block, senders):
    """Whether a block sends whatever way is taken."""
    for one in block:
        if isinstance(one, (ast.Expr, ast.Return)):
            call = one.value.value if isinstance(one.value, ast.Await) else one.value if isinstance(one, ast.Return) else None
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in senders:
                return True
        if isinstance(one, (ast.With, ast.AsyncWith)) and always_sends(one.body, senders):
            return True
        if isinstance(one, ast.Try) and (always_sends(one.body, senders) or always_sends(one.finalbody, senders)):
            return True
        if isinstance(one, ast.If):
            ways = always_sends(one.body, senders), always_sends(one.orelse, senders)
            if all(ways):
                return True
            ends = (any(isinstance(each, (ast.Return, ast.Raise)) for each in ast.walk(way)) for way in one.body + one.orelse)
            if any(ends) and not ways[0]:
                return False
        elif isinstance(one, (ast.Return, ast.Raise)):
            return False
    return False


def is_http(value):
    """Whether exceptions have a status that is looked at elsewhere (`raised.py`)."""
    held = value.data.value if value.name == "value" else None
    return isinstance(held, type) and issubclass(held, HTTPException)


def are_errors(cls):
    """Exceptions of the app's own that say their status once and for all."""
    stored, status = source.stored_in(cls), getattr(cls, "status_code", None)
    here = stored is not None and "status_code" not in stored and type(status) is int and 400 <= status <= 599
    return here and all(map(are_errors, cls.__subclasses__()))


def is_harmless(value):
    return value.name in kinds.HARMLESS


def constant(node):
    return node.value if isinstance(node, ast.Constant) else None


def is_super(node):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def is_file(module):
    return bool(getattr(module, "__file__", None)) and module.__file__.endswith(".py")


def is_own(value, cls, name):
    return value.name == "own method" and value.data[0].value is getattr(cls, name, None)


def owner(cls, name):
    return next(one for one in cls.__mro__ if name in vars(one))


def owner_of(value, function):
    return next((one for one in type(value).__mro__ if function in vars(one).values()), type(value))


def qualified_function(value):
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"


def is_security(function):
    """FastAPI's own schemes read the one place that they declare."""
    return source.is_frameworks(function) and (function.__module__ or "").startswith("fastapi.security")
