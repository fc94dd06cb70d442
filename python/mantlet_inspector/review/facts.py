"""All that the review is told of an app."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable
from typing import Any

from fastapi.security.base import SecurityBase

from mantlet_inspector.contract.dependants import PARAMETERS
from mantlet_inspector.objects.models import fields_of, item_of, known_fields, unwrapped
from mantlet_inspector.objects.tables import Table, tables_of
from mantlet_inspector.objects.user import finds_caller, takes_credentials
from mantlet_inspector.review.effects import Effects, below_project
from mantlet_inspector.review.keys import signing_keys, unverified
from mantlet_inspector.review.known import is_broad, is_http_exception, names_password
from mantlet_inspector.review.reader import Reader, Shared, TooMuch
from mantlet_inspector.review.settings import settings_of
from mantlet_inspector.review.values import Sent, Value, copied, live, sent_value
from mantlet_inspector.source import bytecode, files
from mantlet_inspector.source.objects import code_of, is_class
from mantlet_inspector.source.stored import bases_of, names_of

BOUND = 5.0  # seconds of the processor's time
LOCATIONS = {**{name: location for location, name in PARAMETERS.items()}, "body_params": "body"}


def add(
    app: Any, name: str, operations: list[tuple[Any, str, Any]], modules: Iterable[Any], bound: float = BOUND
) -> Any:
    """Adds to operations what their code does: (a route, its path, its operation as it was read).
    `name` is that of the app's module. -> what is known of the app"""
    modules = list(modules)
    tables = tables_of(modules)
    shared = Shared(tables, bound)
    shared.modules = modules
    keys = signing_keys(app, name, modules)
    shared.secrets = {key for key in keys if len(key) > 3}
    reading = Operations(shared)
    for route, _, operation in operations:
        place = place_of(route.endpoint)
        if place is not None:
            operation["handler"] = place
        operation["code"] = reading.of(route)
    found = settings_of(app, keys, modules)
    of_callers = [sign(key, more) for key, more in sorted(reading.signs.items(), key=lambda one: one[0])]
    signs = [*handlers(app, shared), *unverified(app, name), *of_callers]
    columns = columns_of(tables, shared)
    return {
        **found,
        **({"signs": signs} if signs else {}),
        **({"columns": columns} if columns else {}),
        **({"late": True} if shared.is_late else {}),
    }


def place_of(function: Any) -> dict[str, Any] | None:
    function = bytecode.unwrapped(function)
    code = code_of(function)
    if code is None and not is_class(function):
        made_of = names_of(type(function)).get("__call__")
        code = code_of(made_of)
    if code is None:
        return None
    file = below_project(files.file_of(function) or code.co_filename)
    if file is None or files.is_installed(code.co_filename):
        return None
    return {"file": file, "line": code.co_firstlineno}


