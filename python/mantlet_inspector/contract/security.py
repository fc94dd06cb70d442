"""How an operation asks for credentials."""

from __future__ import annotations

from fastapi.openapi.models import SecurityBase as SecurityModel


def scopes_of(dependant):
    """Scopes asked for here and by everything that depends on it."""
    requirements = getattr(dependant, "security_requirements", None)  # of older versions
    if requirements:
        scopes = [scope for requirement in requirements for scope in requirement.scopes or []]
    else:
        parent, own = (getattr(dependant, f"{whose}_oauth_scopes", None) or [] for whose in ("parent", "own"))
        scopes = [*parent, *own]
    return list(dict.fromkeys(str(scope) for scope in scopes))


def security_scheme(scheme):
    """-> how a credential comes, if that is one of the ways that are known."""
    model = getattr(scheme, "model", None)
    if not isinstance(model, SecurityModel):
        return None
    kind = str(getattr(model.type_, "value", model.type_))
    if kind == "apiKey":
        location = str(getattr(model.in_, "value", model.in_))
        return {"kind": "api-key", "location": location, "name": model.name}
    if kind == "http" and model.scheme.lower() in ("bearer", "basic", "digest"):
        return {"kind": model.scheme.lower()}
    if kind == "oauth2" and type(scheme).__name__ in (
        "OAuth2PasswordBearer",
        "OAuth2AuthorizationCodeBearer",
    ):
        flow = model.flows.password or model.flows.authorizationCode
        return {"kind": "bearer", "token-url": getattr(flow, "tokenUrl", None)}
    return None
