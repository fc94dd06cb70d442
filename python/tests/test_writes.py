"""What a scoped session writes are the caller's own rows, before and after."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from typing import Any

import pytest
from conftest import Database
from models import Document, Item, Order, Report, User
from sqlalchemy import DDL, bindparam, delete, func, insert, inspect, literal, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, InvalidRequestError
from sqlalchemy.orm import Session, make_transient_to_detached, selectinload
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError

import mantlet
from mantlet.testing import as_user

Write = Callable[[Session], Any]
CORE: Any = Order.__table__


def all_rows(session: Session) -> Any:
    with mantlet.unscoped("what is there"):
        orders = session.execute(select(Order.id, Order.user_id, Order.note).order_by(Order.id)).all()
        items = session.execute(select(Item.id, Item.order_id, Item.name).order_by(Item.id)).all()
        return [tuple(row) for row in orders], [tuple(row) for row in items]


ORDERS = [(1, 1, "mine"), (2, 2, "foreign"), (3, 1, "mine, too")]
ITEMS = [(1, 1, "i1"), (2, 2, "i2")]


def upsert(session: Session) -> Any:
    return session.execute(upserted(session))


def upserted(session: Session) -> Any:
    dialect = {"postgresql": postgresql, "sqlite": sqlite}[session.get_bind().dialect.name]
    statement = dialect.insert(Order).values(id=2, user_id=1, note="x", secret="s")
    return statement.on_conflict_do_update(index_elements=["id"], set_={"note": "x"})


def take(session: Session) -> None:
    """An order that was loaded without a scope."""
    with mantlet.unscoped("test"):
        order = session.get(Order, 2)
    assert order is not None
    order.user_id = 1


def change(session: Session) -> None:
    with mantlet.unscoped("test"):
        order = session.get(Order, 2)
    assert order is not None
    order.note = "x"


def drop(session: Session) -> None:
    with mantlet.unscoped("test"):
        order = session.get(Order, 2)
    session.delete(order)


def give(session: Session) -> None:
    session.get_one(Order, 1).user_id = 2


def give_by_relationship(session: Session) -> None:
    session.get_one(Order, 1).user = session.get_one(User, 2)


def give_to_nobody(session: Session) -> None:
    session.get_one(User, 1).orders.clear()


def move_item(session: Session) -> None:
    session.get_one(Item, 1).order_id = 2


def claim_detached(session: Session) -> None:
    order = Order(id=2, user_id=1, note="foreign")
    make_transient_to_detached(order)
    session.add(order)
    order.note = "x"


def merge_without_load(session: Session) -> None:
    order = Order(id=2, user_id=1, note="foreign")
    make_transient_to_detached(order)
    session.merge(order, load=False).note = "x"


REFUSED: dict[str, Write] = {
    "add for another": lambda s: s.add(Order(id=9, user_id=2, note="x")),
    "add to another's": lambda s: s.add(Item(id=9, order_id=2, name="x")),
    "add below another": lambda s: s.add(Order(id=9, user=s.get_one(User, 2), note="x")),
    "take": take,
    "change": change,
    "drop": drop,
    "give": give,
    "give by a relationship": give_by_relationship,
    "move an item": move_item,
    "claim a detached one": claim_detached,
    "merge without load": merge_without_load,
    "add a report for another": lambda s: s.add(Report(id=9, author_id=2, title="x")),
    "bulk_save_objects": lambda s: s.bulk_save_objects([Order(id=9, user_id=2, note="x")]),
    "bulk_insert_mappings": lambda s: s.bulk_insert_mappings(inspect(Order), [{"id": 9, "user_id": 2}]),
    "bulk_update_mappings": lambda s: s.bulk_update_mappings(inspect(Order), [{"id": 2, "note": "x"}]),
    "update by keys": lambda s: s.execute(update(Order), [{"id": 2, "note": "x"}]),
    "update by one key": lambda s: s.execute(update(Order), [{"id": 1, "note": "x"}, {"id": 2, "note": "x"}]),
    "update many with a condition": lambda s: s.connection().execute(
        update(CORE).where(CORE.c.id == bindparam("i")).values(note="x"), [{"i": 2}]
    ),
    "update by keys, bound elsewhere": lambda s: s.execute(
        update(Order), [{"id": 2, "note": "x"}], bind_arguments={"mapper": inspect(User)}
    ),
    "insert for another, bound elsewhere": lambda s: s.execute(
        insert(Order).values(id=9, user_id=2, note="x"), bind_arguments={"bind": s.get_bind()}
    ),
    "ddl": lambda s: s.execute(DDL("DELETE FROM orders")),
    "update of the table": lambda s: s.execute(update(CORE).values(note="x")),
    "delete of the table": lambda s: s.execute(delete(CORE)),
    "insert into the table": lambda s: s.execute(insert(CORE).values(id=9, user_id=2, note="x")),
    "update that gives": lambda s: s.execute(update(Order).values(user_id=2)),
    "update that gives, by the attribute": lambda s: s.execute(update(Order).values({Order.user_id: 2})),
    "update that gives, in order": lambda s: s.execute(update(Order).ordered_values((Order.user_id, 2))),
    "update that gives by SQL": lambda s: s.execute(update(Order).values(user_id=literal(1) + 1)),
    "update that gives by a parameter": lambda s: s.execute(
        update(Order).values(user_id=bindparam("u")), {"u": 2}
    ),
    "update with a dict of another owner": lambda s: s.execute(update(Order), {"user_id": 2}),
    "update that moves items": lambda s: s.execute(update(Item).values(order_id=2)),
    "update from another's": lambda s: s.execute(
        update(User).values(name=Order.note).where(User.id == Order.user_id)
    ),
    "delete using another's": lambda s: s.execute(delete(User).where(User.id == Order.user_id)),
    "insert for another": lambda s: s.execute(insert(Order), [{"id": 9, "user_id": 2, "note": "x"}]),
    "insert for both": lambda s: s.execute(
        insert(Order), [{"id": 8, "user_id": 1, "note": "x"}, {"id": 9, "user_id": 2, "note": "x"}]
    ),
    "insert values for another": lambda s: s.execute(insert(Order).values(id=9, user_id=2, note="x")),
    "insert several for another": lambda s: s.execute(
        insert(Order).values([{"id": 8, "user_id": 1, "note": "x"}, {"id": 9, "user_id": 2, "note": "x"}])
    ),
    "insert with a parameter over values": lambda s: s.execute(
        insert(Order).values(id=9, user_id=1, note="x"), {"user_id": 2}
    ),
    "insert with parameters over values": lambda s: s.execute(
        insert(Order).values(note="x"), [{"id": 8, "user_id": 1}, {"id": 9, "user_id": 2}]
    ),
    "insert by position": lambda s: s.execute(insert(Order).values((9, 2, "x", "s"))),
    "insert several by position": lambda s: s.execute(
        insert(Order).values([(8, 1, "x", "s"), (9, 2, "x", "s")])
    ),
    "insert without an owner": lambda s: s.execute(insert(Order), [{"id": 9, "note": "x"}]),
    "insert of items": lambda s: s.execute(insert(Item), [{"id": 9, "order_id": 2, "name": "x"}]),
    "insert from a select": lambda s: s.execute(
        insert(User).from_select(["id", "name"], select(Order.id + 10, Order.note))
    ),
    "insert with a subquery": lambda s: s.execute(
        insert(User).values(id=9, name=select(func.max(Order.note)).scalar_subquery())
    ),
    "upsert": upsert,
    "insert for another, from_statement": lambda s: s.scalars(
        select(Order).from_statement(insert(Order).values(id=9, user_id=2, note="x").returning(Order))
    ),
    "upsert, from_statement": lambda s: s.scalars(
        select(Order).from_statement(upserted(s).returning(Order)).execution_options(populate_existing=True)
    ),
    "update that gives, from_statement": lambda s: s.scalars(
        select(Order).from_statement(update(Order).values(user_id=2).returning(Order))
    ),
    "update of the table, from_statement": lambda s: s.scalars(
        select(Order).from_statement(update(CORE).values(note="x").returning(CORE))
    ),
    "dml_strategy, from_statement": lambda s: s.scalars(
        select(Order).from_statement(
            update(Order).values(note="x").returning(Order).execution_options(dml_strategy="core_only")
        )
    ),
    "text": lambda s: s.execute(text("UPDATE orders SET note = 'x'")),
    "dml_strategy": lambda s: s.execute(
        update(Order).values(note="x").execution_options(dml_strategy="core_only")
    ),
}


def without_rows_of_others(write: Write) -> Write:
    def run(session: Session) -> None:
        write(session)
        session.commit()

    return run


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_a_write_of_others_rows_is_refused(name: str, world: Database) -> None:
    with as_user("1"):
        with pytest.raises(mantlet.NotScopable, match="unscoped"):
            world.run(without_rows_of_others(REFUSED[name]))
        assert world.run(all_rows) == (ORDERS, ITEMS)


# Not refused, and only the caller's rows are written: what is there then.
MINE = [(1, 1, "x"), (2, 2, "foreign"), (3, 1, "x")]
WRITTEN: dict[str, tuple[Write, list[Any]]] = {
    "update": (lambda s: s.execute(update(Order).values(note="x")), MINE),
    "update fetch": (
        lambda s: s.execute(update(Order).values(note="x").execution_options(synchronize_session="fetch")),
        MINE,
    ),
    "update returning": (lambda s: s.execute(update(Order).values(note="x").returning(Order.id)).all(), MINE),
    "update with an own owner": (lambda s: s.execute(update(Order).values(note="x", user_id=1)), MINE),
    "update with parameters": (
        lambda s: s.execute(update(Order).where(Order.id == bindparam("i")).values(note="x"), {"i": 2}),
        ORDERS,
    ),
    "update of a foreign row": (
        lambda s: s.execute(update(Order).where(Order.id == 2).values(note="x")),
        ORDERS,
    ),
    "query.update": (lambda s: s.query(Order).update({"note": "x"}), MINE),
    "query.delete": (lambda s: s.query(Order).filter(Order.id > 1).delete(), [ORDERS[0], ORDERS[1]]),
    "delete": (lambda s: s.execute(delete(Order).where(Order.id > 1)), [ORDERS[0], ORDERS[1]]),
    "delete by a subquery": (
        lambda s: s.execute(delete(Order).where(Order.id.in_(select(Order.id).where(Order.id > 1)))),
        [ORDERS[0], ORDERS[1]],
    ),
    "object": (lambda s: setattr(s.get_one(Order, 1), "note", "x"), [(1, 1, "x"), *ORDERS[1:]]),
    "add": (lambda s: s.add(Order(id=9, user_id=1, note="x")), [*ORDERS, (9, 1, "x")]),
    "add by a relationship": (
        lambda s: s.add(Order(id=9, user=s.get_one(User, 1), note="x")),
        [*ORDERS, (9, 1, "x")],
    ),
    "delete an object": (lambda s: s.delete(s.get_one(Order, 3)), [ORDERS[0], ORDERS[1]]),
    "insert": (
        lambda s: s.execute(insert(Order), [{"id": 9, "user_id": 1, "note": "x"}]),
        [*ORDERS, (9, 1, "x")],
    ),
    "insert returning": (
        lambda s: s.scalars(insert(Order).values(id=9, user_id=1, note="x").returning(Order)).all(),
        [*ORDERS, (9, 1, "x")],
    ),
    "update, from_statement": (
        lambda s: s.scalars(
            select(Order).from_statement(update(Order).values(note="x").returning(Order))
        ).all(),
        MINE,
    ),
    "delete, from_statement": (
        lambda s: s.scalars(
            select(Order).from_statement(delete(Order).where(Order.id > 1).returning(Order))
        ).all(),
        [ORDERS[0], ORDERS[1]],
    ),
    "insert, from_statement": (
        lambda s: s.scalars(
            select(Order).from_statement(insert(Order).values(id=9, user_id=1, note="x").returning(Order))
        ).all(),
        [*ORDERS, (9, 1, "x")],
    ),
    "merge": (lambda s: s.merge(Order(id=1, user_id=1, note="x")), [(1, 1, "x"), *ORDERS[1:]]),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_only_own_rows_are_written(name: str, world: Database) -> None:
    write, expected = WRITTEN[name]
    with as_user("1"):
        world.run(without_rows_of_others(write))
        assert world.run(all_rows)[0] == expected


def test_a_foreign_key_that_exists_is_not_overwritten(world: Database) -> None:
    with as_user("1"):
        with pytest.raises(IntegrityError):
            world.run(without_rows_of_others(lambda s: s.merge(Order(id=2, user_id=1, note="x"))))
        assert world.run(all_rows) == (ORDERS, ITEMS)


def test_without_a_caller_nothing_is_written(world: Database) -> None:
    def add(session: Session) -> None:
        session.add(Order(id=9, user_id=1, note="x"))
        session.commit()

    def delete_all(session: Session) -> None:
        session.execute(delete(Item))
        session.execute(delete(Order))
        session.commit()

    with pytest.raises(mantlet.NotScopable):
        world.run(add)
    world.run(delete_all)
    with as_user(None):
        with pytest.raises(mantlet.NotScopable):
            world.run(add)
        world.run(delete_all)
    assert world.run(all_rows) == (ORDERS, ITEMS)


def test_what_was_loaded_before_is_not_handed_out(world: Database) -> None:
    """The identity map, refreshes and relationships: what another scope has is not in this one."""

    def look(session: Session) -> None:
        with mantlet.unscoped("support asks"):
            order = session.get_one(Order, 2)
            item = session.get_one(Item, 2)
            tree = session.scalars(select(User).where(User.id == 2).options(selectinload(User.orders))).one()
            assert session.get(Order, 2) is order and tree.orders == [order]
        assert session.get(Order, 2) is None and session.get(Item, 2) is None
        assert session.scalars(select(Order).where(Order.id == 2)).all() == []
        assert item.order is None, "it is not taken from memory"
        with pytest.raises(InvalidRequestError):
            session.refresh(order)
        session.expire(order)
        with pytest.raises(ObjectDeletedError):
            order.note  # noqa: B018
        assert session.get(Order, 2) is None
        own = session.get_one(Order, 1)
        assert session.get(Order, 1) is own and own.secret == "s1"
        session.expire(own)
        assert own.note == "mine"

    def other(session: Session) -> None:
        with as_user("2"):
            kept = session.get_one(Order, 2)
        assert session.get(Order, 2) is None
        with as_user("2"):
            assert session.get(Order, 2) is kept

    with as_user("1"):
        world.run(look)
        world.run(other)
    gc.collect()


def test_all_rows_are_seen_for_a_reason_that_is_recorded(
    world: Database, caplog: pytest.LogCaptureFixture
) -> None:
    def see(session: Session) -> Any:
        with mantlet.unscoped("monthly report"):
            session.execute(update(Order).values(note="all"))
            return session.execute(select(CORE.c.note)).scalars().all()

    with as_user("1", issuer="app"), caplog.at_level(logging.INFO, "mantlet"):
        assert world.run(see) == ["all"] * 3
        assert world.run(lambda s: s.scalars(select(Order)).all())[0].id == 1
    record = next(one for one in caplog.records if one.name == "mantlet" and "all rows" in one.getMessage())
    assert (record.reason, record.principal) == ("monthly report", "app|1")  # pyright: ignore
    assert record.filename == "test_writes.py"
    for nothing in ("", "  "):
        with pytest.raises(ValueError, match="say why"):
            mantlet.unscoped(nothing)


def test_it_is_scoped_again_after_an_error(world: Database) -> None:
    def fail(session: Session) -> Any:
        try:
            with mantlet.unscoped("a job"):
                raise StaleDataError
        except StaleDataError:
            return session.scalars(select(Document.id).order_by(Document.id)).all()

    with as_user("1"):
        assert world.run(fail) == [1, 3]
