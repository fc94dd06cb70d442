"""A GraphQL client: queries by POST and GET, batches of faults, files, and a subscription."""

import asyncio
import json
import sys

import httpx
import websockets

url, said = sys.argv[1], {}
client = httpx.Client(base_url=url)


def ask(name, query, **variables):
    answer = client.post("/graphql", json={"query": query, "variables": variables, "operationName": None})
    said[name] = [answer.status_code, answer.json()]


ask("archers", "{ archers { id name password } }")
ask("enlist", "mutation($n: String!) { enlist(name: $n, password: \"x\") { id name password } }", n="Bob")
ask("fail", "mutation { fail }")
ask("unknown field", "{ archers { shoe } }")
ask("wrong type", "mutation($n: String!) { enlist(name: $n, password: \"x\") { id } }", n=7)
said["get"] = client.get("/graphql", params={"query": "{ archers { name } }"}).json()
said["page"] = client.get("/graphql", headers={"Accept": "text/html"}).status_code
said["no query"] = [(answer := client.post("/graphql", json={})).status_code, answer.text]
said["no JSON"] = client.post("/graphql", content=b"{", headers={"Content-Type": "application/json"}).status_code
operations = {"query": "mutation($file: Upload!) { measure(file: $file) }", "variables": {"file": None}}
said["file"] = client.post(
    "/graphql",
    data={"operations": json.dumps(operations), "map": json.dumps({"0": ["variables.file"]})},
    files={"0": ("a.bin", bytes(200_000), "application/octet-stream")},
).json()


async def volley() -> None:
    address = url.replace("http://", "ws://") + "/graphql"
    async with websockets.connect(address, subprotocols=["graphql-transport-ws"], origin=url) as socket:
        await socket.send(json.dumps({"type": "connection_init"}))
        said["volley"] = [json.loads(await socket.recv())["type"]]
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": "subscription { volley(arrows: 3) }"}}))
        while (message := json.loads(await socket.recv()))["type"] != "complete":
            said["volley"].append(message["payload"]["data"]["volley"])


asyncio.run(volley())
print(json.dumps(said))
