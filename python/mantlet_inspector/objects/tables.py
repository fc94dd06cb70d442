"""The tables of an app: those of its mappers, those that it describes to SQLAlchemy without one,
and those that it creates with SQL of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from mantlet_inspector.objects import statements
from mantlet_inspector.objects.words import bare, plain
from mantlet_inspector.source.objects import is_module, loads_itself, names_in
from mantlet_inspector.source.stored import bases_of, class_name

MOST = 5_000  # tables
LONGEST = 200_000  # characters of a text with statements
# Kinds of values by the names of the types, the first that is met.
KINDS = {
    "Boolean": "flag",
    "Enum": "choice",
    "Integer": "number",
    "UUID": "uuid",
    "Uuid": "uuid",
    "String": "text",
}


class Column(NamedTuple):
    name: str
    kind: str  # one of `KINDS`, or `other`
    nullable: bool
    choices: tuple[str, ...] = ()


class Reference(NamedTuple):
    """A foreign key."""

    fields: tuple[str, ...]
    table: str
    columns: tuple[str, ...]  # none: its key


class Table:
    def __init__(self, name: str, source: str, cls: Any = None) -> None:
        self.name = name
        self.source = source  # `mapper`, `table` or `statement`
        self.cls = cls
        self.columns: dict[str, Column] = {}  # by the names that objects have for them
        self.key: tuple[str, ...] = ()
        self.references: list[Reference] = []
        self.unique: list[frozenset[str]] = []
        self.bases: list[str] = []  # tables of the classes that it derives from
        self.related: set[str] = set()  # attributes that are other objects
        self.secondary = False  # it only joins two others
        own = name.rpartition(".")[2]
        self.names = {plain(own), *([bare(class_name(cls))] if cls is not None else [])}

    def field(self, column: str) -> str:
        """-> the name that objects have for a column"""
        return next((field for field, one in self.columns.items() if one.name == column), column)


def tables_of(modules: Iterable[Any]) -> dict[str, Table]:
    """-> tables by their names. `modules` are the app's own."""
    found: dict[str, Table] = {}
    modules = list(modules)
    if "sqlalchemy" in sys.modules:
        described: list[Any] = []  # `MetaData`
        joins: set[str] = set()
        for mapper in mappers():
            read = guarded(mapped, mapper, joins)
            if read is not None and found.setdefault(read.name, read) is not read and read.bases:
                found.pop(read.name, None)  # two classes in one table
            described += [table.metadata for table in getattr(mapper, "tables", ())]
        described += [one for one in values_in(modules) if has_class(one, "sqlalchemy", "MetaData")]
        for metadata in {id(one): one for one in described}.values():
            for table in list(metadata.tables.values())[:MOST]:
                if table.fullname not in found:
                    read = guarded(unmapped, table)
                    if read is not None:
                        found[read.name] = read
        for name in joins & found.keys():
            found[name].secondary = True
    for text in values_in(modules):
        if type(text) is str and len(text) <= LONGEST and "create table" in text.lower():
            for one in statements.read(text):
                found.setdefault(one.name, stated(one))
    return dict(sorted(found.items()))


def guarded(read: Any, *args: Any) -> Table | None:
    try:
        return read(*args)
    except Exception:  # most likely a version that is not known
        return None


def values_in(modules: Iterable[Any]) -> Iterator[Any]:
    for module in modules:
        if is_module(module) and not loads_itself(module):
            yield from list(names_in(module).values())


def has_class(value: Any, package: str, name: str) -> bool:
    for base in bases_of(type(value)):
        if class_name(base) == name and str(base.__module__).partition(".")[0] == package:
            return True
    return False


# SQLAlchemy's own


def mappers() -> list[Any]:
    """All that there are. Asking a mapper for its relationships would configure it, with code of
    the app: they are not asked for."""
    mapper = sys.modules.get("sqlalchemy.orm.mapper")
    found: dict[int, Any] = {}
    for registry in registries(mapper):
        for one in list(getattr(registry, "mappers", ())):
            found[id(one)] = one
    # In an order that does not change between runs.
    return sorted(found.values(), key=lambda one: (one.class_.__module__, one.class_.__qualname__))[:MOST]


