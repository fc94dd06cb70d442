"""Texts, numbers, moments and other values without parts."""

from __future__ import annotations

import datetime
import decimal
import enum
import re
from typing import Any

from mantlet_inspector.contract.schemas.known import Schema, Unknown
from mantlet_inspector.contract.schemas.translator import Context, Made, translates
from mantlet_inspector.contract.shapes import Shape

FLAGS = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s", re.VERBOSE: "x"}


@translates("any")
def anything(schema: Schema, context: Context) -> Made:
    return {"type": "any"}


@translates("none")
def nothing(schema: Schema, context: Context) -> Made:
    return {"type": "none"}


@translates("bool")
def boolean(schema: Schema, context: Context) -> Made:
    return {"type": "bool", "strict": context.is_strict(schema)}


@translates("int")
def integer(schema: Schema, context: Context) -> Made:
    return {"type": "int", "strict": context.is_strict(schema), "bounds": bounds(schema)}


@translates("float")
def floating(schema: Schema, context: Context) -> Made:
    inf_nan = context.setting(schema, "allow_inf_nan", True)
    return {
        "type": "float",
        "strict": context.is_strict(schema),
        "allow_inf_nan": inf_nan,
        "bounds": bounds(schema),
    }


@translates("decimal")
def decimal_number(schema: Schema, context: Context) -> Made:
    return {
        "type": "decimal",
        "strict": context.is_strict(schema),
        "allow_inf_nan": context.setting(schema, "allow_inf_nan", False) or None,
        "max_digits": schema.get("max_digits"),
        "decimal_places": schema.get("decimal_places"),
        "bounds": bounds(schema),
    }


@translates("str")
def text(schema: Schema, context: Context) -> Made:
    pattern = schema.get("pattern")
    python_regex = context.setting(schema, "regex_engine") == "python-re"
    if isinstance(pattern, re.Pattern):
        pattern, python_regex = flagged(pattern), True
    return {
        "type": "str",
        "strict": context.is_strict(schema),
        "min_length": context.setting(schema, "min_length", prefix="str_"),
        "max_length": context.setting(schema, "max_length", prefix="str_"),
        "pattern": pattern,
        "python_regex": python_regex and pattern is not None,
        "strip_whitespace": context.setting(schema, "strip_whitespace", prefix="str_"),
        "to_lower": context.setting(schema, "to_lower", prefix="str_"),
        "to_upper": context.setting(schema, "to_upper", prefix="str_"),
        "coerce_numbers_to_str": context.setting(schema, "coerce_numbers_to_str"),
        "ascii_only": schema.get("ascii_only"),
    }


@translates("bytes")
def raw_bytes(schema: Schema, context: Context) -> Made:
    # In spite of its name `val_json_bytes` counts for Python's texts too.
    from_text = context.config.get("val_json_bytes", "utf8")
    return {"type": "bytes", "strict": context.is_strict(schema), "from_text": from_text, **lengths(schema)}


@translates("date")
def day(schema: Schema, context: Context) -> Made:
    return {
        "type": "date",
        "strict": context.is_strict(schema),
        "bounds": bounds(schema),
        "now": schema.get("now_op"),
    }


@translates("time")
def time_of_day(schema: Schema, context: Context) -> Shape:
    return {
        "type": "time",
        "strict": context.is_strict(schema),
        "truncate": truncates(schema),
        "bounds": bounds(schema),
        "timezone": schema.get("tz_constraint"),
    }


@translates("datetime")
def moment(schema: Schema, context: Context) -> Made:
    if context.setting(schema, "val_temporal_unit", "infer") != "infer":
        raise Unknown("numbers for a datetime have a unit (`val_temporal_unit`)")
    return {**time_of_day(schema, context), "type": "datetime", "now": schema.get("now_op")}


@translates("timedelta")
def duration(schema: Schema, context: Context) -> Made:
    own_unit = context.setting(schema, "val_temporal_unit", "infer") != "infer"
    if own_unit:
        raise Unknown("numbers for a duration have a unit (`val_temporal_unit`)")
    return {
        "type": "timedelta",
        "strict": context.is_strict(schema),
        "truncate": truncates(schema),
        "bounds": bounds(schema),
    }


