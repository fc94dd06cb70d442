import os
import uuid

from fastapi import Depends, Request
from fastapi_users import BaseUserManager, FastAPIUsers, InvalidPasswordException, UUIDIDMixin
from fastapi_users.authentication import (
    AuthenticationBackend,
    BearerTransport,
    CookieTransport,
    JWTStrategy,
)
from fastapi_users.authentication.strategy.db import DatabaseStrategy
from fastapi_users.password import PasswordHelper
from fastapi_users_db_sqlalchemy import SQLAlchemyUserDatabase
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from app import mail
from app.db import User, get_access_token_db, get_user_db

SECRET = os.getenv("USERS_SECRET", "fa95916aae88c378ddeec456bfbd85a3f567f7bcc5c82ab6")
LIFETIME = 3600


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    reset_password_token_secret = SECRET
    verification_token_secret = SECRET

    async def validate_password(self, password: str, user) -> None:
        if len(password) < 8:
            raise InvalidPasswordException("Password should be at least 8 characters")

    async def on_after_forgot_password(
        self, user: User, token: str, request: Request | None = None
    ):
        mail.send(user.email, "Your new password", f"token: {token}")

    async def on_after_request_verify(self, user: User, token: str, request: Request | None = None):
        mail.send(user.email, "Please confirm your address", f"token: {token}")


def get_password_helper() -> PasswordHelper:
    return PasswordHelper(PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19456),)))


async def get_user_manager(user_db: SQLAlchemyUserDatabase = Depends(get_user_db)):
    yield UserManager(user_db, get_password_helper())


def get_jwt_strategy() -> JWTStrategy:
    return JWTStrategy(secret=SECRET, lifetime_seconds=LIFETIME)


def get_database_strategy(access_token_db=Depends(get_access_token_db)) -> DatabaseStrategy:
    return DatabaseStrategy(access_token_db, lifetime_seconds=LIFETIME)


cookie_backend = AuthenticationBackend(
    name="cookie",
    transport=CookieTransport(
        cookie_name="session", cookie_max_age=LIFETIME, cookie_secure=False, cookie_samesite="lax"
    ),
    get_strategy=get_jwt_strategy,
)
jwt_backend = AuthenticationBackend(
    name="jwt", transport=BearerTransport(tokenUrl="auth/jwt/login"), get_strategy=get_jwt_strategy
)
database_backend = AuthenticationBackend(
    name="database",
    transport=BearerTransport(tokenUrl="auth/db/login"),
    get_strategy=get_database_strategy,
)
backends = {"cookie": cookie_backend, "jwt": jwt_backend, "db": database_backend}

fastapi_users = FastAPIUsers[User, uuid.UUID](get_user_manager, list(backends.values()))

current_active_user = fastapi_users.current_user(active=True)
current_verified_user = fastapi_users.current_user(active=True, verified=True)
optional_user = fastapi_users.current_user(active=True, optional=True)
