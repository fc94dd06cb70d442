"""Whose code something is: by the file that it stands in."""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
from typing import Any

import fastapi
import pydantic
import starlette

from mantlet_inspector.source.objects import code_of, is_module, names_in

FRAMEWORK_FILES = tuple(one.__file__ or "" for one in (fastapi, starlette, pydantic))
FRAMEWORKS = tuple(os.path.dirname(one) + os.sep for one in FRAMEWORK_FILES)
STANDARD = tuple(
    path + os.sep
    for name in ("stdlib", "platstdlib")
    for path in {sysconfig.get_path(name), os.path.realpath(sysconfig.get_path(name))}
)
INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
# What the frameworks import themselves.
NEEDED = {
    "annotated_doc",
    "annotated_types",
    "anyio",
    "email_validator",
    "httpx",
    "httpx2",
    "itsdangerous",
    "jinja2",
    "multipart",
    "pydantic_core",
    "python_multipart",
    "typing_extensions",
    "typing_inspection",
    "wrapt",
}
OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
# Frameworks of which there is compiled code only.
WITHOUT_SOURCE = any(one.endswith(".pyc") for one in FRAMEWORK_FILES)


def file_of(thing: Any) -> str:
    """Where the code of a function or a class stands, or nothing."""
    code = code_of(thing)
    if code is not None:
        return (WITHOUT_SOURCE and module_file_of(thing)) or code.co_filename
    cls = thing if issubclass(type(thing), type) else type(thing)
    module = sys.modules.get(getattr(cls, "__module__", None) or "")
    return getattr(module, "__file__", None) or ""


def module_file_of(function: Any) -> str | None:
    """The file of the module that a function belongs to: compiled code only knows where it was
    compiled."""
    names = getattr(function, "__func__", function).__globals__
    module = sys.modules.get(names.get("__name__") or "")
    return file_in(module) if module is not None and vars(module) is names else None


def file_in(module: Any) -> str:
    return (is_module(module) and names_in(module).get("__file__")) or ""


def is_frameworks(thing: Any) -> bool:
    """By its file: names can be copied, and are (`functools.wraps`)."""
    return file_of(thing).startswith(FRAMEWORKS)


def behind(function: Any) -> Any:
    """The method that Sentry calls from the one that it puts in its place."""
    while is_of(file_of(function), "sentry_sdk"):
        code = code_of(function)
        if code is None or "old_call" not in code.co_freevars:
            break
        function = function.__closure__[code.co_freevars.index("old_call")].cell_contents
    return function


def is_installed(file: str) -> bool:
    return package_of(file) is not None


def is_of(file: str, package: str) -> bool:
    """Whether a file belongs to an installed package."""
    return package_of(file) == package


@functools.cache
def package_of(file: str) -> str | None:
    """The top package of an installed file; none if it is not one."""
    for part in INSTALLED:
        if part in file:
            return top_of(file.rpartition(part)[2])
    for folder, packages in folders().items():
        if file.startswith(folder) and top_of(file[len(folder) :]) in packages:
            return top_of(file[len(folder) :])
    return None


def top_of(path: str) -> str:
    top = path.replace("\\", "/").partition("/")[0]
    return top[:-3] if top.endswith(".py") else top


@functools.cache
def folders() -> dict[str, set[str]]:
    """Other folders of installed packages (`pip install --target`, `PYTHONPATH`, layer, pex)."""
    beside = [os.path.dirname(os.path.dirname(one)) for one in FRAMEWORKS]
    found = {}
    for folder in dict.fromkeys(os.path.abspath(one) for one in [*sys.path, *beside] if isinstance(one, str)):
        if any(part in folder + os.sep for part in INSTALLED) or is_standard_folder(folder):
            continue
        packages = installed_in(folder) | (NEEDED if folder in beside else set())
        if packages:
            found[folder + os.sep] = packages
    return found


def is_standard_folder(folder: str) -> bool:
    return any((folder + os.sep).startswith(one) for one in STANDARD)


def installed_in(folder: str) -> set[str]:
    """Packages that an installer says it has put there."""
    packages = set()
    try:
        entries = os.listdir(folder)
    except OSError:
        return packages
    for entry in entries:
        lists = {".dist-info": "RECORD", ".egg-info": "top_level.txt"}.get(os.path.splitext(entry)[1])
        try:
            with open(os.path.join(folder, entry, lists or ""), encoding="utf-8") as opened:
                packages |= {top_of(line.partition(",")[0].strip().strip('"')) for line in opened}
        except (OSError, ValueError):
            continue
    return packages - {"", "..", "."}


def is_read(thing: Any) -> bool:
    """Whether it is code of the app's own, or of what is installed beside the frameworks."""
    file = file_of(thing)
    return not is_standard(file) and not file.startswith(FRAMEWORKS)


def is_standard(file: str) -> bool:
    """Python's own; the frozen parts have no file."""
    return not file or file.startswith("<frozen") or (file.startswith(STANDARD) and not is_installed(file))
