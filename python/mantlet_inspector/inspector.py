"""The contract of an imported FastAPI app: its routes in the order in which it tries them, what
each accepts and promises.

A route that cannot be read is a route of which nothing is known, with a note, never a failure.
"""

from __future__ import annotations

import gc
import platform
import sys
from pathlib import Path
from typing import Any

from mantlet_inspector import app_import
from mantlet_inspector.source import memory

VERSION = 1
TOKEN_LIBRARIES = ("authlib", "jose", "joserfc", "jwt")


def contract(
    app: Any,
    name: str,
    memories: str | None = None,
    bound: float | None = None,
    ahead: Any = None,
    review: bool = False,
) -> dict[str, Any]:
    """-> the contract of an imported app. Facts of its files are kept in the file `memories`, and
    some were read `ahead`. Its code is read for `bound` seconds at most. For a `review`, what its
    code does is read, too."""
    begun = memory.begin(memories, memory.DEFAULT_BOUND if bound is None else bound, ahead)
    collects = gc.isenabled()
    gc.disable()  # all that is made here is kept until the end, and an app's objects are many
    try:
        return made_contract(app, name, review)
    finally:
        begun.keep()
        if collects:
            gc.enable()


def made_contract(app: Any, name: str, review: bool = False) -> dict[str, Any]:
    # It needs FastAPI, which only the app's import has shown to be there.
    from mantlet_inspector.candidates.collect import proof_of
    from mantlet_inspector.contract.walk import Walk
    from mantlet_inspector.source import mentions

    walk = Walk(is_served=not review)
    router, found = walk.contract(app)
    token = proof_of(app, Path.cwd(), name.partition(":")[0]).note()
    if found is None:
        message = f"`{name}` is a `{type(app).__name__}` and no FastAPI app is found in it"
        raise app_import.Failure("no-contract", message)
    objects = objects_of(walk.draft, name.partition(":")[0])
    reviewed = reviewed_in(app, walk.draft, name.partition(":")[0]) if review else None
    title = getattr(found, "title", None)
    root_path = getattr(found, "root_path", "")
    return {
        "version": VERSION,
        "source": "inspector",
        "title": title if isinstance(title, str) else None,
        "made-with": versions(),
        **({"root-path": root_path} if root_path and walk.strips_root_path else {}),
        **({"names-dpop": True} if mentions.names_dpop() else {}),
        **({"objects": objects} if objects is not None else {}),
        **({"app": reviewed} if reviewed is not None else {}),
        "router": router,
        "shapes": walk.draft.shapes.all,
        "notes": [*walk.draft.noted.values(), *([token] if token is not None else [])],
    }


def objects_of(draft: Any, module: str) -> dict[str, Any] | None:
    from mantlet_inspector.candidates.whose import Whose
    from mantlet_inspector.objects import facts

    try:
        modules = [one for _, one in Whose(module).modules()]
        return facts.add(draft.read, draft.shapes.all, modules)
    except Exception:  # most likely a version that is not known
        draft.note("app", "what its tables say of the owners of its objects is not understood")
        return None


def reviewed_in(app: Any, draft: Any, module: str) -> dict[str, Any] | None:
    from mantlet_inspector.candidates.whose import Whose
    from mantlet_inspector.review import facts

    try:
        modules = [one for _, one in Whose(module).modules()]
        return facts.add(app, module, draft.read, modules)
    except Exception:  # most likely a version that is not known
        draft.note("app", "what its code does is not understood: much of it is not reviewed")
        return None


def versions() -> dict[str, str]:
    import fastapi
    import pydantic
    import starlette

    return {
        "python": platform.python_version(),
        "fastapi": fastapi.__version__,
        "starlette": starlette.__version__,
        "pydantic": pydantic.VERSION,
        **token_libraries(),
    }


def token_libraries() -> dict[str, str]:
    """Those that the app has imported, which decode its tokens."""
    loaded = {name: sys.modules[name] for name in TOKEN_LIBRARIES if name in sys.modules}
    versions = {name: vars(module).get("__version__") for name, module in loaded.items()}
    return {name: version for name, version in versions.items() if isinstance(version, str)}


def named(text: str | None) -> tuple[Any, str]:
    """-> the app that the text, or else the project, names, imported and made; and its name."""
    root, module, attribute, factory = app_import.locate(text)
    _, attribute, app = app_import.import_app(root, module, attribute)
    return made(app, factory, root, module), f"{module}:{attribute}"


def made(app: Any, factory: bool, root: Path, module: str) -> Any:
    if not factory:
        return app
    try:
        return app()
    except (Exception, SystemExit) as error:
        trace = error.__traceback__ and error.__traceback__.tb_next
        raise app_import.import_failure(error.with_traceback(trace), root, module) from None
