"""Every kind of thing that the inspector meets, once."""

from __future__ import annotations

import datetime
import decimal
import enum
import ipaddress
import uuid
import zlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Optional, Sequence, TypeVar, Union

from fastapi import APIRouter, Body, Cookie, Depends, FastAPI, File, Form, Header, HTTPException, Query, Request
from fastapi import Security, UploadFile, WebSocket
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse, PlainTextResponse
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBasic, OAuth2PasswordBearer, SecurityScopes
from pydantic import AfterValidator, AliasChoices, AliasPath, AnyUrl, AwareDatetime, Base64Str, BaseModel
from pydantic import BeforeValidator, ConfigDict, Field, HttpUrl, Json, PastDate, PostgresDsn, RootModel, Secret
from pydantic import SecretStr, StrictInt, StringConstraints, computed_field, field_validator, model_validator
from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import Response
from starlette.routing import Host, Mount, Route, Router
from typing_extensions import TypedDict


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.ready = True
    yield


app = FastAPI(title="Everything", lifespan=lifespan, root_path="/behind")
app.add_middleware(CORSMiddleware, allow_origins=["https://shop.example"])


# Shapes


class Color(enum.Enum):
    RED = "red"
    BLUE = 2


class Size(int, enum.Enum):
    S = 1
    L = 2


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]


class Node(BaseModel):
    name: str
    children: list[Node] = []


class Movie(TypedDict, total=False):
    title: str
    year: int


@dataclass
class Point:
    x: int
    tags: list[str] = field(default_factory=list)


T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    items: list[T]


def positive(value: int) -> int:
    if value < 0:
        raise ValueError("negative")
    return value


def emptied(value: Any) -> Any:
    return "" if value is None else value


class Scalars(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, str_max_length=100, allow_inf_nan=False)

    integer: Annotated[int, Field(gt=0, le=10**30, multiple_of=3)]
    strict_integer: StrictInt
    number: float = Field(1.5, lt=2.5)
    money: Annotated[decimal.Decimal, Field(max_digits=6, decimal_places=2, ge=0)]
    text: Annotated[str, StringConstraints(min_length=1, pattern="^[a-z]+$", to_lower=True)]
    truth: bool
    raw: bytes
    day: Annotated[datetime.date, Field(ge=datetime.date(2020, 1, 2))]
    birthday: PastDate
    moment: AwareDatetime
    clock: datetime.time
    span: Annotated[datetime.timedelta, Field(le=datetime.timedelta(days=1, seconds=5))]
    color: Color
    size: Size
    literal: Literal["a", 1, None]
    identifier: uuid.UUID
    address: ipaddress.IPv4Address
    site: HttpUrl
    database: PostgresDsn
    anywhere: AnyUrl
    password: SecretStr
    path: Path
    inside: Json[list[int]]
    encoded: Base64Str
    hidden: Secret[int]
    anything: Any


class Containers(BaseModel):
    numbers: Annotated[list[int], Field(min_length=1, max_length=3)]
    unique: set[str]
    frozen: frozenset[int]
    pair: tuple[int, str]
    many: tuple[int, ...]
    mapping: dict[str, float]
    sequence: Sequence[int]
    maybe: Optional[int] = None
    either: Union[int, str, list[Annotated[str, Field(max_length=2)]]]
    ordered: Union[int, str] = Field(union_mode="left_to_right")
    pet: Annotated[Union[Cat, Dog], Field(discriminator="kind")]
    node: Node
    movie: Movie
    point: Point
    page: Page[Cat]
    root: RootModel[list[int]]


