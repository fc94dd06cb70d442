"""How an operation asks for credentials."""

from __future__ import annotations

from typing import Any

from fastapi.openapi.models import SecurityBase as SecurityModel


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
