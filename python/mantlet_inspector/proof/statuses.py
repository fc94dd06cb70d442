"""Where code makes an `HTTPException` whose status need not be an error."""

from __future__ import annotations

import ast
import functools
import http
import importlib.util
import os
import sys
import types
from typing import Any

from starlette.exceptions import HTTPException

from mantlet_inspector.proof.app_code import is_http, subclasses
from mantlet_inspector.source import files, index, lookup, memory, objects, trees
from mantlet_inspector.source.index import HTTP, Definition
from mantlet_inspector.source.lookup import owner


class ModuleNames:
    """A module whose names are looked up, each once, to find the definitions that need a closer
    look (`odd_in`).
    """

    def __init__(self, module: types.ModuleType) -> None:
        self.module = module
        self.values: dict[str, Any] = {}
        self.https = {name for name, value in list(objects.names_in(module).items()) if is_http(value)}
        facts = memory.facts_of(module.__file__ or "")
        self.aliases = {
            mark[6:] for one in facts.definitions for mark in one.marks if mark.startswith("alias ")
        }
        self.is_own = not files.is_installed(files.file_in(module))

    def value(self, text: str) -> Any:
        """What a name with attributes stands for; none if that is not known."""
        if text not in self.values:
            base, _, name = text.rpartition(".")
            if base:
                held = self.value(base)
                found = lookup.UNKNOWN if held is None else lookup.attribute_of(held, name)
            else:
                found = vars(self.module).get(name)
            self.values[text] = None if found is lookup.UNKNOWN else found
        return self.values[text]

    def is_plain(self, one: Definition) -> bool:
        """Whether a function is still the one that was written: its decorators then run no more."""
        held = self.module if one.cls is None else vars(self.module).get(one.cls)
        value = getattr(held, "__dict__", {}).get(one.names[0])
        code = objects.code_of(getattr(value, "__func__", value))
        at = (self.module.__file__, one.names[0], one.place[0])
        return code is not None and (code.co_filename, code.co_name, code.co_firstlineno) == at

    def may_be_odd(self, one: Definition) -> bool:
        """Without regard to what stands inside; what may not is none."""
        if "status" in one.marks or not self.https.isdisjoint(one.uses):
            return True
        if one.kind == "class" and is_http(vars(self.module).get(one.names[0])):
            return True
        if any("." in use and is_http(self.value(use)) for use in one.uses):
            return True
        if any(self.makes(name, statuses, one.cls) for name, statuses in one.calls.items()):
            return True
        return self.is_own and any(self.leads_away(mark) for mark in one.marks)

    def makes(self, name: str, statuses: set[str], cls: str | None) -> bool:
        if name == "super().__init__":
            return cls is not None and is_http(vars(self.module).get(cls))
        made = self.value(name)
        if made is None:
            last = name.rpartition(".")[2]
            if not last.endswith(HTTP) and last not in self.aliases:
                return False
        elif not is_http(made):
            return False
        return not all(status and is_status(self.value(status)) for status in statuses)

    def leads_away(self, mark: str) -> bool:
        how, _, what = mark.partition(" ")
        if how == "of":
            held = self.value(what)
            return held is sys or holds_http(held)
        if how == "import":
            return any(map(is_unread_yet, what.split()))
        if how == "from":
            base, *names = what.split(" ")
            level = len(base) - len(base.lstrip("."))
            aliases = [ast.alias(name) for name in names]
            return any(
                map(
                    is_unread_yet, imported(ast.ImportFrom(base[level:] or None, aliases, level), self.module)
                )
            )
        return how == "way"


