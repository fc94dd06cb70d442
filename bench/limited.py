"""The same small app three times: bare, and with slowapi as its documentation shows it, by a decorator and by a middleware. One request uses up the limit."""

from fastapi import FastAPI, Request
from slowapi import Limiter, _rate_limit_exceeded_handler
from slowapi.errors import RateLimitExceeded
from slowapi.middleware import SlowAPIMiddleware
from slowapi.util import get_remote_address

LIMIT = "1/hour"


async def work(request: Request) -> dict[str, str]:
    return {"name": "Pavise", "category": "shields"}


bare = FastAPI()
bare.get("/work")(work)
bare.get("/counts")(work)


def limited(limiter: Limiter) -> FastAPI:
    app = FastAPI()
    app.state.limiter = limiter
    app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)
    return app


by_decorator = Limiter(key_func=get_remote_address)
decorator = limited(by_decorator)
decorator.get("/work")(by_decorator.limit(LIMIT)(work))

middleware = limited(Limiter(key_func=get_remote_address, default_limits=[LIMIT]))
middleware.add_middleware(SlowAPIMiddleware)
middleware.get("/work")(work)
