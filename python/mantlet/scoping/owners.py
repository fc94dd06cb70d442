"""Whose a row is: for each model a column, a path to one, or a function that gives a condition."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Optional, Union

from sqlalchemy import Column, ColumnElement, ForeignKey, and_, false, func, or_, select
from sqlalchemy import inspect as inspection
from sqlalchemy.exc import NoReferencedTableError
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.mapper import _all_registries

from mantlet.caller import Principal
from mantlet.errors import ScopeError

# The name of an attribute (`"user_id"`), a path over relationships to one (`"order.user_id"`), a
# function of the caller that gives a condition, or `None`: not scoped.
Owner = Union[str, Callable[[Principal], "ColumnElement[bool]"], None]
Value = Callable[[Principal], Any]


def subject(principal: Principal) -> Any:
    """The default: owners are the subjects of callers."""
    return principal.subject


@dataclass(frozen=True)
class Owned:
    """A model whose rows have an owner."""

    mapper: Mapper[Any]
    owner: str | Callable[[Principal], ColumnElement[bool]]

    @property
    def name(self) -> str:
        return self.mapper.class_.__name__

    @property
    def column(self) -> Column[Any] | None:
        """The column that holds the owner, if it is one of the model's own table."""
        if not isinstance(self.owner, str) or "." in self.owner:
            return None
        return self.mapper.column_attrs[self.owner].columns[0]  # pyright: ignore[reportReturnType]

    def condition(self, principal: Principal | None, value: Value) -> ColumnElement[bool]:
        """What holds of the caller's rows alone. Without a caller: nothing."""
        if principal is None:
            return false()
        if not isinstance(self.owner, str):
            return self.owner(principal)
        return at_path(self.mapper, self.owner.split("."), value(principal))

    def is_own(self, instance: Any, principal: Principal | None, value: Value) -> bool:
        """Whether an object that is loaded is known to be the caller's. Not known: no."""
        if self.column is None or principal is None:
            return False
        owner = inspection(instance).dict.get(self.owner)
        wanted = value(principal)
        return owner is not None and wanted is not None and owner == as_type(self.column, wanted)


def at_path(mapper: Mapper[Any], path: list[str], value: Any) -> ColumnElement[bool]:
    """The attribute at a path is the value."""
    name, *rest = path
    attribute = getattr(mapper.class_, name)
    if rest:
        inner = at_path(mapper.relationships[name].mapper, rest, value)
        return attribute.any(inner) if mapper.relationships[name].uselist else attribute.has(inner)
    if value is None:
        return false()
    column = mapper.column_attrs[name].columns[0]
    return attribute == as_type(column, value)


def as_type(column: Any, value: Any) -> Any:
    """A value as the column has it: subjects of callers are text, and owners may be numbers."""
    try:
        wanted = column.type.python_type
    except NotImplementedError:
        return value
    if isinstance(value, wanted) and not isinstance(value, bool):
        return value
    try:
        if wanted is int and isinstance(value, str) and value.isascii() and value.isdecimal():
            return int(value)
        if wanted is uuid.UUID and isinstance(value, str):
            return uuid.UUID(value)
        if wanted is str and isinstance(value, (int, uuid.UUID)) and not isinstance(value, bool):
            return str(value)
    except ValueError:
        pass
    raise ScopeError(
        f"the caller is `{value}`, and `{column.table}.{column.name}` holds values of the type "
        f"{column.type}: say how one becomes the other with "
        '`mantlet.scope(…, value=lambda principal: principal["id"])`'
    )


