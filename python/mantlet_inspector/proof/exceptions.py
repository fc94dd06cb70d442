"""What dependencies may answer before FastAPI validates: by the exceptions that they may raise.

An exception is no refusal if its handler answers with something that is no error, or if it is an `HTTPException` with the
status of a redirect. Where those are raised is looked for in all modules of the app; whether a dependency comes there, by
the names that it mentions, and the names that the code of those mentions.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import http
import importlib.util
import os
import sys
import types
from typing import Any, Optional

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from mantlet_inspector.proof.facts import Unproven, callable_of
from mantlet_inspector.source import files, index, lookup, memory, objects, trees
from mantlet_inspector.source.index import HTTP, Definition
from mantlet_inspector.source.lookup import owner
from mantlet_inspector.source.objects import closure, whole
from mantlet_inspector.source.trees import mentioned_in, told_by


class Raised:
    """All code that may raise an `HTTPException`, by names."""

    def __init__(self):
        self.mentions = {}  # name -> names that the code of this name mentions
        self.functions = set()  # those that are no variables
        self.odd = {}  # name -> where its code raises what is no error
        self.is_late = False
        with memory.current.reading():
            self.read()

    def read(self):
        modules = [one for one in list(sys.modules.values()) if objects.is_module(one) and is_apps(one)]
        hidden = set()
        for module in modules:
            try:
                self.add(module)
            except memory.Late:
                self.is_late = True
                return
            except Exception:  # there is no source, or none that can be read
                hidden.add(objects.name_in(module))
        if hidden:
            for module in modules:
                self.hide(module, hidden)

    def hide(self, module, hidden):
        """Whoever comes to code that cannot be read may come to anything: by the names that lead there."""
        own = objects.name_in(module)
        if own in hidden:
            self.odd[own.rpartition(".")[2]] = unread(own)
        for name, value in list(objects.names_in(module).items()):
            defined = objects.name_in(value) if objects.is_module(value) else module_of(value)
            if defined not in hidden or name.startswith("__"):
                continue
            self.odd[name] = unread(defined)
            for inner, part in list(vars(value).items()) if objects.is_class(value) else ():
                if callable(part) and not inner.startswith("__"):
                    self.odd[inner] = unread(defined)

    def add(self, module):
        if objects.loads_itself(module):
            raise OSError
        if not module.__file__.endswith(".py"):
            raise OSError
        looked, whole, odd = Looked(module), [], []
        for one in memory.facts_of(module.__file__).definitions:
            inner = one.body.union(*(whole[child] for child in one.children))
            whole.append(inner.union(*one.around))
            is_plain = one.kind == "function" and (not one.around[0] or looked.is_plain(one))
            mentioned = told_by(
                inner if is_plain else inner | one.around[0] if one.kind == "function" else whole[-1]
            )
            cls = vars(module).get(one.cls) if one.cls is not None else None
            found = (
                odd_in(trees.definition_at(module.__file__, one.place), module, cls)
                if looked.may_be_odd(one)
                else None
            )
            odd.append(found or next((odd[child] for child in one.children if odd[child]), None))
            if one.kind != "value":
                self.functions.update(one.names)
            for name in told_by(one.names):
                self.mentions.setdefault(name, set()).update(mentioned)
                if odd[-1]:
                    self.odd[name] = odd[-1]

    def reached(self, call):
        """The names that the code of a dependency may come to; none if it cannot be read."""
        names, seen, waiting = set(), set(), [call]
        while waiting:
            one = waiting.pop()
            if id(one) in seen:
                continue
            seen.add(id(one))
            if isinstance(one, functools.partial):
                waiting += [
                    each
                    for each in (one.func, *one.args, *one.keywords.values())
                    if callable(each) and is_read(each)
                ]
                names.add("partial")
                continue
            function = objects.generated_for(callable_of(one)[0])
            held = [*(getattr(function, "__defaults__", None) or ()), *closure(function)]
            if isinstance(one, type):
                names.add(one.__name__)
            elif not isinstance(one, types.FunctionType):
                names |= {type(one).__name__, getattr(one, "__name__", "")}
                held += getattr(getattr(one, "__self__", one), "__dict__", {}).values()
            node = trees.node_of(function)
            if node is not None:
                names |= mentioned_in(node, True) | told_by({getattr(node, "name", "")})
            elif not names or (
                isinstance(one, types.FunctionType) and not files.is_installed(files.file_of(one))
            ):
                return None
            waiting += [each for each in held if callable(each) and is_read(each)]
            if len(seen) > 200:
                return None
        return self.closed(names)

    def called(self, names):
        """Names that code comes to through functions and classes."""
        return self.closed(names, self.functions)

    def closed(self, names, through=None):
        if self.is_late:
            raise Unproven(memory.current.said())
        seen, coming = set(), set(names)
        while coming:
            seen |= coming
            leading = coming if through is None else coming & through
            coming = set().union(*(self.mentions.get(name, ()) for name in leading)) - seen
        return seen

    def may_redirect(self, call):
        """Where a dependency may raise an `HTTPException` that is no error, if it may."""
        function = objects.generated_for(callable_of(whole(call))[0])
        held = [*closure(function), *getattr(getattr(call, "__self__", call), "__dict__", {}).values()]
        if isinstance(call, functools.partial):
            held += [*call.args, *call.keywords.values()]
        if any(isinstance(one, HTTPException) and one.status_code < 400 for one in held):
            return "one that it was made with"
        node = trees.node_of(function)
        module = sys.modules.get(module_of(function) or "")
        odd = odd_in(node, module, None) if node is not None and module is not None else None
        if odd:
            return odd
        names = self.reached(call)
        if names is None:
            return "in code that cannot be read"
        return next((place for name, place in sorted(self.odd.items()) if name in names), None)

    def may_raise(self, call, exception):
        """Whether a dependency may raise an exception of the app's own. Those of others need not be mentioned."""
        if not isinstance(exception, type) or not is_apps(sys.modules.get(exception.__module__)):
            return True
        names = self.reached(call)
        return names is None or bool(names & {one.__name__ for one in subclasses(exception)})


