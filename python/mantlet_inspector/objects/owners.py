"""Whose an object is, by the foreign keys of its table."""

from __future__ import annotations

from typing import Any

from mantlet_inspector.objects.tables import Reference, Table
from mantlet_inspector.objects.words import plain, singular, words

DEEPEST = 3  # foreign keys from an object to its user
# Tables of these say who may see something; others, such as favourites, may too: it is not known.
MEMBERS = {
    *("access", "acl", "collaborator", "grant", "invitation", "invite", "member", "membership"),
    *("participant", "permission", "share"),
}
# Groups whose members see what is the group's, and nobody else does. Others, such as clubs and
# channels, may be open to all.
TENANTS = {
    *("business", "company", "firm", "org", "organisation", "organization", "team", "tenant"),
    "workspace",
}
# Of these, too, where users have a column for the one that they are in. A user's company may only
# be something that is told of the user.
SURELY_TENANTS = {"org", "organisation", "organization", "tenant", "workspace"}
# Words of a column by which a user is named as the one whose the object is. Others name a part
# that a user has in it: `created_by`, `assignee_id`, `reviewer_id`; and `author_id`, because what
# authors write is read by others.
OWNING = {"account", "customer", "member", "owned", "owner", "uid", "user", "username"}
# What else stands in such names.
KEYS = {"by", "email", "fk", "id", "key", "name", "no", "number", "pk", "uuid"}
NONE = {"kind": "none"}


