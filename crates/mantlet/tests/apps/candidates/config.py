"""Settings of all kinds."""

import functools
import os
from dataclasses import dataclass
from types import SimpleNamespace

from called import note
from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.v1 import BaseSettings as FormerSettings
from pydantic_settings import BaseSettings

SECRET_KEY = "of a module"
RAW = b"\x00raw bytes\xff"
HIDDEN = SecretStr("of Pydantic's secret")
HIDDEN_BYTES = SecretBytes(b"of Pydantic's secret bytes")
NESTED = {"auth": {"jwt": ["of a list in dicts"]}}
TOO_DEEP = {"a": {"b": {"c": {"d": "five steps away"}}}}
TOO_LONG = "x" * 8193
EMPTY = ""
KEY_FILE = "keys/private.pem"
NO_KEY_FILE = "keys/notes.pem"
PLAIN = SimpleNamespace(token="of a plain object")


class Part(BaseModel):
    pepper: str = "of a model"


@dataclass
class Holder:
    salt: str
    part: Part


HOLDER = Holder("of a dataclass", Part())


class Constants:
    SIGNING = "of a class"

    class Inner:
        SIGNING = "of a class in a class"


class Slotted:
    __slots__ = ("secret", "unset")

    def __init__(self):
        self.secret = "of a slot"


SLOTTED = Slotted()


class Settings(BaseSettings):
    model_config = {"env_file": "config/settings.env", "secrets_dir": "config/secrets", "extra": "ignore"}
    jwt_secret: str = "of a field's default"
    from_cache: SecretStr = SecretStr("")


@functools.lru_cache
def get_settings():
    note("get_settings")
    return Settings(from_cache="of a cache")


get_settings()


class Unreachable(BaseSettings):
    token: str = ""


def keeper():
    """Nothing leads to this object but the list of all objects."""
    held = Unreachable(token="of all objects")
    return iter(lambda: held, None)


KEPT = keeper()


class Former(FormerSettings):
    former_secret: str = "of the former Pydantic"

    class Config:
        env_file = "config/former.env"
        extra = "ignore"


class Hostile:
    """Any question to it runs its code."""

    def __init__(self):
        self.__dict__["secret"] = "of a hostile object"
        self.__dict__["again"] = self

    @property
    def token(self):
        note("property")
        raise RuntimeError("a property was asked")

    def __getattr__(self, name):
        note(f"__getattr__ {name}")
        return getattr(self, name + "_")

    def __getattribute__(self, name):
        note(f"__getattribute__ {name}")
        return object.__getattribute__(self, name)

    def __eq__(self, other):
        note("__eq__")
        return True

    def __hash__(self):
        note("__hash__")
        return 1

    def __iter__(self):
        note("__iter__")
        return self

    def __len__(self):
        note("__len__")
        return 1

    def __bool__(self):
        note("__bool__")
        return True

    def __repr__(self):
        note("__repr__")
        return ""

    @property
    def __class__(self):
        note("__class__")
        return str


class HostileDict(dict):
    def items(self):
        note("items")
        return []

    __iter__ = keys = values = __getitem__ = get = items


class HostileText(str):
    def __str__(self):
        note("__str__")
        return ""

    __len__ = __bool__ = __eq__ = encode = __str__

    def __hash__(self):
        note("__hash__")
        return 1


class Meta(type):
    def __getattribute__(cls, name):
        note(f"a metaclass's __getattribute__ {name}")
        return type.__getattribute__(cls, name)

    def __instancecheck__(cls, other):
        note("__instancecheck__")
        return True

    def __hash__(cls):
        note("a metaclass's __hash__")
        return 1

    def __eq__(cls, other):
        note("a metaclass's __eq__")
        return True


class HostileClass(metaclass=Meta):
    KEY = "of a hostile class"

    @property
    def __dict__(self):
        note("__dict__")
        return {}


HOSTILE = Hostile()
HOSTILE_DICT = HostileDict({"key": "of a hostile dict"})
HOSTILE_TEXT = HostileText("of a hostile text")
HOSTILE_OBJECT = HostileClass()


def __getattr__(name):
    note(f"a module's __getattr__ {name}")
    raise AttributeError(name)


os.environ["LATE_TOKEN"] = "of a variable that the app has set"
