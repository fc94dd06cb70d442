"""A market of small ads. Much of it is for all to see, and what it does wrong shows only when something is changed. It is
careless where it says so.
"""

import hashlib
import hmac
import secrets
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Path
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

people: dict[str, dict[str, Any]] = {}
sessions: dict[str, str] = {}
ads: dict[int, dict[str, Any]] = {}
questions: dict[int, dict[str, Any]] = {}
pages: dict[int, dict[str, Any]] = {}
parcels: dict[int, dict[str, Any]] = {}
ratings: dict[int, dict[str, Any]] = {}
numbers = iter(range(101, 1_000_000_000))

app = FastAPI(title="Market", docs_url=None, redoc_url=None, openapi_url=None)
bearer = HTTPBearer()
Id = Annotated[int, Path(ge=1, le=2_000_000_000)]


def who(given: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> str:
    name = sessions.get(given.credentials, "")
    if name not in people:
        raise HTTPException(401, "Log in first")
    return name


Caller = Annotated[str, Depends(who)]


class Account(BaseModel):
    username: str = Field(pattern="^[a-z][a-z0-9]{2,30}$")
    password: str = Field(min_length=10, max_length=64)


def digest(password: str) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), b"market", 200_000)


@app.post("/join", status_code=201)
def join(new: Account) -> dict[str, str]:
    if new.username in people:
        raise HTTPException(409, "The name is taken")
    people[new.username] = {"digest": digest(new.password)}
    return {"username": new.username}


@app.post("/login")
def login(given: Account) -> dict[str, str]:
    # Careless: as many guesses as anyone likes; and a password is hashed only if the account exists, which takes time.
    person = people.get(given.username)
    if person is None or not hmac.compare_digest(person["digest"], digest(given.password)):
        raise HTTPException(401, "Wrong name or password")
    token = secrets.token_urlsafe(24)
    sessions[token] = given.username
    return {"access_token": token}


@app.get("/me")
def me(name: Caller) -> dict[str, str]:
    return {"username": name}


@app.delete("/me", status_code=204)
def leave(name: Caller) -> None:
    del people[name]
    for kind in (ads, pages, parcels, ratings):
        for key in [key for key, one in kind.items() if one["by"] == name]:
            del kind[key]


def shown(one: dict[str, Any]) -> dict[str, Any]:
    """Nothing says whose it is."""
    return {key: value for key, value in one.items() if key != "by"}


def find(kind: dict[int, dict[str, Any]], key: int) -> dict[str, Any]:
    if key not in kind:
        raise HTTPException(404, "Not there")
    return kind[key]


class NewAd(BaseModel):
    title: str = Field(min_length=1, max_length=80)


@app.get("/ads")
def all_ads() -> list[dict[str, Any]]:
    return [shown(ad) for ad in ads.values()]


@app.post("/ads", status_code=201)
def create_ad(new: NewAd, name: Caller) -> dict[str, Any]:
    ad = {"id": next(numbers), "by": name, "title": new.title}
    ads[ad["id"]] = ad
    return shown(ad)


@app.get("/ads/{ad_id}")
def read_ad(ad_id: Id) -> dict[str, Any]:
    return shown(find(ads, ad_id))


@app.put("/ads/{ad_id}")
def change_ad(ad_id: Id, new: NewAd, name: Caller) -> dict[str, Any]:
    ad = find(ads, ad_id)
    if ad["by"] != name:
        raise HTTPException(403, "Not yours")
    ad["title"] = new.title
    return shown(ad)


@app.delete("/ads/{ad_id}", status_code=204)
def remove_ad(ad_id: Id, name: Caller) -> None:
    # Careless: nobody asks whose it is.
    find(ads, ad_id)
    del ads[ad_id]
    for key in [key for key, one in questions.items() if one["ad_id"] == ad_id]:
        del questions[key]


class NewQuestion(BaseModel):
    text: str = Field(max_length=200)


