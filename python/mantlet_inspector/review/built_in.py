"""Python's own functions, and methods of texts and paths."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

from mantlet_inspector.review import known, texts
from mantlet_inspector.review.effects import WRITE
from mantlet_inspector.review.values import NOTHING, Value, depending
from mantlet_inspector.source.objects import is_class

if TYPE_CHECKING:
    from mantlet_inspector.review.frame import Frame
from mantlet_inspector.review.called import Call, free, full_name

SAME_TEXT = {
    "strip",
    "lstrip",
    "rstrip",
    "lower",
    "upper",
    "title",
    "encode",
    "decode",
    "casefold",
    "format_map",
}
SAME = {"dict", "list", "tuple", "set", "frozenset", "sorted", "reversed", "iter", "next", "copy", "deepcopy"}
BENIGN = {"print", "repr", "str", "len", "bool", "int", "float", "isinstance", "type", "id", "hash", "format"}


def built_in(frame: Frame, call: Call) -> Value | None:
    found = call.callee.live
    name = call.name
    first = call.args[0] if call.args else None
    if found is NOTHING or getattr(builtins, name, NOTHING) is not found or call.receiver is not None:
        if (
            name in ("copy", "deepcopy")
            and full_name(found) in ("copy.copy", "copy.deepcopy")
            and first is not None
        ):
            return first
        return None
    if name in ("str", "repr", "format") and first is not None:
        made = depending([first])
        made.sent, made.pieces, made.error = first.sent, first.pieces, first.error
        if type(first.live) is str:
            made.live = first.live
        return made
    if name == "dict" and call.named and first is None:
        return Value(keys=dict(call.named), caller=any(one.caller for one in call.named.values()))
    if name in SAME and first is not None:
        return first
    if name == "setattr" and len(call.args) == 3 and first is not None:
        return set_by_name(frame, call, first)
    if name == "getattr" and len(call.args) > 1 and first is not None and type(call.args[1].live) is str:
        return frame.attribute_from(first, call.args[1].live)
    if name in ("eval", "exec") and first is not None and free(frame, first):
        frame.effects.sign("code-from-input", frame.shown, call.node.lineno, input=min(free(frame, first)))
        return Value()
    if name == "open" and first is not None:
        opened(frame, call, first)
        return Value()
    if name == "range" and call.args:
        frame.effects.bounds |= {one.name for one in call.args[-1].from_sent}
    if name == "enumerate" and first is not None:
        return Value(item=Value(keys={"0": Value(), "1": known.item_of(frame, first)}))
    if name == "super":
        return Value()
    if name == "min":  # it is bounded
        for one in call.args:
            frame.validated(one)
    return depending(call.args) if name != "print" else Value()


def set_by_name(frame: Frame, call: Call, target: Value) -> Value:
    key, value = call.args[1], call.args[2]
    if target.store is not None:
        known.touched(frame, target.store, WRITE)
        if key.column == "*":
            known.assigned_fields(frame, target.store, key, call.node)
        elif type(key.live) is str:
            known.assigned(frame, target, key.live, value, call.node)
    elif type(key.live) is str and target.attributes is not None:
        target.attributes[key.live] = value
    return Value()


def opened(frame: Frame, call: Call, path: Value) -> None:
    # A parameter of a path has no slash in it.
    sent = {one for one in path.sent if one not in frame.reader.validated and one.location != "path"}
    if sent:
        frame.effects.sign("file-name-as-path", frame.shown, call.node.lineno, input=min(sent).name)


def of_path(frame: Frame, call: Call) -> Value | None:
    """`(folder / name).write_bytes(…)`"""
    receiver = call.receiver
    if receiver is None or not receiver.sent or not is_class(receiver.cls):
        return None
    if str(receiver.cls.__module__).partition(".")[0] != "pathlib":
        return None
    if call.name in ("open", "read_bytes", "read_text", "write_bytes", "write_text", "unlink"):
        opened(frame, call, receiver)
        return Value()
    return None


def of_text(frame: Frame, call: Call) -> Value | None:
    receiver = call.receiver
    if receiver is None:
        return None
    if call.name in SAME_TEXT and (receiver.sent or receiver.pieces or type(receiver.live) in (str, bytes)):
        return receiver
    if call.name == "get_secret_value" and receiver.from_sent:
        return Value(sent=receiver.from_sent, from_sent=receiver.from_sent)
    if call.name == "format" and receiver.is_text():
        return texts.text([*texts.formatted(receiver, "{"), *call.args, *call.named.values()])
    if call.name == "join" and type(receiver.live) is str and call.args:
        item = call.args[0].item
        values = list((call.args[0].keys or {}).values()) or ([item] if item is not None else [])
        return texts.text(values) if values else depending(call.args)
    return None