class Aliased(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    one: int = Field(alias="First")
    two: int = Field(2, validation_alias=AliasChoices("second", AliasPath("deep", 0)))


class Validated(BaseModel):
    before: Annotated[str, BeforeValidator(emptied)]
    after: Annotated[int, AfterValidator(positive)]
    checked: int = 0

    @field_validator("checked", mode="wrap")
    @classmethod
    def wrapped(cls, value, handler):
        return handler(value)


class Whole(BaseModel):
    value: int

    @model_validator(mode="before")
    @classmethod
    def old_names(cls, data: Any) -> Any:
        return data


class Later(BaseModel):
    value: int

    @model_validator(mode="after")
    def consistent(self) -> Later:
        return self


class Constructed(BaseModel):
    value: int

    def __init__(self, **data: Any) -> None:
        super().__init__(**data)


@app.post("/scalars")
def scalars(body: Scalars) -> None: ...


@app.post("/containers")
def containers(body: Containers) -> None: ...


@app.post("/aliased")
def aliased(body: Aliased) -> None: ...


@app.post("/validated")
def validated(body: Validated, whole: Whole, later: Later, constructed: Constructed) -> None: ...


# Inputs


class Filters(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: int = 10
    tags: list[str] = []


class Device(BaseModel):
    user_agent: str
    x_kind: Optional[str] = None


class Login(BaseModel):
    username: str
    picture: Optional[UploadFile] = None


def page(offset: int = 0, token: Annotated[str, Header()] = "") -> int:
    return offset


def again(number: Annotated[int, Depends(page)], session: Annotated[Optional[str], Cookie()] = None) -> int:
    return number


@app.get("/inputs/{item_id}")
def inputs(
    item_id: int,
    first: Annotated[int, Depends(page)],
    second: Annotated[int, Depends(again)],
    q: Annotated[list[str], Query(alias="search")],
    x_token: Annotated[list[str], Header()] = [],
    checked: Annotated[int, Query(validate_default=True)] = 1,
) -> None: ...


@app.get("/groups")
def groups(
    filters: Annotated[Filters, Query()],
    device: Annotated[Optional[Device], Header()] = None,
) -> None: ...


@app.put("/embedded")
def embedded(item: Cat, importance: Annotated[int, Body(gt=0)] = 1) -> None: ...


@app.put("/alone")
def alone(importance: Annotated[int, Body(embed=True)]) -> None: ...


@app.post("/form")
def form(name: Annotated[str, Form()], tags: Annotated[list[str], Form()] = []) -> None: ...


@app.post("/login")
def login(data: Annotated[Login, Form()]) -> None: ...


@app.post("/upload")
def upload(content: Annotated[bytes, File()], more: list[UploadFile], note: Annotated[str, Form()] = "") -> None: ...


@app.delete("/raw")
async def raw(request: Request) -> None:
    await request.body()


lenient = APIRouter(prefix="/lenient", strict_content_type=False, tags=["lenient"])


@lenient.post("/json")
def lenient_json(body: Cat, request: Request) -> None:
    print(request.query_params)


@app.post("/named")
def named(body: Cat, request: Request) -> None:
    print(request.client, request.headers.get("user-agent"))


# Security

oauth = OAuth2PasswordBearer("token", scopes={"items": "all of them"}, auto_error=False)
key = APIKeyHeader(name="X-Key")


def user(scopes: SecurityScopes, token: Annotated[Optional[str], Depends(oauth)]) -> str:
    return ""


@app.get("/secured")
def secured(
    who: Annotated[str, Security(user, scopes=["items"])],
    secret: Annotated[str, Depends(key)],
    basic: Annotated[Any, Depends(HTTPBasic())],
) -> None: ...


# Answers


class Shown(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    name: str = Field(serialization_alias="displayName")
    password: str = Field("", exclude=True)
    pets: list[Cat] = []

    @computed_field
    @property
    def initials(self) -> str:
        return self.name[:1]


class Failed(BaseModel):
    reason: str


@app.get("/shown", status_code=202, responses={404: {"model": Failed}, 410: {}, "4XX": {"model": Failed}})
def shown() -> Shown: ...


@app.get("/excluded", response_model=Shown, response_model_exclude={"pets"}, response_model_by_alias=False)
def excluded(): ...


@app.get("/page", response_class=HTMLResponse)
def html() -> str: ...


@app.get("/unions")
def unions() -> Union[Shown, list[dict[str, Any]], None]: ...


@app.get("/text-or-model")
def text_or_model() -> Union[str, Failed]: ...


@app.get("/several")
def several() -> Optional[dict[str, Union[Cat, Dog]]]: ...


# Routes


class Timed(APIRoute):
    def get_route_handler(self):
        handler = super().get_route_handler()

        async def timed(request: Request) -> Response:
            response = await handler(request)
            response.headers["X-Time"] = "1"
            return response

        return timed


timed = APIRouter(route_class=Timed)


@timed.post("/timed")
def timed_body(body: Cat) -> None: ...


class Inflated(Request):
    async def body(self) -> bytes:
        return zlib.decompress(await super().body())


class Compressed(APIRoute):
    def get_route_handler(self):
        handler = super().get_route_handler()

        async def inflated(request: Request) -> Response:
            return await handler(Inflated(request.scope, request.receive))

        return inflated


compressed = APIRouter(route_class=Compressed)


@compressed.post("/compressed")
def compressed_body(body: Cat) -> None: ...


class Even(Convertor[int]):
    regex = "[02468]+"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("even", Even())


@lenient.get("/numbers/{number:even}")
def numbers(number: int) -> None: ...


@app.get("/files/{name:path}", include_in_schema=False)
def files(name: str) -> None: ...


@app.api_route("/several-methods", methods=["GET", "POST"], operation_id="several")
def several_methods() -> None: ...


async def plain(request: Request) -> Response:
    return PlainTextResponse("")


async def foreign(scope: Any, receive: Any, send: Any) -> None: ...


@app.websocket("/socket/{room}")
async def socket(socket: WebSocket, room: str) -> None: ...


inner = FastAPI(redirect_slashes=False)


@inner.get("/things")
def things() -> None: ...


@inner.exception_handler(404)
async def lost(request: Request, error: HTTPException) -> Response:
    return PlainTextResponse("a page for everything")


outer = APIRouter(prefix="/outer", tags=["outer"])
outer.include_router(lenient, prefix="/v1", dependencies=[Depends(page)])
lenient.add_route("/plain", plain, methods=["POST"])
lenient.mount("/mounted", Router([Route("/deep", plain)]))
outer.add_api_websocket_route("/socket", socket)
app.include_router(outer)
app.frontend("/web", directory=Path(__file__).parent)
app.include_router(compressed)
app.include_router(timed)
app.add_route("/plain", plain, methods=["GET"])
app.mount("/inner", inner)
app.mount("/router", Router([Route("/deep", plain)]))
app.mount("/foreign", foreign)
app.router.routes.append(Host("api.example.com", Router([Mount("/x", foreign)])))
