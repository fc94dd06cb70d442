"""Attributes of objects: of those that are there, and of those that a call is going to make."""

from __future__ import annotations

import ast
import functools
import os
import re
import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Callable

from mantlet_inspector.candidates import environment, settings
from mantlet_inspector.candidates.decodes.names import member
from mantlet_inspector.candidates.decodes.sources import NOTHING, Source
from mantlet_inspector.candidates.decodes.stores import is_first
from mantlet_inspector.candidates.decodes.value import (
    NO_FRAMES,
    At,
    Bound,
    Frame,
    Live,
    Made,
    Unknown,
    Value,
    identity,
    is_changeable,
)
from mantlet_inspector.candidates.found import LONGEST, LONGEST_TEXT
from mantlet_inspector.source import lookup
from mantlet_inspector.source.objects import is_class, is_module, name_in
from mantlet_inspector.source.stored import (
    attribute,
    attributes,
    bases_of,
    class_name,
    entries,
    is_a,
    is_exactly,
    items,
    module_of,
    names_of,
    subclasses_of,
)

if TYPE_CHECKING:
    from mantlet_inspector.candidates.decodes.values import Values

# Ways of a class to decide itself what an attribute is.
DECIDES = ("__getattribute__", "__setattr__", "__delattr__")
MODELS = ("pydantic.main", "pydantic.v1.main", "pydantic_settings.main", "pydantic.v1.env_settings")
# Whose validators may make another value of a setting.
DECORATORS = ("field_validators", "model_validators", "root_validators", "validators")
BY_NAME = re.compile("|".join(lookup.BY_NAME).encode())
COMPILED = types.WrapperDescriptorType
MISSING = ("PydanticUndefinedType", "_MISSING_TYPE")
CHANGES_TEXT = ("str_strip_whitespace", "str_to_lower", "str_to_upper")


