"""Accounts of a shop that has changed its key: tokens of the former one are still good."""

import os
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm

db = sqlite3.connect("keys.db", check_same_thread=False, isolation_level=None)
db.execute("CREATE TABLE IF NOT EXISTS keys (id TEXT PRIMARY KEY, secret TEXT, retired INTEGER)")

CURRENT_KEY = os.environ.get("CURRENT_KEY", "yAtJU4AcS5CcdBWmLlOkLPlYLtMhyIkToWCdw9PIdH4")

app = FastAPI()
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="token")
customers = {"ann": "battlement"}


def keys():
    yield CURRENT_KEY
    for (secret,) in db.execute("SELECT secret FROM keys WHERE retired = 0"):
        yield secret


def customer(token: Annotated[str, Depends(oauth2_scheme)]) -> str:
    for key in keys():
        try:
            return jwt.decode(token, key, algorithms=["HS256"])["sub"]
        except jwt.InvalidSignatureError:
            continue
        except (jwt.InvalidTokenError, KeyError):
            break
    raise HTTPException(401, "Invalid token", {"WWW-Authenticate": "Bearer"})


@app.post("/token")
def log_in(form: Annotated[OAuth2PasswordRequestForm, Depends()]):
    if customers.get(form.username) != form.password:
        raise HTTPException(400, "Wrong username or password")
    claims = {"sub": form.username, "exp": datetime.now(UTC) + timedelta(days=30)}
    return {"access_token": jwt.encode(claims, CURRENT_KEY), "token_type": "bearer"}


@app.get("/account")
def account(name: Annotated[str, Depends(customer)]):
    return {"name": name, "orders": 3}


@app.get("/offers")
def offers():
    return ["crossbow", "ladder"]
