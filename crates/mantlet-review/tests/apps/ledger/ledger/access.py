"""Sessions in a cookie, roles and teams."""

import hashlib
import hmac
import os
import secrets
from typing import Annotated

from fastapi import Cookie, Depends, Header, HTTPException, Request, Response
from sqlalchemy import select

from ledger.store import Account, Db, Posting, Seat

WEBHOOK_KEY = os.environ.get("SECRET_KEY", "").encode()
_open: dict[str, int] = {}


def scramble(password: str, salt: bytes | None = None) -> str:
    salt = salt or secrets.token_bytes(16)
    return f"{salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1).hex()}"


def is_right(password: str, kept: str) -> bool:
    salt, _, _ = kept.partition("$")
    return hmac.compare_digest(scramble(password, bytes.fromhex(salt)), kept)


def begin(answer: Response, account: Account) -> None:
    ticket = secrets.token_urlsafe(32)
    _open[ticket] = account.id
    answer.set_cookie("ledger_session", ticket, max_age=3600, secure=True, httponly=True, samesite="strict")


def end(answer: Response, ticket: str) -> None:
    _open.pop(ticket, None)
    answer.delete_cookie("ledger_session")


def caller(db: Db, ledger_session: Annotated[str | None, Cookie()] = None) -> Account:
    number = _open.get(ledger_session or "")
    account = db.get(Account, number) if number is not None else None
    if account is None:
        raise HTTPException(401, "log in first")
    return account


Caller = Annotated[Account, Depends(caller)]


def auditor(who: Caller) -> Account:
    if not who.is_auditor:
        raise HTTPException(403, "auditors only")
    return who


def member(team_id: int, who: Caller, db: Db) -> int:
    if db.get(Seat, (team_id, who.id)) is None:
        raise HTTPException(404, "no such team")
    return team_id


Team = Annotated[int, Depends(member)]


def own_posting(posting_id: int, who: Caller, db: Db) -> Posting:
    statement = (
        select(Posting)
        .join(Seat, Seat.team_id == Posting.team_id)
        .where(Posting.id == posting_id, Seat.account_id == who.id)
    )
    found = db.execute(statement).scalar_one_or_none()
    if found is None:
        raise HTTPException(404, "no such posting")
    return found


async def signed(request: Request, x_signature: Annotated[str, Header()]) -> bytes:
    body = await request.body()
    expected = hmac.new(WEBHOOK_KEY, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, x_signature):
        raise HTTPException(401, "not signed")
    return body
