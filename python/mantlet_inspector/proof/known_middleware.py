"""Middleware of other packages whose code was read for this list, by the full name of the class: a
subclass may do anything.

A later major version than the one that was read may do something else: it is not known.

They leave requests as they are, except where this file says so. They answer by themselves only what
is meant for them or what they refuse, and change only headers and encodings of responses.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from typing import Any, Callable

from mantlet_inspector.source import files


def without(*options: str) -> Callable[[dict[str, Any]], bool]:
    """Only if nothing of the app's own is called."""
    return lambda given: not any(given.get(option) for option in options)


def plugins_are_its_own(options: dict[str, Any]) -> bool:
    plugins = options.get("plugins") or ()
    return all(type(one).__module__.startswith("starlette_context.") for one in plugins)


def always(options: dict[str, Any]) -> bool:
    return True


# Exceptions whose handlers may respond with something other than an error, and the handlers' names.
Odd = Sequence[tuple[Any, str]]

KNOWN = {
    **{
        f"starlette.middleware.{name}": always
        for name in (
            "cors.CORSMiddleware",
            "gzip.GZipMiddleware",
            "httpsredirect.HTTPSRedirectMiddleware",
            "sessions.SessionMiddleware",
            "trustedhost.TrustedHostMiddleware",
            "body_limit.RequestBodyLimitMiddleware",
        )
    },
    "starlette.middleware.errors.ServerErrorMiddleware": without("handler"),
    "starlette.middleware.exceptions.ExceptionMiddleware": without("handlers"),
    "fastapi.middleware.asyncexitstack.AsyncExitStackMiddleware": always,
    "fastapi._body_limit.AppBodyLimitMiddleware": always,
    "fastapi._body_limit._BodyLimitExceptionMiddleware": always,
    # Scheme and client, from headers of a proxy that is trusted: nothing that is validated.
    "uvicorn.middleware.proxy_headers.ProxyHeadersMiddleware": always,
    # It also writes a header of the request: `header_written`.
    "asgi_correlation_id.middleware.CorrelationIdMiddleware": always,
    "brotli_asgi.BrotliMiddleware": always,
    # Our own: it reads headers, and answers only where the app does not start.
    "mantlet.middleware.CallerMiddleware": always,
    # What the app hands to it is called after the answer.
    "prometheus_fastapi_instrumentator.middleware.PrometheusInstrumentatorMiddleware": always,
    # Labels may be functions of the request.
    "starlette_exporter.middleware.PrometheusMiddleware": without("labels"),
    "sentry_sdk.integrations.asgi.SentryAsgiMiddleware": always,
    # Hooks are handed the scope.
    "opentelemetry.instrumentation.asgi.OpenTelemetryMiddleware": without(
        "server_request_hook", "client_request_hook", "client_response_hook", "default_span_details"
    ),
    "starlette_context.middleware.context_middleware.ContextMiddleware": plugins_are_its_own,
    "starlette_context.middleware.raw_middleware.RawContextMiddleware": plugins_are_its_own,
}
# Those of them that may refuse a request before the app inside sees it.
REFUSE = {
    "starlette.middleware.httpsredirect.HTTPSRedirectMiddleware": always,
    "starlette.middleware.trustedhost.TrustedHostMiddleware": lambda given: (
        "*" not in (given.get("allowed_hosts") or ["*"])
    ),
    "starlette.middleware.body_limit.RequestBodyLimitMiddleware": always,
    "starlette.middleware.authentication.AuthenticationMiddleware": always,
    # They may judge the headers that they read.
    "starlette_context.middleware.context_middleware.ContextMiddleware": lambda given: bool(
        given.get("plugins")
    ),
    "starlette_context.middleware.raw_middleware.RawContextMiddleware": lambda given: bool(
        given.get("plugins")
    ),
}
# The versions that were read. Those of FastAPI, Starlette and uvicorn are the ones that Mantlet is
# tested with.
READ = {
    "asgi_correlation_id": "5.0.1",
    "brotli_asgi": "1.7.0",
    "opentelemetry": "0.66b2",
    "prometheus_fastapi_instrumentator": "8.1.0",
    "sentry_sdk": "2.75.0",
    "slowapi": "0.1.10",
    "starlette_context": "0.5.1",
    "starlette_exporter": "0.24.0",
}
# Where a package is installed under another name.
DISTRIBUTIONS = {"opentelemetry": "opentelemetry-instrumentation-asgi"}
SLOWAPI = ("slowapi.middleware.SlowAPIMiddleware", "slowapi.middleware.SlowAPIASGIMiddleware")
# They put functions of their own in the place of FastAPI's, which call those.
INSTRUMENTS = ("sentry_sdk", "opentelemetry")


def is_known(cls: Any, options: dict[str, Any]) -> bool:
    proven = KNOWN.get(qualified(cls))
    # Any class can have that name.
    return proven is not None and is_theirs(cls) and proven(options)


def may_refuse(cls: Any, options: dict[str, Any]) -> bool:
    """Whether one of them may refuse a request. An instance keeps the options that it was made
    with."""
    refuses = REFUSE.get(qualified(cls))
    return refuses is not None and refuses(options)


def qualified(cls: Any) -> str:
    return f"{getattr(cls, '__module__', '')}.{getattr(cls, '__qualname__', '')}"


def is_theirs(cls: Any) -> bool:
    file = files.file_of(cls)
    return files.is_frameworks(cls) or (
        files.is_installed(file) and not is_later(cls.__module__.partition(".")[0])
    )


def is_later(package: str) -> bool:
    """Whether a package is of a later major version than the one that was read."""
    if package not in READ:
        return False
    try:
        installed = metadata.version(DISTRIBUTIONS.get(package, package.replace("_", "-")))
    except metadata.PackageNotFoundError:
        return True
    return major(installed) > major(READ[package])


def major(version: str) -> int:
    number = version.partition(".")[0]
    return int(number) if number.isdigit() else 0


def slowapi_asks(cls: Any, app: Any, odd: Odd) -> Any:
    """The function that identifies the client for SlowAPI's middleware. If it leaves requests
    alone, so does the middleware, which answers 429 through the app's handler. None for any other
    middleware, or if the response of that handler need not be an error."""
    if qualified(cls) not in SLOWAPI or not is_theirs(cls):
        return None
    if any(getattr(key, "__name__", "") in ("RateLimitExceeded", "Exception") for key, _ in odd):
        return None
    return getattr(getattr(app.state, "limiter", None), "_key_func", None)


def header_written(cls: Any, options: dict[str, Any]) -> str | None:
    """The header of a request that a middleware writes, if it does."""
    if qualified(cls) != "asgi_correlation_id.middleware.CorrelationIdMiddleware":
        return None
    return options.get("header_name", "X-Request-ID") if options.get("update_request_header", True) else None


ERRORS = {
    "fastapi.exception_handlers.http_exception_handler",
    "fastapi.exception_handlers.request_validation_exception_handler",
    "slowapi.extension._rate_limit_exceeded_handler",
}


def is_instruments(function: Any) -> bool:
    """Whether it is a function that one of them has put in the place of FastAPI's."""
    return files.package_of(files.file_of(function)) in INSTRUMENTS
