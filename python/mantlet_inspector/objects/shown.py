"""What the answer of an operation shows: one object, a list or a page of them, and where it has the
owner."""

from __future__ import annotations

from typing import Any

from mantlet_inspector.objects.links import Link, Links
from mantlet_inspector.objects.models import Field, fields_of, item_of, unwrapped
from mantlet_inspector.objects.owners import Owners
from mantlet_inspector.objects.tables import Table
from mantlet_inspector.source.objects import is_class
from mantlet_inspector.source.stored import class_name

ENVELOPES = {"data", "item", "object", "payload", "record", "response", "result"}
COUNTS = ("count", "total", "total_count", "totalCount", "total_items", "num_results")
DEEPEST = 3  # models in models


class Shown:
    def __init__(self, shapes: list[Any], links: Links, owners: Owners) -> None:
        self.shapes = shapes
        self.links = links
        self.owners = owners

    def of(self, annotation: Any, shape: int | None, depth: int = 2) -> dict[str, Any] | None:
        """-> what an answer of this type shows"""
        annotation = unwrapped(annotation)
        item = item_of(annotation)
        if item is not None:
            inner = self.part(shape, "items")
            return self.objects("list", "", item, inner, self.links.of(item))
        if not is_class(annotation):
            return None
        link = self.links.of(annotation)
        if link is not None:
            return self.objects("one", None, annotation, shape, link)
        return self.page(annotation, shape) or (self.envelope(annotation, shape, depth) if depth else None)

    def objects(self, kind: str, items: str | None, cls: Any, shape: int | None, link: Link | None) -> Any:
        if link is None:
            return None
        return {
            "table": link.table.name,
            "as": kind,
            "model": class_name(cls),
            "evidence": link.evidence,
            "overlap": link.overlap,
            **({} if items is None else {"items": items}),
            **self.owner(cls, shape, link.table),
        }

    def page(self, cls: Any, shape: int | None) -> dict[str, Any] | None:
        fields = fields_of(cls)
        lists = []
        for field in fields.values():
            item = item_of(unwrapped(field.annotation))
            if item is not None and self.links.of(item) is not None:
                lists.append((field, item))
        if len(lists) != 1:
            return None
        field, item = lists[0]
        alias, inner = self.field(shape, field)
        if alias is None:
            return None
        found = self.objects("page", pointer(alias), item, self.part(inner, "items"), self.links.of(item))
        for name in COUNTS:
            alias = self.field(shape, fields[name])[0] if name in fields else None
            if alias is not None and unwrapped(fields[name].annotation) is int:
                found["count"] = pointer(alias)
                break
        return found

    def envelope(self, cls: Any, shape: int | None, depth: int) -> dict[str, Any] | None:
        """`{"data": {…}}`"""
        found = []
        for field in fields_of(cls).values():
            if field.name not in ENVELOPES:
                continue
            alias, inner = self.field(shape, field)
            inside = self.of(field.annotation, inner, depth - 1)
            if alias is not None and inside is not None:
                found.append((pointer(alias), inside))
        if len(found) != 1:
            return None
        at, inside = found[0]
        for place in ("items", "count") if inside["as"] != "one" else ("owner", "parent"):
            if place in inside:
                inside[place] = at + inside[place]
        return inside

    # The owner

    def owner(self, cls: Any, shape: int | None, table: Table) -> dict[str, str]:
        """-> where an object has its owner, and the key of the object by which it is owned"""
        found = {"owner": self.owner_in(cls, shape, table, DEEPEST)}
        owner = self.owners.of(table)
        if owner["kind"] == "nested":
            found["parent"] = self.column_in(cls, shape, owner["steps"][0]["field"])
        elif "beside" in owner:
            found["parent"] = self.column_in(cls, shape, owner["beside"][0]["field"])
        elif "group" in owner and len(owner["group"]["steps"]) > 1:
            found["parent"] = self.column_in(cls, shape, owner["group"]["steps"][0]["field"])
        return {name: place for name, place in found.items() if place is not None}

    def owner_in(self, cls: Any, shape: int | None, table: Table, depth: int) -> str | None:
        owner = self.owners.of(table)
        if owner["kind"] == "user" and len(table.key) == 1:
            return self.column_in(cls, shape, table.key[0])
        if owner["kind"] == "column":
            step = owner["step"]
            place = self.column_in(cls, shape, step["field"])
            return place or self.related_in(cls, shape, table, step, depth)
        if owner["kind"] == "nested":
            return self.related_in(cls, shape, table, owner["steps"][0], depth)
        if "group" in owner and len(owner["group"]["steps"]) == 1:
            return self.column_in(cls, shape, owner["group"]["steps"][0]["field"])
        return None

    def column_in(self, cls: Any, shape: int | None, name: str) -> str | None:
        for field in fields_of(cls).values():
            if name in field.read_as:
                alias = self.field(shape, field)[0]
                if alias is not None:
                    return pointer(alias)
        return None

    def related_in(self, cls: Any, shape: int | None, table: Table, step: Any, depth: int) -> str | None:
        """`/owner/id`, where the answer has the object that a foreign key leads to."""
        for field in fields_of(cls).values() if depth else ():
            inner = unwrapped(field.annotation)
            link = self.links.of(inner)
            if link is None or link.table.name != step["to"] or not table.related & {*field.read_as}:
                continue
            alias, inside = self.field(shape, field)
            if alias is None:
                continue
            if self.owners.is_user(link.table.name):
                rest = self.column_in(inner, inside, step["key"])
            else:
                rest = self.owner_in(inner, inside, link.table, depth - 1)
            if rest is not None:
                return pointer(alias) + rest
        return None

    # Shapes, which know under which names fields are written

    def field(self, shape: int | None, field: Field) -> tuple[str | None, int | None]:
        """-> the name under which a field is written, none if it is left out, and its shape"""
        found = self.bare(shape)
        if found is None or found["type"] != "object":
            return field.alias, None
        for one in found["fields"]:
            if one["name"] == field.name and one["lookup"]:
                return str(one["lookup"][0][0]), one["shape"]
        return None, None

    def part(self, shape: int | None, name: str) -> int | None:
        found = self.bare(shape)
        part = found.get(name) if found is not None else None
        return part if isinstance(part, int) else None

    def bare(self, shape: int | None) -> Any:
        for _ in range(8):
            found = self.shapes[shape] if shape is not None else None
            if found is None or found["type"] not in ("nullable", "with-default"):
                return found
            shape = found["inner"]
        return None


def pointer(name: str) -> str:
    """RFC 6901"""
    return "/" + name.replace("~", "~0").replace("/", "~1")
