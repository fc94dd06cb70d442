from datetime import timedelta

import jwt
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from app import config
from app.models import User, now

passwords = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19456),))


def create_access_token(user: User) -> str:
    expires = now() + timedelta(minutes=config.ACCESS_TOKEN_EXPIRE_MINUTES)
    return jwt.encode({"sub": str(user.id), "exp": expires}, config.SECRET_KEY, algorithm=config.ALGORITHM)