class Objects:
    def __init__(self, values: Values) -> None:
        self.values = values
        self.files: list[tuple[str, str]] | None = None

    def attribute(self, base: Value, name: str) -> list[Value]:
        if isinstance(base, Live):
            return self.of_live(base, name)
        if isinstance(base, Made):
            found = self.of_made(base, name)
            if any(is_changeable(one) for one in found):
                raise Unknown
            return found
        raise Unknown

    # Those that are there

    def of_live(self, base: Live, name: str) -> list[Value]:
        owner = base.value
        if owner is None:
            return []
        if is_module(owner):
            source = self.values.sources.by_name.get(name_in(owner))
            if source is not None and source.module is owner:
                is_set = self.values.stores.is_rebound(source, name)
            else:
                is_set = self.values.stores.is_set(name, owner)
            found = member(owner, name)
            if found is NOTHING or is_set:
                raise Unknown
            return [Live(found)]
        if is_class(owner):
            if self.values.stores.is_set(name, owner):
                raise Unknown
            found = member(owner, name)
            if found is NOTHING or type(found) is property:
                raise Unknown
            return [Live(found)]
        cls = type(owner)
        if name == "value" and any("_member_map_" in names_of(one) for one in bases_of(cls)):
            return [Live(attribute(owner, "_value_"))]
        getter = getter_of(cls, name)
        held = {one: part for one, part in attributes(owner) if one == name}
        if getter is not None and (type(getter) is property or name not in held):
            return self.got(getter, base)
        if has_own(cls, "__getattribute__") or self.values.stores.is_set(name, owner):
            raise Unknown
        if name in held:
            return [Live(held[name])]
        found = member(owner, name)
        if found is NOTHING:
            raise Unknown
        return [Live(found)]

    def got(self, getter: Any, me: Value) -> list[Value]:
        """What a property comes to."""
        function = getter.fget if type(getter) is property else getter.func
        if type(function) is not types.FunctionType:
            raise Unknown
        call = ast.Call(ast.Name("", ast.Load()), [], [])
        source = self.values.sources.by_name.get(function.__module__)
        if source is None:
            raise Unknown
        return self.values.calls.returned(Bound(Live(function), me), call, At(source, NO_FRAMES))

    # Those that are not there yet

    def of_made(self, made: Made, name: str) -> list[Value]:
        # Of itself, if one is made of its former value.
        return self.values.fixed((*identity(made), name), lambda: self.of_class(made, name))

    def of_class(self, made: Made, name: str) -> list[Value]:
        cls = made.cls
        if has_own(cls, *DECIDES, "__new__") or module_of(type(cls)) in self.values.sources.by_name:
            raise Unknown
        if self.values.stores.is_set(name, cls, is_made=False):
            raise Unknown
        if any(self.sets_by_name(one) for one in bases_of(cls)):
            raise Unknown
        classes = [cls, *(below(cls) if made.call is None else ())]
        found: list[Value] = []
        for one in classes:
            getter = getter_of(one, name)
            if getter is not None:
                found += self.got(getter, made)
        if found:
            return found
        for one in classes:
            part = next((names_of(base)[name] for base in bases_of(one) if name in names_of(base)), NOTHING)
            if type(part) is types.FunctionType:
                found.append(Bound(Live(part), made))
            elif is_exactly(part, staticmethod, classmethod):
                found.append(Live(member(one, name)))
            elif part is not NOTHING and type(part) is not types.MemberDescriptorType:
                found.append(Live(part))
        is_set = False
        for one in {id(base): base for each in classes for base in bases_of(each)}.values():
            for source, function, node in self.set_in(one, name):
                is_set = True
                found += self.assigned(made, one, source, function, node)
        fields = [one for each in classes for one in self.of_field(made, each, name)]
        if not fields and not found and not is_set:
            raise Unknown
        return fields if not is_set and fields else found + fields

    def sets_by_name(self, cls: Any) -> bool:
        """Whether methods of a class may set any attribute."""
        source = self.values.sources.by_name.get(module_of(cls))
        if source is None or not BY_NAME.search(source.text):
            return False
        self.values.sources.parsed(source)
        for node in (one for name in lookup.BY_NAME for one in source.named.get(name, ())):
            around = source.class_around(source.function_around(node))
            if around is not None and source.class_of(around) is cls:
                return True
        return False

    def set_in(self, cls: Any, name: str) -> Iterator[tuple[Source, Any, Any]]:
        """Where methods of a class set an attribute of its objects."""
        source = self.values.sources.by_name.get(module_of(cls))
        if source is None or not source.has_word(name):
            return
        for node in list(self.values.sources.parsed(source).named.get(name, ())):
            if not isinstance(node, ast.Attribute) or isinstance(node.ctx, ast.Load):
                continue
            function = source.function_around(node)
            around = source.class_around(function)
            is_self = isinstance(node.value, ast.Name) and is_first(function, node.value.id)
            if around is not None and is_self and source.class_of(around) is cls:
                yield source, function, node

    def assigned(self, made: Made, cls: Any, source: Source, function: Any, node: Any) -> list[Value]:
        statement = source.parents[node]
        is_plain = isinstance(statement, ast.Assign) and any(node is one for one in statement.targets)
        if not (is_plain or (isinstance(statement, ast.AnnAssign) and statement.value is not None)):
            raise Unknown
        names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
        frames = {function: Frame({names[0]: lambda: [made]}, is_closure=True)}
        init = next(names_of(base)["__init__"] for base in bases_of(made.cls) if "__init__" in names_of(base))
        is_init = function.name == "__init__" and made.call is not None
        if is_init and names_of(cls).get("__init__") is init:
            given: dict[str, Callable[[], list[Value]]] = {names[0]: lambda: [made]}
            given.update(self.values.calls.bound_by(function, names[1:], made.call, made.at))
            frames = {function: Frame(given)}
        return self.values.of(statement.value, At(source, frames))

    # Fields of dataclasses and models

    def of_field(self, made: Made, cls: Any, name: str) -> list[Value]:
        fields = kept_in(cls, "__pydantic_fields__", "model_fields", "__dataclass_fields__")
        field = fields.get(name)
        if field is None or has_own_init(cls):
            return []
        config = names_of(cls).get("model_config")
        options = dict(entries(config)) if config is not None and is_a(config, dict) else {}
        if decorated(cls) or any(options.get(one) is True for one in CHANGES_TEXT):
            raise Unknown
        given = self.given(made, list(fields), name, field)
        if given is not None:
            return given
        is_settings = any(module_of(one) in settings.BASES for one in bases_of(cls))
        if is_settings:
            return self.setting(cls, name, field, options)
        if made.call is None:
            return self.of_calls(cls, name)
        return default_of(field)

    def of_calls(self, cls: Any, name: str) -> list[Value]:
        """What the calls of a class give for a field."""
        use = self.values.callers.use_of_class(cls)
        if use.is_injected or use.is_elsewhere or not use.sites:
            raise Unknown
        made = [Made(cls, site.call, At(site.source, NO_FRAMES)) for site in use.sites]
        return [one for each in made for one in self.of_made(each, name)]

    def given(self, made: Made, names: list[str], name: str, field: Any) -> list[Value] | None:
        """What the call gives for a field; none if it gives nothing."""
        if made.call is None:
            return None
        known = {name, attribute(field, "alias")}
        for keyword in made.call.keywords:
            if keyword.arg is None or keyword.arg.startswith("_"):
                raise Unknown
            if keyword.arg in known:
                return self.values.of(keyword.value, made.at)
        for number, node in enumerate(made.call.args):
            if isinstance(node, ast.Starred):
                raise Unknown
            if number < len(names) and names[number] == name:
                return self.values.of(node, made.at)
        return None

    def setting(self, cls: Any, name: str, field: Any, config: dict[Any, Any]) -> list[Value]:
        """What a class of settings may read: from variables, files, or as the default."""
        if has_own(cls, "settings_customise_sources", "__init__", "model_post_init"):
            raise Unknown
        names = {name}
        for alias in ("alias", "validation_alias"):
            names |= set(strings_in(attribute(field, alias)))
        prefix = config.get("env_prefix")
        prefix = prefix if type(prefix) is str else ""
        wanted = {one.lower() for one in names} | {f"{prefix}{one}".lower() for one in names}
        found: list[Value] = [
            Live(value) for known, value in list(os.environ.items()) if known.lower() in wanted
        ]
        read = [*self.variables(), *self.named(cls)]
        for known, value in read:
            if known.lower() in wanted:
                if "${" in value:
                    raise Unknown
                found.append(Live(value))
        try:
            found += default_of(field)
        except Unknown:
            if not found:
                raise
        return found

    def variables(self) -> list[tuple[str, str]]:
        """Those in `.env` beside the app."""
        if self.files is None:
            self.files = list(read_files(environment.files_in(self.values.folders)))
        return self.files

    def named(self, cls: Any) -> Iterator[tuple[str, str]]:
        """Variables in the files that a class of settings names."""
        yield from read_files(map(os.path.expanduser, settings.places(cls, "env_file")))
        for folder in settings.places(cls, "secrets_dir"):
            folder = os.path.expanduser(folder)
            for name in os.listdir(folder)[: environment.MOST_FILES] if os.path.isdir(folder) else ():
                content = environment.read(os.path.join(folder, name), LONGEST)
                if content is not None:
                    yield name, content.decode(errors="replace").strip()


