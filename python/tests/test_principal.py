"""The caller: read from a signed header, and known wherever a request runs."""

from __future__ import annotations

import asyncio
import base64
import contextvars
import hashlib
import hmac
import json
import logging
import queue
import threading
import time
from collections.abc import Iterator
from typing import Annotated, Any, Optional

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, WebSocket
from fastapi.testclient import TestClient
from models import Base, Order, fill, owners
from sqlalchemy import create_engine, select
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import StaticPool
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
    def sync() -> Optional[str]:  # noqa: UP045
        return subject()

    @app.get("/async")
    async def asynchronous() -> Optional[str]:  # noqa: UP045
        return subject()

    @app.get("/dependency")
    def dependency(principal: Caller) -> list[Optional[str]]:  # noqa: UP045
        return [principal.subject, subject()]

    @app.get("/yields")
    def yields(principal: Caller, known: Annotated[Any, Depends(opened)]) -> list[Optional[str]]:  # noqa: UP045
        return [principal.subject, known]

    @app.get("/task")
    async def task(principal: Caller) -> Optional[str]:  # noqa: UP045
        async def ask() -> str | None:
            return subject()

        return await asyncio.create_task(ask())

    @app.get("/thread")
    def thread(principal: Caller) -> list[Optional[str]]:  # noqa: UP045
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
    waiting: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        waiting.append(subject() or "")
        if len(waiting) == 2:
            both[0].set()
        await both[0].wait()
        await send(subject())

    async def ask(name: str) -> Any:
        answers: list[Any] = []

        async def send(message: Any) -> None:
            answers.append(message)

        scope = {"type": "http", "headers": headers(json.dumps({"iss": "app", "sub": name}))}
        await mantlet.CallerMiddleware(app)(scope, None, send)  # pyright: ignore[reportArgumentType]
        return answers[0]

    async def run() -> Any:
        both.append(asyncio.Event())
        return await asyncio.gather(ask("ann"), ask("bob"))

    both: list[asyncio.Event] = []  # in Python 3.9, an event is one of the loop that runs

    assert list(asyncio.run(run())) == ["ann", "bob"]


async def asked(app: Any, path: str, name: str | None, later: Any = None) -> Any:
    """Sends a request as a server does: in a task of its own. Then runs a function."""
    sent_headers = headers(json.dumps({"iss": "app", "sub": name})) if name is not None else []
    answer = b""

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal answer
        answer += message.get("body", b"")

    scope = {"type": "http", "method": "GET", "path": path, "headers": sent_headers, "query_string": b""}
    await asyncio.create_task(app(scope, receive, send))
    return json.loads(answer)


class Worker:
    """It is started by the first request that needs it, and then works for all."""

    def __init__(self, does: Any) -> None:
        self.does = does
        self.task: asyncio.Task[None] | None = None
        self.thread: threading.Thread | None = None

    async def ask(self) -> Any:
        """By a task."""
        if self.task is None:
            self.jobs: asyncio.Queue[asyncio.Future[Any]] = asyncio.Queue()
            self.task = asyncio.create_task(self.run())
        done = asyncio.get_running_loop().create_future()
        await self.jobs.put(done)
        return await done

    async def run(self) -> None:
        while True:
            (await self.jobs.get()).set_result(self.does())

    def ask_thread(self) -> Any:
        """By a thread that has the context of the request that started it."""
        if self.thread is None:
            self.questions: queue.Queue[queue.Queue[Any] | None] = queue.Queue()
            run = contextvars.copy_context().run
            self.thread = threading.Thread(target=run, args=(self.run_thread,), daemon=True)
            self.thread.start()
        done: queue.Queue[Any] = queue.Queue()
        self.questions.put(done)
        return done.get(timeout=30)

    def run_thread(self) -> None:
        while (done := self.questions.get()) is not None:
            done.put(self.does())

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
        if self.thread is not None:
            self.questions.put(None)
            self.thread.join()


@pytest.mark.parametrize("by", ["middleware", "dependency"])
@pytest.mark.parametrize("kind", ["task", "thread"])
def test_a_worker_does_not_keep_the_caller_that_has_started_it(
    monkeypatch: pytest.MonkeyPatch, kind: str, by: str
) -> None:
    monkeypatch.setenv("MANTLET_PRINCIPAL_KEY", KEY)
    app = FastAPI(dependencies=[Depends(mantlet.principal)] if by == "dependency" else [])
    worker = Worker(subject)

    @app.get("/task")
    async def task() -> list[Any]:
        return [subject(), await worker.ask()]

    @app.get("/thread")
    def thread() -> list[Any]:
        return [subject(), worker.ask_thread()]

    if by == "middleware":
        app.add_middleware(mantlet.CallerMiddleware)

    async def run() -> None:
        assert await asked(app, f"/{kind}", "ann") == ["ann", "ann"]
        for name in ("bob", "ann"):
            assert await asked(app, f"/{kind}", name) == [name, None]
        await worker.stop()

    asyncio.run(run())


@pytest.mark.parametrize("by", ["middleware", "dependency"])
def test_what_outlives_a_request_has_no_caller(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, by: str
) -> None:
    monkeypatch.setenv("MANTLET_PRINCIPAL_KEY", KEY)
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
        fill(connection, True)
    maker = sessionmaker(engine)
    mantlet.scope(maker, **owners())

    def seen() -> list[Any]:
        with maker() as session:
            return [subject(), list(session.scalars(select(Order.id).order_by(Order.id)))]

    app = FastAPI(dependencies=[Depends(mantlet.principal)] if by == "dependency" else [])
    told: list[Any] = []
    outliving: list[asyncio.Task[None]] = []
    over: list[asyncio.Event] = []

    @app.get("/start")
    async def start(tasks: BackgroundTasks) -> Any:
        async def outlive() -> None:
            told.append(("in it", *seen()))
            await over[0].wait()
            told.append(("after it", *seen()))

        outliving.append(asyncio.create_task(outlive()))
        tasks.add_task(lambda: told.append(("in the background", *seen())))
        return seen()

    if by == "middleware":
        app.add_middleware(mantlet.CallerMiddleware)

    async def run() -> None:
        over.append(asyncio.Event())
        assert await asked(app, "/start", "1") == ["1", [1, 3]]
        over[0].set()
        await asyncio.gather(*outliving)

    with caplog.at_level(logging.WARNING, "mantlet"):
        asyncio.run(run())
    assert sorted(told) == [
        ("after it", None, []),
        ("in it", "1", [1, 3]),
        ("in the background", "1", [1, 3]),
    ]
    assert any("has ended, and its caller with it" in record.getMessage() for record in caplog.records)


def test_a_forged_header_ends_with_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANTLET_PRINCIPAL_KEY", KEY)
    with caller.of_request([(caller.HEADER, b"{}"), (caller.SIGNATURE, b"t=1,v1=A")]):
        later = contextvars.copy_context()
        with pytest.raises(mantlet.PrincipalError):
            later.run(mantlet.current_principal)
        assert later.run(caller.is_in_request)
    assert later.run(mantlet.current_principal) is None
    assert later.run(caller.is_after_request) and not later.run(caller.is_in_request)
    assert not caller.is_after_request() and not caller.is_in_request()
