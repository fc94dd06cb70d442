"""Databases for the tests: SQLite, and a PostgreSQL whose socket is in `MANTLET_TEST_POSTGRES`. The
user `postgres` may do everything there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from models import Base, fill, owners
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import StaticPool

import mantlet

SYNC = ("sqlite", "postgresql+psycopg")
ASYNC = ("sqlite+aiosqlite", "postgresql+asyncpg", "postgresql+psycopg_async")


def url(driver: str, user: str = "app") -> str:
    folder = os.environ["MANTLET_TEST_POSTGRES"]
    return f"{driver}://{user}@/postgres?host={folder}"


@pytest.fixture(scope="session")
def administrator() -> Iterator[Engine]:
    """Everything may be done with it. The role of the app is neither superuser nor owner."""
    # A test that leaves a transaction open fails the next one, and does not keep it waiting.
    options = {"options": "-clock_timeout=10s"}
    engine = create_engine(
        url("postgresql+psycopg", "postgres"), isolation_level="AUTOCOMMIT", connect_args=options
    )
    with engine.connect() as connection:
        for role in ("app", "owner"):
            if not connection.execute(
                text("SELECT FROM pg_roles WHERE rolname = :role"), {"role": role}
            ).all():
                connection.execute(text(f"CREATE ROLE {role} LOGIN"))
    yield engine
    engine.dispose()


def make_schema(
    administrator: Engine, schema: str, foreign: bool, role: str = "app", base: Any = Base, rows: Any = fill
) -> None:
    """The tables with their rows, in a schema of their own. A role may use them."""
    here = administrator.execution_options(
        schema_translate_map={None: schema}, isolation_level="READ COMMITTED"
    )
    with here.begin() as connection:
        connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))
        connection.execute(text(f"CREATE SCHEMA {schema}"))
        connection.execute(text(f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}, owner"))
        base.metadata.create_all(connection)
        rows(connection, foreign)
        for kind in ("TABLES", "SEQUENCES"):
            connection.execute(text(f"GRANT ALL ON ALL {kind} IN SCHEMA {schema} TO {role}, owner"))


def connected(driver: str, schema: str, user: str = "app", **options: Any) -> Engine:
    """An engine that knows only this schema."""
    if driver.startswith("sqlite"):
        return create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    search = {"options": f"-csearch_path={schema}"}
    return create_engine(url(driver, user), connect_args=search, **options)


def connected_async(driver: str, schema: str, user: str = "app", **options: Any) -> AsyncEngine:
    if driver.startswith("sqlite"):
        return create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    if driver.endswith("asyncpg"):
        search: dict[str, Any] = {"server_settings": {"search_path": schema}}
    else:
        search = {"options": f"-csearch_path={schema}"}
    return create_async_engine(url(driver, user), connect_args=search, **options)


Run = Callable[[Callable[[Session], Any]], Any]


class Database:
    """A database in which something can be run in a new session, sync or async alike."""

    def __init__(self, driver: str, schema: str) -> None:
        self.is_async = driver in ASYNC
        self.loop = asyncio.new_event_loop() if self.is_async else None
        if self.is_async:
            self.engine: Any = connected_async(driver, schema)
            self.maker: Any = async_sessionmaker(self.engine, expire_on_commit=False)
        else:
            self.engine = connected(driver, schema)
            self.maker = sessionmaker(self.engine)

    def prepare(self, foreign: bool, base: Any = Base, rows: Any = fill) -> None:
        """The tables of SQLite. A session of its own: none is scoped yet."""

        def prepare(session: Session) -> None:
            base.metadata.drop_all(session.connection())
            base.metadata.create_all(session.connection())
            rows(session.connection(), foreign)
            session.commit()

        plain = async_sessionmaker(self.engine) if self.is_async else sessionmaker(self.engine)
        self.run(prepare, plain)

    def run(self, what: Callable[[Session], Any], maker: Any = None) -> Any:
        maker = maker or self.maker
        if not self.is_async:
            with maker() as session:
                return what(session)

        async def run() -> Any:
            session: AsyncSession
            async with maker() as session:
                return await session.run_sync(what)

        return self.wait(run())

    def wait(self, coroutine: Any) -> Any:
        assert self.loop is not None
        return self.loop.run_until_complete(coroutine)

    def close(self) -> None:
        if self.loop is not None:
            self.loop.run_until_complete(self.engine.dispose())
            self.loop.close()
        else:
            self.engine.dispose()


def database(
    driver: str, schema: str, foreign: bool, administrator: Engine, base: Any = Base, rows: Any = fill
) -> Database:
    made = Database(driver, schema)
    if driver.startswith("sqlite"):
        made.prepare(foreign, base, rows)
    else:
        make_schema(administrator, schema, foreign, base=base, rows=rows)
    return made


@pytest.fixture(params=SYNC + ASYNC)
def world(request: pytest.FixtureRequest, administrator: Engine) -> Iterator[Database]:
    """All rows, of two users, with sessions that are scoped."""
    made = database(request.param, "world", True, administrator)
    mantlet.scope(made.maker, **owners())
    yield made
    made.close()
