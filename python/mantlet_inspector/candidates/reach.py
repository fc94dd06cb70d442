"""Goes through what modules of the app hold: objects, containers and classes, a few steps deep."""

from __future__ import annotations

import functools
import gc
import sys
import types
from collections import UserDict, deque
from typing import Any

from mantlet_inspector.candidates.found import LONGEST_TEXT, Found, Late, named
from mantlet_inspector.candidates.whose import FRAMEWORK, OWN, STANDARD, Whose
from mantlet_inspector.source.objects import is_class, is_module
from mantlet_inspector.source.stored import (
    ITEMS,
    attribute,
    attributes,
    bytes_in,
    class_name,
    entries,
    is_a,
    is_exactly,
    items,
    module_of,
    names_of,
)

DEPTH = 3  # `settings.auth.jwt.secret`
CACHED = type(functools.lru_cache(lambda: None))
# Where a class keeps the one value that it stands for: Pydantic's and Starlette's secrets, members
# of enumerations, Starlette's `State`, lazy settings.
CONTENTS = ("_secret_value", "_state", "_value", "_value_", "_wrapped")
STANDARD_CLASSES = (types.SimpleNamespace, functools.partial, UserDict)
STANDARD_MODULES = ("configparser",)
FRAMEWORK_CLASSES = {
    "pydantic.types": ("Secret", "SecretBytes", "SecretStr"),
    "pydantic.v1.types": ("SecretBytes", "SecretStr"),
    "starlette.config": ("Config",),
    "starlette.datastructures": ("Secret", "State"),
    "starlette.middleware": ("Middleware",),
}
# Packages whose objects hold settings or keys, at any depth. Of another package only what a module
# itself holds is looked at, one step deep.
PACKAGES = {
    "another_fastapi_jwt_auth",
    "authlib",
    "authx",
    "decouple",
    "dynaconf",
    "environs",
    "fastapi_jwt",
    "fastapi_jwt_auth",
    "fastapi_login",
    "fastapi_sessions",
    "fastapi_users",
    "itsdangerous",
    "jose",
    "joserfc",
    "jwcrypto",
    "jwt",
    "omegaconf",
    "pydantic_settings",
}


class Reach:
    def __init__(self, found: Found, whose: Whose) -> None:
        self.found = found
        self.whose = whose
        self.waiting: deque[tuple[Any, str, str, int]] = deque()
        self.seen: dict[int, tuple[Any, int]] = {}

    def take(self, value: Any, path: str, place: str, depth: int = 0) -> None:
        """What is near to the modules comes first."""
        self.waiting.append((value, path, place, depth))

    def run(self) -> None:
        while self.waiting:
            self.found.check()
            value, path, place, depth = self.waiting.popleft()
            text = bytes_in(value, LONGEST_TEXT)
            if text is not None:
                self.found.add(text, path, place)
                continue
            try:
                if not self.is_seen(value, depth):
                    self.open(value, path, place, depth)
            except Late:
                raise
            except Exception:  # an app may hold anything, and all else is still to be looked at
                continue

    def is_seen(self, value: Any, depth: int) -> bool:
        known = self.seen.get(id(value))
        if known is not None and known[1] <= depth:
            return True
        self.seen[id(value)] = (value, depth)  # held, so that nothing else gets its number
        return False

    def open(self, value: Any, path: str, place: str, depth: int) -> None:
        cls = type(value)
        if is_class(value):
            if self.whose.of_class(value) == OWN and depth < DEPTH:
                self.open_class(value, path, place, depth)
        elif is_key(cls):
            self.found.add_pem(public_part(value), named(path, place))
        elif cls is CACHED:
            for result in results(value):
                self.take(result, f"{path}()", place, depth)
        elif issubclass(cls, dict):
            self.open_dict(value, path, place, depth)
            if cls is not dict and self.whose.of_class(cls) == OWN:
                self.open_object(value, path, place, depth)
        elif issubclass(cls, ITEMS):
            for index, item in enumerate(items(value)):
                self.take_part(item, f"{path}[{index}]", place, depth)
        elif not is_module(value) and self.is_opened(value, depth):
            self.open_object(value, path, place, depth)

    def is_opened(self, value: Any, depth: int) -> bool:
        cls = type(value)
        whose = self.whose.of_class(cls)
        if whose == STANDARD:
            return is_a(value, *STANDARD_CLASSES) or module_of(cls) in STANDARD_MODULES
        if whose == FRAMEWORK:
            return class_name(cls) in FRAMEWORK_CLASSES.get(module_of(cls), ())
        return whose in (OWN, *PACKAGES) or depth == 0

    def open_dict(self, value: Any, path: str, place: str, depth: int) -> None:
        for key, part in entries(value):
            key = f"[{key!r}]" if type(key) is str and len(key) < 100 else "[…]"
            self.take_part(part, f"{path}{key}", place, depth)

    def open_object(self, value: Any, path: str, place: str, depth: int) -> None:
        for name, part in attributes(value):
            if name in CONTENTS:
                self.take(part, path, place, depth)
            else:
                self.take_part(part, f"{path}.{name}", place, depth)

    def open_class(self, cls: Any, path: str, place: str, depth: int) -> None:
        names = names_of(cls)
        for name, part in list(names.items()):
            if type(name) is str and not name.startswith("__") and name != "model_config":
                self.take_part(part, f"{path}.{name}", place, depth)
        # Fields with their defaults. Older versions of Pydantic have them under their public name.
        for fields in ("__pydantic_fields__", "model_fields", "__fields__", "__dataclass_fields__"):
            found = names.get(fields)
            for name, field in entries(found) if issubclass(type(found), dict) else ():
                self.take_part(attribute(field, "default"), f"{path}.{name}", place, depth)

    def take_part(self, part: Any, path: str, place: str, depth: int) -> None:
        if depth < DEPTH and part is not None and not is_exactly(part, bool, int, float):
            self.take(part, path, place, depth + 1)


def is_key(cls: Any) -> bool:
    """A key or a certificate of the package cryptography, whose methods are compiled."""
    method = names_of(cls).get("public_bytes") or names_of(cls).get("public_key")
    return type(method) is types.MethodDescriptorType and module_of(cls).startswith("cryptography.")


def public_part(key: Any) -> bytes:
    form = sys.modules["cryptography.hazmat.primitives.serialization"]
    public = key.public_key() if "public_key" in names_of(type(key)) else key
    return public.public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)


def results(cached: Any) -> list[Any]:
    """What a function with `lru_cache` has returned so far."""
    found = []
    for one in gc.get_referents(cached):
        if type(one) is dict:
            found += [part for _, part in entries(one)]
        else:
            found.append(one)
    return [one for one in found if type(one) is not types.FunctionType and not is_class(one)]
