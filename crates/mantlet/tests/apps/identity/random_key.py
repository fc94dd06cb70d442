"""Notes. The key of its tokens is made when it is imported."""

import secrets
import time

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from pydantic import BaseModel

SECRET_KEY: str = secrets.token_urlsafe(32)

app = FastAPI()
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="auth/login")
passwords = {"ann": "battlement", "bob": "drawbridge"}


class Note(BaseModel):
    text: str


def get_current_user(token: str = Depends(oauth2_scheme)) -> str:
    try:
        return jwt.decode(token, SECRET_KEY, algorithms=["HS256"])["sub"]
    except (jwt.PyJWTError, KeyError):
        raise HTTPException(401, "Invalid token", headers={"WWW-Authenticate": "Bearer"})


@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/auth/login")
def login(form: OAuth2PasswordRequestForm = Depends()):
    if passwords.get(form.username) != form.password:
        raise HTTPException(400, "Incorrect username or password")
    claims = {"sub": form.username, "iat": int(time.time()), "exp": int(time.time()) + 1800}
    token = jwt.encode(claims, SECRET_KEY, algorithm="HS256")
    return {"access_token": token, "token_type": "bearer"}


@app.get("/me")
def me(user: str = Depends(get_current_user)):
    return {"username": user}


@app.post("/notes", status_code=201)
def add_note(note: Note, user: str = Depends(get_current_user)):
    return {"owner": user, "text": note.text}
