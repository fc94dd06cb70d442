"""Events of the app: what is sent to the gate, and that nothing waits for it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mantlet
from mantlet import events


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What the gate listens on. It reads when the test does."""
    path = tmp_path / "event.sock"
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(path))
    heard.settimeout(20)
    monkeypatch.setenv(events.SOCKET, str(path))
    monkeypatch.setattr(events, "SENDER", [])
    yield heard
    heard.close()


def hear(gate: socket.socket) -> Any:
    return json.loads(gate.recv(1 << 16))


def sender() -> events.Sender:
    found = events._sender()
    assert found is not None
    return found


def test_an_event_has_its_name_and_its_fields(gate: socket.socket) -> None:
    mantlet.audit("user.password.reset", user_id=7, ok=True, rate=0.5, who="ann", none=None)
    data = {"user_id": 7, "ok": True, "rate": 0.5, "who": "ann", "none": None}
    assert hear(gate) == {"event": "user.password.reset", "data": data}


def test_secrets_are_masked_and_everything_is_bounded(gate: socket.socket) -> None:
    class Silent:
        def __str__(self) -> str:
            raise ValueError

    secrets = {"new_password": "a", "api-key": "b", "pin": 1234, "note": "Bearer x", "jwt_like": "x"}
    mantlet.audit("a", **secrets, text="eyJh.eyJz.c2ln", password_changed=True)
    data = hear(gate)["data"]
    assert data.pop("password_changed") is True
    assert set(data.values()) == {events.MASKED}
    mantlet.audit("bad name\n" + "x" * 99, long="é" * 999, nested={"a": 1}, silent=Silent(), huge=10**99)
    told = hear(gate)
    assert told["event"] == "bad_name_" + "x" * 55
    assert told["data"]["long"] == "é" * 256 + "…"
    assert told["data"]["nested"] == events.NOT_SINGLE
    assert told["data"]["silent"] == "(left out: it has no text)"
    assert told["data"]["huge"] == "1" + "0" * 99
    mantlet.audit("a", **{f"field{number}": "𝄞" * 256 for number in range(40)})
    datagram = gate.recv(1 << 16)
    assert len(datagram) <= events.LONGEST_EVENT
    assert 0 < len(json.loads(datagram)["data"]) < 16
    mantlet.audit("a", **{f"field{number}": number for number in range(40)})
    assert list(hear(gate)["data"]) == [f"field{number}" for number in range(16)]


def test_nothing_waits_for_a_gate_that_does_not_read(gate: socket.socket) -> None:
    # A call that waited would do so for ever.
    many = events.MOST_WAITING + 5_000
    for number in range(many):
        mantlet.audit("a", number=number)
    found = sender()
    assert found.lost > 0
    # In their order, and each is heard or counted.
    heard, lost, last = 0, 0, -1
    while heard + lost < many:
        told = hear(gate)
        heard, lost = heard + 1, lost + told.get("lost", 0)
        assert told["data"]["number"] > last
        last = told["data"]["number"]
        if heard + lost < many and not found.waiting and found.lost:
            # The count goes with the next event.
            mantlet.audit("a", number=many)
            many += 1
    assert found.lost == 0


