"""The settings that uvicorn's own variables (`UVICORN_LOG_LEVEL`, …) make."""

from __future__ import annotations

import os
from typing import Any

from mantlet_inspector.app_import import Failure

# What uvicorn's own variables (`UVICORN_LOG_LEVEL`, …) may say of its work behind a gate. Mantlet
# itself reads those that concern what stands before it.
BEHIND_A_GATE = (
    "access_log date_header env_file h11_max_incomplete_event_size headers http interface lifespan "
    "limit_max_requests limit_max_requests_jitter log_config log_level loop reset_contextvars "
    "root_path timeout_graceful_shutdown timeout_worker_healthcheck use_colors ws ws_max_queue "
    "ws_per_message_deflate ws_ping_interval ws_ping_timeout"
).split()


def uvicorn_settings() -> dict[str, Any]:
    """-> what uvicorn's own variables say, as its command understands them."""
    if not any(name.startswith("UVICORN_") for name in os.environ):
        return {}
    import click
    from uvicorn.main import main as command

    try:
        context = command.make_context("uvicorn", ["app"])
    except click.ClickException as error:
        message = f"uvicorn does not understand one of its variables: {error.format_message()}"
        raise Failure("uvicorn-variable", message) from None
    given = {
        name: value
        for name, value in context.params.items()
        if name in BEHIND_A_GATE
        and context.get_parameter_source(name) is click.core.ParameterSource.ENVIRONMENT
    }
    if "headers" in given:
        given["headers"] = [tuple(header.split(":", 1)) for header in given["headers"]]
    if given.get("env_file"):
        from dotenv import load_dotenv

        load_dotenv(dotenv_path=given["env_file"])  # the app may look at its import
    return given
