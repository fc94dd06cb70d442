"""Methods of sessions, rows and models, and of what an app keeps its objects in."""

from __future__ import annotations

import ast
import dataclasses
from typing import TYPE_CHECKING, Any

from mantlet_inspector.objects.models import is_model, known_fields
from mantlet_inspector.review import known, texts
from mantlet_inspector.review.effects import MADE, READ, REMOVED, WRITE
from mantlet_inspector.review.known import is_container, names_password, sends_password
from mantlet_inspector.review.values import Value, depending, join, live, takes_any_field
from mantlet_inspector.source.objects import is_class
from mantlet_inspector.source.stored import attributes

if TYPE_CHECKING:
    from mantlet_inspector.review.frame import Frame
from mantlet_inspector.review.called import Call

SAME_ROWS = {
    *("where", "filter", "filter_by", "order_by", "limit", "offset", "options", "join", "outerjoin", "first"),
    *(
        "one",
        "one_or_none",
        "scalar_one",
        "scalar_one_or_none",
        "all",
        "scalars",
        "scalar",
        "unique",
        "distinct",
    ),
    *("fetchone", "fetchall", "fetchmany", "mappings", "returning", "values", "with_for_update", "group_by"),
    *("select_from", "having", "partitions", "yield_per", "execution_options", "copy", "_mapping", "_asdict"),
}
DUMPS = {"model_dump", "dict"}


def of_rows(frame: Frame, call: Call) -> Value | None:
    """Methods of sessions, statements and rows."""
    receiver, first = call.receiver, call.args[0] if call.args else None
    if receiver is None:
        return None
    shared = frame.reader.shared
    if receiver.store is not None and not is_container(receiver) and receiver.column in (None, "?"):
        callers = [one for one in call.all() if known.holds_caller(one)]
        if call.name == "limit" and first is not None:
            frame.effects.bounds |= {one.name for one in first.from_sent}
        if call.name == "values" and receiver.verb in ("insert", "update"):
            values = Value(keys=dict(call.named)) if call.named else (first or Value())
            for one in (*call.spread, values):
                known.stored(frame, receiver.store, one, call.node)
            if callers and receiver.verb == "insert":
                frame.effects.touch(receiver.store).owned = True
            return receiver
        if call.name in ("update", "sqlmodel_update", "copy", "model_copy") and call.all():
            if call.name not in ("copy", "model_copy"):
                known.touched(frame, receiver.store, WRITE)
            for one in call.all():
                source = dumped(one, call) if one.model is not None else one
                known.assigned_fields(frame, receiver.store, source, call.node)
                for name, value in (one.keys or {}).items():
                    known.assigned(frame, receiver, name, value, call.node)
            return receiver
        if call.name == "delete":
            known.touched(frame, receiver.store, REMOVED)
        if call.name in SAME_ROWS or call.name in ("delete", "get", "count", "exists"):
            if callers:
                known.touched(frame, receiver.store, READ)
                frame.effects.touch(receiver.store).by_caller = True
                known.chosen_by(frame, callers)
                return join(receiver, Value(caller=frame.reader.finds_caller))
            if call.name == "get" and first is not None and type(first.live) is str and not receiver.verb:
                return Value(store=receiver.store, column=first.live, caller=receiver.caller)
            if call.name in ("values", "with_entities", "count"):
                return join(receiver, Value(is_partial=True))
            return receiver
        if call.name in ("keys", "items"):
            return receiver
    if (
        first is not None
        and is_class(first.live)
        and call.name in ("get", "query", "get_one", "scalars", "exec")
    ):
        table = shared.table_of(first.live)
        if table is not None:
            callers = any(known.holds_caller(one) for one in call.args[1:])
            known.touched(frame, table.name, READ, by_caller=callers)
            made = Value(store=table.name, cls=first.live)
            made.caller = callers and frame.reader.finds_caller
            return made
    if first is not None and first.model is not None and call.name in ("add", "merge"):
        table = shared.table_of(first.model)
        if table is not None:  # the table itself describes what a client sends
            given = dict(first.attributes or {})
            known.touched(frame, table.name, MADE)
            known.made(frame, table.name, given)
            some = known.without(dumped(first, call), given)
            known.assigned_fields(frame, table.name, some, call.node)
            frame.effects.makes_account |= any(map(names_password, some.fields or ()))
            return Value()
    if (
        first is not None
        and first.store is not None
        and not is_container(first)
        and not is_container(receiver)
    ):
        if call.name in ("add", "merge", "add_all"):
            known.touched(frame, first.store, MADE if first.made else WRITE)
            return Value()
        if call.name == "delete":
            known.touched(frame, first.store, REMOVED)
            return Value()
        if call.name in ("refresh", "commit", "flush", "expunge"):
            return Value()
    return None


def of_container(frame: Frame, call: Call) -> Value | None:
    """Methods of dictionaries and lists in which an app keeps its objects."""
    receiver = call.receiver
    if receiver is not None and call.name in known.CHANGES and isinstance(call.node.func, ast.Attribute):
        receiver = known.changed(frame, receiver, call.node.func.value)
    if receiver is None or not is_container(receiver):
        return None
    first = call.args[0] if call.args else None
    by_caller = first is not None and known.holds_caller(first)
    row = Value(store=receiver.store)
    row.caller = by_caller and frame.reader.finds_caller
    if call.name in ("get", "setdefault"):
        known.touched(frame, receiver.store, READ, by_caller)
        return row
    if call.name in ("values", "items", "keys", "copy"):
        known.touched(frame, receiver.store, READ)
        if call.name == "items":
            return Value(item=Value(keys={"0": Value(), "1": row}))
        return Value(item=row, store=receiver.store) if call.name != "keys" else Value()
    if call.name in ("append", "add", "insert", "appendleft") and call.args:
        known.touched(frame, receiver.store, MADE, False, known.holds_caller(call.args[-1]))
        known.stored(frame, receiver.store, call.args[-1], call.node)
        return Value()
    if call.name in ("pop", "remove", "discard", "clear", "popitem"):
        known.touched(frame, receiver.store, REMOVED, by_caller)
        return row
    if call.name == "update":
        known.touched(frame, receiver.store, WRITE)
        return Value()
    return None


