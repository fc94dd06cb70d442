"""Which table a model shows, and which parameter of a path is the key of one."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from mantlet_inspector.objects.models import Field, fields_of, is_of_library
from mantlet_inspector.objects.tables import Column, Table
from mantlet_inspector.objects.words import bare, plain, singular, words
from mantlet_inspector.source.objects import is_class
from mantlet_inspector.source.stored import bases_of, class_name, names_of

ENOUGH = 0.8  # of a model's fields that its table has
ENOUGH_OF_A_BASE = 0.5  # the same, where model and table have a base in common
PARAMETER = re.compile(r"{([^}:]+)(?::[^}]*)?}")
SHAPES = {"int": "number", "uuid": "uuid", "str": "text"}


class Link(NamedTuple):
    table: Table
    evidence: str  # `table`, `base`, `attributes` or `fields`
    overlap: int  # per cent


class Links:
    def __init__(self, tables: dict[str, Table]) -> None:
        self.tables = tables
        self.by_class = {id(one.cls): one for one in tables.values() if one.cls is not None}
        self.known: dict[int, tuple[Any, Link | None]] = {}
        self.attributes: dict[str, set[str]] = {}
        self.parameters_known: dict[tuple[str, str, str, str], tuple[Table, str] | None] = {}
        derived: dict[int, list[Table]] = {}
        for table in self.by_class.values():
            for base in bases_of(table.cls):
                derived.setdefault(id(base), []).append(table)
        self.keys = [(table, identifying(table)) for table in tables.values()]
        self.words = [(table, [one.split("_") for one in table.names]) for table in tables.values()]
        # Bases of one table alone: a base of several says what tables have in common.
        self.bases = {base: found[0] for base, found in derived.items() if len(found) == 1}

    # Models

    def of(self, cls: Any) -> Link | None:
        if not is_class(cls):
            return None
        if id(cls) not in self.known:
            self.known[id(cls)] = (cls, self.find(cls))
        return self.known[id(cls)][1]

    def find(self, cls: Any) -> Link | None:
        table = self.by_class.get(id(cls))
        if table is not None:
            return Link(table, "table", 100)
        fields = fields_of(cls)
        if not fields:
            return None
        for base in bases_of(cls):
            table = self.bases.get(id(base))
            if table is not None and base is not table.cls and not is_of_library(base) and fields_of(base):
                overlap = self.overlap(fields, table)
                if overlap >= ENOUGH_OF_A_BASE:
                    return Link(table, "base", round(overlap * 100))
        own = bare(class_name(cls)).split("_")
        found = []
        for table, names in self.words:
            length = max((alike(own, one) for one in names), default=0)
            overlap = self.overlap(fields, table) if length else 0.0
            if overlap >= ENOUGH:
                found.append((length, overlap, table))
        found.sort(key=lambda one: one[:2], reverse=True)
        if not found or (len(found) > 1 and found[0][:2] == found[1][:2]):
            return None
        config = names_of(cls).get("model_config")
        reads = isinstance(config, dict) and config.get("from_attributes") is True
        return Link(found[0][2], "attributes" if reads else "fields", round(found[0][1] * 100))

    def overlap(self, fields: dict[str, Field], table: Table) -> float:
        """The part of a model's fields that objects of a table have."""
        known = self.attributes.get(table.name)
        if known is None:
            known = self.attributes[table.name] = attributes_of(table)
        has = [any(name in known for name in field.read_as) for field in fields.values()]
        return sum(has) / len(has)

    # Parameters

    def parameters(self, path: str, kinds: dict[str, str]) -> list[dict[str, str]]:
        """-> the parameters of a path that are keys of tables, or unique columns. `kinds` are those
        of their values, as far as they are known."""
        found: list[dict[str, str]] = []
        above: Table | None = None
        before = ""
        for segment in path.strip("/").split("/"):
            parameter = PARAMETER.fullmatch(segment)
            if parameter is None:
                before = segment
                continue
            kind = SHAPES.get(kinds.get(parameter[1], ""), "other")
            named = self.named(parameter[1], before, above, kind)
            if named is not None:
                above = named[0]
                found.append({"name": parameter[1], "table": named[0].name, "field": named[1]})
        return found

    def named(self, parameter: str, before: str, above: Table | None, kind: str) -> tuple[Table, str] | None:
        key = (parameter, before, above.name if above is not None else "", kind)
        if key not in self.parameters_known:
            self.parameters_known[key] = self.find_named(parameter, before, above, kind)
        return self.parameters_known[key]

    def find_named(
        self, parameter: str, before: str, above: Table | None, kind: str
    ) -> tuple[Table, str] | None:
        found = []
        standing = {plain(before)}
        if above is not None:  # `/orders/{order_id}/items/{item_id}`
            standing |= {f"{one}_{plain(before)}" for one in above.names}
        for table, fields in self.keys:
            stands = not standing.isdisjoint(table.names)
            for field, column in fields:
                if fits(column, kind) and names(parameter, field, table, stands, before):
                    found.append((stands, table, field))
        if any(stands for stands, _, _ in found):
            found = [one for one in found if one[0]]
        if len({table.name for _, table, _ in found}) != 1:
            return None
        key = [one for one in found if one[2] in one[1].key]
        return (key or found)[0][1:]

    def at_the_end(self, path: str, kinds: dict[str, str], table: Table) -> dict[str, str] | None:
        """The last parameter of a path, where the answer is an object of this table."""
        parameter = PARAMETER.fullmatch(path.rstrip("/").rpartition("/")[2])
        if parameter is None or len(table.key) != 1:
            return None
        key = table.key[0]
        column = table.columns.get(key)
        is_id = words(parameter[1])[-1:] == words(key)[-1:]
        kind = SHAPES.get(kinds.get(parameter[1], ""), "other")
        if column is None or not is_id or not fits(column, kind):
            return None
        return {"name": parameter[1], "table": table.name, "field": key}

    def below(self, segment: str) -> Table | None:
        """The table that a segment of a path names."""
        found = [table for table in self.tables.values() if plain(segment) in table.names]
        return found[0] if len(found) == 1 else None


