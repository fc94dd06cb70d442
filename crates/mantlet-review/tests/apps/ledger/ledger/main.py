"""A ledger for teams: sessions in cookies, signed webhooks, rates from a service with a fixed address."""

import hashlib
import json
import logging
from pathlib import PurePath
from typing import Annotated, Literal
from urllib.parse import urlsplit

import httpx
from fastapi import APIRouter, Cookie, Depends, FastAPI, HTTPException, Path, Query, Request, Response, UploadFile
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, HttpUrl
from sqlalchemy import select, text

from ledger.access import Caller, Team, auditor, begin, end, is_right, own_posting, scramble, signed
from ledger.store import Account, Article, Db, Posting, Seat

log = logging.getLogger("ledger")
ORDERS = {"newest": "id DESC", "largest": "cents DESC"}
PARTNERS = {"rates.example.com", "bank.example.com"}


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True)


class Credentials(Strict):
    login: str = Field(max_length=80)
    password: str = Field(min_length=12, max_length=200)


class AccountOut(Strict):
    id: int
    login: str


class PostingIn(Strict):
    cents: int = Field(ge=-10_000_000, le=10_000_000)
    memo: str = Field(max_length=200)


class PostingOut(PostingIn):
    id: int
    team_id: int


class ArticleIn(Strict):
    headline: str = Field(max_length=200)
    body: str = Field(max_length=5000)


class ArticleOut(ArticleIn):
    id: int


class Grant(Strict):
    is_auditor: bool


class Import(Strict):
    source: HttpUrl


door = APIRouter(prefix="/session", tags=["session"])
teams = APIRouter(prefix="/teams/{team_id}/postings", tags=["postings"])
postings = APIRouter(prefix="/postings", tags=["postings"])
articles = APIRouter(prefix="/articles", tags=["articles"])
staff = APIRouter(prefix="/admin", tags=["admin"], dependencies=[Depends(auditor)])
hooks = APIRouter(prefix="/hooks", tags=["hooks"])


@door.post("/login", response_model=AccountOut)
def log_in(given: Credentials, answer: Response, db: Db):
    found = db.scalars(select(Account).where(Account.login == given.login)).first()
    if found is None or not is_right(given.password, found.password_hash):
        raise HTTPException(401, "wrong login or password")
    begin(answer, found)
    return found


@door.post("/register", response_model=AccountOut, status_code=201)
def register(given: Credentials, db: Db):
    made = Account(login=given.login, password_hash=scramble(given.password))
    db.add(made)
    db.commit()
    return made


@door.post("/logout", status_code=204)
def log_out(answer: Response, who: Caller, ledger_session: Annotated[str, Cookie()]):
    end(answer, ledger_session)


@door.get("/me", response_model=AccountOut)
def me(who: Caller):
    return who


@teams.get("", response_model=list[PostingOut])
def team_postings(
    team: Team,
    db: Db,
    order: Literal["newest", "largest"] = "newest",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
):
    statement = f"SELECT * FROM posting WHERE team_id = :team ORDER BY {ORDERS[order]} LIMIT :limit"
    rows = db.execute(text(statement), {"team": team, "limit": limit})
    return rows.mappings().all()


@teams.post("", response_model=PostingOut, status_code=201)
def enter(team: Team, new: PostingIn, who: Caller, db: Db):
    made = Posting(**new.model_dump(), team_id=team, entered_by=who.id)
    db.add(made)
    db.commit()
    return made


@teams.get("/search", response_model=list[PostingOut])
def search(team: Team, words: Annotated[str, Query(max_length=50)], db: Db):
    statement = select(Posting).where(Posting.team_id == team, Posting.memo.contains(words, autoescape=True))
    return db.scalars(statement.limit(50)).all()


@postings.get("/{posting_id}", response_model=PostingOut)
def posting(found: Annotated[Posting, Depends(own_posting)]):
    return found


@postings.patch("/{posting_id}", response_model=PostingOut)
def correct(found: Annotated[Posting, Depends(own_posting)], change: PostingIn, db: Db):
    for name, value in change.model_dump().items():
        setattr(found, name, value)
    db.commit()
    return found


