"""Whether code has replaced functions of FastAPI, Starlette or Pydantic with its own."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Iterator
from typing import Any

import starlette.requests

from mantlet_inspector.proof import known_middleware
from mantlet_inspector.source import files

# Where a request goes until it is validated.
MODULES = (
    "fastapi.applications",
    "fastapi.dependencies.utils",
    "fastapi.exception_handlers",
    "fastapi.exceptions",
    "fastapi.param_functions",
    "fastapi.params",
    "fastapi.routing",
    "fastapi.security.api_key",
    "fastapi.security.http",
    "fastapi.security.oauth2",
    "pydantic.main",
    "pydantic.type_adapter",
    "starlette._exception_handler",
    "starlette.applications",
    "starlette.concurrency",
    "starlette.datastructures",
    "starlette.exceptions",
    "starlette.formparsers",
    "starlette.middleware.base",
    "starlette.middleware.errors",
    "starlette.middleware.exceptions",
    "starlette.requests",
    "starlette.routing",
)


def replaced() -> str | None:
    """What was replaced, by its name; none if nothing."""
    if (
        vars(starlette.requests).get("json") is not json
        or is_foreign(json.loads)
        or not files.is_standard(files.file_of(json.loads))
    ):
        return "json.loads"
    for name in MODULES:
        module = sys.modules.get(name)
        for where, value in parts(module) if module is not None else ():
            if is_foreign(value):
                return f"{name}.{where}"
    return None


def parts(module: types.ModuleType) -> Iterator[tuple[str, Any]]:
    for name, value in list(vars(module).items()):
        yield name, value
        if isinstance(value, type) and value.__module__ == module.__name__:
            for inner, part in list(vars(value).items()):
                yield f"{name}.{inner}", part


def is_foreign(value: Any) -> bool:
    if isinstance(value, property):
        return any(is_foreign(one) for one in (value.fget, value.fset) if one is not None)
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    if isinstance(value, (type, types.ModuleType)) or not callable(value):
        return isinstance(value, type) and is_apps_own(files.file_of(value))
    if type(value).__module__.startswith("wrapt"):
        return is_apps_own(files.file_of(getattr(value, "_self_wrapper", None)))
    return is_apps_own(files.file_of(value)) or type(value).__module__.startswith("unittest.")


def is_apps_own(file: str) -> bool:
    """The app's, or of a package that is not known to call what it replaces."""
    if files.is_standard(file) or file.startswith((*files.FRAMEWORKS, "<")):
        return False
    return files.package_of(file) not in (*known_middleware.INSTRUMENTS, *files.NEEDED)