def alike(own: list[str], other: list[str]) -> int:
    """How many words of a table's name begin or end a model's; none if not all do:
    `order_item_public` is of `order_item` rather than of `order`."""
    if own[: len(other)] == other or own[-len(other) :] == other:
        return len(other)
    return 0


def attributes_of(table: Table) -> set[str]:
    """What objects of a table have."""
    known = {*table.columns, *table.related}
    if table.cls is not None:
        known |= {name for base in bases_of(table.cls) for name in names_of(base) if name[:1] != "_"}
    return known


def identifying(table: Table) -> list[tuple[str, Column]]:
    """Keys, and columns of which each value is there once."""
    unique = [field for one in table.unique if len(one) == 1 for field in one]
    fields = dict.fromkeys([*table.key, *unique])
    return [(field, table.columns[field]) for field in fields if field in table.columns]


def names(parameter: str, field: str, table: Table, stands: bool, before: str) -> bool:
    """Whether a parameter is called as a column of a table is."""
    snake = "_".join(words(parameter))
    column = "_".join(words(field))
    if any(snake in (f"{one}_{column}", f"{one}{column}") for one in table.names):
        return True
    if stands and snake in (column, "id" if field in table.key else column, f"{plain(before)}_{column}"):
        return True
    if stands and field in table.key and snake in ("pk", "key", singular(before), *table.names):
        return True
    # `/o/{order_no}`
    return snake == column and column != "id" and field in table.key and len(column.split("_")) > 1


def fits(column: Column, kind: str) -> bool:
    return "other" in (kind, column.kind) or kind == column.kind or {kind, column.kind} == {"text", "uuid"}
