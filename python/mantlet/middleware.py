"""The caller of each request, for all that runs in it. Plain ASGI: it changes no request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mantlet.caller import of_request
from mantlet.errors import MantletError
from mantlet.events import in_request

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class CallerMiddleware:
    """`app.add_middleware(mantlet.CallerMiddleware)`

    `before_start` is awaited when the app starts; if it raises a `MantletError`, the app does not.
    """

    def __init__(
        self, app: Callable[..., Awaitable[None]], before_start: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self.app = app
        self.before_start = before_start

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.check(send)
            await self.app(scope, receive, send)
        else:
            with of_request(scope["headers"]), in_request(scope["headers"]):
                await self.app(scope, receive, send)

    async def check(self, send: Send) -> None:
        try:
            if self.before_start is not None:
                await self.before_start()
        except MantletError as error:
            await send({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
            raise
