"""Middleware of others whose code was read for this list, by the full name of the very class: a subclass may do anything.

They leave requests as they are but for what is said here, answer by themselves only what is asked of them or what they
refuse, and change nothing but headers and encodings of answers.
"""

from __future__ import annotations

from . import source


def without(*options):
    """Only if nothing of the app's own is called."""
    return lambda given: not any(given.get(option) for option in options)


def plugins_are_its_own(options):
    plugins = options.get("plugins") or ()
    return all(type(one).__module__.startswith("starlette_context.") for one in plugins)


def always(options):
    return True


KNOWN = {
    **{f"starlette.middleware.{name}": always for name in (
        "cors.CORSMiddleware",
        "gzip.GZipMiddleware",
        "httpsredirect.HTTPSRedirectMiddleware",
        "sessions.SessionMiddleware",
        "trustedhost.TrustedHostMiddleware",
        "body_limit.RequestBodyLimitMiddleware",
    )},
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
SLOWAPI = ("slowapi.middleware.SlowAPIMiddleware", "slowapi.middleware.SlowAPIASGIMiddleware")
# They put functions of their own in the place of FastAPI's, which call those.
INSTRUMENTS = ("sentry_sdk", "opentelemetry")


def is_known(cls, options):
    proven = KNOWN.get(qualified(cls))
    # The name alone can be had by anybody.
    return proven is not None and is_theirs(cls) and proven(options)


def qualified(cls):
    return f"{getattr(cls, '__module__', '')}.{getattr(cls, '__qualname__', '')}"


def is_theirs(cls):
    file = source.file_of(cls)
    return source.is_frameworks(cls) or source.is_installed(file)


def header_written(cls, options):
    """The header of a request that a middleware writes, if it does."""
    if qualified(cls) != "asgi_correlation_id.middleware.CorrelationIdMiddleware":
        return None
    return options.get("header_name", "X-Request-ID") if options.get("update_request_header", True) else None
