"""The proven caller of a request, as the gate says it in a signed header.

The header is believed only with a good signature that is at most a minute old. So a client that
reaches the app past the gate cannot name itself, whatever it sends.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Union

from mantlet.errors import PrincipalError

HEADER = b"x-mantlet-principal"
SIGNATURE = b"x-mantlet-principal-signature"
KEY = "MANTLET_PRINCIPAL_KEY"
LIFETIME = 60  # seconds; also how far the clocks of gate and app may differ
SHORTEST_KEY = 32

NO_KEY = (
    f"the caller is not known: `{KEY}` is not set. Set `authentication.principal-header = "
    '"X-Mantlet-Principal"` and start the app with `mantlet run`, which makes the key. With `mantlet '
    f"serve`, set `authentication.principal-key`, and give the app the same key in `{KEY}`. In tests, "
    "use `mantlet.testing.as_user`"
)


@dataclass(frozen=True)
class Principal:
    """A caller that the gate has proven.

    `issuer` and `subject` are those of its token: only together they name one caller. `attributes`
    are those that `authentication.principal-attributes` names, as far as they are known.
    """

    issuer: str
    subject: str
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __getitem__(self, name: str) -> Any:
        """An attribute; `KeyError` if it is not known."""
        return self.attributes[name]


Headers = Iterable[tuple[bytes, bytes]]
Outcome = Union[Principal, PrincipalError, None]


@dataclass(frozen=True)
class ForTest:
    """A caller that a test has chosen. It is not replaced by what a request says."""

    principal: Principal | None


class Request:
    """A request whose header was read. Its caller ends with it: a task or a thread that it has
    started may go on, and serve others."""

    def __init__(self, outcome: Outcome, task: asyncio.Task[Any] | None = None) -> None:
        self.outcome = outcome
        self.task = task
        self.is_ended = False

    def has_ended(self) -> bool:
        return self.is_ended or (self.task is not None and self.task.done())


# Not set: this is not a request, or nothing has read its header.
CURRENT: ContextVar[Request | ForTest | None] = ContextVar("mantlet_principal", default=None)
# The middleware has read the headers of this request.
IS_READ: ContextVar[bool] = ContextVar("mantlet_principal_is_read", default=False)


def told() -> Outcome:
    """The caller, or why it is not known. None after the end of the request."""
    known = CURRENT.get()
    if isinstance(known, Request):
        return None if known.has_ended() else known.outcome
    return known.principal if known is not None else None


def current_principal() -> Principal | None:
    """The caller of the current request; none if it is anonymous, and outside of requests.

    Works in handlers and dependencies, sync and async, in their background tasks, and in tasks that
    they start, until the request ends. A thread of your own has it with
    `contextvars.copy_context().run`.

    Raises `PrincipalError` if the header was forged or is too old, or if its key is missing.
    """
    known = told()
    if isinstance(known, PrincipalError):
        raise PrincipalError(*known.args)
    return known


def is_in_request() -> bool:
    """Whether something has read the header of a request that still runs, or a test has chosen a
    caller."""
    return CURRENT.get() is not None and not is_after_request()


def is_after_request() -> bool:
    """Whether this is a task or a thread that a request has started, and that has outlived it."""
    known = CURRENT.get()
    return isinstance(known, Request) and known.has_ended()


@contextmanager
def of_request(headers: Headers) -> Iterator[None]:
    """The caller is that of the request with these headers, until it ends."""
    if is_for_test():
        yield
        return
    request = Request(outcome_of(headers))
    token = CURRENT.set(request)
    until = IS_READ.set(True)
    try:
        yield
    finally:
        request.is_ended = True
        IS_READ.reset(until)
        CURRENT.reset(token)


def read(values: list[str], signatures: list[str]) -> None:
    """The caller is that of these headers from here on, until the task of the request ends. Not if
    they were read before: they may be too old now."""
    if not (is_for_test() or IS_READ.get()):
        named = [(HEADER, value.encode("latin-1")) for value in values]
        signed = [(SIGNATURE, value.encode("latin-1")) for value in signatures]
        CURRENT.set(Request(outcome_of([*named, *signed]), asyncio.current_task()))


def is_for_test() -> bool:
    return isinstance(CURRENT.get(), ForTest)


def outcome_of(headers: Headers) -> Outcome:
    """The caller, or why it is not known."""
    try:
        return verified(headers, os.environ.get(KEY, ""), time.time())
    except PrincipalError as error:
        return error


def verified(headers: Headers, key: str, now: float) -> Principal | None:
    """The caller that these headers prove; none if the gate has named none."""
    if not key:
        raise PrincipalError(NO_KEY)
    if len(key) < SHORTEST_KEY:
        raise PrincipalError(f"`{KEY}` is too short: make a key with `openssl rand -hex 32`")
    ours = [(name.lower(), value) for name, value in headers if name.lower() in (HEADER, SIGNATURE)]
    if not ours:
        return None
    if sorted(name for name, _ in ours) != [HEADER, SIGNATURE]:
        raise PrincipalError(
            "the caller is not known: `X-Mantlet-Principal` came without its signature, or twice. The "
            "request did not come through Mantlet, or Mantlet has no key: let the app be reached by "
            "Mantlet alone, and set `authentication.principal-key`"
        )
    text, signature = dict(ours)[HEADER], dict(ours)[SIGNATURE]
    at, signed = _parts(signature)
    mac = hmac.new(key.encode(), at + b"." + text, hashlib.sha256).digest()
    if not hmac.compare_digest(base64.urlsafe_b64encode(mac).rstrip(b"="), signed):
        raise PrincipalError(
            "the caller is not known: the signature of `X-Mantlet-Principal` is forged, or made with "
            f"another key. Let the app be reached by Mantlet alone, and give both the same key (`{KEY}`)"
        )
    if abs(now - int(at)) > LIFETIME:
        raise PrincipalError(
            f"the caller is not known: `X-Mantlet-Principal` was signed {now - int(at):.0f} s ago, and is "
            f"good for {LIFETIME} s. It was replayed, or the clocks of Mantlet and the app differ: set them"
        )
    told = json.loads(text)
    return Principal(told["iss"], told["sub"], told.get("attributes", {}))


def _parts(signature: bytes) -> tuple[bytes, bytes]:
    """The time and the signature of `t=1800000000,v1=…`; what has another form is no signature."""
    at, _, signed = signature.partition(b",v1=")
    at = at[2:] if at.startswith(b"t=") else b""
    return (at, signed) if at.isdigit() and len(at) < 16 else (b"0", b"")
