"""What cannot be limited to the caller's rows, found in a statement before it runs.

Criteria reach the entities of the ORM in statements that the ORM compiles. They do not reach tables
of Core and SQL as text, and SQL as text can take them out of force: `a OR b AND criterion`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy
from sqlalchemy import (
    DDL,
    Alias,
    Delete,
    Insert,
    Join,
    Select,
    Table,
    TableClause,
    TextClause,
    Update,
    select,
)
from sqlalchemy.orm import Mapper, QueryableAttribute, RelationshipProperty
from sqlalchemy.orm.util import LoaderCriteriaOption
from sqlalchemy.sql.elements import BindParameter, ColumnClause
from sqlalchemy.sql.expression import CTE, AliasedReturnsRows, SelectBase
from sqlalchemy.sql.visitors import iterate

from mantlet.errors import NotScopable, ScopeError
from mantlet.scoping.owners import Owned, mappers

UNSCOPED = 'or mean all rows: `with mantlet.unscoped("why"):`'
# Entities that stand in a WHERE clause alone get criteria since then (SQLAlchemy issue 13070).
VERSION = tuple(int(part) for part in re.findall(r"\d+", sqlalchemy.__version__)[:3])
REACHES_WHERE = VERSION >= (2, 1)
# Before it, criteria are not adapted to an alias that is joined.
OLDEST = (2, 0, 22)
LITERAL = re.compile(r"'(?:[^']|'')*'")
# What ends, widens or comments out a condition.
WIDENING = re.compile(r"\b(or|union|intersect|except|select|from|table|xor)\b|--|/\*|;|\|\|", re.IGNORECASE)


class OwnRows(LoaderCriteriaOption):
    """`with_loader_criteria`, also for an alias that is joined by a condition of the app. There,
    SQLAlchemy leaves a plain expression about the model itself, of which there may be another row.

    The expression has to be the one of the option: values of others are not in the key under which
    SQLAlchemy caches a statement.
    """

    _traverse_internals = LoaderCriteriaOption._traverse_internals

    def _resolve_where_criteria(self, ext_info: Any) -> Any:
        resolved = super()._resolve_where_criteria(ext_info)
        return ext_info._adapter.traverse(resolved) if ext_info.is_aliased_class else resolved


@dataclass
class Owners:
    """The owned models, by what names them in a statement."""

    models: list[Owned]
    # Models of which the app has said who owns them, or that they have no owner.
    given: set[type] = field(default_factory=set)
    by_mapper: dict[Mapper[Any], Owned] = field(init=False)
    by_table: dict[str, Owned] = field(init=False)
    by_full_name: dict[str, Owned] = field(init=False)  # with the schema
    word: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        self.by_mapper = {one.mapper: one for one in self.models}
        tables = [(table, one) for one in self.models for table in one.mapper.tables]
        self.by_table = {table.name.lower(): one for table, one in tables if isinstance(table, Table)}
        self.by_full_name = {table.fullname.lower(): one for table, one in tables if isinstance(table, Table)}
        names = "|".join(re.escape(name) for name in self.by_table) or "(?!)"
        self.word = re.compile(rf"(?<!\w)(?:{names})(?!\w)", re.IGNORECASE)

    def of(self, mapper: Mapper[Any] | None) -> Owned | None:
        """How a model, or an ancestor of it, is owned."""
        lineage = mapper.iterate_to_root() if mapper is not None else ()
        return next((self.by_mapper[up] for up in lineage if up in self.by_mapper), None)

    def read_as(self, mapper: Mapper[Any]) -> Owned | None:
        """The owned model that another model reads, too, which has a table of the same name."""
        if mapper.class_ in self.given:
            return None
        names = (getattr(table, "fullname", "").lower() for table in mapper.tables)
        return next((self.by_full_name[name] for name in names if name in self.by_full_name), None)


@dataclass
class Level:
    """A SELECT, INSERT, UPDATE or DELETE, and what encloses it."""

    statement: Any
    above: Level | None
    # What it is about: models and aliases of them.
    entities: set[Any] = field(default_factory=set)
    is_root: bool = False

    @property
    def is_of_orm(self) -> bool:
        return self.statement is not None and (
            self.statement._propagate_attrs.get("compile_state_plugin") == "orm"
        )

    def has(self, one: Owned) -> bool:
        """Whether the statement itself is about a model, and not only about an alias of it."""
        return self.is_of_orm and any(
            isinstance(entity, Mapper) and one.mapper in entity.iterate_to_root() for entity in self.entities
        )

    def shares(self, table: TableClause, one: Owned) -> bool:
        """Whether a column of a table is one of a FROM that has a model: of its own, or of a
        statement around it to which it is correlated."""
        level: Level | None = self
        while level is not None and level.statement is not None:
            if level.has(one):
                return True
            level = level.above if correlates(level.statement, table) else None
        return False


def correlates(statement: Any, table: TableClause | None) -> bool:
    """Whether a SELECT takes a table from what is around it."""
    if not isinstance(statement, Select):
        return False
    name = table.name if table is not None else None
    if statement._correlate_except is not None:
        return name is not None and all(
            getattr(one, "name", name) != name for one in statement._correlate_except
        )
    if statement._correlate:
        return name is not None and any(getattr(one, "name", None) == name for one in statement._correlate)
    # By itself, SQLAlchemy leaves a SELECT its last FROM.
    return bool(statement._auto_correlate) and len(statement.get_final_froms()) > 1


def check(statement: Any, owners: Owners, is_orm: bool) -> None:
    """Refuses a statement with `NotScopable`, if it reads or writes rows of owned models in a way
    that criteria do not reach."""
    walk = Walk(owners)
    walk.visit(statement, Level(None, None, is_root=True))
    check_options(statement, owners, is_load=False)
    if walk.touched is None:
        return
    if not is_orm:
        raise NotScopable(not_of_orm(walk.touched))
    check_texts(walk.texts, f"a query of `{walk.touched.name}`")


def check_texts(texts: list[str], what: str) -> None:
    for text in texts:
        if found := WIDENING.search(LITERAL.sub("''", text)):
            raise NotScopable(
                f"`{found[0]}` in SQL as text (`{text}`) may widen {what}: write it with `or_()`, "
                f"`select()` and the like, {UNSCOPED}"
            )


def check_options(statement: Any, owners: Owners, is_load: bool) -> None:
    for option in getattr(statement, "_with_options", ()):
        check_option(option, statement, owners, is_load)


def limited_options(statement: Any, owners: Owners) -> Iterator[Any]:
    """Options without those that are refused. An object keeps them, and is refreshed with them."""
    for option in statement._with_options:
        try:
            check_option(option, statement, owners, is_load=False)
        except NotScopable:
            continue
        yield option


def check_option(option: Any, statement: Any, owners: Owners, is_load: bool) -> None:
    """Refuses an option that loads more than criteria reach, or that takes them out of force.
    Relationships are loaded with the options of the statement before, about which
    `with_expression` is."""
    walk = Walk(owners)
    if isinstance(option, LoaderCriteriaOption) and not isinstance(option, OwnRows):
        for mapper in option._all_mappers():
            walk.visit(option._resolve_where_criteria(mapper), about(mapper))
    for element in getattr(option, "context", ()):
        conditions = getattr(element, "_extra_criteria", ())
        if ("query_expression", True) not in (element.strategy or ()):
            for condition in conditions:
                walk.visit(condition, about(element.path.entity))
        elif not is_load:
            around = {*own_entities(statement), element.path.parent.entity}
            for expression in conditions or (element.local_opts["expression"],):  # SQLAlchemy 2.0
                check_expression(expression, around, walk)
    check_texts(walk.texts, "a query to which this option is given")


def about(entity: Any) -> Level:
    return Level(select(entity), None, {entity})


def check_expression(expression: Any, around: set[Any], walk: Walk) -> None:
    """Refuses `with_expression` about rows that the query itself does not limit. Criteria do not
    reach a SELECT in it, and SQLAlchemy has forgotten which models its columns are of."""
    limited: set[Any] = set()
    for entity in around:
        limited |= {entity.selectable, *(entity.mapper.tables if isinstance(entity, Mapper) else ())}
    parts = list(iterate(expression))
    is_simple = not any(isinstance(part, SelectBase) for part in parts)
    for part in parts:
        if isinstance(part, TextClause) or getattr(part, "is_literal", False):
            walk.visit(part, Level(None, None))
        table = part if isinstance(part, TableClause) else getattr(part, "table", None)
        if is_simple and table in limited:
            continue
        while isinstance(table, Alias):
            table = table.element
        one = walk.owners.by_table.get(getattr(table, "name", "").lower())
        if one is not None:
            raise NotScopable(
                f"`with_expression` that reads `{one.name}` beside the query is not limited to the caller's "
                f"rows: select the expression as a column, {UNSCOPED}"
            )


def check_properties(owners: Owners) -> None:
    """Refuses a `column_property` with SQL that criteria do not reach."""
    registries = {one.mapper.registry for one in owners.models}
    metadata = {about for one in owners.models for about in metadata_of(one.mapper)}
    for mapper in mappers():
        # Another one may have tables of the same names in another database.
        if mapper.registry in registries or metadata & metadata_of(mapper):
            for property in mapper.column_attrs:
                for expression in property.columns:
                    if not isinstance(expression, ColumnClause):
                        check_property(Walk(owners), expression, about(mapper), property)


def metadata_of(mapper: Mapper[Any]) -> set[Any]:
    return {table.metadata for table in mapper.tables if isinstance(table, Table)}


def check_property(walk: Walk, expression: Any, around: Level, property: Any) -> None:
    try:
        walk.visit(expression, around)
    except NotScopable as error:
        raise ScopeError(f"the property `{property}` cannot be scoped: {error}") from None


def not_of_orm(one: Owned) -> str:
    return (
        f"this statement reads `{one.name}` and is not compiled by the ORM, so it cannot be limited to the "
        f"caller's rows: add `.select_from({one.name})`, {UNSCOPED}"
    )


def in_where(one: Owned) -> str:
    return (
        f"before SQLAlchemy 2.1, `{one.name}` in `has()`, `any()` or `exists()` is not limited to the "
        f"caller's rows: install `sqlalchemy>=2.1`, write `.in_(select(…))`, {UNSCOPED}"
    )


class Walk:
    """Goes through a statement."""

    def __init__(self, owners: Owners) -> None:
        self.owners = owners
        self.touched: Owned | None = None
        self.texts: list[str] = []
        self.insert: Insert | None = None
        self.seen: set[tuple[int, int]] = set()

    def visit(self, element: Any, level: Level) -> None:
        # A column may stand at several levels.
        place = (id(element), id(level.statement))
        if place in self.seen:
            return
        self.seen.add(place)
        if isinstance(element, (Select, Insert, Update, Delete)):
            self.statement(element, level)
            return
        entity = entity_of(element)
        if is_relationship(element):
            # How its tables are joined is the business of the mapper.
            self.entity(target_of(element), level)
            for condition in element._extra_criteria:
                self.visit(condition, level)
            return
        if entity is not None:
            self.entity(entity, level)
        if isinstance(element, Join) and element.full:
            self.refuse_full(entities([element]))
        if isinstance(element, TextClause):
            self.text(element.text)
        elif isinstance(element, DDL):
            self.text(element.statement)
        elif isinstance(element, ColumnClause):
            if element.is_literal:
                self.text(element.name)
            elif element.table is not None and not (entity is not None and is_of_tables(element.table)):
                self.column(element.table, level)
        elif isinstance(element, TableClause) and entity is None:
            self.table(element)
        if entity is not None and is_of_tables(element):
            return  # the tables of a model, or of its alias
        if isinstance(element, AliasedReturnsRows):
            level = Level(None, None)  # what stands in FROM is not correlated
        for child in children(element):
            self.visit(child, level)

    def column(self, of: Any, level: Level) -> None:
        """A column that is not of a model, or one of a subquery."""
        one = self.owners.by_table.get(of.name.lower()) if isinstance(of, TableClause) else None
        # Of the same FROM as a model: what limits the model limits it, too.
        if one is None or not level.shares(of, one):
            self.visit(of, level)

    def statement(self, element: Any, above: Level) -> None:
        level = Level(element, above)
        if above.is_root and isinstance(element, Insert):
            self.insert = element
        for prefix, _ in (*getattr(element, "_prefixes", ()), *getattr(element, "_suffixes", ())):
            self.visit(prefix, level)
        for hint in (
            *element._hints.values(),
            *(hint for _, hint in getattr(element, "_statement_hints", ())),
        ):
            self.text(hint)
        if isinstance(element, (Insert, Update, Delete)):
            target = self.owners.by_table.get(getattr(element.table, "name", "").lower())
            if target is not None:
                if not above.is_root:
                    message = f"a statement within another one writes `{target.name}`: run it by itself"
                    raise NotScopable(f"{message}, {UNSCOPED}")
                self.touched = target
                if not level.is_of_orm:
                    self.refuse_table(target)
        if isinstance(element, Select):
            level.entities = own_entities(element)
            if any(join[3]["full"] for join in element._setup_joins):
                self.refuse_full(level.entities)
            if not REACHES_WHERE:
                self.refuse_where(element, level)
        elif (entity := entity_of(element.table)) is not None:
            level.entities = {entity}
        for child in children(element):
            if child is not getattr(element, "table", None):
                self.visit(child, level)

    def table(self, table: TableClause) -> None:
        if (one := self.owners.by_table.get(table.name.lower())) is not None:
            self.refuse_table(one)

    def entity(self, entity: Any, level: Level) -> None:
        one = self.owners.of(entity.mapper)
        if one is None:
            if (one := self.owners.read_as(entity.mapper)) is not None:
                name = entity.mapper.class_.__name__
                raise NotScopable(
                    f"`{name}` reads the table of `{one.name}`, which is owned: give the owner of `{name}` "
                    f"to `mantlet.scope`, or `None` if it is a table of another database, {UNSCOPED}"
                )
            return
        self.touched = one
        if isinstance(level.statement, (Update, Delete)) and entity not in level.entities:
            message = f"`{one.name}` in the condition of another model's UPDATE or DELETE is not limited"
            raise NotScopable(f"{message} to the caller's rows: write `.in_(select(…))`, {UNSCOPED}")
        if self.insert is not None and not (level.statement is self.insert and entity in level.entities):
            message = f"an INSERT reads rows of `{one.name}`: read them first, and add what is to be inserted"
            raise NotScopable(f"{message}, {UNSCOPED}")
        if level.statement is not None and not level.is_of_orm:
            raise NotScopable(not_of_orm(one))

    def text(self, text: str) -> None:
        if found := self.owners.word.search(text):
            one = self.owners.by_table[found[0].lower()]
            raise NotScopable(
                f"SQL as text names `{found[0]}` (`{text}`) and cannot be limited to the caller's rows: "
                f"write it with `select({one.name})`, {UNSCOPED}"
            )
        self.texts.append(text)

    def refuse_table(self, one: Owned) -> None:
        raise NotScopable(
            f"a table of Core is not limited to the caller's rows: write `{one.name}` and its attributes in "
            f"place of its table, {UNSCOPED}"
        )

    def refuse_full(self, joined: Iterable[Any]) -> None:
        """Criteria of a joined entity stand in ON. A FULL JOIN also gives rows that fail it."""
        for entity in joined:
            if (one := self.owners.of(entity.mapper)) is not None:
                raise NotScopable(
                    f"a FULL OUTER JOIN with `{one.name}` is not limited to the caller's rows: join a "
                    f"subquery (`select({one.name}).subquery()`), {UNSCOPED}"
                )

    def refuse_where(self, statement: Any, level: Level) -> None:
        """Before SQLAlchemy 2.1, criteria do not reach an entity that stands in WHERE alone, as in
        `has()`, `any()` and `exists().where(…)`."""
        for entity in set(entities(statement._where_criteria)) - level.entities:
            one = self.owners.of(entity.mapper)
            around: Level | None = level
            while around is not None and around.statement is not None and entity not in around.entities:
                # `has()` and `any()` name what they do not correlate.
                around = around.above if correlates(around.statement, None) else None
            if one is not None and (around is None or around.statement is None):
                raise NotScopable(in_where(one))
        found = [
            self.owners.by_table.get(getattr(one, "name", "").lower())
            for one in statement._correlate_except or ()
        ]
        for one in found:
            if one is not None and not level.has(one):
                raise NotScopable(in_where(one))


def entity_of(element: Any) -> Any:
    """The model that an element of a statement is of, or the alias of one, if the ORM made it."""
    found = getattr(element, "_annotations", {}).get("parententity")
    return found if getattr(found, "mapper", None) is not None else None


def is_of_tables(element: Any) -> bool:
    """Whether an element is a table, a join of tables, or the alias of one of these."""
    element = element.element if isinstance(element, Alias) else element
    return isinstance(element, (TableClause, Join))


def is_relationship(element: Any) -> bool:
    return isinstance(element, QueryableAttribute) and isinstance(element.property, RelationshipProperty)


def target_of(relationship: Any) -> Any:
    """The model that a relationship leads to, or the alias that it is asked for as."""
    return getattr(relationship, "_of_type", None) or relationship.property.mapper


def own_entities(statement: Any) -> set[Any]:
    """The models that a SELECT is about. Models in its WHERE alone are not among them."""
    if not isinstance(statement, Select):
        return set()
    found = set(entities([*statement._raw_columns, *statement._from_obj]))
    for join in statement._setup_joins:
        for part in join[:2]:
            found |= {target_of(part)} if is_relationship(part) else set(entities([part]))
    return found


def children(element: Any) -> Iterator[Any]:
    if isinstance(element, Select):
        # Not what SQLAlchemy makes of them: the tables of their columns.
        left_out = ("_correlate", "_correlate_except", "_setup_joins")
        yield from super(Select, element).get_children(omit_attrs=left_out)
        yield from (
            part for join in element._setup_joins for part in join[:3] if hasattr(part, "get_children")
        )
        return
    if isinstance(element, CTE):
        yield element.element
        if element._restates is not None:
            yield element._restates
        return
    yield from element.get_children()


def entities(elements: Iterable[Any]) -> Iterator[Any]:
    """The models and aliases that elements name, but for those in a SELECT within them."""
    for element in elements:
        if element is None or isinstance(element, SelectBase) or not hasattr(element, "get_children"):
            continue
        if (entity := entity_of(element)) is not None:
            yield entity
        yield from entities(element.get_children())


def check_insert(statement: Insert, parameters: Any, one: Owned, own: Any) -> None:
    """Refuses an INSERT of rows that are not known to be the caller's."""
    column = one.column
    if column is None:
        message = f"the owner of `{one.name}` is not a column of its own, so an INSERT cannot be checked"
        raise NotScopable(f"{message}: use `session.add()`, {UNSCOPED}")
    if statement.select is not None:
        raise NotScopable(
            f"INSERT … SELECT into `{one.name}` cannot be checked: use `session.add()`, {UNSCOPED}"
        )
    clause = getattr(statement, "_post_values_clause", None)
    if clause is not None and "nothing" not in type(clause).__name__.lower():
        message = (
            f"an upsert may change another caller's row of `{one.name}`: read the row first, and change it"
        )
        raise NotScopable(f"{message}, {UNSCOPED}")
    names = {column.name, column.key, str(one.owner)}
    several = [row for rows in statement._multi_values for row in rows]
    for values in several or [statement._values or {}]:
        named: Any = values if isinstance(values, Mapping) else zip(statement.table.columns, values)
        named = dict(named)
        for row in each(parameters) or [{}]:
            check_values({**named, **row}, names, one, own, is_needed=True)


