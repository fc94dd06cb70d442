"""The caller of each request, for all that runs in it. Plain ASGI: it changes no request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mantlet.caller import of_request
from mantlet.errors import MantletError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# What has to be right before the app starts. They raise a `MantletError` if it is not.
BEFORE_START: list[Callable[[], Awaitable[None]]] = []


class CallerMiddleware:
    """`app.add_middleware(mantlet.CallerMiddleware)`

    Also checks, when the app starts, what `mantlet.scope` needs; if it is wrong, the app does not
    start.
    """

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.start(scope, receive, send)
            return
        with of_request(scope):
            await self.app(scope, receive, send)

    async def start(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        first: list[Message] = [await receive()]
        try:
            for check in BEFORE_START:
                await check()
        except MantletError as error:
            await send({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
            raise

        async def again() -> Message:
            return first.pop() if first else await receive()

        await self.app(scope, again, send)
