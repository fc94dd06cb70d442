"""Finds a FastAPI app as `fastapi run` does, and imports it."""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
import traceback
from pathlib import Path
from typing import Any, Callable, NoReturn

DEFAULT_FILES = ("main.py", "app.py", "api.py", "app/main.py", "app/app.py", "app/api.py")
ENVIRONMENT = f"in `{sys.executable}`, or run mantlet in the app's own environment"
STARTUP_FAILURE = 3  # uvicorn's own code for an app that could not start


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
            raise fastapi_missing() from None
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
        return fastapi_missing(where)
    remedy = f"; install it {ENVIRONMENT}" if missing else ""
    reason = f"{type(error).__name__}: {error}"
    return Failure("app-import-failed", f"the app `{module}` cannot be imported: {reason}{remedy}", where)


def fastapi_missing(where: str | None = None) -> Failure:
    return Failure("fastapi-missing", f"FastAPI is not installed: `pip install fastapi` {ENVIRONMENT}", where)


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


def end(main: Callable[[], int]) -> NoReturn:
    """Runs a program, and ends the process: threads that the app started at its import need not be
    waited for."""
    code = 1
    try:
        code = main()
    except Exception:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
