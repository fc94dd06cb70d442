"""Binds its tokens to the keys of its clients, and verifies their proofs itself (RFC 9449)."""

import hashlib
import time
from base64 import urlsafe_b64encode
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.security import OAuth2PasswordRequestForm

KEY = "two-keys-open-the-postern-and-one-does-not"
PASSWORDS = {"ann": "battlement"}

app = FastAPI()


def refused() -> HTTPException:
    return HTTPException(401, "Invalid proof", {"WWW-Authenticate": 'DPoP error="invalid_dpop_proof"'})


def encoded(digest: bytes) -> str:
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def verified(request: Request, proof: str) -> tuple[str, dict[str, Any]]:
    """-> the thumbprint of a proof's key, and its claims."""
    try:
        key = jwt.get_unverified_header(proof)["jwk"]
        claims = jwt.decode(proof, jwt.PyJWK(key).key, algorithms=["ES256"])
    except (jwt.InvalidTokenError, jwt.PyJWKError, KeyError):
        raise refused() from None
    if claims["htm"] != request.method or not claims["htu"].endswith(request.url.path):
        raise refused()
    members = f'{{"crv":"P-256","kty":"EC","x":"{key["x"]}","y":"{key["y"]}"}}'
    return encoded(hashlib.sha256(members.encode()).digest()), claims


@app.post("/token")
def token(
    request: Request, form: Annotated[OAuth2PasswordRequestForm, Depends()], dpop: Annotated[str, Header()]
) -> dict[str, str]:
    if PASSWORDS.get(form.username) != form.password:
        raise HTTPException(400, "Incorrect username or password")
    thumbprint, _ = verified(request, dpop)
    claims = {"sub": form.username, "exp": int(time.time()) + 600, "cnf": {"jkt": thumbprint}}
    return {"access_token": jwt.encode(claims, KEY, algorithm="HS256"), "token_type": "DPoP"}


@app.get("/me")
def me(
    request: Request, authorization: Annotated[str, Header()], dpop: Annotated[str, Header()]
) -> dict[str, str]:
    scheme, _, text = authorization.partition(" ")
    thumbprint, proven = verified(request, dpop)
    try:
        claims = jwt.decode(text, KEY, algorithms=["HS256"])
    except jwt.InvalidTokenError:
        raise refused() from None
    is_its_own = proven.get("ath") == encoded(hashlib.sha256(text.encode()).digest())
    if scheme != "DPoP" or claims["cnf"]["jkt"] != thumbprint or not is_its_own:
        raise refused()
    return {"caller": claims["sub"], "scheme": scheme}
