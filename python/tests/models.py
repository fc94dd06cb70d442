"""A small shop: rows that belong to users, in all the ways in which models say so."""

from __future__ import annotations

from typing import Any, Optional

from sqlalchemy import Column, Connection, ForeignKey, Table, func, insert, select
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    column_property,
    mapped_column,
    query_expression,
    relationship,
)


class Base(DeclarativeBase):
    pass


tagged = Table(
    "tagged",
    Base.metadata,
    Column("order_id", ForeignKey("orders.id"), primary_key=True),
    Column("tag_id", ForeignKey("tags.id"), primary_key=True),
)


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    orders: Mapped[list[Order]] = relationship(back_populates="user")
    remark: Mapped[Optional[str]] = query_expression()  # noqa: UP045


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    note: Mapped[str]
    secret: Mapped[str] = mapped_column(default="s", deferred=True)
    user: Mapped[User] = relationship(back_populates="orders")
    remark: Mapped[Optional[str]] = query_expression()  # noqa: UP045
    items: Mapped[list[Item]] = relationship(back_populates="order", cascade="all, delete-orphan")
    tags: Mapped[list[Tag]] = relationship(secondary=tagged, back_populates="orders")


class Item(Base):
    """Owned through its order."""

    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    name: Mapped[str]
    order: Mapped[Order] = relationship(back_populates="items")


class Tag(Base):
    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    orders: Mapped[list[Order]] = relationship(secondary=tagged, back_populates="tags")


class Document(Base):
    """With a table for each kind."""

    __tablename__ = "documents"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    parent_id: Mapped[Optional[int]] = mapped_column(ForeignKey("documents.id"))  # noqa: UP045
    parent: Mapped[Optional[Document]] = relationship(remote_side=[id])  # noqa: UP045
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "document"}  # noqa: RUF012


class Report(Document):
    __tablename__ = "reports"
    id: Mapped[int] = mapped_column(ForeignKey("documents.id"), primary_key=True)
    title: Mapped[str]
    __mapper_args__ = {"polymorphic_identity": "report"}  # noqa: RUF012


User.order_count = column_property(
    select(func.count(Order.id)).where(Order.user_id == User.id).correlate_except(Order).scalar_subquery()
)


def owners() -> dict[str, Any]:
    return {"user": User, "owner": {Item: "order.user_id"}}


def fill(connection: Connection, foreign: bool) -> None:
    """Ann has the number 1. With `foreign`, Bob has rows, too."""
    rows: list[tuple[Any, list[dict[str, Any]]]] = [
        (User, [{"id": 1, "name": "ann"}, {"id": 2, "name": "bob"}]),
        (Tag, [{"id": 1, "name": "red"}]),
        (Order, [order(1, 1, "mine"), order(3, 1, "mine, too"), order(2, 2, "foreign")]),
        (Item, [{"id": number, "order_id": number, "name": f"i{number}"} for number in (1, 2)]),
        (tagged, [{"order_id": 1, "tag_id": 1}, {"order_id": 2, "tag_id": 1}]),
        (
            Document.__table__,
            [document(1, 1, None), document(2, 2, None), document(3, 1, 2 if foreign else None)],
        ),
        (
            Report.__table__,
            [{"id": 1, "title": "mine"}, {"id": 2, "title": "foreign"}, {"id": 3, "title": "m"}],
        ),
    ]
    for table, all_rows in rows:
        owned = table not in (User, Tag)
        kept = [row for row in all_rows if foreign or not owned or row.get("id", row.get("order_id")) != 2]
        connection.execute(insert(getattr(table, "__table__", table)), kept)


def order(number: int, user: int, note: str) -> dict[str, Any]:
    return {"id": number, "user_id": user, "note": note, "secret": f"s{number}"}


def document(number: int, author: int, parent: int | None) -> dict[str, Any]:
    return {"id": number, "kind": "report", "author_id": author, "parent_id": parent}
