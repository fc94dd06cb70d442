"""The caller: read from a signed header, and known wherever a request runs."""

from __future__ import annotations

import asyncio
import base64
import contextvars
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.middleware.base import BaseHTTPMiddleware

import mantlet
from mantlet import caller
from mantlet.testing import as_user

KEY = "0123456789abcdef0123456789abcdef"
ANN = '{"iss":"app","sub":"ann"}'


def signature(text: str = ANN, at: float | None = None, key: str = KEY) -> str:
    at = int(time.time() if at is None else at)
    mac = hmac.new(key.encode(), f"{at}.{text}".encode(), hashlib.sha256).digest()
    return f"t={at},v1=" + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def headers(text: str = ANN, at: float | None = None, key: str = KEY) -> list[tuple[bytes, bytes]]:
    return [(caller.HEADER, text.encode()), (caller.SIGNATURE, signature(text, at, key).encode())]


def test_the_signature_is_the_one_that_the_gate_makes() -> None:
    """The same is asserted of the gate: `principal_header.rs`."""
    assert signature(at=1_800_000_000) == "t=1800000000,v1=kORTHOBxBmzVQYwtgtNOW14735jpngukyuAr6IXiraQ"


def test_a_good_header_names_the_caller() -> None:
    told = '{"attributes":{"role":["admin"]},"iss":"app","sub":"\\u00e4nn"}'
    principal = caller.verified(headers(told), KEY, time.time())
    assert principal == mantlet.Principal("app", "änn", {"role": ["admin"]})
    assert principal is not None and principal["role"] == ["admin"]
    with pytest.raises(KeyError):
        principal["absent"]
    assert caller.verified([(b"host", b"a")], KEY, time.time()) is None


NOW = 1_800_000_000.0
GOOD = headers(at=NOW)


@pytest.mark.parametrize(
    ("sent", "key", "why"),
    [
        (GOOD, "", "`MANTLET_PRINCIPAL_KEY` is not set"),
        ([], "", "`MANTLET_PRINCIPAL_KEY` is not set"),
        (GOOD, "short", "too short"),
        (GOOD, KEY[::-1], "forged, or made with another key"),
        (GOOD[:1], KEY, "without its signature"),
        (GOOD[1:], KEY, "without its signature"),
        (GOOD * 2, KEY, "or twice"),
        ([GOOD[0], *GOOD], KEY, "or twice"),
        ([(b"x-mantlet-principal", ANN.replace("ann", "bob").encode()), GOOD[1]], KEY, "forged"),
        ([GOOD[0], (GOOD[1][0], GOOD[1][1].replace(b"t=18", b"t=19"))], KEY, "forged"),
        ([GOOD[0], (GOOD[1][0], GOOD[1][1][:-1])], KEY, "forged"),
        ([GOOD[0], (GOOD[1][0], b"")], KEY, "forged"),
        ([GOOD[0], (GOOD[1][0], b"t=1800000000,v1=")], KEY, "forged"),
        ([GOOD[0], (GOOD[1][0], b"t=" + b"9" * 400 + b",v1=x")], KEY, "forged"),
        ([GOOD[0], (GOOD[1][0], "t=\u0661,v1=x".encode())], KEY, "forged"),
        (headers(at=NOW - 61), KEY, "61 s ago"),
        (headers(at=NOW + 61), KEY, "clocks"),
    ],
)
def test_any_other_header_is_refused(sent: list[tuple[bytes, bytes]], key: str, why: str) -> None:
    with pytest.raises(mantlet.PrincipalError, match=why):
        caller.verified(sent, key, NOW)


def test_a_header_is_good_for_a_minute() -> None:
    for at in (NOW - 60, NOW, NOW + 60):
        assert caller.verified(headers(at=at), KEY, NOW) is not None


Caller = Annotated[mantlet.Principal, Depends(mantlet.principal)]


def subject() -> str | None:
    known = mantlet.current_principal()
    return known and known.subject


def opened() -> Iterator[str | None]:
    yield subject()


