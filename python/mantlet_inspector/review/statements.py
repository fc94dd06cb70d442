"""Statements in SQL, written as text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mantlet_inspector.review import known, texts
from mantlet_inspector.review.effects import MADE, READ, REMOVED, WRITE
from mantlet_inspector.review.known import names_password, sends_password
from mantlet_inspector.review.values import Value, depending, join

if TYPE_CHECKING:
    from mantlet_inspector.review.frame import Frame
from mantlet_inspector.review.called import Call, free

EXECUTES = {
    *("execute", "executemany", "executescript", "exec", "exec_driver_sql", "scalar", "scalars", "raw"),
    *("fetch", "fetchrow", "fetchval", "fetch_all", "fetch_one", "fetch_val", "iterate", "read_sql"),
}
AGGREGATE = re.compile(r"\s*select\s+(count|sum|avg|min|max|exists)\s*\([^)]*\)[^,]*\bfrom\b", re.IGNORECASE)
VERBS = {"insert": MADE, "replace": MADE, "update": WRITE, "delete": REMOVED, "merge": WRITE, "select": READ}


def executed_sql(frame: Frame, call: Call, sql: Value, parameters: Value) -> Value:
    """A statement in SQL, written as text."""
    if not texts.is_sql(sql):
        return depending([sql, parameters])
    words = texts.constant_text(sql)
    verb = words.strip(" (\n\t").split(None, 1)[0].lower()
    how = VERBS.get(verb, READ)
    tables = texts.tables_in(frame, sql)
    is_callers = known.holds_caller(parameters) or sql.caller
    if not tables:
        return depending([parameters])
    if AGGREGATE.match(words):  # a number, and no row
        return depending([parameters])
    target = tables[0]
    for number, table in enumerate(tables):
        known.touched(frame, table, how if number == 0 else READ)
    if is_callers and how == MADE:
        frame.effects.touch(target).owned = True
    elif (is_callers and parameters.keys is not None) or (is_callers and not parameters.keys):
        frame.effects.touch(target).by_caller = True
        frame.effects.uses_caller = True
    if how == MADE:
        frame.effects.makes_account |= any(map(names_password, re.findall(r"\w+", words)))
    written(frame, call, sql, words, how, target, parameters)
    bounds_in(frame, words, parameters)
    columns = words[len(verb) + 1 :] if verb == "select" else ""
    head = columns.partition(" FROM ")[0] if " FROM " in columns else columns.lower().partition("from")[0]
    made = Value(store=target, verb=verb, is_partial="*" not in head)
    made.caller = is_callers and frame.reader.finds_caller
    return made


def bounds_in(frame: Frame, words: str, parameters: Value) -> None:
    """Inputs that say how many rows are read: `LIMIT :limit`."""
    named = re.search(r"\blimit\s+[:%@]\(?(\w+)", words, re.IGNORECASE)
    if named is not None:
        for one in parameters.from_sent:
            path = one.name
            if parameters.prefix == one and parameters.fields is not None and named[1] in parameters.fields:
                frame.effects.bounds.add(f"{path}.{named[1]}")
            if path.rpartition(".")[2] == named[1]:
                frame.effects.bounds.add(path)
        given = (parameters.keys or {}).get(named[1])
        if given is not None:
            frame.effects.bounds |= {one.name for one in given.from_sent}
    elif re.search(r"\blimit\s+(\?|\$\d|%s)", words, re.IGNORECASE) and parameters.keys:
        before = re.split(r"\blimit\b", words, flags=re.IGNORECASE)[0]
        values = list(parameters.keys.values())
        number = len(re.findall(r"\?|\$\d|%s", before))
        if number < len(values):
            frame.effects.bounds |= {one.name for one in values[number].from_sent}


def written(
    frame: Frame, call: Call, sql: Value, words: str, how: str, table: str, parameters: Value
) -> None:
    if how == READ:
        return
    held = [*(parameters.keys or {}).values()]
    if any(map(sends_password, held)) and any(
        names_password(word) for word in words.replace(",", " ").replace("(", " ").replace(")", " ").split()
    ):
        frame.effects.sign("password-in-plain", frame.shown, call.node.lineno)
    if sql.fields is not None and (how == WRITE):
        known.assigned_fields(frame, table, Value(fields=sql.fields, any_field=sql.any_field), call.node)
    if parameters.fields is not None and parameters.model is not None:
        named = set(re.findall(r"[:@](\w+)", words))
        some = Value(fields=parameters.fields & named, model=parameters.model)
        known.assigned_fields(frame, table, some, call.node)
        known.plain_fields(frame, some, call.node)


def injected(frame: Frame, call: Call, sql: Value) -> None:
    """Text of a client in a statement."""
    names = free(frame, sql)
    if names and sql.pieces and texts.is_sql(sql):
        frame.effects.sign("sql-from-input", frame.shown, call.node.lineno, input=min(names))


def statement(frame: Frame, call: Call) -> Value | None:
    """`execute(…)` and its like."""
    if call.receiver is None or call.name not in EXECUTES:
        return None
    sql = call.argument(0, "query", "statement", "sql", "operation")
    if sql is None:
        return None
    if sql.verb:
        parameters = call.args[1] if len(call.args) > 1 else Value()
        if known.holds_caller(parameters) and sql.store is not None:
            if sql.verb in ("insert", "replace"):
                frame.effects.touch(sql.store).owned = True
            else:
                known.touched(frame, sql.store, VERBS.get(sql.verb, READ), by_caller=True)
                sql = join(sql, Value(caller=frame.reader.finds_caller))
        for one in call.all()[1:] if sql.verb in ("insert", "update") else ():
            known.assigned_fields(frame, sql.store, one, call.node)
            if any(
                names_password(name) and sends_password(value) for name, value in (one.keys or {}).items()
            ):
                frame.effects.sign("password-in-plain", frame.shown, call.node.lineno)
        return sql
    if not sql.is_text():
        return None
    injected(frame, call, sql)
    others = call.args[1:]
    parameters = others[0] if len(others) == 1 else depending(others)
    if len(others) > 1:
        parameters.keys = {str(number): one for number, one in enumerate(others)}
    for one in (*call.named.values(), *call.spread):
        if one is not sql:
            parameters = join(parameters, one)
    return executed_sql(frame, call, sql, parameters)
