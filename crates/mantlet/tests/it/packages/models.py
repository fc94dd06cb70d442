"""OpenAI's client against LiteLLM."""

import json
import sys

import httpx
import openai

url, said = sys.argv[1], {}


def tried(name, ask):
    try:
        said[name] = ask()
    except openai.APIStatusError as error:
        said[name] = [error.status_code, type(error).__name__, sorted((error.body or {}).keys())]


client = openai.OpenAI(base_url=f"{url}/v1", api_key="sk-mantlet-tests", max_retries=0)
foreign = openai.OpenAI(base_url=f"{url}/v1", api_key="sk-wrong", max_retries=0)
chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What now?"}]

tried("models", lambda: sorted(model.id for model in client.models.list()))
tried("chat", lambda: client.chat.completions.create(model="echo", messages=chat).choices[0].message.content)
tried(
    "stream",
    lambda: "".join(
        part.choices[0].delta.content or ""
        for part in client.chat.completions.create(model="echo", messages=chat, stream=True)
        if part.choices
    ),
)
tried("extra", lambda: client.chat.completions.create(model="echo", messages=chat, extra_body={"metadata": {"password": "x"}}).model)
tried("away", lambda: client.chat.completions.create(model="away", messages=chat))
tried("unknown model", lambda: client.chat.completions.create(model="none", messages=chat))
tried("no messages", lambda: client.chat.completions.create(model="echo", messages=[]).choices[0].message.content)
tried("wrong key", lambda: foreign.chat.completions.create(model="echo", messages=chat))
tried("wrong key, wrong body", lambda: foreign.post("/chat/completions", body={"nothing": True}, cast_to=dict))
tried("moderation", lambda: client.moderations.create(model="none", input="x"))

admin = httpx.Client(base_url=url, headers={"Authorization": "Bearer sk-mantlet-tests"})
for method, path, body in [
    ("GET", "/health/liveliness", None),
    ("GET", "/health/readiness", None),
    ("GET", "/model/info", None),
    ("POST", "/key/generate", {"models": ["echo"]}),
    ("GET", "/key/info?key=sk-none", None),
    ("POST", "/user/new", {"user_email": 7}),
    ("POST", "/team/new", {}),
    ("POST", "/utils/token_counter", {"model": "echo", "prompt": "how many"}),
    ("GET", "/routes", None),
    ("GET", "/no/such/path", None),
]:
    answer = admin.request(method, path, json=body)
    keys = answer.json() if answer.headers.get("content-type", "").startswith("application/json") else answer.text
    said[f"{method} {path}"] = [answer.status_code, sorted(keys) if isinstance(keys, dict) else type(keys).__name__]
said["no key"] = httpx.post(f"{url}/v1/chat/completions", json={"model": 7}).status_code
print(json.dumps(said))
