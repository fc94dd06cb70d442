"""What calls do with the values that they are given."""

from __future__ import annotations

import ast
import builtins
import datetime
import hashlib
import inspect
import logging
import random
import re
import types
from typing import TYPE_CHECKING, Any, NamedTuple

from mantlet_inspector.objects.models import is_model, known_fields
from mantlet_inspector.review import known
from mantlet_inspector.review.effects import MADE, READ, REMOVED, WRITE
from mantlet_inspector.review.known import is_container, names_password, sends_password
from mantlet_inspector.review.values import NOTHING, Sent, Value, depending, join, live, takes_any_field
from mantlet_inspector.source import bytecode, files
from mantlet_inspector.source.objects import code_of, is_class, is_module, name_in
from mantlet_inspector.source.stored import attributes, bases_of, class_name, module_of, names_of

if TYPE_CHECKING:
    from mantlet_inspector.review.reader import Frame

EXECUTES = {
    *("execute", "executemany", "executescript", "exec", "exec_driver_sql", "scalar", "scalars", "raw"),
    *("fetch", "fetchrow", "fetchval", "fetch_all", "fetch_one", "fetch_val", "iterate", "read_sql"),
}
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
METHODS = {
    "get",
    "post",
    "put",
    "patch",
    "delete",
    "head",
    "options",
    "request",
    "stream",
    "send",
    "ws_connect",
}
CLIENTS = ("httpx", "requests", "aiohttp", "urllib3", "urllib")
WEAK = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "sha3_512", "blake2b", "blake2s")
HASHES = {id(getattr(hashlib, name)): name for name in WEAK if hasattr(hashlib, name)}
ENCODES = {"jwt.api_jwt.PyJWT.encode", "jose.jwt.encode", "joserfc.jwt.encode", "jwt.encode"}
SAME = {"dict", "list", "tuple", "set", "frozenset", "sorted", "reversed", "iter", "next", "copy", "deepcopy"}
# What runs code that is written in the data.
UNSAFE = {"_pickle.loads", "pickle.loads", "_pickle.load", "marshal.loads", "dill.loads", "yaml.unsafe_load"}
SAME_BYTES = {
    "base64.b64decode",
    "base64.urlsafe_b64decode",
    "urllib.parse.unquote",
    "urllib.parse.unquote_plus",
}
RANDOM = {"randint", "randrange", "choice", "choices", "sample", "random", "getrandbits"}
STATEMENTS = {"select": READ, "insert": MADE, "update": WRITE, "delete": REMOVED}
VERBS = {"insert": MADE, "replace": MADE, "update": WRITE, "delete": REMOVED, "merge": WRITE, "select": READ}
BENIGN = {"print", "repr", "str", "len", "bool", "int", "float", "isinstance", "type", "id", "hash", "format"}


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
            return found
    return unknown(frame, made)


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


def unknown(frame: Frame, call: Call) -> Value:
    """Code that is not read. Whoever is told who is calling may ask for it."""
    found = call.callee.live
    is_log = type(getattr(found, "__self__", None)) is logging.Logger
    held = [one for one in call.all() if known.holds_caller(one)]
    if held and call.name not in BENIGN and not is_log and not is_class(found) and call.name != "add_task":
        frame.effects.uses_caller = True
    made = depending([*call.all(), *([call.receiver] if call.receiver is not None else [])])
    if is_class(found):
        made.cls = found
    made.error = next((one.error for one in call.all() if one.error), None)
    if call.receiver is not None and call.receiver.error:
        made.error = call.receiver.error
    if is_class(found) and frame.reader.shared.table_of(found) is None and not known.is_frameworks(found):
        made.caller = False
    return made


# Ways to understand a call; none where it is not one of them


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


