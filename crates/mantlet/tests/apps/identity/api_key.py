"""Weather for programs, each with a key."""

import secrets
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Security
from fastapi.security import APIKeyHeader, APIKeyQuery

API_KEYS = {"wk_live_4fQeU0h2VtB8": "ann", "wk_live_Jm3ZrT6yPc1x": "bob"}

app = FastAPI()
header_scheme = APIKeyHeader(name="X-API-Key", auto_error=False)
query_scheme = APIKeyQuery(name="api_key", auto_error=False)


def client(
    header: Annotated[str | None, Security(header_scheme)],
    query: Annotated[str | None, Security(query_scheme)],
) -> str:
    given = header or query
    if given is None:
        raise HTTPException(401, "Missing API key")
    for key, name in API_KEYS.items():
        if secrets.compare_digest(key, given):
            return name
    raise HTTPException(403, "Invalid API key")


Client = Annotated[str, Depends(client)]


@app.get("/weather/{city}")
def weather(city: str, name: Client):
    return {"city": city, "sky": "clear", "for": name}


@app.post("/keys", status_code=201)
def new_key(name: Client):
    key = f"wk_live_{secrets.token_urlsafe(9)}"
    API_KEYS[key] = name
    return {"api_key": key}


@app.get("/cities")
def cities():
    return ["London", "Paris"]
