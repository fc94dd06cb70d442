"""The contract's list of shapes."""

from __future__ import annotations

import json
import marshal
from collections.abc import Iterator
from typing import Any

Shape = dict[str, Any]

WANTED = {"fields", "items", "choices", "expected", "values", "labels"}  # also if they are empty


class Shapes:
    """The contract's list of shapes. Equal ones are listed once."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._index: dict[Any, int] = {}
        self._clear: set[int] = set()  # shapes from which no opaque one can be reached

    def add(self, shape: Shape) -> int:
        shape = compact(shape)
        try:
            key = marshal.dumps(shape, 2)  # a version that writes equal values equally
        except ValueError:  # a text or a number of a class of its own
            key = json.dumps(shape, sort_keys=True)
        if key not in self._index:
            self._index[key] = len(self.all)
            self.all.append(shape)
        return self._index[key]

    def reserve(self) -> int:
        self.all.append(None)
        return len(self.all) - 1

    def fill(self, index: int, shape: Shape) -> None:
        self.all[index] = compact(shape)

    def opaque(self, why: str) -> int:
        return self.add({"type": "opaque", "why": why})

    def without_default(self, index: int) -> int:
        while self.all[index] and self.all[index]["type"] == "with-default":
            index = self.all[index]["inner"]
        return index

    def parts(self, shape: Shape) -> list[int]:
        """The shapes that a shape is made of."""
        return [part for _, part in named_parts(shape)]

    def opaque_places(self, index: int) -> list[tuple[str, str]]:
        """Every opaque place that can be reached from a shape -> (path, why)."""
        found, seen = [], set()
        waiting = [("", index)]
        while waiting:
            path, one = waiting.pop()
            if one in seen or one in self._clear:
                continue
            seen.add(one)
            shape = self.all[one]
            if shape["type"] == "opaque":
                found.append((path, shape["why"]))
            waiting += [(path + name, part) for name, part in named_parts(shape)][::-1]
        if not found:
            self._clear |= seen
        return found


def named_parts(shape: Shape) -> Iterator[tuple[str, int]]:
    """The shapes that a shape is made of, each with how to write its place."""
    for field in shape.get("fields", ()):
        yield "".join(f".{key}" for key in field["lookup"][0]), field["shape"]
    for part in ("extras", "extra-keys"):
        if part in shape:
            yield ".*", shape[part]
    if shape["type"] == "dict":
        yield ".*", shape["keys"]
        yield ".*", shape["values"]
    items = shape.get("items", [])
    for item in items if isinstance(items, list) else [items]:
        yield "[]", item
    for choice in shape.get("choices", ()):
        yield "", choice[1] if isinstance(choice, list) else choice
    for part in ("root", "inner"):
        if part in shape:
            yield "", shape[part]


def compact(shape: Shape) -> Shape:
    """Leaves out what is none, false or empty, except where the format wants it."""
    kept = {}
    for key, value in shape.items():
        if value is None:
            continue
        if "_" in key:
            key = key.replace("_", "-")
        if value or is_kept(key, value):
            kept[key] = value
    return kept


def is_kept(key: str, value: Any) -> bool:
    """Whether a value that is false or empty says something."""
    if value is False:
        return key in ("allow-inf-nan", "loc-by-alias")
    return value == 0 or value == "" or (value == [] and key in WANTED)
