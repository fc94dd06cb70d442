"""A query of a scoped session gives what it would give if the rows of others were not there.

Each case runs twice: as Ann in a database that has Bob's rows, and without a scope in one that does
not. Both have to say the same, or the case is refused; which ones are, the list says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy
from conftest import ASYNC, SYNC, Database, database
from models import Document, Item, Order, Report, Tag, User, owners
from sqlalchemy import (
    Engine,
    case,
    cast,
    column,
    delete,
    exists,
    func,
    inspect,
    lateral,
    literal,
    literal_column,
    or_,
    select,
    table,
    text,
    true,
    tuple_,
    type_coerce,
    union,
    union_all,
)
from sqlalchemy.orm import (
    Bundle,
    Session,
    aliased,
    contains_eager,
    defaultload,
    joinedload,
    lazyload,
    load_only,
    selectin_polymorphic,
    selectinload,
    subqueryload,
    undefer,
    with_expression,
    with_loader_criteria,
    with_polymorphic,
)
from sqlalchemy.orm import join as orm_join

import mantlet
from mantlet.testing import as_user

IS_OLD = sqlalchemy.__version__.startswith("2.0.")
CORE = Order.__table__
Case = Callable[[Session], Any]


def rows(statement: Any) -> Case:
    def run(session: Session) -> Any:
        return sorted(map(plain, session.execute(statement).unique()), key=repr)

    return run


def plain(value: Any) -> Any:
    """An answer that can be compared."""
    if isinstance(value, (User, Order, Item, Tag, Document)):
        return (type(value).__name__, value.id)
    if isinstance(value, (tuple, list, sqlalchemy.Row)):
        return tuple(map(plain, value))
    return value


def each(statement: Any, read: Callable[[Any], Any]) -> Case:
    """Loads objects, and reads something of them."""

    def run(session: Session) -> Any:
        return sorted((plain(read(one)) for one in session.scalars(statement).unique()), key=repr)

    return run


def orders_of(user: User) -> Any:
    return sorted(order.id for order in user.orders)


def items_of(user: User) -> Any:
    return sorted((order.id, sorted(item.name for item in order.items)) for order in user.orders)


A = aliased(Order)
SUB = select(Order).subquery()
CTE = select(Order.id, Order.note, Order.user_id).cte()
TREE = select(Document.id, Document.parent_id).where(Document.id == 3).cte(recursive=True)
TREE = TREE.union_all(select(Document.id, Document.parent_id).join(TREE, Document.id == TREE.c.parent_id))
LATERAL = lateral(select(Order.note).where(Order.user_id == User.id).order_by(Order.id).limit(1))
FULL_CORE = sqlalchemy.outerjoin(User, Order, Order.user_id == User.id, full=True)
FULL_TABLES = sqlalchemy.outerjoin(User.__table__, CORE, full=True)
FULL_NESTED = orm_join(Order, Item, Item.order_id == Order.id, full=True)
OWN_SUB = select(Order.id, Order.user_id).subquery()
SECRET: Any = literal_column("1=1 OR 1=1")
BESIDE = select(Item.name).where(Item.order_id == CORE.c.id, CORE.c.note == "foreign").subquery()

COUNT: Any = vars(User)["order_count"]

ANSWERED: dict[str, Case] = {
    "entity": rows(select(Order)),
    "columns": rows(select(Order.id, Order.note)),
    "filter": rows(select(Order).where(Order.note == "foreign")),
    "filter or": rows(select(Order).where(or_(Order.note == "mine", true()))),
    "filter_by": rows(select(Order).filter_by(id=2)),
    "get own": lambda s: plain(s.get(Order, 1)),
    "get foreign": lambda s: plain(s.get(Order, 2)),
    "get foreign item": lambda s: plain(s.get(Item, 2)),
    "get with options": lambda s: plain(s.get(Order, 2, options=[joinedload(Order.items)])),
    "get of a subclass": lambda s: plain(s.get(Report, 2)),
    "get populate_existing": lambda s: plain(s.get(Order, 2, populate_existing=True)),
    "get for update": lambda s: plain(s.get(Order, 2, with_for_update=True)),
    "count": rows(select(func.count()).select_from(Order)),
    "count of a column": rows(select(func.count(Order.id))),
    "count of a subquery": rows(select(func.count()).select_from(SUB)),
    "aggregates": rows(select(func.min(Order.note), func.max(Order.note))),
    "group": rows(select(Order.user_id, func.count()).group_by(Order.user_id)),
    "having": rows(select(Order.user_id).group_by(Order.user_id).having(func.count(Order.id) > 0)),
    "distinct": rows(select(Order.user_id).distinct()),
    "window with a model": rows(select(func.count(Order.id).over()).select_from(Order)),
    "window beside a column": rows(select(Order.id, func.row_number().over(order_by=Order.id))),
    "case": rows(select(case((Order.note == "foreign", 1), else_=0))),
    "cast": rows(select(cast(Order.id, sqlalchemy.String))),
    "type_coerce": rows(select(type_coerce(Order.id, sqlalchemy.String))),
    "bundle": rows(select(Bundle("b", Order.id, Order.note))),
    "order by": lambda s: list(s.scalars(select(Order.note).order_by(Order.note.desc()))),
    "limit": rows(select(Order.id).order_by(Order.id.desc()).limit(1)),
    "alias": rows(select(A)),
    "two of one": rows(select(Order.id, A.id)),
    "alias in where": rows(select(User.id).where(exists(select(A.id).where(A.note == "foreign")))),
    "alias of a subquery": rows(select(aliased(Order, SUB))),
    "columns of a subquery": rows(select(SUB.c.note)),
    "cte": rows(select(CTE.c.note)),
    "cte beside": rows(select(User.name, CTE.c.note).join(CTE, CTE.c.user_id == User.id)),
    "recursive cte": rows(select(TREE.c.id)),
    "lateral": rows(select(User.id, LATERAL.c.note).join(LATERAL, true(), isouter=True)),
    "union": rows(union(select(Order.id), select(Order.id))),
    "union of entities": rows(union_all(select(Order), select(Order))),
    "from_statement": rows(select(Order).from_statement(union(select(Order), select(Order)))),
    "alias of a union": rows(select(aliased(Order, union(select(Order), select(Order)).subquery()))),
    "exists by select": rows(
        select(User.id).where(select(Order.id).where(Order.user_id == User.id).exists())
    ),
    "exists of another alias": rows(
        select(Order.id).where(exists(select(A.id).where(A.note == "foreign", A.id != Order.id)))
    ),
    "correlated to the model": rows(
        select(Order.id).where(exists(select(Item.id).where(Item.order_id == Order.id)))
    ),
    "scalar subquery": rows(
        select(User.id, select(func.count(Order.id)).where(Order.user_id == User.id).scalar_subquery())
    ),
    "in": rows(select(User.id).where(User.id.in_(select(Order.user_id)))),
    "not in": rows(select(User.id).where(User.id.not_in(select(Order.user_id)))),
    "tuple in": rows(select(User.id).where(tuple_(User.id, literal(2)).in_(select(Order.user_id, Order.id)))),
    "only in a subquery": rows(select(literal(1)).where(exists(select(Order.id).where(Order.id == 2)))),
    "join": rows(select(User.id, Order.id).join(User.orders)),
    "outer join": rows(select(User.id, Order.id).outerjoin(User.orders)),
    "alias beside the model": rows(select(Order.id, A.id).join(A, A.user_id != Order.user_id)),
    "outer join to an alias": rows(select(Order.id, A.id).outerjoin(A, A.id > Order.id)),
    "relationship with a condition": rows(select(User.id, Order.id).join(User.orders.and_(Order.id == 2))),
    "relationship to an alias": rows(select(User.id, A.id).join(User.orders.of_type(A))),
    "select_from a join": rows(select(Order.id).select_from(orm_join(User, Order))),
    "filtered aggregate": rows(
        select(func.count(Order.id).filter(Order.note == "foreign")).select_from(Order)
    ),
    "join to an alias": rows(select(User.id, A.id).join(A, A.user_id == User.id)),
    "join through": rows(select(Tag.id, Order.id).join(Tag.orders)),
    "two joins": rows(select(User.id, Item.id).join(User.orders).join(Order.items)),
    "column of the table beside its model": rows(select(Order.note).where(CORE.c.id == 2)),
    "joinedload": each(select(User).options(joinedload(User.orders)), orders_of),
    "inner joinedload": each(
        select(Item).options(joinedload(Item.order, innerjoin=True)), lambda one: one.order
    ),
    "selectinload": each(select(User).options(selectinload(User.orders)), orders_of),
    "subqueryload": each(select(User).options(subqueryload(User.orders)), orders_of),
    "lazyload": each(select(User).options(lazyload(User.orders)), orders_of),
    "nested joinedload": each(
        select(User).options(joinedload(User.orders).joinedload(Order.items)), items_of
    ),
    "nested selectinload": each(
        select(User).options(selectinload(User.orders).selectinload(Order.items)), items_of
    ),
    "nested subqueryload": each(
        select(User).options(subqueryload(User.orders).subqueryload(Order.items)), items_of
    ),
    "nested lazy": each(select(User), items_of),
    "mixed": each(select(User).options(selectinload(User.orders).joinedload(Order.items)), items_of),
    "contains_eager": each(select(User).join(User.orders).options(contains_eager(User.orders)), orders_of),
    "through a secondary": each(select(Tag), lambda tag: sorted(order.id for order in tag.orders)),
    "through a secondary, joined": each(
        select(Tag).options(joinedload(Tag.orders)), lambda tag: sorted(order.id for order in tag.orders)
    ),
    "to one": each(select(Item), lambda item: item.order),
    "to a parent": each(select(Document), lambda document: document.parent),
    "to a parent, joined": each(
        select(Document).options(joinedload(Document.parent)), lambda one: one.parent
    ),
    "deferred": each(select(Order), lambda order: order.secret),
    "undeferred": each(select(Order).options(undefer(Order.secret)), lambda order: order.secret),
    "load_only": each(select(Order).options(load_only(Order.id)), lambda order: order.note),
    "nested load_only": each(select(User).options(defaultload(User.orders).load_only(Order.note)), orders_of),
    "column_property": rows(select(User.id, COUNT)),
    "column_property of an object": each(select(User), lambda user: user.order_count),
    "subclass": rows(select(Report)),
    "superclass": rows(select(Document)),
    "columns of a subclass": rows(select(Report.title)),
    "with_polymorphic": rows(select(with_polymorphic(Document, [Report]))),
    "selectin_polymorphic": each(
        select(Document).options(selectin_polymorphic(Document, [Report])), lambda one: one.title
    ),
    "yield_per": lambda s: sorted(one.id for one in s.scalars(select(Order).execution_options(yield_per=1))),
    "populate_existing": rows(select(Order).execution_options(populate_existing=True)),
    "query": lambda s: sorted(plain(one) for one in s.query(Order)),
    "query.count": lambda s: s.query(Order).count(),
    "query.get": lambda s: plain(s.query(Order).get(2)),
    "query.exists": lambda s: s.query(s.query(Order).filter_by(note="foreign").exists()).scalar(),
    "query.with_parent": lambda s: sorted(o.id for o in s.query(Order).with_parent(s.get(User, 2))),
    "query.subquery": lambda s: s.query(s.query(Order).subquery().c.note).order_by("note").all() and None,
    "full join of models without an owner": rows(
        select(User.id, Tag.id).join(Tag, Tag.id == User.id, full=True)
    ),
    "full join of a subquery": rows(
        select(User.id, OWN_SUB.c.id).join(OWN_SUB, OWN_SUB.c.user_id == User.id, full=True)
    ),
    "full join of a subquery, from": rows(
        select(User.id, OWN_SUB.c.id).select_from(
            orm_join(User, OWN_SUB, OWN_SUB.c.user_id == User.id, full=True)
        )
    ),
    "option with a condition": each(
        select(User).options(selectinload(User.orders.and_(Order.note != "mine"))), orders_of
    ),
    "option with a condition, joined": each(
        select(User).options(joinedload(User.orders.and_(Order.note != "mine"))), orders_of
    ),
    "option with a subquery": each(
        select(User).options(selectinload(User.orders.and_(exists(select(A.id).where(A.note == "foreign"))))),
        orders_of,
    ),
    "option with the table of its model": each(
        select(User).options(selectinload(User.orders.and_(CORE.c.note != "mine"))), orders_of
    ),
    "criteria of the app": rows(select(Order.id).options(with_loader_criteria(Order, Order.note != "mine"))),
    "criteria of the app, as a function": rows(
        select(User.id, Order.id)
        .outerjoin(User.orders)
        .options(with_loader_criteria(Order, lambda model: model.note != "mine"))
    ),
    "criteria of the app with a subquery": rows(
        select(User.id).options(with_loader_criteria(User, exists(select(A.id).where(A.note == "foreign"))))
    ),
    "with_expression": each(
        select(Order).options(with_expression(Order.remark, Order.note + "!")), lambda one: one.remark
    ),
    "with_expression of an alias": each(
        select(A).options(with_expression(A.remark, A.note + "!")), lambda one: one.remark
    ),
    "with_expression of a join": each(
        select(User)
        .join(User.orders)
        .group_by(User.id)
        .options(with_expression(User.remark, func.max(Order.note))),
        lambda one: (one.remark, orders_of(one)),
    ),
    "with_expression of what is loaded": each(
        select(User).options(selectinload(User.orders).with_expression(Order.remark, Order.note + "!")),
        lambda one: sorted(order.remark for order in one.orders),
    ),
    "correlated to the table": rows(
        select(Order.id).where(exists(select(Item.id).where(Item.order_id == CORE.c.id)))
    ),
    "correlated to the table alone": rows(
        select(Order.id).where(exists(select(CORE.c.id).where(CORE.c.note == "foreign").correlate(CORE)))
    ),
    "text in order by": rows(select(Order.id).order_by(text("note desc"))),
    "text in where": rows(select(Order.id).where(text("note = 'this or that'"))),
    "text without a model": rows(text("SELECT 1")),
    "another model by text": rows(select(User).from_statement(text("SELECT * FROM users"))),
    "another model by its table": rows(select(User.__table__)),
}

# In SQLAlchemy 2.0, criteria do not reach an entity that stands in WHERE alone: refused there.
SINCE_2_1: dict[str, Case] = {
    "has": rows(select(Item.id).where(Item.order.has(Order.note == "foreign"))),
    "has of another model": rows(select(Tag.id).where(Tag.orders.any(Order.items.any(Item.name == "i2")))),
    "any": rows(select(User.id).where(User.orders.any())),
    "not any": rows(select(User.id).where(~User.orders.any())),
    "any with a condition": rows(select(User.id).where(User.orders.any(Order.note == "foreign"))),
    "any through a secondary": rows(select(Tag.id).where(Tag.orders.any(Order.id == 2))),
    "any of the model itself": rows(
        select(Order.id).where(Order.user.has(User.orders.any(Order.note == "foreign")))
    ),
    "exists": rows(select(User.id).where(exists().where(Order.user_id == User.id))),
    "where alone": rows(select(User.id).where(User.id == Order.user_id)),
    "an alias in where alone": rows(select(User.id).where(User.id == A.user_id)),
}

REFUSED: dict[str, Case] = {
    "table": rows(select(CORE)),
    "column of the table": rows(select(CORE.c.note)),
    "table by a name": rows(select(table("orders", column("note")))),
    "alias of the table": rows(select(CORE.alias("x"))),
    "table in a subquery": rows(select(User.id).where(User.id.in_(select(CORE.c.user_id)))),
    "table in a join": rows(select(User.id, CORE.c.note).join(CORE, CORE.c.user_id == User.id)),
    "table in where alone": rows(select(User.id).where(User.id == CORE.c.user_id)),
    "table beside an alias": rows(select(A.id).where(CORE.c.note == "foreign")),
    "table in a FROM beside its model": rows(select(Order.id, BESIDE.c.name)),
    "table that is not correlated": rows(
        select(Order.id).where(exists(select(Item.id).where(CORE.c.note == "foreign").correlate(None)))
    ),
    "table in a column": rows(select(User.id, select(func.count(CORE.c.id)).scalar_subquery())),
    "table in order by": rows(select(User.id).order_by(select(CORE.c.note).limit(1).scalar_subquery())),
    "table in limit": rows(select(User.id).limit(select(func.count(CORE.c.id)).scalar_subquery())),
    "table under a model": rows(select(aliased(Order, select(CORE).subquery()))),
    "table in from_statement": rows(select(Order).from_statement(select(CORE))),
    "table in a union": rows(union(select(Order.id), select(CORE.c.id))),
    "table in a cte": rows(select(select(CORE.c.note).cte().c.note)),
    "table in an independent cte": rows(select(User.id).add_cte(select(CORE.c.note).cte())),
    "filtered aggregate alone": rows(select(func.count(Order.id).filter(Order.note == "foreign"))),
    "window alone": rows(select(func.count(Order.id).over())),
    "text": rows(text("SELECT * FROM orders")),
    "text, quoted": rows(text('SELECT * FROM "ORDERS"')),
    "text in from_statement": rows(select(Order).from_statement(text("SELECT * FROM orders"))),
    "text with columns": rows(text("SELECT id FROM orders").columns(Order.id)),
    "text in where with or": rows(select(Order).where(text("1=1 OR 1=1"))),
    "text in where with a comment": rows(select(Order).where(text("1=1 --"))),
    "text in a filter of another model": rows(select(User).where(text("id IN (SELECT user_id FROM orders)"))),
    "literal_column with or": rows(select(Order).where(literal_column("1=1 OR 1=1"))),
    "literal_column with a subquery": rows(select(literal_column("(SELECT max(note) FROM orders)"))),
    "prefix": rows(select(Order).prefix_with("DISTINCT note FROM orders --")),
    "suffix": rows(select(Order.id).suffix_with("UNION SELECT 2")),
    "with_hint": rows(select(Order).with_hint(Order, "WHERE true --")),
    "statement hint": rows(select(Order).with_statement_hint("UNION SELECT 2, 2, 'foreign'")),
    "write in a cte": rows(select(delete(Order).returning(Order.id).cte().c.id)),
    "connection": lambda s: s.connection().execute(select(CORE)).all(),
    "connection by arguments": lambda s: s.connection(bind_arguments={"mapper": User}, execution_options={}),
    "connection of a transaction": lambda s: s.begin().connection(inspect(User)),
    "connection of a nested transaction": lambda s: s.begin_nested().connection(inspect(User)),
    "connection of the transaction that runs": lambda s: (
        s.execute(select(1)) and (s.get_transaction() or s.begin()).connection(None)
    ),
    "full join": rows(select(User.id, Order.id).join(Order, Order.user_id == User.id, full=True)),
    "full outerjoin": rows(select(User.id, Order.id).outerjoin(User.orders, full=True)),
    "full join_from": rows(select(Order.id).join_from(User, Order, full=True)),
    "full join with an alias": rows(select(User.id, A.id).join(A, A.user_id == User.id, full=True)),
    "full join from the owned": rows(
        select(Order.id, User.id).join(User, Order.user_id == User.id, full=True)
    ),
    "full join of a joined model": rows(
        select(Order.id, Tag.id).join(User.orders).join(Tag, Tag.id == User.id, full=True).select_from(User)
    ),
    "full join of owned models": rows(select(Order.id, Item.id).join(Item, full=True)),
    "full join to a subclass": rows(select(Report.id).select_from(User).join(Report, true(), full=True)),
    "full join of Core": rows(select(User.id, Order.id).select_from(FULL_CORE)),
    "full join of tables": rows(select(User.id).select_from(FULL_TABLES)),
    "full join of the ORM": rows(select(Order.id).select_from(orm_join(User, Order, full=True))),
    "full join within a join": rows(select(User.id).join(FULL_NESTED, Order.user_id == User.id)),
    "full join in a subquery": rows(
        select(select(Order.note).select_from(User).join(Order, true(), full=True).subquery())
    ),
    "full join in exists": rows(
        select(User.id).where(exists(select(Order.id).select_from(Tag).join(Order, true(), full=True)))
    ),
    "full join that is counted": rows(
        select(func.count(Order.id)).select_from(User).join(Order, true(), full=True)
    ),
    "full join of a query": lambda s: s.query(User.id, Order.id).outerjoin(User.orders, full=True).all(),
    "full join of a query with a condition": lambda s: (
        s.query(User.id).join(Order, Order.user_id == User.id, full=True).all()
    ),
    "table alone in a column": rows(select(Order.id, select(func.max(CORE.c.note)).scalar_subquery())),
    "table alone in exists": rows(
        select(Order.id).where(exists(select(CORE.c.id).where(CORE.c.note == "foreign")))
    ),
    "table alone in exists, two levels down": rows(
        select(Order.id).where(exists(select(Item.id).where(exists(select(CORE.c.id)))))
    ),
    "table alone in IN": rows(select(Order.id).where(Order.id.in_(select(CORE.c.id + 1)))),
    "table alone in order by": rows(
        select(Order.id).order_by(select(CORE.c.note).limit(1).scalar_subquery())
    ),
    "with_expression of another row": rows(
        select(User).options(with_expression(User.remark, select(func.max(Order.note)).scalar_subquery()))
    ),
    "with_expression of the table": rows(
        select(User).options(with_expression(User.remark, select(func.max(CORE.c.note)).scalar_subquery()))
    ),
    "with_expression of an alias of the table": rows(
        select(User).options(
            with_expression(User.remark, select(func.max(CORE.alias().c.note)).scalar_subquery())
        )
    ),
    "with_expression of a cte": rows(
        select(User).options(with_expression(User.remark, select(func.max(CTE.c.note)).scalar_subquery()))
    ),
    "with_expression beside the query": rows(select(User).options(with_expression(User.remark, Order.note))),
    "with_expression of an alias beside the query": rows(
        select(Order).options(with_expression(Order.remark, A.note))
    ),
    "with_expression of text": rows(
        select(User).options(with_expression(User.remark, literal_column("(SELECT max(note) FROM orders)")))
    ),
    "with_expression of a query": lambda s: (
        s.query(User)
        .options(with_expression(User.remark, select(func.max(Order.note)).scalar_subquery()))
        .all()
    ),
    "with_expression of what is loaded beside": rows(
        select(User).options(selectinload(User.orders).with_expression(Order.remark, Item.name))
    ),
    "option with or as text": rows(select(User).options(joinedload(User.orders.and_(SECRET)))),
    "option with or as text, selectin": rows(select(User).options(selectinload(User.orders.and_(SECRET)))),
    "option with or as text, lazy": rows(select(User).options(lazyload(User.orders.and_(SECRET)))),
    "option with the table in a subquery": rows(
        select(User).options(
            selectinload(User.orders.and_(exists(select(CORE.c.id).where(CORE.c.note == "foreign"))))
        )
    ),
    "nested option with or as text": rows(
        select(User).options(selectinload(User.orders).selectinload(Order.items.and_(SECRET)))
    ),
    "criteria with or as text": rows(select(Order.id).options(with_loader_criteria(Order, SECRET))),
    "criteria with or as text, as a function": rows(
        select(Order.id).options(with_loader_criteria(Order, lambda model: SECRET))
    ),
    "criteria of another model with or as text": rows(
        select(User.id, Order.id).join(User.orders).options(with_loader_criteria(User, SECRET))
    ),
    "criteria with the table": rows(
        select(User.id).options(with_loader_criteria(User, User.id.in_(select(CORE.c.user_id))))
    ),
}


@pytest.fixture(scope="module", params=SYNC + ASYNC)
def pair(request: pytest.FixtureRequest, administrator: Engine) -> Iterator[tuple[Database, Database]]:
    everything = database(request.param, "everything", True, administrator)
    own_alone = database(request.param, "own_alone", False, administrator)
    mantlet.scope(everything.maker, **owners())
    yield everything, own_alone
    everything.close()
    own_alone.close()


def is_left_out(name: str, database: Database) -> bool:
    return name == "lateral" and database.engine.dialect.name == "sqlite"


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning", "ignore::sqlalchemy.exc.LegacyAPIWarning")
@pytest.mark.parametrize("name", [*ANSWERED, *SINCE_2_1])
def test_the_rows_of_others_are_not_there(name: str, pair: tuple[Database, Database]) -> None:
    everything, own_alone = pair
    if is_left_out(name, everything):
        return
    run = {**ANSWERED, **SINCE_2_1}[name]
    expected = own_alone.run(run)
    with as_user("1"):
        if IS_OLD and name in SINCE_2_1:
            with pytest.raises(mantlet.NotScopable):
                everything.run(run)
        else:
            assert everything.run(run) == expected


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_scoped_is_refused(name: str, pair: tuple[Database, Database]) -> None:
    with as_user("1"), pytest.raises(mantlet.NotScopable, match="unscoped"):
        pair[0].run(REFUSED[name])


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning", "ignore::sqlalchemy.exc.LegacyAPIWarning")
def test_without_a_caller_there_are_no_rows(pair: tuple[Database, Database]) -> None:
    for anonymous in (True, False):
        run = rows(select(Order))
        if anonymous:
            with as_user(None):
                assert pair[0].run(run) == []
        else:
            assert pair[0].run(run) == []
    assert pair[0].run(rows(select(User.id))) == [(1,), (2,)]


def test_each_caller_has_its_own_criteria_in_cached_statements(pair: tuple[Database, Database]) -> None:
    """Statements, loader options and nested loads are cached by SQLAlchemy; values are not."""
    wanted = {"1": [((1, ("i1",)), (3, ())), ()], "2": [(), ((2, ("i2",)),)], "9": [(), ()]}
    for how in (None, selectinload, joinedload, subqueryload):
        statement = select(User).order_by(User.id)
        if how is not None:
            statement = statement.options(how(User.orders).options(how(Order.items)))
        for _ in range(3):
            for user, expected in wanted.items():
                with as_user(user):
                    seen = pair[0].run(
                        lambda s, q=statement: [plain(items_of(u)) for u in s.scalars(q).unique()]
                    )
                assert seen == expected, how
