"""Takes bearer tokens of an identity provider, and tells what it has seen of a request."""

from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from jwt.exceptions import InvalidTokenError

KEY = "a-portcullis-falls-behind-the-last-guest"

app = FastAPI()
bearer = HTTPBearer()


def caller(shown: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> str:
    try:
        claims = jwt.decode(shown.credentials, KEY, algorithms=["HS256"], audience="shop")
    except InvalidTokenError:
        raise HTTPException(401, "Invalid token", {"WWW-Authenticate": "Bearer"}) from None
    return claims["sub"]


@app.api_route("/me", methods=["GET", "POST"])
@app.get("/items/{item}")
def seen(request: Request, name: Annotated[str, Depends(caller)]) -> dict[str, Any]:
    return {"caller": name, "headers": request.headers.items()}
