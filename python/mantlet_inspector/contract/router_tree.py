"""Facts that hold for a router of the contract and for everything below it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

RouterTree = dict[str, Any]


def claim(router: RouterTree) -> None:
    """What is promised in a router and everything below it is only a claim."""
    for route in router["routes"]:
        claim_answers(route.get("operation") or {})
        if route.get("router"):
            claim(route["router"])


def claim_answers(operation: dict[str, Any]) -> None:
    for response in operation.get("responses", ()):
        response["claimed"] = True


def set_rewrites(router: RouterTree) -> None:
    """For a router and everything below it. Another path may become one of these."""
    set_below(router, "rewrites", True)
    set_below(router, "complete", False)


def set_refuses(router: RouterTree, why: str) -> None:
    """For a router and everything below it: the first that is found is told."""
    for one in (router, *(route["router"] for route in router["routes"] if route.get("router"))):
        one.setdefault("refuses-first", why)
        if one is not router:
            set_refuses(one, why)


def set_below(router: RouterTree, key: Any, value: bool) -> None:
    router[key] = value
    for route in router["routes"]:
        if route.get("router"):
            set_below(route["router"], key, value)


def routes_in(router: RouterTree) -> Iterator[dict[str, Any]]:
    """Those with an operation."""
    for route in router["routes"]:
        if route.get("router"):
            yield from routes_in(route["router"])
        elif route.get("operation"):
            yield route


def operations_in(router: RouterTree) -> Iterator[dict[str, Any]]:
    for route in routes_in(router):
        yield route["operation"]


def set_reads(router: RouterTree) -> None:
    for operation in operations_in(router):
        operation["reads-request"] = True


def set_written(router: RouterTree, header: str) -> None:
    """For operations that take a header which a middleware writes."""
    for operation in operations_in(router):
        for one in operation["inputs"]:
            if one["location"] == "header" and header in names_taken(one["take"]):
                operation["rewrites"] = True


def names_taken(take: dict[str, Any]) -> set[str]:
    names = list(take.get("names", ()))
    for field in take.get("fields", ()):
        names += [name for pair in field["names"] for name in pair]
    return {name.lower().replace("_", "-") for name in names}
