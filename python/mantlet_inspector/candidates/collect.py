"""Collects the candidates of an app that was imported. What is likeliest to be the key comes
first."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

from mantlet_inspector.candidates import environment, settings
from mantlet_inspector.candidates.dependencies import parts_of
from mantlet_inspector.candidates.found import Found, Late
from mantlet_inspector.candidates.functions import Functions
from mantlet_inspector.candidates.reach import Reach
from mantlet_inspector.candidates.whose import Whose
from mantlet_inspector.source.objects import names_in
from mantlet_inspector.source.stored import attribute, class_name, entries


class Collection:
    def __init__(self, app: Any, root: Path, module: str) -> None:
        self.app = app
        self.found = Found()
        self.whose = Whose(module)
        self.reach = Reach(self.found, self.whose)
        self.functions = Functions(self.reach)
        self.modules = list(self.whose.modules())
        self.classes = settings.classes(self.whose)
        file = names_in(sys.modules[module]).get("__file__")
        beside = [Path(file).parent] if type(file) is str else []
        self.folders = [Path.cwd(), root, *beside]

    def steps(self) -> Iterator[Callable[[], None]]:
        """The place where a value is set names it better than where it is used, so the environment
        comes first."""
        yield self.files_of_variables
        yield lambda: environment.add_variables(self.found)
        yield self.calls
        yield self.globals
        yield self.cached_settings
        yield lambda: environment.add_named_files(self.found, self.folders)

    def files_of_variables(self) -> None:
        environment.add_files(self.found, [*environment.files_in(self.folders), *self.named("env_file")])
        environment.add_secrets(self.found, self.named("secrets_dir"))

    def named(self, option: str) -> list[str]:
        """Paths that classes of settings name."""
        return [os.path.expanduser(path) for cls in self.classes for path in settings.places(cls, option)]

    def calls(self) -> None:
        for kind, part in parts_of(self.app):
            if kind == "dependency":
                self.functions.visit(part)
            elif kind == "handler":
                self.functions.visit(part, only_tokens=True)
            elif kind == "state":
                self.reach.take(part, "state of the app", "")
            else:
                self.middleware(part)
        self.reach.run()

    def middleware(self, middleware: Any) -> None:
        cls = attribute(middleware, "cls")
        name = class_name(cls) if issubclass(type(cls), type) else "a middleware"
        for options in ("kwargs", "options"):  # of older versions
            known = attribute(middleware, options)
            for option, value in entries(known) if type(known) is dict else ():
                self.reach.take(value, f"{option} of {name}", "")
        self.reach.take(attribute(middleware, "args"), f"an argument of {name}", "")

    def globals(self) -> None:
        for name, module in self.modules:
            for variable, value in list(names_in(module).items()):
                if not variable.startswith("__"):
                    self.reach.take(value, variable, name)
        self.reach.run()
        for _, module in self.modules:
            self.functions.sweep(names_in(module))
        self.reach.run()

    def cached_settings(self) -> None:
        for one in settings.objects(self.classes, self.reach.seen):
            self.functions.take_object(one)
        self.reach.run()


def candidates(app: Any, root: Path, module: str) -> list[tuple[str, bool, bytes]]:
    """-> [(name, whether it is one that keys have, value)]"""
    collection = Collection(app, root, module)
    for step in collection.steps():
        try:
            step()
        except Late:
            break
        except Exception:  # an app may hold anything, and all else is still to be looked at
            continue
    return collection.found.all()
