"""What a value in code may be, as far as it can be told without running the code."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import types
import typing
import uuid
from collections.abc import Iterable
from typing import Any, NamedTuple, Union

from mantlet_inspector.objects.models import UNIONS, is_model, item_of, known_fields, unwrapped
from mantlet_inspector.source.objects import is_class
from mantlet_inspector.source.stored import bases_of, class_name, names_of

NOTHING = object()
# Of these types no text of a client is free.
BOUND = (bool, int, float, complex, decimal.Decimal, uuid.UUID, enum.Enum, datetime.date, datetime.time)
Piece = Union[str, "Value"]


class Sent(NamedTuple):
    """Something that a client sends."""

    name: str
    location: str  # `path`, `query`, `header`, `cookie` or `body`


@dataclasses.dataclass
class Value:
    """Nothing is known of an empty one."""

    live: Any = NOTHING  # it is this object of the interpreter
    cls: Any = None  # it is of this class
    attributes: dict[str, Value] | None = None  # set by its class
    method: tuple[Value, Any] | None = None  # a function of a class, and the object
    sent: frozenset[Sent] = frozenset()  # text of a client stands in it, as it came
    from_sent: frozenset[Sent] = frozenset()  # it depends on these
    model: Any = None  # a model that a client fills
    prefix: Sent | None = None  # where that is
    fields: frozenset[str] | None = None  # a dictionary with these fields of what a client sends
    any_field: bool = False  # and any others
    keys: dict[str, Value] | None = None  # a dictionary with these keys
    is_whole: bool = True  # it has no others
    item: Value | None = None  # what its items are
    pieces: tuple[Piece, ...] = ()  # a text, made of these
    caller: bool = False  # it depends on who is calling
    rights: frozenset[str] = frozenset()  # on these attributes of the caller
    of_owner: bool = False  # it says whether the caller owns an object
    store: str | None = None  # rows of a table, or of what the app keeps its objects in
    column: str | None = None  # of those rows
    is_partial: bool = False  # not all columns
    verb: str = ""  # a statement: `select`, `insert`, `update` or `delete`
    made: bool = False  # a new row
    error: str | None = None  # the text of an exception of this class
    seconds: float | None = None  # a time so much later than now, or a duration
    credential: bool = False  # it depends on a credential
    is_mixed: bool = False  # it is made of several
    absent: bool = False  # there may be none

    def is_text(self) -> bool:
        return bool(self.pieces) or type(self.live) is str

    def parts(self) -> tuple[Piece, ...]:
        if self.pieces:
            return self.pieces
        return (self.live,) if type(self.live) is str else (self,)


def join(one: Value, other: Value) -> Value:
    """What is one or the other."""
    if one is other:
        return one
    with_text = one if one.sent or not other.sent else other
    seconds = [each.seconds for each in (one, other)]
    return Value(
        live=one.live if one.live is other.live else NOTHING,
        cls=one.cls or other.cls if None in (one.cls, other.cls) or one.cls is other.cls else None,
        attributes=one.attributes or other.attributes,
        method=one.method if one.method == other.method else None,
        sent=one.sent | other.sent,
        from_sent=one.from_sent | other.from_sent,
        model=one.model or other.model,
        prefix=one.prefix or other.prefix,
        fields=one.fields if other.fields is None else other.fields | (one.fields or frozenset()),
        any_field=one.any_field or other.any_field,
        keys={**other.keys, **one.keys} if one.keys is not None and other.keys is not None else None,
        is_whole=one.is_whole and other.is_whole,
        item=one.item or other.item,
        pieces=with_text.pieces,
        caller=one.caller or other.caller,
        rights=one.rights | other.rights if one.rights or other.rights else one.rights,
        of_owner=one.of_owner or other.of_owner,
        store=one.store or other.store,
        column=one.column or other.column,
        is_partial=one.is_partial or other.is_partial,
        verb=one.verb or other.verb,
        made=one.made or other.made,
        error=one.error or other.error,
        seconds=max(seconds) if None not in seconds else None,  # pyright: ignore
        credential=one.credential or other.credential,
        is_mixed=one.is_mixed or other.is_mixed,
        absent=one.absent or other.absent or is_nothing(one) != is_nothing(other),
    )


def copied(value: Value, known: dict[int, Value] | None = None) -> Value:
    """The same value, with all that is in it."""
    known = {} if known is None else known
    if id(value) in known:
        return known[id(value)]
    made = known[id(value)] = Value.__new__(Value)
    vars(made).update(vars(value))
    if value.attributes:
        made.attributes = {name: copied(one, known) for name, one in value.attributes.items()}
    if value.keys is not None:
        made.keys = {name: copied(one, known) for name, one in value.keys.items()}
    if value.method is not None:
        made.method = (copied(value.method[0], known), value.method[1])
    if value.item is not None:
        made.item = copied(value.item, known)
    if value.pieces:
        made.pieces = tuple(one if isinstance(one, str) else copied(one, known) for one in value.pieces)
    return made


def is_nothing(value: Value) -> bool:
    return value.live is None or (type(value.live) is str and not value.live)


def depending(values: Iterable[Value]) -> Value:
    """What is made of values in a way that is not known."""
    made = Value()
    for one in values:
        made.from_sent |= one.sent | one.from_sent
        made.caller |= one.caller
        if one.rights:
            made.rights |= one.rights
        made.of_owner |= one.of_owner
        made.credential |= one.credential
        made.is_mixed |= one.is_mixed
    return made


def live(found: Any) -> Value:
    return Value(live=found)


# What clients send


def sent_value(annotation: Any, sent: Sent, info: Any = None) -> Value:
    """A value of this type that a client sends."""
    annotation = unwrapped(annotation)
    item = item_of(annotation)
    if item is not None:
        return Value(item=sent_value(item, sent), from_sent=frozenset([sent]))
    if typing.get_origin(annotation) in UNIONS:
        choices = [sent_value(one, sent, info) for one in typing.get_args(annotation)]
        return next((one for one in choices if one.sent), Value(from_sent=frozenset([sent])))
    if annotation is str or (is_class(annotation) and issubclass_safely(annotation, str)):
        is_free = not is_enum(annotation) and not has_pattern(info)
        return text_of_client(sent) if is_free else Value(from_sent=frozenset([sent]))
    if annotation is dict or typing.get_origin(annotation) is dict:
        return any_of_client(sent)
    if is_model(annotation):
        return Value(model=annotation, prefix=sent, cls=annotation, from_sent=frozenset([sent]))
    if is_class(annotation) and is_url(annotation):
        return text_of_client(sent)
    cls = annotation if is_class(annotation) else None
    return Value(cls=cls, from_sent=frozenset([sent]))


def text_of_client(sent: Sent) -> Value:
    return Value(sent=frozenset([sent]), from_sent=frozenset([sent]))


def any_of_client(sent: Sent) -> Value:
    """A dictionary with whatever a client sends."""
    both = frozenset([sent])
    return Value(fields=frozenset(), any_field=True, item=text_of_client(sent), sent=both, from_sent=both)


def field_value(value: Value, name: str) -> Value | None:
    """A field of a model that a client fills."""
    info = known_fields(value.model).get(name)
    if info is None or value.prefix is None:
        return None
    path = f"{value.prefix.name}.{name}"
    return sent_value(info.annotation, Sent(path, value.prefix.location), info)


def has_pattern(info: Any) -> bool:
    """Whether what a client sends is judged by more than its length."""
    for one in getattr(info, "metadata", None) or ():
        name = class_name(type(one))
        if getattr(one, "pattern", None) is not None or name.endswith("Validator") or name == "_fields":
            return True
    return False


def is_enum(cls: Any) -> bool:
    return any(base is enum.Enum for base in bases_of(cls))


def is_url(cls: Any) -> bool:
    return any(
        str(base.__module__) == "pydantic.networks" and class_name(base) in ("_BaseUrl", "AnyUrl", "HttpUrl")
        for base in bases_of(cls)
    )


def issubclass_safely(cls: Any, base: Any) -> bool:
    return any(one is base for one in bases_of(cls))


def validates(model: Any) -> bool:
    """Whether code of the app's own sees to what is in a model."""
    found = names_of(model).get("__pydantic_decorators__")
    return any(
        getattr(found, name, None)
        for name in ("field_validators", "validators", "model_validators", "root_validators")
    )


def takes_any_field(model: Any) -> bool:
    config = names_of(model).get("model_config")
    return isinstance(config, dict) and config.get("extra") == "allow"


def is_function(value: Any) -> bool:
    return type(value) in (types.FunctionType, types.MethodType)
