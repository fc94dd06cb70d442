"""What FastAPI's documentation pages load from elsewhere, by the names of the files, for a machine without a network."""

from pathlib import Path

import fastapi_offline
from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse

STATIC = Path(fastapi_offline.__file__).parent / "static"

app = FastAPI(openapi_url=None)


@app.get("/{path:path}")
async def file(path: str) -> FileResponse:
    found = STATIC / Path(path).name
    if not found.is_file():
        raise HTTPException(404, "No such file")
    return FileResponse(found)
