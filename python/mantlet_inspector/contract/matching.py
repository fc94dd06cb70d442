"""Which paths a route takes, and whether code of the app's own decides that."""

from __future__ import annotations

import ast
import collections
import functools
import re
import types
from typing import Any

from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette import convertors
from starlette.routing import Host, Match, Mount, Route, WebSocketRoute

from mantlet_inspector.source import lookup, trees

ROUTES = (APIRoute, APIWebSocketRoute, Route, WebSocketRoute, Mount)
CONVERTORS = {
    convertors.StringConvertor: "str",
    convertors.PathConvertor: "path",
    convertors.IntegerConvertor: "int",
    convertors.FloatConvertor: "float",
    convertors.UUIDConvertor: "uuid",
}
PARAMETER = re.compile(r"{([a-zA-Z_][a-zA-Z0-9_]*)(:[a-zA-Z_][a-zA-Z0-9_]*)?}")


@functools.cache
def overrides(cls: Any, bases: tuple[type, ...], *methods: str) -> bool:
    """Whether a class of the app's own replaces one of the methods."""
    for method in methods:
        own = getattr(cls, method, None)
        if own is not None and own not in [getattr(base, method, None) for base in bases]:
            return True
    return False


def pattern(route: Any) -> tuple[str, dict[str, str]]:
    """-> (the path, the patterns of convertors that are not Starlette's own). Those become `path`
    in the path, which takes at least as much."""
    convertors = route.param_convertors.items()
    own = {name: convertor.regex for name, convertor in convertors if type(convertor) not in CONVERTORS}
    return PARAMETER.sub(
        lambda match: f"{{{match[1]}:path}}" if match[1] in own else match[0], route.path
    ), own


def decides(route: Any, seen: Any) -> bool:
    """Whether code of the app's own decides which requests a route takes. A route of Starlette's
    that is included is made anew, without its class."""
    if "matches" in vars(route):
        return True
    return overrides(type(route if isinstance(route, APIRoute) else seen), (*ROUTES, Host), "matches")


@functools.cache
def narrows(cls: Any) -> bool:
    """Whether the `matches` of an app's own class takes no request that Starlette's would not take:
    it returns that result, or `Match.NONE`."""
    for one in cls.__mro__:
        if one in (*ROUTES, Host):
            return True
        own = vars(one).get("matches")
        if own is not None and not (isinstance(own, types.FunctionType) and narrows_in(own)):
            return False
    return False


def narrows_in(function: Any) -> bool:
    node = trees.node_of(function)
    if (
        not isinstance(node, ast.FunctionDef)
        or len(node.args.args) != 2
        or any(map(changes_names, ast.walk(node)))
    ):
        return False
    scope = node.args.args[1].arg
    held, stores = {}, collections.Counter()

    def is_none(one: Any) -> bool:
        """`Match.NONE`"""
        return (
            isinstance(one, ast.Attribute)
            and one.attr == "NONE"
            and lookup.value_of(function, getattr(one.value, "id", "")) is Match
        )

    def is_supers(one: Any) -> bool:
        """`super().matches(scope)`"""
        if not isinstance(one, ast.Call) or len(one.args) != 1 or one.keywords:
            return False
        if not isinstance(one.func, ast.Attribute) or one.func.attr != "matches":
            return False
        owner = one.func.value
        by_super = isinstance(owner, ast.Call) and getattr(owner.func, "id", "") == "super" and not owner.args
        return by_super and getattr(one.args[0], "id", "") == scope

    for one in ast.walk(node):
        if isinstance(one, ast.Name) and isinstance(one.ctx, (ast.Store, ast.Del)):
            stores[one.id] += 1
        if isinstance(one, ast.Assign) and len(one.targets) == 1 and is_supers(one.value):
            target = one.targets[0]
            if isinstance(target, ast.Name):
                held[target.id] = "both"
            elif (
                isinstance(target, ast.Tuple)
                and len(target.elts) == 2
                and isinstance(target.elts[0], ast.Name)
            ):
                held[target.elts[0].id] = "match"
        if (
            isinstance(one, ast.Subscript)
            and getattr(one.value, "id", "") == scope
            and not isinstance(one.ctx, ast.Load)
        ):
            return False

    def is_known(one: Any, what: str) -> bool:
        return isinstance(one, ast.Name) and held.get(one.id) == what and stores[one.id] == 1

    def is_narrow(one: Any) -> bool:
        if isinstance(one, ast.IfExp):
            return is_narrow(one.body) and is_narrow(one.orelse)
        if isinstance(one, ast.Tuple) and len(one.elts) == 2:
            return is_none(one.elts[0]) or is_known(one.elts[0], "match")
        return is_supers(one) or is_known(one, "both")

    returns = [one for one in ast.walk(node) if isinstance(one, ast.Return)]
    return (
        bool(returns)
        and scope not in stores
        and all(one.value is not None and is_narrow(one.value) for one in returns)
    )


def changes_names(node: Any) -> bool:
    return isinstance(node, (ast.Lambda, ast.Yield, ast.Global, ast.Nonlocal, ast.ClassDef)) or (
        isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name != "matches"
    )
