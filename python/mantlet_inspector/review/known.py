"""What items and attributes make of values, and what conditions say of them."""

from __future__ import annotations

import ast
import builtins
import collections
import dataclasses
import enum
import os
import re
import sys
import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import fastapi.params

from mantlet_inspector.objects.models import evaluated, is_model, known_fields, unwrapped
from mantlet_inspector.objects.models import item_of as item_type
from mantlet_inspector.objects.user import PASSWORD
from mantlet_inspector.review.effects import MADE, READ, REMOVED, WRITE
from mantlet_inspector.review.values import NOTHING, Sent, Value, depending, live
from mantlet_inspector.source import files
from mantlet_inspector.source.lookup import attribute_of, imported_from
from mantlet_inspector.source.objects import is_class, is_module, names_in
from mantlet_inspector.source.stored import bases_of, class_name

if TYPE_CHECKING:
    from mantlet_inspector.review.frame import Frame

CONTAINERS = (dict, list, set, collections.defaultdict, collections.OrderedDict, collections.deque)
# Functions that say nothing of what they are told.
PLAIN_CALLS = {
    "compare_digest",
    "get",
    "issubset",
    "issuperset",
    "isdisjoint",
    "intersection",
    "difference",
    "union",
}
# What stands in a table of words and numbers that the code itself has.
CONSTANTS = (str, bytes, bool, int, float, type(None), enum.Enum)
MOST = 1_000  # items of such a table
CHANGES = {
    *("append", "appendleft", "add", "insert", "extend", "update", "setdefault"),
    "pop",
    "popitem",
    "remove",
} | {*("discard", "clear", "difference_update", "intersection_update")}
# Functions that read a text or a body, and whose errors say what is wrong with it.
PARSERS = {
    *(
        "loads",
        "json",
        "body",
        "int",
        "float",
        "Decimal",
        "UUID",
        "fromisoformat",
        "strptime",
        "decode",
        "get",
    ),
    *("model_validate", "model_validate_json", "parse_obj", "validate_python", "literal_eval", "b64decode"),
}
BROAD = ("Exception", "BaseException")
DATABASES = ("sqlalchemy", "sqlite3", "psycopg", "psycopg2", "asyncpg", "pymysql", "aiosqlite", "pymongo")
REFUSING = re.compile(r"auth|permission|forbid|denied|credential|access|login|privilege", re.IGNORECASE)
# Parts of a request that say who is calling.
OF_CALLERS = ("headers", "cookies", "session", "state", "user", "auth")
CREDENTIAL = re.compile(r"auth|token|key|session|user|signature|secret|cookie|tenant", re.IGNORECASE)


def names_password(name: str) -> bool:
    """As fields of passwords are called where a standard does not say it."""
    return PASSWORD.fullmatch(name.lower().replace("passphrase", "password")) is not None


def names_plain(name: str) -> bool:
    """As passwords themselves are called, and not their hashes."""
    return names_password(name) and re.search("hash|digest|crypt", name.lower()) is None


def sends_password(value: Value) -> bool:
    """Whether it is a password as a client has sent it."""
    return any(names_plain(one.name.rpartition(".")[2]) for one in value.sent)


def is_constant(found: Any) -> bool:
    """Whether a list, a set or a dictionary is a table that the code itself has, such as the roles
    that it knows, and nothing in which the app keeps objects. An empty one may be filled."""
    if not 0 < len(found) <= MOST or type(found) is collections.defaultdict:
        return False
    if not isinstance(found, dict):
        return all(isinstance(one, CONSTANTS) for one in found)
    return all(isinstance(key, CONSTANTS) for key in found) and all(
        isinstance(one, CONSTANTS[2:])
        or (type(one) in (list, tuple, set, frozenset) and all(isinstance(each, CONSTANTS) for each in one))
        for one in found.values()
    )


def changed(frame: Frame, value: Value, node: ast.expr) -> Value:
    """What is changed is no table of the code: the app keeps something in it."""
    if value.store is not None or type(value.live) not in CONTAINERS:
        return value
    return Value(live=value.live, store=frame.reader.shared.store_of(value.live, ast.unparse(node)))


def is_plain(called: Value, name: str) -> bool:
    """Whether a function says nothing of what it is told: `set(…)`, `Role(…)`."""
    found = called.live
    if name in PLAIN_CALLS or is_class(found):
        return True
    if type(found) is not types.BuiltinFunctionType and not isinstance(found, type(str.lower)):
        return False
    own = getattr(found, "__self__", None)
    return getattr(builtins, name, NOTHING) is found or type(own) in (*CONTAINERS, frozenset, tuple, str)


def is_row(frame: Frame, value: Value) -> bool:
    return value.store is not None


