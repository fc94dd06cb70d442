"""An app of pages: a login that redirects, whatever comes of it, and another origin whose pages may read."""

from typing import Annotated

from fastapi import FastAPI, Form, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import RedirectResponse

app = FastAPI()
seen: list[str] = []


@app.middleware("http")
async def note(request: Request, call_next):
    seen.append(request.method)
    return await call_next(request)


app.add_middleware(CORSMiddleware, allow_origins=["https://shop.example"])


@app.post("/login")
def log_in(username: Annotated[str, Form()], password: Annotated[str, Form()]) -> RedirectResponse:
    if password != "right":
        return RedirectResponse("/login?error=1", 303)
    response = RedirectResponse("/", 303)
    response.set_cookie("session", username, httponly=True, samesite="lax", secure=True)
    return response


@app.get("/")
def home() -> str:
    return "home"


@app.get("/seen")
def all_seen() -> list[str]:
    return seen
