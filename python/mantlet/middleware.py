"""The caller of each request, for all that runs in it. Plain ASGI: it changes no request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mantlet.caller import of_request

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class CallerMiddleware:
    """`app.add_middleware(mantlet.CallerMiddleware)`"""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        with of_request(scope.get("headers", ())):  # the start of the app has none
            await self.app(scope, receive, send)
