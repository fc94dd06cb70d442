from datetime import UTC, datetime, timedelta
from typing import Any

from jose import jwt
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from app.core.config import settings

ALGORITHM = "HS256"

pwd_context = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19456, parallelism=1),))


def create_token(subject: str | Any, minutes: int, kind: str) -> str:
    expire = datetime.now(UTC) + timedelta(minutes=minutes)
    to_encode = {"exp": expire, "sub": str(subject), "type": kind}
    return jwt.encode(to_encode, settings.SECRET_KEY, algorithm=ALGORITHM)


def create_access_token(subject: str | Any) -> str:
    return create_token(subject, settings.ACCESS_TOKEN_EXPIRE_MINUTES, "access")


def create_refresh_token(subject: str | Any) -> str:
    return create_token(subject, settings.REFRESH_TOKEN_EXPIRE_MINUTES, "refresh")


def verify_password(plain_password: str, hashed_password: str) -> bool:
    return pwd_context.verify(plain_password, hashed_password)


def get_password_hash(password: str) -> str:
    return pwd_context.hash(password)
