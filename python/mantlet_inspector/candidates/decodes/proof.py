"""The proof: which values the app verifies tokens with, and whether these are all."""

from __future__ import annotations

import ast
import os
import re
import sys
import time
import types
from pathlib import Path
from typing import Any

from mantlet_inspector.candidates.decodes.libraries import AUTHX_KEYS, KEYS_HELD, Libraries
from mantlet_inspector.candidates.decodes.names import Names
from mantlet_inspector.candidates.decodes.peek import is_harmless
from mantlet_inspector.candidates.decodes.places import (
    WORDS,
    NotUnderstood,
    Place,
    Places,
    is_by_hand,
    options_of,
)
from mantlet_inspector.candidates.decodes.sources import Source, Sources
from mantlet_inspector.candidates.decodes.value import (
    NO_FRAMES,
    At,
    Live,
    Parts,
    Unknown,
    Value,
    has_own_ways,
)
from mantlet_inspector.candidates.decodes.values import Values
from mantlet_inspector.candidates.environment import shown
from mantlet_inspector.candidates.found import LONGEST, LONGEST_TEXT, Late
from mantlet_inspector.candidates.reach import is_key, public_part
from mantlet_inspector.candidates.whose import OWN, Whose
from mantlet_inspector.source import files
from mantlet_inspector.source.objects import is_class, is_module, names_in
from mantlet_inspector.source.stored import (
    attributes,
    bytes_in,
    class_name,
    entries,
    is_a,
    is_exactly,
    items,
    module_of,
)

BOUND = 0.15  # seconds of the processor's time
IMPORTS_INSIDE = re.compile(
    rb"(?m)^[ \t]+(?:from[ \t]+([.\w]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n#]+)|import[ \t]+([.\w]+))"
)
MOST_LATER = 200  # modules that are not imported yet

NOT_KNOWN = "the key of a token is not known"
NOT_VERIFIED = "a token is read without its signature"
BY_OTHERS = "code that is not understood may verify tokens"


class Proof:
    def __init__(self) -> None:
        self.keys: dict[bytes, str] = {}  # and where each is used
        self.places = 0
        self.texts: list[bytes] = []  # of the app's code and its variables
        self.found = 0  # places that deal with tokens, understood or not
        self.why: tuple[str, str] | None = None  # why it is not complete, and where
        self.unverified: list[tuple[str, int]] = []  # files and lines where nothing is verified at all

    def is_complete(self) -> bool:
        return self.places > 0 and self.why is None

    def is_the_same_in_workers(self) -> bool:
        """Whether no key may be made anew at each import."""
        return all(b"-----BEGIN " in key or any(key in text for text in self.texts) for key in self.keys)

    def fail(self, why: str, where: str) -> None:
        self.why = self.why or (why, where)

    def note(self) -> dict[str, str] | None:
        """For the contract of an app that verifies tokens."""
        if self.why is None or not self.found:
            return None
        why, where = self.why
        return {"at": where, "why": f"{why}: a token that no known key verifies is left to the app"}


def prove(app: Any, whose: Whose, folders: list[Path]) -> Proof:
    """Looks at what is imported now."""
    proof = Proof()
    try:
        Prover(app, whose, folders, proof).run()
    except Late:
        proof.fail(NOT_KNOWN, "the time was up")
    except Exception:  # an app may hold anything
        proof.fail(NOT_KNOWN, "its code is not understood")
    return proof


