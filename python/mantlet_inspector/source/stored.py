"""What is stored in objects and classes, taken out so that no code of theirs runs: no property, no
`__getattr__`, no metaclass."""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any

# As `type` itself has them: a metaclass may answer otherwise, by its own code.
bases_of: Any = type.__dict__["__mro__"].__get__
names_of: Any = type.__dict__["__dict__"].__get__
class_name: Any = type.__dict__["__name__"].__get__
subclasses_of: Any = type.__subclasses__

MOST = 10_000  # parts of one container
ITEMS = (list, tuple, set, frozenset, deque)
layouts: dict[int, tuple[Any, list[tuple[str, Any]], Any]] = {}


def module_of(cls: Any) -> str:
    """The name of the module in which a class was made, or nothing."""
    name = names_of(cls).get("__module__")
    return name if type(name) is str else ""


def is_a(value: Any, *classes: Any) -> bool:
    """By its very type: `isinstance` also asks the object."""
    return any(base is cls for base in bases_of(type(value)) for cls in classes)


def is_exactly(value: Any, *classes: Any) -> bool:
    """Of one of these classes itself. `in` would ask a metaclass."""
    cls = type(value)
    return any(cls is one for one in classes)


def layout_of(cls: Any) -> tuple[Any, list[tuple[str, Any]], Any]:
    """-> (the class, its slots, what yields the names of an object)"""
    known = layouts.get(id(cls))
    if known is None:
        slots, names = [], None
        for base in bases_of(cls):
            for name, found in list(names_of(base).items()):
                kind = type(found)
                if name == "__dict__":
                    is_built_in = kind in (types.GetSetDescriptorType, types.MemberDescriptorType)
                    names = found if is_built_in and names is None else names
                elif kind is types.MemberDescriptorType:
                    slots.append((name, found))
        known = layouts[id(cls)] = (cls, slots, names)
    return known


def attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """What an object has itself, by name."""
    cls, slots, names = layout_of(type(value))
    for name, slot in slots:
        try:
            yield name, slot.__get__(value, cls)
        except AttributeError:  # it is empty
            continue
    kept = names and names.__get__(value, cls)
    if issubclass(type(kept), dict):
        for name, found in entries(kept):
            if type(name) is str:
                yield name, found


def attribute(value: Any, name: str) -> Any:
    """One of them, or nothing."""
    return next((found for other, found in attributes(value) if other == name), None)


def entries(mapping: Any) -> list[tuple[Any, Any]]:
    """Those of a `dict`, up to a bound; a subclass may have another `items`."""
    return first(dict.items(mapping))


def items(container: Any) -> list[Any]:
    """Those of a list, a tuple, a set or a queue, up to a bound; a subclass may have another
    `__iter__`."""
    kind = next(base for base in bases_of(type(container)) if any(base is one for one in ITEMS))
    return first(kind.__iter__(container))


def first(parts: Any) -> list[Any]:
    try:
        return list(islice(parts, MOST))
    except RuntimeError:  # another thread changes it meanwhile
        return []


def bytes_in(value: Any, most: int) -> bytes | None:
    """A text or bytes, if it is one and has at most so many bytes."""
    cls = type(value)
    found = None
    if issubclass(cls, str):
        try:
            found = str.encode(value) if str.__len__(value) <= most else None
        except UnicodeEncodeError:
            return None
    elif issubclass(cls, bytes):
        found = bytes.__getitem__(value, slice(None)) if bytes.__len__(value) <= most else None
    elif issubclass(cls, bytearray):
        found = bytes(bytearray.__getitem__(value, slice(None))) if bytearray.__len__(value) <= most else None
    return found if found and len(found) <= most else None
