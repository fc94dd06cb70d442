"""Random types of all common kinds."""

import enum
import re
import uuid
from dataclasses import field as dataclass_field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Any, Dict, FrozenSet, List, Literal, Optional, Set, Tuple, Union

from pydantic import (
    UUID4, AfterValidator, AliasChoices, AliasPath, AnyUrl, AwareDatetime, BaseModel, BeforeValidator, ConfigDict,
    Discriminator, Field, FutureDate, HttpUrl, Json, NaiveDatetime, PostgresDsn, RedisDsn, RootModel, Strict,
    StringConstraints, Tag, create_model,
)
from pydantic.dataclasses import dataclass
from sqlalchemy import Column, String
from sqlmodel import Field as SqlField, Relationship, SQLModel
from typing_extensions import NotRequired, TypedDict


def a_pattern(r):
    """Of the kind that is translated for the other engine."""
    atoms = ["a", "b", ".", r"\.", "[a-c]", "[^a]", r"[\w.-]", r"\d", r"\w", r"\s", "(?:ab|c)", "(a+)", "(b|)"]
    times = ["", "", "", "+", "*", "?", "{2}", "{1,}", "{0,2}", "+?"]
    parts = [r.choice(atoms) + r.choice(times) for _ in range(r.randint(1, 4))]
    return r.choice(["", "^"]) + "".join(parts) + r.choice(["", "$", "$|b$"])


class Color(enum.Enum):
    red = "red"
    blue = "it's"


class Level(enum.IntEnum):
    low = 1
    high = 2


class Size(str, enum.Enum):
    small = "s"
    large = "l"


class Mixed(enum.Enum):
    one = 1
    two = "two"
    nothing = None


class Ratio(float, enum.Enum):
    half = 0.5
    third = 1.5


class Found(enum.Enum):
    a = "a"

    @classmethod
    def _missing_(cls, value):
        return cls.a if value == "A" else None


class Rights(enum.IntFlag):
    read = 1
    write = 2


class Tree(BaseModel):
    name: str = Field(min_length=1)
    children: List["Tree"] = []


class Cat(BaseModel):
    kind: Literal["cat", "lion"]
    lives: int = Field(ge=0, le=9)


