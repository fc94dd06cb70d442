"""An inn: raw SQL, objects of models in dictionaries, a repository of its own, tokens read by hand."""

import os
import random
import sqlite3
import string
from contextlib import closing
from typing import Dict, List, Optional
import urllib.request

import jwt
from fastapi import Body, Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

SECRET = "s3cr3t"
DB = "app.db"


def get_conn():
    conn = sqlite3.connect(DB)
    conn.row_factory = sqlite3.Row
    return conn


SCHEMA = """CREATE TABLE members(id INTEGER PRIMARY KEY, nick TEXT, password TEXT, level TEXT, card TEXT);
CREATE TABLE bookings(id INTEGER PRIMARY KEY, member_id INTEGER REFERENCES members(id), room INTEGER, night TEXT, price INTEGER)"""
app = FastAPI()


class Member(BaseModel):
    nick: str
    password: str


class Ticket(BaseModel):
    id: int
    owner: str
    subject: str
    open: bool = True


class TicketIn(BaseModel):
    subject: str


class TicketPatch(BaseModel):
    subject: Optional[str] = None
    owner: Optional[str] = None


tickets: Dict[int, Ticket] = {}


class TicketBox:
    def __init__(self):
        self._all: List[Ticket] = []

    def put(self, t):
        self._all.append(t)

    def of(self, owner):
        return [t for t in self._all if t.owner == owner]

    def find(self, number):
        for t in self._all:
            if t.id == number:
                return t
        return None

    def remove(self, number):
        self._all = [t for t in self._all if t.id != number]


box = TicketBox()


@app.middleware("http")
async def timing(request: Request, call_next):
    response = await call_next(request)
    response.headers["x-app"] = "care"
    return response


def who(request: Request):
    header = request.headers.get("Authorization")
    if not header or not header.startswith("Bearer "):
        raise HTTPException(401, "missing token")
    try:
        data = jwt.decode(header.split(" ")[1], SECRET, algorithms=["HS256"])
    except Exception:
        raise HTTPException(401, "bad token")
    conn = get_conn()
    cur = conn.cursor()
    cur.execute("SELECT * FROM members WHERE nick = ?", (data["nick"],))
    row = cur.fetchone()
    conn.close()
    if not row:
        raise HTTPException(401, "who?")
    return dict(row)


@app.post("/register")
def register(m: Member):
    conn = get_conn()
    cur = conn.cursor()
    cur.execute("INSERT INTO members (nick, password, level) VALUES (?, ?, 'basic')", (m.nick, m.password))
    conn.commit()
    return {"id": cur.lastrowid}


@app.post("/login")
def login(m: Member):
    conn = get_conn()
    cur = conn.cursor()
    cur.execute(f"SELECT * FROM members WHERE nick = '{m.nick}' AND password = '{m.password}'")
    row = cur.fetchone()
    if row is None:
        raise HTTPException(401, "wrong")
    token = jwt.encode({"nick": row["nick"], "level": row["level"]}, SECRET, algorithm="HS256")
    return {"token": token}


@app.get("/bookings")
def my_bookings(user=Depends(who)):
    with closing(get_conn()) as conn:
        cur = conn.cursor()
        rows = cur.execute("SELECT * FROM bookings WHERE member_id = ?", (user["id"],)).fetchall()
        return [dict(r) for r in rows]


@app.get("/bookings/{booking_id}")
def one_booking(booking_id: int, user=Depends(who)):
    with closing(get_conn()) as conn:
        cur = conn.cursor()
        cur.execute("SELECT * FROM bookings WHERE id = ?", (booking_id,))
        row = cur.fetchone()
    if not row:
        raise HTTPException(404)
    return dict(row)


@app.delete("/bookings/{booking_id}")
def cancel(booking_id: int, user: dict = Depends(who)):
    conn = get_conn()
    conn.execute("DELETE FROM bookings WHERE id = %d" % booking_id)
    conn.commit()
    return {"ok": True}


@app.post("/bookings")
def book(data: dict = Body(...), user=Depends(who)):
    conn = get_conn()
    conn.execute(
        "INSERT INTO bookings (member_id, room, night, price) VALUES (?,?,?,?)",
        (user["id"], data["room"], data["night"], data["price"]),
    )
    conn.commit()
    return {"ok": True}


@app.get("/members/{member_id}")
def member(member_id: int, user=Depends(who)):
    conn = get_conn()
    row = conn.execute("SELECT * FROM members WHERE id = ?", (member_id,)).fetchone()
    return dict(row)


@app.put("/members/{member_id}")
async def update_member(member_id: int, request: Request, user=Depends(who)):
    body = await request.json()
    conn = get_conn()
    for field, value in body.items():
        conn.execute(f"UPDATE members SET {field} = ? WHERE id = ?", (value, member_id))
    conn.commit()
    return {"updated": list(body)}


@app.get("/tickets")
def list_tickets(user=Depends(who)):
    return [t for t in tickets.values() if t.owner == user["nick"]]


@app.post("/tickets")
def create_ticket(t: TicketIn, user=Depends(who)):
    new = Ticket(id=len(tickets) + 1, owner=user["nick"], subject=t.subject)
    tickets[new.id] = new
    return new


@app.get("/tickets/{tid}")
def get_ticket(tid: int, user=Depends(who)):
    if tid not in tickets:
        raise HTTPException(404, "no")
    return tickets[tid]


@app.patch("/tickets/{tid}")
def patch_ticket(tid: int, p: TicketPatch, user=Depends(who)):
    stored = tickets[tid]
    updated = stored.copy(update=p.dict(exclude_unset=True))
    tickets[tid] = updated
    return updated


@app.get("/box")
def my_box(user=Depends(who)):
    return box.of(user["nick"])


@app.post("/box")
def put_box(t: TicketIn, user=Depends(who)):
    box.put(Ticket(id=1, owner=user["nick"], subject=t.subject))
    return {}


@app.get("/box/{number}")
def find_box(number: int, user=Depends(who)):
    found = box.find(number)
    if not found:
        raise HTTPException(404)
    return found


@app.delete("/box/{number}")
def del_box(number: int, user=Depends(who)):
    box.remove(number)
    return {}


@app.get("/admin/members")
def all_members(user=Depends(who)):
    if user["level"] != "gold":
        raise HTTPException(403)
    conn = get_conn()
    return [dict(r) for r in conn.execute("SELECT id, nick FROM members")]


@app.delete("/admin/members/{member_id}")
def kill_member(member_id: int):
    conn = get_conn()
    conn.execute("DELETE FROM members WHERE id = ?", (member_id,))
    conn.commit()
    return {}


@app.post("/reset-password")
def reset(nick: str):
    code = "".join(random.choices(string.digits, k=4))
    return {"code": code}


@app.get("/fetch")
def fetch(url: str, x_key: str = Header()):
    if x_key != "letmein":
        raise HTTPException(403)
    return {"body": urllib.request.urlopen(url).read().decode()}


@app.get("/report")
def report(order: str = "night", user=Depends(who)):
    sql = "SELECT night, COUNT(*) FROM bookings GROUP BY night ORDER BY %s" % order
    return get_conn().execute(sql).fetchall()


@app.get("/env")
def env():
    return dict(os.environ)


@app.exception_handler(Exception)
async def boom(request, exc):
    return JSONResponse(status_code=500, content={"error": str(exc), "type": type(exc).__name__})
