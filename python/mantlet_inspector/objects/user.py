"""The model of the user: what the dependencies that take credentials return."""

from __future__ import annotations

import inspect
import re
import typing
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from fastapi.security.base import SecurityBase

from mantlet_inspector.objects.models import evaluated, fields_of, unwrapped
from mantlet_inspector.objects.tables import Table
from mantlet_inspector.objects.words import bare
from mantlet_inspector.source.objects import closure, code_of, generated_for, is_class, whole
from mantlet_inspector.source.places import name_of
from mantlet_inspector.source.stored import class_name

CALLER = re.compile(r"(current|authenticated|logged|signed|active|verified).*(user|account|member|customer)")
PASSWORD = re.compile(
    r"(password|passwd|pwd|pass)_?(hash|digest)?|(hashed?|encrypted)_?(password|passwd|pwd)|pw_?hash"
)
FLAGS = ("is_superuser", "is_admin", "is_staff")
ROLE = "role"
PRIVILEGES = ("admin", "administrator", "is_admin", "is_staff", "is_superuser", "staff", "superuser")
GENERATORS = ("Generator", "AsyncGenerator", "Iterator", "AsyncIterator", "Awaitable", "Coroutine")


def takes_credentials(dependant: Any) -> bool:
    """Whether it takes a credential from a scheme."""
    return any(
        isinstance(inspect.unwrap(sub.call), SecurityBase) for sub in dependant.dependencies if sub.call
    )


def finds_caller(dependant: Any) -> bool:
    """Whether it, or one that it depends on, takes a credential, or says by its name that it finds
    the caller."""
    if takes_credentials(dependant) or any(map(finds_caller, dependant.dependencies)):
        return True
    return dependant.call is not None and CALLER.search(name_of(dependant.call).lower()) is not None


def behind(dependant: Any) -> Iterator[str]:
    """Dependencies that stand between the handler and one that finds the caller, by their names:
    they may ask who it is."""
    for sub in dependant.dependencies:
        if sub.call is not None and any(map(finds_caller, sub.dependencies)):
            yield name_of(sub.call)
        if sub.call is not None and finds_caller(sub):
            yield from asked_for(sub.call)
        yield from behind(sub)


def asked_for(call: Any) -> Iterator[str]:
    """What a dependency that was made by a function was told to ask for:
    `current_user(superuser=True)`, `require("admin")`."""
    function = generated_for(whole(call))
    code = code_of(function)
    for name, value in zip(code.co_freevars if code is not None else (), closure(function)):
        if value is True and name in PRIVILEGES:
            yield name
        elif type(value) is str and value.lower() in PRIVILEGES:
            yield value.lower()


def classes(dependant: Any) -> Iterator[tuple[Any, str]]:
    """What dependencies that find the caller are said to return -> (a class, the dependency)"""
    for sub in dependant.dependencies:
        if sub.call is None or isinstance(sub.call, SecurityBase):
            continue
        if finds_caller(sub):
            for annotation in (taken(dependant.call, sub.name), returned(sub.call)):
                found = unwrapped(annotation)
                if is_class(found):
                    yield found, name_of(sub.call)
        yield from classes(sub)


def taken(call: Any, name: str | None) -> Any:
    """The annotation of a parameter."""
    function = getattr(call, "__func__", call)
    notes = getattr(function, "__annotations__", {}) if inspect.isfunction(function) else {}
    return evaluated(notes.get(name), function)


def returned(call: Any) -> Any:
    annotation = taken(call, "return")
    if typing.get_origin(annotation) is not None and typing.get_args(annotation):
        if getattr(typing.get_origin(annotation), "__name__", "") in GENERATORS:
            args = typing.get_args(annotation)
            is_last = typing.get_origin(annotation).__name__ == "Coroutine"
            return args[-1] if is_last else args[0]
    return annotation


def user_of(routes: Iterable[Any], tables: dict[str, Table]) -> tuple[Table | None, dict[str, Any]]:
    """-> (the table of users, what is known of it or why nothing is)"""
    by_class = {id(table.cls): table for table in tables.values() if table.cls is not None}
    votes: Counter[tuple[str, str]] = Counter()
    others: Counter[tuple[str, str]] = Counter()
    for route in routes:
        seen = set()
        for cls, dependency in classes(route.dependant):
            table = by_class.get(id(cls))
            if table is not None:
                seen.add((True, table.name, dependency))
            elif fields_of(cls):
                seen.add((False, class_name(cls), dependency))
        for is_mapped, name, dependency in seen:
            (votes if is_mapped else others)[name, dependency] += 1
    if votes:
        (name, dependency), _ = max(votes.items(), key=lambda one: (one[1], one[0]))
        return tables[name], facts(tables[name], f"`{dependency}` returns it")
    with_password = [table for table in tables.values() if password_of(table)]
    if others:
        # A model of its own for what a table has.
        (said, dependency), _ = max(others.items(), key=lambda one: (one[1], one[0]))
        alike = [table for table in with_password if bare(said) in table.names]
        if len(alike) == 1:
            return alike[0], facts(alike[0], f"`{dependency}` returns `{said}`")
    if len(with_password) > 1:
        with_password = [one for one in with_password if one.names & {"user", "account"}] or with_password
    if len(with_password) == 1:
        table = with_password[0]
        return table, facts(table, f"it has the column `{password_of(table)}`")
    why = "no dependency is annotated with a table, and "
    if with_password:
        why += "several have a password: " + ", ".join(f"`{one.name}`" for one in with_password)
    else:
        why += "none has a password"
    return None, {"unknown": why}


def password_of(table: Table) -> str | None:
    return next((one.name for one in table.columns.values() if PASSWORD.fullmatch(one.name.lower())), None)


def facts(table: Table, why: str) -> dict[str, Any]:
    roles = []
    for name, column in table.columns.items():
        if name in FLAGS:
            roles.append({"name": name, "kind": "number" if column.kind == "number" else "flag"})
        elif name == ROLE and (column.choices or column.kind in {"text", "other"}):
            roles.append({"name": name, "kind": "choice", "choices": list(column.choices)})
    return {"table": table.name, "key": list(table.key), "why": why, "roles": roles}
