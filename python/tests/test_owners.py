"""Whose a row is: what is found, what has to be said, and what is a mistake at the start."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any, Optional

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import ForeignKey, Table, create_engine, func, select, true
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    column_property,
    mapped_column,
    relationship,
    scoped_session,
    sessionmaker,
)
from sqlalchemy.pool import StaticPool
from sqlmodel import Field, SQLModel
from sqlmodel import Session as SQLModelSession
from sqlmodel import select as sqlmodel_select
from sqlmodel.ext.asyncio.session import AsyncSession as SQLModelAsyncSession

import mantlet
from mantlet.scoping.scope import SCOPES
from mantlet.testing import as_user


def base() -> tuple[Any, Any]:
    """A base of its own, and a model of users."""

    class Base(DeclarativeBase):
        pass

    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)

    return Base, User


def mistake(user: Any, **options: Any) -> str:
    """What keeps an app from starting."""
    app = FastAPI()
    mantlet.scope(sessionmaker(create_engine("sqlite://")), user=user, app=app, **options)
    with pytest.raises(mantlet.ScopeError) as error, sessionmaker_of_last()() as session:
        session.execute(select(user))
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(mantlet.ScopeError):
        asyncio.run(app({"type": "lifespan", "app": app}, receive, send))  # pyright: ignore[reportArgumentType]
    assert sent[0]["type"] == "lifespan.startup.failed" and str(error.value) in sent[0]["message"]
    return str(error.value)


def sessionmaker_of_last() -> Any:
    return SCOPES[-1].make


def test_several_foreign_keys_are_a_mistake_that_names_them() -> None:
    Base, User = base()

    class Coupon(Base):
        __tablename__ = "coupons"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
        referrer_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    said = mistake(User)
    assert "`Coupon` has several foreign keys to `users`: `referrer_id`, `user_id`" in said
    assert 'owner={Coupon: "referrer_id"}' in said
    made = mantlet.scope(sessionmaker(), user=User, owner={Coupon: "user_id"})
    assert [(one.name, one.owner) for one in made.owners.models] == [("Coupon", "user_id")]
    made = mantlet.scope(sessionmaker(), user=User, owner={Coupon: None})
    assert made.owners.models == []


def test_another_class_of_the_same_table_is_a_mistake() -> None:
    Base, User = base()

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    class Line(Base):
        __table__: Table = Order.__table__

    # It has the same foreign key, so it is owned, too.
    assert {one.name for one in mantlet.scope(sessionmaker(), user=User).owners.models} == {"Order", "Line"}
    assert "`Line` reads the table of `Order`" in mistake(User, owner={Line: None})


def test_a_parent_that_is_not_owned_is_a_mistake() -> None:
    Base, User = base()

    class Document(Base):
        __tablename__ = "documents"
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str]
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "d"}  # noqa: RUF012

    class Report(Document):
        __tablename__ = "reports"
        id: Mapped[int] = mapped_column(ForeignKey("documents.id"), primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
        __mapper_args__ = {"polymorphic_identity": "r"}  # noqa: RUF012

    assert "rows of it are also read as `Document`" in mistake(User)


def test_a_secondary_that_is_owned_is_a_mistake() -> None:
    Base, User = base()

    class Membership(Base):
        __tablename__ = "memberships"
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
        team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"), primary_key=True)

    class Team(Base):
        __tablename__ = "teams"
        id: Mapped[int] = mapped_column(primary_key=True)
        users: Mapped[list[Any]] = relationship(User, secondary="memberships")

    assert "`Team.users` reads the table of `Membership`" in mistake(User)


def test_a_property_of_core_is_a_mistake() -> None:
    Base, User = base()

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    table: Any = Order.__table__
    User.order_count = column_property(
        select(func.count(table.c.id)).where(table.c.user_id == User.id).scalar_subquery()
    )
    assert "the property `User.order_count` cannot be scoped" in mistake(User)


def test_words_that_name_nothing_are_mistakes() -> None:
    Base, User = base()

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    for owner, why in (("usr", "has no column `usr`"), ("user.id", "has no relationship `user`")):
        assert why in mistake(User, owner={Order: owner})
    for given in (object(), Session(), "Session", int):
        with pytest.raises(mantlet.ScopeError, match="does not make sessions"):
            mantlet.scope(given, user=User)
    with pytest.raises(mantlet.ScopeError, match="whose rows are whose"):
        mantlet.scope(sessionmaker())
    maker = sessionmaker()
    mantlet.scope(maker, user=User)
    with pytest.raises(mantlet.ScopeError, match="scoped already"):
        mantlet.scope(maker, user=User)
    empty: Any = type("Empty", (), {})
    with pytest.raises(mantlet.ScopeError, match="not a mapped model"):
        mantlet.scope(sessionmaker(), user=empty).owners  # noqa: B018


def test_models_that_come_later_are_owned() -> None:
    Base, User = base()
    maker = sessionmaker(create_engine("sqlite://", poolclass=StaticPool))
    made = mantlet.scope(maker, user=User)
    assert made.owners.models == []

    class Late(Base):
        __tablename__ = "late"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    with maker() as session, mantlet.unscoped("test"):
        Base.metadata.create_all(session.connection())
        session.add_all([User(id=1), Late(id=1, user_id=1)])
        session.commit()
    with maker() as session, as_user("2"):
        assert session.scalars(select(Late)).all() == []
    with maker() as session, as_user("1"):
        assert len(session.scalars(select(Late)).all()) == 1


def filled(maker: Any, bases: list[Any], *objects: Any) -> None:
    with maker() as session, mantlet.unscoped("test"):
        for base in bases:
            base.metadata.create_all(session.connection())
        for one in objects:
            session.add(one)
            session.flush()
        session.commit()


def test_models_of_other_bases_are_owned() -> None:
    """With the tables of the first one, and with tables of their own."""
    Base, User = base()

    class Beside(DeclarativeBase):
        metadata = Base.metadata

    class Apart(DeclarativeBase):
        pass

    maker = sessionmaker(create_engine("sqlite://", poolclass=StaticPool))
    made = mantlet.scope(maker, user=User)

    class Note(Base):
        __tablename__ = "notes"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    class Bill(Beside):
        __tablename__ = "bills"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    assert {one.name for one in made.owners.models} == {"Note", "Bill"}

    class Card(Apart):
        __tablename__ = "cards"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey(User.__table__.c.id))

    filled(maker, [Base, Apart], User(id=1), User(id=2), Note(id=1, user_id=2), Bill(id=1, user_id=2))
    filled(maker, [], Card(id=1, user_id=2), Card(id=2, user_id=1))
    for model, own in ((Note, []), (Bill, []), (Card, [2])):
        with maker() as session, as_user("1"):
            assert [one.id for one in session.scalars(select(model))] == own
            assert session.get(model, 1) is None
            session.add(model(id=9, user_id=2))
            with pytest.raises(mantlet.NotScopable):
                session.flush()
    assert {one.name for one in made.owners.models} == {"Note", "Bill", "Card"}


def test_a_model_with_a_key_that_leads_nowhere_is_none_of_the_scope() -> None:
    """It is of another part of the process, whose tables are not imported."""
    _, User = base()
    Other, _ = base()

    class Elsewhere(DeclarativeBase):
        pass

    class Paper(Elsewhere):
        __tablename__ = "papers"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    class Sheet(Other):
        __tablename__ = "sheets"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    assert mantlet.scope(sessionmaker(), user=User).owners.models == []


def test_mistakes_are_found_in_other_bases() -> None:
    Base, User = base()

    class Beside(DeclarativeBase):
        metadata = Base.metadata

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    class Coupon(Beside):
        __tablename__ = "coupons"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
        referrer_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    assert "`Coupon` has several foreign keys" in mistake(User)
    mistaken: Any = {Coupon: None}

    class Line(Beside):
        __table__: Table = Order.__table__

    assert "`Line` reads the table of `Order`" in mistake(User, owner={**mistaken, Line: None})

    class Team(Beside):
        __tablename__ = "teams"
        id: Mapped[int] = mapped_column(primary_key=True)
        users: Mapped[list[Any]] = relationship(
            User, secondary=Order.__table__, primaryjoin="Team.id == orders.c.id"
        )

    assert "`Team.users` reads the table of `Order`" in mistake(User, owner=mistaken)


def test_a_property_of_core_is_a_mistake_in_another_base() -> None:
    Base, User = base()

    class Beside(DeclarativeBase):
        metadata = Base.metadata

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    table: Any = Order.__table__

    class Page(Beside):
        __tablename__ = "pages"
        id: Mapped[int] = mapped_column(primary_key=True)
        orders: Mapped[int] = column_property(select(func.count(table.c.id)).scalar_subquery())

    assert "the property `Page.orders` cannot be scoped" in mistake(User)


def test_a_model_of_another_base_that_reads_an_owned_table_is_refused() -> None:
    Base, User = base()
    Other, _ = base()

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    class OrderView(Other):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)

    engine = create_engine("sqlite://", poolclass=StaticPool)
    maker, other = sessionmaker(engine), sessionmaker(engine)
    mantlet.scope(maker, user=User)
    mantlet.scope(other, user=User, owner={OrderView: None})
    filled(maker, [Base], User(id=1), Order(id=1, user_id=1))
    with maker() as session, as_user("1"):
        assert len(session.scalars(select(Order)).all()) == 1
        for statement in (select(OrderView), select(OrderView.id), select(User.id).join(OrderView, true())):
            with pytest.raises(mantlet.NotScopable, match="`OrderView` reads the table of `Order`"):
                session.execute(statement)
        with pytest.raises(mantlet.NotScopable):
            session.get(OrderView, 1)
    with other() as session, as_user("2"):
        assert len(session.scalars(select(OrderView)).all()) == 1, "the app has said so"

    class Archived(Other):
        __tablename__ = "orders"
        __table_args__ = {"schema": "archive"}  # noqa: RUF012
        id: Mapped[int] = mapped_column(primary_key=True)

    with maker() as session, as_user("2"), pytest.raises(OperationalError, match="no such table"):
        session.scalars(select(Archived))  # it is not refused, and SQLite has no schema


def test_a_version_that_does_not_reach_all_joins_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    _, User = base()
    monkeypatch.setattr("mantlet.scoping.scope.VERSION", (2, 0, 21))
    with pytest.raises(mantlet.ScopeError, match=r"sqlalchemy>=2\.0\.22"):
        mantlet.scope(sessionmaker(), user=User)


def test_conditions_and_values_of_the_app() -> None:
    """Members of teams, and numbers that are not the subject of a token."""
    Base, User = base()

    class Note(Base):
        __tablename__ = "notes"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    class Plan(Base):
        __tablename__ = "plans"
        id: Mapped[int] = mapped_column(primary_key=True)
        team: Mapped[str]

    maker = scoped_session(sessionmaker(create_engine("sqlite://", poolclass=StaticPool)))
    mantlet.scope(
        maker,
        user=User,
        owner={Plan: lambda principal: Plan.team.in_(principal["teams"])},
        value=lambda principal: principal["id"],
    )
    with mantlet.unscoped("test"):
        Base.metadata.create_all(maker.connection())
        maker.add_all([User(id=1), User(id=2), Note(id=1, user_id=1), Note(id=2, user_id=2)])
        maker.add_all([Plan(id=1, team="a"), Plan(id=2, team="b"), Plan(id=3, team="c")])
        maker.commit()
        maker.remove()
    with as_user("ann", id=1, teams=["a", "c"]):
        assert [note.id for note in maker.scalars(select(Note))] == [1]
        assert [plan.id for plan in maker.scalars(select(Plan).order_by(Plan.id))] == [1, 3]
        maker.add(Plan(id=4, team="a"))
        maker.flush()
        maker.add(Plan(id=5, team="b"))
        with pytest.raises(mantlet.NotScopable):
            maker.flush()
        maker.rollback()
    with as_user("ann"), pytest.raises(KeyError):
        maker.scalars(select(Note))
    maker.remove()


@pytest.mark.parametrize("subject", ["1 OR 1=1", "one", "1.0", "-1", "", "²", "1" * 5_000])
def test_a_subject_of_another_form_is_nobody(subject: str) -> None:
    Base, User = base()

    class Note(Base):
        __tablename__ = "notes"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    maker = sessionmaker(create_engine("sqlite://"))
    mantlet.scope(maker, user=User)
    with maker() as session, as_user(subject), pytest.raises(mantlet.ScopeError, match="value="):
        session.scalars(select(Note))


def test_a_caller_of_another_issuer_is_not_the_user_with_that_number() -> None:
    Base, User = base()

    class Note(Base):
        __tablename__ = "notes"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    maker = sessionmaker(create_engine("sqlite://"))
    mantlet.scope(maker, user=User)
    for issuer in ("https://id.example.com", "mantlet", "App"):
        refused = pytest.raises(mantlet.ScopeError, match="was proven by")
        with maker() as session, as_user("1", issuer=issuer), refused:
            session.scalars(select(Note))


class Person(SQLModel, table=True):
    id: uuid.UUID = Field(primary_key=True)


class Hero(SQLModel, table=True):
    id: Optional[int] = Field(default=None, primary_key=True)  # noqa: UP045
    owner_id: uuid.UUID = Field(foreign_key="person.id")
    name: str


ANN, BOB = uuid.UUID(int=1), uuid.UUID(int=2)


def heroes() -> list[Any]:
    return [Person(id=ANN), Person(id=BOB), Hero(owner_id=ANN, name="a"), Hero(owner_id=BOB, name="b")]


def test_sqlmodel() -> None:
    class Own(SQLModelSession):
        """The app's class of sessions. SQLModel's own would be scoped for all of a process."""

    engine = create_engine("sqlite://", poolclass=StaticPool)
    SQLModel.metadata.create_all(engine, tables=[Person.__table__, Hero.__table__])  # pyright: ignore
    mantlet.scope(Own, user=Person)
    with Own(engine) as session, mantlet.unscoped("test"):
        session.add_all(heroes())
        session.commit()
    for spelled in (str(ANN), ANN.hex, str(ANN).upper()):
        with Own(engine) as session, as_user(spelled):
            assert [hero.name for hero in session.exec(sqlmodel_select(Hero))] == ["a"]
            assert session.get(Hero, 2) is None
            session.add(Hero(owner_id=BOB, name="x"))
            with pytest.raises(mantlet.NotScopable):
                session.commit()
    with SQLModelSession(engine) as session:
        assert len(session.exec(sqlmodel_select(Hero)).all()) == 2, "it is another class"


def test_sqlmodel_async() -> None:
    class Own(SQLModelAsyncSession):
        pass

    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    maker = async_sessionmaker(engine, class_=Own)
    mantlet.scope(Own, user=Person)

    async def run() -> None:
        async with engine.begin() as connection:
            await connection.run_sync(SQLModel.metadata.create_all)
        async with maker() as session:
            with mantlet.unscoped("test"):
                session.add_all(heroes())
                await session.commit()
        with as_user(str(ANN)):
            async with maker() as session:
                assert [hero.name for hero in await session.exec(sqlmodel_select(Hero))] == ["a"]
                assert await session.get(Hero, 2) is None
                own = await session.get(Hero, 1)
                assert own is not None
                await session.refresh(own)
                stream = await session.stream(sqlmodel_select(Hero.name))
                assert [name async for (name,) in stream] == ["a"]
                with pytest.raises(mantlet.NotScopable):
                    await session.connection()
        await engine.dispose()

    asyncio.run(run())


def test_an_app_starts_when_all_is_well() -> None:
    Base, User = base()

    class Note(Base):
        __tablename__ = "notes"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    app = FastAPI()
    mantlet.scope(sessionmaker(create_engine("sqlite://")), user=User, app=app)
    with TestClient(app) as client:
        assert client.get("/docs").status_code == 200