class Operations:
    """Reads what the code of operations does."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.signs: dict[tuple[str, str, int], dict[str, Any]] = {}  # of those that find the caller
        self.known: dict[Any, tuple[Any, Value, Effects, bool]] = {}  # dependencies that were read

    def of(self, route: Any) -> dict[str, Any]:
        reader = Reader(self.shared)
        try:
            self.read(reader, route)
        except (TooMuch, RecursionError):
            reader.effects.is_whole = False
        except Exception:  # an app may hold anything
            reader.effects.is_whole = False
        reader.effects.measured |= {one.name for one in reader.validated}
        return written(reader.effects)

    def read(self, reader: Reader, route: Any) -> None:
        overrides = (
            getattr(getattr(route, "dependency_overrides_provider", None), "dependency_overrides", None) or {}
        )
        arguments = self.arguments(reader, route.dependant, overrides)
        call = route.dependant.call
        answer = run(reader, call, arguments)
        if answer is None:
            reader.effects.is_whole = False
            return
        shown = shown_in(route, answer, self.shared)
        if shown:
            reader.effects.answer = shown

    def arguments(self, reader: Reader, dependant: Any, overrides: Any) -> dict[str, Value]:
        """What a function of a route is called with."""
        found: dict[str, Value] = {}
        for attribute, location in LOCATIONS.items():
            for field in getattr(dependant, attribute):
                name = getattr(field, "name", field.alias)
                info = field.field_info
                sent = Sent(name, location)
                if field.alias != name:
                    reader.aliases[sent] = field.alias
                found[name] = sent_value(info.annotation, sent, info)
                if is_upload(info.annotation):
                    found[name] = uploaded(info.annotation, sent)
                if reader.finds_caller and location in ("header", "cookie"):
                    found[name] = Value(caller=True, credential=True, prefix=sent)
                    if location == "cookie":
                        reader.effects.cookies_read.add(field.alias)
        for sub in dependant.dependencies:
            value = self.dependency(reader, sub, overrides)
            if sub.name is not None:
                found[sub.name] = value
        return found

    def dependency(self, reader: Reader, sub: Any, overrides: Any) -> Value:
        call = overrides.get(sub.call, sub.call)
        if isinstance(inspect.unwrap(call) if inspect.isfunction(call) else call, SecurityBase):
            reader.effects.caller = reader.effects.schemes = True
            is_optional = getattr(call, "auto_error", True) is False
            reader.effects.offers |= is_optional
            reader.effects.demands |= not is_optional
            takes_it = next(
                names_of(base)["__call__"] for base in bases_of(type(call)) if "__call__" in names_of(base)
            )
            # A class of the app's own verifies it by itself.
            reader.effects.checks |= not files.is_frameworks(takes_it)
            name = getattr(getattr(call, "model", None), "name", None)  # of an API key
            prefix = Sent(name, "header") if type(name) is str else None
            return Value(caller=True, credential=True, prefix=prefix, absent=is_optional)
        takes_path = takes(sub)
        key = taken(sub, call) if takes_path else id(call)
        kept = self.known.get(key)
        if kept is None:
            kept = self.known[key] = (call, *self.of_dependency(sub, call, overrides, takes_path))
        _, value, effects, finds = kept
        value = copied(value) if takes_path else value
        is_shared = finds and not takes_path
        if is_shared:
            self.signs.update(effects.signs)
        reader.effects.add(effects, only_refusals=is_shared)
        return value

    def of_dependency(
        self, sub: Any, call: Any, overrides: Any, takes_path: bool
    ) -> tuple[Value, Effects, bool]:
        """-> its value, what it does, and whether it finds out who is calling"""
        value, effects = self.run(sub, call, overrides, takes_credentials(sub) and not takes_path)
        if sub.security_scopes_param_name is not None:
            effects.asks.clear()  # which scopes are asked for stands beside the operation
        finds = finds_caller(sub) or (effects.caller and (effects.refuses or effects.raises))
        if not finds and effects.refuses and reads_credentials(sub) and not takes_path:
            # It has a way of its own to take a credential, and refuses those that it does not know.
            value, effects = self.run(sub, call, overrides, True)
            effects.caller = finds = True
        if finds and not effects.demands and (takes_credentials(sub) or not effects.offers):
            effects.offers |= value.absent
            effects.demands = not value.absent and (effects.refuses or effects.raises)
        if finds and not takes_path:
            value = dataclasses.replace(value, caller=True)
        return value, effects, finds

    def run(self, sub: Any, call: Any, overrides: Any, finds: bool) -> tuple[Value, Effects]:
        inner = Reader(self.shared, finds_caller=finds)
        value = None
        try:
            value = run(inner, call, self.arguments(inner, sub, overrides))
        except TooMuch:
            inner.effects.is_whole = False
        if value is None:
            inner.effects.checks = inner.effects.demands = True  # code that is not read may
            value = Value(cls=call) if is_class(call) else Value()
            if reads_credentials(sub):  # it may refuse
                inner.effects.refuses = True
        return value, inner.effects


def takes(dependant: Any) -> bool:
    """Whether it, or what it depends on, is told more by the client than a credential."""
    return bool(dependant.path_params or dependant.body_params or dependant.query_params) or any(
        map(takes, dependant.dependencies)
    )


def taken(dependant: Any, call: Any) -> tuple[Any, ...]:
    """What a function and those that it depends on take from which place. Where that is the same,
    they do the same."""
    fields = (getattr(dependant, attribute) for attribute in LOCATIONS)
    names = (tuple(getattr(one, "name", one.alias) for one in every) for every in fields)
    return (id(call), *names, *(taken(one, one.call) for one in dependant.dependencies))


def reads_credentials(dependant: Any) -> bool:
    """Whether it gets what credentials come in."""
    return bool(
        dependant.header_params
        or dependant.cookie_params
        or dependant.request_param_name
        or dependant.http_connection_param_name
    )


def run(reader: Reader, call: Any, arguments: dict[str, Value]) -> Value | None:
    """Calls what FastAPI would call."""
    function = bytecode.unwrapped(call)
    if is_class(function):
        made = Value(cls=function, attributes={})
        init = names_of(function).get("__init__")
        if fields_of(function) or files.is_frameworks(function):
            made.attributes = dict(arguments)
        elif code_of(init) is not None:
            reader.run(init, {"self": made, **arguments})
        return made
    if code_of(function) is None:
        method = names_of(type(function)).get("__call__")
        if code_of(method) is None:
            return None
        first = method.__code__.co_varnames[0]
        return reader.run(method, {first: live(call), **arguments})
    if inspect.ismethod(call):
        first = function.__code__.co_varnames[0]
        arguments = {first: live(call.__self__), **arguments}
    return reader.run(function, arguments)


def is_upload(annotation: Any) -> bool:
    annotation = unwrapped(annotation)
    annotation = item_of(annotation) or annotation
    return is_class(annotation) and any(one.__name__ == "UploadFile" for one in annotation.__mro__)


def uploaded(annotation: Any, sent: Sent) -> Value:
    """A file: its name is text that a client chooses."""
    name = Value(sent=frozenset([Sent(f"{sent.name}.filename", "body")]))
    name.from_sent = name.sent
    one = Value(attributes={"filename": name}, from_sent=frozenset([sent]))
    return Value(item=one) if item_of(unwrapped(annotation)) is not None else one


# What an answer shows


def shown_in(route: Any, answer: Value, shared: Shared) -> dict[str, Any] | None:
    """Rows that are shown as they are, and passwords in what a model shows."""
    model = (
        getattr(route, "response_model", None) if getattr(route, "response_field", None) is not None else None
    )
    declared = unwrapped(item_of(unwrapped(model)) or unwrapped(model)) if model is not None else None
    fields = fields_of(declared) if declared is not None else {}
    if fields:
        secret = sorted(name for name in fields if names_password(name) and not excluded(declared, name))
        return {"secrets": secret, "declared": sorted(fields)} if secret else {"declared": sorted(fields)}
    row = answer if answer.store is not None else (answer.item or Value())
    if row.store is None or row.column is not None or row.is_partial:
        return None
    secret = [name for name in columns_in(row.store, shared) if names_password(name)]
    return {"rows": row.store, **({"secrets": secret} if secret else {})}


def excluded(cls: Any, name: str) -> bool:
    return bool(getattr(known_fields(cls).get(name), "exclude", False))


def columns_in(store: str, shared: Shared) -> list[str]:
    return columns_of(shared.tables, shared).get(store, [])


def columns_of(tables: dict[str, Table], shared: Shared) -> dict[str, list[str]]:
    """The names of the columns of what an app keeps, as far as they are known."""
    found = {name: sorted(one.columns) for name, one in tables.items()}
    for held, name in shared.stores.values():
        values = list(held.values()) if isinstance(held, dict) else list(held)
        sample = values[0] if values else None
        if isinstance(sample, dict):
            found.setdefault(name, sorted(one for one in sample if type(one) is str))
    return found


# Handlers of exceptions


def handlers(app: Any, shared: Shared) -> list[dict[str, Any]]:
    """What handlers of all exceptions tell of them."""
    found: dict[Any, Any] = {}
    for key, handler in list(getattr(app, "exception_handlers", {}).items()):
        is_all = key == 500 or (is_class(key) and is_broad(key) and not is_http_exception(key))
        code = code_of(bytecode.unwrapped(handler))
        if not is_all or code is None or code.co_argcount < 2:
            continue
        reader = Reader(shared)
        try:
            names = code.co_varnames[:2]
            run(reader, handler, {names[0]: Value(), names[1]: Value(error="Exception")})
        except (TooMuch, RecursionError):
            continue
        except Exception:
            continue
        for (kind, file, line), more in reader.effects.signs.items():
            if kind == "error-text":
                found[kind, file, line] = {**more, "status": more.get("status")}
    return [sign(key, more) for key, more in sorted(found.items(), key=lambda one: one[0])]


# As it is written


def sign(key: tuple[str, str, int], more: dict[str, Any]) -> dict[str, Any]:
    kind, file, line = key
    kept = {name: value for name, value in more.items() if value is not None}
    return {"kind": kind, **({"file": file} if file else {}), "line": line, **kept}


def written(effects: Effects) -> dict[str, Any]:
    touches = [
        {
            "store": store,
            "how": sorted(one.how),
            **({"by-caller": True} if one.by_caller else {}),
            **({"owned": True} if one.owned else {}),
            **({"owners": sorted(one.owners)} if one.owners else {}),
        }
        for store, one in sorted(effects.touches.items())
        if one.how
    ]
    assigns = [
        {"store": store, "field": field, **({"file": file} if file else {}), "line": line}
        for (store, field), (file, line) in sorted(effects.assigns.items())
    ]
    cookies = [
        {**more, **({"file": file} if file else {}), "line": line}
        for (file, _, line), more in sorted(effects.cookies.items())
    ]
    lists = {
        "signs": [sign(key, more) for key, more in sorted(effects.signs.items(), key=lambda one: one[0])],
        "touches": touches,
        "assigns": assigns,
        "cookies": cookies,
        "reads-cookies": sorted(effects.cookies_read),
        "asks": sorted(effects.asks),
        "excuses": sorted(effects.excuses),
        "chosen-by": sorted(effects.chosen_by),
        "measured": sorted(effects.measured),
        "bounds": sorted(effects.bounds - {""}),
    }
    flags = {
        "refuses": effects.refuses,
        "unchecked": effects.schemes and not effects.checks and effects.is_whole,
        "caller": effects.caller and (effects.refuses or effects.raises),
        "optional": effects.caller and effects.offers and not effects.demands,
        "makes-account": effects.makes_account,
        "uses-caller": effects.uses_caller,
        "partial": not effects.is_whole,
    }
    return {
        **{name: value for name, value in lists.items() if value},
        **{name: True for name, value in flags.items() if value},
        **({"answer": effects.answer} if effects.answer else {}),
    }
