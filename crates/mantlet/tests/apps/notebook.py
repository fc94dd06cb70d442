"""Notes that any user reads, changes and deletes, for the tests of `mantlet check`."""

from collections.abc import Iterator
from typing import Annotated, Optional

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer
from sqlmodel import Field, Session, SQLModel, create_engine, select

engine = create_engine("sqlite://")
app = FastAPI(title="Notebook")
bearer = OAuth2PasswordBearer(tokenUrl="/token")


class User(SQLModel, table=True):
    id: Optional[int] = Field(default=None, primary_key=True)
    email: str = Field(max_length=200)
    token: str = Field(max_length=64)


class Folder(SQLModel, table=True):
    id: Optional[int] = Field(default=None, primary_key=True)
    owner_id: int = Field(foreign_key="user.id")
    name: str = Field(max_length=80)


class Note(SQLModel, table=True):
    id: Optional[int] = Field(default=None, primary_key=True)
    owner_id: int = Field(foreign_key="user.id")
    text: str = Field(max_length=2000)


class UserOut(SQLModel):
    id: int
    email: str


class FolderOut(SQLModel):
    id: int
    owner_id: int
    name: str


class NoteOut(SQLModel):
    id: int
    owner_id: int
    text: str


class NoteIn(SQLModel):
    text: str = Field(max_length=2000)


def session() -> Iterator[Session]:
    with Session(engine) as opened:
        yield opened


Opened = Annotated[Session, Depends(session)]


def current_user(opened: Opened, token: Annotated[str, Depends(bearer)]) -> User:
    user = opened.exec(select(User).where(User.token == token)).first()
    if user is None:
        raise HTTPException(401)
    return user


Caller = Annotated[User, Depends(current_user)]


@app.get("/me", response_model=UserOut)
def me(user: Caller) -> User:
    return user


@app.get("/folders/{folder_id}", response_model=FolderOut)
def folder(folder_id: int, opened: Opened, user: Caller) -> Folder:
    found = opened.get(Folder, folder_id)
    if found is None:
        raise HTTPException(404)
    return found


@app.post("/notes", response_model=NoteOut)
def write(data: NoteIn, opened: Opened, user: Caller) -> Note:
    note = Note(owner_id=user.id, text=data.text)
    opened.add(note)
    opened.commit()
    return note


@app.get("/notes/{note_id}", response_model=NoteOut)
def note(note_id: int, opened: Opened, user: Caller) -> Note:
    found = opened.get(Note, note_id)
    if found is None:
        raise HTTPException(404)
    return found


@app.put("/notes/{note_id}", response_model=NoteOut)
def change(note_id: int, data: NoteIn, opened: Opened, user: Caller) -> Note:
    found = opened.get(Note, note_id)
    if found is None:
        raise HTTPException(404)
    found.text = data.text
    opened.add(found)
    opened.commit()
    return found


@app.delete("/notes/{note_id}")
def remove(note_id: int, opened: Opened, user: Caller) -> None:
    found = opened.get(Note, note_id)
    if found is None:
        raise HTTPException(404)
    opened.delete(found)
    opened.commit()