class Dog(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["dog"]
    tricks: List[str] = []


class Numbered(BaseModel):
    kind: Literal[1, 2]
    value: Optional[float] = None


@dataclass
class Point:
    x: int
    y: float = 0.0
    tags: List[str] = dataclass_field(default_factory=list)


@dataclass(config=ConfigDict(extra="forbid"))
class Closed:
    x: int


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class TeamBase(SQLModel):
    name: str = SqlField(index=True, max_length=5)
    city: Optional[str] = None


class Team(TeamBase, table=True):
    id: Optional[int] = SqlField(default=None, primary_key=True)
    heroes: List["Hero"] = Relationship(back_populates="team")


class HeroBase(SQLModel):
    name: str
    age: Optional[int] = SqlField(default=None, ge=0)
    team_id: Optional[int] = SqlField(default=None, foreign_key="team.id")
    secret: str = SqlField(default="x", sa_column=Column(String), schema_extra={"validation_alias": "secretName"})


class Hero(HeroBase, table=True):
    id: Optional[int] = SqlField(default=None, primary_key=True)
    level: Level = Level.low
    team: Optional[Team] = Relationship(back_populates="heroes")


class NewHero(HeroBase):
    model_config = ConfigDict(extra="forbid")
    color: Color = Color.red


class NewTeam(TeamBase):
    model_config = ConfigDict(populate_by_name=True)
    heroes: List[NewHero] = []
    leader: Optional[HeroBase] = SqlField(default=None, alias="leaderAlias")
    founded: Optional[date] = None


Numbers = RootModel[List[int]]


def plus(value):
    return value


LEAVES = [
    lambda r: int, lambda r: float, lambda r: str, lambda r: bool, lambda r: bytes, lambda r: Any, lambda r: type(None),
    lambda r: date, lambda r: datetime, lambda r: time, lambda r: timedelta, lambda r: Decimal, lambda r: uuid.UUID,
    lambda r: Color, lambda r: Level, lambda r: Size, lambda r: Mixed, lambda r: Ratio, lambda r: Found, lambda r: Rights,
    lambda r: UUID4, lambda r: AnyUrl, lambda r: HttpUrl, lambda r: PostgresDsn, lambda r: RedisDsn,
    lambda r: IPv4Address, lambda r: IPv6Address, lambda r: IPv4Network, lambda r: IPv6Network, lambda r: IPv4Interface,
    lambda r: AwareDatetime, lambda r: NaiveDatetime, lambda r: FutureDate,
    lambda r: Literal[tuple(r.sample(["a", "b", "it's", 1, 2, 0, True, False, None], r.randint(1, 4)))],
    lambda r: Annotated[int, Field(**some(r, ge=[0, -5, 10**20], gt=[0, 5], le=[10, 100], lt=[7, 2**63], multiple_of=[2, 5]))],
    lambda r: Annotated[float, Field(**some(r, ge=[0, 1.5], gt=[0.0], le=[10.0], lt=[7.25], multiple_of=[0.5], allow_inf_nan=[False]))],
    lambda r: Annotated[str, Field(**some(r, min_length=[1, 3], max_length=[3, 5, 10], pattern=["^[a-z]+$", r"^\d{2,4}$", "é"]))],
    lambda r: Annotated[str, StringConstraints(**some(r, strip_whitespace=[True], to_lower=[True], min_length=[2], max_length=[4]))],
    lambda r: Annotated[str, Field(pattern=re.compile("^a", re.I))],
    lambda r: Annotated[str, Field(pattern=re.compile(a_pattern(r)))],
    lambda r: Annotated[bytes, Field(**some(r, min_length=[1, 3], max_length=[3, 5]))],
    lambda r: Annotated[Decimal, Field(**some(r, max_digits=[3, 5], decimal_places=[1, 2]))],
    lambda r: Annotated[Decimal, Field(**some(r, ge=[0, Decimal("1.5")], lt=[100], multiple_of=[Decimal("0.1"), 2]))],
    lambda r: Annotated[Decimal, Field(allow_inf_nan=True)],
    lambda r: Annotated[date, Field(**some(r, ge=[date(2000, 1, 1)], lt=[date(2030, 1, 1)]))],
    lambda r: Annotated[datetime, Field(**some(r, gt=[datetime(2000, 1, 1)], le=[datetime(2030, 1, 1, tzinfo=timezone.utc)]))],
    lambda r: Annotated[time, Field(**some(r, ge=[time(8)], lt=[time(20, 30)]))],
    lambda r: Annotated[timedelta, Field(**some(r, ge=[timedelta(0), timedelta(days=-1, hours=5)], lt=[timedelta(days=2, seconds=1, microseconds=5)], multiple_of=[timedelta(minutes=1)]))],
    lambda r: Annotated[r.choice([int, float, str, bool, date, Decimal, uuid.UUID, Color, bytes, datetime]), Strict()],
    lambda r: Annotated[r.choice([int, str]), AfterValidator(plus)],
    lambda r: Annotated[int, BeforeValidator(plus)],
    lambda r: r.choice([Json, Json[List[int]]]),
    lambda r: r.choice([Tree, Point, Closed, Movie, Numbers, Cat]),
    lambda r: r.choice([Team, Hero, NewHero, NewTeam, HeroBase]),
]


def some(r, **choices):
    picked = {key: r.choice(values) for key, values in choices.items() if r.random() < 0.6}
    return picked or {key: values[0] for key, values in list(choices.items())[:1]}


def lengths(r):
    return Field(**some(r, min_length=[1, 2], max_length=[1, 2, 3]))


def a_type(r, depth=0):
    if depth > 2 or r.random() < 0.45:
        return r.choice(LEAVES)(r)
    inner = lambda: a_type(r, depth + 1)
    hashable = lambda: r.choice([int, str, float, Any, Annotated[str, Field(max_length=3)], Level, Tuple[int, str]])
    kind = r.randint(0, 17)
    if kind == 0:
        return List[inner()]
    if kind == 1:
        return Annotated[List[inner()], lengths(r)]
    if kind == 2:
        return r.choice([Set, FrozenSet])[hashable()]
    if kind == 3:
        return Annotated[r.choice([Set, FrozenSet])[hashable()], lengths(r)]
    if kind == 4:
        return Tuple[tuple(inner() for _ in range(r.randint(1, 3)))]
    if kind == 5:
        return Tuple[inner(), ...]
    if kind == 6:
        return Dict[r.choice([str, int, Annotated[str, Field(min_length=2)], Size, date]), inner()]
    if kind == 7:
        return Annotated[Dict[r.choice([str, int]), inner()], lengths(r)]
    if kind == 8:
        return Optional[inner()]
    if kind in (9, 10):
        return Union[tuple(inner() for _ in range(r.randint(2, 4)))]
    if kind == 11:
        return Annotated[Union[inner(), inner()], Field(union_mode="left_to_right")]
    if kind == 12:
        return Annotated[Union[tuple(r.sample([Cat, Dog, Numbered], r.randint(2, 3)))], Field(discriminator="kind")]
    if kind == 13:
        return r.choice([list, dict, set, tuple, List[Annotated[int, Strict()]], Annotated[List[int], Field(fail_fast=True)]])
    return a_model(r, depth)


COUNT = 0


def a_model(r, depth=0):
    global COUNT
    COUNT += 1
    config = {}
    if r.random() < 0.5:
        config["extra"] = r.choice(["ignore", "forbid", "allow"])
    if r.random() < 0.15:
        config["strict"] = True
    if r.random() < 0.2:
        config["populate_by_name"] = True
    for key in ("str_strip_whitespace", "coerce_numbers_to_str"):
        if r.random() < 0.1:
            config[key] = True
    if r.random() < 0.1:
        config["loc_by_alias"] = False
    if r.random() < 0.1:
        config["val_json_bytes"] = r.choice(["base64", "hex"])
    fields = {}
    for name in r.sample(["a", "b", "c", "d_e", "name", "x1"], r.randint(1, 5)):
        options = {}
        chance = r.random()
        if chance < 0.15:
            options["alias"] = name + "Alias"
        elif chance < 0.22:
            options["validation_alias"] = AliasChoices(name + "1", AliasPath("deep", name), name + "2")
        elif chance < 0.27:
            options["validation_alias"] = AliasPath("list", r.choice([0, 1, -1]))
        chance = r.random()
        kind = a_type(r, depth + 1)
        if chance < 0.2:
            options["default"] = None
        elif chance < 0.3:
            options["default_factory"] = list
        fields[name] = (kind, Field(**options))
    if r.random() < 0.25:
        base = type(f"Base{COUNT}", (SQLModel,), {"model_config": ConfigDict(**config), "__module__": __name__})
        return create_model(f"Model{COUNT}", __base__=base, **fields)
    return create_model(f"Model{COUNT}", __config__=ConfigDict(**config), **fields)
