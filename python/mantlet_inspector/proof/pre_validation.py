"""What runs before FastAPI validates an operation: its dependencies, and what they may raise."""

from __future__ import annotations

import datetime
import enum
import functools
import types
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from mantlet_inspector.proof import known_packages, prover
from mantlet_inspector.proof.app_code import subclasses
from mantlet_inspector.proof.catching import hides_errors
from mantlet_inspector.proof.exceptions import NameGraph
from mantlet_inspector.proof.facts import Facts, Unproven, shown_code
from mantlet_inspector.proof.known_middleware import Odd
from mantlet_inspector.proof.refusals import Refusals
from mantlet_inspector.source import files, places
from mantlet_inspector.source.places import name_of


class Findings(NamedTuple):
    """What is known of all that runs before an operation is validated."""

    why: str | None  # input is only reported, if it is
    reads: bool  # something looks at what is not declared


class PreValidation:
    """What runs before FastAPI validates an operation. Each dependency is read once for all."""

    def __init__(self) -> None:
        self.known: dict[Any, Any] = {}  # with what it is about, so that no other gets its id
        self.odd: Odd = ()
        self.refusals = Refusals()

    @functools.cached_property
    def graph(self) -> NameGraph:
        return NameGraph()  # all of the app's code is read for it

    def of(self, dependants: list[Any], has_body: bool) -> Findings:
        why, reads = None, False
        for dependant in dependants[:-1]:
            call = dependant.call
            if is_frameworks_own(call):
                continue
            found, names, bodies = None, asked(dependant), bodies_of(dependant)
            if names or bodies:
                facts = self.facts_of(call, names, bodies, has_body)
                reads = reads or facts.reads is not None or not facts.is_proven()
                found = facts.rewrites
            if why is None:
                found = found or self.answer_of(call)
            if found and why is None:
                place = places.where(shown_code(call, {}))
                why = f"the dependency `{name_of(call)}` ({place}) {found}: input is reported, not refused"
        handler = dependants[-1]
        return Findings(why, reads or (bool(asked(handler)) and prover.reads(handler.call, asked(handler))))

    # A dependency stands before many operations, and is read once.

    def facts_of(self, call: Any, names: Any, bodies: Sequence[str], has_body: bool) -> Facts:
        key = (id(call), *names, None, *bodies, has_body)
        if key not in self.known:
            self.known[key] = call, prover.dependency(call, names, bodies, has_body)
        return self.known[key][1]

    def answer_of(self, call: Any) -> str | None:
        key = (id(call), *(id(exception) for exception, _ in self.odd))
        if key not in self.known:
            self.known[key] = call, self.may_answer(call)
        return self.known[key][1]

    def may_refuse(self, call: Any) -> bool:
        """Whether the code that a function reaches, by the names in it, may make an
        `HTTPException`."""
        try:
            names = self.graph.reached(call)
        except Unproven:
            return True
        return names is None or bool(names & {one.__name__ for one in subclasses(HTTPException)})

    def may_answer(self, call: Any) -> str | None:
        try:
            place = self.graph.may_redirect(call)
            if place:
                return f"may raise an `HTTPException` that is no error ({place})"
            for exception, handler in self.odd:
                if self.graph.may_raise(call, exception):
                    return f"may raise what `{handler}` answers"
            if hides_errors(call):
                return "catches what FastAPI raises for an invalid request"
        except Unproven as why:
            return str(why)
        except Exception:
            return "is not understood: its source cannot be followed"
        return None


def asked(dependant: Any) -> list[str]:
    """The arguments as which it takes the raw request."""
    return [name for name in (dependant.request_param_name, dependant.http_connection_param_name) if name]


def bodies_of(dependant: Any) -> list[str]:
    """Arguments that are parts of the body as it came. A model is one of its own."""
    return [field.name for field in dependant.body_params if not is_own_value(field.field_info.annotation)]


def is_own_value(annotation: Any) -> bool:
    while hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    own = (BaseModel, str, bytes, int, float, bool, enum.Enum, uuid.UUID, datetime.date, UploadFile)
    return isinstance(annotation, type) and issubclass(annotation, own)


def is_frameworks_own(call: Any) -> bool:
    """FastAPI's own schemes read the one place that they declare."""
    own = files.is_frameworks(call) or (
        not isinstance(call, types.FunctionType) and files.is_frameworks(type(call))
    )
    return own or known_packages.keeps_request(call)
