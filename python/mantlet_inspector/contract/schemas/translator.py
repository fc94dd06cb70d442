"""Core schemas become shapes. A function for each type registers itself with `translates`."""

from __future__ import annotations

from typing import Any, Callable, TypeVar, Union

from mantlet_inspector.contract.schemas.known import Schema, Unknown, must_be_known
from mantlet_inspector.contract.shapes import Shape, Shapes

Made = Union[Shape, int]  # a shape, or the index of one
Definitions = dict[str, tuple[Schema, Schema]]  # each with the config that holds for it
Translate = Callable[[Schema, "Context"], Made]

AnyTranslate = TypeVar("AnyTranslate", bound=Callable[..., Made])

TRANSLATIONS: dict[str, Translate] = {}
OF_THEIR_OWN = ("model", "dataclass", "typed-dict")  # these ignore the config around them


def translates(kind: str) -> Callable[[AnyTranslate], AnyTranslate]:
    """Marks the function that translates schemas of a type."""

    def register(function: AnyTranslate) -> AnyTranslate:
        TRANSLATIONS[kind] = function
        return function

    return register


class Translator:
    """Core schemas -> shapes, for what a request must be."""

    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes
        self.known: dict[Any, int] = {}
        self.kept: list[Schema] = []  # what is known by its id must not be collected
        self.labels: dict[int, str] = {}

    def translate(self, schema: Schema) -> int:
        """-> the index of the shape. Never fails."""
        return Context(self, {}, {}).translate(schema)


class Context:
    """Where a schema stands: the config and the definitions that hold there."""

    def __init__(self, translator: Translator, config: Schema, definitions: Definitions) -> None:
        self.translator = translator
        self.shapes = translator.shapes
        self.config = config
        self.definitions = definitions

    def within(self, config: Schema) -> Context:
        return Context(self.translator, config, self.definitions)

    def defining(self, schema: Schema) -> Context:
        """With the definitions of a schema of the type `definitions`."""
        defined = {one["ref"]: (one, self.config) for one in schema["definitions"]}
        return Context(self.translator, self.config, {**self.definitions, **defined})

    def translate(self, schema: Schema) -> int:
        """-> the index of the shape. Never fails."""
        try:
            return self.translated(schema)
        except Unknown as unknown:
            return self.shapes.opaque(str(unknown))
        except RecursionError:
            raise
        except Exception:  # internals of a version that is not known
            kind = schema.get("type") if isinstance(schema, dict) else schema
            return self.shapes.opaque(f"Pydantic's schema `{kind}` is not one that is known")

    def translated(self, schema: Schema) -> int:
        kind = schema["type"]
        if kind == "definitions":
            return self.defining(schema).translate(schema["schema"])
        if kind == "definition-ref":
            definition = self.definitions.get(schema["schema_ref"])
            if definition is None:
                raise Unknown(f"the schema refers to an unknown definition `{schema['schema_ref']}`")
            schema, config = definition
            return self.within(config).named(schema)
        if schema.get("ref"):
            return self.named(schema)
        shape = self.shape(schema)
        return shape if isinstance(shape, int) else self.shapes.add(shape)

    def named(self, schema: Schema) -> int:
        """A schema with a name may contain itself, so it gets its place in the list before it is
        translated."""
        config = None if schema["type"] in OF_THEIR_OWN else repr(sorted(self.config.items()))
        key = (schema["ref"], schema["type"], config)
        known = self.translator.known
        if key not in known:
            self.translator.kept.append(schema)
            index = known[key] = self.shapes.reserve()
            try:
                shape = self.shape(schema)
            except Unknown as unknown:
                shape = {"type": "opaque", "why": str(unknown)}
            except Exception:
                why = f"Pydantic's schema `{schema['type']}` is not one that is known"
                shape = {"type": "opaque", "why": why}
            if isinstance(shape, int):  # stands for another one
                shape = {"type": "with-default", "inner": shape}
            self.shapes.fill(index, shape)
        return known[key]

    def shape(self, schema: Schema) -> Made:
        function = TRANSLATIONS.get(schema["type"])
        if function is None:
            raise Unknown(f"the type `{schema['type']}` is left to the app")
        must_be_known(schema)
        return function(schema, self)

    # Settings

    def setting(self, schema: Schema, name: str, default: Any = None, prefix: str = "") -> Any:
        """The schema's own setting, or else the config's."""
        value = schema.get(name)
        value = self.config.get(prefix + name) if value is None else value
        return default if value is None else value

    def is_strict(self, schema: Schema) -> bool:
        return bool(self.setting(schema, "strict"))
