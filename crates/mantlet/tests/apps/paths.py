"""Routes of many forms. Each declares a header of its own, with an underscore, and tells which of all of them arrived.

A gate that drops undeclared names with underscores lets through the one that belongs to the route it has matched. So the
answer says which route the gate took, and which one Starlette.
"""

from fastapi import FastAPI, Header, Request

TEMPLATES = (
    "/",
    "/admin",
    "/admin/",
    "/items/special",
    "/items/{x}",
    "/files/{p:path}",
    "/num/{n:int}",
    "/float/{n:float}",
    "/id/{u:uuid}",
    "/a/{x}/b",
    "/a/{x}.{y}",
    "/caf\u00e9",
    "/x y/{z}",
    "/dots.../{z}",
    "/100%/{z}",
    "/a;b/{z}",
    "/{a}/{b}",
    "/{a}/{b}/{c}/{rest:path}",
)


def add(app: FastAPI, template: str, number: int) -> None:
    own = f"x_route_{number}"

    async def handler(request: Request, own=Header(None, alias=own)):
        return {
            "route": own and number,
            "parameters": {name: str(value) for name, value in request.path_params.items()},
            "path": request.scope["path"],
            "raw_path": request.scope["raw_path"].decode("latin-1"),
            "arrived": sorted(name for name in request.headers if name.startswith("x_route_")),
        }

    app.get(template)(handler)


app = FastAPI(openapi_url=None)
inner = FastAPI(openapi_url=None)
for number, template in enumerate(TEMPLATES):
    add(app, template, number)
    if template != "/":
        add(inner, template, number + 100)
app.mount("/sub", inner)