def is_container(value: Value) -> bool:
    """What an app keeps its objects in, itself."""
    return value.store is not None and type(value.live) in CONTAINERS


def part(value: Value, number: int, count: int) -> Value:
    """One of several that are taken apart."""
    if value.keys is not None and str(number) in value.keys:
        return value.keys[str(number)]
    if value.store is not None:
        return Value(store=value.store, cls=value.cls, caller=value.caller)
    return depending([value])


def item_of(frame: Frame, value: Value) -> Value:
    if value.item is not None:
        return value.item
    if value.store is not None:
        if is_container(value):
            touched(frame, value.store, READ)
        return Value(
            store=value.store,
            cls=None if is_container(value) else value.cls,
            caller=value.caller,
            is_partial=value.is_partial,
        )
    if value.fields is not None:
        return key_of(value)
    made = depending([value])
    made.error = value.error
    return made


KEYS = frozenset([Sent("names of fields", "body")])  # of what a client has sent


def key_of(value: Value) -> Value:
    """The name of a field that a client has sent."""
    sent = frozenset([Sent("names of fields", "body")]) if value.any_field and value.sent else frozenset()
    return Value(
        column="*",
        fields=value.fields,
        any_field=value.any_field,
        sent=sent,
        from_sent=KEYS,
        model=value.model,
    )


def subscript(frame: Frame, value: Value, key: Value, quiet: bool = False) -> Value:
    found = subscripted(frame, value, key, quiet)
    named = type(key.live) is str and value.caller and found.caller and not found.rights
    return dataclasses.replace(found, rights=frozenset([key.live])) if named else found


def subscripted(frame: Frame, value: Value, key: Value, quiet: bool) -> Value:
    name = key.live if type(key.live) in (str, int) else None
    if value.verb == "headers":
        return header(frame, name)
    if is_container(value):
        if not quiet:
            touched(frame, value.store, READ, key.caller)
        return Value(store=value.store, caller=value.caller or (key.caller and frame.reader.finds_caller))
    if value.keys is not None and name is not None and str(name) in value.keys:
        return value.keys[str(name)]
    if value.store is not None:
        if type(name) is str:
            return Value(store=value.store, column=name, caller=value.caller, made=value.made)
        return Value(store=value.store, cls=value.cls, caller=value.caller, is_partial=value.is_partial)
    if value.item is not None and name is not None:
        return value.item
    if value.sent:  # a part of a text
        return Value(sent=value.sent, from_sent=value.from_sent, caller=value.caller)
    if type(value.live) is dict and name in value.live:
        return live(value.live[name])
    return depending([value, key])


def header(frame: Frame, name: Any) -> Value:
    """One of a request; most of them say nothing of the caller."""
    if type(name) is str and CREDENTIAL.search(name) is None:
        return Value()
    frame.effects.caller = True
    return Value(caller=True, credential=True)


def touched(frame: Frame, store: str | None, how: str, by_caller: bool = False, owned: bool = False) -> None:
    if store is None:
        return
    touch = frame.effects.touch(store)
    touch.how.add(how)
    touch.by_caller |= by_caller
    touch.owned |= owned
    if by_caller:
        frame.effects.uses_caller = True
        frame.effects.chosen_by.add("*")


def set_item(frame: Frame, target: Value, key: Value, value: Value, node: Any) -> None:
    if is_container(target):
        touched(frame, target.store, MADE if value.store is None else WRITE, key.caller, holds_caller(value))
        stored(frame, target.store, value, node)
    elif target.store is not None:
        touched(frame, target.store, WRITE)
        if type(key.live) is str:
            assigned(frame, target, key.live, value, node)
        elif key.column == "*":
            assigned_fields(frame, target.store, key, node)
    elif (target.keys is not None or target.fields is not None) and type(key.live) is str:
        target.keys = target.keys if target.keys is not None else {}
        target.keys[key.live] = value
        target.caller |= value.caller
    elif target.keys is not None:
        target.is_whole = False


def remove_item(frame: Frame, target: Value, key: Value) -> None:
    if target.fields is not None and target.column is None:
        target.fields -= {key.live}
    if is_container(target):
        touched(frame, target.store, REMOVED, key.caller)


def set_attribute(frame: Frame, target: Value, name: str, value: Value, node: Any) -> None:
    held = attribute_of(target.live, name) if target.live is not NOTHING else None
    if type(held) in CONTAINERS:  # what it keeps its objects in gets others
        touched(frame, frame.attribute_from(target, name).store, WRITE)
    elif target.store is not None:
        touched(frame, target.store, WRITE)
        assigned(frame, target, name, value, node)
    elif target.attributes is not None or target.model is not None:
        target.attributes = {**(target.attributes or {}), name: value}


