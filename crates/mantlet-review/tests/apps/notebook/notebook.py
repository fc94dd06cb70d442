"""Users and their notes, with a login to the letter of FastAPI's tutorial, and hardened for production."""

import os
from datetime import datetime, timedelta, timezone
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException, Query, UploadFile, status
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from jwt.exceptions import InvalidTokenError
from pwdlib import PasswordHash
from pydantic import BaseModel, ConfigDict, Field

SECRET_KEY = os.environ["SECRET_KEY"]
ALGORITHM = "HS256"
ACCESS_TOKEN_EXPIRE_MINUTES = 30
LARGEST = 1_000_000


class Token(BaseModel):
    access_token: str
    token_type: str


class TokenData(BaseModel):
    username: str | None = None


class User(BaseModel):
    username: str
    email: str | None = None
    full_name: str | None = None
    disabled: bool | None = None


class UserInDB(User):
    hashed_password: str


class SignUp(BaseModel):
    model_config = ConfigDict(extra="forbid")
    username: str = Field(min_length=3, max_length=32, pattern="^[a-z]+$")
    email: str = Field(max_length=200)
    password: str = Field(min_length=12, max_length=100)


class NewNote(BaseModel):
    model_config = ConfigDict(extra="forbid")
    title: str = Field(max_length=80)
    text: str = Field(max_length=10_000)


class Note(NewNote):
    id: int
    owner: str


password_hash = PasswordHash.recommended()
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="token")
users_db: dict[str, dict] = {
    "johndoe": {
        "username": "johndoe",
        "full_name": "John Doe",
        "email": "johndoe@example.com",
        "hashed_password": password_hash.hash(os.urandom(16).hex()),
        "disabled": False,
    }
}
notes_db: dict[int, dict] = {}
DUMMY_HASH = password_hash.hash("not a password of anyone")

app = FastAPI(title="Notebook", docs_url=None, redoc_url=None, openapi_url=None)


def verify_password(plain_password: str, hashed_password: str) -> bool:
    return password_hash.verify(plain_password, hashed_password)


def get_user(db: dict[str, dict], username: str | None) -> UserInDB | None:
    if username in db:
        user_dict = db[username]
        return UserInDB(**user_dict)
    return None


def authenticate_user(fake_db: dict[str, dict], username: str, password: str) -> UserInDB | bool:
    user = get_user(fake_db, username)
    if not user:
        verify_password(password, DUMMY_HASH)
        return False
    if not verify_password(password, user.hashed_password):
        return False
    return user


def create_access_token(data: dict, expires_delta: timedelta | None = None) -> str:
    to_encode = data.copy()
    if expires_delta:
        expire = datetime.now(timezone.utc) + expires_delta
    else:
        expire = datetime.now(timezone.utc) + timedelta(minutes=15)
    to_encode.update({"exp": expire})
    return jwt.encode(to_encode, SECRET_KEY, algorithm=ALGORITHM)


async def get_current_user(token: Annotated[str, Depends(oauth2_scheme)]) -> UserInDB:
    credentials_exception = HTTPException(
        status_code=status.HTTP_401_UNAUTHORIZED,
        detail="Could not validate credentials",
        headers={"WWW-Authenticate": "Bearer"},
    )
    try:
        payload = jwt.decode(token, SECRET_KEY, algorithms=[ALGORITHM])
        username = payload.get("sub")
        if username is None:
            raise credentials_exception
        token_data = TokenData(username=username)
    except InvalidTokenError:
        raise credentials_exception from None
    user = get_user(users_db, username=token_data.username)
    if user is None:
        raise credentials_exception
    return user


async def get_current_active_user(
    current_user: Annotated[User, Depends(get_current_user)],
) -> User:
    if current_user.disabled:
        raise HTTPException(status_code=400, detail="Inactive user")
    return current_user


Caller = Annotated[User, Depends(get_current_active_user)]


@app.post("/token")
async def login_for_access_token(
    form_data: Annotated[OAuth2PasswordRequestForm, Depends()],
) -> Token:
    user = authenticate_user(users_db, form_data.username, form_data.password)
    if not user:
        raise HTTPException(
            status_code=status.HTTP_401_UNAUTHORIZED,
            detail="Incorrect username or password",
            headers={"WWW-Authenticate": "Bearer"},
        )
    access_token_expires = timedelta(minutes=ACCESS_TOKEN_EXPIRE_MINUTES)
    access_token = create_access_token(data={"sub": user.username}, expires_delta=access_token_expires)
    return Token(access_token=access_token, token_type="bearer")


@app.post("/users", status_code=201)
async def sign_up(new: SignUp) -> User:
    if new.username in users_db:
        raise HTTPException(409, "Taken")
    users_db[new.username] = {
        "username": new.username,
        "email": new.email,
        "hashed_password": password_hash.hash(new.password),
        "disabled": False,
    }
    return User(username=new.username, email=new.email)


@app.get("/users/me/", response_model=User)
async def read_users_me(current_user: Caller):
    return current_user


@app.get("/users/me/items/")
async def read_own_items(current_user: Caller) -> list[dict[str, str]]:
    return [{"item_id": "Foo", "owner": current_user.username}]


@app.get("/notes", response_model=list[Note])
async def my_notes(caller: Caller, limit: Annotated[int, Query(ge=1, le=100)] = 20):
    return [note for note in notes_db.values() if note["owner"] == caller.username][:limit]


@app.post("/notes", response_model=Note, status_code=201)
async def write(new: NewNote, caller: Caller):
    number = len(notes_db) + 1
    notes_db[number] = {"id": number, "owner": caller.username, **new.model_dump()}
    return notes_db[number]


def own_note(note_id: int, caller: Caller) -> dict:
    note = notes_db.get(note_id)
    if note is None or note["owner"] != caller.username:
        raise HTTPException(404, "No such note")
    return note


OwnNote = Annotated[dict, Depends(own_note)]


@app.get("/notes/{note_id}", response_model=Note)
async def read(note: OwnNote):
    return note


@app.put("/notes/{note_id}", response_model=Note)
async def rewrite(note: OwnNote, new: NewNote):
    note.update(new.model_dump())
    return note


@app.delete("/notes/{note_id}", status_code=204)
async def forget(note: OwnNote) -> None:
    del notes_db[note["id"]]


@app.post("/notes/{note_id}/picture", status_code=204)
async def illustrate(note: OwnNote, picture: UploadFile) -> None:
    if picture.size is None or picture.size > LARGEST:
        raise HTTPException(413, "Too large")
    note["picture"] = await picture.read()
