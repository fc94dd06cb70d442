"""An app behind a root path: logins of several kinds, and what only has the word."""

from typing import Annotated

from fastapi import Body, FastAPI, HTTPException, Request, Security
from fastapi.security import HTTPBearer
from pydantic import BaseModel, model_validator

app = FastAPI(root_path="/api")


class Credentials(BaseModel):
    username: str
    password: str


class Folded(Credentials):
    @model_validator(mode="before")
    @classmethod
    def fold(cls, value: object) -> object:
        return value


@app.post("/login")
def log_in(credentials: Credentials) -> str:
    raise HTTPException(401, "Wrong password")


@app.post("/opaque/login")
def log_in_as_folded(credentials: Folded) -> str:
    raise HTTPException(401, "Wrong password")


class Relay(Credentials):
    ttl: int = 60


@app.post("/relays")
def relay(relay: Relay) -> str:
    if relay.username == "nobody":
        raise HTTPException(400, "There is one of that name")
    return "made"


@app.post("/enter")
def enter(credentials: Credentials) -> str:
    raise HTTPException(401, "Wrong password")


@app.post("/reset")
def reset() -> str:
    return "a new game"


@app.post("/raw/login")
async def log_in_by_hand(request: Request) -> str:
    form = await request.json()
    return str(form.get("who"))


@app.get("/search")
def search(q: str = "") -> str:
    return q


@app.get("/health")
def health() -> str:
    return "well"


@app.get("/keys", tags=["keys"])
def keys(key: Annotated[object, Security(HTTPBearer())]) -> str:
    return "keys"


@app.post("/notes")
def note(text: Annotated[str, Body(embed=True)]) -> str:
    return text


async def foreign(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"foreign"})


app.mount("/foreign", foreign)
