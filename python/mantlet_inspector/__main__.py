"""Writes the contract of a FastAPI app: `python mantlet_inspector/__main__.py main:app --contract
FILE`.

Nothing of the app runs but its import. Run it as a file: with `-m`, its folder would stay where
modules may come from.
"""

from __future__ import annotations

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
if sys.path and sys.path[0] in ("", HERE):
    del sys.path[0]
# Only this package is looked for there: an app may have modules of any name.
sys.path.insert(0, os.path.dirname(HERE))

import mantlet_inspector  # noqa: F401

del sys.path[0]

import gc
import json
from pathlib import Path

from mantlet_inspector import app_import, arguments, inspector
from mantlet_inspector.source import memory
from mantlet_inspector.source.ahead import Ahead

ROOMS = ("source", "proof", "contract", "candidates", "objects", "review")


def main() -> int:
    args = arguments.parser("mantlet-inspector", contract_is_needed=True).parse_args()
    del sys.argv[1:]  # ours, not the app's
    ahead = None
    try:
        root = app_import.locate(args.app)[0]
        ahead = Ahead(str(root), args.memory, f"{args.contract}.ahead", ROOMS)
        app, name = inspector.named(args.app)
        gc.disable()  # what is made from here on is kept until the end
        try:
            read = ahead.found(args.read_timeout or memory.DEFAULT_BOUND)
            found = inspector.contract(app, name, args.memory, args.read_timeout, read, review=True)
        except app_import.Failure:
            raise
        except Exception as error:  # most likely a version that is not known
            message = f"the contract of `{name}` cannot be read: {app_import.unreadable(error)}"
            raise app_import.Failure("no-contract", message) from None
    except app_import.Failure as failure:
        if ahead is not None:
            ahead.leave()
        app_import.report(args.status, failure.status)
        return app_import.STARTUP_FAILURE
    Path(args.contract).write_text(json.dumps(found, allow_nan=False), encoding="utf-8")
    app_import.report(args.status, {"state": "found", "app": name, "title": found["title"]})
    return 0


if __name__ == "__main__":
    app_import.end(main)
