"""How an operation asks for credentials."""

from __future__ import annotations

import re
import sys
from typing import Any

from fastapi.openapi.models import SecurityBase as SecurityModel

from mantlet_inspector.source import files
from mantlet_inspector.source.objects import code_of

# The methods of FastAPI's own schemes that refuse a request without a credential. Which of them
# does has changed, and with it the status.
REFUSING = ("__call__", "check_api_key", "make_not_authenticated_error")
STATUS = re.compile(r"HTTP_(4\d\d)_")


def scopes_of(dependant: Any) -> list[str]:
    """Scopes asked for here and by everything that depends on it."""
    requirements = getattr(dependant, "security_requirements", None)  # of older versions
    if requirements:
        scopes = [scope for requirement in requirements for scope in requirement.scopes or []]
    else:
        parent, own = (getattr(dependant, f"{whose}_oauth_scopes", None) or [] for whose in ("parent", "own"))
        scopes = [*parent, *own]
    return list(dict.fromkeys(str(scope) for scope in scopes))


def security_scheme(scheme: Any) -> dict[str, Any] | None:
    """-> how a credential comes, if that is one of the ways that are known."""
    model = getattr(scheme, "model", None)
    if not isinstance(model, SecurityModel):
        return None
    described: Any = model  # by one of its subclasses
    kind = str(getattr(model.type_, "value", model.type_))
    if kind == "apiKey":
        location = str(getattr(described.in_, "value", described.in_))
        return {"kind": "api-key", "location": location, "name": described.name}
    if kind == "http" and described.scheme.lower() in ("bearer", "basic", "digest"):
        return {"kind": described.scheme.lower()}
    if kind == "oauth2" and type(scheme).__name__ in (
        "OAuth2PasswordBearer",
        "OAuth2AuthorizationCodeBearer",
    ):
        flow = described.flows.password or described.flows.authorizationCode
        return {"kind": "bearer", "token-url": getattr(flow, "tokenUrl", None)}
    return None


def status_if_missing(scheme: Any) -> int | None:
    """-> the status with which FastAPI itself refuses a request without this credential; none if
    it lets it pass, or if code that is not FastAPI's decides."""
    cls, own = type(scheme), vars(scheme)
    module = sys.modules.get(cls.__module__)
    is_fastapis = cls.__module__.startswith("fastapi.security.") and vars(module).get(cls.__name__) is cls
    if not is_fastapis or own.get("auto_error") is not True or any(name in own for name in REFUSING):
        return None
    statuses = set()
    for name in REFUSING:
        method = next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)
        if method is None:
            continue
        method = getattr(method, "__func__", method)
        code = code_of(method)
        if code is None or not files.is_frameworks(method):
            return None
        statuses |= {int(found[1]) for found in map(STATUS.match, code.co_names) if found}
    return statuses.pop() if len(statuses) == 1 else None
