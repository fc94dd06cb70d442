"""Writes the contract of a FastAPI app: its routes in the order in which it tries them, what each accepts and promises.

Mantlet carries this file and those beside it in its binary, writes them to its private folder and runs this one with
the app's own interpreter (Python 3.9 or later). Nothing of the app runs but its import. A route that cannot be read is
a route of which nothing is known, with a note, never a failure.
"""

from __future__ import annotations

import os
import sys
import types

HERE = os.path.dirname(os.path.abspath(__file__))
if __name__ == "__main__":
    # The files beside this one are a package, so that the app may have modules of the same names.
    if sys.path and sys.path[0] in ("", HERE):
        del sys.path[0]
    sys.modules["mantlet_inspector"] = package = types.ModuleType("mantlet_inspector")
    package.__path__ = [HERE]

import argparse
import gc
import json
import platform
import traceback
from pathlib import Path

from mantlet_inspector import launcher

VERSION = 1


def contract(app, name, memories=None, bound=None, ahead=None):
    """-> the contract of an imported app. Facts of its files are kept in `memories`, and some were read `ahead`; its code is read for
    `bound` seconds at most."""
    from mantlet_inspector import memory

    begun = memory.begin(memories, memory.DEFAULT_BOUND if bound is None else bound, ahead)
    collects = gc.isenabled()
    gc.disable()  # all that is made here is kept until the end, and an app's objects are many
    try:
        return made_contract(app, name)
    finally:
        begun.keep()
        if collects:
            gc.enable()


def made_contract(app, name):
    # It needs FastAPI, which only the app's import has shown to be there.
    from mantlet_inspector.walk import Walk

    walk = Walk()
    router, found = walk.contract(app)
    if found is None:
        message = f"`{name}` is a `{type(app).__name__}` and no FastAPI app is found in it"
        raise launcher.Failure("no-contract", message)
    title = getattr(found, "title", None)
    root_path = getattr(found, "root_path", "")
    return {
        "version": VERSION,
        "source": "inspector",
        "title": title if isinstance(title, str) else None,
        "made-with": versions(),
        **({"root-path": root_path} if root_path and walk.strips_root_path else {}),
        "router": router,
        "shapes": walk.shapes.all,
        "notes": list(walk.noted.values()),
    }


def versions():
    import fastapi
    import pydantic
    import starlette

    return {
        "python": platform.python_version(),
        "fastapi": fastapi.__version__,
        "starlette": starlette.__version__,
        "pydantic": pydantic.VERSION,
    }


def made(app, factory, root, module):
    if not factory:
        return app
    try:
        return app()
    except (Exception, SystemExit) as error:
        raise launcher.import_failure(error.with_traceback(error.__traceback__.tb_next), root, module) from None


def main():
    parser = argparse.ArgumentParser(prog="mantlet-inspector")
    parser.add_argument("app", nargs="?", metavar="APP")
    parser.add_argument("--contract", required=True, metavar="FILE", help="where to write it")
    parser.add_argument("--memory", metavar="FILE", help="what is remembered of the app's code")
    parser.add_argument("--read-timeout", type=float, metavar="SECONDS", help="how long the app's code may be read; 0: as long as it takes")
    parser.add_argument("--status", metavar="FILE", help="where to write what was found, or why not, as JSON")
    args = parser.parse_args()
    del sys.argv[1:]  # ours, not the app's
    try:
        root, module, attribute, factory = launcher.locate(args.app)
        _, attribute, app = launcher.import_app(root, module, attribute)
        name = f"{module}:{attribute}"
        app = made(app, factory, root, module)
        try:
            found = contract(app, name, args.memory, args.read_timeout)
        except launcher.Failure:
            raise
        except Exception as error:  # most likely a version that is not known
            message = f"the contract of `{name}` cannot be read: {launcher.unreadable(error)}"
            raise launcher.Failure("no-contract", message) from None
    except launcher.Failure as failure:
        launcher.report(args.status, failure.status)
        return launcher.STARTUP_FAILURE
    Path(args.contract).write_text(json.dumps(found, allow_nan=False), encoding="utf-8")
    launcher.report(args.status, {"state": "found", "app": name, "title": found["title"]})
    return 0


if __name__ == "__main__":
    code = 1
    try:
        code = main()
    except Exception:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads that the app started at its import need not be waited for
