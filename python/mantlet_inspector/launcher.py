"""Finds a FastAPI app as `fastapi run` does and serves it with uvicorn on a unix socket.

Run it as a file, not with `-c`: uvicorn's workers import it again as `__mp_main__`, which is how
they too learn that their parent has died.
"""

from __future__ import annotations

import os
import sys

# Neither the folder of this script nor, with `-c`, the current one is where modules may come from:
# a `json.py` beside the app would replace the standard one here. `import_app` adds what the app
# needs.
HERE = os.path.dirname(os.path.abspath(__file__))
if __name__ == "__main__" and sys.path and sys.path[0] in ("", HERE):
    del sys.path[0]

import argparse
import importlib
import json
import re
import shutil
import signal
import threading
import time
import traceback
from pathlib import Path
from typing import Any

PACKAGE = "mantlet_inspector"
DEFAULT_FILES = ("main.py", "app.py", "api.py", "app/main.py", "app/app.py", "app/api.py")
ENVIRONMENT = f"in `{sys.executable}`, or run mantlet in the app's own environment"
SUPERVISOR = "MANTLET_SUPERVISOR"  # in the environment: the process whose children are uvicorn's workers
STARTUP_FAILURE = 3  # uvicorn's own code for an app that could not start
ORPHAN_GRACE = 5  # seconds from SIGTERM to SIGKILL once the parent is gone
# What uvicorn's own variables (`UVICORN_LOG_LEVEL`, …) may say of its work behind a gate. Mantlet
# itself reads those that concern what stands before it.
BEHIND_A_GATE = (
    "access_log date_header env_file h11_max_incomplete_event_size headers http interface lifespan "
    "limit_max_requests limit_max_requests_jitter log_config log_level loop reset_contextvars "
    "root_path timeout_graceful_shutdown timeout_worker_healthcheck use_colors ws ws_max_queue "
    "ws_per_message_deflate ws_ping_interval ws_ping_timeout"
).split()


class Failure(Exception):
    """Why the app cannot be started, in words for the operator."""

    def __init__(self, code: str, message: str, where: str | None = None) -> None:
        super().__init__(message)
        self.status = {"state": "failed", "code": code, "message": message, "where": where}


def locate(app: str | None) -> tuple[Path, str, str | None, bool]:
    """The operator's words, or nothing -> (folder for sys.path, module, attribute or None, is a
    factory)."""
    app = app or configured_entrypoint() or default_file()
    factory = app.endswith("()")
    name = app[:-2] if factory else app
    module, _, attribute = name.rpartition(":") if ":" in name else (name, "", None)
    if not module or attribute == "" or (factory and not attribute):
        hint = "write `main:app`, `main:create_app()` or `main.py`"
        raise Failure("app-not-found", f"`{app}` does not name an app: {hint}")

    if not (module.endswith(".py") or os.sep in module or Path(module).exists()):
        return Path.cwd(), module, attribute, factory
    if not Path(module).exists():
        raise Failure("app-not-found", f"there is no `{module}` in `{Path.cwd()}`")
    path = Path(module).resolve()
    path = path.parent if path.name == "__init__.py" else path
    names, root = [path.stem], path.parent
    while (root / "__init__.py").is_file() and root != root.parent:  # a package starts where these do
        names.insert(0, root.name)
        root = root.parent
    return root, ".".join(names), attribute, factory


def default_file() -> str:
    for name in DEFAULT_FILES:
        if Path(name).is_file():
            return name
    looked = "[tool.fastapi] entrypoint in pyproject.toml, " + ", ".join(DEFAULT_FILES)
    hint = "name it, for example `mantlet run package.module:app`"
    raise Failure("app-not-found", f"found no app in `{Path.cwd()}`: looked for {looked}; {hint}")


