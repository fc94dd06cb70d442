"""Cookies and tokens side by side, which the app reads by hand. A logout only takes the cookie back."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, Form, HTTPException, Request, Response
from fastapi.security import OAuth2PasswordBearer
from jwt.exceptions import InvalidTokenError

DESK = "the-one-token-of-the-account-"
SECRET_KEY = "three-gates-and-a-very-wide-moat-around"
PASSWORDS = {"ann": "battlement", "bob": "drawbridge", "cid": "gatehouse-5"}
NUMBERS = {name: str(number) for number, name in enumerate(PASSWORDS, 7)}

app = FastAPI()
scheme = OAuth2PasswordBearer(tokenUrl="token")
sessions: dict[str, str] = {}
devices: set[str] = set()


def token_of(name: str) -> str:
    claims = {
        "sub": NUMBERS[name],
        "jti": secrets.token_hex(8),
        "exp": datetime.now(UTC) + timedelta(hours=1),
    }
    return jwt.encode(claims, SECRET_KEY, "HS256")


def number_in(token: str) -> str:
    try:
        return jwt.decode(token, SECRET_KEY, algorithms=["HS256"])["sub"]
    except InvalidTokenError:
        raise HTTPException(401, "Invalid token", {"WWW-Authenticate": "Bearer"}) from None


def caller(token: Annotated[str, Depends(scheme)]) -> str:
    return number_in(token)


def of_session(request: Request) -> str:
    name = sessions.get(request.cookies.get("sid", ""))
    if name is None:
        raise HTTPException(401, "Log in first")
    return name


def check(name: str, password: str) -> None:
    if PASSWORDS.get(name) != password:
        raise HTTPException(400, "Incorrect username or password")


@app.post("/login")
def log_in(
    request: Request, response: Response, username: Annotated[str, Form()], password: Annotated[str, Form()]
) -> dict[str, str]:
    check(username, password)
    sid = secrets.token_urlsafe(24)
    sessions[sid] = username
    response.set_cookie("sid", sid, httponly=True)
    response.set_cookie("renewal", token_of(username), path="/renew", httponly=True)
    response.set_cookie("edge", "the-same-for-each-client-of-this-app", httponly=True)
    if request.cookies.get("device") not in devices:
        device = secrets.token_urlsafe(24)
        devices.add(device)
        response.set_cookie("device", device, httponly=True)
    return {"user": username}


@app.post("/token")
def make_token(username: Annotated[str, Form()], password: Annotated[str, Form()]) -> dict[str, str]:
    check(username, password)
    return {"access_token": token_of(username), "token_type": "bearer"}


@app.get("/account")
def account(request: Request, name: Annotated[str, Depends(of_session)]) -> dict[str, str | bool]:
    cookies = request.cookies
    return {"user": name, "device": cookies.get("device") in devices, "edge": "edge" in cookies}


@app.get("/live")
def live(name: Annotated[str, Depends(of_session)]) -> dict[str, str]:
    return {"token": token_of(name)}


@app.get("/renew")
def renew(request: Request) -> dict[str, str]:
    return {"number": number_in(request.cookies.get("renewal", ""))}


@app.post("/club/register")
def join_club(
    request: Request, response: Response, email: Annotated[str, Form()], password: Annotated[str, Form()]
) -> dict[str, str]:
    name = email.partition("@")[0]
    check(name, password)
    enter_club(request, response, name)
    return {"member": name}


@app.post("/club/login")
def log_in_at_club(
    request: Request, response: Response, username: Annotated[str, Form()], password: Annotated[str, Form()]
) -> dict[str, str]:
    check(username, password)
    enter_club(request, response, username)
    return {"member": username}


def enter_club(request: Request, response: Response, name: str) -> None:
    """A browser keeps its number."""
    number = request.cookies.get("club") or secrets.token_urlsafe(24)
    sessions[number] = name
    response.set_cookie("club", number, httponly=True)


@app.get("/club")
def club(request: Request) -> dict[str, str]:
    name = sessions.get(request.cookies.get("club", ""))
    if name is None:
        raise HTTPException(401, "Members only")
    return {"member": name}


@app.post("/logout", status_code=204)
def log_out(response: Response) -> None:
    response.delete_cookie("sid")


@app.post("/change-password", status_code=204)
def change_password(number: Annotated[str, Depends(caller)], new_password: Annotated[str, Form()]) -> None:
    name = next(name for name, own in NUMBERS.items() if own == number)
    PASSWORDS[name] = new_password


@app.get("/me")
def me(number: Annotated[str, Depends(caller)]) -> dict[str, str]:
    return {"number": number}


@app.get("/either")
def either(request: Request, token: Annotated[str, Depends(scheme)]) -> dict[str, str]:
    name = sessions.get(request.cookies.get("sid", ""))
    return {"number": NUMBERS[name] if name else number_in(token)}


@app.post("/desk/login")
def log_in_at_desk(username: Annotated[str, Form()], password: Annotated[str, Form()]) -> dict[str, str]:
    check(username, password)
    return {"access_token": DESK + username}


def at_desk(token: Annotated[str, Depends(scheme)]) -> str:
    if not token.startswith(DESK):
        raise HTTPException(401, "Invalid token", {"WWW-Authenticate": "Bearer"})
    return token.removeprefix(DESK)


@app.get("/desk/me")
def me_at_desk(name: Annotated[str, Depends(at_desk)]) -> dict[str, str]:
    return {"name": name}


@app.post("/desk/logout", status_code=204)
def log_out_at_desk(name: Annotated[str, Depends(at_desk)]) -> None:
    """The account keeps its token."""


@app.post("/api/logout", status_code=204)
def log_out_of_api(number: Annotated[str, Depends(caller)]) -> None:
    """The client forgets its token."""


@app.get("/by-hand")
def by_hand(request: Request) -> dict[str, str]:
    header = request.headers.get("authorization", "")
    if not header:
        raise HTTPException(401, "No token")
    return {"number": number_in(header.split()[-1])}
