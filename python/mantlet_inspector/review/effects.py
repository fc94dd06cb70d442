"""What the code of an operation was seen to do."""

from __future__ import annotations

import dataclasses
import functools
import os
from typing import Any

READ, WRITE, MADE, REMOVED = "read", "write", "create", "delete"


@dataclasses.dataclass
class Touch:
    """What is done to rows of a table, or of what the app keeps its objects in."""

    how: set[str] = dataclasses.field(default_factory=set)
    by_caller: bool = False  # they are chosen by who is calling
    owned: bool = False  # new ones are the caller's
    owners: set[str] = dataclasses.field(default_factory=set)  # by these fields


class Effects:
    def __init__(self) -> None:
        # (kind, file, line) -> what else is known of it
        self.signs: dict[tuple[str, str, int], dict[str, Any]] = {}
        self.cookies: dict[tuple[str, str, int], dict[str, Any]] = {}
        self.cookies_read: set[str] = set()
        self.touches: dict[str, Touch] = {}
        self.asks: set[str] = set()  # attributes of the caller that it asks for, and may refuse
        self.measured: set[str] = set()  # inputs whose value, size or length it looks at
        self.refuses = False  # it may refuse for want of a credential or of a right
        self.excuses: set[str] = set()  # those that stand for being the owner
        self.chosen_by: set[str] = set()  # attributes of the caller that choose objects; `*`: any
        self.raises = False
        self.schemes = False  # it asks for a credential
        self.checks = False  # it looks at the credential that it gets
        self.caller = False  # it finds out who is calling
        self.demands = False  # it refuses those who do not say it
        self.offers = False  # it takes those who do not
        self.uses_caller = False
        self.assigns: dict[tuple[str, str], tuple[str, int]] = {}  # (store, field) -> where
        self.bounds: set[str] = set()  # inputs that say how many rows are read
        self.answer: dict[str, Any] | None = None
        self.makes_account = False
        self.is_whole = True  # all of its code was read

    def touch(self, store: str) -> Touch:
        return self.touches.setdefault(store, Touch())

    def sign(self, kind: str, file: str, line: int, **more: Any) -> None:
        self.signs.setdefault((kind, file, line), more)

    def add(self, other: Effects, only_refusals: bool = False) -> None:
        """What a dependency does. Of one that only finds the caller, its refusals: what is unsafe
        in it is so for the app as a whole."""
        if not only_refusals:
            self.signs = {**other.signs, **self.signs}
        self.cookies = {**other.cookies, **self.cookies}
        self.cookies_read |= other.cookies_read
        self.asks |= other.asks
        self.refuses |= other.refuses
        self.excuses |= other.excuses
        self.raises |= other.raises
        self.schemes |= other.schemes
        self.checks |= other.checks
        self.caller |= other.caller
        self.demands |= other.demands
        self.offers |= other.offers
        if only_refusals:
            return
        self.uses_caller |= other.uses_caller
        self.chosen_by |= other.chosen_by
        self.makes_account |= other.makes_account
        self.bounds |= other.bounds
        self.measured |= other.measured
        self.assigns.update(other.assigns)
        self.is_whole &= other.is_whole
        for store, touch in other.touches.items():
            own = self.touch(store)
            own.how |= touch.how
            own.by_caller |= touch.by_caller
            own.owned |= touch.owned
            own.owners |= touch.owners


@functools.cache
def below_project(file: str) -> str | None:
    """A file by its place below the folder of the project, with `/`; none if it is not there."""
    relative = os.path.relpath(os.path.abspath(file))
    return (
        None if relative.startswith(os.pardir) or os.path.isabs(relative) else relative.replace(os.sep, "/")
    )
