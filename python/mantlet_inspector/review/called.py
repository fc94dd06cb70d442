"""A call: the function, and what it is given."""

from __future__ import annotations

import ast
import inspect
import types
from typing import TYPE_CHECKING, Any, NamedTuple

from mantlet_inspector.review import texts
from mantlet_inspector.review.values import NOTHING, Value, depending, live
from mantlet_inspector.source import bytecode
from mantlet_inspector.source.objects import code_of, is_class, is_module, name_in
from mantlet_inspector.source.stored import class_name, module_of, names_of

if TYPE_CHECKING:
    from mantlet_inspector.review.frame import Frame


class Call(NamedTuple):
    node: ast.Call
    receiver: Value | None
    name: str
    callee: Value
    args: list[Value]
    named: dict[str, Value]
    spread: list[Value]  # what stands behind `**`

    def all(self) -> list[Value]:
        return [*self.args, *self.named.values(), *self.spread]

    def argument(self, index: int, *names: str) -> Value | None:
        for name in names:
            if name in self.named:
                return self.named[name]
        return self.args[index] if index < len(self.args) else None


def frame_dotted_validated(frame: Frame, value: Value) -> bool:
    return bool(value.sent & frame.reader.validated)


def clean(frame: Frame, value: Value) -> Value:
    """What was validated stands no longer for a text that a client is free to choose."""
    if value.sent and not (value.sent - frame.reader.validated) and not value.pieces:
        made = depending([value])
        made.fields, made.any_field, made.column, made.store = (
            value.fields,
            value.any_field,
            value.column,
            value.store,
        )
        return made
    return value


def free(frame: Frame, value: Value) -> set[str]:
    """Names of the inputs whose text stands in it as it came."""
    return {one.name for one in value.sent if one not in frame.reader.validated}


def full_name(value: Any) -> str:
    if is_module(value):
        return name_in(value)
    function = getattr(value, "__func__", value) if type(value) is types.MethodType else value
    if is_class(function):
        return f"{module_of(function)}.{class_name(function)}"
    if type(function) in (types.FunctionType, types.BuiltinFunctionType):
        return f"{function.__module__}.{function.__qualname__}"
    return ""


def own_function(frame: Frame, call: Call) -> Value | None:
    """Code of the app itself is read."""
    function, bound_to = call.callee.live, None
    if call.callee.method is not None:
        bound_to, function = call.callee.method
    elif type(function) is types.MethodType:
        bound_to = live(function.__self__)
        function = function.__func__
    elif function is not NOTHING and not is_class(function) and code_of(function) is None:
        made_of = names_of(type(function)).get("__call__") if not is_module(function) else None
        if type(made_of) is types.FunctionType:
            bound_to, function = live(function), made_of
    function = bytecode.unwrapped(function) if function is not NOTHING else function
    if type(function) is not types.FunctionType:
        return None
    arguments = bound(function, bound_to, call)
    if arguments is None:
        return None
    return frame.reader.run(function, arguments, frame.depth + 1)


def bound(function: Any, bound_to: Value | None, call: Call) -> dict[str, Value] | None:
    """Which parameter gets which value."""
    code = function.__code__
    names = list(code.co_varnames[: code.co_argcount])
    given = [bound_to, *call.args] if bound_to is not None else list(call.args)
    found = {name: value for name, value in zip(names, given) if value is not None}
    rest = given[len(names) :]
    after = code.co_argcount + code.co_kwonlyargcount
    if code.co_flags & inspect.CO_VARARGS:
        made = depending([one for one in rest if one is not None])
        made.item = next((one for one in rest if one is not None), None)
        found[code.co_varnames[after]] = made
        after += 1
    every = set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    found.update({name: value for name, value in call.named.items() if name in every})
    if code.co_flags & inspect.CO_VARKEYWORDS:
        others = {name: value for name, value in call.named.items() if name not in every}
        made = Value(keys=others, is_whole=not call.spread)
        for one in call.spread:
            made = texts.merged(made, one)
        found[code.co_varnames[after]] = made
    return found
