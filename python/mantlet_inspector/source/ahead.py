"""Does while the app is being imported what can be done then, in a process of its own, if a
processor is free: compiles the inspector's rooms, and reads the app's files.

Files only of a large app that was not read before: a memory is quicker. The inspector compiles and
reads what is left.
"""

from __future__ import annotations

import ast
import gc
import json
import os
import subprocess
import sys
import sysconfig
import threading
import types
from importlib.machinery import SourceFileLoader
from typing import Any

HERE = os.path.abspath(__file__)
PACKAGE = os.path.dirname(os.path.dirname(HERE))
HTTP = b"HTTPException"
LOOK_EVERY = 0.1  # seconds
END = b"\n"  # a line that names no file
# Modules of an app that is worth it: all, or its own. Waiting for what is read costs more than
# reading a small one.
MANY, MANY_OWN = 1_000, 100
# Nothing is asked of them.
FRAMEWORKS = ("fastapi", "starlette", "pydantic", "pydantic_core")


class Ahead:
    """The process, and the thread that tells it which modules are there by now."""

    def __init__(self, root: str, memories: str | None, place: str, rooms: tuple[str, ...]) -> None:
        self.root = os.path.join(os.path.abspath(root), "")
        self.place = place  # the file in which the process writes what it finds
        self.ended = threading.Event()
        self.told: set[str] = set()
        self.process: subprocess.Popen[bytes] | None = None
        self.thread: threading.Thread | None = None
        if sys.executable and processors() > 1:
            self.process = started(place, rooms)
        if self.process is not None and memories is not None and not os.path.exists(memories):
            self.thread = threading.Thread(target=self.tell, name="mantlet-ahead", daemon=True)
            self.thread.start()

    def tell(self) -> None:
        waiting: list[str] = []
        is_worth_it = False
        pipe: Any = self.process and self.process.stdin
        try:
            while not self.ended.wait(LOOK_EVERY):
                waiting += self.news()
                own = sum(one.startswith("+") for one in waiting)
                is_worth_it = is_worth_it or len(waiting) >= MANY or own >= MANY_OWN
                if not is_worth_it:
                    continue
                for file in waiting:
                    pipe.write(os.fsencode(file) + b"\n")
                pipe.flush()
                waiting = []
        except (OSError, ValueError):  # it has ended
            pass

    def news(self) -> list[str]:
        known = [(name.partition(".")[0], one) for name, one in list(sys.modules.items())]
        modules = [
            one for name, one in known if name not in FRAMEWORKS and issubclass(type(one), types.ModuleType)
        ]
        # One that loads itself when it is asked must not be asked.
        files = [object.__getattribute__(one, "__dict__").get("__file__") for one in modules]
        found = {
            one for one in files if isinstance(one, str) and one.endswith(".py") and "\n" not in one
        } - self.told
        self.told |= found
        standard = (sysconfig.get_path("stdlib"), PACKAGE)
        return [
            f"{'+' if one.startswith(self.root) and '-packages' not in one else '?'}{one}"
            for one in found
            if not one.startswith(standard) or "-packages" in one
        ]

    def leave(self) -> None:
        """Ends the process; nothing more is wanted of it."""
        self.ended.set()
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def found(self, patience: float) -> dict[str, Any]:
        """The facts that were read, by the hash of each text. Waits for the rest, but not longer
        than that."""
        self.ended.set()
        if self.thread is not None:
            self.thread.join(patience)
        if self.process is None:
            return {}
        try:
            # Processes that the app has forked may hold the pipe, too: its end alone says nothing.
            self.process.communicate(END, timeout=patience)
        except (subprocess.TimeoutExpired, OSError, ValueError):
            self.leave()
        found = {}
        try:
            with open(self.place, "rb") as opened:
                for line in opened:
                    key, kept = json.loads(line)
                    found[key] = kept
        except (OSError, ValueError):  # the last line may be half a line
            pass
        try:
            os.unlink(self.place)
        except OSError:
            pass
        return found


def started(place: str, rooms: tuple[str, ...]) -> subprocess.Popen[bytes] | None:
    command = [sys.executable, "-I", "-S", HERE, *rooms]
    try:
        with open(place, "wb") as out:
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.DEVNULL)
    except OSError:  # all is done later
        return None


def processors() -> int:
    try:
        usable = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return 1
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as opened:
            quota, period = opened.read().split()
        return usable if quota == "max" else min(usable, int(quota) // int(period))
    except (OSError, ValueError):
        return usable


def compile_rooms(rooms: list[str]) -> None:
    """Python finds what is compiled beside the source, which is in a private folder."""
    for room in rooms:
        for folder, _, names in os.walk(os.path.join(PACKAGE, room)):
            for name in names:
                if name.endswith(".py"):
                    SourceFileLoader("room", os.path.join(folder, name)).get_code("room")


def main() -> None:
    gc.disable()
    compile_rooms(sys.argv[1:])
    from mantlet_inspector.source import index, memory

    for line in sys.stdin.buffer:
        if line == END:
            break
        how, file = line[:1], os.fsdecode(line[1:].rstrip(b"\n"))
        try:
            text = memory.text_of(file)
            if how == b"+" or HTTP in text:
                kept = index.read(ast.parse(text, file), text).kept()
                sys.stdout.write(json.dumps([memory.hash_of(file), kept], separators=(",", ":")) + "\n")
                sys.stdout.flush()
        except Exception:  # the inspector will say so if it needs the file
            continue


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(PACKAGE))
    import mantlet_inspector  # noqa: F401

    del sys.path[0]
    main()
