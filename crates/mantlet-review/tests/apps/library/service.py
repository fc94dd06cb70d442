"""A lending library on one machine: dictionaries, a little SQLite, and other people's services."""

import hashlib
import sqlite3
import uuid
from dataclasses import dataclass, field

import httpx
from fastapi import APIRouter, Body, Cookie, Depends, FastAPI, Form, HTTPException, Query, Request, Response, UploadFile
from fastapi.middleware.cors import CORSMiddleware
from pydantic import BaseModel
from starlette.middleware.sessions import SessionMiddleware

READERS: dict[str, dict] = {
    "ada": {"name": "ada", "password": "5f4dcc3b5aa765d61d8327deb882cf99", "librarian": True, "fines": 0},
    "ben": {"name": "ben", "password": "5f4dcc3b5aa765d61d8327deb882cf99", "librarian": False, "fines": 120},
}
LOGGED_IN: dict[str, str] = {}
LOANS: dict[int, dict] = {}
WISHES: list[dict] = []
catalogue = sqlite3.connect(":memory:", check_same_thread=False)
catalogue.executescript(
    "CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT, author TEXT, shelf TEXT, bought_for INTEGER)"
)

app = FastAPI(title="Library", debug=True, docs_url="/manual")
app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=True)
app.add_middleware(SessionMiddleware, secret_key="library", https_only=False, same_site="none")


async def reader(ticket: str | None = Cookie(None)) -> dict:
    name = LOGGED_IN.get(ticket or "")
    if name is None:
        raise HTTPException(status_code=401, detail="show your ticket")
    return READERS[name]


def librarian(who: dict = Depends(reader)) -> dict:
    if not who["librarian"]:
        raise HTTPException(status_code=403, detail="librarians only")
    return who


desk = APIRouter(tags=["desk"])
shelves = APIRouter(prefix="/books", tags=["shelves"])


@dataclass
class Page:
    """What part of a list is wanted."""

    start: int = Query(0, ge=0)
    many: int = Query(10, ge=1)


@dataclass
class Entry:
    name: str
    secret: str = field(repr=False)


class Card(BaseModel):
    name: str
    password: str
    librarian: bool = False


class Loan(BaseModel):
    book: int
    days: int = 14


class Anything(BaseModel, extra="allow"):
    nickname: str | None = None


def weak(password: str) -> str:
    return hashlib.md5(password.encode()).hexdigest()


@desk.post("/login")
async def login(answer: Response, username: str = Form(), password: str = Form()):
    known = READERS.get(username)
    if known is None or known["password"] != weak(password):
        raise HTTPException(status_code=401, detail="no")
    ticket = uuid.uuid4().hex
    LOGGED_IN[ticket] = username
    answer.set_cookie(key="ticket", value=ticket)
    return {"welcome": username}


@desk.post("/readers", status_code=201)
async def enrol(card: Card):
    READERS[card.name] = {**card.model_dump(), "fines": 0}
    return {"name": card.name}


@desk.get("/readers/me")
async def me(who: dict = Depends(reader)):
    return who


@desk.put("/readers/me")
async def change(what: Anything, who: dict = Depends(reader)):
    who.update(what.model_dump(exclude_none=True))
    return {"changed": True}


@desk.get("/readers", dependencies=[Depends(librarian)])
async def readers():
    return [{"name": one["name"], "fines": one["fines"]} for one in READERS.values()]


@desk.get("/loans")
async def loans(who: dict = Depends(reader)):
    return [one for one in LOANS.values() if one["reader"] == who["name"]]


@desk.post("/loans", status_code=201)
async def borrow(loan: Loan, who: dict = Depends(reader)):
    number = len(LOANS) + 1
    LOANS[number] = {"number": number, "reader": who["name"], "book": loan.book, "days": loan.days}
    return LOANS[number]


@desk.get("/loans/{number}")
async def loan(number: int, who: dict = Depends(reader)):
    if number not in LOANS:
        raise HTTPException(status_code=404, detail="no such loan")
    return LOANS[number]


@desk.patch("/loans/{number}")
async def prolong(number: int, days: int = Body(embed=True, le=30), who: dict = Depends(reader)):
    found = LOANS.get(number)
    if found is None or found["reader"] != who["name"]:
        raise HTTPException(status_code=404, detail="no such loan")
    found["days"] = days
    return found


@desk.delete("/loans/{number}", status_code=204)
async def give_back(number: int, who: dict = Depends(reader)):
    LOANS.pop(number, None)


@desk.post("/loans/{number}/lost", status_code=204)
async def lost(number: int):
    LOANS[number]["days"] = 0


@desk.post("/wishes", status_code=201)
async def wish(title: str = Body(embed=True, max_length=100), who: dict = Depends(reader)):
    WISHES.append({"title": title, "by": who["name"]})
    return {"wishes": len(WISHES)}


@shelves.get("")
def books(page: Page = Depends()):
    rows = catalogue.execute("SELECT id, title, author, shelf FROM books LIMIT ? OFFSET ?", (page.many, page.start))
    return rows.fetchall()


@shelves.get("/search")
def search(words: str):
    query = "SELECT id, title FROM books WHERE title LIKE '%{}%'".format(words)
    return catalogue.execute(query).fetchall()


@shelves.get("/safe-search")
def safe_search(words: str):
    return catalogue.execute("SELECT id, title FROM books WHERE title LIKE ?", (f"%{words}%",)).fetchall()


@shelves.post("", status_code=201)
def acquire(title: str = Form(max_length=100), author: str = Form(max_length=100), who: dict = Depends(librarian)):
    made = catalogue.execute("INSERT INTO books (title, author) VALUES (?, ?)", (title, author))
    return {"id": made.lastrowid}


@shelves.put("/{book}")
def relabel(book: int, shelf: str = Form(max_length=10), who: dict = Depends(reader)):
    catalogue.execute("UPDATE books SET shelf = ? WHERE id = ?", (shelf, book))
    return {"id": book}


@shelves.delete("/{book}", status_code=204)
def discard(book: int, who: dict = Depends(librarian)):
    catalogue.execute("DELETE FROM books WHERE id = ?", (book,))


@shelves.post("/{book}/cover", status_code=201)
async def cover(book: int, picture: UploadFile, who: dict = Depends(librarian)):
    with open("/tmp/covers/" + picture.filename, "wb") as file:
        file.write(await picture.read())
    return {"book": book}


@shelves.get("/{book}/review")
async def review(book: int, source: str):
    async with httpx.AsyncClient(verify=False) as client:
        answer = await client.get(f"{source}/reviews/{book}")
    return answer.json()


@shelves.get("/{book}/price")
async def price(book: int, currency: str = "EUR"):
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://prices.example.com/{book}", params={"currency": currency})
    return answer.json()


@shelves.get("/{book}/lending")
async def lending(book: int, request: Request):
    return {"book": book, "agent": request.headers.get("user-agent")}


@app.get("/admin/settings")
async def settings(who: dict = Depends(reader)):
    return {"open": True}


app.include_router(desk)
app.include_router(shelves)
