"""Scopes and roles that the app declares, and does not look at everywhere."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import jwt
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response, Security
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm, SecurityScopes
from jwt.exceptions import InvalidTokenError

SECRET_KEY = "the-master-of-the-keys-has-a-long-beard"
PASSWORDS = {"ann": "battlement", "bob": "drawbridge"}
ROLES = {"ann": "admin", "bob": "guest"}

app = FastAPI()
admin = APIRouter(prefix="/admin", tags=["admin"])
scheme = OAuth2PasswordBearer(tokenUrl="token", scopes={"me": "Read", "stock": "Read and count"})


def read(token: str) -> dict[str, Any]:
    try:
        return jwt.decode(token, SECRET_KEY, algorithms=["HS256"])
    except InvalidTokenError:
        raise HTTPException(401, "Invalid token", {"WWW-Authenticate": "Bearer"}) from None


def caller(scopes: SecurityScopes, token: Annotated[str, Depends(scheme)]) -> str:
    claims = read(token)
    if any(scope not in claims["scopes"] for scope in scopes.scopes):
        challenge = f'Bearer scope="{scopes.scope_str}"'
        raise HTTPException(401, "Not enough permissions", {"WWW-Authenticate": challenge})
    return claims["sub"]


def careless(token: Annotated[str, Depends(scheme)]) -> str:
    """Does not look at scopes."""
    return read(token)["sub"]


@app.post("/token")
def log_in(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> dict[str, str]:
    if PASSWORDS.get(form.username) != form.password:
        raise HTTPException(400, "Incorrect username or password")
    claims = {
        "sub": form.username,
        "role": ROLES[form.username],
        "scopes": form.scopes,
        "exp": datetime.now(UTC) + timedelta(hours=1),
    }
    return {"access_token": jwt.encode(claims, SECRET_KEY, "HS256"), "token_type": "bearer"}


@app.get("/me")
def me(name: Annotated[str, Security(caller, scopes=["me"])]) -> dict[str, str]:
    return {"name": name}


@app.get("/stock")
def stock(name: Annotated[str, Security(careless, scopes=["stock"])]) -> dict[str, str]:
    return {"for": name}


@admin.get("/users")
def users(name: Annotated[str, Depends(careless)]) -> list[str]:
    return list(PASSWORDS)


@admin.delete("/users/{name}", status_code=204)
def remove(name: str, by: Annotated[str, Depends(careless)]) -> None:
    """Removes nobody, so that tests can go on."""


@app.get("/people/{name}/letters/{number}")
def letters(name: str, number: int, by: Annotated[str, Depends(careless)]) -> str:
    return f"{name}: letter {number}"


@app.get("/letters")
def all_letters(by: Annotated[str, Depends(careless)], name: str) -> str:
    return f"{name}: letters"


@app.post("/desk/login")
def sit_down(form: Annotated[OAuth2PasswordRequestForm, Depends()], response: Response) -> str:
    if PASSWORDS.get(form.username) != form.password:
        raise HTTPException(400, "Incorrect username or password")
    response.set_cookie("desk", "a-number-that-is-long-enough", httponly=True)
    return form.username


@app.get("/desk")
def desk(request: Request) -> str:
    if "desk" not in request.cookies:
        raise HTTPException(401, "Sit down first")
    return "the desk"


@app.post("/desk/logout", status_code=204)
def stand_up() -> None:
    """The browser keeps its cookie."""


@app.get("/open")
def open_to_all() -> str:
    return "open"


app.include_router(admin)
