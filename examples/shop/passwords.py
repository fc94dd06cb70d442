"""Password hashes and login tokens, with the standard library only."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode

# Careless: the signing key stands in the source, so whoever reads the repository can log in as anyone.
SIGNING_KEY = b"change-me"


def hash(password: str) -> str:
    salt = secrets.token_bytes(16)
    return f"scrypt${salt.hex()}${_scrypt(password, salt).hex()}"


def matches(password: str, hashed: str) -> bool:
    _, salt, expected = hashed.split("$")
    return hmac.compare_digest(_scrypt(password, bytes.fromhex(salt)).hex(), expected)


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)


def issue_token(username: str) -> str:
    # Careless: a token never expires and cannot be revoked.
    return f"{urlsafe_b64encode(username.encode()).decode()}.{_sign(username)}"


def read_token(token: str) -> str | None:
    """The user whom a token names, or None when it is not one of ours."""
    try:
        encoded, signature = token.split(".")
        username = urlsafe_b64decode(encoded).decode()
    except ValueError:
        return None
    return username if hmac.compare_digest(signature.encode(), _sign(username).encode()) else None


def _sign(username: str) -> str:
    return hmac.new(SIGNING_KEY, username.encode(), "sha256").hexdigest()