class Looked:
    """A module in which names are looked up, each once, to tell which definitions need a closer look (`odd_in`)."""

    def __init__(self, module: types.ModuleType):
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
            held = self.value(base) if base else None
            found = (
                vars(self.module).get(name)
                if not base
                else lookup.UNKNOWN
                if held is None
                else lookup.attribute_of(held, name)
            )
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

    def makes(self, name: str, statuses: set[str], cls: Optional[str]) -> bool:
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


def unread(name):
    return f"in `{name}`, whose source cannot be read"


def module_of(value):
    """The name of the module in which a function, a class, or that of an object, is defined."""
    try:
        name = value.__module__
    except Exception:  # there is none, or it is a proxy of nothing
        return None
    return name if isinstance(name, str) else None


def is_read(thing):
    """Whether it has code of the app's own."""
    if isinstance(thing, functools.partial):
        return True
    return files.is_read(
        thing if isinstance(thing, (type, types.FunctionType, types.MethodType)) else type(thing)
    )


def odd_in(node, module, cls):
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
            away = next((inner for inner in ast.walk(one) if leads_anywhere(inner, module)), None)
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
        changed += (
            []
            if says or any(isinstance(one, ast.Call) and is_super_init(one) for one in ast.walk(node))
            else [node]
        )
    for one in (*mentioned, *changed):
        return f"{module.__name__}:{one.lineno}"
    return None


def leads_anywhere(node, module):
    """Ways of a function to a class that no name tells."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return any(is_unread_yet(name) for name in imported(node, module))
    if isinstance(node, ast.Attribute):
        if node.attr in ("__subclasses__", "__globals__", "__builtins__"):
            return True
        held = value_of(node.value, module)
        return (held is sys and node.attr == "modules") or (node.attr == "__dict__" and holds_http(held))
    if not isinstance(node, ast.Call):
        return False
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name == "import_module" or (
        isinstance(node.func, ast.Name) and name in ("__import__", "eval", "exec", "globals")
    ):
        return True
    # A part of a module by its name.
    if name not in ("getattr", "vars") or not node.args or not holds_http(value_of(node.args[0], module)):
        return False
    told = value_of(node, module)
    return told is None or is_http(told)


@functools.cache
def holds_http(module):
    if not objects.is_module(module):
        return False
    return files.file_in(module).startswith(files.FRAMEWORKS) or any(
        map(is_http, list(objects.names_in(module).values()))
    )


def imported(node, module):
    """The modules that an import comes to."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        package = (getattr(module, "__package__", None) or "").split(".")
        base = ".".join([*package[: len(package) - node.level + 1], *([base] if base else [])])
    held = vars(sys.modules[base]) if base in sys.modules else {}
    return [
        base,
        *(f"{base}.{alias.name}" for alias in node.names if base in sys.modules and alias.name not in held),
    ]


def is_unread_yet(name):
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


def is_http(value):
    return objects.is_class(value) and issubclass(value, HTTPException)


def named_only(node):
    """Where a class may be named and nothing is made of it but what is judged."""
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        about = name in ("isinstance", "issubclass", "exception_handler", "add_exception_handler", "suppress")
        return [node.func, *(node.args if about else ())]
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


def subclasses(cls):
    found = {cls}
    for one in cls.__subclasses__():
        found |= subclasses(one)
    return found


def is_apps(module):
    """Code that may raise FastAPI's exceptions: the app's own, and what is installed and knows them."""
    file = files.file_in(module)
    if files.is_standard(file) or file.startswith(files.FRAMEWORKS):
        return False
    if file.startswith(files.OURS):
        return False
    if not files.is_installed(file):
        return True
    return any(map(is_http, list(objects.names_in(module).values())))


