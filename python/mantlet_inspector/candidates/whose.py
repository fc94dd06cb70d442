"""Whose a module or the class of an object is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from mantlet_inspector.source import files
from mantlet_inspector.source.objects import is_module, names_in
from mantlet_inspector.source.stored import module_of

OWN, FRAMEWORK, STANDARD = "own", "framework", "standard"  # any other word is a package


class Whose:
    """An app may be installed like any package: what shares its top package is its own, too."""

    def __init__(self, module: str) -> None:
        self.top = module.partition(".")[0]
        self.classes: dict[int, tuple[Any, str]] = {}

    def modules(self) -> Iterator[tuple[str, Any]]:
        """The app's own."""
        # A module stands before those that it imports. What is imported is named where it was made.
        for name, module in reversed(list(sys.modules.items())):
            if type(name) is str and is_module(module) and self.of_module(name) == OWN:
                yield name, module

    def of_module(self, name: str) -> str:
        if name.partition(".")[0] == self.top:
            return OWN
        module = sys.modules.get(name)
        file = names_in(module).get("__file__") if is_module(module) else None
        if type(file) is not str or not file:
            # Without a file it is a part of the interpreter, or made by code at run time.
            return STANDARD
        if file.startswith(files.OURS):
            return STANDARD
        if file.startswith(files.FRAMEWORKS):
            return FRAMEWORK
        if files.is_standard(file):
            return STANDARD
        return files.package_of(file) or OWN

    def of_class(self, cls: Any) -> str:
        known = self.classes.get(id(cls))
        if known is None:
            known = self.classes[id(cls)] = (cls, self.of_module(module_of(cls)))
        return known[1]