def odd_in(node: Any, module: Any, cls: Any) -> str | None:
    """Where a piece of code makes an `HTTPException` that need be no error."""
    aliases = {
        alias.asname or alias.name: alias.name
        for one in ast.walk(node)
        if isinstance(one, ast.ImportFrom)
        for alias in one.names
    }
    plain, mentions = set(), []
    for one in ast.walk(node):
        if isinstance(one, ast.Call) and is_odd(one, module, node, cls, aliases):
            return f"{module.__name__}:{one.lineno}"
        if isinstance(one, trees.FUNCTIONS) and not files.is_installed(files.file_in(module)):
            inside: Any = ast.walk(one)
            away = next((inner for inner in inside if leads_anywhere(inner, module)), None)
            if away is not None:
                return f"{module.__name__}:{away.lineno}"
        plain.update(id(inner) for part in named_only(one) for inner in ast.walk(part))
        if (
            isinstance(one, (ast.Name, ast.Attribute))
            and isinstance(one.ctx, ast.Load)
            and is_http(value_of(one, module))
        ):
            mentions.append(one)
    # The class in other hands, or an error that is changed after.
    mentioned = [one for one in mentions if id(one) not in plain]
    changed = [
        one
        for one in (ast.walk(node) if mentions else ())
        if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store) and one.attr == "status_code"
    ]
    if isinstance(node, ast.ClassDef) and is_http(vars(module).get(node.name)):
        made = vars(module)[node.name]
        inherited = owner(made, "__init__")  # judged there, and named among the bases
        says = (inherited is not made and is_http(inherited)) or files.is_frameworks(made.__init__)
        says = says or any(isinstance(one, ast.Call) and is_super_init(one) for one in ast.walk(node))
        changed += [] if says else [node]
    for one in (*mentioned, *changed):
        return f"{module.__name__}:{one.lineno}"
    return None


def leads_anywhere(node: Any, module: Any) -> bool:
    """Ways of a function to a class that no name tells."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return any(is_unread_yet(name) for name in imported(node, module))
    if isinstance(node, ast.Attribute):
        if node.attr in index.WAYS:
            return True
        held = value_of(node.value, module)
        return (held is sys and node.attr == "modules") or (node.attr == "__dict__" and holds_http(held))
    if not isinstance(node, ast.Call):
        return False
    name = index.last_name(node.func)
    if name in index.CALLED_WAYS and (isinstance(node.func, ast.Name) or name == "import_module"):
        return True
    # A part of a module by its name.
    if name not in index.CALLED_WAYS_OF or not node.args or not holds_http(value_of(node.args[0], module)):
        return False
    told = value_of(node, module)
    return told is None or is_http(told)


@functools.cache
def holds_http(module: Any) -> bool:
    if not objects.is_module(module):
        return False
    return files.file_in(module).startswith(files.FRAMEWORKS) or any(
        map(is_http, list(objects.names_in(module).values()))
    )


def imported(node: Any, module: Any) -> list[str]:
    """The modules that an import comes to."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = lookup.imported_from(node, module)
    held = vars(sys.modules[base]) if base in sys.modules else {}
    return [
        base,
        *(f"{base}.{alias.name}" for alias in node.names if base in sys.modules and alias.name not in held),
    ]


def is_unread_yet(name: str) -> bool:
    """Whether a module is the app's own, and not imported until a request comes."""
    if name in sys.modules:
        return False
    try:
        spec = importlib.util.find_spec(name.partition(".")[0])
    except (ImportError, ValueError):
        return False
    if spec is None:
        return False
    places = [*(spec.submodule_search_locations or ()), spec.origin or ""]
    return not any(
        place in ("built-in", "frozen") or files.is_installed(place + os.sep) or files.is_standard(place)
        for place in places
        if place
    )


def named_only(node: Any) -> list[Any]:
    """Where a class may be named and nothing is made of it but what is judged."""
    if isinstance(node, ast.Call):
        return [node.func, *(node.args if index.last_name(node.func) in index.ABOUT else ())]
    if isinstance(node, ast.ExceptHandler):
        return [node.type] if node.type is not None else []
    if isinstance(node, ast.ClassDef):
        return node.bases
    if isinstance(node, ast.AnnAssign):
        return [node.annotation]
    if isinstance(node, ast.arg):
        return [node.annotation] if node.annotation is not None else []
    if isinstance(node, index.FUNCTIONS):
        return [node.returns] if node.returns is not None else []
    if isinstance(node, ast.Attribute):
        return [node.value]
    if isinstance(node, ast.Dict):
        return [one for one in node.keys if one is not None]
    return []


