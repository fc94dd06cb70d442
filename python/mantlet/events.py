"""Events of the app, in the gate's audit file.

`audit` never waits and never raises. The gate adds who has asked for it, from where and in which
request. Without a gate that hears them, events go to the logger `mantlet.audit`.
"""

from __future__ import annotations

import atexit
import errno
import json
import logging
import os
import re
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

SOCKET = "MANTLET_AUDIT_SOCKET"
HEADER = b"x-mantlet-request"
LOGGER = logging.getLogger("mantlet.audit")

# Bounds of an event. The gate has the same.
LONGEST_EVENT = 4096  # bytes
MOST_FIELDS = 16
LONGEST_NAME = 64
LONGEST_VALUE = 256  # characters
# Events that wait for room in the socket, which takes few of them at a time.
MOST_WAITING = 4096
# Seconds for which the end of the app waits for them.
AT_EXIT = 1.0

MASKED = "(masked)"
NOT_SINGLE = "(left out: a list or an object)"
SECRET_NAMES = (
    *("password", "passwd", "passphrase", "pwd", "secret", "token"),
    *("apikey", "privatekey", "authorization", "cookie", "credential", "jwt"),
)
SECRET_CODES = ("pin", "otp", "totp", "cvv", "cvc", "mfacode")
SECRET_VALUE = re.compile(
    r"\s*(bearer |basic |-----begin|\$2[aby]\$|\$argon2|sk_live_|ghp_|xoxb-|ey[^.]*\.[^.]*\.[^.]*\Z)",
    re.IGNORECASE,
)
NOT_OF_A_NAME = re.compile(r"[^A-Za-z0-9._-]")

# The header of the request, which only the gate can make and read.
REQUEST: ContextVar[str] = ContextVar("mantlet_request", default="")

# What every record of `logging` has, and what structlog and its renderers add.
OF_EVERY_RECORD = {*vars(logging.LogRecord("", 0, "", 0, "", (), None)), "message", "asctime", "taskName"}
OF_STRUCTLOG = {
    "_from_structlog",
    "_record",
    "event",
    "exc_info",
    "exception",
    "level",
    "logger",
    "logger_name",
    "stack_info",
    "timestamp",
}


def audit(event: str, /, **fields: Any) -> None:
    """Puts an event into the gate's audit file: `audit("user.password.reset", user_id=user.id)`.

    Fields are single values: texts, numbers, flags. What looks like a secret is masked. It returns
    at once, whatever becomes of the event, and never raises.
    """
    try:
        _tell(event, fields)
    except Exception:
        LOGGER.exception("an event could not be recorded")


class AuditMiddleware:
    """`app.add_middleware(mantlet.AuditMiddleware)`: events say of which request they are.

    Plain ASGI: it changes no request. `mantlet.CallerMiddleware` does the same.
    """

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app
        greet()

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: Callable[..., Any], send: Callable[..., Any]
    ) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        else:
            with in_request(scope["headers"]):
                await self.app(scope, receive, send)


