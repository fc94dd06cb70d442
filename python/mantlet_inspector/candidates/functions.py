"""What functions hold and name: literals, defaults, closures, globals."""

from __future__ import annotations

import functools
import types
from typing import Any

from mantlet_inspector.candidates.found import LONGEST_TEXT, Late, has_word
from mantlet_inspector.candidates.reach import CACHED, Reach
from mantlet_inspector.candidates.whose import FRAMEWORK, OWN, STANDARD
from mantlet_inspector.source.bytecode import codes
from mantlet_inspector.source.objects import is_class, is_module, names_in
from mantlet_inspector.source.stored import attribute, bytes_in, class_name, is_exactly, module_of, names_of

DEPTH = 3  # functions that call each other
FOREIGN = (FRAMEWORK, STANDARD)
# Words in functions that make or read tokens.
WORDS = "jwt jws jwk jwe jose token encode decode sign secret hmac crypt".split()


class Functions:
    def __init__(self, reach: Reach) -> None:
        self.reach = reach
        self.found = reach.found
        self.whose = reach.whose
        self.seen: dict[int, tuple[Any, int]] = {}

    def sweep(self, names: dict[str, Any]) -> None:
        """Functions of a module and of its classes, if they deal with tokens."""
        for value in list(names.values()):
            if is_class(value) and self.whose.of_class(value) == OWN:
                for method in list(names_of(value).values()):
                    self.visit_own(function_of(method))
            else:
                self.visit_own(value)

    def visit_own(self, value: Any) -> None:
        function = attribute(value, "__wrapped__") if type(value) is CACHED else value
        if type(function) is types.FunctionType and self.whose.of_module(module_in(function)) == OWN:
            self.visit(value, only_tokens=True)

    def visit(self, call: Any, depth: int = 0, only_tokens: bool = False) -> None:
        """Something that is called: a function, a method, a class, an object."""
        self.found.check()
        try:
            self.visit_any(call, depth, only_tokens)
        except Late:
            raise
        except Exception:  # an app may hold anything, and all else is still to be looked at
            return

    def visit_any(self, call: Any, depth: int, only_tokens: bool) -> None:
        for _ in range(10):
            if issubclass(type(call), functools.partial):
                self.reach.take(attribute(call, "args"), "an argument of partial", "")
                self.reach.take(attribute(call, "keywords"), "partial", "")
                call = attribute(call, "func")
            elif type(call) is types.MethodType:
                self.take_object(call.__self__)
                call = call.__func__
            elif type(call) is CACHED:
                function = attribute(call, "__wrapped__")
                self.reach.take(call, name_in(function), module_in(function))
                call = function
            else:
                break
        if type(call) is types.FunctionType:
            if not self.is_seen(call, depth) and (not only_tokens or deals_with_tokens(call)):
                self.look_at(call, depth)
        elif is_class(call):
            if self.whose.of_class(call) == OWN:
                self.reach.take(call, class_name(call), module_of(call))
                self.visit_methods(call, depth)
        elif call is not None:
            self.take_object(call)
            self.visit_methods(type(call), depth)

    def visit_methods(self, cls: Any, depth: int) -> None:
        if self.whose.of_class(cls) == OWN:
            for name in ("__init__", "__call__"):
                method = names_of(cls).get(name)
                if type(method) is types.FunctionType:
                    self.visit(method, depth)

    def take_object(self, value: Any) -> None:
        cls = type(value)
        if not is_module(value) and not is_class(value):
            self.reach.take(value, class_name(cls), module_of(cls))

    def is_seen(self, function: Any, depth: int) -> bool:
        known = self.seen.get(id(function))
        if known is not None and known[1] <= depth:
            return True
        self.seen[id(function)] = (function, depth)
        return False

    def look_at(self, function: Any, depth: int) -> None:
        name, place = name_in(function), module_in(function)
        wrapped = function.__dict__.get("__wrapped__")
        if wrapped is not None and depth < DEPTH:
            self.visit(wrapped, depth + 1)
        for literal in literals(function):
            self.found.add(literal, f"a literal of {name}", place, has_name=False)
        defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        for default in defaults:
            self.take(default, f"a default of {name}", place, depth)
        for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            try:
                self.take(cell.cell_contents, f"{variable} of {name}", place, depth)
            except ValueError:  # it is empty
                continue
        self.look_at_globals(function, depth)

    def look_at_globals(self, function: Any, depth: int) -> None:
        known = function.__globals__
        place = text_or_nothing(known.get("__name__"))
        is_own = self.whose.of_module(place) == OWN  # then its globals are looked at anyway
        used = sorted({name for one in codes(function.__code__) for name in one.co_names})
        for name in used:
            value = known.get(name)
            if is_module(value):
                self.look_at_module(value, used)
            elif value is not None and (
                not is_own or is_exactly(value, types.FunctionType, types.MethodType)
            ):
                self.take(value, name, place, depth)

    def look_at_module(self, module: Any, used: list[str]) -> None:
        """`config.SECRET_KEY`, of a module that is not the app's own."""
        inside = names_in(module)
        place = text_or_nothing(inside.get("__name__"))
        if self.whose.of_module(place) in (OWN, *FOREIGN):
            return
        for name in used:
            text = None if name.startswith("__") else bytes_in(inside.get(name), LONGEST_TEXT)
            if text is not None:
                self.found.add(text, name, place)

    def take(self, value: Any, path: str, place: str, depth: int) -> None:
        if type(value) is types.FunctionType:
            if depth < DEPTH and self.whose.of_module(module_in(value)) not in FOREIGN:
                self.visit(value, depth + 1)
        elif type(value) is types.MethodType:
            if depth < DEPTH:
                self.visit(value, depth + 1)
        else:
            self.reach.take(value, path, place)


def function_of(method: Any) -> Any:
    """The function of a method in its class; none if it is something else."""
    if is_exactly(method, staticmethod, classmethod):
        method = method.__func__
    elif type(method) is property:
        method = method.fget
    return method if is_exactly(method, types.FunctionType, CACHED) else None


def deals_with_tokens(function: Any) -> bool:
    for code in codes(function.__code__):
        names = (code.co_name, *code.co_names, *code.co_varnames, *code.co_freevars)
        if has_word(" ".join(names), WORDS):
            return True
    return False


def literals(function: Any) -> list[bytes]:
    found = []
    for code in codes(function.__code__):
        for literal in code.co_consts:
            text = bytes_in(literal, LONGEST_TEXT) if literal is not function.__doc__ else None
            if text is not None:
                found.append(text)
    return found


def name_in(function: Any) -> str:
    return function.__qualname__ if type(function) is types.FunctionType else "a function"


def module_in(function: Any) -> str:
    return text_or_nothing(function.__module__) if type(function) is types.FunctionType else ""


def text_or_nothing(value: Any) -> str:
    return value if type(value) is str else ""