@postings.delete("/{posting_id}", status_code=204)
def strike(found: Annotated[Posting, Depends(own_posting)], db: Db):
    db.delete(found)
    db.commit()


@postings.post("/{posting_id}/receipt", status_code=204)
def receipt(found: Annotated[Posting, Depends(own_posting)], picture: UploadFile):
    content = picture.file.read(2_000_001)
    if len(content) > 2_000_000:
        raise HTTPException(413, "too large")
    name = PurePath(picture.filename or "receipt").name
    with open(f"/var/ledger/{found.id}-{name}", "wb") as file:
        file.write(content)


@articles.get("", response_model=list[ArticleOut])
def all_articles(db: Db, limit: Annotated[int, Query(ge=1, le=50)] = 20):
    return db.scalars(select(Article).order_by(Article.id).limit(limit)).all()


@articles.get("/mine", response_model=list[ArticleOut])
def my_articles(who: Caller, db: Db):
    return db.scalars(select(Article).where(Article.author_id == who.id).limit(50)).all()


@articles.get("/{article_id}", response_model=ArticleOut)
def article(article_id: int, db: Db):
    found = db.get(Article, article_id)
    if found is None:
        raise HTTPException(404, "no such article")
    return found


@articles.post("", response_model=ArticleOut, status_code=201)
def publish(new: ArticleIn, who: Caller, db: Db):
    made = Article(headline=new.headline, body=new.body, author_id=who.id)
    db.add(made)
    db.commit()
    return made


@articles.put("/{article_id}", response_model=ArticleOut)
def rewrite(article_id: int, new: ArticleIn, who: Caller, db: Db):
    found = db.get(Article, article_id)
    if found is None or found.author_id != who.id:
        raise HTTPException(404, "no such article")
    found.headline, found.body = new.headline, new.body
    db.commit()
    return found


@staff.get("/accounts", response_model=list[AccountOut])
def accounts(db: Db):
    return db.scalars(select(Account).limit(500)).all()


@staff.patch("/accounts/{account_id}", response_model=AccountOut)
def grant(account_id: Annotated[int, Path(ge=1)], change: Grant, db: Db):
    found = db.get(Account, account_id)
    if found is None:
        raise HTTPException(404, "no such account")
    found.is_auditor = change.is_auditor
    db.commit()
    return found


@staff.delete("/postings/{posting_id}", status_code=204)
def strike_any(posting_id: int, db: Db):
    found = db.get(Posting, posting_id)
    if found is not None:
        db.delete(found)
        db.commit()


@hooks.post("/bank", status_code=204)
def bank(body: Annotated[bytes, Depends(signed)], db: Db):
    told = json.loads(body)
    found = db.get(Posting, int(told["posting"]))
    if found is not None:
        found.memo = "booked"
        db.commit()


@hooks.get("/rate/{currency}")
def rate(currency: Annotated[str, Path(pattern="^[A-Z]{3}$")], who: Caller) -> dict[str, float]:
    with httpx.Client(timeout=5) as client:
        answer = client.get(f"https://rates.example.com/v1/{currency}")
    return {"rate": float(answer.json()["rate"])}


@hooks.post("/import", status_code=202)
def fetch(given: Import, who: Caller) -> dict[str, str]:
    url = str(given.source)
    if urlsplit(url).hostname not in PARTNERS:
        raise HTTPException(422, "not a partner")
    with httpx.Client(timeout=5, follow_redirects=False) as client:
        answer = client.get(url)
    return {"digest": hashlib.sha256(answer.content).hexdigest()}


app = FastAPI(title="Ledger", docs_url=None, redoc_url=None, openapi_url=None)
app.add_middleware(
    CORSMiddleware,
    allow_origins=["https://ledger.example.com"],
    allow_origin_regex=r"https://[a-z0-9-]+\.ledger\.example\.com",
    allow_credentials=True,
    allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
    allow_headers=["content-type"],
)


@app.exception_handler(Exception)
async def failed(request: Request, failure: Exception) -> JSONResponse:
    log.error("failed", exc_info=failure)
    return JSONResponse({"detail": "internal error"}, status_code=500)


for router in (door, teams, postings, articles, staff, hooks):
    app.include_router(router)
