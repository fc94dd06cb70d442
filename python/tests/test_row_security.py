"""Row level security of PostgreSQL: the caller is told in each transaction, and it is in force."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from conftest import connected, connected_async, make_schema
from fastapi import FastAPI
from fastapi.testclient import TestClient
from models import Base, Item, Order, User, owners
from sqlalchemy import Engine, create_engine, event, select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

import mantlet
from mantlet.scoping import row_security
from mantlet.testing import as_user

SCHEMA = "secured"
NOTES = text("SELECT note FROM orders ORDER BY id")


def prepare(administrator: Engine, secured: bool = True) -> None:
    make_schema(administrator, SCHEMA, True)
    with administrator.connect() as connection:
        connection.execute(text(f"SET search_path TO {SCHEMA}"))
        for table in Base.metadata.sorted_tables:
            connection.execute(text(f"ALTER TABLE {table.name} OWNER TO owner"))
    if secured:
        # Twice: it may be run again.
        migrate(scoped(administrator))
        migrate(scoped(administrator))


def scoped(administrator: Engine) -> Any:
    return mantlet.scope(sessionmaker(administrator), **owners())


def migrate(scope: Any) -> None:
    engine = connected("postgresql+psycopg", SCHEMA, "owner")
    with engine.begin() as connection:
        connection.exec_driver_sql(row_security.migration([scope]))
    engine.dispose()


def makers(user: str = "app", app: Any = None) -> tuple[Any, Any]:
    """Sessions of one connection."""
    engine = connected("postgresql+psycopg", SCHEMA, user, pool_size=1, max_overflow=0)
    maker = sessionmaker(engine)
    mantlet.scope(maker, rls=True, app=app, **owners())
    return maker, engine


def seen(session: Session) -> list[str]:
    """What text sees, which is not scoped here."""
    with mantlet.unscoped("the policies alone"):
        return list(session.scalars(NOTES))


MINE, FOREIGN = ["mine", "mine, too"], ["foreign"]


def test_the_migration_is_for_columns_of_the_own_table(administrator: Engine) -> None:
    sql = row_security.migration([scoped(administrator)])
    assert "CREATE POLICY mantlet_owner ON orders AS PERMISSIVE FOR ALL TO PUBLIC" in sql
    assert "user_id = nullif(current_setting('mantlet.user', true), '')::INTEGER" in sql
    assert "-- Item: its owner (order.user_id) is not a column of its table. Write its policy by hand." in sql
    assert sql.count("FORCE ROW LEVEL SECURITY") == sql.count("CREATE POLICY") == 2


def test_one_connection_serves_all_callers(administrator: Engine) -> None:
    prepare(administrator)
    maker, engine = makers()
    for user, expected in [("1", MINE), ("2", FOREIGN), (None, []), ("1", MINE), ("9", [])]:
        with as_user(user), maker() as session:
            assert seen(session) == expected
            session.commit()
            assert seen(session) == expected, "after a COMMIT in the middle"
            session.rollback()
            assert seen(session) == expected, "after a ROLLBACK"
            with session.begin_nested():
                assert seen(session) == expected, "in a savepoint"
            assert seen(session) == expected
            try:
                with session.begin_nested():
                    raise KeyError
            except KeyError:
                assert seen(session) == expected, "after a savepoint that was undone"
    # Outside of a session nothing is told: an empty text is left behind, not the caller before.
    with engine.connect() as connection:
        assert connection.scalars(NOTES).all() == []
        assert connection.scalar(text("SELECT current_setting('mantlet.user', true)")) == ""
    engine.dispose()


def test_the_caller_may_change_within_a_transaction(administrator: Engine) -> None:
    prepare(administrator)
    maker, engine = makers()
    with maker() as session:
        assert seen(session) == []
        for user, expected in [("1", MINE), ("2", FOREIGN), (None, [])]:
            with as_user(user):
                assert seen(session) == expected
    engine.dispose()


def test_writes_are_checked_by_the_database(administrator: Engine) -> None:
    prepare(administrator)
    maker, engine = makers()

    def write(sql: str) -> Any:
        with as_user("1"), maker() as session, mantlet.unscoped("the policies alone"):
            result = session.execute(text(sql))
            session.commit()
            return result.rowcount

    assert write("UPDATE orders SET note = note") == 2
    assert write("UPDATE orders SET note = 'x' WHERE id = 2") == 0
    assert write("DELETE FROM orders WHERE id = 2") == 0
    assert write("INSERT INTO orders (id, user_id, note, secret) VALUES (9, 1, 'x', 's')") == 1
    for sql in (
        "INSERT INTO orders (id, user_id, note, secret) VALUES (10, 2, 'x', 's')",
        "UPDATE orders SET user_id = 2",
        "INSERT INTO orders (id, user_id, note, secret) VALUES (2, 1, 'x', 's')"
        " ON CONFLICT (id) DO UPDATE SET note = 'x'",
    ):
        with pytest.raises(ProgrammingError, match="row-level security"):
            write(sql)
    with as_user("1"), maker() as session:
        session.add(Order(id=11, user_id=1, note="y"))
        session.commit()
        assert session.get(Order, 2) is None and session.get_one(Order, 11).note == "y"
        assert session.scalars(select(Item.id)).all() == [1]
    engine.dispose()


@pytest.mark.parametrize("driver", ["postgresql+asyncpg", "postgresql+psycopg_async"])
def test_async(driver: str, administrator: Engine) -> None:
    prepare(administrator)

    async def run() -> None:
        engine = connected_async(driver, SCHEMA, pool_size=1, max_overflow=0)
        maker = async_sessionmaker(engine)
        mantlet.scope(maker, rls=True, **owners())

        async def of(user: str | None, expected: list[str]) -> None:
            with as_user(user):
                async with maker() as session:
                    for _ in range(3):
                        assert await session.run_sync(seen) == expected
                        assert (
                            await session.scalars(select(Order.note).order_by(Order.id))
                        ).all() == expected
                        await session.commit()

        # At the same time, on one connection.
        await asyncio.gather(
            *(of(*one) for one in [("1", MINE), ("2", FOREIGN), (None, []), ("1", MINE)] * 5)
        )
        async with engine.connect() as connection:
            assert (await connection.scalars(NOTES)).all() == []
        await engine.dispose()

    asyncio.run(run())


def alter(sql: str) -> Callable[[Engine], None]:
    def run(administrator: Engine) -> None:
        with administrator.connect() as connection:
            connection.execute(text(f"SET search_path TO {SCHEMA}"))
            connection.execute(text(sql))

    return run


FAULTS: dict[str, tuple[str, str, str, str]] = {
    "superuser": ("postgres", "SELECT", "SELECT", "the role `postgres`, because it is a superuser"),
    "bypassrls": (
        "app",
        "ALTER ROLE app BYPASSRLS",
        "ALTER ROLE app NOBYPASSRLS",
        "because it has BYPASSRLS",
    ),
    "owner": (
        "owner",
        "ALTER TABLE orders NO FORCE ROW LEVEL SECURITY",
        "SELECT",
        "orders: the role `owner` owns it, and FORCE ROW LEVEL SECURITY is not set",
    ),
    "member of the owner": (
        "app",
        "ALTER TABLE orders NO FORCE ROW LEVEL SECURITY; GRANT owner TO app",
        "REVOKE owner FROM app",
        "orders: the role `app` owns it, and FORCE",
    ),
    "disabled": (
        "app",
        "ALTER TABLE documents DISABLE ROW LEVEL SECURITY",
        "SELECT",
        "documents: ROW LEVEL SECURITY is not enabled",
    ),
    "no policy": (
        "app",
        "DROP POLICY mantlet_owner ON orders",
        "SELECT",
        "the policy `mantlet_owner` for all",
    ),
    "only reads": (
        "app",
        "DROP POLICY mantlet_owner ON orders; CREATE POLICY mantlet_owner ON orders FOR SELECT"
        " USING (user_id = current_setting('mantlet.user')::int)",
        "SELECT",
        "the policy `mantlet_owner` for all commands is missing",
    ),
    "another policy": (
        "app",
        "DROP POLICY mantlet_owner ON orders; CREATE POLICY mantlet_owner ON orders USING (true)",
        "SELECT",
        "the policy `mantlet_owner` for all commands is missing",
    ),
    "no table": ("app", "DROP TABLE reports, documents", "SELECT", "the table documents does not exist"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_it_is_refused_where_it_is_not_in_force(fault: str, administrator: Engine) -> None:
    user, change, undo, why = FAULTS[fault]
    prepare(administrator)
    alter(change)(administrator)
    try:
        started: list[int] = []
        app = FastAPI()
        maker, engine = makers(user, app)
        with as_user("1"), maker() as session, pytest.raises(mantlet.RowSecurityError) as error:
            session.scalars(select(User)).all()
        assert why in str(error.value)
        with as_user("1"), maker() as session, pytest.raises(mantlet.RowSecurityError):
            seen(session)
        with pytest.raises(mantlet.RowSecurityError), TestClient(app):
            started.append(1)
        assert started == []
        engine.dispose()
    finally:
        alter(undo)(administrator)


def test_other_policies_are_noted(administrator: Engine, caplog: pytest.LogCaptureFixture) -> None:
    prepare(administrator)
    alter("CREATE POLICY everyone ON orders FOR SELECT USING (true)")(administrator)
    maker, engine = makers()
    with as_user("1"), maker() as session, caplog.at_level(logging.WARNING, "mantlet"):
        assert session.scalars(select(Order.id).order_by(Order.id)).all() == [1, 3], (
            "the scope holds by itself"
        )
    assert "orders has other policies that show or change rows, too: `everyone`" in caplog.text
    engine.dispose()


def test_it_is_checked_later_where_the_database_is_away(caplog: pytest.LogCaptureFixture) -> None:
    for url in ("postgresql+psycopg://app@127.0.0.1:1/postgres", None):
        maker = sessionmaker(create_engine(url) if url else None)
        scope = mantlet.scope(maker, rls=True, **owners())
        with caplog.at_level(logging.INFO, "mantlet"):
            asyncio.run(scope.before_start())
        assert "row level security is checked when" in caplog.text
        caplog.clear()


def test_another_database_has_none() -> None:
    maker = sessionmaker(create_engine("sqlite://"))
    mantlet.scope(maker, rls=True, **owners())
    with maker() as session, pytest.raises(mantlet.RowSecurityError, match="needs PostgreSQL"):
        session.scalars(select(Order))


def test_it_is_one_statement_for_each_transaction(administrator: Engine) -> None:
    prepare(administrator)
    maker, engine = makers()
    with as_user("1"), maker() as session:
        session.scalars(select(Order)).all()
    sent: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *arguments: sent.append(arguments[2]))
    with as_user("1"), maker() as session:
        for _ in range(3):
            session.scalars(select(Order)).all()
    assert [one.split("(")[0] for one in sent if "FROM orders" not in one] == ["SELECT set_config"]
    engine.dispose()
