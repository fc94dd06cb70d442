"""Accounts with passwords, and how often somebody tried."""

from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordRequestForm
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

app = FastAPI()
attempts: list[str] = []


@app.post("/token")
def log_in(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> dict[str, str]:
    attempts.append(form.username)
    if form.password != "right":
        raise HTTPException(400, "Wrong password")
    return {"access_token": "a", "token_type": "bearer"}


class Credentials(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    user_name: str
    password: str


@app.post("/session")
def begin(credentials: Credentials) -> dict[str, str]:
    attempts.append(credentials.user_name)
    if credentials.password != "right":
        raise HTTPException(401, "Wrong password")
    return {"session": "a"}


class Forgotten(BaseModel):
    email: str


@app.post("/forgot-password")
def forgot_password(forgotten: Forgotten) -> dict[str, str]:
    attempts.append(forgotten.email)
    return {"detail": "a mail was sent"}


@app.get("/items/{item_id}", tags=["items"])
def item(item_id: int) -> dict[str, int]:
    return {"id": item_id}


@app.get("/attempts")
def all_attempts() -> list[str]:
    return attempts
