"""Writes the SQL of row level security for the models that an app limits with `mantlet.scope`:
`python mantlet_inspector/rls.py main:app --contract FILE`.

Nothing of the app runs but its import. Run it as a file, as `__main__.py`.
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

from pathlib import Path

from mantlet_inspector import app_import, arguments, inspector


def main() -> int:
    args = arguments.parser("mantlet-rls", contract_is_needed=True).parse_args()
    del sys.argv[1:]  # ours, not the app's
    try:
        _, name = inspector.named(args.app)
        Path(args.contract).write_text(migration(name), encoding="utf-8")
    except app_import.Failure as failure:
        app_import.report(args.status, failure.status)
        return app_import.STARTUP_FAILURE
    app_import.report(args.status, {"state": "found", "app": name, "title": None})
    return 0


def migration(name: str) -> str:
    package = sys.modules.get("mantlet.scoping.scope")
    if package is None or not package.SCOPES:
        message = f"`{name}` does not call `mantlet.scope`, which says whose rows are whose"
        raise app_import.Failure("no-scope", f"{message}: see docs/query-scoping.md")
    try:
        return package.row_security.migration(package.SCOPES)
    except package.ScopeError as error:
        raise app_import.Failure("no-scope", str(error)) from None


if __name__ == "__main__":
    app_import.end(main)
