"""Tests without the gate: `with mantlet.testing.as_user("7"):`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mantlet.caller import CURRENT, ForTest, Principal


@contextmanager
def as_user(subject: str | None, *, issuer: str = "app", **attributes: Any) -> Iterator[Principal | None]:
    """All that runs in this block has this caller, and so have requests that it sends with
    `TestClient` or httpx's `ASGITransport`. `as_user(None)`: an anonymous caller."""
    principal = None if subject is None else Principal(issuer, subject, attributes)
    token = CURRENT.set(ForTest(principal))
    try:
        yield principal
    finally:
        CURRENT.reset(token)
