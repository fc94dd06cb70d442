"""Texts that are made of parts, and what operators make of values."""

from __future__ import annotations

import ast
import datetime
import pathlib
import re
from typing import TYPE_CHECKING, Any

from mantlet_inspector.review.values import Piece, Value, depending, join, live

if TYPE_CHECKING:
    from mantlet_inspector.review.frame import Frame

SQL = re.compile(
    r"\s*\(?\s*(select|insert|update|delete|with|replace|create|alter|drop|truncate|merge|call|exec)\b", re.I
)
SQL_TABLES = re.compile(r"\b(?:from|into|update|join)\s+[\"`\[]?([A-Za-z_][\w.]*)", re.IGNORECASE)


def text(parts: list[Value]) -> Value:
    made = depending(parts)
    pieces: list[Piece] = []
    for one in parts:
        pieces += one.parts()
        made.sent |= one.sent
        made.error = made.error or one.error
        if one.column == "*":  # the name of a field that a client has sent
            made.fields, made.any_field = one.fields, one.any_field
    if all(type(one) is str for one in pieces):
        return live("".join(pieces))  # pyright: ignore
    made.pieces = tuple(pieces)
    made.is_mixed |= len(pieces) > 1
    return made


def combined(frame: Frame, op: ast.operator, left: Value, right: Value, node: Any) -> Value:
    if isinstance(op, ast.Add):
        if type(left.live) is datetime.timedelta or type(right.live) is datetime.timedelta:
            found = [one.live for one in (left, right) if type(one.live) is datetime.timedelta]
            total = sum(one.total_seconds() for one in found)
            return Value(seconds=total)
        known = [one.seconds for one in (left, right) if one.seconds is not None]
        if known:
            other = [one.live for one in (left, right) if type(one.live) in (int, float)]
            return Value(seconds=sum(known) + sum(other)) if len(known) + len(other) == 2 else Value()
        if left.is_text() or right.is_text() or left.sent or right.sent:
            return text([left, right])
        if left.keys is not None and right.item is not None:
            return join(left, right)
    if isinstance(op, ast.Div) and (left.sent or right.sent):  # a path
        made = text([left, live("/"), right])
        made.cls = pathlib.Path
        return made
    if isinstance(op, ast.Mod) and left.is_text():
        values = [right] if right.keys is None or not right.keys else list(right.keys.values())
        return text([*formatted(left, "%"), *values])
    if isinstance(op, (ast.BitOr, ast.BitAnd)) and (left.fields is not None or right.fields is not None):
        made = merged(left, right)
        made.sent = frozenset()
        if isinstance(op, ast.BitAnd):  # names that both sides have: none is the client's alone
            made.item = Value(column="*", fields=made.fields, any_field=made.any_field)
        return made
    if isinstance(op, ast.BitOr) and left.keys is not None:
        return merged(left, right)
    numbers = [left.live, right.live]
    if all(type(one) in (int, float) for one in numbers):
        return calculated(op, numbers[0], numbers[1])
    if isinstance(op, (ast.Add, ast.Mult)) and all(one.item is not None for one in (left, right)):
        return join(left, right)
    made = depending([left, right])
    made.is_mixed = True
    return made


def calculated(op: ast.operator, left: Any, right: Any) -> Value:
    ways: dict[Any, Any] = {
        ast.Add: lambda: left + right,
        ast.Sub: lambda: left - right,
        ast.Mult: lambda: left * right,
    }
    way = ways.get(type(op))
    return live(way()) if way is not None else Value()


def formatted(left: Value, sign: str) -> list[Value]:
    """The parts of a text that are there before the first that is filled in, and the rest."""
    found: list[Value] = []
    for one in left.parts():
        if type(one) is str:
            first, _, rest = one.partition(sign)
            found += [live(first), Value(pieces=(rest,)) if rest else live("")]
        elif isinstance(one, Value):
            found.append(one)
    return found


def start_of(value: Value) -> str:
    """The text with which it begins, as far as that is constant."""
    found = ""
    for one in value.parts():
        one = one.live if isinstance(one, Value) and type(one.live) is str else one
        if type(one) is not str:
            break
        found += one
    return found


def constant_text(value: Value) -> str:
    return "".join(one if type(one) is str else " ? " for one in value.parts())


def is_sql(value: Value) -> bool:
    return SQL.match(constant_text(value)) is not None


def tables_in(frame: Frame, value: Value) -> list[str]:
    known: list[str] = list(frame.reader.shared.tables)
    found: list[str] = [name.lower() for name in SQL_TABLES.findall(constant_text(value))]
    lower = {name.lower(): name for name in known}
    return [lower.get(name, name) for name in dict.fromkeys(found)]


def merged(one: Value, other: Value) -> Value:
    """Two dictionaries in one."""
    made = join(one, other)
    made.sent = frozenset()
    if one.keys is not None or other.keys is not None:
        made.keys = {**(one.keys or {}), **(other.keys or {})}
    made.is_whole = (one.is_whole and one.keys is not None) and (other.is_whole and other.keys is not None)
    return made
