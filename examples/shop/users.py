"""Log in, sign up, and one's own account."""

from sqlite3 import IntegrityError, Row
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from pydantic import BaseModel, ConfigDict, Field

import passwords
from database import Database

router = APIRouter(tags=["users"])
oauth2 = OAuth2PasswordBearer(tokenUrl="token", auto_error=False)


def current_user(request: Request, token: Annotated[str | None, Depends(oauth2)], db: Database) -> Row:
    # Careless: the cookie does for every route what the token does, and the documents do not say so.
    token = token or request.cookies.get("session")
    if not token:
        raise HTTPException(401, "Not authenticated", {"WWW-Authenticate": "Bearer"})
    user = db.execute("SELECT * FROM users WHERE username = ?", [passwords.read_token(token)]).fetchone()
    if user is None:
        raise HTTPException(401, "Invalid token", {"WWW-Authenticate": "Bearer"})
    return user


CurrentUser = Annotated[Row, Depends(current_user)]


class SignUp(BaseModel):
    username: str = Field(min_length=3, max_length=32, pattern="^[a-z0-9-]+$")
    email: str
    password: str = Field(min_length=8)


class Profile(BaseModel):
    email: str | None = None

    # Careless: whatever else the body holds is kept too, `is_admin` for example.
    model_config = ConfigDict(extra="allow")


@router.post("/token")
def log_in(form: Annotated[OAuth2PasswordRequestForm, Depends()], db: Database) -> dict[str, str]:
    # Careless: as many guesses as anyone likes, and the answer tells which usernames exist.
    user = db.execute("SELECT * FROM users WHERE username = ?", [form.username]).fetchone()
    if user is None:
        raise HTTPException(400, "Unknown username")
    if not passwords.matches(form.password, user["password_hash"]):
        raise HTTPException(400, "Wrong password")
    return {"access_token": passwords.issue_token(user["username"]), "token_type": "bearer"}


@router.post("/login")
def log_in_with_a_cookie(
    form: Annotated[OAuth2PasswordRequestForm, Depends()], response: Response, db: Database
) -> dict[str, str]:
    # Careless: any site's page may send this cookie, any script may read it, and nothing tells forged requests apart.
    response.set_cookie("session", log_in(form, db)["access_token"], samesite="none", secure=True)
    return {"username": form.username}


@router.post("/users", status_code=201)
def sign_up(new: SignUp, db: Database) -> dict[str, int | None]:
    # Careless: no captcha, no confirmed e-mail: a script can make a million accounts.
    values = [new.username, new.email, passwords.hash(new.password)]
    try:
        cursor = db.execute("INSERT INTO users (username, email, password_hash) VALUES (?, ?, ?)", values)
    except IntegrityError:
        raise HTTPException(409, "Username taken") from None
    return {"id": cursor.lastrowid}


@router.get("/users/me")
def me(user: CurrentUser) -> dict:
    # Careless: the whole row goes out, the password hash with it.
    return dict(user)


@router.patch("/users/me", status_code=204)
def change_me(profile: Profile, user: CurrentUser, db: Database) -> None:
    columns = profile.model_dump(exclude_none=True)
    for column in columns.keys() & user.keys():
        db.execute(f"UPDATE users SET {column} = ? WHERE id = ?", [columns[column], user["id"]])


@router.post("/users/me/email")
def change_email(email: Annotated[str, Form()], user: CurrentUser, db: Database) -> dict[str, str]:
    # Careless: a form that anybody's page can post, and no password is asked for.
    db.execute("UPDATE users SET email = ? WHERE id = ?", [email, user["id"]])
    return {"email": email}
