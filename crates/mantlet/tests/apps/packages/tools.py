"""An MCP server, mounted in a FastAPI app."""

import contextlib

from fastapi import FastAPI
from mcp.server import MCPServer

server = MCPServer("armoury")


@server.tool()
def count(weapons: list[str], each: int = 1) -> int:
    """Counts weapons."""
    return each * len(weapons)


@server.tool()
async def fail(reason: str) -> str:
    """Fails on purpose."""
    raise ValueError(reason)


@server.resource("armoury://shields/{name}")
def shield(name: str) -> str:
    """A shield."""
    return f"the shield {name}"


@server.prompt()
def challenge(name: str) -> str:
    """Challenges somebody."""
    return f"Stand, {name}!"


tools = server.streamable_http_app(streamable_http_path="/")


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI):
    async with server.session_manager.run():
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/mcp", tools)


@app.get("/health")
def health() -> dict[str, bool]:
    return {"ok": True}
