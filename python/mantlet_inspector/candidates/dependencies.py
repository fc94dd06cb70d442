"""What an app calls for its requests, its state, and the options of its middleware."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from mantlet_inspector.source.stored import attributes, entries, is_a, items

# Where apps, routers, routes and dependants keep each other, in all versions.
PARTS = ("app", "dependant", "dependencies", "include_context", "original_router", "router", "routes")
MOST = 20_000


def parts_of(app: Any) -> Iterator[tuple[str, Any]]:
    """-> [(what it is, the part)], each `dependency`, `handler`, `middleware` or `state`."""
    waiting, seen, handled = deque([app]), {}, set()
    while waiting and len(seen) < MOST:
        one = waiting.popleft()
        if id(one) in seen:
            continue
        seen[id(one)] = one
        if is_a(one, list, tuple):
            waiting.extend(items(one))
            continue
        for name, part in attributes(one):
            if name in PARTS:
                waiting.append(part)
            if name == "dependant":
                handled.add(id(part))  # its own call is the handler
            elif name == "endpoint" or (name == "call" and id(one) in handled):
                yield "handler", part
            elif name in ("call", "dependency"):
                yield "dependency", part
            elif name == "dependency_overrides" and is_a(part, dict):
                yield from (("dependency", call) for _, call in entries(part))
            elif name == "user_middleware" and is_a(part, list):
                yield from (("middleware", middleware) for middleware in items(part))
            elif name == "state":
                yield "state", part
