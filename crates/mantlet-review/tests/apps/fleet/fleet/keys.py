"""Tokens and passwords."""

import hashlib
from datetime import datetime, timedelta, timezone

import jwt

JWT_SECRET = "fleet-secret"
LIFETIME = timedelta(days=90)


def digest(password: str) -> str:
    return hashlib.sha256(password.encode("utf-8")).hexdigest()


def badge(employee_id: int) -> str:
    claims = {"sub": str(employee_id), "exp": datetime.now(timezone.utc) + LIFETIME}
    return jwt.encode(claims, JWT_SECRET, algorithm="HS256")


def invitation(company_id: int) -> str:
    return jwt.encode({"company": company_id}, JWT_SECRET, algorithm="HS256")


def holder(token: str) -> int:
    return int(jwt.decode(token, JWT_SECRET, algorithms=["HS256"])["sub"])