def make_app(later: list[Any]) -> FastAPI:
    app = FastAPI()

    @app.get("/sync")
    def sync() -> str | None:
        return subject()

    @app.get("/async")
    async def asynchronous() -> str | None:
        return subject()

    @app.get("/dependency")
    def dependency(principal: Caller) -> list[str | None]:
        return [principal.subject, subject()]

    @app.get("/yields")
    def yields(principal: Caller, known: Annotated[Any, Depends(opened)]) -> list[str | None]:
        return [principal.subject, known]

    @app.get("/task")
    async def task(principal: Caller) -> str | None:
        async def ask() -> str | None:
            return subject()

        return await asyncio.create_task(ask())

    @app.get("/thread")
    def thread(principal: Caller) -> list[str | None]:
        found: list[str | None] = []
        ask = threading.Thread(target=contextvars.copy_context().run, args=(lambda: found.append(subject()),))
        ask.start()
        ask.join()
        return found

    @app.get("/later")
    def background(principal: Caller, tasks: BackgroundTasks) -> None:
        async def asynchronously() -> None:
            later.append(subject())

        tasks.add_task(lambda: later.append(subject()))
        tasks.add_task(asynchronously)

    @app.websocket("/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json(subject())
        await websocket.close()

    return app


EXPECTED = {
    "/sync": "ann",
    "/async": "ann",
    "/dependency": ["ann", "ann"],
    "/yields": ["ann", "ann"],
    "/task": "ann",
    "/thread": ["ann"],
    "/later": None,
}


def sent(text: str = ANN) -> dict[str, str]:
    return {"X-Mantlet-Principal": text, "X-Mantlet-Principal-Signature": signature(text)}


@pytest.mark.parametrize("around", ["alone", "under a middleware with a task of its own", "mounted"])
def test_the_caller_is_known_wherever_a_request_runs(monkeypatch: pytest.MonkeyPatch, around: str) -> None:
    monkeypatch.setenv("MANTLET_PRINCIPAL_KEY", KEY)
    later: list[Any] = []
    app = make_app(later)

    async def pass_on(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    if around.startswith("under"):
        app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
    elif around == "mounted":
        outer = FastAPI()
        outer.mount("/", app)
        app = outer
    app.add_middleware(mantlet.CallerMiddleware)
    client = TestClient(app, raise_server_exceptions=False)
    for path, expected in EXPECTED.items():
        assert client.get(path, headers=sent()).json() == expected, path
    assert later == ["ann", "ann"]
    with client.websocket_connect("/socket", headers=sent()) as socket:
        assert socket.receive_json() == "ann"
    # The next one is not the one before.
    assert client.get("/sync").json() is None
    assert client.get("/dependency").status_code == 401
    assert client.get("/dependency").headers["www-authenticate"] == "Bearer"
    forged = {**sent(), "X-Mantlet-Principal": ANN.replace("ann", "bob")}
    for path in ("/sync", "/async", "/dependency"):
        assert client.get(path, headers=forged).status_code == 500
    assert mantlet.current_principal() is None


def test_the_dependency_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANTLET_PRINCIPAL_KEY", KEY)
    later: list[Any] = []
    client = TestClient(make_app(later), raise_server_exceptions=False)
    for path in ("/dependency", "/yields", "/task", "/thread", "/later"):
        assert client.get(path, headers=sent()).json() == EXPECTED[path]
    assert later == ["ann", "ann"]
    assert client.get("/dependency").status_code == 401
    assert client.get("/sync", headers=sent()).json() is None, "nothing has read the header"


def test_an_app_without_a_key_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MANTLET_PRINCIPAL_KEY", raising=False)
    app = make_app([])
    app.add_middleware(mantlet.CallerMiddleware)
    with pytest.raises(mantlet.PrincipalError, match=r"authentication\.principal-header"):
        TestClient(app).get("/sync", headers=sent())


def test_a_test_chooses_its_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MANTLET_PRINCIPAL_KEY", raising=False)
    app = make_app([])
    app.add_middleware(mantlet.CallerMiddleware)
    with TestClient(app) as client:
        for name in ("ann", "bob"):
            with as_user(name, role="admin") as principal:
                assert principal == mantlet.Principal("app", name, {"role": "admin"})
                assert client.get("/sync").json() == name
                assert client.get("/dependency").json() == [name, name]
        with as_user(None):
            assert client.get("/sync").json() is None
            assert client.get("/dependency").status_code == 401
    assert mantlet.current_principal() is None


def test_callers_at_the_same_time_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANTLET_PRINCIPAL_KEY", KEY)
    both = asyncio.Event()
    waiting: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        waiting.append(subject() or "")
        if len(waiting) == 2:
            both.set()
        await both.wait()
        await send(subject())

    async def ask(name: str) -> Any:
        answers: list[Any] = []

        async def send(message: Any) -> None:
            answers.append(message)

        scope = {"type": "http", "headers": headers(json.dumps({"iss": "app", "sub": name}))}
        await mantlet.CallerMiddleware(app)(scope, None, send)  # pyright: ignore[reportArgumentType]
        return answers[0]

    async def run() -> Any:
        return await asyncio.gather(ask("ann"), ask("bob"))

    assert list(asyncio.run(run())) == ["ann", "bob"]