def assigned(frame: Frame, target: Value, name: str, value: Value, node: Any) -> None:
    if value.from_sent and value.from_sent.isdisjoint(frame.reader.validated) and target.store is not None:
        frame.effects.assigns.setdefault((target.store, name), (frame.shown, node.lineno))
    if target.made:
        made(frame, target.store, {name: value})
    if names_password(name) and sends_password(value):
        frame.effects.sign("password-in-plain", frame.shown, node.lineno)


def assigned_fields(frame: Frame, store: str | None, value: Value, node: Any) -> None:
    """All that a client has sent is written."""
    if store is None or value.fields is None:
        return
    columns = frame.reader.shared.columns_of(store)
    is_looked_at = value.column == "*" and not value.from_sent.isdisjoint(frame.reader.validated)
    if value.model is not None and not is_looked_at:
        fields = value.fields if columns is None else value.fields & columns
        plain_fields(frame, Value(fields=fields, model=value.model), node)
    for name in sorted(value.fields):
        frame.effects.assigns.setdefault((store, name), (frame.shown, node.lineno))
    if value.any_field:
        frame.effects.assigns.setdefault((store, "*"), (frame.shown, node.lineno))


def made(frame: Frame, store: str | None, keys: dict[str, Value]) -> None:
    """A new object: who has made it, and whether it is an account."""
    if store is None:
        return
    touch = frame.effects.touch(store)
    for name, one in keys.items():
        if one.caller and not one.is_mixed:
            touch.owned = True
            touch.owners.add(name)
        frame.effects.makes_account |= names_password(name)


def stored(frame: Frame, store: str | None, value: Value, node: Any) -> None:
    """A new object."""
    made(frame, store, value.keys or {})
    frame.effects.makes_account |= any(map(names_password, value.fields or ()))
    assigned_fields(frame, store, without(value, value.keys), node)
    for name, one in (value.keys or {}).items():
        if names_password(name) and sends_password(one):
            frame.effects.sign("password-in-plain", frame.shown, node.lineno)
        elif one.from_sent and store is not None and one.from_sent.isdisjoint(frame.reader.validated):
            frame.effects.assigns.setdefault((store, name), (frame.shown, node.lineno))
    plain_fields(frame, value, node)


def plain_fields(frame: Frame, value: Value, node: Any) -> None:
    """Passwords among all that a client has sent."""
    names = without(value, value.keys).fields or frozenset()
    if value.model is not None and value.fields is None and value.column is None:
        names = frozenset(known_fields(value.model)) - frozenset(value.attributes or ())  # as a whole
    if value.model is not None and any(map(names_plain, names)):
        from mantlet_inspector.review.values import validates

        if not validates(value.model):
            frame.effects.sign("password-in-plain", frame.shown, node.lineno)


def without(value: Value, keys: Any) -> Value:
    """A dump, without what is set beside it."""
    if value.fields is None or not keys:
        return value
    return Value(
        fields=value.fields - frozenset(keys),
        any_field=value.any_field,
        model=value.model,
        from_sent=value.from_sent,
    )


def chosen_by(frame: Frame, values: list[Value]) -> None:
    """Objects are chosen by these values, which depend on the caller."""
    frame.effects.uses_caller = True
    for one in values:
        if not one.of_owner:  # otherwise the comparison that made it was noted
            frame.effects.chosen_by |= one.rights or {"*"}


def holds_caller(value: Value) -> bool:
    held = [*(value.keys or {}).values(), *([value.item] if value.item is not None else [])]
    return value.caller or any(one.caller for one in held)


def entered(value: Value) -> Value:
    return value


def attribute_in(node: ast.AST) -> tuple[Any, str]:
    """`a` and `b` of `a.b`, `a["b"]`, `a.get("b")` and `getattr(a, "b")`."""
    if isinstance(node, ast.Attribute):
        return node.value, node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return node.value, node.slice.value if type(node.slice.value) is str else ""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and type(first.value) is str:
            return node.func.value, first.value
    if isinstance(node, ast.Call) and ends_in(node.func, "getattr") and len(node.args) > 1:
        second = node.args[1]
        if isinstance(second, ast.Constant) and type(second.value) is str:
            return node.args[0], second.value
    return None, ""


def is_about_objects(values: list[Value]) -> bool:
    return any((one.store is not None and not one.caller) or one.from_sent for one in flat(values))


def flat(values: list[Value]) -> list[Value]:
    """Values, and those that stand in a list among them."""
    return [inner for one in values for inner in (one, *(one.keys or {}).values())]


