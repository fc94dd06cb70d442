"""`unscoped` holds for the code that its block runs, and ends with the block."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from models import Base, Order, fill, owners
from sqlalchemy import create_engine, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import StaticPool

import mantlet
from mantlet.testing import as_user
from mantlet.without_scope import OPEN

NOTES = select(Order.note).order_by(Order.id)
MINE = ["mine", "mine, too"]
ALL = ["mine", "foreign", "mine, too"]
Maker = Callable[[], Session]
AsyncMaker = Callable[[], AsyncSession]


@pytest.fixture(scope="module")
def maker() -> Maker:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
        fill(connection, True)
    made = sessionmaker(engine)
    mantlet.scope(made, **owners())
    return made


@contextlib.asynccontextmanager
async def async_maker() -> AsyncIterator[AsyncMaker]:
    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.run_sync(fill, True)
    made = async_sessionmaker(engine)
    mantlet.scope(made, **owners())
    yield made
    await engine.dispose()


@pytest.fixture(autouse=True)
def ann() -> Iterator[None]:
    with as_user("1"):
        yield
    assert OPEN.get() == (), "nothing stays behind"


def seen(maker: Maker) -> list[str]:
    with maker() as session:
        return list(session.scalars(NOTES))


def rows(maker: Maker) -> Generator[str, None, None]:
    """Everything, one by one."""
    with mantlet.unscoped("export"), maker() as session:
        yield from session.scalars(NOTES)
        assert seen(maker) == ALL, "its own code is in the block"


def refused() -> Any:
    return pytest.raises(mantlet.ScopeError, match=r"`mantlet\.unscoped\(.*\)` was left by a `yield`")


def test_a_generator_does_not_pass_it_on(maker: Maker) -> None:
    assert list(rows(maker)) == ALL, "it is not left"
    found = rows(maker)
    assert next(found) == "mine"
    with refused():
        seen(maker)
    with maker() as session:
        for write in (session.flush, session.commit):
            session.add(Order(id=9, user_id=2, note="x"))
            with refused():
                write()
            session.rollback()
    assert list(found) == ALL[1:]
    assert seen(maker) == MINE
    with contextlib.closing(rows(maker)) as found:
        next(found)
    assert seen(maker) == MINE
    with mantlet.unscoped("here, too"):
        found = rows(maker)
        next(found)
        assert seen(maker) == ALL
        del found
    assert seen(maker) == MINE


def test_a_generator_that_ends_it_before_the_yield_is_as_ever(maker: Maker) -> None:
    def opened() -> Iterator[tuple[list[str], list[str]]]:
        with maker() as session:
            with mantlet.unscoped("a login"):
                everything = list(session.scalars(NOTES))
            yield everything, list(session.scalars(NOTES))

    for found in opened():
        assert found == (ALL, MINE)
        assert seen(maker) == MINE


@contextlib.contextmanager
def as_system() -> Iterator[None]:
    with mantlet.unscoped("the system"):
        yield


@contextlib.contextmanager
def as_system_twice() -> Iterator[None]:
    with as_system():
        yield


def test_a_context_manager_made_of_a_generator_is_for_its_body(maker: Maker) -> None:
    for manager in (as_system, as_system_twice):
        with manager():
            assert seen(maker) == ALL
        assert seen(maker) == MINE

    @as_system()
    def decorated() -> list[str]:
        return seen(maker)

    assert decorated() == ALL

    def generator() -> Iterator[list[str]]:
        with as_system():
            yield seen(maker)

    for found in generator():
        assert found == ALL
        with refused():
            seen(maker)


def test_a_stack_of_context_managers(maker: Maker) -> None:
    with contextlib.ExitStack() as stack:
        stack.enter_context(mantlet.unscoped("a job"))
        assert seen(maker) == ALL

    def generator() -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            stack.enter_context(mantlet.unscoped("a job"))
            yield

    for _ in generator():
        with refused():
            seen(maker)


def test_one_object_in_many_threads(maker: Maker) -> None:
    shared = mantlet.unscoped("a job")
    both, found = threading.Barrier(2, timeout=30), []

    def work(is_first: bool) -> None:
        with shared:
            both.wait()
            if not is_first:
                both.wait()
            found.append(seen(maker))
        if is_first:
            both.wait()
        found.append(seen(maker))

    threads = [
        threading.Thread(target=contextvars.copy_context().run, args=(work, is_first))
        for is_first in (True, False)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, found)) == [2, 2, 3, 3]


def test_a_thread_has_it_until_its_end(maker: Maker) -> None:
    ended, found = threading.Event(), []

    def work() -> None:
        found.append(seen(maker))
        going.set()
        assert ended.wait(30)
        found.append(seen(maker))

    going = threading.Event()
    with mantlet.unscoped("a job"):
        thread = threading.Thread(target=contextvars.copy_context().run, args=(work,))
        thread.start()
        assert going.wait(30)
    ended.set()
    thread.join()
    assert found == [ALL, MINE]


def test_async_code() -> None:
    async def seen(make: AsyncMaker) -> list[str]:
        async with make() as session:
            return list(await session.scalars(NOTES))

    async def rows(make: AsyncMaker) -> AsyncIterator[str]:
        with mantlet.unscoped("export"):
            async with make() as session:
                async for note in await session.stream_scalars(NOTES):
                    assert await seen(make) == ALL, "its own code is in the block"
                    yield note

    @contextlib.asynccontextmanager
    async def as_system() -> AsyncIterator[None]:
        with mantlet.unscoped("the system"):
            yield

    async def run() -> None:
        async with async_maker() as make:
            assert [note async for note in rows(make)] == ALL
            found: Any = rows(make)
            async for _ in found:
                with refused():
                    await seen(make)
                break
            await found.aclose()
            assert await seen(make) == MINE
            # Broken off, and closed by the event loop.
            async for _ in rows(make):
                break
            while OPEN.get() and OPEN.get()[-1].is_open:
                await asyncio.sleep(0)
            assert await seen(make) == MINE
            OPEN.set(())
            async with as_system():
                assert await seen(make) == ALL
            assert await seen(make) == MINE
            with mantlet.unscoped("a job"):
                assert await asyncio.gather(seen(make), seen(make)) == [ALL, ALL]
                ended = asyncio.Event()

                async def later() -> list[str]:
                    await ended.wait()
                    return await seen(make)

                task = asyncio.create_task(later())
                await asyncio.sleep(0)
            ended.set()
            assert await task == MINE, "the block has ended"

    asyncio.run(run())


def test_dependencies_do_not_pass_it_on(maker: Maker) -> None:
    app = FastAPI()

    def open_session() -> Iterator[Session]:
        with maker() as session:
            yield session

    async def asynchronous() -> AsyncIterator[None]:
        with mantlet.unscoped("a dependency"):
            yield

    def synchronous() -> Iterator[None]:
        with mantlet.unscoped("a dependency"):
            yield

    def before(session: Any) -> Iterator[list[str]]:
        with mantlet.unscoped("a login"):
            found = list(session.scalars(NOTES))
        yield found

    opened = Annotated[Session, Depends(open_session)]
    before.__annotations__["session"] = opened

    async def see(session: Any) -> list[str]:
        return list(session.scalars(NOTES))

    def see_in_thread(session: Any) -> list[str]:
        return list(session.scalars(NOTES))

    for read in (see, see_in_thread):
        read.__annotations__["session"] = opened
        for name, dependency in (("async", asynchronous), ("sync", synchronous), ("before", before)):
            app.get(f"/{name}/{read.__name__}", dependencies=[Depends(dependency)])(read)

    def login(found: Any) -> Any:
        return found

    login.__annotations__["found"] = Annotated[Any, Depends(before)]
    app.get("/found")(login)

    client = TestClient(app)
    for name in ("see", "see_in_thread"):
        with refused():
            client.get(f"/async/{name}")
        assert client.get(f"/sync/{name}").json() == MINE
        assert client.get(f"/before/{name}").json() == MINE
    assert client.get("/found").json() == ALL