def library(frame: Frame, call: Call) -> Value | None:
    """Functions of Python's own and of well-known packages."""
    found, first = call.callee.live, call.args[0] if call.args else None
    if found is NOTHING:
        return None
    line = call.node.lineno
    if id(found) in HASHES or found is hashlib.new:
        text = call.args[-1] if call.args else None
        if text is not None and sends_password(text):
            name = HASHES.get(id(found)) or (first and first.live)
            frame.effects.sign("weak-password-hash", frame.shown, line, name=str(name))
        return depending(call.all())
    if found is datetime.timedelta:
        try:
            numbers = {name: one.live for name, one in call.named.items()}
            made = datetime.timedelta(*(one.live for one in call.args), **numbers)
        except (TypeError, OverflowError):
            return Value()
        return Value(live=made, seconds=made.total_seconds())
    name = full_name(found)
    if name in ("datetime.now", "datetime.utcnow", "time.time") or (
        call.name in ("now", "utcnow") and getattr(found, "__self__", None) is datetime.datetime
    ):
        return Value(seconds=0.0)
    if name in ("hmac.compare_digest", "_operator._compare_digest", "secrets.compare_digest") or (
        call.name == "compare_digest"
    ):
        frame.effects.refuses = True
        return depending(call.all())
    top = name.partition(".")[0]
    if top in ("sqlalchemy", "sqlmodel"):
        return of_sqlalchemy(frame, call, name)
    if name in ENCODES or (call.name == "encode" and name.endswith(("PyJWT.encode", "jwt.encode"))):
        token_made(frame, call)
        return depending(call.all())
    if (
        top in CLIENTS
        and call.receiver is not None
        and is_module(call.receiver.live)
        and (call.name in METHODS or call.name == "urlopen")
    ):
        asked(frame, call)
        return Value()
    if name in UNSAFE or (name == "yaml.load" and not is_safe_loader(call)):
        if first is not None and free(frame, first):
            frame.effects.sign("code-from-input", frame.shown, line, input=min(free(frame, first)))
        return Value()
    if name in SAME_BYTES and first is not None:
        return Value(sent=first.sent, from_sent=first.from_sent, caller=first.caller)
    if name in ("posixpath.join", "ntpath.join") and call.args:
        return known.text([part for one in call.args for part in (one, live("/"))][:-1])
    if type(getattr(found, "__self__", None)) is random.Random and call.name in RANDOM:
        frame.effects.sign("weak-random", frame.shown, line)
        return Value()
    if top == "subprocess" or name in ("os.system", "posix.system", "os.popen"):
        shell = call.named.get("shell")
        is_shell = top != "subprocess" or (shell is not None and shell.live is True)
        if is_shell and first is not None and free(frame, first):
            frame.effects.sign("code-from-input", frame.shown, line, input=min(free(frame, first)))
        return Value()
    if name in ("traceback.format_exc", "traceback.format_exception", "traceback.format_tb"):
        return Value(error="Exception")
    if name == "fastapi.encoders.jsonable_encoder" and first is not None:
        return dumped(first, call) if first.model is not None else first
    if name in ("asyncio.threads.to_thread", "starlette.concurrency.run_in_threadpool") and first is not None:
        inner = Call(call.node, None, call.name, first, call.args[1:], call.named, call.spread)
        return own_function(frame, inner)
    if name in ("pathlib.Path", "pathlib._local.Path") and first is not None:
        made = depending(call.args)
        made.sent, made.cls = frozenset().union(*(one.sent for one in call.args)), found
        return made
    return None


def is_safe_loader(call: Call) -> bool:
    loader = call.argument(1, "Loader")
    return loader is not None and is_class(loader.live) and "Safe" in class_name(loader.live)


def of_sqlalchemy(frame: Frame, call: Call, name: str) -> Value | None:
    first = call.args[0] if call.args else None
    last = name.rpartition(".")[2]
    if last == "text" and first is not None:
        injected(frame, call, first)
        return executed_sql(frame, call, first, Value())
    if last in STATEMENTS and first is not None:
        store = first.store
        if is_class(first.live):
            table = frame.reader.shared.table_of(first.live)
            store = table.name if table is not None else None
        if store is None and first.live is not NOTHING:
            store = getattr(first.live, "fullname", None)
        if not isinstance(store, str):
            return depending(call.all())
        store = str(store)
        known.touched(frame, store, STATEMENTS[last])
        cls = first.live if is_class(first.live) else first.cls
        return Value(
            store=store, cls=cls, verb=last, is_partial=first.column is not None or len(call.args) > 1
        )
    return None


