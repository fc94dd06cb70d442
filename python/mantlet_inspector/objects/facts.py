"""All that is known of the objects of an app and their owners."""

from __future__ import annotations

import typing
from collections.abc import Iterable
from typing import Any

from mantlet_inspector.contract.responses import is_json, writes_json
from mantlet_inspector.objects.answers import makes_answers
from mantlet_inspector.objects.links import PARAMETER, Links
from mantlet_inspector.objects.models import item_of, unwrapped
from mantlet_inspector.objects.owners import Owners
from mantlet_inspector.objects.shown import Shown, pointer
from mantlet_inspector.objects.tables import Table, tables_of
from mantlet_inspector.objects.user import behind, finds_caller, user_of

# Answers of which nothing is declared.
OPEN = (dict, object)


def add(operations: list[tuple[Any, str, Any]], shapes: list[Any], modules: Iterable[Any]) -> Any:
    """Adds to operations what they show: (a route, its path, its operation as it was read). -> what
    is known of the tables; none if the app has none."""
    tables = tables_of(modules)
    if not tables:
        return None
    user, known = user_of([route for route, _, _ in operations], tables)
    owners = Owners(tables, user)
    links = Links(tables)
    shown = Shown(shapes, links, owners)
    for route, path, operation in operations:
        facts = of_operation(route, path, operation, shown, links)
        if facts:
            operation["objects"] = facts
    return {
        **({"user": known} if user is not None else known),
        "tables": [described(table, owners) for table in tables.values()],
    }


def described(table: Table, owners: Owners) -> dict[str, Any]:
    owner = owners.of(table)
    return {
        "name": table.name,
        "source": table.source,
        **({"model": table.cls.__qualname__} if table.cls is not None else {}),
        "key": list(table.key),
        "owner": owner,
    }


def of_operation(route: Any, path: str, operation: Any, shown: Shown, links: Links) -> dict[str, Any]:
    found: dict[str, Any] = {}
    kinds = kinds_of(operation, shown.shapes)
    parameters = links.parameters(path, kinds)
    model = response_model(route)
    shows = shown.of(model, shape_of(operation))
    if shows is None and "GET" in (route.methods or ()) and is_open(route, model):
        shows = by_path(path, model, parameters, links, shown.owners)
    if shows is not None and makes_answers(route.endpoint):
        shows["varies"] = True
    if shows is not None and shows["as"] == "one":
        last = PARAMETER.fullmatch(path.rstrip("/").rpartition("/")[2])
        if last is not None and all(one["name"] != last[1] for one in parameters):
            named = links.at_the_end(path, kinds, links.tables[shows["table"]])
            parameters += [named] if named is not None else []
    if parameters:
        found["parameters"] = parameters
    if shows is not None:
        found["shows"] = shows
    between = list(dict.fromkeys(behind(route.dependant)))
    if found and finds_caller(route.dependant):
        found["caller"] = True
    if found and between:
        found["behind"] = between
    return found


def response_model(route: Any) -> Any:
    model = getattr(route, "response_model", None)
    field = getattr(route, "response_field", None)
    return model if field is not None else None


def shape_of(operation: Any) -> int | None:
    """The shape of the good answer."""
    for response in operation.get("responses", ()):
        if 200 <= (response.get("status") or 0) < 300:
            return response.get("shape")
    return None


def kinds_of(operation: Any, shapes: list[Any]) -> dict[str, str]:
    found = {}
    for one in operation["inputs"]:
        if one["location"] == "path" and one["take"]["kind"] == "field":
            shape = shapes[one["shape"]]
            for _ in range(8):
                if "inner" not in shape:
                    break
                shape = shapes[shape["inner"]]
            for name in one["take"]["names"]:
                found[name] = shape["type"]
    return found


# Where the answer is not declared, the path alone says what it shows


def is_open(route: Any, model: Any) -> bool:
    response_class = getattr(route.response_class, "value", route.response_class)
    if not (writes_json(response_class) or is_json(response_class)):
        return False
    item = item_of(unwrapped(model))
    model = unwrapped(model if item is None else item)
    return model is None or model is Any or (typing.get_origin(model) or model) in OPEN


def by_path(path: str, model: Any, parameters: list[Any], links: Links, owners: Owners) -> Any:
    is_list = item_of(unwrapped(model)) is not None or unwrapped(model) is list
    last = path.rstrip("/").rpartition("/")[2]
    parameter = PARAMETER.fullmatch(last)
    if parameter is not None:
        if is_list or not parameters or parameters[-1]["name"] != parameter[1]:
            return None
        table = links.tables[parameters[-1]["table"]]
    else:
        table = links.below(last) if is_list else None
    if table is None:
        return None
    found = {"table": table.name, "as": "list" if is_list else "one", "evidence": "path"}
    owner = owners.of(table)
    if is_list:
        found["items"] = ""
    if owner["kind"] == "user" and len(table.key) == 1:
        found["owner"] = pointer(table.columns[table.key[0]].name)
    elif owner["kind"] == "column":
        found["owner"] = pointer(owner["step"]["column"])
        if "beside" in owner:
            found["parent"] = pointer(owner["beside"][0]["column"])
    elif owner["kind"] == "nested":
        found["parent"] = pointer(owner["steps"][0]["column"])
    return found
