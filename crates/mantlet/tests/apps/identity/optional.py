"""Articles. Members see more; a caller with an invalid token is a stranger."""

import datetime as dt

import jwt
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm

JWT_SECRET = "secret"

app = FastAPI()
oauth2 = OAuth2PasswordBearer(tokenUrl="/login", auto_error=False)
members = {"ann": "battlement"}
articles = {1: ("Moats", "for all"), 2: ("Drawbridges", "for members")}


def member(token: str | None = Depends(oauth2)) -> str | None:
    if token is None:
        return None
    try:
        return jwt.decode(token, JWT_SECRET, algorithms=["HS256"]).get("sub")
    except jwt.InvalidTokenError:
        return None


def required(name: str | None = Depends(member)) -> str:
    if name is None:
        raise HTTPException(403, "For members")
    return name


@app.post("/login")
def login(form: OAuth2PasswordRequestForm = Depends()):
    if members.get(form.username) != form.password:
        raise HTTPException(401, "Wrong password")
    expires = dt.datetime.now(dt.timezone.utc) + dt.timedelta(days=7)
    token = jwt.encode({"sub": form.username, "exp": expires}, JWT_SECRET, "HS256")
    return {"access_token": token, "token_type": "bearer"}


@app.get("/", response_class=HTMLResponse)
def front(request: Request, name: str | None = Depends(member)):
    titles = [title for title, whom in articles.values() if name or whom == "for all"]
    greeting = f"Welcome back, {name}" if name else "Welcome, stranger"
    return f"<!doctype html><title>Articles</title><p>{greeting}</p><p>{', '.join(titles)}</p>"


@app.get("/articles/{number}")
def article(number: int, name: str | None = Depends(member)):
    title, whom = articles.get(number, (None, None))
    if title is None or (whom != "for all" and name is None):
        raise HTTPException(404, "No such article")
    return {"title": title, "reader": name}


@app.post("/articles/{number}/likes", status_code=201)
def like(number: int, name: str = Depends(required)):
    return {"article": number, "by": name}
