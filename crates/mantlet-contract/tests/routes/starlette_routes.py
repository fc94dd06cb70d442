"""Routers at random, and what Starlette itself makes of requests to them, as JSON lines.

Usage: starlette_routes.py SEED ROUTERS
"""

import asyncio
import json
import random
import sys

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, Router, WebSocketRoute

WORDS = ["items", "users", "a", "b", "me", "v1", "7"]
PARAMETERS = ["{x}", "{y}", "{z:int}", "{f:float}", "{u:uuid}", "{p:path}", "{x}.json", "v{y}", "{x}-{y}"]
METHODS = ["GET", "POST", "HEAD"]
ROOTS = ["", "", "/api", "/items", "/v1/b"]
UUID = "0f0f0f0f-1111-2222-3333-0123456789ab"


def template(rng):
    while True:
        segments = [rng.choice(WORDS) if rng.random() < 0.6 else rng.choice(PARAMETERS) for _ in range(rng.randint(1, 3))]
        path = "/" + "/".join(segments) + rng.choice(["", "", "/"])
        names = [part.split("}")[0].split(":")[0] for part in path.split("{")[1:]]
        if len(names) == len(set(names)):
            return path


async def endpoint(request):
    raise NotImplementedError


def router(rng, depth=0):
    """A router as Starlette has it, and as the contract has it."""
    real, model = [], []
    for _ in range(rng.randint(1, 6)):
        kind = rng.random()
        if kind < 0.12 and depth < 2:
            path = rng.choice(["/sub", "/items", "/v1/{x}", "", "/sub/deep"])
            inner, described = router(rng, depth + 1)
            real.append(Mount(path, app=inner))
            model.append({"kind": "mount", "path": path.rstrip("/"), "router": described})
        elif kind < 0.2:
            path = template(rng)
            real.append(WebSocketRoute(path, endpoint))
            model.append({"kind": "web-socket", "path": path})
        else:
            path, methods = template(rng), rng.sample(METHODS, rng.randint(1, 2))
            route = Route(path, endpoint, methods=methods)
            real.append(route)
            model.append({"kind": "http", "path": path, "methods": sorted(route.methods), "hidden": False})
    slashes = rng.random() < 0.8
    described = {"routes": model, "redirect-slashes": slashes, "complete": True}
    return Router(real, redirect_slashes=slashes), described


def fill(rng, path):
    values = {
        "{x}": ["me", "7", "a-b", "x.json"],
        "{y}": ["b", "1.5"],
        "{z:int}": ["7", "007", "x"],
        "{f:float}": ["1.5", "2", "1."],
        "{u:uuid}": [UUID, UUID.replace("-", ""), "0f"],
        "{p:path}": ["", "a/b", "a//b/", "items"],
    }
    for parameter, choices in values.items():
        path = path.replace(parameter, rng.choice(choices))
    return path


def paths(rng, model, prefix=""):
    for route in model["routes"]:
        path = prefix + fill(rng, route["path"])
        if route["kind"] == "mount":
            yield path
            yield path + "/"
            yield from paths(rng, route["router"], path)
        else:
            yield path
            yield path + "/"
            yield path.rstrip("/") or "/"
            yield path + "/more"


def outcome(app, kind, method, path, root):
    """What Starlette's router does, found by letting it run until it hands over to a route."""
    seen = {}

    async def handed_over(scope, receive, send):
        seen.update(scope.get("path_params", {}))
        seen["__route"] = scope["route"].path
        raise Handled

    class Handled(Exception):
        pass

    replaced = []

    def replace(routes):
        for route in routes:
            if isinstance(route, Mount):
                replace(route.app.routes)
            else:
                replaced.append((route, route.app))
                route.app = handed_over

    replace(app.routes)
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": kind, "path": path, "root_path": root, "query_string": b"", "headers": [(b"host", b"h")],
             "server": ("h", 80), "scheme": "http", "app": app}
    if kind == "http":
        scope["method"] = method
    try:
        asyncio.run(app(scope, None, send))
    except Handled:
        route = seen.pop("__route")
        return {"found": "route", "path": route, "values": {name: str(value) for name, value in seen.items()}}
    except HTTPException as error:
        if error.status_code == 405:
            return {"found": "method-not-allowed", "allow": sorted(error.headers["Allow"].split(", "))}
        return {"found": "none"}
    finally:
        for route, original in replaced:
            route.app = original
    if sent and sent[0].get("status") == 307:
        return {"found": "redirect"}
    return {"found": "none"}


def main():
    rng = random.Random(int(sys.argv[1]))
    for _ in range(int(sys.argv[2])):
        app, model = router(rng)
        root = rng.choice(ROOTS)
        cases = []
        asked = list(paths(rng, model)) + ["/", "/items", "//", "/sub", "/sub/"]
        for path in rng.sample(asked, min(len(asked), 12)):
            path = rng.choice(["", root, root, root + "x", root.rstrip("/")]) + path
            if not path.startswith("/"):
                continue
            kind = "websocket" if rng.random() < 0.15 else "http"
            method = rng.choice(METHODS)
            cases.append({"kind": kind, "method": method, "path": path, "outcome": outcome(app, kind, method, path, root)})
        print(json.dumps({"router": model, "root": root, "cases": cases}))


main()
