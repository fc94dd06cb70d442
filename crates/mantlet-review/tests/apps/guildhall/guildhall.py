"""A sound app: roles that are asked for in many ways, logins that are optional, pages for everyone."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Iterator
from typing import Annotated, Any, Callable, Optional

import jwt
from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.responses import JSONResponse
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel, Field
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

KEY = os.environ["SECRET_KEY"]
DEFAULT = ["master"]
MASTERS = {"master", "warden"}
RIGHTS = {"master": {"read", "write"}, "guest": {"read"}}
BREACHED = {"00000", "fffff"}
RANKS = {"master": 3, "guest": 1}
app = FastAPI()
engine = create_engine("sqlite://")
scheme = OAuth2PasswordBearer("token")
optional_scheme = OAuth2PasswordBearer("token", auto_error=False)


class Base(DeclarativeBase):
    """Tables."""


class Member(Base):
    __tablename__ = "members"

    id: Mapped[int] = mapped_column(primary_key=True)
    guild_id: Mapped[int]
    role: Mapped[str]
    words: Mapped[str]
    hashed_password: Mapped[str]

    @property
    def scopes(self) -> list[str]:
        return self.words.split()


class Essay(Base):
    __tablename__ = "essays"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str]
    text: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("members.id"))


class Note(BaseModel):
    text: str = Field(max_length=2000)


class Shown(BaseModel):
    slug: str
    text: str


def get_session() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


Db = Annotated[Session, Depends(get_session)]


def found(session: Session, token: str) -> Member:
    try:
        claims = jwt.decode(token, KEY, algorithms=["HS256"])
    except jwt.PyJWTError:
        raise HTTPException(401) from None
    member = session.get(Member, int(claims["sub"]))
    if member is None:
        raise HTTPException(401)
    return member


def current(session: Db, token: Annotated[str, Depends(scheme)]) -> Member:
    return found(session, token)


def perhaps(session: Db, token: Annotated[Optional[str], Depends(optional_scheme)]) -> Optional[Member]:
    if token is None:
        return None
    return found(session, token)


Me = Annotated[Member, Depends(current)]
Perhaps = Annotated[Optional[Member], Depends(perhaps)]


def deny() -> None:
    raise HTTPException(403)


# Roles


class Roles:
    def __init__(self, *roles: str, made_by: Callable[[Any], Any] = set) -> None:
        self.roles = made_by(roles)

    def __call__(self, me: Me) -> Member:
        if me.role not in self.roles:
            raise HTTPException(403)
        return me


class OrDefault:
    def __init__(self, roles: Optional[list[str]] = None) -> None:
        self.roles = roles or DEFAULT

    def __call__(self, me: Me) -> None:
        if me.role not in self.roles:
            raise HTTPException(403)


@dataclasses.dataclass(frozen=True)
class Data:
    roles: frozenset[str] = frozenset({"master"})

    def __call__(self, me: Me) -> None:
        if me.role not in self.roles:
            raise HTTPException(403)


class Property(Roles):
    @property
    def allowed(self) -> set[str]:
        return set(self.roles) | {"warden"}

    def __call__(self, me: Me) -> Member:
        if me.role not in self.allowed:
            raise HTTPException(403)
        return me


class Shared(Roles):
    def __call__(self, me: Me) -> Member:
        if not set(me.scopes) & self.roles:
            raise HTTPException(403)
        return me


class Subset(Roles):
    def __call__(self, me: Me) -> Member:
        if not self.roles.issubset(me.scopes):
            raise HTTPException(403)
        return me


class Disjoint(Roles):
    def __call__(self, me: Me) -> Member:
        words = {word.lower() for word in me.scopes}
        if words.isdisjoint(self.roles):
            raise HTTPException(403)
        return me


class Some(Roles):
    def __call__(self, me: Me) -> Member:
        if not any(word in self.roles for word in me.scopes):
            raise HTTPException(403)
        return me


class Every(Roles):
    def __call__(self, me: Me) -> Member:
        if not all(role in me.scopes for role in self.roles):
            raise HTTPException(403)
        return me


class Lacking(Roles):
    def __call__(self, me: Me) -> Member:
        lacking = [role for role in self.roles if role not in me.scopes]
        if lacking:
            raise HTTPException(403)
        return me


class Variable(Roles):
    def __call__(self, me: Me) -> Member:
        is_allowed = me.role in self.roles
        if not is_allowed:
            raise HTTPException(403)
        return me


class Early(Roles):
    def __call__(self, me: Me) -> Member:
        if me.role in self.roles:
            return me
        raise HTTPException(403)


class Looped(Roles):
    def __call__(self, me: Me) -> Member:
        for word in me.scopes:
            if word in self.roles:
                return me
        raise HTTPException(403)


class Denied(Roles):
    def __call__(self, me: Me) -> Member:
        if getattr(me, "role", None) not in self.roles:
            deny()
        return me


class Matched:
    roles = ["master"]

    def __call__(self, me: Me) -> Member:
        role = me.role
        if role not in self.roles:
            raise HTTPException(403)
        return me


def by_right(right: str) -> Callable[[Me], None]:
    def asked(me: Me) -> None:
        if right not in RIGHTS.get(me.role, set()):
            raise HTTPException(403)

    return asked


def by_rank(rank: str) -> Callable[[Me], None]:
    least = RANKS[rank]

    def asked(me: Me) -> None:
        if RANKS[me.role] < least:
            raise HTTPException(403)

    return asked


def by_name(*roles: str) -> Callable[[Me], None]:
    allowed = set(roles)

    def asked(me: Me) -> None:
        if me.role not in allowed:
            raise HTTPException(403)

    return asked


def known(me: Me) -> None:
    if me.role not in MASTERS:
        raise HTTPException(403)


def lowered(roles: tuple[str, ...]) -> list[str]:
    return [role.lower() for role in roles]


ASKED = {
    "set": Roles("master"),
    "frozenset": Roles("master", made_by=frozenset),
    "list": Roles("master", made_by=list),
    "tuple": Roles("master", made_by=tuple),
    "sorted": Roles("master", made_by=sorted),
    "comprehension": Roles("master", made_by=lowered),
    "keys": Roles("master", made_by=dict.fromkeys),
    "or-default": OrDefault(),
    "dataclass": Data(),
    "property": Property("master"),
    "shared": Shared("master"),
    "subset": Subset("master"),
    "disjoint": Disjoint("master"),
    "some": Some("master"),
    "every": Every("master"),
    "lacking": Lacking("master"),
    "variable": Variable("master"),
    "early": Early("master"),
    "looped": Looped("master"),
    "denied": Denied("master"),
    "matched": Matched(),
    "right": by_right("write"),
    "rank": by_rank("master"),
    "name": by_name("master"),
    "known": known,
}


def set_role(session: Db, member_id: int, role: Annotated[str, Query(max_length=20)]) -> dict[str, int]:
    member = session.get(Member, member_id)
    if member is None:
        raise HTTPException(404)
    member.role = role
    session.commit()
    return {"id": member.id}


for name, asked in ASKED.items():
    app.add_api_route(
        f"/{name}/{{member_id}}/role", set_role, methods=["PATCH"], dependencies=[Depends(asked)], name=name
    )


@app.patch("/answered/{member_id}/role", response_model=None)
def answered(session: Db, me: Me, member_id: int, role: Annotated[str, Query(max_length=20)]) -> Any:
    if me.role not in MASTERS:
        return JSONResponse({"detail": "not allowed"}, status_code=403)
    return set_role(session, member_id, role)


# Essays: anyone reads them, their authors change them


def essay(session: Db, slug: str) -> Essay:
    one = session.scalar(select(Essay).where(Essay.slug == slug))
    if one is None:
        raise HTTPException(404)
    return one


One = Annotated[Essay, Depends(essay)]


@app.get("/essays/{slug}")
def read_essay(one: One) -> Shown:
    return Shown(slug=one.slug, text=one.text)


@app.get("/mine")
def mine(session: Db, me: Me) -> list[Shown]:
    rows = session.scalars(select(Essay).where(Essay.author_id == me.id).limit(50))
    return [Shown(slug=row.slug, text=row.text) for row in rows]


@app.post("/essays")
def write_essay(session: Db, me: Me, note: Note) -> Shown:
    slug = re.sub(r"\W+", "-", note.text[:40])
    session.add(Essay(slug=slug, text=note.text, author_id=me.id))
    session.commit()
    return Shown(slug=slug, text=note.text)


@app.put("/essays/{slug}")
def change_essay(session: Db, me: Me, one: One, note: Note) -> Shown:
    if one.author_id != me.id and me.role not in MASTERS:
        raise HTTPException(403)
    one.text = note.text
    session.commit()
    return Shown(slug=one.slug, text=one.text)


@app.delete("/essays/{slug}", status_code=204)
def remove_essay(session: Db, me: Me, one: One) -> None:
    if one.author_id == me.id:
        session.delete(one)
        session.commit()
        return
    if me.role in MASTERS:
        session.delete(one)
        session.commit()
        return
    raise HTTPException(403)


@app.get("/latest")
def latest(session: Db) -> list[Shown]:
    return [Shown(slug=row.slug, text=row.text) for row in session.scalars(select(Essay).limit(50))]


@app.get("/picked")
def picked(session: Db, me: Perhaps) -> list[Shown]:
    query = select(Essay).limit(50)
    if me is not None:
        query = query.where(Essay.author_id != me.id)
    return [Shown(slug=row.slug, text=row.text) for row in session.scalars(query)]


# Members of a guild: those who lead it add and remove them, and each may leave


def colleague(session: Db, me: Me, member_id: int) -> Member:
    member = session.get(Member, member_id)
    if member is None or member.guild_id != me.guild_id:
        raise HTTPException(404)
    return member


Colleague = Annotated[Member, Depends(colleague)]


@app.patch("/members/{member_id}/role", dependencies=[Depends(known)])
def promote(session: Db, member: Colleague, role: Annotated[str, Query(max_length=20)]) -> dict[str, int]:
    member.role = role
    session.commit()
    return {"id": member.id}


@app.delete("/members/{member_id}", status_code=204)
def leave(session: Db, me: Me, member: Colleague) -> None:
    if member.id != me.id and me.role not in MASTERS:
        raise HTTPException(403)
    session.delete(member)
    session.commit()


@app.delete("/members/me", status_code=204)
def leave_myself(session: Db, me: Me) -> None:
    session.delete(me)
    session.commit()


# What a client has sent wrongly is told to it; a hash of a password is only looked up


@app.post("/imported")
def imported(me: Me, sent: Note) -> Note:
    try:
        rows = json.loads(sent.text)
    except Exception as error:
        raise HTTPException(400, f"not JSON: {error}") from None
    try:
        return Note(text=rows)
    except Exception as error:
        raise HTTPException(422, f"not a note: {error}") from None


class Candidate(BaseModel):
    password: str = Field(min_length=12, max_length=100)


@app.post("/breached")
def breached(me: Me, candidate: Candidate) -> bool:
    prefix = hashlib.sha1(candidate.password.encode(), usedforsecurity=False).hexdigest()[:5]
    return prefix in BREACHED


@app.get("/healthz", include_in_schema=False)
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/readyz", include_in_schema=False)
def readyz(session: Db) -> dict[str, str]:
    session.scalar(select(Essay.id).limit(1))
    return {"status": "ok"}
