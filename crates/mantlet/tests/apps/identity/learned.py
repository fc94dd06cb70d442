"""Notes that belong to their owner, and boards that have one and are for all. Neither is checked.
Some pages have no owner, and there are no drafts. A ticket is for whom it is assigned to."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from jwt.exceptions import InvalidTokenError
from sqlmodel import Field, Session, SQLModel, StaticPool, create_engine, select

SECRET_KEY = "the-stone-of-the-well-knows-every-word"


class User(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    hashed_password: str
    is_superuser: bool = False


class UserPublic(SQLModel):
    id: int
    name: str
    is_superuser: bool


class Note(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    text: str
    owner_id: int = Field(foreign_key="user.id")


class Board(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    title: str
    owner_id: int = Field(foreign_key="user.id")


class Page(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    owner_id: int | None = Field(foreign_key="user.id")


class Draft(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    owner_id: int = Field(foreign_key="user.id")


class Ticket(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    assignee_id: int = Field(foreign_key="user.id")


engine = create_engine("sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool)
SQLModel.metadata.create_all(engine)
with Session(engine) as seeding:
    for number in range(1, 10):
        seeding.add(User(id=number, name=f"u{number}", hashed_password="x"))
        seeding.add(Note(id=number, text=f"word of {number}", owner_id=number))
        seeding.add(Ticket(id=number, assignee_id=number))
        seeding.add(Page(id=number, owner_id=number if number < 5 else None))
        seeding.add(Board(id=number, title=f"board of {number}", owner_id=number))
    seeding.commit()

app = FastAPI()
scheme = OAuth2PasswordBearer(tokenUrl="token")


def get_session():
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]


def get_current_user(session: SessionDep, token: Annotated[str, Depends(scheme)]) -> User:
    try:
        name = jwt.decode(token, SECRET_KEY, algorithms=["HS256"])["sub"]
    except InvalidTokenError:
        raise HTTPException(401, "Invalid token", {"WWW-Authenticate": "Bearer"}) from None
    user = session.exec(select(User).where(User.name == name)).first()
    if user is None:
        raise HTTPException(401, "Invalid token", {"WWW-Authenticate": "Bearer"})
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]


@app.post("/token")
def log_in(form: Annotated[OAuth2PasswordRequestForm, Depends()], session: SessionDep) -> dict[str, str]:
    if session.exec(select(User).where(User.name == form.username)).first() is None:
        raise HTTPException(400, "Incorrect username or password")
    claims = {"sub": form.username, "exp": datetime.now(UTC) + timedelta(hours=1)}
    return {"access_token": jwt.encode(claims, SECRET_KEY, "HS256"), "token_type": "bearer"}


@app.get("/users/me", response_model=UserPublic)
def read_me(user: CurrentUser) -> User:
    return user


@app.get("/notes/{id}", response_model=Note)
def read_note(id: int, user: CurrentUser, session: SessionDep) -> Note:
    note = session.get(Note, id)
    if note is None:
        raise HTTPException(404, "Note not found")
    return note


@app.get("/boards/{id}", response_model=Board)
def read_board(id: int, user: CurrentUser, session: SessionDep) -> Board:
    board = session.get(Board, id)
    if board is None:
        raise HTTPException(404, "Board not found")
    return board


@app.patch("/notes/{id}", response_model=Note)
def change_note(id: int, user: CurrentUser, session: SessionDep) -> Note:
    return read_note(id, user, session)


@app.delete("/notes/{id}")
def delete_note(id: int, user: CurrentUser, session: SessionDep) -> dict[str, bool]:
    return {"ok": read_note(id, user, session) is not None}


@app.get("/pages/{id}", response_model=Page)
def read_page(id: int, user: CurrentUser, session: SessionDep) -> Page:
    page = session.get(Page, id)
    if page is None:
        raise HTTPException(404, "Page not found")
    return page


@app.get("/tickets/{id}", response_model=Ticket)
def read_ticket(id: int, user: CurrentUser, session: SessionDep) -> Ticket:
    ticket = session.get(Ticket, id)
    if ticket is None:
        raise HTTPException(404, "Ticket not found")
    return ticket


@app.get("/drafts", response_model=list[Draft])
def list_drafts(user: CurrentUser, session: SessionDep) -> list[Draft]:
    return list(session.exec(select(Draft).where(Draft.owner_id == user.id)).all())


@app.get("/users/{user_id}/settings", response_model=UserPublic)
def read_settings(user_id: int, user: CurrentUser) -> User:
    if user.id != user_id:
        raise HTTPException(403, "Not yours")
    return user
