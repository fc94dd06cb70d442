"""Where an app means to see all rows, and says why."""

from __future__ import annotations

import inspect
import logging
import sys
from contextvars import ContextVar
from types import FrameType, TracebackType
from typing import Any

from mantlet.caller import Principal, told
from mantlet.errors import ScopeError

LOG = logging.getLogger("mantlet")


class Block:
    """A block that has been entered. What starts in it has it, too, until it ends."""

    def __init__(self, of: unscoped, frame: FrameType | None) -> None:
        self.of = of
        self.frame = frame
        self.is_open = True


OPEN: ContextVar[tuple[Block, ...]] = ContextVar("mantlet_unscoped", default=())


class unscoped:
    """`with mantlet.unscoped("monthly report"):`: queries in it see all rows, until it ends.

    Each use is a record of the logger `mantlet` with the reason, the caller and the line. Row level
    security of the database is not lifted by it.
    """

    def __init__(self, reason: str) -> None:
        if not isinstance(reason, str) or not reason.strip():
            raise ValueError('say why, for the record: `unscoped("monthly report")`')
        self.reason = reason
        self.blocks: list[Block] = []

    def __enter__(self) -> None:
        known = told()
        caller = f"{known.issuer}|{known.subject}" if isinstance(known, Principal) else None
        facts = {"reason": self.reason, "principal": caller}
        LOG.warning("queries see all rows: %s (caller: %s)", self.reason, caller, extra=facts, stacklevel=2)
        block = Block(self, frame_to_watch(sys._getframe(1)))
        self.blocks.append(block)
        OPEN.set((*OPEN.get(), block))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A generator may be closed in another context than the one in which it was begun.
        block = next((one for one in reversed(OPEN.get()) if one.of is self), self.blocks[-1])
        block.is_open, block.frame = False, None
        self.blocks.remove(block)
        OPEN.set(tuple(one for one in OPEN.get() if one.is_open))


def frame_to_watch(frame: FrameType | None) -> FrameType | None:
    """What has to be running while a block counts, where the block may be left without its end.

    A generator is: after a `yield` the code of others runs. A context manager that is made of a
    generator counts for the body of its `with`.
    """
    is_sure = True
    while frame is not None:
        above = frame.f_back
        is_of_contextlib = frame.f_globals.get("__name__") == "contextlib"
        is_entered = above is not None and above.f_globals.get("__name__") == "contextlib"
        if not is_of_contextlib and not (is_generator(frame) and is_entered):
            return None if is_sure and not is_generator(frame) else frame
        is_sure = is_sure and is_of_contextlib and not is_generator(frame)
        frame = above
    return None


def is_generator(frame: FrameType) -> bool:
    return bool(frame.f_code.co_flags & (inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR))


def is_running(wanted: FrameType) -> bool:
    """Whether a frame is one of those that are running. The frames of an async session begin in a
    greenlet."""
    frame: FrameType | None = sys._getframe(1)
    greenlet: Any = sys.modules.get("greenlet")
    running = greenlet.getcurrent() if greenlet is not None else None
    while True:
        while frame is not None:
            if frame is wanted:
                return True
            frame = frame.f_back
        running = running.parent if running is not None else None
        if running is None:
            return False
        frame = running.gr_frame


def is_unscoped() -> bool:
    """Whether all rows are meant. Raises `ScopeError` where only a block says so that has not ended
    and whose code does not run."""
    left = None
    for block in reversed(OPEN.get()):
        frame = block.frame
        if block.is_open and (frame is None or is_running(frame)):
            return True
        left = block if block.is_open else left
    if left is not None:
        raise ScopeError(
            f'`mantlet.unscoped("{left.of.reason}")` was left by a `yield`, so that code which does not say '
            "why would see all rows: end the block before the `yield`, or write it where the queries are. "
            "A generator that is not read to its end needs `contextlib.closing` or `aclosing`"
        )
    return False
