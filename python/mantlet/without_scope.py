"""Where an app means to see all rows, and says why."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from types import TracebackType

from mantlet.caller import CURRENT, ForTest, Principal

LOG = logging.getLogger("mantlet")
DEPTH: ContextVar[int] = ContextVar("mantlet_unscoped", default=0)


class unscoped:
    """`with mantlet.unscoped("monthly report"):`: queries in it see all rows.

    Each use is a record of the logger `mantlet` with the reason, the caller and the line. Row level
    security of the database is not lifted by it.
    """

    def __init__(self, reason: str) -> None:
        if not isinstance(reason, str) or not reason.strip():
            raise ValueError('say why, for the record: `unscoped("monthly report")`')
        self.reason = reason

    def __enter__(self) -> None:
        known = CURRENT.get(None)
        known = known.principal if isinstance(known, ForTest) else known
        caller = f"{known.issuer}|{known.subject}" if isinstance(known, Principal) else None
        facts = {"reason": self.reason, "principal": caller}
        LOG.warning("queries see all rows: %s (caller: %s)", self.reason, caller, extra=facts, stacklevel=2)
        DEPTH.set(DEPTH.get() + 1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        DEPTH.set(DEPTH.get() - 1)


def is_unscoped() -> bool:
    return DEPTH.get() > 0