def executed_sql(frame: Frame, call: Call, sql: Value, parameters: Value) -> Value:
    """A statement in SQL, written as text."""
    if not known.is_sql(sql):
        return depending([sql, parameters])
    words = known.constant_text(sql)
    verb = words.strip(" (\n\t").split(None, 1)[0].lower()
    how = VERBS.get(verb, READ)
    tables = known.tables_in(frame, sql)
    is_callers = known.holds_caller(parameters) or sql.caller
    if not tables:
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
    if any(sends_password(one) and not one.pieces for one in held) and any(
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
    if names and sql.pieces and known.is_sql(sql):
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
        for one in call.all()[1:]:
            known.assigned_fields(frame, sql.store, one, call.node) if sql.verb in (
                "insert",
                "update",
            ) else None
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
                known.touched(frame, receiver.store, READ, by_caller=True)
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


def of_text(frame: Frame, call: Call) -> Value | None:
    receiver = call.receiver
    if receiver is None:
        return None
    if call.name in SAME_TEXT and (receiver.sent or receiver.pieces or type(receiver.live) in (str, bytes)):
        return receiver
    if call.name == "format" and receiver.is_text():
        return known.text([*known.formatted(receiver, "{"), *call.args, *call.named.values()])
    if call.name == "join" and type(receiver.live) is str and call.args:
        item = call.args[0].item
        values = list((call.args[0].keys or {}).values()) or ([item] if item is not None else [])
        return known.text(values) if values else depending(call.args)
    return None


def of_model(frame: Frame, call: Call) -> Value | None:
    """Methods of models that a client fills."""
    receiver, first = call.receiver, call.args[0] if call.args else None
    if receiver is not None and receiver.model is not None and call.name in DUMPS:
        return dumped(receiver, call)
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
            return new_row(frame, call, table, receiver.live, known.merged(updates, source), updates)
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
    keys = {**(beside.keys or {}), **call.named}
    for name, one in call.named.items():
        if names_password(name) and sends_password(one) and not one.pieces:
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
        keys = dict(call.named)
        made = Value(
            cls=cls, keys=keys if not call.spread else None, caller=any(one.caller for one in call.all())
        )
        return made
    return None


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


def body_read(frame: Frame, call: Call) -> Value | None:
    """`await request.body()`, `await file.read()`"""
    receiver = call.receiver
    if receiver is None or receiver.cls is None or not is_class(receiver.cls):
        return None
    name = class_name(receiver.cls)
    if name == "Request" and call.name in ("body", "json", "form"):
        sent = frozenset([Sent("the body", "body")])
        if call.name == "body":
            return Value(sent=sent, from_sent=sent)
        return Value(from_sent=sent, item=Value(from_sent=sent))
    if name == "UploadFile" and call.name == "read":
        return Value(sent=receiver.from_sent, from_sent=receiver.from_sent)
    return None


def cookie(frame: Frame, call: Call) -> Value | None:
    if call.receiver is None or call.name != "set_cookie":
        return None
    name = call.argument(0, "key")
    cookie: dict[str, Any] = {}
    if name is not None and type(name.live) is str:
        cookie["name"] = name.live
    known_options = not call.spread and len(call.args) <= 2
    for option, key in (("secure", "secure"), ("httponly", "http-only")):
        given = call.named.get(option)
        if given is None and known_options:
            cookie[key] = False
        elif given is not None and type(given.live) is bool:
            cookie[key] = given.live
    same_site = call.named.get("samesite")
    if same_site is None and known_options:
        cookie["same-site"] = "lax"
    elif same_site is not None and type(same_site.live) is str:
        cookie["same-site"] = same_site.live.lower()
    frame.effects.cookies[frame.shown, str(cookie.get("name")), call.node.lineno] = cookie
    return Value()


def request_read(frame: Frame, call: Call) -> Value | None:
    """`request.cookies.get("session")`"""
    found, name = known.attribute_in(call.node)
    if isinstance(found, ast.Attribute) and found.attr == "cookies":
        frame.effects.cookies_read.add(name)
    if call.receiver is not None and call.receiver.verb == "headers" and call.name == "get":
        return known.header(frame, call.args[0].live if call.args else None)
    return None


def client_call(frame: Frame, call: Call) -> Value | None:
    """A request that the app sends."""
    receiver = call.receiver
    if receiver is None or receiver.cls is None or call.name not in METHODS:
        return None
    if str(receiver.cls.__module__).partition(".")[0] not in CLIENTS:
        return None
    asked(frame, call)
    return Value()


def asked(frame: Frame, call: Call) -> None:
    number = 1 if call.name in ("request", "stream") else 0
    url = call.argument(number, "url")
    if url is not None and free(frame, url) and is_host_free(url):
        frame.effects.sign("request-to-input", frame.shown, call.node.lineno, input=min(free(frame, url)))
    verified(frame, call)
    if url is not None and known.start_of(url).startswith("http://") and not is_local(known.start_of(url)):
        frame.effects.sign("plain-http", frame.shown, call.node.lineno)
    found = call.callee.live
    if full_name(found).startswith("requests.") and "timeout" not in call.named and not call.spread:
        frame.effects.sign("no-timeout", frame.shown, call.node.lineno)


def verified(frame: Frame, call: Call) -> None:
    verify = call.named.get("verify") or call.named.get("ssl")
    if verify is not None and verify.live is False:
        frame.effects.sign("unverified-peer", frame.shown, call.node.lineno)


def is_local(url: str) -> bool:
    host = (
        url[len("http://") :].partition("/")[0].rpartition(":")[0] or url[len("http://") :].partition("/")[0]
    )
    return host in ("localhost", "127.0.0.1", "[::1]", "") or "." not in host


def is_host_free(url: Value) -> bool:
    """Whether a client chooses the host."""
    start = known.start_of(url)
    if start:
        scheme, found, rest = start.partition("://")
        return bool(found) and "/" not in rest
    first = url.pieces[0] if url.pieces else url
    return isinstance(first, Value) and bool(first.sent)


def token_made(frame: Frame, call: Call) -> None:
    """How long a token lives, where the code says so."""
    claims = call.argument(0, "payload", "claims")
    if claims is not None and call.argument(0) is not None and claims.keys is None and len(call.args) > 2:
        claims = call.args[1] if call.args[1].keys is not None else claims
    if claims is None or claims.keys is None:
        return
    if "exp" in claims.keys:
        seconds = claims.keys["exp"].seconds
        if seconds is not None and seconds > 0:
            frame.effects.sign("token-lifetime", frame.shown, call.node.lineno, seconds=int(seconds))
    elif claims.is_whole:
        frame.effects.sign("token-without-end", frame.shown, call.node.lineno)


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
            made = known.merged(made, one)
        found[code.co_varnames[after]] = made
    return found


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