class Owners:
    def __init__(self, tables: dict[str, Table], user: Table | None) -> None:
        self.tables = tables
        self.user = user
        self.known: dict[str, dict[str, Any]] = {}
        self.joins = {name for name, table in tables.items() if self.is_join(table)}

    def of(self, table: Table, depth: int = DEEPEST) -> dict[str, Any]:
        """-> how a table is owned. `kind`: `user`, `column`, `nested`, `ambiguous`, `shared`,
        `join` or `none`"""
        if table.name in self.known:
            return self.known[table.name]
        if self.user is None or depth == 0:
            return NONE
        self.known[table.name] = NONE  # it refers to itself
        found = self.judge(table, depth)
        if depth == DEEPEST:
            self.known[table.name] = found
        else:
            del self.known[table.name]
        return found

    def judge(self, table: Table, depth: int) -> dict[str, Any]:
        if self.is_user(table.name) or any(map(self.is_user, table.bases)):
            return {"kind": "user"}
        own = [one for one in table.references if self.is_user(one.table)]
        if table.name in self.joins:
            return {"kind": "join"} if own else self.nested(table, depth, [])
        through = self.members_of(table)
        if through:
            return {"kind": "shared", "through": through, **self.group(table, through)}
        field = self.field_of_user(table)
        if self.user is not None and field is not None:
            group = {"table": table.name, "key": table.key[0], "of-user": field, "steps": []}
            return {"kind": "shared", "through": [self.user.name], "group": group}
        return self.nested(table, depth, own)

    def nested(self, table: Table, depth: int, own: list[Reference]) -> dict[str, Any]:
        parents = []
        for reference in table.references:
            parent = self.tables.get(reference.table)
            if parent is None or parent is table or self.is_user(parent.name):
                continue
            found = self.of(parent, depth - 1)
            if found["kind"] in ("column", "nested", "ambiguous", "shared"):
                parents.append((reference, found))
        shared = [(reference, found) for reference, found in parents if found["kind"] == "shared"]
        if len(own) > 1 or (own and shared):
            names = [name for one in own for name in columns_of(table, one)]
            names += [name for one, _ in shared for name in columns_of(table, one)]
            return {"kind": "ambiguous", "columns": sorted(set(names))}
        if own and parents:
            return self.of_two(table, own[0], *parents)
        if own:
            return self.column(table, own[0])
        if not parents:
            return NONE
        if len(parents) > 1:
            names = [name for one, _ in parents for name in columns_of(table, one)]
            return {"kind": "ambiguous", "columns": sorted(set(names))}
        reference, found = parents[0]
        if found["kind"] == "shared":
            return self.of_group(table, reference, found)
        if found["kind"] == "ambiguous" or "beside" in found or len(reference.fields) != 1:
            return {"kind": "ambiguous", "columns": sorted(columns_of(table, reference))}
        step = self.step(table, reference)
        rest = found["steps"] if found["kind"] == "nested" else [found["step"]]
        nullable = step["nullable"] or any(one["nullable"] for one in rest)
        return {"kind": "nested", "steps": [step, *rest], **({"nullable": True} if nullable else {})}

    def column(self, table: Table, reference: Reference) -> dict[str, Any]:
        names = columns_of(table, reference)
        if len(names) != 1:
            return {"kind": "ambiguous", "columns": sorted(names)}
        step = self.step(table, reference)
        return {"kind": "column", "step": step, **({"nullable": True} if step["nullable"] else {})}

    def of_two(
        self,
        table: Table,
        own: Reference,
        first: tuple[Reference, dict[str, Any]],
        *others: tuple[Reference, dict[str, Any]],
    ) -> dict[str, Any]:
        """It names a user, and belongs to something of a user, who may be another one: a comment on
        a note."""
        reference, found = first
        owner = self.column(table, own)
        every = [own, *(one for one, _ in (first, *others))]
        names = {name for one in every for name in columns_of(table, one)}
        are_plain = owner["kind"] == found["kind"] == "column" and "beside" not in found
        if others or not are_plain or len(reference.fields) != 1:
            return {"kind": "ambiguous", "columns": sorted(names)}
        if found["step"]["key"] != owner["step"]["key"]:
            return {"kind": "ambiguous", "columns": sorted(names)}
        return {**owner, "beside": [self.step(table, reference), found["step"]]}

    def of_group(self, table: Table, reference: Reference, found: dict[str, Any]) -> dict[str, Any]:
        """Its objects are those of a group."""
        kept = {"kind": "shared", "through": found["through"]}
        group = found.get("group")
        if group is None or len(reference.fields) != 1:
            return kept
        step = self.step(table, reference)
        if not group["steps"] and step["key"] != group["key"]:
            return kept
        return {**kept, "group": {**group, "steps": [step, *group["steps"]]}}

    def group(self, table: Table, through: list[str]) -> dict[str, Any]:
        """A group by itself, if one of the tables says who its members are, and nothing else."""
        if (
            not is_one_of(TENANTS, table)
            or len(table.key) != 1
            or not any(self.is_membership(one, table) for one in through)
        ):
            return {}
        return {"group": {"table": table.name, "key": table.key[0], "steps": []}}

    def field_of_user(self, table: Table) -> str | None:
        """By which a user is in one group alone."""
        if self.user is None or not is_one_of(SURELY_TENANTS, table) or len(table.key) != 1:
            return None
        own = [one for one in self.user.references if one.table == table.name]
        if len(own) != 1 or len(own[0].fields) != 1:
            return None
        aims = own[0].columns or table.key
        return own[0].fields[0] if table.field(aims[0]) == table.key[0] else None

    def is_membership(self, name: str, group: Table) -> bool:
        said = {*words(plain(name.rpartition(".")[2]))}
        names = group.names | (self.user.names if self.user is not None else set())
        known = {word for one in names for word in words(one)}
        return said - known <= MEMBERS

    def step(self, table: Table, reference: Reference) -> dict[str, Any]:
        """One foreign key: from which column, to which."""
        field = reference.fields[0]
        column = table.columns.get(field)
        target = self.tables[reference.table]
        aims = reference.columns or tuple(target.key)
        return {
            "table": table.name,
            "field": field,
            "column": column.name if column else field,
            "to": target.name,
            "key": target.field(aims[0]) if aims else "id",
            "nullable": bool(column and column.nullable),
            **({"part": True} if self.is_part(target, column.name if column else field) else {}),
        }

    def is_part(self, target: Table, name: str) -> bool:
        """Whether a column that leads to a user does not say that this is the owner. One that is
        called as the table of users is says no part, in whatever language: `usuario_id`."""
        if not self.is_user(target.name):
            return False
        left = [singular(word) for word in words(name) if word not in KEYS]
        return "_".join(left) not in target.names and not (left and {*left} <= OWNING)

    def is_user(self, name: str) -> bool:
        return self.user is not None and (name == self.user.name or name in self.user.bases)

    # Tables that join

    def is_join(self, table: Table) -> bool:
        """Whether a table says which objects of two others belong together."""
        targets = {one.table for one in table.references}
        if len(targets) < 2:
            return False
        keys = {field for one in table.references for field in one.fields}
        if table.secondary or (table.key and set(table.key) <= keys and len(table.key) > 1):
            return True
        if any(len(unique) > 1 and unique <= keys for unique in table.unique):
            return True
        own = table.name.rpartition(".")[2]
        if any(name in MEMBERS for name in (word.rstrip("s") for word in words(own))):
            return True
        pairs = [sorted(self.tables[one].names) for one in sorted(targets) if one in self.tables]
        return any(
            f"{a}_{b}" in table.names
            for first in pairs
            for second in pairs
            if first is not second
            for a in first
            for b in second
        )

    def members_of(self, table: Table) -> list[str]:
        """Tables by which several users share an object of this one."""
        found = []
        for name in sorted(self.joins):
            targets = [one.table for one in self.tables[name].references]
            if name != table.name and table.name in targets and any(map(self.is_user, targets)):
                found.append(name)
        return found


def is_one_of(names: set[str], table: Table) -> bool:
    return any(words(name)[-1:] and words(name)[-1] in names for name in table.names)


def columns_of(table: Table, reference: Reference) -> list[str]:
    return [table.columns[field].name if field in table.columns else field for field in reference.fields]
