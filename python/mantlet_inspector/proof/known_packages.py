"""Code of other packages that was read by a person: models with an `__init__` of their own, and
start-up code that changes routes.

It counts as read only if its text is exactly the one that was read; its version does not matter. A
model of the app's own that changes how its objects are made is opaque.
"""

from __future__ import annotations

import contextvars
import hashlib
import types
from collections.abc import Iterator
from typing import Any

from mantlet_inspector.source import files, lookup, memory, objects, trees
from mantlet_inspector.source.lookup import owner

# By the hash of their text, of the releases 0.0.14 to 0.0.50. A model that is not a table is
# validated by Pydantic, so it accepts what its core schema says. A table is not validated: its
# fields are set from the data as they are, by alias or name, then its relationships, and the rest
# is dropped.
SQLMODEL = {
    "__init__": {"a5821972c746a58f"},
    "__new__": {"09a97f8dcca1617f", "7af830ac856f069d", "a3baded2c922f54c"},
    "__setattr__": {"8d3a0379d5e9461f", "957e1ffd89a6e1d4"},
    "sqlmodel_init": {"1e7d36f479c1cb08", "24f84704324ca593"},
    "sqlmodel_table_construct": {"5cd41afe79305431", "60fc8b184208e2bf", "c18f755da5eb9b15"},
    "is_table_model_class": {"42d609597e4c4860", "ed465b354c6c5483"},
}

# Of the releases 0.12.34 to 0.16.1. When the app starts, routes that return pages get a dependency
# with the parameters of the page, unless they have one already. Nothing else of the app changes.
PAGINATION = {
    "add_pagination": {"cbca43f57d9b2cf5", "72dcf21d9a15ea5f"},
    "_add_pagination": {"8f85eaa6dd84248e", "c211433b81c67cb1", "b8b7078a38099a2c"},
    "_update_route": {"a8925b14d197879c", "9b2ab25615ec84aa", "72c448bf1c9e242c", "b73322706399b544"},
    "_patch_openapi": {"c1e83d97046afe22", "70024c10f087c911"},
    "pagination_ctx": {"8b979700dbef0b27", "e2aad80a37fb9439", "9591d53c8eead27c", "41b0c1fc244e0139"},
}


def how_made(cls: type) -> str | None:
    """`validated` as other models are, or a `table`; none if that is not known."""
    base = next(
        (one for one in cls.__mro__ if (one.__module__, one.__qualname__) == ("sqlmodel.main", "SQLModel")),
        None,
    )
    try:
        return None if base is None else sqlmodel(cls, base)
    except Exception:  # a version that is made in another way
        return None


def sqlmodel(cls: Any, base: Any) -> str | None:
    own = vars(base)
    if type(cls) is not type(base) or any(
        "__call__" in vars(one) for one in type(cls).__mro__ if one is not type
    ):
        return None
    init = own["__init__"]
    begin = init.__globals__["sqlmodel_init"]
    read = {
        "__init__": init,
        "__new__": own["__new__"].__func__,
        "__setattr__": own["__setattr__"],
        "sqlmodel_init": begin,
    }
    for name in ("sqlmodel_table_construct", "is_table_model_class"):
        read[name] = begin.__globals__[name]
    if not all(digest(function) in SQLMODEL[name] for name, function in read.items()):
        return None
    if type(init.__globals__["finish_init"]) is not contextvars.ContextVar:
        return None
    if any(owner(cls, name) is not base for name in ("__new__", "__setattr__")):
        return None
    if not cls.model_config.get("table"):
        return "validated" if owner(cls, "__init__") is base else None
    setting = own["__setattr__"].__globals__
    theirs = (setting["set_attribute"], setting["is_instrumented"], *cls._sa_class_manager.dispatch.init)
    if (
        not all(map(is_sqlalchemys, theirs))
        or cls.model_config.get("validate_assignment")
        or cls.model_config.get("frozen")
    ):
        return None
    # SQLAlchemy has written one around it, of no file.
    made = lookup.attribute_of(cls, "__init__")
    code, names = objects.code_of(made), made.__globals__
    is_around = vars(made).get("_sa_original_init") is init and names["original_init"] is init
    is_around = is_around and names["class_manager"] is cls._sa_class_manager
    return "table" if is_around and code is not None and code.co_filename.startswith("<") else None


def is_sqlalchemys(function: Any) -> bool:
    return type(function) is types.FunctionType and files.is_of(files.file_of(function), "sqlalchemy")


def table_fields(cls: Any) -> list[tuple[str, list[list[str]]]]:
    """What a table takes -> (name, by which names it is looked for)."""
    fields = [(name, [[field.alias]] if field.alias else []) for name, field in cls.model_fields.items()]
    found = [(name, aliases if [name] in aliases else [*aliases, [name]]) for name, aliases in fields]
    return [*found, *((name, [[name]]) for name in cls.__sqlmodel_relationships__)]


def digest(function: Any) -> str:
    """Of the text of a function, from its `def` to its end; nothing if there is none."""
    node = trees.node_of(function)
    if node is None:
        return ""
    lines = memory.lines_of(files.file_of(function))[node.lineno - 1 : node.end_lineno]
    text = b"\n".join(line.rstrip(b"\r\n") for line in lines)
    return hashlib.blake2b(text, digest_size=8).hexdigest()


# Pages of `fastapi-pagination`


def is_pagination(function: Any, name: str) -> bool:
    """Whether it is the function of that name in `fastapi_pagination.api`, with the text that was
    read."""
    if (
        type(function) is not types.FunctionType
        or function.__qualname__ != name
        or function.__module__ != "fastapi_pagination.api"
    ):
        return False
    names = function.__globals__
    return files.is_of(files.file_of(function), "fastapi_pagination") and all(
        digest(names.get(one)) in read for one, read in PAGINATION.items()
    )


def pages_added(function: Any) -> tuple[Any, Any] | None:
    """For its start-up code -> (the app or router whose routes it changes, the start-up code that
    it wraps)."""
    if not is_pagination(function, "add_pagination.<locals>.lifespan"):
        return None
    held = {
        name: cell.cell_contents
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ())
    }
    return held["parent"], held["_original_lifespan_context"]


def keeps_request(function: Any) -> bool:
    """The dependency that keeps the request for `paginate`, which makes links of its address."""
    return is_pagination(function, "pagination_ctx.<locals>._page_ctx_dependency")


def without_pages(routes: Any) -> Iterator[Any]:
    """Routes that answer pages and will take their parameters only when the app has started."""
    for route in routes:
        if hasattr(route, "original_router"):
            yield from without_pages(route.original_router.routes)
        elif hasattr(route, "response_model") and is_page(route.response_model):
            has_page = (hasattr(one.call, "__page_ctx_dep__") for one in route.dependant.dependencies)
            if not any(has_page):
                yield route


def is_page(model: Any) -> bool:
    while hasattr(model, "__metadata__"):
        model = model.__origin__
    return objects.is_class(model) and any(
        one.__module__.startswith("fastapi_pagination.") for one in model.__mro__
    )