class Prover:
    def __init__(self, app: Any, whose: Whose, folders: list[Path], proof: Proof) -> None:
        self.end = time.thread_time() + BOUND
        self.app = app
        self.whose = whose
        self.folders = folders
        self.proof = proof

    def check(self, needed: float = 0) -> None:
        if time.thread_time() + needed > self.end:
            raise Late

    def run(self) -> None:
        self.libraries = Libraries(self.whose)
        if not self.libraries.modules:
            return
        self.sources = Sources(self.whose, self.check)
        self.names = Names(self.sources, self.libraries)
        self.values = Values(self.sources, self.names, self.libraries, self.check, self.folders)
        self.look_at_places()
        self.look_at_strangers()
        self.look_at_texts()
        self.look_at_overrides()
        variables = [*os.environ.items(), *self.values.objects.variables()]
        self.proof.texts = [os.fsencode(value) for _, value in variables]
        self.proof.texts += [source.text for source in self.sources.all]

    # Places

    def look_at_places(self) -> None:
        places = Places(self.sources, self.names, self.libraries, self.values.stores)
        verifying, peeks = [], []
        for source in places.mentioning():
            try:
                found = list(places.of_source(self.sources.parsed(source)))
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                self.proof.fail(BY_OTHERS, shown(source.file))
                continue
            for place in found:
                self.check()
                self.proof.found += 1
                if isinstance(place, NotUnderstood):
                    self.proof.fail(BY_OTHERS, where(source, place.node))
                    continue
                try:
                    is_peek = place.kind.what == "peek" or self.is_unverified(place)
                except Late:
                    raise
                except Exception:
                    self.proof.fail(NOT_KNOWN, where(place.source, place.call))
                    continue
                (peeks if is_peek else verifying).append(place)
        for place in verifying:
            self.look_at(place)
        for place in peeks:
            if not is_harmless(place, verifying):
                self.proof.fail(NOT_VERIFIED, where(place.source, place.call))
                self.proof.unverified.append((place.source.file, place.call.lineno))

    def look_at(self, place: Place) -> None:
        self.values.steps = 0
        at = where(place.source, place.call)
        try:
            if not place.is_certain():
                raise Unknown
            found = [key for each in place.kind.keys for key in self.keys_of(place, *each)]
            if not found and not place.kind.is_optional:
                raise Unknown
        except Late:
            raise
        except Exception:  # it is unknown, or an app holds what was not thought of
            self.proof.fail(NOT_KNOWN, at)
            return
        self.proof.places += 1
        for key in found:
            self.proof.keys.setdefault(key, at)

    def keys_of(self, place: Place, name: str, index: int) -> list[bytes]:
        held, options = options_of(place.held) if place.held is not None else ([], {})
        node = place.argument(name, index - len(held)) if index >= len(held) else None
        if index < len(held):
            values: list[Value] = [Live(held[index])]
        elif node is not None:
            values = self.values.of(node, At(place.source, NO_FRAMES))
        else:
            values = [Live(options[name])] if name in options else []
        return [key for value in values for key in self.texts(value, node)]

    def texts(self, value: Value, node: Any = None) -> list[bytes]:
        """The keys in a value that a library takes for one."""
        if isinstance(value, Parts) and not isinstance(value.node, ast.Dict):
            return [key for one in self.values.written(value) for key in self.texts(one)]
        if not isinstance(value, Live):
            raise Unknown
        found = value.value
        if found is None:
            return []
        if is_a(found, list, tuple):
            if node is None:
                raise Unknown
            self.values.be_constant(found, node, False)
            return [key for one in items(found) for key in self.texts(Live(one))]
        text = bytes_in(found, LONGEST_TEXT)
        if text is not None:
            if (
                has_own_ways(found) or text.lstrip()[:1] in (b"{", b"[") or not is_short(text)
            ):  # a JWK, or several
                raise Unknown
            return [text]
        if is_key(type(found)):
            return [public_part(found)]
        kind = module_of(type(found)), class_name(type(found))
        inner = dict(attributes(found)) if self.is_holder(found, kind) else {}
        for name in ("_secret_value", *KEYS_HELD):
            if inner.get(name) is not None:
                return self.texts(Live(inner[name]))
        if kind == ("authx.config", "AuthXConfig"):
            if any(self.values.stores.is_set(name, found) for name in AUTHX_KEYS):
                raise Unknown
            keys = [inner[name] for name in AUTHX_KEYS if inner.get(name) is not None]
            return [key for one in keys for key in self.texts(Live(one))]
        raise Unknown

    def is_holder(self, value: Any, kind: tuple[str, str]) -> bool:
        return kind[0].startswith("pydantic.") or self.libraries.kind(type(value)) is not None

    # Options

    def is_unverified(self, place: Place) -> bool:
        """Whether a call does not verify, by its options."""
        if not place.kind.has_options:
            return False
        held, options = options_of(place.held) if place.held is not None else ([], {})
        if len(held) > 2 or not place.is_certain():
            raise Unknown
        found = False
        for name in ("options", "verify"):
            if name in options:
                found |= self.turns_off(Live(options[name]))
        given = [one.value for one in place.keywords if one.arg in ("options", "verify")]
        for node in [*given, *place.arguments[3 - len(held) :]]:
            for value in self.values.of(node, At(place.source, NO_FRAMES)):
                if isinstance(value, Live) and is_a(value.value, dict):
                    self.values.be_constant(value.value, node, False)
                found |= self.turns_off(value)
        third = place.arguments[2 - len(held)] if len(place.arguments) > 2 - len(held) else None
        return found or (isinstance(third, ast.Constant) and third.value is False)

    def turns_off(self, value: Value) -> bool:
        if isinstance(value, Parts) and isinstance(value.node, ast.Dict):
            named: dict[Any, Any] = {}
            for key, node in zip(value.node.keys, value.node.values):
                if not isinstance(key, ast.Constant):
                    raise Unknown
                named[key.value] = node
            if "verify_signature" not in named:
                return False
            found = self.values.of(named["verify_signature"], value.at)
        elif isinstance(value, Live) and is_a(value.value, dict):
            named = {key: one for key, one in entries(value.value) if type(key) is str}
            found = [Live(named.get("verify_signature", True))]
        else:
            found = [value]
        kept = [one.value if isinstance(one, Live) else one for one in found]
        if all(one is None or one is True or is_exactly(one, str, list, tuple) for one in kept):
            return False
        if all(one is False for one in kept):
            return True
        raise Unknown

    # What else may verify tokens

    def look_at_strangers(self) -> None:
        self.check()
        for name in self.libraries.strangers():
            if self.whose.of_module(name) != OWN:
                self.proof.fail(BY_OTHERS, f"the package `{name.partition('.')[0]}`")
        for module in self.sources.unread:
            values = list(names_in(module).values())
            if any(self.libraries.kind(one) is not None for one in values):
                self.proof.fail(BY_OTHERS, f"the module `{names_in(module).get('__name__')}`")

    def look_at_texts(self) -> None:
        for source in self.sources.all:
            self.check()
            if is_by_hand(source.text):
                self.proof.fail(BY_OTHERS, shown(source.file))
        later = Later(self.sources)
        for source in self.sources.all:
            self.check()
            file = later.mentions(source.text, names_in(source.module).get("__package__"))
            if file is not None:
                self.proof.fail(BY_OTHERS, f"{shown(file)}, which is imported later")

    def look_at_overrides(self) -> None:
        """Other dependencies in the place of those that are read."""
        fastapi = sys.modules.get("fastapi.applications")
        cls = names_in(fastapi).get("FastAPI") if is_module(fastapi) else None
        values = [self.app, *(one for source in self.sources.all for one in list(source.names.values()))]
        values = [one for one in values if type(one) is not types.FunctionType]
        for app in values if is_class(cls) else ():
            overrides = dict(attributes(app)).get("dependency_overrides") if is_a(app, cls) else None
            if overrides is not None and not (is_a(overrides, dict) and entries(overrides) == []):
                self.proof.fail(BY_OTHERS, "dependencies are overridden")
        for source, node in self.sources.named({"dependency_overrides"}):
            if source.function_around(node) is not None:
                self.proof.fail(BY_OTHERS, where(source, node))


