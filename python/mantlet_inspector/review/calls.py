"""What calls do with the values that they are given."""

from __future__ import annotations

import ast
import dataclasses
import logging
import types
from typing import TYPE_CHECKING, Any

from mantlet_inspector.objects.models import is_model, known_fields
from mantlet_inspector.review import known
from mantlet_inspector.review.values import Value, depending, field_value
from mantlet_inspector.source import files
from mantlet_inspector.source.objects import is_class
from mantlet_inspector.source.stored import bases_of, class_name, names_of

if TYPE_CHECKING:
    from mantlet_inspector.review.frame import Frame
from mantlet_inspector.review.built_in import BENIGN, built_in, of_path, of_text, opened
from mantlet_inspector.review.called import Call, bound, clean, frame_dotted_validated, free, own_function
from mantlet_inspector.review.libraries import CLIENTS, client_call, is_host_free, library, verified
from mantlet_inspector.review.objects import new_row, of_container, of_dictionary, of_model, of_rows
from mantlet_inspector.review.requests import body_read, cookie, request_read
from mantlet_inspector.review.statements import statement


def call(frame: Frame, node: ast.Call) -> Value:
    receiver, name = None, ""
    if isinstance(node.func, ast.Attribute):
        receiver, name = frame.value(node.func.value), node.func.attr
        callee = frame.attribute_from(receiver, name)
        if frame_dotted_validated(frame, receiver):
            receiver = depending([receiver])
    else:
        callee = frame.value(node.func)
        name = getattr(node.func, "id", "")
    args = [frame.value(one.value if isinstance(one, ast.Starred) else one) for one in node.args]
    named = {one.arg: frame.value(one.value) for one in node.keywords if one.arg is not None}
    spread = [frame.value(one.value) for one in node.keywords if one.arg is None]
    made = Call(node, receiver, name, callee, [clean(frame, one) for one in args], named, spread)
    for way in WAYS:
        found = way(frame, made)
        if found is not None:
            break
    else:
        found = unknown(frame, made)
    named = name == "get" and receiver is not None and receiver.caller and found.caller and not found.rights
    if named and made.args and type(made.args[0].live) is str:
        found = dataclasses.replace(found, rights=frozenset([made.args[0].live]))
    return found


def unknown(frame: Frame, call: Call) -> Value:
    """Code that is not read. Whoever is told who is calling may ask for it."""
    found = call.callee.live
    is_log = type(getattr(found, "__self__", None)) is logging.Logger
    held = [one for one in call.all() if known.holds_caller(one)]
    if held and call.name not in BENIGN and not is_log and not is_class(found) and call.name != "add_task":
        known.chosen_by(frame, held)
    made = depending([*call.all(), *([call.receiver] if call.receiver is not None else [])])
    if is_class(found):
        made.cls = found
    # It may do anything with an attribute of the caller, such as look for an object.
    is_of_right = call.receiver is not None and bool(call.receiver.rights) and not is_class(call.receiver.cls)
    if made.rights and not is_of_right and not known.is_plain(call.callee, call.name):
        made.rights = frozenset()
    made.error = next((one.error for one in call.all() if one.error), None)
    if call.receiver is not None and call.receiver.error:
        made.error = call.receiver.error
    if is_class(found) and frame.reader.shared.table_of(found) is None and not known.is_frameworks(found):
        made.caller = False
    return made


def made_object(frame: Frame, call: Call) -> Value | None:
    """A class is called."""
    cls = call.callee.live
    if not is_class(cls):
        return None
    table = frame.reader.shared.table_of(cls)
    if table is not None:
        spread = call.spread[0] if call.spread else Value()
        return new_row(frame, call, table, cls, spread, Value(keys={}))
    if known.is_http_exception(cls):
        return refused(frame, call)
    names = {class_name(one) for one in bases_of(cls)}
    if "BaseException" in names and known.REFUSING.search(class_name(cls)):
        frame.effects.refuses = True
        return Value(cls=cls)
    if files.is_frameworks(cls) and "Response" in names:
        answered(frame, call, cls)
        return Value(cls=cls, error=next((one.error for one in call.all() if one.error), None))
    init = next((names_of(one)["__init__"] for one in bases_of(cls) if "__init__" in names_of(one)), None)
    if type(init) is types.FunctionType and not files.is_installed(files.file_of(init)) and not is_model(cls):
        made = Value(cls=cls, attributes={})
        arguments = bound(init, made, call)
        if arguments is not None and not files.is_standard(files.file_of(init)):
            frame.reader.run(init, arguments, frame.depth + 1)
            return made
    if str(cls.__module__).partition(".")[0] in CLIENTS:
        verified(frame, call)
        return Value(cls=cls)
    if is_model(cls):
        return made_model(frame, call, cls)
    return None


def made_model(frame: Frame, call: Call, cls: Any) -> Value:
    """An object of a model, with what it gets of a dump, too: `UserInDB(**user.model_dump())`."""
    keys: dict[str, Value] = {}
    is_whole = True
    for one in call.spread:
        fields = one.fields if one.model is not None and one.prefix is not None else None
        is_whole &= fields is not None or (one.keys is not None and one.is_whole)
        for name in sorted((fields or frozenset()) & known_fields(cls).keys()):
            keys[name] = field_value(one, name) or Value()
        keys.update(one.keys or {})
    keys.update(call.named)
    caller = any(one.caller for one in call.all())
    return Value(
        cls=cls, keys=keys if is_whole else None, attributes=dict(keys) if is_whole else None, caller=caller
    )


def refused(frame: Frame, call: Call) -> Value:
    status = call.argument(0, "status_code")
    number = status.live if status is not None else None
    names = {class_name(one) for one in bases_of(call.callee.live)}
    if number in (401, 403) or known.REFUSING.search(" ".join(names - {"HTTPException"})):
        frame.effects.refuses = True
    detail = call.argument(1, "detail", "message")
    if detail is not None and detail.error:
        code = number if isinstance(number, int) else None
        frame.effects.sign("error-text", frame.shown, call.node.lineno, status=code)
    return Value(cls=call.callee.live)


def answered(frame: Frame, call: Call, cls: Any) -> None:
    """A response that the app makes itself."""
    content = call.argument(0, "content")
    status = call.argument(1, "status_code")
    number = status.live if status is not None and isinstance(status.live, int) else None
    if number in (401, 403):
        frame.effects.refuses = True
    if content is not None and content.error:
        frame.effects.sign("error-text", frame.shown, call.node.lineno, status=number or 200)
    if class_name(cls) == "RedirectResponse":
        url = call.argument(0, "url")
        if url is not None and free(frame, url) and is_host_free(url):
            frame.effects.sign(
                "redirect-to-input", frame.shown, call.node.lineno, input=min(free(frame, url))
            )
    if class_name(cls) == "FileResponse":
        path = call.argument(0, "path")
        if path is not None:
            opened(frame, call, path)


WAYS = (
    request_read,
    body_read,
    built_in,
    library,
    cookie,
    of_model,
    of_container,
    statement,
    of_path,
    of_rows,
    client_call,
    of_dictionary,
    of_text,
    made_object,
    own_function,
)


def judged(frame: Frame, node: ast.Call, value: Value) -> None:
    """A function that is called for nothing but what it says against its arguments."""
    callee = frame.quietly(node.func)
    found = callee.live
    if type(found) is types.FunctionType and callee.method is None:
        top = str(found.__module__).partition(".")[0]
        if files.is_installed(files.file_of(found)) and top not in ("sqlalchemy", *CLIENTS):
            for one in node.args:
                frame.validated(frame.quietly(one))
