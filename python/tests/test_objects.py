"""Objects that a session holds: what is loaded beside them later, what a flush writes beside them,
and what is handed out from memory. The models load relationships by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Optional

import pytest
from conftest import ASYNC, SYNC, Database, database
from sqlalchemy import Connection, Engine, ForeignKey, func, insert, select
from sqlalchemy import inspect as inspection
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    column_property,
    lazyload,
    make_transient_to_detached,
    mapped_column,
    query_expression,
    relationship,
    with_expression,
)

import mantlet
from mantlet.testing import as_user


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    motto: Mapped[Optional[str]] = mapped_column(deferred=True)  # noqa: UP045
    remark: Mapped[Optional[int]] = query_expression()  # noqa: UP045
    letters: Mapped[list[Letter]] = relationship(lazy="joined", order_by="Letter.id")


class Letter(Base):
    """Its parent does not know it."""

    __tablename__ = "letters"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[Optional[int]] = mapped_column(ForeignKey("users.id"))  # noqa: UP045


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str]
    joined: Mapped[list[Comment]] = relationship(
        lazy="joined", cascade="all, delete-orphan", order_by="Comment.id"
    )
    selected: Mapped[list[Comment]] = relationship(lazy="selectin", viewonly=True, order_by="Comment.id")
    apart: Mapped[list[Comment]] = relationship(lazy="subquery", viewonly=True, order_by="Comment.id")
    at_once: Mapped[list[Comment]] = relationship(lazy="immediate", viewonly=True, order_by="Comment.id")


class Comment(Base):
    __tablename__ = "comments"
    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    replies: Mapped[list[Reply]] = relationship(cascade="all, delete-orphan", order_by="Reply.id")


class Reply(Base):
    """Owned through its comment."""

    __tablename__ = "replies"
    id: Mapped[int] = mapped_column(primary_key=True)
    comment_id: Mapped[int] = mapped_column(ForeignKey("comments.id"))
    comment: Mapped[Comment] = relationship(viewonly=True)


User.letter_count = column_property(
    select(func.count(Letter.id)).where(Letter.user_id == User.id).correlate_except(Letter).scalar_subquery()
)
User.last_letter = column_property(
    select(func.max(Letter.id)).where(Letter.user_id == User.id).scalar_subquery(), deferred=True
)

# Ann's post has a comment of each. What is of Bob has an even number.
ROWS: list[tuple[Any, list[dict[str, Any]]]] = [
    (User, [{"id": 1, "name": "ann", "motto": "a"}, {"id": 2, "name": "bob", "motto": "b"}]),
    (Letter, [{"id": 1, "user_id": 1}, {"id": 2, "user_id": 2}, {"id": 4, "user_id": 2}]),
    (Post, [{"id": 1, "user_id": 1, "title": "of ann"}, {"id": 2, "user_id": 2, "title": "of bob"}]),
    (
        Comment,
        [
            {"id": 1, "post_id": 1, "user_id": 1},
            {"id": 2, "post_id": 1, "user_id": 2},
            {"id": 4, "post_id": 2, "user_id": 2},
        ],
    ),
    (Reply, [{"id": 1, "comment_id": 1}, {"id": 2, "comment_id": 2}]),
]


def fill(connection: Connection, foreign: bool) -> None:
    for model, rows in ROWS:
        connection.execute(insert(model), rows)


def made(driver: str, schema: str, administrator: Engine) -> Iterator[Database]:
    made = database(driver, schema, True, administrator, Base, fill)
    mantlet.scope(made.maker, user=User, owner={Reply: "comment.user_id"})
    yield made
    made.close()


@pytest.fixture(params=SYNC + ASYNC)
def blog(request: pytest.FixtureRequest, administrator: Engine) -> Iterator[Database]:
    yield from made(request.param, "blog", administrator)


@pytest.fixture(scope="module", params=SYNC + ASYNC)
def library(request: pytest.FixtureRequest, administrator: Engine) -> Iterator[Database]:
    """The same, to be read alone."""
    yield from made(request.param, "library", administrator)


def everything(session: Session) -> Any:
    with mantlet.unscoped("what is there"):
        return [
            tuple(tuple(row) for row in session.execute(select(*columns).order_by(columns[0])))
            for columns in (
                (Letter.id, Letter.user_id),
                (Post.id, Post.user_id, Post.title),
                (Comment.id, Comment.post_id, Comment.user_id),
                (Reply.id, Reply.comment_id),
            )
        ]


def ids(many: Any) -> list[int]:
    return [one.id for one in many]


# Ways to have a foreign or an own object that was not loaded by a scoped query.


def unscoped(session: Session, model: type, number: int) -> Any:
    with mantlet.unscoped("a login"):
        return session.get_one(model, number)


def detached(session: Session, model: Any, number: int) -> Any:
    one = model(id=number)
    make_transient_to_detached(one)
    session.add(one)
    return one


def cached(session: Session, model: Any, number: int) -> Any:
    one = model(id=number)
    make_transient_to_detached(one)
    return session.merge(one, load=False)


def scoped(session: Session, model: Any, number: int) -> Any:
    return session.get_one(model, number)


HELD = (unscoped, detached, cached, scoped)


# What loads it anew.


def refresh(session: Session, one: Any) -> None:
    session.refresh(one)


def refresh_for_update(session: Session, one: Any) -> None:
    # PostgreSQL locks no row of an outer join.
    lock = {"of": type(one)} if session.get_bind().dialect.name == "postgresql" else {}
    session.refresh(one, with_for_update=lock or True)


def expire(session: Session, one: Any) -> None:
    session.expire(one)
    _ = one.name if isinstance(one, User) else one.title


def expire_relationships(session: Session, one: Any) -> None:
    session.expire(one, [relationship.key for relationship in inspection(type(one)).relationships])


def refresh_relationships(session: Session, one: Any) -> None:
    session.refresh(one, [relationship.key for relationship in inspection(type(one)).relationships])


def roll_back(session: Session, one: Any) -> None:
    session.rollback()
    session.add(one)


LOADS = (refresh, refresh_for_update, expire, expire_relationships, refresh_relationships, roll_back)
Held = Callable[[Session, Any, int], Any]
Load = Callable[[Session, Any], None]


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("held", HELD)
def test_what_is_loaded_beside_an_object_is_the_callers(held: Held, load: Load, library: Database) -> None:
    def look(session: Session) -> None:
        if session.get_bind().dialect.name == "postgresql" and load is refresh_for_update:
            session.execute(select(1))
        post = held(session, Post, 1)
        load(session, post)
        assert [ids(post.joined), ids(post.selected), ids(post.apart), ids(post.at_once)] == [[1]] * 4
        for number, own in ((1, [1]), (2, [])):
            user = held(session, User, number)
            load(session, user)
            if not (held is unscoped and load in (expire_relationships, refresh_relationships)):
                assert (user.letter_count, user.last_letter) == (len(own), max(own, default=None))
            assert (ids(user.letters), user.motto) == (own, "ab"[number - 1])

    with as_user("1"):
        library.run(look)


@pytest.mark.parametrize("caller", [None, "9"])
@pytest.mark.parametrize("load", LOADS)
def test_what_is_loaded_beside_an_object_is_nothing_for_others(
    load: Load, caller: str | None, library: Database
) -> None:
    def look(session: Session) -> None:
        user = detached(session, User, 2)
        load(session, user)
        assert (user.letter_count, user.last_letter, user.letters) == (0, None, [])

    with as_user(caller):
        library.run(look)


def test_an_object_of_the_next_caller_is_loaded_for_it(library: Database) -> None:
    def look(session: Session) -> None:
        for number in (1, 2, 1):
            with as_user(str(number)):
                user = session.get_one(User, number)
                session.refresh(user)
                assert all(letter.user_id == number for letter in user.letters)
                # Criteria of the first caller may have stayed with the object.
                session.expunge(user)

    library.run(look)


def test_an_expression_of_a_query_is_not_refreshed_from_foreign_rows(library: Database) -> None:
    def look(session: Session) -> None:
        beside = with_expression(User.remark, func.max(Letter.id))
        one = (
            session.scalars(
                select(User)
                .options(lazyload(User.letters), beside)
                .join(Letter, Letter.user_id == User.id)
                .group_by(User.id, Letter.id)
            )
            .unique()
            .one()
        )
        assert one.remark == 1
        session.refresh(one)
        assert one.remark is None
        within = with_expression(User.remark, select(func.max(Letter.id)).scalar_subquery())
        with mantlet.unscoped("a report"):
            statement = select(User).where(User.id == 1).options(within)
            one = session.scalars(statement.execution_options(populate_existing=True)).unique().one()
            assert one.remark == 4
        session.refresh(one)
        assert one.remark is None

    with as_user("1"):
        library.run(look)


# What a flush changes or deletes beside the objects that the app has changed.


def remove_orphan(session: Session) -> None:
    post = unscoped(session, Post, 1)
    post.joined.remove(next(one for one in post.joined if one.id == 2))


def clear_orphans(session: Session) -> None:
    parent = unscoped(session, Post, 1)
    parent.joined.clear()


def replace_orphans(session: Session) -> None:
    parent = unscoped(session, Post, 1)
    parent.joined = []


def remove_orphan_by_path(session: Session) -> None:
    """The reply is owned through its comment."""
    with mantlet.unscoped("a report"):
        post = session.get_one(Post, 1)
        reply = post.joined[1].replies[0]
    parent = session.get_one(Comment, 1)
    parent.replies.append(reply)
    session.flush()


def delete_below(session: Session) -> None:
    """Replies of a foreign comment that is no longer of the own post."""
    with mantlet.unscoped("a report"):
        post = session.get_one(Post, 1)
        assert ids(post.joined[1].replies) == [2]
    session.delete(post)


def take_child(session: Session) -> None:
    letter = unscoped(session, Letter, 2)
    parent = session.get_one(User, 1)
    parent.letters.append(letter)


def take_child_of_new(session: Session) -> None:
    letter = unscoped(session, Letter, 2)
    session.add(User(id=9, name="x", letters=[letter]))


def take_detached_child(session: Session) -> None:
    letter = detached(session, Letter, 2)
    parent = session.get_one(User, 1)
    parent.letters.append(letter)


def take_cached_child(session: Session) -> None:
    letter = cached(session, Letter, 2)
    parent = session.get_one(User, 1)
    parent.letters.append(letter)


def give_up_child(session: Session) -> None:
    """It has no owner then."""
    parent = unscoped(session, User, 2)
    parent.letters.clear()


def take_children_by_merge(session: Session) -> None:
    letter = unscoped(session, Letter, 2)
    session.merge(User(id=1, name="ann", letters=[Letter(id=1), Letter(id=letter.id)]))


def move_to_own_post(session: Session) -> None:
    comment = unscoped(session, Comment, 4)
    parent = session.get_one(Post, 1)
    parent.joined.append(comment)


WRITES = (
    remove_orphan, clear_orphans, replace_orphans, remove_orphan_by_path, delete_below, take_child,
    take_child_of_new, take_detached_child, take_cached_child, give_up_child, take_children_by_merge,
    move_to_own_post,
)  # fmt: skip


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
@pytest.mark.parametrize("write", WRITES)
def test_a_flush_does_not_write_foreign_rows_beside(write: Callable[[Session], None], blog: Database) -> None:
    def run(session: Session) -> None:
        write(session)
        session.commit()

    with as_user("1"):
        before = blog.run(everything)
        with pytest.raises(mantlet.NotScopable, match="unscoped"):
            blog.run(run)
        assert blog.run(everything) == before


def own_orphan(session: Session) -> None:
    parent = session.get_one(Post, 1)
    parent.joined.clear()


def own_orphan_of_an_orphan(session: Session) -> None:
    parent = session.get_one(Comment, 1)
    parent.replies.clear()


def own_child(session: Session) -> None:
    session.add(Letter(id=9, user_id=1))
    session.flush()
    user = session.get_one(User, 1)
    user.letters.append(session.get_one(Letter, 9))
    user.letters.append(Letter(id=11))


def own_child_moves(session: Session) -> None:
    session.add(Post(id=9, user_id=1, title="x", joined=[session.get_one(Comment, 1)]))


def own_merge(session: Session) -> None:
    post = session.get_one(Post, 1)
    assert session.merge(Post(id=1, user_id=1, title="x")) is post
    reply = session.get_one(Reply, 1)
    assert session.merge(Reply(id=1, comment_id=1)) is reply
    new = session.merge(Comment(id=9, post_id=1, user_id=1, replies=[Reply(id=9)]))
    assert ids(new.replies) == [9]


COMMENTS = ((1, 1, 1), (2, 1, 2), (4, 2, 2))
KEPT: list[tuple[Callable[[Session], None], int, Any]] = [
    (own_orphan, 2, COMMENTS[1:]),
    (own_orphan, 3, ((2, 2),)),
    (own_orphan_of_an_orphan, 3, ((2, 2),)),
    (own_child, 0, ((1, 1), (2, 2), (4, 2), (9, 1), (11, 1))),
    (own_child_moves, 2, ((1, 9, 1), *COMMENTS[1:])),
    (own_merge, 2, (*COMMENTS, (9, 1, 1))),
]


@pytest.mark.parametrize(("write", "table", "expected"), KEPT)
def test_a_flush_writes_own_rows_beside(
    write: Callable[[Session], None], table: int, expected: Any, blog: Database
) -> None:
    def run(session: Session) -> None:
        write(session)
        session.commit()

    with as_user("1"):
        blog.run(run)
        assert blog.run(everything)[table] == expected


def test_a_flush_that_fails_leaves_nothing_behind(blog: Database) -> None:
    def run(session: Session) -> None:
        session.get_one(Post, 1).title = "changed"
        session.add(Letter(id=9, user_id=2))
        with pytest.raises(mantlet.NotScopable):
            session.flush()
        session.rollback()
        session.expunge_all()
        clear_orphans(session)
        with pytest.raises(mantlet.NotScopable):
            session.flush()

    with as_user("1"):
        blog.run(run)


# What is in memory is not handed out by a merge.

MERGES: list[tuple[type, Callable[[Session], Any]]] = [
    (Post, lambda s: s.merge(Post(id=2))),
    (Post, lambda s: s.merge(Post(id=2, title="x"))),
    (Reply, lambda s: s.merge(Reply(id=2))),
    (Comment, lambda s: s.merge(Post(id=1, joined=[Comment(id=2)]))),
]


@pytest.mark.parametrize(("model", "merge"), MERGES)
def test_a_merge_does_not_hand_out_what_is_foreign(
    model: type, merge: Callable[[Session], Any], library: Database
) -> None:
    def run(session: Session) -> None:
        kept = unscoped(session, model, 2)
        with pytest.raises(mantlet.NotScopable):
            merge(session)
        assert session.get(model, 2) is None
        with mantlet.unscoped("test"):
            assert session.merge(model(id=2)) is kept

    with as_user("1"):
        library.run(run)


def test_bulk_methods_have_their_arguments_by_name(blog: Database) -> None:
    def refused(session: Session) -> None:
        letters: dict[str, Any] = {"mapper": inspection(Letter), "mappings": [{"id": 9, "user_id": 2}]}
        with pytest.raises(mantlet.NotScopable):
            session.bulk_save_objects(objects=[Letter(id=9, user_id=2)], return_defaults=True)
        with pytest.raises(mantlet.NotScopable):
            session.bulk_insert_mappings(**letters)
        with pytest.raises(mantlet.NotScopable):
            session.bulk_update_mappings(**letters)

    def run(session: Session) -> None:
        users: Any = inspection(User)
        session.bulk_save_objects(objects=(one for one in [User(id=8, name="x")]), return_defaults=True)
        session.bulk_insert_mappings(mapper=users, mappings=[{"id": 9, "name": "x"}])
        session.bulk_update_mappings(User, mappings=[{"id": 9, "name": "y"}])  # pyright: ignore
        assert session.get_one(User, 9).name == "y" and session.get(User, 8) is not None

    with as_user("1"):
        blog.run(refused)
        blog.run(run)