def read_files(files: Any) -> Iterator[tuple[str, str]]:
    for file in list(dict.fromkeys(map(os.path.abspath, files)))[: environment.MOST_FILES]:
        content = environment.read(file, LONGEST_TEXT)
        if content is not None:
            yield from environment.variables_in(content.decode("utf-8-sig", "replace"))


def getter_of(cls: Any, name: str) -> Any:
    """The property of a class, plain or one that keeps its value."""
    for base in bases_of(cls):
        if name in names_of(base):
            found = names_of(base)[name]
            return found if is_exactly(found, property, functools.cached_property) else None
    return None


def has_own(cls: Any, *names: str) -> bool:
    """Whether a class, or one that it is made of, has a name, but for `object` and Pydantic's
    models."""
    own = [names_of(one) for one in bases_of(cls)[:-1] if module_of(one) not in MODELS]
    # Compiled classes often have the ways of `object` once more.
    return any(name in one and type(one[name]) is not COMPILED for one in own for name in names)


def has_own_init(cls: Any) -> bool:
    is_dataclass = "__dataclass_fields__" in names_of(cls)
    return not is_dataclass and has_own(cls, "__init__")


def below(cls: Any) -> Iterator[Any]:
    for one in subclasses_of(cls):
        yield one
        yield from below(one)


def kept_in(cls: Any, *names: str) -> dict[str, Any]:
    for name in names:
        found = names_of(cls).get(name)
        if found is not None and is_a(found, dict):
            return {key: field for key, field in entries(found) if type(key) is str}
    return {}


def decorated(cls: Any) -> bool:
    """Whether a model has validators of its own."""
    found = names_of(cls).get("__pydantic_decorators__")
    parts = dict(attributes(found)) if found is not None else {}
    return any(parts.get(name) for name in DECORATORS)


def default_of(field: Any) -> list[Value]:
    found, factory = attribute(field, "default"), attribute(field, "default_factory")
    if class_name(type(found)) in MISSING or class_name(type(factory)) not in (*MISSING, "NoneType"):
        raise Unknown
    return [Live(found)]


def strings_in(alias: Any) -> list[str]:
    """The names in an alias, which may be a choice of several."""
    if type(alias) is str:
        return [alias]
    choices = attribute(alias, "choices")
    return [one for one in items(choices) if type(one) is str] if is_a(choices, list) else []