def check_update(statement: Update, parameters: Any, one: Owned, own: Any) -> None:
    """Refuses an UPDATE that gives rows away. Parameters that are not in it are values, too."""
    given = [
        statement._values or {},
        dict(getattr(statement, "_ordered_values", None) or ()),
        *each(parameters),
    ]
    if one.column is not None:
        names = {one.column.name, one.column.key, str(one.owner)}
        for values in given:
            check_values(values, names, one, own, is_needed=False)
        return
    if isinstance(one.owner, str):
        first = one.mapper.relationships[one.owner.split(".")[0]]
        columns = {column.name for column in first.local_columns}
        if columns & {getattr(key, "name", key) for values in given for key in values}:
            message = f"this UPDATE may give rows of `{one.name}` to another owner: change them one by one"
            raise NotScopable(f"{message}, {UNSCOPED}")


def each(parameters: Any) -> list[Any]:
    """The sets of parameters of a statement."""
    if not parameters:
        return []
    return list(parameters) if isinstance(parameters, (list, tuple)) else [parameters]


def check_values(values: Mapping[Any, Any], names: set[str], one: Owned, own: Any, is_needed: bool) -> None:
    found = [
        value
        for key, value in values.items()
        if {getattr(key, "name", key), getattr(key, "key", key)} & names
    ]
    if not found and not is_needed:
        return
    plain = [value.value if isinstance(value, BindParameter) else value for value in found]
    if not plain or any(value is None or value != own for value in plain):
        raise NotScopable(
            f"this statement does not write `{one.owner}` of `{one.name}` as the caller's own: give the "
            f"caller's value, {UNSCOPED}"
        )
