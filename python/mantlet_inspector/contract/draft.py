"""The contract of an app as far as it has been read, and what stands around what is read now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mantlet_inspector.contract.operations import Operations
from mantlet_inspector.contract.responses import Responses
from mantlet_inspector.contract.schemas import Translator
from mantlet_inspector.contract.shapes import Shapes
from mantlet_inspector.proof.pre_validation import PreValidation


class Draft:
    """What all that read an app share."""

    def __init__(self) -> None:
        self.shapes = Shapes()
        self.noted: dict[tuple[str, str], dict[str, str]] = {}
        # Operations: the route, its path, what was read of it.
        self.read: list[tuple[Any, str, dict[str, Any]]] = []
        self.inside: list[Any] = []  # apps and routers that are being read
        # Those and the ways in which they are included, whose limits hold for a route.
        self.around: list[Any] = []
        self.starts: list[Any] = []  # code that may change the app when it starts
        self.late: list[Any] = []  # routes that take more when the app has started
        # What FastAPI has worked out of included routers, before it is asked to.
        self.kept: dict[int, tuple[Any, dict[str, Any]]] = {}
        self.pre_validation = PreValidation()
        self.operations = Operations(self.shapes, Translator(self.shapes))
        self.responses = Responses(self.shapes)

    def note(self, at: str, why: str) -> None:
        self.noted[at, why] = {"at": at, "why": why}

    def opaque(self, at: str, why: str) -> dict[str, Any]:
        self.note(at, f"{why}: it may answer in place of what follows, whose input is reported, not refused")
        return {"kind": "opaque", "why": why}

    def unsure(self, at: str, why: str, path: str, methods: Sequence[str] = ()) -> dict[str, Any]:
        """What may answer for one path only."""
        self.note(at, f"{why}: another route may answer there, so input is reported, not refused")
        return {"kind": "opaque", "why": why, "path": path, "methods": list(methods)}

    def with_convertors(self, found: dict[str, Any], own: dict[str, str], at: str) -> list[dict[str, Any]]:
        """A route with convertors of the app's own, by the patterns of those."""
        if own:
            patterns = ", ".join(f"`{regex}`" for regex in own.values())
            why = f"a convertor of the app's own ({patterns})"
            self.note(at, f"{why}: what it makes of a path is left to the app")
            found["convertors"] = own
        return [found]

    # What FastAPI works out of a router that was included, it keeps, and the first request is the
    # quicker for it. But code that changes routes when the app starts would change them in vain.

    def note_kept(self, route: Any) -> None:
        names = [name for name in vars(route) if name.startswith("_effective") and not name.endswith("lock")]
        self.kept.setdefault(id(route), (route, {name: vars(route)[name] for name in names}))

    def leave(self) -> None:
        """Leaves the app as it was found."""
        for route, kept in self.kept.values():
            vars(route).update(kept)
