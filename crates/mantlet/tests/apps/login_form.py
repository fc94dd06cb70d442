"""A login as a page has it: a form that a browser sends, and a page behind it."""

from typing import Annotated

from fastapi import FastAPI, Form
from fastapi.responses import HTMLResponse, RedirectResponse

app = FastAPI()


def page(title: str, content: str) -> str:
    return f'<!DOCTYPE html><html lang="en"><title>{title}</title><h1>{title}</h1>{content}'


@app.get("/login", response_class=HTMLResponse)
def form(next: str = "/") -> str:
    fields = '<input name="username"><input name="password" type="password">'
    return page("Log in", f'<form method="post" action="/login">{fields}<button>Log in</button></form>')


@app.post("/login")
def log_in(username: Annotated[str, Form()], password: Annotated[str, Form()]) -> RedirectResponse:
    if password != "right":
        return RedirectResponse("/login?error=1", 303)
    response = RedirectResponse("/", 303)
    response.set_cookie("session", username, httponly=True, samesite="lax")
    return response


@app.get("/", response_class=HTMLResponse)
def home() -> str:
    return page("Welcome", "")
