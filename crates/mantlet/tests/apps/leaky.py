"""An app whose handlers answer more than their models have, and which fails in many ways."""

import asyncio
import json
import traceback

from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel, ConfigDict, Field, SecretStr, computed_field
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware

app = FastAPI()
HASH = "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"


class Friend(BaseModel):
    name: str


class Cat(BaseModel):
    lives: int


class User(BaseModel):
    id: int
    mail: str = Field("", serialization_alias="e-mail")
    friends: list[Friend] = []
    by_name: dict[str, Friend] = {}
    pet: Cat | Friend | None = None

    @computed_field(alias="shownAs")
    @property
    def shown(self) -> str:
        return f"user {self.id}"


class UserInDB(User):
    hashed_password: str = HASH


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    id: int


class Key(BaseModel):
    id: int
    secret: str
    shown: SecretStr = SecretStr("hidden")


class Token(BaseModel):
    access_token: str
    client_secret: str


class Problem(BaseModel):
    problem: str


WHOLE = {
    "id": 1,
    "e-mail": "a@example.com",
    "is_admin": False,
    "friends": [{"name": "Ann", "note": "owes 5"}],
    "by_name": {"anything": {"name": "Ben", "hashed_password": "x"}},
    "pet": {"lives": 9, "name": "Tom", "chip": 7},
    "shownAs": "user 1",
    "hashed_password": HASH,
}


@app.get("/honest", response_model=User)
def honest():
    return UserInDB(id=1, mail="a@example.com", friends=[{"name": "Ann"}], pet={"lives": 9})


@app.get("/bypassed", response_model=User)
@app.head("/bypassed", response_model=User, include_in_schema=False)
def bypassed():
    return JSONResponse(WHOLE, headers={"ETag": '"1"'})


@app.get("/large", response_model=User)
def large():
    return JSONResponse({**WHOLE, "filler": "x" * 2_000_000})


@app.get("/compressible", response_model=User)
def compressible():
    return JSONResponse({**WHOLE, "filler": "x" * 20_000})


@app.get("/no-model")
def no_model():
    return WHOLE


@app.get("/in-db", response_model=UserInDB)
def in_db():
    return UserInDB(id=1)


@app.get("/open", response_model=Open)
def open_():
    return {"id": 1, "more": {"anything": True}}


@app.get("/key", response_model=Key)
def key():
    return Key(id=1, secret="s3cret")


@app.post("/login/token")
def token():
    return {"token": "t", "secret": "s3cret", "hashed_password": "x"}


@app.get("/token-model", response_model=Token)
def token_model():
    return {"access_token": "t", "client_secret": "s3cret"}


@app.get("/me", dependencies=[Depends(OAuth2PasswordBearer(tokenUrl="login/token"))])
def me():
    return {}


@app.get("/schema")
def schema():
    return {"type": "object", "properties": {"password": {"type": "string"}}, "password": True, "secret": None}


@app.get("/not-found", response_model=User, responses={404: {"model": Problem}})
def not_found():
    raise HTTPException(404, "No such user")


async def pieces(*all):
    for piece in all:
        yield piece


@app.get("/chunked")
def chunked():
    return StreamingResponse(pieces(b'{"password":', b'"a"}'), media_type="application/json")


@app.get("/events")
def events():
    async def one_and_wait():
        yield b'data: {"password": "a"}\n\n'
        await asyncio.sleep(3600)

    return StreamingResponse(one_and_wait(), media_type="text/event-stream")


@app.get("/partial")
def partial():
    return JSONResponse(WHOLE, 206, headers={"Content-Range": "bytes 0-9/10"})


@app.get("/boom")
@app.head("/boom", include_in_schema=False)
def boom():
    raise KeyError("the inside")


@app.get("/boom-json")
def boom_json():
    return JSONResponse({"error": {"message": "no", "type": "server_error"}}, 500)


@app.get("/told-by-the-app")
def told_by_the_app():
    try:
        boom()
    except KeyError:
        return JSONResponse({"error": traceback.format_exc()}, 500)


@app.get("/boom-declared", responses={500: {"model": Problem}})
def boom_declared():
    return JSONResponse({"problem": "known"}, 500)


@app.get("/down")
def down():
    raise HTTPException(503, {"status": "down"}, headers={"Retry-After": "7"})


@app.get("/down-html")
def down_html():
    return HTMLResponse("<h1>at 10.0.0.7: connection refused</h1>", 502)


@app.get("/down-declared", responses={503: {"description": "down"}})
def down_declared():
    return JSONResponse({"status": "down"}, 503)


@app.get("/told")
def told():
    try:
        boom()
    except KeyError:
        return JSONResponse({"error": traceback.format_exc()}, 400)


@app.get("/told-in-text")
def told_in_text():
    try:
        boom()
    except KeyError:
        return PlainTextResponse(traceback.format_exc(), 404)


handled = FastAPI()
handled.router.routes.extend(app.router.routes)


@handled.exception_handler(Exception)
async def unexpected(request, error):
    return PlainTextResponse("Internal Server Error", 500)


debugging = FastAPI(debug=True)
debugging.router.routes.extend(app.router.routes)

compressed = FastAPI()
compressed.router.routes.extend(app.router.routes)


class Measured(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        response = await call_next(request)
        response.headers["X-Measured"] = "1"
        return response


# Through the inner one an answer comes in pieces, so that the outer one cannot say how long it will be.
compressed.add_middleware(Measured)
compressed.add_middleware(GZipMiddleware, minimum_size=10)


class Brotli:
    """Says that it compresses; that is enough."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        asked = dict(scope.get("headers", ())).get(b"accept-encoding", b"")

        async def send_on(message):
            if message["type"] == "http.response.start" and b"br" in asked:
                message["headers"] = [*message["headers"], (b"content-encoding", b"br")]
            await send(message)

        await self.app(scope, receive, send_on)


brotli = FastAPI()
brotli.router.routes.extend(app.router.routes)
brotli.add_middleware(Brotli)


class Envelope(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        response = await call_next(request)
        body = b"".join([piece async for piece in response.body_iterator])
        # The names collide with those of the model.
        return JSONResponse({"id": 0, "data": json.loads(body)}, response.status_code)


wrapped = FastAPI()
wrapped.router.routes.extend(app.router.routes)
wrapped.add_middleware(Envelope)
