"""The source of functions that are not run: as syntax trees, and the values of the names in them."""

from __future__ import annotations

import ast
import builtins
import enum
import functools
import inspect
import os
import sys
import sysconfig
import types
import warnings

import fastapi
import pydantic
import starlette

from mantlet_inspector.source import index, memory

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
FRAMEWORKS = tuple(os.path.dirname(one.__file__) + os.sep for one in (fastapi, starlette, pydantic))
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
UNKNOWN = object()
# Frameworks of which there is compiled code only.
WITHOUT_SOURCE = any(one.__file__.endswith(".pyc") for one in (fastapi, starlette, pydantic))


def code_of(thing):
    """By its very type: a proxy (`wrapt`) shows the code of what it stands for, and runs another."""
    if type(thing) is types.MethodType:
        thing = thing.__func__
    return thing.__code__ if type(thing) is types.FunctionType else None


def is_class(thing):
    """By its very type, too: asked what they are, proxies load what they stand for."""
    return issubclass(type(thing), type)


def is_module(thing):
    return issubclass(type(thing), types.ModuleType)


def file_of(thing):
    """Where the code of a function or a class stands, or nothing."""
    code = code_of(thing)
    if code is not None:
        return (WITHOUT_SOURCE and module_file_of(thing)) or code.co_filename
    cls = thing if issubclass(type(thing), type) else type(thing)
    module = sys.modules.get(getattr(cls, "__module__", None) or "")
    return getattr(module, "__file__", None) or ""


def module_file_of(function):
    """The file of the module in whose names a function looks: compiled code alone says where it was compiled."""
    names = getattr(function, "__func__", function).__globals__
    module = sys.modules.get(names.get("__name__") or "")
    return file_in(module) if module is not None and vars(module) is names else None


def names_in(module):
    """The names of a module as it is: one that loads itself when it is asked stays unloaded."""
    return object.__getattribute__(module, "__dict__")


def name_in(module):
    return names_in(module).get("__name__") or ""


def loads_itself(module):
    """Whether looking at a module may run its code."""
    return type(module).__getattribute__ is not types.ModuleType.__getattribute__


def file_in(module):
    return (is_module(module) and names_in(module).get("__file__")) or ""


def is_frameworks(thing):
    """By its file: names can be copied, and are (`functools.wraps`)."""
    return file_of(thing).startswith(FRAMEWORKS)


def behind(function):
    """The method that Sentry calls from the one that it puts in its place."""
    while is_of(file_of(function), "sentry_sdk"):
        code = code_of(function)
        if code is None or "old_call" not in code.co_freevars:
            break
        function = function.__closure__[code.co_freevars.index("old_call")].cell_contents
    return function


def generated_for(function):
    """The function that one which `makefun` has written for it calls; itself if it is no such one."""
    code = code_of(function)
    if code is None or code.co_names != ("_func_impl_",):
        return function
    return function.__globals__.get("_func_impl_", function)


def is_installed(file):
    return package_of(file) is not None


def is_of(file, package):
    """Whether a file belongs to an installed package."""
    return package_of(file) == package


@functools.cache
def package_of(file):
    """The top package of an installed file; none if it is not one."""
    for part in INSTALLED:
        if part in file:
            return top_of(file.rpartition(part)[2])
    for folder, packages in folders().items():
        if file.startswith(folder) and top_of(file[len(folder) :]) in packages:
            return top_of(file[len(folder) :])
    return None


def top_of(path):
    top = path.replace("\\", "/").partition("/")[0]
    return top[:-3] if top.endswith(".py") else top


@functools.cache
def folders():
    """Other folders in which packages are installed (`pip install --target`, `PYTHONPATH`, a layer, a pex), and which."""
    beside = [os.path.dirname(os.path.dirname(one)) for one in FRAMEWORKS]
    found = {}
    for folder in dict.fromkeys(os.path.abspath(one) for one in [*sys.path, *beside] if isinstance(one, str)):
        if any(part in folder + os.sep for part in INSTALLED) or is_standard_folder(folder):
            continue
        packages = installed_in(folder) | (NEEDED if folder in beside else set())
        if packages:
            found[folder + os.sep] = packages
    return found


def is_standard_folder(folder):
    return any((folder + os.sep).startswith(one) for one in STANDARD)


def installed_in(folder):
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


def is_read(thing):
    """Whether it is code of the app's own, or of what is installed beside the frameworks."""
    file = file_of(thing)
    return not is_standard(file) and not file.startswith(FRAMEWORKS)


def is_standard(file):
    """Python's own; the frozen parts have no file."""
    return not file or file.startswith("<frozen") or (file.startswith(STANDARD) and not is_installed(file))


@functools.cache
def piece_of(file, line):
    """The tree of what stands in a module around a line: of no more than that where the lines are known."""
    if not memory.are_known(file) or b"coding" in b"".join(memory.lines_of(file)[:2]):
        return memory.tree_of(file)
    pieces = [piece for piece in memory.facts_of(file).pieces if piece[0] <= line <= piece[1]]
    if not pieces:
        return ast.Module([], [])
    first, last = min(piece[0] for piece in pieces), max(piece[1] for piece in pieces)
    return piece_between(file, first, last)


