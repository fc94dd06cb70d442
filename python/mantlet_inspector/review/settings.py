"""How an app is set up, as far as that matters to its security. No secret is written down."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mantlet_inspector.contract.middleware import options_of
from mantlet_inspector.review.keys import key_facts, keys_of
from mantlet_inspector.source import files
from mantlet_inspector.source.places import name_of
from mantlet_inspector.source.stored import class_name, module_of

PAGES = ("docs_url", "redoc_url", "openapi_url")
CORS = {
    "allow_origins": "origins",
    "allow_origin_regex": "origin-regex",
    "allow_credentials": "credentials",
    "allow_methods": "methods",
    "allow_headers": "headers",
}
SESSION = {
    "session_cookie": "cookie",
    "https_only": "https-only",
    "same_site": "same-site",
    "max_age": "max-age",
}
DEFAULTS = {
    "https_only": False,
    "same_site": "lax",
    "max_age": 14 * 24 * 60 * 60,
    "session_cookie": "session",
}


def settings_of(app: Any, keys: dict[bytes, str], modules: Iterable[Any]) -> dict[str, Any]:
    from mantlet_inspector.contract.walk import Walk

    found = Walk().unwrap(app)[1]
    if found is None:
        return {}
    modules = list(modules)
    middleware = [described(one, modules) for one in getattr(found, "user_middleware", ())]
    weak = keys_of(keys, modules)
    return {
        **({"debug": True} if getattr(found, "debug", False) is True else {}),
        "docs": sorted({url for url in (getattr(found, page, None) for page in PAGES) if url}),
        **({"middleware": middleware} if middleware else {}),
        **({"keys": weak} if weak else {}),
    }


def described(middleware: Any, modules: list[Any]) -> dict[str, Any]:
    cls, options = middleware.cls, options_of(middleware)
    if not isinstance(cls, type) or not files.is_frameworks(cls):
        return {"kind": "other", "name": name_of(options.get("dispatch") or cls)}
    kind = class_name(cls)
    if kind == "CORSMiddleware" and module_of(cls) == "starlette.middleware.cors":
        return {
            "kind": "cors",
            **{name: plain(options[key]) for key, name in CORS.items() if options.get(key)},
        }
    if kind == "TrustedHostMiddleware":
        return {"kind": "trusted-host", "hosts": plain(options.get("allowed_hosts") or ["*"])}
    if kind == "SessionMiddleware":
        given = {**DEFAULTS, **options}
        written = {name: plain(given[key]) for key, name in SESSION.items() if given[key] is not None}
        key = key_facts(options.get("secret_key"), "the key of `SessionMiddleware`", modules)
        return {"kind": "session", **written, **({"key": key} if key else {})}
    if kind == "HTTPSRedirectMiddleware":
        return {"kind": "https-redirect"}
    return {"kind": "other", "name": kind}


def plain(value: Any) -> Any:
    if isinstance(value, (list, tuple, set, frozenset)):
        return sorted(str(one) for one in value)
    return value if isinstance(value, (bool, int, str)) else str(value)
