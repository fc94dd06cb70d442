"""The caller as a dependency of FastAPI: `Depends(mantlet.principal)`."""

from __future__ import annotations

from fastapi import HTTPException
from starlette.requests import HTTPConnection

from mantlet.caller import Principal, current_principal, read


async def principal(connection: HTTPConnection) -> Principal:
    """The proven caller of the request. Without one: 401.

    It also is what `mantlet.current_principal()` gives from here on, in an app without
    `mantlet.CallerMiddleware`.
    """
    # In the request's own task, so all that runs in it later knows it, too.
    headers = connection.headers
    read(headers.getlist("x-mantlet-principal"), headers.getlist("x-mantlet-principal-signature"))
    known = current_principal()
    if known is None:
        raise HTTPException(401, "Not authenticated", {"WWW-Authenticate": "Bearer"})
    return known