@functools.cache
def piece_between(file, first, last):
    # Empty lines before it keep the numbers.
    return ast.parse(b"\n" * (first - 1) + b"".join(memory.lines_of(file)[first - 1 : last]), file)


def around(node, line):
    """The nodes within one that a line is in, outer ones first."""
    for one in ast.iter_child_nodes(node):
        end = getattr(one, "end_lineno", None)
        if end is None:
            yield from around(one, line)
        elif index.first_line(one) <= line <= end:
            yield one
            yield from around(one, line)


def node_of(function):
    """The tree of a function as it runs, not of what it wraps; none if that is not certain."""
    code = code_of(function)
    return None if code is None else node_at(code.co_filename, code.co_name, code.co_firstlineno)


@functools.cache
def node_at(file, name, line):
    """The function of this name whose first line, that of the first decorator, this is."""
    try:
        if memory.are_known(file) and memory.facts_of(file).functions.get(f"{name} {line}") != 1:
            return None
        found = [
            one
            for one in around(piece_of(file, line), line)
            if isinstance(one, FUNCTIONS)
            and getattr(one, "name", "<lambda>") == name
            and index.first_line(one) == line
        ]
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
    return found[0] if len(found) == 1 else None


def definition_at(file, place):
    """The function, class or assignment that begins at a place."""
    first, line, column = place
    found = [
        one
        for one in around(piece_of(file, first), line)
        if isinstance(one, (*index.DEFINITIONS, ast.Assign, ast.AnnAssign))
        and (one.lineno, one.col_offset) == (line, column)
    ]
    return found[0]


@functools.cache
def rebound(file):
    """Names that some function of a module gives another value while the app runs."""
    if memory.are_known(file):
        return memory.facts_of(file).rebound
    if b"global" not in memory.text_of(file):
        return frozenset()
    return {
        name for node in ast.walk(memory.tree_of(file)) if isinstance(node, ast.Global) for name in node.names
    }


def value_of(function, name):
    """What a name that is not the function's own stands for."""
    code = function.__code__
    if name in code.co_freevars and function.__closure__:
        try:
            return function.__closure__[code.co_freevars.index(name)].cell_contents
        except ValueError:
            return UNKNOWN
    if name in function.__globals__:
        return UNKNOWN if name in rebound(code.co_filename) else function.__globals__[name]
    return getattr(builtins, name, UNKNOWN)


def attribute_of(value, name):
    """An attribute that can be had without running code."""
    if is_module(value):
        if name in names_in(value) or not file_in(value).startswith(FRAMEWORKS):
            return names_in(value).get(name, UNKNOWN)
        with warnings.catch_warnings():  # a former name
            warnings.simplefilter("ignore")
            return getattr(value, name, UNKNOWN)
    if isinstance(value, enum.EnumMeta) and name in value.__members__:
        return value.__members__[name]
    try:
        found = inspect.getattr_static(value, name)
    except AttributeError:
        return UNKNOWN
    if isinstance(found, (staticmethod, classmethod)):
        return found.__func__ if isinstance(found, staticmethod) else types.MethodType(found.__func__, value)
    if isinstance(found, types.FunctionType) and not isinstance(value, type):
        own = getattr(value, "__dict__", {})
        return found if name in own else types.MethodType(found, value)
    return (
        UNKNOWN
        if isinstance(found, property) or (hasattr(type(found), "__get__") and not callable(found))
        else found
    )


@functools.cache
def stored_in(cls, made=False):
    """Attributes that the methods of a class give its objects, once they are made if so; none if they may be any."""
    names = set()
    for base in cls.__mro__:
        for name, function in list(vars(base).items()):
            function = getattr(function, "__func__", function)
            node = (
                None
                if base is object or is_frameworks(base) or (made and name == "__init__")
                else node_of(function)
            )
            for one in ast.walk(node) if node is not None else ():
                if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store):
                    names.add(one.attr)
                if getattr(one, "id", getattr(one, "attr", None)) in (
                    "setattr",
                    "__dict__",
                    "vars",
                    "__setattr__",
                ):
                    return None
    return names


def where(function):
    """`main.py:12`"""
    code = code_of(function)
    if code is None:
        return os.path.basename(file_of(function)) or "of which there is no file"
    return place(function, code.co_firstlineno)


def where_class(cls):
    """`shop.routes, routes.py:12`"""
    code = next((code_of(one) for one in vars(cls).values() if code_of(one) is not None), None)
    module = getattr(cls, "__module__", None) or ""
    try:
        line = inspect.getsourcelines(cls)[1]
    except (OSError, TypeError, IndexError, SyntaxError):
        line = code.co_firstlineno if code is not None else 0
    return f"{module}, {place(cls, line)}"


def place(function, line):
    return f"{os.path.basename(file_of(function))}:{line}"