class AuditHandler(logging.Handler):
    """Takes what is logged with `extra={"security_event": "user.password.reset", …}`, and lines of
    JSON with that key. All other records pass it by.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if record.name == LOGGER.name:
                return
            if "security_event" in vars(record):
                extra = {name: value for name, value in vars(record).items() if name not in OF_EVERY_RECORD}
                _of_dictionary(extra)
            elif isinstance(record.msg, Mapping):
                _of_dictionary(record.msg)
            else:
                message = record.getMessage()
                if message.startswith("{") and '"security_event"' in message:
                    read = json.loads(message)
                    _of_dictionary(read if isinstance(read, dict) else {})
        except Exception:
            self.handleError(record)


def audit_processor(logger: Any, method_name: str, event_dict: Any) -> Any:
    """A processor of structlog: takes what has the key `security_event`, and hands it on."""
    try:
        _of_dictionary(event_dict)
    except Exception:
        LOGGER.exception("an event could not be recorded")
    return event_dict


def greet() -> None:
    """Tells the gate that this app has events, so that it says who is behind each request."""
    try:
        sender = _sender()
        if sender is not None:
            sender.send({})
    except Exception:
        LOGGER.exception("the gate could not be told of events")


@contextmanager
def in_request(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[None]:
    """Events are of the request with these headers, also in the tasks that it starts."""
    known = [value for name, value in headers if name.lower() == HEADER]
    token = REQUEST.set(known[-1].decode("latin-1") if known else "")
    try:
        yield
    finally:
        REQUEST.reset(token)


def _of_dictionary(found: Mapping[str, Any]) -> None:
    event = found.get("security_event")
    if event:
        left_out = {"security_event", *OF_STRUCTLOG}
        _tell(str(event), {name: value for name, value in found.items() if name not in left_out})


def _tell(event: str, fields: Mapping[str, Any]) -> None:
    told: dict[str, Any] = {"event": _name(event), "data": _told(fields)}
    request = REQUEST.get()
    if request:
        told["request"] = request
    sender = _sender()
    if sender is None or not sender.send(told):
        _log(told)


def _log(told: Mapping[str, Any]) -> None:
    """Where there is no gate."""
    data = told.get("data", {})
    if "event" in told:
        fields = "".join(f" {name}={value!r}" for name, value in data.items())
        extra = {"security_event": told["event"], "data": data}
        LOGGER.info("%s%s", told["event"], fields, extra=extra)


def _name(text: str) -> str:
    return NOT_OF_A_NAME.sub("_", str(text))[:LONGEST_NAME] or "_"


def _told(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {_name(name): _value(_name(name), fields[name]) for name in list(fields)[:MOST_FIELDS]}


def _value(name: str, value: Any) -> Any:
    plain = re.sub("[^a-z0-9]", "", name.lower())
    if value is None:
        return None
    if plain in SECRET_CODES:
        return MASKED
    if isinstance(value, (bool, int, float)):
        # Neither infinity nor a number of a thousand digits is JSON that others read.
        return value if isinstance(value, bool) or abs(value) < 2**63 else str(value)[:LONGEST_VALUE]
    if isinstance(value, (list, tuple, set, frozenset, Mapping)):
        return NOT_SINGLE
    try:
        text = str(value)
    except Exception:
        return "(left out: it has no text)"
    if any(part in plain for part in SECRET_NAMES) or SECRET_VALUE.match(text[:LONGEST_EVENT]):
        return MASKED
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…"


class Sender:
    """Sends events to the gate, in their order. What the socket has no room for waits in memory,
    and a thread sends it. What has no room there is counted: the count goes with the next event."""

    def __init__(self, path: str) -> None:
        self.waiting: deque[Mapping[str, Any]] = deque()
        self.lost = 0
        self.is_gone = False
        self.turn = threading.Lock()  # held by the one that sends, for as long as that does not wait
        self.counting = threading.Lock()
        self.thread: threading.Thread | None = None
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        try:
            self.socket.connect(path)
        except OSError:
            self.is_gone = True

    def send(self, told: Mapping[str, Any]) -> bool:
        """False if there is no gate any more."""
        if self.is_gone:
            return False
        if len(self.waiting) >= MOST_WAITING:
            self.count(1)
            return True
        self.waiting.append(told)
        # Whoever sends at the moment may have seen the list before this was in it.
        while self.waiting and not self.is_gone and self.turn.acquire(blocking=False):
            try:
                is_full = not self.flush()
                if is_full and self.thread is None:
                    self.thread = threading.Thread(target=self.run, name="mantlet-audit", daemon=True)
                    self.thread.start()
            finally:
                self.turn.release()
            if is_full:
                break
        return True

    def count(self, lost: int) -> None:
        with self.counting:
            self.lost += lost

    def flush(self) -> bool:
        """Sends what waits. False if the socket has no room."""
        while self.waiting:
            lost = self.lost
            try:
                self.socket.send(encoded(self.waiting[0], lost))
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM):
                    return False
                if error.errno == errno.EMSGSIZE:
                    self.waiting.popleft()
                    self.count(1)
                    continue
                self.is_gone = True
                while self.waiting:
                    _log(self.waiting.popleft())
                return True
            self.waiting.popleft()
            self.count(-lost)
        return True

    def run(self) -> None:
        room = select.poll()
        room.register(self.socket, select.POLLOUT)
        while True:
            room.poll(50)
            with self.turn:
                if self.flush():
                    self.thread = None
                    return
            time.sleep(0.001)

    def finish(self) -> None:
        """What still waits when the app ends."""
        end = time.monotonic() + AT_EXIT
        while self.waiting and time.monotonic() < end:
            with self.turn:
                self.flush()
            time.sleep(0.001)


def encoded(told: Mapping[str, Any], lost: int) -> bytes:
    """A datagram. Fields that make it too long are left out, the last first."""
    data = dict(told.get("data", {}))
    request = {"request": told["request"]} if "request" in told else {}
    while True:
        event = {"event": told["event"], "data": data} if "event" in told else {}
        text = json.dumps(event, ensure_ascii=False).encode("utf-8", "replace")
        if len(text) <= LONGEST_EVENT or not data:
            break
        data.popitem()
    whole = {**event, **request, **({"lost": lost} if lost else {})}
    return json.dumps(whole, ensure_ascii=False).encode("utf-8", "replace")


# Made at the first event; a process that was forked makes its own.
SENDER: list[Sender | None] = []


def _sender() -> Sender | None:
    if not SENDER:
        path = os.environ.get(SOCKET, "")
        SENDER.append(Sender(path) if path else None)
    return SENDER[0]


def _at_exit() -> None:
    for sender in SENDER:
        if sender is not None:
            sender.finish()


def _forget() -> None:
    SENDER.clear()


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_forget)
