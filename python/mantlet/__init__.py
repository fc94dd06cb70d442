"""Mantlet inside the app: the proven caller, and queries that only see the caller's own rows.

The gate sends the caller in a signed header. The app needs one line for each::

    app.add_middleware(mantlet.CallerMiddleware)      # the caller of each request
    mantlet.scope(SessionLocal, user=User)            # each query sees the caller's rows alone
    mantlet.audit("user.password.reset", user_id=7)   # an event in the gate's audit file

Nothing here is needed to run an app behind Mantlet. It needs FastAPI, Starlette or SQLAlchemy only
where it is used with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mantlet.caller import Principal, current_principal
from mantlet.errors import MantletError, NotScopable, PrincipalError, RowSecurityError, ScopeError
from mantlet.events import AuditHandler, AuditMiddleware, audit, audit_processor
from mantlet.middleware import CallerMiddleware
from mantlet.without_scope import unscoped

if TYPE_CHECKING:
    from mantlet.dependency import principal
    from mantlet.scoping.scope import Scope, scope

__all__ = [
    "AuditHandler",
    "AuditMiddleware",
    "CallerMiddleware",
    "MantletError",
    "NotScopable",
    "Principal",
    "PrincipalError",
    "RowSecurityError",
    "Scope",
    "ScopeError",
    "audit",
    "audit_processor",
    "current_principal",
    "principal",
    "scope",
    "unscoped",
]

LATER = {
    "principal": "mantlet.dependency",
    "scope": "mantlet.scoping.scope",
    "Scope": "mantlet.scoping.scope",
}


def __getattr__(name: str) -> Any:
    """What needs another package is imported when it is used."""
    if name not in LATER:
        raise AttributeError(f"module `mantlet` has no attribute `{name}`")
    import importlib

    return getattr(importlib.import_module(LATER[name]), name)
