"""Facts that hold for a router of the contract and for everything below it."""

from __future__ import annotations


def claim(router):
    """What is promised in a router and everything below it is only a claim."""
    for route in router["routes"]:
        claim_answers(route.get("operation") or {})
        if route.get("router"):
            claim(route["router"])


def claim_answers(operation):
    for response in operation.get("responses", ()):
        response["claimed"] = True


def set_rewrites(router):
    """For a router and everything below it. Another path may become one of these."""
    set_below(router, "rewrites", True)
    set_below(router, "complete", False)


def set_refuses(router, why):
    """For a router and everything below it: the first that is found is told."""
    for one in (router, *(route["router"] for route in router["routes"] if route.get("router"))):
        one.setdefault("refuses-first", why)
        if one is not router:
            set_refuses(one, why)


def set_below(router, key, value):
    router[key] = value
    for route in router["routes"]:
        if route.get("router"):
            set_below(route["router"], key, value)


def routes_in(router):
    """Those with an operation."""
    for route in router["routes"]:
        if route.get("router"):
            yield from routes_in(route["router"])
        elif route.get("operation"):
            yield route


def operations_in(router):
    for route in routes_in(router):
        yield route["operation"]


def set_reads(router):
    for operation in operations_in(router):
        operation["reads-request"] = True


def set_written(router, header):
    """For operations that take a header which a middleware writes."""
    for operation in operations_in(router):
        for one in operation["inputs"]:
            if one["location"] == "header" and header in names_taken(one["take"]):
                operation["rewrites"] = True


def names_taken(take):
    names = list(take.get("names", ()))
    for field in take.get("fields", ()):
        names += [name for pair in field["names"] for name in pair]
    return {name.lower().replace("_", "-") for name in names}