def is_odd(call: Any, module: Any, inside: Any, cls: Any, aliases: dict[str, str]) -> bool:
    """Whether a call makes an `HTTPException` whose status need not be an error."""
    holder = cls
    if is_super_init(call):
        # A class of the app's own, which says its status itself.
        made = cls if cls is not None else vars(module).get(getattr(inside, "name", None))
        if not (isinstance(made, type) and issubclass(made, HTTPException)):
            return False
        holder = made
    else:
        made = value_of(call.func, module)
        if made is None:
            name = index.last_name(call.func)
            if not aliases.get(name, name).endswith("HTTPException"):
                return False
        elif not (isinstance(made, type) and issubclass(made, HTTPException)):
            return False
        elif made.__init__ is not HTTPException.__init__ and not files.is_frameworks(made.__init__):
            return False  # its own `super().__init__` is judged
    status = next((one.value for one in call.keywords if one.arg == "status_code"), None)
    if status is None and call.args:
        status = call.args[0]
    if isinstance(status, ast.Name):
        given = assigned(inside, status.id)
        if given:  # None of them may be anything else, nor one of the same name outside.
            outside = [status] if status.id in vars(module) else []
            return None in given or not all(is_error(one, module, holder) for one in (*given, *outside))
    return status is None or not is_error(status, module, holder)


def assigned(inside: Any, name: str) -> list[Any]:
    """What a name is given in a piece of code; with `None` for what is not known."""
    stores = 0
    values: list[Any] = []
    for one in ast.walk(inside):
        stores += isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, (ast.Store, ast.Del))
        if isinstance(one, (ast.Assign, ast.AnnAssign)):
            targets = one.targets if isinstance(one, ast.Assign) else [one.target]
            values += [one.value for target in targets if isinstance(target, ast.Name) and target.id == name]
        bound = (getattr(one, key, None) for key in ("arg", "asname", "name", "rest"))
        if not isinstance(one, ast.keyword) and name in bound:
            values.append(None)
        if isinstance(one, (ast.Global, ast.Nonlocal)) and name in one.names:
            values.append(None)
    return values if stores == len([one for one in values if one is not None]) else [*values, None]


def is_super_init(call: Any) -> bool:
    function = call.func
    is_init = isinstance(function, ast.Attribute) and function.attr == "__init__"
    return is_init and trees.is_super(function.value)


def is_error(node: Any, module: Any, cls: Any) -> bool:
    if isinstance(node, ast.IfExp):
        return is_error(node.body, module, cls) and is_error(node.orelse, module, cls)
    if isinstance(node, ast.Constant):
        value = node.value
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        return cls is not None and all(says_error(one, node.attr) for one in subclasses(cls))
    else:
        value = value_of(node, module)
    return is_status(value)


def says_error(cls: Any, name: str) -> bool:
    """Whether an attribute of a class is a status of an error, once and for all."""
    stored, value = lookup.stored_in(cls), getattr(cls, name, None)
    return stored is not None and name not in stored and is_status(value)


def is_status(value: Any) -> bool:
    value = value.value if isinstance(value, http.HTTPStatus) else value
    return type(value) is int and 400 <= value <= 599


def value_of(node: Any, module: Any) -> Any:
    if isinstance(node, ast.Name):
        return vars(module).get(node.id)
    parts = index.attribute_parts(node)
    base = None if parts is None else value_of(parts[0], module)
    value = lookup.UNKNOWN if parts is None or base is None else lookup.attribute_of(base, parts[1])
    return None if value is lookup.UNKNOWN else value
