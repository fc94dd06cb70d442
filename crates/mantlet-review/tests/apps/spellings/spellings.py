"""One weakness, spelled in many ways. A line that has it ends in its name; no other line may."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from typing import Annotated, Any

from fastapi import Cookie, Depends, FastAPI, Header, HTTPException, Path, Query, status
from fastapi.security import APIKeyHeader, HTTPBasic, HTTPBasicCredentials, OAuth2PasswordRequestForm
from pydantic import BaseModel, SecretStr, field_validator
from sqlalchemy import create_engine, insert, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

app = FastAPI()
engine = create_engine("sqlite://")
FROM_ENVIRONMENT = os.environ.get("SPELLINGS_TOKEN", "")
PARTNERS = {"harbour-partner": 1, "airport-partner": 2}
STAFF_TOKEN = "lantern-of-the-staff"


class Base(DeclarativeBase):
    """Tables."""


class Account(Base):
    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    password: Mapped[str]


class Signup(BaseModel):
    name: str
    password: str


class Hidden(BaseModel):
    name: str
    password: SecretStr


class Hashing(BaseModel):
    name: str
    password: str

    @field_validator("password")
    @classmethod
    def hashed(cls, value: str) -> str:
        return digest(value)


class Kept(BaseModel):
    name: str
    password: str
    note: str = ""


class WithoutPassword(BaseModel):
    name: str
    digest: str


def digest(password: str) -> str:
    salt = secrets.token_bytes(16)
    return salt.hex() + hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1).hex()  # own-password-hash


PEOPLE: dict[str, Any] = {}
ROWS: list[Any] = []


# Passwords as they came


@app.post("/plain/keyword")
def plain_keyword(body: Signup) -> None:
    with Session(engine) as session:
        session.add(Account(name=body.name, password=body.password))  # password-in-plain


@app.post("/plain/f-string")
def plain_f_string(body: Signup) -> None:
    with Session(engine) as session:
        session.add(Account(name=body.name, password=f"plain:{body.password}"))  # password-in-plain


@app.post("/plain/str")
def plain_str(body: Signup) -> None:
    with Session(engine) as session:
        session.add(Account(name=body.name, password=str(body.password)))  # password-in-plain


@app.post("/plain/concatenated")
def plain_concatenated(body: Signup) -> None:
    kept = "x" + body.password
    with Session(engine) as session:
        session.add(Account(name=body.name, password=kept))  # password-in-plain


@app.post("/plain/percent")
def plain_percent(body: Signup) -> None:
    with Session(engine) as session:
        session.add(Account(name=body.name, password="%s!" % body.password))  # noqa: UP031 # password-in-plain


@app.post("/plain/format")
def plain_format(body: Signup) -> None:
    with Session(engine) as session:
        session.add(Account(name=body.name, password="{}".format(body.password)))  # noqa: UP032 # password-in-plain


def not_a_hash(password: str) -> str:
    return "hashed" + password


@app.post("/plain/function")
def plain_function(body: Signup) -> None:
    with Session(engine) as session:
        session.add(Account(name=body.name, password=not_a_hash(body.password)))  # password-in-plain


@app.post("/plain/encoded")
def plain_encoded(body: Signup) -> None:
    kept = base64.b64encode(body.password.encode()).decode()
    with Session(engine) as session:
        session.add(Account(name=body.name, password=kept))  # password-in-plain


@app.post("/plain/hexadecimal")
def plain_hexadecimal(body: Signup) -> None:
    with Session(engine) as session:
        session.add(Account(name=body.name, password=binascii.hexlify(body.password.encode()).decode()))  # password-in-plain


@app.post("/plain/secret")
def plain_secret(body: Hidden) -> None:
    with Session(engine) as session:
        session.add(Account(name=body.name, password=body.password.get_secret_value()))  # password-in-plain


@app.post("/plain/attribute")
def plain_attribute(body: Signup) -> None:
    account = Account(name=body.name)
    account.password = body.password  # password-in-plain
    with Session(engine) as session:
        session.add(account)


@app.post("/plain/dump")
def plain_dump(body: Signup) -> None:
    with Session(engine) as session:
        session.add(Account(**body.model_dump()))  # password-in-plain


@app.post("/plain/setattr")
def plain_setattr(body: Signup) -> None:
    account = Account()
    for name, value in body.model_dump().items():
        setattr(account, name, value)  # password-in-plain
    with Session(engine) as session:
        session.add(account)


@app.post("/plain/dictionary")
def plain_dictionary(body: Signup) -> None:
    PEOPLE[body.name] = {"name": body.name, "password": body.password}  # password-in-plain


@app.post("/plain/dict")
def plain_dict(body: Signup) -> None:
    ROWS.append(dict(name=body.name, password=body.password))  # noqa: C408 # password-in-plain


@app.post("/plain/dumped")
def plain_dumped(body: Signup) -> None:
    PEOPLE[body.name] = body.model_dump()  # password-in-plain


@app.post("/plain/model")
def plain_model(body: Signup) -> None:
    PEOPLE[body.name] = body  # password-in-plain


@app.post("/plain/appended")
def plain_appended(body: Signup) -> None:
    ROWS.append(body)  # password-in-plain


@app.post("/plain/other-model")
def plain_other_model(body: Signup) -> None:
    PEOPLE[body.name] = Kept(**body.model_dump(), note="new")  # password-in-plain


@app.post("/plain/other-model-dumped")
def plain_other_model_dumped(body: Signup) -> None:
    kept = Kept(**body.model_dump())
    PEOPLE[body.name] = kept.model_dump()  # password-in-plain


@app.post("/plain/spread")
def plain_spread(body: Signup) -> None:
    PEOPLE[body.name] = {**body.model_dump(), "note": "new"}  # password-in-plain


@app.post("/plain/insert")
def plain_insert(body: Signup) -> None:
    with engine.begin() as connection:
        connection.execute(insert(Account).values(**body.model_dump()))  # password-in-plain


@app.post("/plain/insert-many")
def plain_insert_many(body: Signup) -> None:
    with engine.begin() as connection:
        connection.execute(insert(Account), body.model_dump())  # password-in-plain


@app.post("/plain/sql")
def plain_sql(body: Signup) -> None:
    with engine.begin() as connection:
        sql = text("INSERT INTO accounts (name, password) VALUES (:name, :password)")
        connection.execute(sql, {"name": body.name, "password": f"{body.password}"})  # password-in-plain


@app.post("/plain/form")
def plain_form(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> None:
    PEOPLE[form.username] = {"name": form.username, "password": form.password}  # password-in-plain


# Passwords that are hashed


@app.post("/hashed/keyword")
def hashed_keyword(body: Signup) -> None:
    with Session(engine) as session:
        session.add(Account(name=body.name, password=digest(body.password)))


@app.post("/hashed/f-string")
def hashed_f_string(body: Signup) -> None:
    with Session(engine) as session:
        session.add(Account(name=body.name, password=f"scrypt:{digest(body.password)}"))


@app.post("/hashed/dump")
def hashed_dump(body: Signup) -> None:
    values = body.model_dump()
    values["password"] = digest(values["password"])
    with Session(engine) as session:
        session.add(Account(**values))


@app.post("/hashed/excluded")
def hashed_excluded(body: Signup) -> None:
    PEOPLE[body.name] = {**body.model_dump(exclude={"password"}), "digest": digest(body.password)}


@app.post("/hashed/validator")
def hashed_validator(body: Hashing) -> None:
    PEOPLE[body.name] = body.model_dump()


@app.post("/hashed/other-model")
def hashed_other_model(body: Signup) -> None:
    PEOPLE[body.name] = WithoutPassword(**body.model_dump(), digest=digest(body.password))


@app.patch("/hashed/setattr")
def hashed_setattr(body: Signup) -> None:
    account = Account()
    for name, value in body.model_dump(exclude_unset=True).items():
        if name == "password":
            account.password = digest(value)
        else:
            setattr(account, name, value)


# Credentials in the code


def by_query(token: str) -> None:
    if token != "lighthouse":  # literal-credential
        raise HTTPException(400)


def by_alias(given: Annotated[str, Query(alias="api_key")]) -> None:
    if given != "lighthouse":  # literal-credential
        raise HTTPException(status.HTTP_403_FORBIDDEN)


def by_key_in_query(api_key: Annotated[str, Query()]) -> None:
    if api_key == "lighthouse":  # literal-credential
        return
    raise HTTPException(403)


def by_header(x_token: Annotated[str, Header()]) -> None:
    if x_token != "fake-super-secret-token":  # literal-credential
        raise HTTPException(400)


def by_cookie(access_token: Annotated[str, Cookie()]) -> None:
    if not access_token == "lighthouse":  # noqa: SIM201 # literal-credential
        raise HTTPException(401)


def by_set(token: str) -> None:
    if token not in {"lighthouse", "harbour"}:  # literal-credential
        raise HTTPException(403)


def by_tuple(token: str) -> None:
    if token in ("lighthouse", "harbour"):  # literal-credential
        return
    raise HTTPException(403)


def by_dictionary(x_api_key: Annotated[str, Header()]) -> int:
    if x_api_key not in PARTNERS:  # literal-credential
        raise HTTPException(401)
    return PARTNERS[x_api_key]


def by_digest(token: str) -> None:
    if not hmac.compare_digest(token, "lighthouse"):  # literal-credential
        raise HTTPException(403)


def by_bytes(token: str) -> None:
    if not secrets.compare_digest(token.encode(), b"lighthouse"):  # literal-credential
        raise HTTPException(403)


def by_variable(token: str) -> None:
    is_right = token == "lighthouse"  # literal-credential
    if not is_right:
        raise HTTPException(403)


def by_constant(token: str) -> None:
    if token != STAFF_TOKEN:  # literal-credential
        raise HTTPException(403)


def by_basic(given: Annotated[HTTPBasicCredentials, Depends(HTTPBasic())]) -> str:
    is_right = secrets.compare_digest(given.password.encode(), b"swordfish")  # literal-credential
    if not (given.username == "admiral" and is_right):
        raise HTTPException(401)
    return given.username


def by_scheme(key: Annotated[str, Depends(APIKeyHeader(name="X-Secret"))]) -> None:
    if key != "lighthouse":  # literal-credential
        raise HTTPException(403)


@app.post("/hooks/{token}")
def hook(token: Annotated[str, Path()]) -> None:
    if token != "lighthouse":  # literal-credential
        raise HTTPException(404)


class Webhook(BaseModel):
    secret: str
    kind: str


@app.post("/webhook")
def webhook(body: Webhook) -> None:
    if body.secret != "lighthouse":  # literal-credential
        raise HTTPException(401)
    if body.kind != "created":
        raise HTTPException(400)


# What is no credential


def of_a_kind(token_type: str, sort: str = "name") -> None:
    if token_type != "bearer":
        raise HTTPException(400)
    if sort not in ("name", "date"):
        raise HTTPException(400)


def not_sent(token: str) -> None:
    if token in ("null", "undefined"):
        raise HTTPException(401)


def revoked(token: str) -> None:
    if token == "lighthouse":
        raise HTTPException(401)


def by_environment(token: str) -> None:
    if not FROM_ENVIRONMENT or token != FROM_ENVIRONMENT:
        raise HTTPException(401)


def page(page_token: str = "") -> str:
    return "" if page_token == "first" else page_token


def agent(user_agent: Annotated[str, Header()] = "") -> bool:
    return user_agent == "HealthChecker/2.0"


for dependency in (
    *(by_query, by_alias, by_key_in_query, by_header, by_cookie, by_set, by_tuple, by_dictionary, by_digest, by_bytes),
    *(by_variable, by_constant, by_basic, by_scheme, of_a_kind, not_sent, revoked, by_environment, page, agent),
):
    app.add_api_route(f"/{dependency.__name__}", lambda: {}, dependencies=[Depends(dependency)])