def configured_entrypoint() -> str | None:
    try:
        text = Path("pyproject.toml").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        import tomllib
    except ImportError:  # Python 3.9 and 3.10: good enough for one string in one table
        table = re.search(r"^\[tool\.fastapi\]\s*$(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
        line = table and re.search(r"^\s*entrypoint\s*=\s*[\"']([^\"']*)", table[1], re.MULTILINE)
        entrypoint = line[1] if line else None
    else:
        try:
            entrypoint = tomllib.loads(text).get("tool", {}).get("fastapi", {}).get("entrypoint")
        except tomllib.TOMLDecodeError as error:
            raise Failure(
                "app-not-found", f"pyproject.toml cannot be read: {error}", "pyproject.toml"
            ) from None
    if entrypoint is not None and not re.fullmatch(r"[^:]+:[^:]+", str(entrypoint)):
        message = f"[tool.fastapi] entrypoint is `{entrypoint}`: write it as `package.module:app`"
        raise Failure("app-not-found", message, "pyproject.toml")
    return entrypoint


def import_app(root: Path, module: str, attribute: str | None) -> tuple[Any, str, Any]:
    """Imports the module -> (the module, the app's name in it, the app)."""
    sys.path.insert(0, str(root))
    # Workers are handed sys.path; other interpreters that the app starts know only this.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    try:
        loaded = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise import_failure(error, root, module) from None

    try:
        from fastapi import FastAPI
    except ImportError:
        if not attribute:
            message = f"FastAPI is not installed: `pip install fastapi` {ENVIRONMENT}"
            raise Failure("fastapi-missing", message) from None
        FastAPI = ()
    if not attribute and apps_in(loaded, FastAPI):
        found = apps_in(loaded, FastAPI)[0]
        return loaded, found, getattr(loaded, found)

    file = shown(getattr(loaded, "__file__", None) or module)
    problem = f"`{file}` holds no FastAPI app: looked for `app`, for `api`, then for any FastAPI object"
    if attribute:
        found, missing = loaded, object()
        for name in attribute.split("."):
            found = getattr(found, name, missing)
        if found is not missing and callable(found):
            return loaded, attribute, found
        problem = f"`{file}` has no `{attribute}`"
        if found is not missing:
            problem = f"`{module}:{attribute}` is a `{type(found).__name__}`, not an ASGI app"
    factories = [f"{name}()" for name in ("create_app", "get_app", "make_app") if hasattr(loaded, name)]
    meant = " or ".join(f"`{module}:{name}`" for name in apps_in(loaded, FastAPI) or factories)
    raise Failure("no-app-object", problem + (f"; did you mean {meant}" if meant else ""), file)


def apps_in(module: Any, kind: Any) -> list[str]:
    """The names of apps in a module. A lazy name of the module loads its value when it is looked
    at."""
    names = [name for name in dir(module) if isinstance(getattr(module, name, None), kind)]
    return sorted(names, key=lambda name: (name != "app", name != "api"))


def import_failure(error: BaseException, root: Path, module: str) -> Failure:
    """Prints the app's own traceback, without the machinery above it, and says where it failed."""
    trace = error.__traceback__
    while trace and trace.tb_frame.f_code.co_filename.startswith((__file__, importlib.__file__, "<frozen ")):
        trace = trace.tb_next
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing and not trace and f"{module}.".startswith(f"{missing}."):
        return Failure(
            "app-not-found", f"there is no module `{missing}`: looked for `{module}` from `{root}`"
        )
    traceback.print_exception(type(error), error, trace)

    own = [
        f
        for f in traceback.extract_tb(trace)
        if is_under(f.filename, root) and "site-packages" not in f.filename
    ]
    where = f"{shown(own[-1].filename)}:{own[-1].lineno}" if own else None
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{shown(error.filename)}:{error.lineno}"
    if missing == "fastapi":
        return Failure(
            "fastapi-missing", f"FastAPI is not installed: `pip install fastapi` {ENVIRONMENT}", where
        )
    remedy = f"; install it {ENVIRONMENT}" if missing else ""
    reason = f"{type(error).__name__}: {error}"
    return Failure("app-import-failed", f"the app `{module}` cannot be imported: {reason}{remedy}", where)


def inspectors(module: str) -> Any:
    """A module of this package. The package's folder is on the path only while it is looked for."""
    if PACKAGE not in sys.modules:
        sys.path.insert(0, os.path.dirname(HERE))
        try:
            importlib.import_module(PACKAGE)
        finally:
            del sys.path[0]
    return importlib.import_module(f"{PACKAGE}.{module}")


def write_contract(
    file: str,
    app: Any,
    factory: bool,
    root: Path,
    module: str,
    name: str,
    memories: str | None,
    bound: float | None,
    ahead: Any = None,
) -> None:
    """Has the inspector write what the app accepts. The app is served even if that fails."""
    try:
        inspector = inspectors("inspector")
        app = inspector.made(app, factory, root, module)
        patience = bound or inspectors("source.memory").DEFAULT_BOUND
        found = inspector.contract(app, name, memories, bound, ahead and ahead.found(patience))
        text = json.dumps(found, allow_nan=False)
    except Exception as error:
        text = json.dumps({"failure": unreadable(error)})
    # What was read of the app's code is not carried along while it serves.
    for loaded in [one for one in sys.modules if one.partition(".")[0] == PACKAGE]:
        vars(sys.modules.pop(loaded)).clear()
    write_whole(file, text)


def unreadable(error: BaseException) -> str:
    """-> why the contract of an app cannot be read, in words for the operator."""
    try:
        from fastapi import __version__ as version

        known = [int(number) for number in re.findall(r"\d+", version)[:2]]
    except Exception:
        return f"FastAPI cannot be used: {type(error).__name__}: {error}"
    if known < [0, 100]:
        return f"FastAPI {version} is too old to be read; 0.100 and later are understood"
    remedy = "`mantlet contract` shows where it fails; please report it"
    return f"{versions()} are put together in a way that is not understood ({remedy})"


def versions() -> str:
    from importlib import metadata

    found = [f"Python {'.'.join(map(str, sys.version_info[:3]))}"]
    for name in ("fastapi", "starlette", "pydantic"):
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def write_whole(file: str, text: str) -> None:
    """A reader of the file sees all of it or nothing."""
    temporary = Path(f"{file}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(file)


def is_under(path: str | Path, folder: Path) -> bool:
    return Path(folder) in Path(path).parents


def shown(path: str | Path) -> str:
    return os.path.relpath(path) if is_under(path, Path.cwd()) else str(path)


def report(file: str | None, status: dict[str, Any]) -> None:
    if file:
        write_whole(file, json.dumps(status))
    elif status["state"] == "failed":
        print("error:", status["message"], file=sys.stderr)


def end_with(parent: int) -> None:
    """Ends this process when `parent` ends, however that died."""
    try:
        import ctypes

        PR_SET_PDEATHSIG = 1  # also fires when the *thread* that started us ends: it must be one that stays
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    except (ImportError, OSError, AttributeError):
        pass  # not Linux: the thread below is half a second slower

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(ORPHAN_GRACE)  # one handler that never returns would hold up a graceful end for ever
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="mantlet-parent", daemon=True).start()


def leave_terminal() -> None:
    """Makes a session of its own: in the terminal's session, a background process that reads is
    stopped."""
    try:
        os.setsid()
    except OSError:
        pass  # started in some other way, as the leader of a group


def tidy_up(parent: int) -> None:
    """Removes the private folder if the parent, which would have done so, has died."""
    folder = os.path.dirname(HERE)
    is_private = os.path.basename(folder).startswith("mantlet-") and os.path.isfile(
        os.path.join(folder, "lock")
    )
    if is_private and os.getppid() != parent:
        shutil.rmtree(folder, ignore_errors=True)


def uvicorn_variables() -> dict[str, Any]:
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


def serve(app: Any, factory: bool, uds: str, workers: int, options: dict[str, Any], parent: int) -> None:
    import inspect

    import uvicorn

    if os.path.exists(uds):
        os.unlink(uds)  # left by a predecessor that was killed; with workers uvicorn could not bind over it
    signals, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    if workers > 1:
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        os.environ[SUPERVISOR] = str(os.getpid())
    known = inspect.signature(uvicorn.Config.__init__).parameters

    def end(number: int, _frame: Any) -> None:
        tidy_up(parent)
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    signal.signal(signal.SIGTERM, end)  # uvicorn raises it again when it has done as asked
    uvicorn.run(
        app,
        factory=factory,
        uds=uds,
        workers=workers,
        # Only the gate reaches the socket, and it sends exactly one X-Forwarded-For.
        proxy_headers=True,
        forwarded_allow_ips="*",
        server_header=False,
        timeout_keep_alive=75,  # longer than the gate keeps an idle connection, so it never meets one closing
        **{name: value for name, value in options.items() if name in known},
    )
    tidy_up(parent)
    # With workers, uvicorn returns in the same way after a failed start and after a signal.
    signal.set_wakeup_fd(-1)
    os.close(wakeup)
    if workers > 1 and not {signal.SIGINT, signal.SIGTERM} & set(os.read(signals, 4096)):
        sys.exit(STARTUP_FAILURE)


def main() -> None:
    parser = argparse.ArgumentParser(prog="mantlet-launcher")
    parser.add_argument("app", nargs="?", metavar="APP")
    parser.add_argument("--uds", required=True, metavar="PATH")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--status", metavar="FILE", help="where to write what was found, or why not, as JSON")
    parser.add_argument("--contract", metavar="FILE", help="where to write what the app accepts, as JSON")
    parser.add_argument("--memory", metavar="FILE", help="what is remembered of the app's code")
    parser.add_argument(
        "--read-timeout",
        type=float,
        metavar="SECONDS",
        help="how long the app's code may be read; 0: as long as it takes",
    )
    parser.add_argument(
        "--uvicorn", type=json.loads, default={}, metavar="JSON", help="limits that uvicorn has to know"
    )
    parser.add_argument("--parent", type=int, default=os.getppid(), metavar="PID", help="end when it does")
    args = parser.parse_args()
    del sys.argv[1:]  # ours, not the app's
    leave_terminal()
    end_with(args.parent)
    try:
        try:
            importlib.import_module("uvicorn")
        except ImportError as error:
            message = f'uvicorn cannot be used ({error}): `pip install "uvicorn[standard]"` {ENVIRONMENT}'
            raise Failure("uvicorn-missing", message) from None
        options = args.uvicorn
        for option, value in uvicorn_variables().items():
            # Of the limits that both know, the wider: the gate keeps the narrower one.
            options[option] = max(value, options[option]) if option in options else value
        root, module, attribute, factory = locate(args.app)
        ahead = None
        if args.contract:
            ahead = inspectors("source.ahead").Ahead(str(root), args.memory, f"{args.contract}.ahead")
        loaded, attribute, app = import_app(root, module, attribute)
    except Failure as failure:
        report(args.status, failure.status)
        sys.exit(STARTUP_FAILURE)
    name, file = f"{module}:{attribute}", getattr(loaded, "__file__", None)
    title = getattr(app, "title", None)
    title = title if isinstance(title, str) else None
    served = name
    if factory and args.workers == 1:
        # Made once, for the inspector and for uvicorn. One that needs uvicorn's event loop is made
        # there.
        try:
            served = app = app()
            factory = False
        except (Exception, SystemExit):
            pass
    if args.contract:
        write_contract(args.contract, app, factory, root, module, name, args.memory, args.read_timeout, ahead)
    report(args.status, {"state": "found", "app": name, "file": file, "title": title})
    serve(served, factory, args.uds, args.workers, options, args.parent)


if __name__ == "__main__":
    main()
elif __name__ == "__mp_main__" and os.environ.get(SUPERVISOR) == str(os.getppid()):
    end_with(os.getppid())  # one of uvicorn's workers; a process that the app itself spawned is not ours