def registries(mapper: Any) -> list[Any]:
    every = getattr(mapper, "_all_registries", None)
    if every is not None:
        return list(every())
    # A version that keeps no list of them.
    decl_api = sys.modules.get("sqlalchemy.orm.decl_api")
    waiting, found = [getattr(decl_api, "DeclarativeBase", None)], []
    while waiting:
        cls = waiting.pop()
        if cls is not None:
            waiting += type.__subclasses__(cls)
            found += [one for one in [vars(cls).get("registry")] if one is not None]
    return found


def mapped(mapper: Any, joins: set[str]) -> Table | None:
    local = mapper.local_table
    if not hasattr(local, "fullname"):  # what is mapped is a query
        return None
    table = Table(local.fullname, "mapper", mapper.class_)
    fields = {}
    for field, column in mapper.columns.items():
        if hasattr(column, "foreign_keys") and hasattr(column, "nullable"):
            fields[id(column)] = field
            table.columns[field] = column_of(column)

    def field_of(column: Any) -> str:
        return fields.get(id(column), column.key)

    table.key = tuple(field_of(column) for column in mapper.primary_key)
    table.bases = [base.local_table.fullname for base in bases(mapper)]
    for own in mapper.tables:
        add_constraints(table, own, field_of)
    table.references = [one for one in table.references if one.table not in table.bases]
    for name, part in dict(getattr(mapper, "_props", {})).items():
        if is_relationship(part):
            table.related.add(name)
            joined = secondary_of(part)
            if joined is not None:
                joins.add(joined)
    return table


def bases(mapper: Any) -> Iterator[Any]:
    while mapper.inherits is not None:
        mapper = mapper.inherits
        if hasattr(mapper.local_table, "fullname"):
            yield mapper


def unmapped(source: Any) -> Table:
    table = Table(source.fullname, "table")
    table.columns = {column.key: column_of(column) for column in source.columns}
    table.key = tuple(column.key for column in source.primary_key.columns)
    add_constraints(table, source, lambda column: column.key)
    return table


def add_constraints(table: Table, source: Any, field_of: Any) -> None:
    for constraint in source.foreign_key_constraints:
        targets = [target_of(element) for element in constraint.elements]
        fields = tuple(field_of(element.parent) for element in constraint.elements)
        names = {name for name, _ in targets}
        if len(names) == 1:
            table.references.append(Reference(fields, names.pop(), tuple(column for _, column in targets)))
    table.references.sort()
    for constraint in source.constraints:
        if type(constraint).__name__ == "UniqueConstraint":
            table.unique.append(frozenset(field_of(column) for column in constraint.columns))
    for index in source.indexes:
        if index.unique:
            table.unique.append(frozenset(field_of(column) for column in index.columns))
    for column in source.columns:
        if column.unique:
            table.unique.append(frozenset([field_of(column)]))


def target_of(foreign_key: Any) -> tuple[str, str]:
    try:
        column = foreign_key.column
        return column.table.fullname, column.name
    except Exception:  # its table is not there
        name, _, column = foreign_key.target_fullname.rpartition(".")
        return name, column


def column_of(column: Any) -> Column:
    names = [class_name(base) for base in bases_of(type(column.type))]
    kind = next((KINDS[name] for name in names if name in KINDS), "other")
    return Column(
        column.name, kind, bool(column.nullable), choices_of(column.type) if kind == "choice" else ()
    )


def choices_of(kind: Any) -> tuple[str, ...]:
    """Members' values, which answers have; tables have their names."""
    members = getattr(getattr(kind, "enum_class", None), "__members__", None)
    if members is not None:
        return tuple(value for value in (one._value_ for one in members.values()) if type(value) is str)
    return tuple(map(str, getattr(kind, "enums", ())))


def is_relationship(part: Any) -> bool:
    return any(class_name(base) == "RelationshipProperty" for base in bases_of(type(part)))


def secondary_of(part: Any) -> str | None:
    """The name of the table that joins, if it is there already."""
    for secondary in (
        getattr(part, "secondary", None),
        getattr(getattr(getattr(part, "_init_args", None), "secondary", None), "argument", None),
    ):
        if isinstance(secondary, str):
            return secondary
        if secondary is not None and hasattr(secondary, "fullname"):
            return secondary.fullname
    return None


# Of the app's own SQL


def stated(statement: statements.Statement) -> Table:
    table = Table(statement.name, "statement")
    table.columns = {
        name: Column(name, kind, nullable) for name, (kind, nullable) in statement.columns.items()
    }
    table.key = tuple(statement.key)
    table.references = [Reference(*one) for one in statement.references]
    table.unique = [frozenset(one) for one in statement.unique]
    return table
