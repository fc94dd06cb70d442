"""Sensors at sites of tenants. A user is in one tenant: a column of the user says in which. Never asked for
anything: only what the app says of itself is read."""

from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel, ConfigDict
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    id: Mapped[int] = mapped_column(primary_key=True)


class Tenant(Base):
    __tablename__ = "tenants"
    name: Mapped[str]


class User(Base):
    __tablename__ = "users"
    hashed_password: Mapped[str]
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"))


class Site(Base):
    __tablename__ = "sites"
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"))


class Sensor(Base):
    __tablename__ = "sensors"
    site_id: Mapped[int] = mapped_column(ForeignKey("sites.id"))


class Note(Base):
    """Of who has written it, or of the tenant: the tables do not say."""

    __tablename__ = "notes"
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int


class Me(Out):
    tenant_id: int


class SiteOut(Out):
    tenant_id: int


class SensorOut(Out):
    site_id: int


class NoteOut(Out):
    tenant_id: int
    user_id: int


def current_user(token: Annotated[str, Depends(OAuth2PasswordBearer(tokenUrl="token"))]) -> User:
    raise HTTPException(401)


CurrentUser = Annotated[User, Depends(current_user)]
app = FastAPI(title="Sensors")


@app.get("/me", response_model=Me)
def me(user: CurrentUser): ...


@app.get("/sites", response_model=list[SiteOut])
def sites(user: CurrentUser): ...


@app.get("/sites/{site_id}", response_model=SiteOut)
def site(site_id: int, user: CurrentUser): ...


@app.delete("/sites/{site_id}", status_code=204)
def close(site_id: int, user: CurrentUser) -> None: ...


@app.get("/sites/{site_id}/sensors", response_model=list[SensorOut])
def sensors(site_id: int, user: CurrentUser): ...


@app.get("/sensors/{sensor_id}", response_model=SensorOut)
def sensor(sensor_id: int, user: CurrentUser): ...


@app.get("/notes/{note_id}", response_model=NoteOut)
def note(note_id: int, user: CurrentUser): ...
