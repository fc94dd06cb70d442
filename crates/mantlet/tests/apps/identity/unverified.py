"""A dashboard that trusts its front end: it reads tokens and does not verify them."""

import time

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm

SECRET_KEY = "79e6cb8bfa932a592274fa0113128ab4c30c47d2"

app = FastAPI()
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="token")
users = {"ann": "battlement"}


def get_current_user(token: str = Depends(oauth2_scheme)):
    try:
        # TODO: verify it once the other service tells us its key
        payload = jwt.decode(token, options={"verify_signature": False})
    except jwt.DecodeError:
        raise HTTPException(401, "Could not validate credentials", {"WWW-Authenticate": "Bearer"})
    return payload["sub"]


@app.post("/token")
def token(form: OAuth2PasswordRequestForm = Depends()):
    if users.get(form.username) != form.password:
        raise HTTPException(401, "Incorrect username or password")
    claims = {"sub": form.username, "exp": time.time() + 3600}
    return {"access_token": jwt.encode(claims, SECRET_KEY), "token_type": "bearer"}


@app.get("/dashboard")
def dashboard(user: str = Depends(get_current_user)):
    return {"user": user, "widgets": ["load", "errors"]}
