"""A guest book with a login by form; the session is in a signed cookie."""

import hashlib
import hmac
import os
from html import escape
from typing import Annotated

from fastapi import Depends, FastAPI, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.middleware.sessions import SessionMiddleware

app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
app.add_middleware(
    SessionMiddleware, secret_key=os.environ.get("SESSION_SECRET", "change-me-please")
)


def digest(password: str, salt: bytes = b"guest-book") -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**12, r=8, p=1)


USERS = {"ann": digest("battlement"), "bob": digest("drawbridge")}
entries: list[tuple[str, str]] = [("bob", "First!")]


class NotLoggedIn(Exception):
    pass


@app.exception_handler(NotLoggedIn)
async def to_login(request: Request, exc: NotLoggedIn):
    return RedirectResponse(f"/login?next={request.url.path}", status_code=303)


def current_user(request: Request) -> str:
    user = request.session.get("user")
    if not user:
        raise NotLoggedIn
    return user


CurrentUser = Annotated[str, Depends(current_user)]


def page(title: str, body: str, status_code: int = 200) -> HTMLResponse:
    html = f"<!doctype html>\n<title>{title}</title>\n<h1>{title}</h1>\n{body}\n"
    return HTMLResponse(html, status_code=status_code)


@app.get("/", response_class=HTMLResponse)
def home(request: Request):
    user = request.session.get("user")
    told = f"<p>Logged in as {escape(user)}.</p>" if user else '<p><a href="/login">Log in</a></p>'
    listed = "".join(f"<li>{escape(who)}: {escape(text)}</li>" for who, text in entries)
    return page("Guest book", f"{told}<ul>{listed}</ul>")


@app.get("/login", response_class=HTMLResponse)
def login_form(next: str = "/account"):
    return page(
        "Log in",
        f'<form method="post" action="/login"><input name="username"><input name="password" '
        f'type="password"><input type="hidden" name="next" value="{escape(next)}">'
        f"<button>Log in</button></form>",
    )


@app.post("/login", response_class=HTMLResponse)
def login(
    request: Request,
    username: Annotated[str, Form()],
    password: Annotated[str, Form()],
    next: Annotated[str, Form()] = "/account",
):
    known = USERS.get(username, b"")
    if not hmac.compare_digest(known, digest(password)):
        return page("Log in", "<p>Wrong name or password.</p>", status_code=401)
    request.session.clear()
    request.session["user"] = username
    if not next.startswith("/") or next.startswith("//"):
        next = "/account"
    return RedirectResponse(next, status_code=303)


@app.post("/logout")
def logout(request: Request):
    request.session.clear()
    return RedirectResponse("/", status_code=303)


@app.get("/account", response_class=HTMLResponse)
def account(user: CurrentUser):
    own = sum(1 for who, _ in entries if who == user)
    return page(f"Account of {escape(user)}", f"<p>{own} entries</p>")


@app.get("/visits", response_class=HTMLResponse)
def visits(request: Request, user: CurrentUser):
    """Each visit changes the session."""
    request.session["visits"] = request.session.get("visits", 0) + 1
    return page("Visits", f"<p>{escape(user)}: visit {request.session['visits']}</p>")


@app.post("/entries")
def write(user: CurrentUser, text: Annotated[str, Form(max_length=500)]):
    entries.append((user, text))
    return RedirectResponse("/", status_code=303)


@app.get("/api/me")
def me(user: CurrentUser) -> dict[str, str]:
    return {"user": user}