def is_odd(call, module, inside, cls, aliases):
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
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
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


def assigned(inside, name):
    """What a name is given in a piece of code; with `None` for what is not known."""
    stores, values = 0, []
    for one in ast.walk(inside):
        stores += isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, (ast.Store, ast.Del))
        plain = (
            one.targets
            if isinstance(one, ast.Assign)
            else [one.target]
            if isinstance(one, ast.AnnAssign)
            else ()
        )
        values += [one.value for target in plain if isinstance(target, ast.Name) and target.id == name]
        bound = (getattr(one, key, None) for key in ("arg", "asname", "name", "rest"))
        if not isinstance(one, ast.keyword) and name in bound:
            values.append(None)
        if isinstance(one, (ast.Global, ast.Nonlocal)) and name in one.names:
            values.append(None)
    return values if stores == len([one for one in values if one is not None]) else [*values, None]


def is_super_init(call):
    function = call.func
    if not (isinstance(function, ast.Attribute) and function.attr == "__init__"):
        return False
    inner = function.value
    return isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id == "super"


def is_error(node, module, cls):
    if isinstance(node, ast.IfExp):
        return is_error(node.body, module, cls) and is_error(node.orelse, module, cls)
    if isinstance(node, ast.Constant):
        value = node.value
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        return cls is not None and all(says_error(one, node.attr) for one in subclasses(cls))
    else:
        value = value_of(node, module)
    return is_status(value)


def says_error(cls, name):
    """Whether an attribute of a class is a status of an error, once and for all."""
    stored, value = lookup.stored_in(cls), getattr(cls, name, None)
    return stored is not None and name not in stored and is_status(value)


def is_status(value):
    value = value.value if isinstance(value, http.HTTPStatus) else value
    return type(value) is int and 400 <= value <= 599


def value_of(node, module):
    if isinstance(node, ast.Name):
        return vars(module).get(node.id)
    if isinstance(node, ast.Attribute):
        base = value_of(node.value, module)
        value = lookup.UNKNOWN if base is None else lookup.attribute_of(base, node.attr)
        return None if value is lookup.UNKNOWN else value
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "getattr"
        and len(node.args) > 1
    ):
        name = node.args[1]
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            return value_of(ast.Attribute(node.args[0], name.value), module)
    return None


def hides_errors(call):
    """Whether a dependency with `yield` catches what FastAPI raises for an invalid request, and goes on with something else."""
    function = objects.generated_for(callable_of(whole(call))[0])
    node = trees.node_of(function)
    if node is None:
        return False
    for one in ast.walk(node):
        if not isinstance(one, ast.Try) or not any(
            isinstance(inner, ast.Yield) for body in one.body for inner in ast.walk(body)
        ):
            continue
        if any(isinstance(inner, ast.Return) for last in one.finalbody for inner in ast.walk(last)):
            return True
        for handler in one.handlers:
            if catches(handler.type, function) and not raises_again(handler):
                return True
    return False


def hides_errors_of(function):
    """Whether a function may go on with something else after what FastAPI raises within it for an invalid request."""
    node = trees.node_of(function)
    for one in ast.walk(node) if node is not None else ():
        if isinstance(one, (ast.With, ast.AsyncWith)) and not all(
            lets_through(item.context_expr, function) for item in one.items
        ):
            return True
        if isinstance(one, ast.Try):
            if any(isinstance(inner, ast.Return) for last in one.finalbody for inner in ast.walk(last)):
                return True
            if any(catches(handler.type, function) and not raises_again(handler) for handler in one.handlers):
                return True
    return node is None


def lets_through(node, function):
    """Whether what a `with` enters surely lets exceptions pass."""
    made = node.func if isinstance(node, ast.Call) else None
    value = lookup.UNKNOWN
    if isinstance(made, ast.Name):
        value = lookup.value_of(function, made.id)
    elif isinstance(made, ast.Attribute) and isinstance(made.value, ast.Name):
        value = lookup.attribute_of(lookup.value_of(function, made.value.id), made.attr)
    return value in (contextlib.ExitStack, contextlib.AsyncExitStack, contextlib.nullcontext)


def catches(node, function):
    if node is None:
        return True
    if isinstance(node, ast.Tuple):
        return any(catches(one, function) for one in node.elts)
    value = lookup.UNKNOWN
    if isinstance(node, ast.Name):
        value = lookup.value_of(function, node.id)
    elif isinstance(node, ast.Attribute):
        value = value_of(node, sys.modules.get(function.__module__))
    values = value if isinstance(value, tuple) else (value,)
    return any(not isinstance(one, type) or issubclass(RequestValidationError, one) for one in values)


def raises_again(handler):
    if any(isinstance(one, ast.Return) for one in ast.walk(handler)):
        return False
    last = handler.body[-1]
    if not isinstance(last, ast.Raise):
        return False
    return last.exc is None or (isinstance(last.exc, ast.Name) and last.exc.id == handler.name)
