"""An app whose middleware changes requests: nothing is known of what is validated."""

from fastapi import FastAPI

app = FastAPI()


@app.middleware("http")
async def rewrite(request, call_next):
    request.scope["query_string"] = request.scope["query_string"].replace(b"%5B%5D", b"")
    return await call_next(request)


@app.get("/items/{item_id}")
def item(item_id: int) -> int:
    return item_id
