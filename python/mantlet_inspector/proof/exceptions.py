"""What dependencies may answer before FastAPI validates: by the exceptions that they may raise.

An exception does not refuse a request if its response is not an error: its handler may say so, or
it is an `HTTPException` with the status of a redirect. All modules of the app are searched for code
that raises one. Whether a dependency reaches that code is found by the names that it mentions, and
the names that their code mentions.
"""

from __future__ import annotations

import functools
import sys
import types
from typing import Any

from starlette.exceptions import HTTPException

from mantlet_inspector.proof.app_code import is_apps, is_read, module_of, subclasses
from mantlet_inspector.proof.facts import Unproven, callable_of
from mantlet_inspector.proof.statuses import ModuleNames, odd_in
from mantlet_inspector.source import files, memory, objects, trees
from mantlet_inspector.source.objects import closure, whole
from mantlet_inspector.source.trees import mentioned_in, told_by


class NameGraph:
    """All code that may raise an `HTTPException`, by names."""

    def __init__(self) -> None:
        self.mentions = {}  # name -> names that the code of this name mentions
        self.functions = set()  # those of functions and classes
        self.odd = {}  # name -> where its code raises an exception that is not an error
        self.is_late = False
        with memory.current.reading():
            self.read()

    def read(self) -> None:
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

    def hide(self, module: Any, hidden: set[str]) -> None:
        """Code that cannot be read may do anything, so the names that lead to it are odd."""
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

    def add(self, module: Any) -> None:
        if objects.loads_itself(module):
            raise OSError
        if not module.__file__.endswith(".py"):
            raise OSError
        module_names, whole, odd = ModuleNames(module), [], []
        for one in memory.facts_of(module.__file__).definitions:
            inner = one.body.union(*(whole[child] for child in one.children))
            whole.append(inner.union(*one.around))
            is_plain = one.kind == "function" and (not one.around[0] or module_names.is_plain(one))
            if one.kind == "function":
                mentioned = told_by(inner if is_plain else inner | one.around[0])
            else:
                mentioned = told_by(whole[-1])
            cls = vars(module).get(one.cls) if one.cls is not None else None
            found = None
            if module_names.may_be_odd(one):
                found = odd_in(trees.definition_at(module.__file__, one.place), module, cls)
            odd.append(found or next((odd[child] for child in one.children if odd[child]), None))
            if one.kind != "value":
                self.functions.update(one.names)
            for name in told_by(one.names):
                self.mentions.setdefault(name, set()).update(mentioned)
                if odd[-1]:
                    self.odd[name] = odd[-1]

    def reached(self, call: Any) -> set[str] | None:
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

    def called(self, names: set[str]) -> set[str]:
        """Names that code comes to through functions and classes."""
        return self.closed(names, self.functions)

    def closed(self, names: set[str], through: set[str] | None = None) -> set[str]:
        if self.is_late:
            raise Unproven(memory.current.said())
        seen, coming = set(), set(names)
        while coming:
            seen |= coming
            leading = coming if through is None else coming & through
            coming = set().union(*(self.mentions.get(name, ()) for name in leading)) - seen
        return seen

    def may_redirect(self, call: Any) -> str | None:
        """Where a dependency may raise an `HTTPException` that is not an error, if it may."""
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

    def may_raise(self, call: Any, exception: Any) -> bool:
        """Whether a dependency may raise an exception of the app's own. Others are raised without a
        mention of their name."""
        if not isinstance(exception, type) or not is_apps(sys.modules.get(exception.__module__)):
            return True
        names = self.reached(call)
        return names is None or bool(names & {one.__name__ for one in subclasses(exception)})


def unread(name: str) -> str:
    return f"in `{name}`, whose source cannot be read"
