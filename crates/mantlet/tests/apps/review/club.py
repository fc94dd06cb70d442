"""A club: sound by itself. What is public, shared, missing or of nobody is here as real apps have it, and none of it is a
weakness.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from pydantic import BaseModel, ConfigDict, Field

KEY = secrets.token_bytes(32)
users: dict[int, dict[str, Any]] = {}
posts: dict[int, dict[str, Any]] = {}
letters: dict[int, dict[str, Any]] = {}
pages: dict[str, dict[str, Any]] = {"rules": {"slug": "rules", "text": "Be kind.", "edited_by": "staff"}}
orders: dict[int, dict[str, Any]] = {}
# A catalogue without a list: orders lead to it.
GOODS = {31: {"id": 31, "name": "Scarf", "cents": 900}, 32: {"id": 32, "name": "Mug", "cents": 700}}
wrong: dict[str, list[float]] = defaultdict(list)
counter = iter(range(101, 1_000_000_000))


def part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def sign(text: str) -> str:
    return part(hmac.new(KEY, text.encode(), "sha256").digest())


def issue(user_id: int) -> str:
    now = int(time.time())
    claims = {"sub": str(user_id), "iat": now, "exp": now + 900}
    head = f"{part(json.dumps({'alg': 'HS256', 'typ': 'JWT'}).encode())}.{part(json.dumps(claims).encode())}"
    return f"{head}.{sign(head)}"


oauth2 = OAuth2PasswordBearer(tokenUrl="session/login")


def current_user(token: Annotated[str, Depends(oauth2)]) -> dict[str, Any]:
    refused = HTTPException(401, "Not logged in", {"WWW-Authenticate": "Bearer"})
    head, _, signature = token.rpartition(".")
    if not hmac.compare_digest(signature.encode(), sign(head).encode()):
        raise refused
    middle = head.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    user = users.get(int(claims["sub"]))
    if user is None or claims["exp"] < time.time():
        raise refused
    return user


Me = Annotated[dict[str, Any], Depends(current_user)]
optional = OAuth2PasswordBearer(tokenUrl="session/login", auto_error=False)


def perhaps(token: Annotated[str | None, Depends(optional)]) -> dict[str, Any] | None:
    try:
        return current_user(token) if token else None
    except HTTPException:
        return None


def administrator(user: Me) -> dict[str, Any]:
    if not user["is_admin"]:
        raise HTTPException(403, "For administrators")
    return user


app = FastAPI(title="Club", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
Id = Annotated[int, Path(ge=1, le=2_000_000_000)]


@app.middleware("http")
async def headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
    response.headers["Cache-Control"] = "no-store"
    return response


@app.get("/", response_class=HTMLResponse)
def home() -> str:
    return "<!doctype html><title>Club</title><p>Hello.</p>"


class Join(BaseModel):
    model_config = ConfigDict(extra="forbid")
    username: str = Field(pattern="^[a-z][a-z0-9]{2,30}$")
    password: str = Field(min_length=12, max_length=64)
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=100)


class Profile(BaseModel):
    id: int
    username: str


class Own(Profile):
    email: str
    is_admin: bool
    motto: str


def digest(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**10, r=8, p=1)


@app.post("/session/join", status_code=201)
def join(new: Join) -> Own:
    if any(user["username"] == new.username for user in users.values()):
        raise HTTPException(409, "The name is taken")
    salt = secrets.token_bytes(16)
    user = {"id": next(counter), "is_admin": False, "motto": "", "salt": salt, "digest": digest(new.password, salt)}
    users[user["id"]] = user | {"username": new.username, "email": new.email}
    return Own(**users[user["id"]])


@app.post("/session/login")
def login(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> dict[str, str]:
    recent = [at for at in wrong[form.username] if at > time.time() - 300]
    if len(recent) >= 10:
        raise HTTPException(429, "Too many attempts", {"Retry-After": "300"})
    user = next((user for user in users.values() if user["username"] == form.username), None)
    salt = user["salt"] if user else b"none"
    if not hmac.compare_digest(digest(form.password, salt), user["digest"] if user else b"") or user is None:
        wrong[form.username] = [*recent, time.time()]
        raise HTTPException(401, "Wrong name or password")
    return {"access_token": issue(user["id"]), "token_type": "bearer"}


@app.get("/me")
def me(user: Me) -> Own:
    return Own(**user)


class Change(BaseModel):
    model_config = ConfigDict(extra="ignore")
    motto: str = Field(max_length=100)


@app.patch("/me")
def change_me(change: Change, user: Me) -> Own:
    user["motto"] = change.motto
    return Own(**user)


@app.delete("/me", status_code=204)
def leave(user: Me) -> None:
    del users[user["id"]]


@app.get("/members/{member_id}")
def member(member_id: Id, user: Me) -> Profile:
    # Members know each other by name.
    if member_id not in users:
        raise HTTPException(404, "No such member")
    return Profile(**users[member_id])


class NewPost(BaseModel):
    title: str = Field(min_length=1, max_length=80)
    text: str = Field(max_length=1000)


class Post(NewPost):
    id: int
    author_id: int


@app.get("/feed")
def feed(user: Annotated[dict[str, Any] | None, Depends(perhaps)], limit: Annotated[int, Query(ge=1, le=50)] = 10) -> list[Post]:
    return [Post(**post) for post in list(posts.values())[:limit]]


@app.get("/me/posts")
def my_posts(user: Me) -> list[Post]:
    return [Post(**post) for post in posts.values() if post["author_id"] == user["id"]]


@app.get("/members/{member_id}/posts")
def posts_of(member_id: Id, user: Me) -> list[Post]:
    return [Post(**post) for post in posts.values() if post["author_id"] == member_id]


@app.get("/thanks")
def thanks(user_id: Annotated[int, Query(ge=1, le=2_000_000_000)], user: Me) -> list[dict[str, Any]]:
    # Members see how much each has written.
    written = sum(post["author_id"] == user_id for post in posts.values())
    return [{"from": "the club", "count": written}] if user_id in users else []


@app.post("/posts", status_code=201)
def create_post(new: NewPost, user: Me) -> Post:
    post = {"id": next(counter), "author_id": user["id"]} | new.model_dump()
    posts[post["id"]] = post
    return Post(**post)


def post_of(post_id: Id) -> dict[str, Any]:
    if post_id not in posts:
        raise HTTPException(404, "No such post")
    return posts[post_id]


AnyPost = Annotated[dict[str, Any], Depends(post_of)]


@app.get("/posts/{post_id}")
def read_post(post: AnyPost, user: Me) -> Post:
    # All members read all posts.
    return Post(**post)


@app.put("/posts/{post_id}")
def change_post(post: AnyPost, new: NewPost, user: Me) -> Post:
    if post["author_id"] != user["id"]:
        raise HTTPException(403, "Not your post")
    post |= new.model_dump()
    return Post(**post)


@app.delete("/posts/{post_id}", status_code=204)
def remove_post(post: AnyPost, user: Me) -> None:
    if post["author_id"] != user["id"]:
        raise HTTPException(403, "Not your post")
    del posts[post["id"]]


@app.post("/posts/{post_id}/likes")
def like(post: AnyPost, user: Me) -> dict[str, int]:
    post["likes"] = post.get("likes", 0) + 1
    return {"likes": post["likes"]}


class NewLetter(BaseModel):
    subject: str = Field(max_length=80)


@app.post("/letters", status_code=201)
def write(new: NewLetter, user: Me) -> dict[str, Any]:
    letter = {"id": next(counter), "owner_id": user["id"], "starred": False} | new.model_dump()
    letters[letter["id"]] = letter
    return letter


@app.get("/letters")
def my_letters(user: Me) -> list[dict[str, Any]]:
    return [letter for letter in letters.values() if letter["owner_id"] == user["id"]]


def own_letter(letter_id: Id, user: Me) -> dict[str, Any] | None:
    letter = letters.get(letter_id)
    return letter if letter and letter["owner_id"] == user["id"] else None


OwnLetter = Annotated[dict[str, Any] | None, Depends(own_letter)]


@app.get("/letters/{letter_id}")
def letter(letter: OwnLetter) -> dict[str, Any]:
    # What is not there, or not yours, is said with 200.
    return letter or {"error": "No such letter"}


@app.delete("/letters/{letter_id}")
def burn(letter: OwnLetter) -> dict[str, Any]:
    if letter:
        del letters[letter["id"]]
    return {"ok": bool(letter)}


@app.get("/pages/{slug}")
def page(slug: str, user: Me) -> dict[str, Any]:
    if slug not in pages:
        raise HTTPException(404, "No such page")
    return pages[slug] | {"reader": user["username"]}


@app.put("/pages/{slug}")
def edit(slug: str, change: Change, user: Me) -> dict[str, Any]:
    # A wiki: all members write.
    pages[slug] = {"slug": slug, "text": change.motto, "edited_by": user["username"]}
    return pages[slug]


class NewOrder(BaseModel):
    good_id: int = Field(ge=31, le=32)
    count: int = Field(ge=1, le=9)


@app.post("/orders", status_code=201)
def order(new: NewOrder, user: Me) -> dict[str, int]:
    number = next(counter)
    orders[number] = {"id": number, "user_id": user["id"]} | new.model_dump()
    return {"id": number}


@app.get("/orders")
def my_orders(user: Me) -> dict[str, Any]:
    own = [order for order in orders.values() if order["user_id"] == user["id"]]
    return {"data": own, "count": len(own)}


@app.delete("/orders/{order_id}", status_code=204)
def cancel(order_id: Id, user: Me) -> None:
    if orders.get(order_id, {}).get("user_id") != user["id"]:
        raise HTTPException(404, "No such order")
    del orders[order_id]


@app.get("/goods/{good_id}")
def good(good_id: Id, user: Me) -> dict[str, Any]:
    if good_id not in GOODS:
        raise HTTPException(404, "No such good")
    return GOODS[good_id]


@app.get("/admin/members", dependencies=[Depends(administrator)])
def all_members() -> list[Own]:
    return [Own(**user) for user in users.values()]
