"""Hands out tokens in unusual ways: under short names and in a list, and in an address."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, Form, HTTPException
from fastapi.responses import RedirectResponse
from fastapi.security import OAuth2PasswordBearer
from jwt.exceptions import InvalidTokenError

SECRET_KEY = "portcullis-and-drawbridge-are-both-down"
PASSWORDS = {"ann": "battlement"}

app = FastAPI()
scheme = OAuth2PasswordBearer(tokenUrl="login")
made = 0


def token_of(name: str) -> str:
    global made
    made += 1
    claims = {"sub": name, "jti": str(made), "exp": datetime.now(UTC) + timedelta(hours=1)}
    return jwt.encode(claims, SECRET_KEY, "HS256")


def caller(token: Annotated[str, Depends(scheme)]) -> str:
    try:
        return jwt.decode(token, SECRET_KEY, algorithms=["HS256"])["sub"]
    except InvalidTokenError:
        raise HTTPException(401, "Invalid token", {"WWW-Authenticate": "Bearer"}) from None


@app.post("/login")
def log_in(username: Annotated[str, Form()], password: Annotated[str, Form()]) -> dict[str, Any]:
    if PASSWORDS.get(username) != password:
        raise HTTPException(400, "Incorrect username or password")
    return {"data": [{"user": username, "access": token_of(username)}], "ticket": token_of(username)}


@app.get("/auth/partner/callback")
def come_back(code: str) -> RedirectResponse:
    if code != "of-the-partner":
        raise HTTPException(400, "Unknown code")
    return RedirectResponse(f"/app#access_token={token_of('bob')}&expires_in=3600", 303)


@app.post("/logout", status_code=204)
def log_out(name: Annotated[str, Depends(caller)]) -> None:
    """The client forgets its token."""


@app.get("/open")
def open_page(to: str) -> RedirectResponse:
    return RedirectResponse(f"/page?to={to}", 307)


@app.get("/me")
def me(name: Annotated[str, Depends(caller)]) -> dict[str, str]:
    return {"name": name}
