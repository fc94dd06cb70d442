"""Collects the candidates of an app that was imported. What is likeliest to be the key comes
first."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, NamedTuple

from mantlet_inspector.candidates import environment, settings
from mantlet_inspector.candidates.decodes.proof import Proof, prove
from mantlet_inspector.candidates.dependencies import parts_of
from mantlet_inspector.candidates.found import Found
from mantlet_inspector.candidates.functions import Functions
from mantlet_inspector.candidates.reach import Reach
from mantlet_inspector.candidates.whose import Whose
from mantlet_inspector.source.objects import is_module, names_in
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
        self.folders = folders(root, module)

    def steps(self) -> Iterator[Callable[[], None]]:
        """The place where a value is set names it better than where it is used, so the environment
        comes first. What takes longest in a large app comes last."""
        yield self.files_of_variables
        yield lambda: environment.add_variables(self.found)
        yield self.named_files
        yield self.globals
        yield self.cached_settings
        yield self.named_files
        yield self.calls
        yield self.token_functions
        yield self.named_files

    def files_of_variables(self) -> None:
        environment.add_files(self.found, [*environment.files_in(self.folders), *self.named("env_file")])
        environment.add_secrets(self.found, self.named("secrets_dir"))

    def named(self, option: str) -> list[str]:
        """Paths that classes of settings name."""
        return [os.path.expanduser(path) for cls in self.classes for path in settings.places(cls, option)]

    def named_files(self) -> None:
        environment.add_named_files(self.found, self.folders)

    def calls(self) -> None:
        for kind, part in parts_of(self.app):
            if kind == "dependency":
                self.functions.visit(part)
            elif kind == "handler":
                self.functions.visit(part, only_tokens=True)
            elif kind == "state":
                self.reach.take(part, "app.state", "")
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
                if type(variable) is str and not variable.startswith("__"):
                    self.reach.take(value, variable, name)
        self.reach.run()

    def token_functions(self) -> None:
        for _, module in self.modules:
            self.functions.sweep(names_in(module))
            self.reach.run()

    def cached_settings(self) -> None:
        for one in settings.objects(self.classes, self.reach.seen):
            self.functions.take_object(one)
        self.reach.run()


proofs: list[tuple[Any, Proof]] = []  # of apps, made once


def proof_of(app: Any, root: Path, module: str) -> Proof:
    """Which keys an app verifies tokens with, and whether these are known to be all."""
    for known, proof in proofs:
        if known is app:
            return proof
    proof = prove(app, Whose(module), folders(root, module))
    proofs.append((app, proof))
    return proof


def folders(root: Path, module: str) -> list[Path]:
    """In which an app may have its `.env`."""
    loaded = sys.modules.get(module)
    file = names_in(loaded).get("__file__") if is_module(loaded) else None
    return [Path.cwd(), root, *([Path(file).parent] if type(file) is str else [])]


class Candidate(NamedTuple):
    name: str
    is_key: bool  # whether the name is one that keys have
    value: bytes
    verifies: bool  # whether the app's code verifies tokens with it


def candidates(app: Any, root: Path, module: str) -> tuple[list[Candidate], Proof]:
    """-> (what may be a key, whether all that verify tokens are among them)"""
    collection = Collection(app, root, module)
    proof = proof_of(app, root, module)
    collection.found.begin()
    for step in collection.steps():
        collection.found.begin_step()
        try:
            step()
        except Exception:  # it is late, or an app holds what was not thought of
            collection.reach.waiting.clear()
    verifying = {one for value, at in proof.keys.items() for one in collection.found.verifying(value, at)}
    found = [Candidate(*one, one[2] in verifying) for one in collection.found.all(verifying)]
    return found, proof