def is_length(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "len"


def is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def compared(frame: Frame, node: ast.Compare) -> None:
    operands = [node.left, *node.comparators]
    if any(map(is_none, operands)):
        return
    if any(isinstance(one, ast.Call) and is_length(one) for one in operands):
        for one in operands:
            frame.effects.measured |= {each.name for each in frame.quietly(one).from_sent}
        return
    for one in operands:
        frame.validated(frame.quietly(one))


def comparison(frame: Frame, node: ast.Compare, values: list[Value]) -> Value:
    values = flat(values)
    made = depending(values)
    if any(is_none(one) for one in node.comparators):
        made.caller = False
        return made
    if made.caller and is_about_objects(values):
        made.rights, made.of_owner = frozenset(), True
    others = [one for one in values if not one.caller or one.store is not None]
    if made.caller:
        about = [
            one for one in values if one.store is not None and not (one.caller and frame.reader.finds_caller)
        ]
        about = [one for one in about if not (one.caller and not others)]
        mine = [one for one in values if one.caller]
        is_owner = any(one.store is not None and not one.caller for one in values)
        is_sent = any(one.from_sent and not one.caller for one in values)
        if is_owner or is_sent:
            chosen_by(frame, mine)
            for one in about:
                if one.store is not None and one not in mine:
                    frame.effects.touch(one.store).by_caller = True
    for one in values:
        if one.column is not None and names_password(one.column) and any(map(sends_password, values)):
            if any(map(sends_password, values)):
                frame.effects.sign("password-in-plain", frame.shown, node.lineno)
    made.store = next((one.store for one in values if one.store is not None), None)
    made.column = "?"
    return made


def ends_in(function: ast.expr, name: str) -> bool:
    """Whether a function is called like that: `secrets.compare_digest`."""
    return (isinstance(function, ast.Attribute) and function.attr == name) or (
        isinstance(function, ast.Name) and function.id == name
    )


def is_http_exception(cls: Any) -> bool:
    return is_class(cls) and any(class_name(one) == "HTTPException" for one in bases_of(cls))


def only_parses(frame: Frame, nodes: list[ast.stmt]) -> bool:
    """Whether statements only read what a client has sent: their errors tell of that alone."""
    calls = [each for one in nodes for each in ast.walk(one) if isinstance(each, ast.Call)]

    def parses(call: ast.Call) -> bool:
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        return name in PARSERS or is_model(frame.quietly(call.func).live)

    return bool(calls) and all(map(parses, calls))


def error_class(frame: Frame, node: Any) -> str | None:
    """The class of exceptions that are caught, if it is a broad one."""
    if node is None:
        return "BaseException"
    nodes = node.elts if isinstance(node, ast.Tuple) else [node]
    for one in nodes:
        cls = frame.quietly(one).live
        if is_class(cls) and is_broad(cls):
            return class_name(cls)
    return None


def is_broad(cls: Any) -> bool:
    return class_name(cls) in BROAD or str(cls.__module__).partition(".")[0] in DATABASES


def shown(frame: Frame, value: Value, node: Any) -> None:
    """What a handler answers."""
    if frame.depth:
        return
    if value.error:
        frame.effects.sign("error-text", frame.shown, node.lineno, status=200)
    if value.live is os.environ:
        frame.effects.sign("secret-shown", frame.shown, node.lineno)
    for one in (value, *(value.keys or {}).values()):
        text = one.live.encode() if type(one.live) is str else one.live
        if type(text) is bytes and text in frame.reader.shared.secrets:
            frame.effects.sign("secret-shown", frame.shown, node.lineno)


def of_annotation(annotation: Any, function: Any) -> Value:
    annotation = unwrapped(evaluated(annotation, function) if not is_class(function) else annotation)
    item = item_type(annotation)
    if item is not None:
        return Value(item=Value(cls=item) if is_class(item) else Value())
    if is_class(annotation) and annotation not in (str, int, float, bool, dict, list, object, bytes):
        return Value(cls=annotation)
    return Value()


def is_marker(value: Any) -> bool:
    """`Depends(…)`, `Query(…)`"""
    return isinstance(value, (fastapi.params.Depends, fastapi.params.Param, fastapi.params.Body))


def imports(frame: Frame, node: Any) -> Iterator[tuple[str, Value]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            name = alias.name if alias.asname else alias.name.partition(".")[0]
            module = sys.modules.get(name)
            yield alias.asname or name, live(module) if is_module(module) else Value()
        return
    own = sys.modules.get(frame.function.__globals__.get("__name__") or "")
    module = sys.modules.get(imported_from(node, own)) if own is not None else None
    for alias in node.names:
        found = names_in(module).get(alias.name, NOTHING) if is_module(module) else NOTHING
        if found is NOTHING and is_module(module):
            found = sys.modules.get(f"{names_in(module).get('__name__')}.{alias.name}", NOTHING)
        yield alias.asname or alias.name, Value(live=found)


def is_frameworks(cls: Any) -> bool:
    return is_class(cls) and files.is_frameworks(cls)
