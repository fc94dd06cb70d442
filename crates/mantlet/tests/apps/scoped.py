"""Notes of users in PostgreSQL. No handler looks whose a note is: `mantlet.scope` does."""

import os
from typing import Annotated, Any

import jwt
import mantlet
from fastapi import BackgroundTasks, Depends, FastAPI, Form, HTTPException
from fastapi.security import OAuth2PasswordBearer
from sqlalchemy import ForeignKey, create_engine, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

SECRET_KEY = "a-moat-is-filled-before-the-siege-begins"
URL = os.environ["DATABASE_URL"]
RLS = "ROW_SECURITY" in os.environ

# One connection for all callers.
engine = create_engine(f"postgresql+psycopg://{URL}", pool_size=1, max_overflow=0)
SessionLocal = sessionmaker(engine)
async_engine = create_async_engine(f"postgresql+asyncpg://{URL}", pool_size=1, max_overflow=0)
AsyncSessionLocal = async_sessionmaker(async_engine, expire_on_commit=False)

app = FastAPI()
asked_later: list[str | None] = []


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[str] = mapped_column(primary_key=True)


class Note(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    text: Mapped[str]


mantlet.scope(SessionLocal, user=User, app=app, rls=RLS)
mantlet.scope(AsyncSessionLocal, user=User, rls=RLS)


def get_db() -> Any:
    with SessionLocal() as session:
        yield session


async def get_async_db() -> Any:
    async with AsyncSessionLocal() as session:
        yield session


DB = Annotated[Session, Depends(get_db)]
AsyncDB = Annotated[AsyncSession, Depends(get_async_db)]
Token = Annotated[str, Depends(OAuth2PasswordBearer("login"))]


def current_user(token: Token) -> str:
    try:
        return jwt.decode(token, SECRET_KEY, algorithms=["HS256"])["sub"]
    except jwt.InvalidTokenError:
        raise HTTPException(401, "Could not validate credentials") from None


@app.post("/login")
def login(username: Annotated[str, Form()], password: Annotated[str, Form()], db: DB) -> dict[str, str]:
    if db.get(User, username) is None or password != "drawbridge":
        raise HTTPException(401, "Incorrect username or password")
    token = jwt.encode({"sub": username, "role": f"role of {username}"}, SECRET_KEY, algorithm="HS256")
    return {"access_token": token, "token_type": "bearer"}


@app.get("/users/me")
def me(user: Annotated[str, Depends(current_user)]) -> str:
    return user


@app.get("/notes")
def notes(db: DB) -> list[str]:
    return list(db.scalars(select(Note.text).order_by(Note.id)))


@app.get("/async/notes")
async def async_notes(db: AsyncDB) -> list[str]:
    return list(await db.scalars(select(Note.text).order_by(Note.id)))


@app.get("/notes/{number}")
def note(number: int, db: DB) -> str:
    found = db.get(Note, number)
    if found is None:
        raise HTTPException(404)
    return found.text


@app.post("/notes")
def write(number: int, author: str, db: DB) -> int:
    db.add(Note(id=number, author_id=author, text=f"new {number}"))
    db.commit()
    return number


@app.get("/commits")
def commits(db: DB) -> list[int]:
    """In one request: before a COMMIT, after it, and after a ROLLBACK."""
    counted = []
    for end in (db.commit, db.rollback, db.commit):
        counted.append(db.scalar(select(func.count(Note.id))) or 0)
        end()
    return counted


@app.get("/async/commits")
async def async_commits(db: AsyncDB) -> list[int]:
    counted = []
    for end in (db.commit, db.rollback, db.commit):
        counted.append(await db.scalar(select(func.count(Note.id))) or 0)
        await end()
    return counted


@app.get("/text")
def as_text(db: DB) -> int:
    return db.scalar(text("SELECT count(*) FROM notes")) or 0


@app.get("/all")
def for_a_reason(db: DB) -> int:
    with mantlet.unscoped("a count for the front page"):
        return db.scalar(text("SELECT count(*) FROM notes")) or 0


@app.get("/engine")
def past_the_session() -> int:
    with engine.connect() as connection:
        return connection.scalar(text("SELECT count(*) FROM notes")) or 0


@app.get("/caller")
async def caller(principal: Annotated[mantlet.Principal, Depends(mantlet.principal)]) -> dict[str, Any]:
    return {"iss": principal.issuer, "sub": principal.subject, **principal.attributes}


@app.get("/later")
def later(tasks: BackgroundTasks) -> list[str | None]:
    def ask() -> None:
        known = mantlet.current_principal()
        asked_later.append(known and known.subject)

    tasks.add_task(ask)
    return asked_later