class Later:
    """Modules of the app's own that a function imports, and that are not imported yet."""

    def __init__(self, sources: Sources) -> None:
        self.seen: set[str] = set()
        folders = [one for one in sys.path if type(one) is str and os.path.isdir(one or ".")]
        self.roots = [one for one in folders if not files.is_installed(os.path.join(one, "x"))]
        self.roots = [one for one in self.roots if not files.is_standard_folder(one)]

    def mentions(self, text: bytes, package: Any) -> str | None:
        """The file of one that mentions a library of tokens."""
        for name in names_imported(text, package if type(package) is str else ""):
            if name in sys.modules or name in self.seen or len(self.seen) > MOST_LATER:
                continue
            self.seen.add(name)
            for root in self.roots:
                stem = os.path.join(root, *name.split("."))
                for file, of in ((f"{stem}.py", name.rpartition(".")[0]), (f"{stem}/__init__.py", name)):
                    try:
                        with open(file, "rb") as opened:
                            found = opened.read()
                    except (OSError, ValueError):
                        continue
                    if files.is_installed(file) or file.startswith(files.OURS):
                        continue
                    if WORDS.search(found):
                        return file
                    deeper = self.mentions(b" " + found.replace(b"\n", b"\n "), of)
                    if deeper is not None:
                        return deeper
        return None


def names_imported(text: bytes, package: str) -> list[str]:
    """Whole names of what may be modules."""
    found = []
    for base, names, plain in IMPORTS_INSIDE.findall(text):
        if plain:
            found.append(plain.decode(errors="replace"))
            continue
        name = base.decode(errors="replace")
        dots = len(name) - len(name.lstrip("."))
        if dots:
            parts = package.split(".")
            name = ".".join([*parts[: len(parts) - dots + 1], *filter(None, [name[dots:]])])
        found.append(name)
        found += [f"{name}.{one.decode()}" for one in re.findall(rb"(\w+)(?:[ \t]+as[ \t]+\w+)?", names)]
    return found


def is_short(text: bytes) -> bool:
    return len(text) > 0 and (len(text) <= LONGEST or b"-----BEGIN " in text)


def where(source: Source, node: Any) -> str:
    return f"{shown(source.file)}:{node.lineno}"
