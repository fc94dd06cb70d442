"""Who is on the line."""

import jwt
from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from fleet import keys
from fleet.tables import Employee, Session, opened

bearer = HTTPBearer()


class OnTheLine:
    """The employee who calls."""

    def __init__(self, request: Request) -> None:
        self.agent = request.headers.get("user-agent")

    def __call__(self):
        return self.agent


def identified(
    shown: HTTPAuthorizationCredentials = Depends(bearer), session: Session = Depends(opened)
) -> Employee:
    try:
        number = keys.holder(shown.credentials)
    except (jwt.PyJWTError, KeyError, ValueError):
        raise HTTPException(401, "badge not accepted") from None
    found = session.get(Employee, number)
    if found is None:
        raise HTTPException(401, "nobody has this badge")
    return found


class Needs:
    """Only those who may."""

    def __init__(self, dispatching: bool = False) -> None:
        self.dispatching = dispatching

    def __call__(self, me: Employee = Depends(identified)) -> Employee:
        if self.dispatching and not me.dispatcher:
            raise HTTPException(403, "dispatchers only")
        return me


dispatcher = Needs(dispatching=True)
