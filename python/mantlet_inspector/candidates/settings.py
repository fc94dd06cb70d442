"""Classes of settings, by `pydantic-settings` or the former Pydantic: where they read from, and
their objects, which a cache may hold that is found in no other way."""

from __future__ import annotations

import gc
import pathlib
import sys
from typing import Any

from mantlet_inspector.candidates.whose import OWN, Whose
from mantlet_inspector.source.objects import is_class, is_module, names_in
from mantlet_inspector.source.stored import bases_of, is_a, items, names_of, subclasses_of

BASES = ("pydantic_settings.main", "pydantic.v1.env_settings")
MOST_BLOCKS = 2_000_000  # of memory, in an app of which all objects are gone through
PATHS = (pathlib.PosixPath, pathlib.PurePosixPath)


def classes(whose: Whose) -> list[Any]:
    """The app's own."""
    found, waiting = [], []
    for name in BASES:
        module = sys.modules.get(name)
        base = names_in(module).get("BaseSettings") if is_module(module) else None
        waiting += [base] if is_class(base) else []
    while waiting:
        cls = waiting.pop()
        waiting += subclasses_of(cls)
        if whose.of_class(cls) == OWN:
            found.append(cls)
    return found


def places(cls: Any, option: str) -> list[str]:
    """The paths that an option of a class (`env_file`, `secrets_dir`) names."""
    for base in bases_of(cls):
        names = names_of(base)
        config = names.get("model_config")
        found = dict.get(config, option) if config is not None and is_a(config, dict) else None
        former = names.get("__config__")
        if found is None and is_class(former):
            found = next((names_of(one)[option] for one in bases_of(former) if option in names_of(one)), None)
        if found is not None:
            named = items(found) if is_a(found, list, tuple) else [found]
            return [path for one in named if (path := path_in(one))]
    return []


def path_in(value: Any) -> str | None:
    if type(value) in PATHS:
        return str(value)
    return value if type(value) is str else None


def objects(classes: list[Any], seen: dict[int, Any]) -> list[Any]:
    """Objects of the classes, unless one of each was seen: going through all objects takes time."""
    known = {id(type(one)) for one, _ in seen.values()}
    wanted = {id(cls) for cls in classes} - known
    if not wanted or sys.getallocatedblocks() > MOST_BLOCKS:
        return []
    return [one for one in gc.get_objects() if id(type(one)) in wanted]