def find(user: type | None, given: Mapping[type, Owner]) -> list[Owned]:
    """The owned models: those that are given, and those with one foreign key to the users."""
    owned = {}
    for model, owner in given.items():
        mapper = mapper_of(model)
        if owner is not None:
            check_owner(mapper, owner)
            owned[mapper] = Owned(mapper, owner)
    mistakes = []
    if user is not None:
        users = mapper_of(user)
        for mapper in sorted(mappers(), key=lambda one: len(list(one.iterate_to_root()))):
            if mapper.class_ in given or mapper is users or any(up in owned for up in ancestors(mapper)):
                continue
            keys = sorted(keys_to(mapper, users), key=lambda column: column.name)
            if len(keys) == 1:
                owned[mapper] = Owned(mapper, mapper.get_property_by_column(keys[0]).key)
            elif keys:
                names = ", ".join(f"`{column.name}`" for column in keys)
                mistakes.append(
                    f"`{mapper.class_.__name__}` has several foreign keys to `{users.local_table}`: {names}. "
                    f"Say which one is its owner: `owner={{{mapper.class_.__name__}: "
                    f'"{mapper.get_property_by_column(keys[0]).key}"}}`, or `None` if it has none'
                )
    mistakes += [found for one in owned.values() for found in passages(one, owned)]
    if mistakes:
        raise ScopeError("queries cannot be scoped:\n- " + "\n- ".join(mistakes))
    return list(owned.values())


def mappers() -> list[Mapper[Any]]:
    """All of this process: models may have several declarative bases."""
    return [mapper for registry in _all_registries() for mapper in registry.mappers]


def mapper_of(model: Any) -> Mapper[Any]:
    found: Optional[Any] = inspection(model, raiseerr=False)  # noqa: UP045
    if not isinstance(found, Mapper):
        raise ScopeError(f"`{getattr(model, '__name__', model)}` is not a mapped model with a table")
    return found


def ancestors(mapper: Mapper[Any]) -> Iterable[Mapper[Any]]:
    return (up for up in mapper.iterate_to_root() if up is not mapper)


def keys_to(mapper: Mapper[Any], users: Mapper[Any]) -> list[Column[Any]]:
    """The mapped columns of a model that refer to the table of users. Several constraints may be on
    one column."""
    tables = set(users.tables)
    return [
        column
        for column in mapper.columns
        if isinstance(column, Column)
        and column.table not in tables
        and any(leads_to(key, tables) for key in column.foreign_keys)
    ]


def leads_to(key: ForeignKey, tables: set[Any]) -> bool:
    try:
        return key.column.table in tables
    except NoReferencedTableError:  # a model of another part of the app, whose tables are not known
        return False


def check_owner(mapper: Mapper[Any], owner: Owner) -> None:
    if callable(owner):
        return
    at = mapper
    *path, last = str(owner).split(".")
    for name in path:
        if name not in at.relationships:
            raise ScopeError(f"`{at.class_.__name__}` has no relationship `{name}` (in `{owner}`)")
        at = at.relationships[name].mapper
    if last not in at.column_attrs:
        raise ScopeError(f"`{at.class_.__name__}` has no column `{last}` (in `{owner}`)")


def passages(one: Owned, owned: Mapping[Mapper[Any], Owned]) -> list[str]:
    """Other mapped classes by which the rows of an owned model can be read."""
    found = []
    for mapper in mappers():
        lineage = set(mapper.iterate_to_root())
        if lineage & set(owned):
            continue
        if mapper in set(ancestors(one.mapper)):
            found.append(
                f"`{one.name}` is owned, and rows of it are also read as `{mapper.class_.__name__}`: "
                f"give the owner of `{mapper.class_.__name__}`"
            )
        elif set(mapper.tables) & set(one.mapper.tables):
            found.append(
                f"`{mapper.class_.__name__}` reads the table of `{one.name}`, which is owned: "
                f"give the owner of `{mapper.class_.__name__}`, too"
            )
    for mapper in mappers():
        for relationship in mapper.relationships:
            if relationship.secondary is not None and relationship.secondary in one.mapper.tables:
                found.append(
                    f"`{relationship}` reads the table of `{one.name}`, which is owned, as its `secondary`: "
                    f"write it over `{one.name}`, or give `owner={{{one.name}: None}}`"
                )
    return found


def rows(one: Owned, keys: list[Any], condition: ColumnElement[bool]) -> Any:
    """A query that counts those rows, of the ones with these primary keys, for which a condition
    holds."""
    columns = [one.mapper.get_property_by_column(column).class_attribute for column in one.mapper.primary_key]
    named = or_(*(and_(*(column == part for column, part in zip(columns, key))) for key in keys))
    return select(func.count()).select_from(one.mapper.class_).where(named, condition)
