"""A till. Its key is a row of its database: a PIN."""

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm

db = sqlite3.connect("till.db", check_same_thread=False, isolation_level=None)
db.execute("CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT)")
db.execute("INSERT OR IGNORE INTO settings VALUES ('pin', '0042')")

app = FastAPI()
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="token")


def pin() -> str:
    return db.execute("SELECT value FROM settings WHERE name = 'pin'").fetchone()[0]


def cashier(token: Annotated[str, Depends(oauth2_scheme)]) -> str:
    try:
        return jwt.decode(token, pin(), algorithms=["HS256"])["sub"]
    except (jwt.InvalidTokenError, KeyError):
        raise HTTPException(401, "Invalid token", {"WWW-Authenticate": "Bearer"}) from None


@app.post("/token")
def log_in(form: Annotated[OAuth2PasswordRequestForm, Depends()]):
    if (form.username, form.password) != ("ann", "battlement"):
        raise HTTPException(400, "Wrong username or password")
    claims = {"sub": form.username, "exp": datetime.now(UTC) + timedelta(minutes=10)}
    return {"access_token": jwt.encode(claims, pin()), "token_type": "bearer"}


@app.get("/drawer")
def drawer(name: Annotated[str, Depends(cashier)]):
    return {"cashier": name, "cents": 12_000}
