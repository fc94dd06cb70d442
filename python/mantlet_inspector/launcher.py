"""Serves a FastAPI app with uvicorn on a unix socket, and has the inspector read it before.

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

import contextlib
import gc
import importlib
import json
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PACKAGE = "mantlet_inspector"
ROOMS = ("source", "proof", "contract", "candidates", "objects")
INSPECTOR = (*ROOMS, "inspector")  # not needed to serve
SUPERVISOR = "MANTLET_SUPERVISOR"  # in the environment: the process whose children are uvicorn's workers
ORPHAN_GRACE = 5  # seconds from SIGTERM to SIGKILL once the parent is gone


def find_package() -> None:
    """The folder of this package is on the path only while Python looks for it."""
    sys.path.insert(0, os.path.dirname(HERE))
    try:
        importlib.import_module(PACKAGE)
    finally:
        del sys.path[0]


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
    from mantlet_inspector import app_import

    try:
        from mantlet_inspector import inspector
        from mantlet_inspector.source import memory

        app = inspector.made(app, factory, root, module)
        patience = bound or memory.DEFAULT_BOUND
        found = inspector.contract(app, name, memories, bound, ahead and ahead.found(patience))
        text = json.dumps(found, allow_nan=False)
        del found
    except Exception as error:
        text = json.dumps({"failure": app_import.unreadable(error)})
    app_import.write_whole(file, text)


def offer_candidates(path: str, app: Any, root: Path, module: str, is_whole: bool, workers: int) -> None:
    """Hands the gate what may be the key of the app's tokens. The app is served even if that fails.

    With several workers, the values are those of this process, their parent: a key that the app
    makes at its import is another one in each worker, so it is none of these.
    """
    try:
        from mantlet_inspector.candidates.offer import offer

        offer(path, app, root, module, is_whole, workers)
    except Exception:
        pass  # nothing listens, or no candidate is known: the gate goes on without


@contextlib.contextmanager
def inspecting() -> Iterator[None]:
    """What is read of the app's code is not carried along while it serves."""
    collects = gc.isenabled()
    gc.disable()  # what is made here need not be searched: nearly all of it goes below
    try:
        yield
    finally:
        names = tuple(f"{PACKAGE}.{part}" for part in INSPECTOR)
        for loaded in [one for one in sys.modules if one.startswith(names)]:
            vars(sys.modules.pop(loaded)).clear()
        for part in INSPECTOR:
            vars(sys.modules[PACKAGE]).pop(part, None)
        if collects:
            gc.enable()


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


def serve(app: Any, factory: bool, uds: str, workers: int, options: dict[str, Any], parent: int) -> bool:
    """-> whether the app has started. With one worker, uvicorn ends the process itself if not."""
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
    return workers <= 1 or bool({signal.SIGINT, signal.SIGTERM} & set(os.read(signals, 4096)))


def main() -> None:
    find_package()
    from mantlet_inspector import app_import, arguments
    from mantlet_inspector.uvicorn_variables import uvicorn_settings

    parser = arguments.parser("mantlet-launcher", contract_is_needed=False)
    parser.add_argument("--uds", required=True, metavar="PATH")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--uvicorn", type=json.loads, default={}, metavar="JSON", help="limits that uvicorn has to know"
    )
    parser.add_argument("--candidates", metavar="SOCKET", help="where the gate takes what may be a key")
    parser.add_argument("--parent", type=int, default=os.getppid(), metavar="PID", help="end when it does")
    args = parser.parse_args()
    del sys.argv[1:]  # ours, not the app's
    leave_terminal()
    end_with(args.parent)

    ahead = None
    try:
        try:
            importlib.import_module("uvicorn")
        except ImportError as error:
            remedy = f'`pip install "uvicorn[standard]"` {app_import.ENVIRONMENT}'
            message = f"uvicorn cannot be used ({error}): {remedy}"
            raise app_import.Failure("uvicorn-missing", message) from None
        options = args.uvicorn
        for option, value in uvicorn_settings().items():
            # Of the limits that both know, the wider: the gate keeps the narrower one.
            options[option] = max(value, options[option]) if option in options else value
        root, module, attribute, factory = app_import.locate(args.app)
        if args.contract:
            from mantlet_inspector.source.ahead import Ahead

            ahead = Ahead(str(root), args.memory, f"{args.contract}.ahead", ROOMS)
        loaded, attribute, app = app_import.import_app(root, module, attribute)
    except app_import.Failure as failure:
        if ahead is not None:
            ahead.leave()
        app_import.report(args.status, failure.status)
        sys.exit(app_import.STARTUP_FAILURE)
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
    with inspecting():
        if args.candidates:
            offer_candidates(args.candidates, app, root, module, not factory, args.workers)
        if args.contract:
            bound = args.read_timeout
            write_contract(args.contract, app, factory, root, module, name, args.memory, bound, ahead)
    app_import.report(args.status, {"state": "found", "app": name, "file": file, "title": title})
    if not serve(served, factory, args.uds, args.workers, options, args.parent):
        sys.exit(app_import.STARTUP_FAILURE)


if __name__ == "__main__":
    main()
elif __name__ == "__mp_main__" and os.environ.get(SUPERVISOR) == str(os.getppid()):
    end_with(os.getppid())  # one of uvicorn's workers; a process that the app itself spawned is not ours
