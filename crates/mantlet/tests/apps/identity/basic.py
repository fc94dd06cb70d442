"""A page for administrators, with a password that the browser asks for."""

import secrets
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import HTMLResponse
from fastapi.security import HTTPBasic, HTTPBasicCredentials

app = FastAPI()
security = HTTPBasic(realm="Keep")


def admin(credentials: Annotated[HTTPBasicCredentials, Depends(security)]) -> str:
    name_is_right = secrets.compare_digest(credentials.username.encode(), b"ann")
    password_is_right = secrets.compare_digest(credentials.password.encode(), b"battlement")
    if not (name_is_right and password_is_right):
        raise HTTPException(401, "Incorrect username or password", {"WWW-Authenticate": "Basic"})
    return credentials.username


@app.get("/admin", response_class=HTMLResponse)
def page(name: Annotated[str, Depends(admin)]):
    return f"<!doctype html><title>Keep</title><p>Hello {name}</p>"


@app.get("/admin/settings")
def settings(name: Annotated[str, Depends(admin)]):
    return {"gate": "closed", "asked_by": name}


@app.get("/")
def root():
    return {"gate": "closed"}
