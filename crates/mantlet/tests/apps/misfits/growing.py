"""A route of its own for each client, made when it comes."""

import secrets

from fastapi import FastAPI, Request

app = FastAPI()


@app.post("/clients")
async def client() -> dict:
    route = f"/uploads/{secrets.token_hex(8)}"

    @app.post(route, include_in_schema=False)
    async def upload(request: Request) -> dict:
        return {"length": len(await request.body())}

    return {"upload": route}
