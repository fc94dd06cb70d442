"""Keys with which an app signs: how weak they are, never what they are."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mantlet_inspector.candidates.collect import proof_of
from mantlet_inspector.review.effects import below_project
from mantlet_inspector.source import memory
from mantlet_inspector.source.files import file_in
from mantlet_inspector.source.objects import is_module, names_in

SHORTEST = 32  # bytes: as long as what HS256 makes (RFC 7518, 3.2)
PLACEHOLDER = re.compile(
    rb"(?i)(your|my|the|super|very|some|a|not|this|is|top|app|dev|development|test|jwt|session|insecure|default)*"
    rb"(secret|change|changeme|changethis|me|this|please|key|password|replace|example|token|foo|bar|123|456|it|in|"
    rb"production|prod|value|here|string|dev|test|default|insecure|safe|do|use|really|so|random|long|and)+[!0-9]*"
)
WORDS = re.compile(r"secret|signing|sign_key|jwt_key|token_key", re.IGNORECASE)
MOST = 400  # files


def signing_keys(app: Any, module: str, modules: list[Any]) -> dict[bytes, str]:
    """Keys that the app verifies tokens with, and those that its own code signs with, each with a
    name."""
    found: dict[bytes, str] = {}
    for key, at in proof_of(app, Path.cwd(), module).keys.items():
        if b"-----BEGIN " not in key:
            found.setdefault(key, f"the key at {at}")
    for key, name in signing(modules):
        found.setdefault(key, name)
    return found


def keys_of(keys: dict[bytes, str], modules: list[Any]) -> list[dict[str, Any]]:
    written = [key_facts(key, name, modules) for key, name in sorted(keys.items(), key=lambda one: one[1])]
    return [one for one in written if one is not None]


def unverified(app: Any, module: str) -> list[dict[str, Any]]:
    """Where tokens are read without a look at their signatures."""
    found = []
    for file, line in sorted(proof_of(app, Path.cwd(), module).unverified):
        shown = below_project(file)
        found.append({"kind": "token-unverified", **({"file": shown} if shown else {}), "line": line})
    return found


def signing(modules: Iterable[Any]) -> Iterable[tuple[bytes, str]]:
    """Keys that are handed to `hmac.new`, by the names of their variables."""
    for module in modules:
        file = file_in(module)
        if not file or not is_module(module):
            continue
        try:
            text = memory.text_of(file)
        except OSError:
            continue
        if b"hmac" not in text:
            continue
        for name in re.findall(rb"hmac\.(?:new|digest)\(\s*(?:key\s*=\s*)?([A-Za-z_]\w*)", text):
            value = names_in(module).get(name.decode())
            value = value.encode() if type(value) is str else value
            if type(value) is bytes and value:
                yield value, f"`{name.decode()}`"


def key_facts(value: Any, name: str, modules: list[Any]) -> dict[str, Any] | None:
    """How weak a key is; none if nothing is wrong with it."""
    inner = getattr(value, "_secret_value", value)
    key = inner.encode() if type(inner) is str else inner
    if type(key) is not bytes or not key:
        return None
    place = literal_at(key, modules)
    bare = re.sub(rb"[^A-Za-z0-9!]", b"", key)
    facts: dict[str, Any] = {}
    if len(key) < SHORTEST:
        facts["short"] = len(key)
    if bare and PLACEHOLDER.fullmatch(bare):
        facts["placeholder"] = True
    if place is not None:
        facts["literal"] = True
        facts.update(place)
    return {"name": name, **facts} if facts else None


def literal_at(key: bytes, modules: Iterable[Any]) -> dict[str, Any] | None:
    """Where a key stands in the app's code, if its value is not one of the environment."""
    if any(os.fsencode(one) == key for one in os.environ.values()):
        return None
    for number, module in enumerate(modules):
        file = file_in(module)
        shown = below_project(file) if file else None
        if shown is None or number > MOST:
            continue
        try:
            text = memory.text_of(file)
            if key not in text:
                continue
            tree = ast.parse(text)
        except (OSError, SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Constant)
                and node.value in (key, as_text(key))
                and node.value is not None
            ):
                return {"file": shown, "line": node.lineno}
    return None


def as_text(key: bytes) -> str | None:
    try:
        return key.decode()
    except UnicodeDecodeError:
        return None
