"""An API with keys, and how often somebody got in."""

from typing import Annotated

from fastapi import FastAPI, HTTPException, Security
from fastapi.security import APIKeyHeader

app = FastAPI()
key_header = APIKeyHeader(name="X-API-Key")
served: list[str] = []


def owner(key: Annotated[str, Security(key_header)]) -> str:
    if not key.endswith("-key"):
        raise HTTPException(401, "Unknown key")
    return key.removesuffix("-key")


@app.get("/reports/{number}", tags=["reports"])
def report(number: int, owner: Annotated[str, Security(owner)]) -> dict[str, int]:
    if number == 403:
        raise HTTPException(403, "Somebody else's")
    served.append(owner)
    return {"number": number}


@app.get("/served")
def all_served() -> list[str]:
    return served
