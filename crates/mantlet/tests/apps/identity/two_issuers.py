"""Reports for own users and for those of a partner, who signs tokens of its own."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm

ISSUER = "https://reports.example.com"
AUDIENCE = "reports"
SECRET_KEY = "a-portcullis-is-not-a-password-but-it-is-a-key"
PARTNER = "https://login.partner.example"
PARTNER_PUBLIC_KEY = Path("partner.pem").read_text()

app = FastAPI()
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="auth/token")
users = {"ann": "battlement"}


def reader(token: Annotated[str, Depends(oauth2_scheme)]) -> dict:
    try:
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
        if issuer == PARTNER:
            claims = jwt.decode(
                token, PARTNER_PUBLIC_KEY, ["RS256"], audience=AUDIENCE, issuer=PARTNER
            )
        else:
            claims = jwt.decode(token, SECRET_KEY, ["HS256"], audience=AUDIENCE, issuer=ISSUER)
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, "Invalid token", {"WWW-Authenticate": "Bearer"}) from error
    return claims


@app.post("/auth/token")
def log_in(form: Annotated[OAuth2PasswordRequestForm, Depends()]):
    if users.get(form.username) != form.password:
        raise HTTPException(401, "Wrong username or password")
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": form.username,
        "exp": datetime.now(UTC) + timedelta(hours=1),
    }
    return {"access_token": jwt.encode(claims, SECRET_KEY), "token_type": "bearer"}


@app.get("/reports")
def reports(claims: Annotated[dict, Depends(reader)]):
    return {"reader": claims["sub"], "of": claims["iss"], "reports": [1, 2]}
