"""Tasks. Tokens are random texts in a table; logging out deletes the row."""

import hashlib
import secrets
import sqlite3
import time
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

db = sqlite3.connect("tasks.db", check_same_thread=False, isolation_level=None)
db.executescript(
    """
    CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY, password TEXT);
    CREATE TABLE IF NOT EXISTS tokens (digest TEXT PRIMARY KEY, user TEXT, expires REAL);
    CREATE TABLE IF NOT EXISTS tasks (id INTEGER PRIMARY KEY, owner TEXT, title TEXT);
    """
)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


for name, password in (("ann", "battlement"), ("bob", "drawbridge")):
    db.execute("INSERT OR IGNORE INTO users VALUES (?, ?)", (name, sha256(password)))

app = FastAPI(title="Tasks")
bearer = HTTPBearer()


class Credentials(BaseModel):
    username: str
    password: str


class PasswordChange(BaseModel):
    old_password: str
    new_password: str


class Task(BaseModel):
    title: str


class Session(BaseModel):
    token: str
    expires_in: int


def session_of(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]):
    row = db.execute(
        "SELECT user, digest FROM tokens WHERE digest = ? AND expires > ?",
        (sha256(credentials.credentials), time.time()),
    ).fetchone()
    if row is None:
        raise HTTPException(401, "Unknown or expired token")
    return row


CurrentSession = Annotated[tuple[str, str], Depends(session_of)]


@app.post("/sessions", status_code=201)
def log_in(credentials: Credentials) -> Session:
    row = db.execute(
        "SELECT name FROM users WHERE name = ? AND password = ?",
        (credentials.username, sha256(credentials.password)),
    ).fetchone()
    if row is None:
        raise HTTPException(401, "Wrong username or password")
    token = secrets.token_urlsafe(24)
    db.execute("INSERT INTO tokens VALUES (?, ?, ?)", (sha256(token), row[0], time.time() + 86400))
    return Session(token=token, expires_in=86400)


@app.delete("/sessions/current", status_code=204)
def log_out(session: CurrentSession):
    db.execute("DELETE FROM tokens WHERE digest = ?", (session[1],))
    return Response(status_code=204)


@app.put("/password", status_code=204)
def change_password(change: PasswordChange, session: CurrentSession):
    changed = db.execute(
        "UPDATE users SET password = ? WHERE name = ? AND password = ?",
        (sha256(change.new_password), session[0], sha256(change.old_password)),
    )
    if not changed.rowcount:
        raise HTTPException(403, "Wrong password")
    return Response(status_code=204)


@app.get("/tasks")
def tasks(session: CurrentSession):
    rows = db.execute("SELECT id, title FROM tasks WHERE owner = ?", (session[0],))
    return [{"id": number, "title": title} for number, title in rows]


@app.post("/tasks", status_code=201)
def add(task: Task, session: CurrentSession):
    row = db.execute("INSERT INTO tasks (owner, title) VALUES (?, ?)", (session[0], task.title))
    return {"id": row.lastrowid, "title": task.title}


@app.get("/about")
def about():
    return {"tasks": db.execute("SELECT count(*) FROM tasks").fetchone()[0]}