@translates("literal")
def literal(schema: Schema, context: Context) -> Made:
    return {"type": "literal", "expected": [json_value(value, "literal") for value in schema["expected"]]}


@translates("enum")
def enumeration(schema: Schema, context: Context) -> Made:
    return {
        "type": "enum",
        "name": schema["cls"].__name__,
        "values": [json_value(member.value, schema["cls"].__qualname__) for member in schema["members"]],
        "sub_type": schema.get("sub_type"),
        "strict": context.is_strict(schema),
        "has_missing": schema.get("missing") is not None or decides_itself(schema["cls"]),
    }


@translates("uuid")
def uuid(schema: Schema, context: Context) -> Made:
    return {"type": "uuid", "strict": context.is_strict(schema), "version": schema.get("version")}


@translates("url")
def url(schema: Schema, context: Context, multi_host: bool = False) -> Made:
    names = ("max_length", "allowed_schemes", "host_required", "default_host", "default_port", "default_path")
    shape = {name: schema.get(name) for name in names}
    return {"type": "url", "multi_host": multi_host, "strict": context.is_strict(schema), **shape}


@translates("multi-host-url")
def multi_host_url(schema: Schema, context: Context) -> Made:
    return url(schema, context, multi_host=True)


@translates("json")
def json_text(schema: Schema, context: Context) -> Made:
    inner = schema.get("schema")
    return {"type": "json-text", "inner": inner and context.translate(inner)}


def decides_itself(cls: type[enum.Enum]) -> bool:
    """Whether an enumeration decides its members itself: since 2.14 Pydantic asks the class."""
    own = getattr(cls._missing_, "__func__", None) is not enum.Enum._missing_.__func__
    return own or type(cls) is not enum.EnumMeta or "__call__" in vars(cls)


def lengths(schema: Schema) -> dict[str, Any]:
    return {name: schema.get(name) for name in ("min_length", "max_length")}


def truncates(schema: Schema) -> bool:
    return schema.get("microseconds_precision", "truncate") == "truncate"


def bounds(schema: Schema) -> dict[str, str]:
    found = {}
    for name in ("gt", "ge", "lt", "le", "multiple_of"):
        if schema.get(name) is not None:
            found[name] = bound(schema[name])
    return found


def bound(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float, decimal.Decimal)):
        if isinstance(value, (datetime.date, datetime.time)):
            return value.isoformat()
        if isinstance(value, datetime.timedelta):
            return written_duration(value)
        raise Unknown(f"a bound of the type `{type(value).__name__}`")
    return repr(value) if isinstance(value, float) else str(value)


def written_duration(value: datetime.timedelta) -> str:
    sign, value = ("-", -value) if value < datetime.timedelta() else ("", value)
    fraction = f".{value.microseconds:06}" if value.microseconds else ""
    return f"{sign}P{value.days}DT{value.seconds}{fraction}S"


def flagged(pattern: re.Pattern[Any]) -> str:
    """A compiled pattern as a text that says the same."""
    if not isinstance(pattern.pattern, str):
        raise Unknown("a pattern of bytes")
    flags, letters = pattern.flags & ~re.UNICODE, ""
    for flag, letter in FLAGS.items():
        if flags & flag:
            flags, letters = flags & ~flag, letters + letter
    if flags:
        raise Unknown(f"the flags of the pattern `{pattern.pattern}`")
    inline = re.match(r"\(\?[aiLmsux]+\)", pattern.pattern)  # those are in `flags` too
    return f"(?{letters}){pattern.pattern}" if letters and not inline else pattern.pattern


def json_value(value: Any, where: str) -> Any:
    if isinstance(value, enum.Enum) and isinstance(value, (str, int)):
        value = value.value
    if type(value) in (str, int, bool, type(None)):
        return value
    if type(value) is float and value == value and abs(value) != float("inf"):
        return value
    if isinstance(value, (str, int)) and not isinstance(value, enum.Enum):
        return str(value) if isinstance(value, str) else int(value)
    raise Unknown(f"`{where}` has the value `{value!r}`, which is not JSON")