def of_dictionary(frame: Frame, call: Call) -> Value | None:
    """Dictionaries and lists that the code makes itself."""
    receiver, first = call.receiver, call.args[0] if call.args else None
    if receiver is None:
        return None
    if receiver.keys is not None or (receiver.fields is not None and receiver.column is None):
        if call.name == "copy":
            copied = join(receiver, receiver)
            return Value(
                **{
                    **{name: getattr(copied, name) for name in copied.__dataclass_fields__},
                    "keys": dict(receiver.keys) if receiver.keys is not None else None,
                }
            )
        if call.name == "update":
            for one in (*call.args, Value(keys=dict(call.named)) if call.named else Value(keys={})):
                if one.keys is not None and receiver.keys is not None:
                    receiver.keys.update(one.keys)
                    receiver.is_whole &= one.is_whole
                else:
                    receiver.is_whole = False
                receiver.caller |= one.caller
            return Value()
        if call.name in ("items", "keys"):
            if receiver.fields is not None:
                key = known.key_of(receiver)
                value = Value(from_sent=receiver.from_sent)
                if call.name == "keys":
                    return Value(item=key, fields=receiver.fields, any_field=receiver.any_field, column=None)
                return Value(item=Value(keys={"0": key, "1": value}))
            return Value(item=Value(keys={"0": Value(), "1": receiver.item or Value()}))
        if call.name in ("get", "pop") and first is not None and type(first.live) is str:
            if receiver.keys is not None and first.live in receiver.keys:
                if call.name == "pop":
                    return receiver.keys.pop(first.live)
                return receiver.keys[first.live]
            if call.name == "pop" and receiver.fields is not None:
                receiver.fields -= {first.live}
            return depending([receiver])
    if call.name in ("append", "add", "extend") and first is not None and receiver.store is None:
        item = first if call.name != "extend" else known.item_of(frame, first)
        if receiver.item is None and receiver.keys is not None and not receiver.keys:
            receiver.keys = None
        receiver.item = item if receiver.item is None else join(receiver.item, item)
        receiver.from_sent |= item.from_sent
        receiver.caller |= item.caller
        return Value()
    return None


def of_model(frame: Frame, call: Call) -> Value | None:
    """Methods of models that a client fills."""
    receiver, first = call.receiver, call.args[0] if call.args else None
    if receiver is not None and receiver.model is not None and call.name in DUMPS:
        return dumped(receiver, call)
    if receiver is not None and call.name in DUMPS and receiver.keys is not None and is_model(receiver.cls):
        left = call.named.get("exclude") or Value()
        names = {one.live for one in (left.keys or {}).values()}
        keys = {name: one for name, one in receiver.keys.items() if name not in names}
        return dataclasses.replace(receiver, keys=keys, cls=None, attributes=None)
    if receiver is not None and call.name in DUMPS and is_model(type(receiver.live)):
        return Value(keys={name: live(found) for name, found in attributes(receiver.live)})
    if (
        receiver is not None
        and is_class(receiver.live)
        and call.name in ("model_validate", "from_orm", "parse_obj")
    ):
        table = frame.reader.shared.table_of(receiver.live)
        if table is not None and first is not None:
            source = dumped(first, call) if first.model is not None else first
            updates = call.named.get("update") or Value(keys={})
            return new_row(frame, call, table, receiver.live, texts.merged(updates, source), updates)
        return Value(cls=receiver.live)
    return None


def dumped(value: Value, call: Call) -> Value:
    names = frozenset(known_fields(value.model))
    for option, keeps in (("exclude", False), ("include", True)):
        given = call.named.get(option)
        if given is not None:
            some = {one.live for one in (given.keys or {}).values() if type(one.live) is str}
            names = names & some if keeps else names - some
    sent = frozenset([value.prefix]) if value.prefix is not None else frozenset()
    from_all = value.from_sent | sent
    any_field = takes_any_field(value.model)
    return Value(
        fields=names,
        any_field=any_field,
        model=value.model,
        prefix=value.prefix,
        from_sent=from_all,
        sent=sent if any_field else frozenset(),
    )


def new_row(frame: Frame, call: Call, table: Any, cls: Any, values: Value, beside: Value) -> Value:
    of_dump = values.keys if values.fields is not None else None
    named = call.named if beside.keys is not None and not beside.keys else {}
    keys = {**(of_dump or {}), **(beside.keys or {}), **named}
    for name, one in keys.items():
        if names_password(name) and sends_password(one):
            frame.effects.sign("password-in-plain", frame.shown, call.node.lineno)
        elif one.from_sent and one.from_sent.isdisjoint(frame.reader.validated) and name in table.columns:
            frame.effects.assigns.setdefault((table.name, name), (frame.shown, call.node.lineno))
    dump = known.without(values, keys) if values.fields is not None else values
    if dump.fields is not None:
        some = Value(fields=dump.fields & frozenset(table.columns), model=dump.model)
        known.assigned_fields(frame, table.name, some, call.node)
        known.plain_fields(frame, some, call.node)
    known.made(frame, table.name, keys)
    frame.effects.makes_account |= any(map(names_password, values.fields or ()))
    return Value(store=table.name, cls=cls, made=True)