@app.post("/ads/{ad_id}/questions", status_code=201)
def ask(ad_id: Id, new: NewQuestion, name: Caller) -> dict[str, Any]:
    # All users ask, and a question goes with its ad.
    find(ads, ad_id)
    question = {"id": next(numbers), "ad_id": ad_id, "text": new.text}
    questions[question["id"]] = question
    return question


@app.get("/ads/{ad_id}/questions/{question_id}")
def read_question(ad_id: Id, question_id: Id) -> dict[str, Any]:
    return find(questions, question_id)


class NewPage(BaseModel):
    text: str = Field(max_length=200)


@app.post("/pages", status_code=201)
def create_page(new: NewPage, name: Caller) -> dict[str, Any]:
    page = {"id": next(numbers), "by": name, "text": new.text}
    pages[page["id"]] = page
    return shown(page)


@app.get("/pages")
def all_pages(name: Caller) -> list[dict[str, Any]]:
    return [shown(page) for page in pages.values()]


@app.get("/pages/{page_id}")
def read_page(page_id: Id, name: Caller) -> dict[str, Any]:
    return shown(find(pages, page_id))


@app.put("/pages/{page_id}")
def change_page(page_id: Id, new: NewPage, name: Caller) -> dict[str, Any]:
    # A wiki: all users write, and only who began a page removes it.
    page = find(pages, page_id)
    page["text"] = new.text
    return shown(page)


@app.delete("/pages/{page_id}", status_code=204)
def remove_page(page_id: Id, name: Caller) -> None:
    if find(pages, page_id)["by"] != name:
        raise HTTPException(403, "Not yours")
    del pages[page_id]


class NewParcel(BaseModel):
    label: str = Field(max_length=80)


@app.post("/parcels", status_code=201)
def create_parcel(new: NewParcel, name: Caller) -> dict[str, Any]:
    parcel = {"id": next(numbers), "by": name, "label": new.label}
    parcels[parcel["id"]] = parcel
    return shown(parcel)


@app.get("/parcels")
def my_parcels(name: Caller) -> list[dict[str, Any]]:
    return [shown(parcel) for parcel in parcels.values() if parcel["by"] == name]


@app.get("/parcels/{parcel_id}")
def read_parcel(parcel_id: Id, name: Caller) -> dict[str, Any]:
    # Careless: 403 tells that there is one.
    parcel = find(parcels, parcel_id)
    if parcel["by"] != name:
        raise HTTPException(403, "Not yours")
    return shown(parcel)


@app.patch("/parcels/{parcel_id}")
def change_parcel(parcel_id: Id, new: NewParcel, name: Caller) -> dict[str, bool]:
    # Careless: nobody asks whose it is.
    find(parcels, parcel_id)["label"] = new.label
    return {"ok": True}


class NewRating(BaseModel):
    stars: int = Field(ge=1, le=5)


@app.post("/ratings", status_code=201)
def rate(new: NewRating, name: Caller) -> dict[str, Any]:
    # It goes with the account, and in no other way.
    rating = {"id": next(numbers), "by": name, "stars": new.stars}
    ratings[rating["id"]] = rating
    return shown(rating)


@app.get("/ratings/{rating_id}")
def read_rating(rating_id: Id) -> dict[str, Any]:
    return shown(find(ratings, rating_id))


@app.get("/status")
def status(name: Caller) -> dict[str, str]:
    # Careless: the environment, with what is a secret in it and what is not.
    return {
        "PWD": "/srv/market",
        "HOME": "/root",
        "PORT": "8000",
        "DEBUG": "false",
        "SIGNING_SECRET": "",
        "WEBHOOK_SECRET": "8f2b7c1de94a6035bd7718caf2e0934d",
    }


@app.get("/labels")
def labels() -> dict[str, str]:
    return {"password": "Passwort", "new_password": "Neues Passwort", "secret_key": "Schlüssel"}


@app.get("/left")
def left() -> dict[str, int]:
    kinds = {"people": people, "ads": ads, "questions": questions, "pages": pages}
    return {name: len(kind) for name, kind in kinds.items()} | {"parcels": len(parcels), "ratings": len(ratings)}
