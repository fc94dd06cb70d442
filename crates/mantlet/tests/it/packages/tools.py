"""MCP's own client against a server in a FastAPI app."""

import asyncio
import json
import sys

from mcp.client.client import Client

url, said = sys.argv[1], {}


def shown(result):
    return json.loads(result.model_dump_json(exclude={"meta"}))


async def scenario() -> None:
    async with Client(f"{url}/mcp/") as client:
        said["tools"] = [tool.name for tool in (await client.list_tools()).tools]
        said["count"] = shown(await client.call_tool("count", {"weapons": ["bow", "sling"], "each": 3}))
        said["fail"] = shown(await client.call_tool("fail", {"reason": "password"}))
        said["invalid"] = shown(await client.call_tool("count", {"weapons": "none"}))
        said["shield"] = shown(await client.read_resource("armoury://shields/caf%C3%A9"))
        said["templates"] = [one.uri_template for one in (await client.list_resource_templates()).resource_templates]
        said["challenge"] = shown(await client.get_prompt("challenge", {"name": "Ann"}))
        many = await asyncio.gather(*(client.call_tool("count", {"weapons": ["a"] * n}) for n in range(20)))
        said["many"] = [shown(one)["structured_content"] for one in many]


asyncio.run(scenario())
print(json.dumps(said, sort_keys=True))
