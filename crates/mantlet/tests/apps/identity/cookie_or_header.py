"""Photo albums: the page of the browser uses a cookie, the app of the phone a header."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException, Response
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from fastapi.security.utils import get_authorization_scheme_param
from pydantic import BaseModel, SecretStr
from pydantic_settings import BaseSettings
from starlette.requests import Request


class Settings(BaseSettings):
    jwt_secret: SecretStr = SecretStr("B_HEozdOJwG33WJx5mJubmhu3wdBRbRvgc-APKM30Jd6w8E5")
    jwt_minutes: int = 60
    cookie_name: str = "access_token"


@lru_cache
def get_settings() -> Settings:
    return Settings()


class OAuth2PasswordBearerWithCookie(OAuth2PasswordBearer):
    """Takes the token from the cookie if there is no header."""

    async def __call__(self, request: Request) -> str | None:
        header = request.headers.get("Authorization")
        value = header or request.cookies.get(get_settings().cookie_name)
        scheme, param = get_authorization_scheme_param(value)
        if not value or scheme.lower() != "bearer":
            raise HTTPException(401, "Not authenticated", {"WWW-Authenticate": "Bearer"})
        return param


app = FastAPI()
oauth2_scheme = OAuth2PasswordBearerWithCookie(tokenUrl="/token")
users = {"ann": "battlement", "bob": "drawbridge"}
albums: dict[str, list[str]] = {"ann": ["Castles"], "bob": []}


class User(BaseModel):
    username: str
    password: str


class Album(BaseModel):
    name: str


def current_user(
    token: Annotated[str, Depends(oauth2_scheme)],
    settings: Annotated[Settings, Depends(get_settings)],
) -> str:
    try:
        claims = jwt.decode(token, settings.jwt_secret.get_secret_value(), algorithms=["HS512"])
        return claims["sub"]
    except (jwt.InvalidTokenError, KeyError) as error:
        raise HTTPException(
            401, "Could not validate credentials", {"WWW-Authenticate": "Bearer"}
        ) from error


CurrentUser = Annotated[str, Depends(current_user)]


def hand_out(response: Response, username: str, settings: Settings) -> dict[str, str]:
    expires = datetime.now(UTC) + timedelta(minutes=settings.jwt_minutes)
    claims = {"sub": username, "exp": expires}
    token = jwt.encode(claims, settings.jwt_secret.get_secret_value(), algorithm="HS512")
    response.set_cookie(
        settings.cookie_name, f"Bearer {token}", max_age=60 * settings.jwt_minutes, httponly=True
    )
    return {"access_token": token, "token_type": "bearer"}


@app.post("/token")
def log_in(
    response: Response,
    form: Annotated[OAuth2PasswordRequestForm, Depends()],
    settings: Annotated[Settings, Depends(get_settings)],
):
    if users.get(form.username) != form.password:
        raise HTTPException(401, "Incorrect username or password")
    return hand_out(response, form.username, settings)


@app.post("/register", status_code=201)
def register(response: Response, user: User, settings: Annotated[Settings, Depends(get_settings)]):
    if user.username in users:
        raise HTTPException(409, "This name is taken")
    users[user.username], albums[user.username] = user.password, []
    return hand_out(response, user.username, settings)


@app.post("/logout")
def log_out(response: Response, settings: Annotated[Settings, Depends(get_settings)]):
    response.delete_cookie(settings.cookie_name, httponly=True)
    return {"message": "Goodbye"}


@app.get("/albums")
def own_albums(user: CurrentUser) -> list[str]:
    return albums[user]


@app.post("/albums", status_code=201)
def add_album(album: Album, user: CurrentUser) -> list[str]:
    albums[user].append(album.name)
    return albums[user]