def test_threads_and_a_burst_lose_nothing(gate: socket.socket) -> None:
    def burst(name: int) -> None:
        for number in range(250):
            mantlet.audit("a", name=name, number=number)

    threads = [threading.Thread(target=burst, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    told = [hear(gate)["data"] for _ in range(1_000)]
    for thread in threads:
        thread.join()
    for name in range(4):
        assert [one["number"] for one in told if one["name"] == name] == list(range(250))


def test_without_a_gate_events_are_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv(events.SOCKET, raising=False)
    monkeypatch.setattr(events, "SENDER", [])
    caplog.set_level(logging.INFO, logger="mantlet.audit")
    mantlet.audit("user.deleted", user_id=7, token="x")
    assert caplog.messages == ["user.deleted user_id=7 token='(masked)'"]
    assert vars(caplog.records[0])["security_event"] == "user.deleted"


def test_a_gate_that_is_gone_is_one_that_is_not_there(
    gate: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="mantlet.audit")
    mantlet.audit("first")
    assert hear(gate) == {"event": "first", "data": {}}
    gate.close()
    mantlet.audit("second")
    mantlet.audit("third", number=3)
    assert caplog.messages == ["second", "third number=3"]


def test_a_handler_takes_what_is_named_so(gate: socket.socket) -> None:
    logger = logging.getLogger("app.under.test")
    handler = mantlet.AuditHandler()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        logger.info("nothing of interest", extra={"user_id": 7})
        logger.info("reset", extra={"security_event": "password.reset", "user_id": 7})
        logger.info('{"security_event": "role.changed", "user_id": 8, "event": "x", "level": "info"}')
        logger.info("{not JSON")
        logger.info('{"text": "security_event"}')
        logger.info({"security_event": "key.made", "event": "made", "key_id": 9})
        mantlet.audit("last")
        assert hear(gate) == {"event": "password.reset", "data": {"user_id": 7}}
        assert hear(gate) == {"event": "role.changed", "data": {"user_id": 8}}
        assert hear(gate) == {"event": "key.made", "data": {"key_id": 9}}
        assert hear(gate)["event"] == "last"
    finally:
        logger.removeHandler(handler)


def test_a_processor_hands_on_what_it_takes(gate: socket.socket) -> None:
    told = {"event": "a user was deleted", "security_event": "user.deleted", "user_id": 7, "level": "info"}
    assert mantlet.audit_processor(None, "info", dict(told)) == told
    assert mantlet.audit_processor(None, "info", {"event": "x"}) == {"event": "x"}
    mantlet.audit("last")
    assert hear(gate) == {"event": "user.deleted", "data": {"user_id": 7}}
    assert hear(gate)["event"] == "last"


@pytest.mark.parametrize("middleware", [mantlet.AuditMiddleware, mantlet.CallerMiddleware])
def test_an_event_is_of_its_request(gate: socket.socket, middleware: Any) -> None:
    """Also in a task that goes on after it, while another request is under way."""
    tasks: list[asyncio.Task[None]] = []

    async def later(name: str, is_over: asyncio.Event) -> None:
        await is_over.wait()
        mantlet.audit("later", name=name)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        name = scope["path"]
        mantlet.audit("now", name=name)
        tasks.append(asyncio.create_task(later(name, scope["is_over"])))

    async def run() -> None:
        is_over = asyncio.Event()
        wrapped = middleware(app)
        for name in ("a", "b"):
            headers = [(b"X-Mantlet-Request", name.encode())]
            scope = {"type": "http", "path": name, "headers": headers, "is_over": is_over}
            await wrapped(scope, None, None)
        mantlet.audit("outside")
        is_over.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())
    told = []
    while len(told) < 5:
        one = hear(gate)
        if "event" in one:
            told.append((one["event"], one["data"].get("name"), one.get("request")))
    assert told[:3] == [("now", "a", "a"), ("now", "b", "b"), ("outside", None, None)]
    assert sorted(told[3:]) == [("later", "a", "a"), ("later", "b", "b")]


def test_a_forked_process_has_a_sender_of_its_own(gate: socket.socket) -> None:
    mantlet.audit("parent")
    assert hear(gate)["event"] == "parent"
    child = os.fork()
    if child == 0:
        mantlet.audit("child", has_own=not events.SENDER)
        os._exit(0)
    assert hear(gate) == {"event": "child", "data": {"has_own": True}}
    assert os.waitpid(child, 0)[1] == 0
    mantlet.audit("again")
    assert hear(gate)["event"] == "again"


def test_what_waits_at_the_end_is_sent(gate: socket.socket) -> None:
    code = "import mantlet\nfor number in range(100): mantlet.audit('a', number=number)"
    process = subprocess.Popen([sys.executable, "-c", code])
    assert [hear(gate)["data"]["number"] for _ in range(100)] == list(range(100))
    assert process.wait() == 0
