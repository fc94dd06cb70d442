"""Tables of a ledger that teams share."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy import ForeignKey, String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker


class Table(DeclarativeBase):
    pass


class Team(Table):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))


class Account(Table):
    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(String(80), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    is_auditor: Mapped[bool] = mapped_column(default=False)


class Seat(Table):
    __tablename__ = "seat"
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), primary_key=True)


class Posting(Table):
    __tablename__ = "posting"
    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"))
    entered_by: Mapped[int] = mapped_column(ForeignKey("account.id"))
    cents: Mapped[int]
    memo: Mapped[str] = mapped_column(String(200))


class Article(Table):
    """What everyone may read, and only its author may change."""

    __tablename__ = "article"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    headline: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(String(5000))


make = sessionmaker(create_engine("sqlite://"))


def get_session() -> Iterator[Session]:
    with make() as session:
        yield session


Db = Annotated[Session, Depends(get_session)]
