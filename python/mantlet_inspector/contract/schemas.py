"""Translates pydantic-core schemas, as the app's own Pydantic made them, into the shapes of the contract.

A core schema says exactly what Pydantic accepts. What it leaves to Python code, or what is not known here, becomes
opaque at exactly that place; nothing is guessed.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import functools
import re

from mantlet_inspector.proof import known_packages as relatives
from mantlet_inspector.source.places import name_of

INTERNAL = ("pydantic._internal.", "pydantic.types", "pydantic.networks")

# Functions of Pydantic's own around a schema that accept exactly what that schema accepts from a request's data.
TRANSPARENT = {
    "_BaseUrl.__get_pydantic_core_schema__.<locals>.wrap_val",
    "_BaseMultiHostUrl.__get_pydantic_core_schema__.<locals>.wrap_val",
    "Secret.__get_pydantic_core_schema__.<locals>.validate_secret_value",
    "defaultdict_validator",
    "GenerateSchema._path_schema.<locals>.path_validator",
    "SecretStr",
    "SecretBytes",
}

IP_KINDS = ("address", "interface", "network")
IP_FUNCTIONS = {f"ip_v{v}_{kind}_validator": f"ipv{v}-{kind}" for v in (4, 6) for kind in IP_KINDS}
IP_FUNCTIONS.update({f"IPvAny{kind.title()}._validate": f"ip-{kind}" for kind in IP_KINDS})

ONLY_ERRORS = [({"type": "str"}, "string_type"), ({"type": "bytes"}, "bytes_type")]

FLAGS = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s", re.VERBOSE: "x"}


# What is known of schemas, fields and the config: a setting that stands in none of these may change what is accepted.
COMMON = ("type", "ref", "metadata", "serialization", "strict")
ORDER = ("gt", "ge", "lt", "le", "multiple_of")
LENGTHS = ("min_length", "max_length")
CUSTOM_ERROR = ("custom_error_type", "custom_error_message", "custom_error_context")
OBJECT = (
    "computed_fields",
    "extras_schema",
    "extras_keys_schema",
    "extra_behavior",
    "from_attributes",
    "config",
)
OBJECT += ("populate_by_name", "loc_by_alias")  # of older versions
CLASS = (
    "cls",
    "cls_name",
    "generic_origin",
    "schema",
    "post_init",
    "revalidate_instances",
    "frozen",
    "config",
)
URL = ("max_length", "allowed_schemes", "host_required", "default_host", "default_port", "default_path")
KNOWN = {
    "any": (),
    "none": (),
    "bool": (),
    "int": ORDER,
    "float": (*ORDER, "allow_inf_nan"),
    "decimal": (*ORDER, "allow_inf_nan", "max_digits", "decimal_places"),
    "str": (
        *LENGTHS,
        *("pattern", "regex_engine", "strip_whitespace", "to_lower", "to_upper", "coerce_numbers_to_str"),
        "ascii_only",
    ),
    "bytes": LENGTHS,
    "date": (*ORDER, "now_op", "now_utc_offset"),
    "time": (*ORDER, "tz_constraint", "microseconds_precision"),
    "datetime": (*ORDER, "now_op", "now_utc_offset", "tz_constraint", "microseconds_precision"),
    "timedelta": (*ORDER, "microseconds_precision"),
    "literal": ("expected",),
    "enum": ("cls", "members", "sub_type", "missing"),
    "uuid": ("version",),
    "url": URL,
    "multi-host-url": URL,
    "json": ("schema",),
    "list": ("items_schema", *LENGTHS, "fail_fast"),
    "set": ("items_schema", *LENGTHS, "fail_fast"),
    "frozenset": ("items_schema", *LENGTHS, "fail_fast"),
    "tuple": ("items_schema", "variadic_item_index", *LENGTHS, "fail_fast"),
    "dict": ("keys_schema", "values_schema", *LENGTHS, "fail_fast"),
    "model": (*CLASS, "custom_init", "root_model", "extra_behavior"),
    "model-fields": ("fields", "model_name", *OBJECT),
    "dataclass": (*CLASS, "fields", "slots"),
    "dataclass-args": ("fields", "dataclass_name", "collect_init_only", *OBJECT),
    "typed-dict": ("fields", "cls", "cls_name", "total", *OBJECT),
    "nullable": ("schema",),
    "default": (
        "schema",
        "default",
        "default_factory",
        "default_factory_takes_data",
        "on_error",
        "validate_default",
        "copy_default",
    ),
    "union": ("choices", "auto_collapse", "mode", *CUSTOM_ERROR),
    "tagged-union": ("choices", "discriminator", "from_attributes", *CUSTOM_ERROR),
    "chain": ("steps",),
    "lax-or-strict": ("lax_schema", "strict_schema"),
    "json-or-python": ("json_schema", "python_schema"),
    "custom-error": ("schema", *CUSTOM_ERROR),
    # Fields
    "model-field": ("schema", "frozen"),
    "typed-dict-field": ("schema", "required"),
    "dataclass-field": ("schema", "name", "kw_only", "init", "init_only", "frozen"),
}
FIELD = ("validation_alias", "serialization_alias", "serialization_exclude", "serialization_exclude_if")
CONFIG = {
    *("title", "strict", "extra_fields_behavior", "typed_dict_total", "from_attributes", "loc_by_alias"),
    *("revalidate_instances", "validate_default", "allow_inf_nan", "coerce_numbers_to_str", "regex_engine"),
    *(
        "str_max_length",
        "str_min_length",
        "str_strip_whitespace",
        "str_to_lower",
        "str_to_upper",
        "cache_strings",
    ),
    *("val_json_bytes", "val_temporal_unit", "url_preserve_empty_path", "hide_input_in_errors"),
    *(
        "validation_error_cause",
        "validate_by_alias",
        "validate_by_name",
        "populate_by_name",
        "serialize_by_alias",
    ),
    *(
        "ser_json_timedelta",
        "ser_json_temporal",
        "ser_json_bytes",
        "ser_json_inf_nan",
        "polymorphic_serialization",
    ),
}


class Unknown(Exception):
    """What cannot be translated, and why."""


def is_pydantics(function):
    while isinstance(function, functools.partial):
        function = function.func
    return (getattr(function, "__module__", None) or "").startswith(INTERNAL)


def is_transparent(function):
    return is_pydantics(function) and name_of(function) in TRANSPARENT


def function_of(schema):
    function = schema.get("function")
    return function.get("function") if isinstance(function, dict) else function


class Translator:
    """Core schemas -> shapes, for what a request must be."""

    def __init__(self, shapes):
        self.shapes = shapes
        self._known = {}
        self._kept = []  # what is known by its id must not be collected
        self._names = {}

    def translate(self, schema, config=None, definitions=None):
        """-> the index of the shape. Never fails."""
        config, definitions = config or {}, definitions or {}
        try:
            return self._translate(schema, config, definitions)
        except Unknown as unknown:
            return self.shapes.opaque(str(unknown))
        except RecursionError:
            raise
        except Exception:  # internals of a version that is not known
            kind = schema.get("type") if isinstance(schema, dict) else schema
            return self.shapes.opaque(f"Pydantic's schema `{kind}` is not one that is known")

    def _translate(self, schema, config, definitions):
        kind = schema["type"]
        if kind == "definitions":
            definitions = dict(definitions)
            for definition in schema["definitions"]:
                definitions[definition["ref"]] = (definition, config)
            return self.translate(schema["schema"], config, definitions)
        if kind == "definition-ref":
            definition = definitions.get(schema["schema_ref"])
            if definition is None:
                raise Unknown(f"the schema refers to an unknown definition `{schema['schema_ref']}`")
            return self._named(*definition, definitions)
        if schema.get("ref"):
            return self._named(schema, config, definitions)
        return self._made(schema, config, definitions)

    def _named(self, schema, config, definitions):
        """A schema with a name may contain itself: its place in the list is known before what it is."""
        own = schema["type"] in ("model", "dataclass", "typed-dict")  # these ignore the config around them
        key = (schema["ref"], schema["type"], None if own else repr(sorted(config.items())))
        if key not in self._known:
            self._kept.append(schema)
            index = self._known[key] = self.shapes.reserve()
            try:
                shape = self._shape(schema, config, definitions)
            except Unknown as unknown:
                shape = {"type": "opaque", "why": str(unknown)}
            except Exception:
                shape = {
                    "type": "opaque",
                    "why": f"Pydantic's schema `{schema['type']}` is not one that is known",
                }
            if isinstance(shape, int):  # stands for another one
                shape = {"type": "with-default", "inner": shape}
            self.shapes.fill(index, shape)
        return self._known[key]

    def _made(self, schema, config, definitions):
        shape = self._shape(schema, config, definitions)
        return shape if isinstance(shape, int) else self.shapes.add(shape)

    def _shape(self, schema, config, definitions):
        """-> a shape, or the index of one."""
        method = getattr(self, "_" + schema["type"].replace("-", "_"), None)
        if method is None:
            raise Unknown(f"the type `{schema['type']}` is left to the app")
        must_be_known(schema)
        return method(schema, config, definitions)

    # Scalars

    def _any(self, schema, config, definitions):
        return {"type": "any"}

    def _none(self, schema, config, definitions):
        return {"type": "none"}

    def _bool(self, schema, config, definitions):
        return {"type": "bool", "strict": strict(schema, config)}

    def _int(self, schema, config, definitions):
        return {"type": "int", "strict": strict(schema, config), "bounds": bounds(schema)}

    def _float(self, schema, config, definitions):
        inf_nan = either(schema, config, "allow_inf_nan", True)
        return {
            "type": "float",
            "strict": strict(schema, config),
            "allow_inf_nan": inf_nan,
            "bounds": bounds(schema),
        }

    def _decimal(self, schema, config, definitions):
        return {
            "type": "decimal",
            "strict": strict(schema, config),
            "allow_inf_nan": either(schema, config, "allow_inf_nan", False) or None,
            "max_digits": schema.get("max_digits"),
            "decimal_places": schema.get("decimal_places"),
            "bounds": bounds(schema),
        }

    def _str(self, schema, config, definitions):
        pattern = schema.get("pattern")
        python_regex = either(schema, config, "regex_engine") == "python-re"
        if isinstance(pattern, re.Pattern):
            pattern, python_regex = flagged(pattern), True
        return {
            "type": "str",
            "strict": strict(schema, config),
            "min_length": either(schema, config, "min_length", prefix="str_"),
            "max_length": either(schema, config, "max_length", prefix="str_"),
            "pattern": pattern,
            "python_regex": python_regex and pattern is not None,
            "strip_whitespace": either(schema, config, "strip_whitespace", prefix="str_"),
            "to_lower": either(schema, config, "to_lower", prefix="str_"),
            "to_upper": either(schema, config, "to_upper", prefix="str_"),
            "coerce_numbers_to_str": either(schema, config, "coerce_numbers_to_str"),
            "ascii_only": schema.get("ascii_only"),
        }

    def _bytes(self, schema, config, definitions):
        # In spite of its name `val_json_bytes` counts for Python's texts too.
        from_text = config.get("val_json_bytes", "utf8")
        return {"type": "bytes", "strict": strict(schema, config), "from_text": from_text, **lengths(schema)}

    def _date(self, schema, config, definitions):
        return {
            "type": "date",
            "strict": strict(schema, config),
            "bounds": bounds(schema),
            "now": schema.get("now_op"),
        }

    def _time(self, schema, config, definitions):
        return {
            "type": "time",
            "strict": strict(schema, config),
            "truncate": truncates(schema),
            "bounds": bounds(schema),
            "timezone": schema.get("tz_constraint"),
        }

    def _datetime(self, schema, config, definitions):
        if either(schema, config, "val_temporal_unit", "infer") != "infer":
            raise Unknown("numbers for a datetime have a unit (`val_temporal_unit`)")
        return {**self._time(schema, config, definitions), "type": "datetime", "now": schema.get("now_op")}

    def _timedelta(self, schema, config, definitions):
        own_unit = either(schema, config, "val_temporal_unit", "infer") != "infer"
        if own_unit:
            raise Unknown("numbers for a duration have a unit (`val_temporal_unit`)")
        return {
            "type": "timedelta",
            "strict": strict(schema, config),
            "truncate": truncates(schema),
            "bounds": bounds(schema),
        }

    def _literal(self, schema, config, definitions):
        return {"type": "literal", "expected": [json_value(value, "literal") for value in schema["expected"]]}

    def _enum(self, schema, config, definitions):
        return {
            "type": "enum",
            "name": schema["cls"].__name__,
            "values": [json_value(member.value, schema["cls"].__qualname__) for member in schema["members"]],
            "sub_type": schema.get("sub_type"),
            "strict": strict(schema, config),
            "has_missing": schema.get("missing") is not None or decides_itself(schema["cls"]),
        }

    def _uuid(self, schema, config, definitions):
        return {"type": "uuid", "strict": strict(schema, config), "version": schema.get("version")}

    def _url(self, schema, config, definitions, multi_host=False):
        names = (
            "max_length",
            "allowed_schemes",
            "host_required",
            "default_host",
            "default_port",
            "default_path",
        )
        shape = {name: schema.get(name) for name in names}
        return {"type": "url", "multi_host": multi_host, "strict": strict(schema, config), **shape}

    def _multi_host_url(self, schema, config, definitions):
        return self._url(schema, config, definitions, multi_host=True)

    def _json(self, schema, config, definitions):
        inner = schema.get("schema")
        return {"type": "json-text", "inner": inner and self.translate(inner, config, definitions)}

    # Collections

    def _list(self, schema, config, definitions, kind="list"):
        items = schema.get("items_schema")
        return {
            "type": kind,
            "items": None if items is None else self.translate(items, config, definitions),
            **lengths(schema),
            "strict": strict(schema, config),
            "fail_fast": schema.get("fail_fast"),
        }

    def _set(self, schema, config, definitions):
        return self._list(schema, config, definitions, "set")

    def _frozenset(self, schema, config, definitions):
        return self._list(schema, config, definitions, "frozen-set")

    def _tuple(self, schema, config, definitions):
        return {
            "type": "tuple",
            "items": [self.translate(item, config, definitions) for item in schema["items_schema"]],
            "variadic": schema.get("variadic_item_index"),
            **lengths(schema),
            "strict": strict(schema, config),
            "fail_fast": schema.get("fail_fast"),
        }

    def _dict(self, schema, config, definitions):
        keys, values = (schema.get(part) or {"type": "any"} for part in ("keys_schema", "values_schema"))
        return {
            "type": "dict",
            "keys": self.translate(keys, config, definitions),
            "values": self.translate(values, config, definitions),
            **lengths(schema),
            "strict": strict(schema, config),
            "fail_fast": schema.get("fail_fast"),
        }

    # Objects

    def _model(self, schema, config, definitions):
        cls = schema["cls"]
        config = schema.get("config") or {}
        made = relatives.how_made(cls) if schema.get("custom_init") else "validated"
        if made is None:
            raise Unknown(f"`{cls.__qualname__}.__init__` decides")
        if made == "table":
            return self._table(cls, config)
        inner = schema["schema"]
        if schema.get("root_model"):
            shape = {
                "type": "object",
                "name": cls.__name__,
                "kind": "model",
                "fields": [],
                "extra": "ignore",
                "root": self.translate(inner, config, definitions),
            }
        else:
            inner, definitions, after = self._unwrapped(inner, config, definitions)
            if inner["type"] != "model-fields":
                raise Unknown(f"the fields of `{cls.__qualname__}` are of the type `{inner['type']}`")
            shape = self._object(schema, inner, inner["fields"].items(), config, definitions)
            shape["kind"], shape["name"] = "model", inner.get("model_name") or cls.__name__
            for why in after:
                shape = {"type": "then", "inner": self.shapes.add(shape), "why": why}
        post_init = schema.get("post_init")
        if post_init and name_of(getattr(cls, post_init)) != "init_private_attributes":
            why = f"`{name_of(getattr(cls, post_init))}` runs"
            shape = {"type": "then", "inner": self.shapes.add(shape), "why": why}
        return shape

    def _table(self, cls, config):
        """Of SQLModel: nothing is validated but that an object comes."""
        anything = self.shapes.add({"type": "any"})
        shape = {
            "type": "object",
            "name": cls.__name__,
            "kind": "model",
            "fields": [
                {"name": name, "lookup": paths, "shape": anything, "required": False}
                for name, paths in relatives.table_fields(cls)
            ],
            "extra": "allow" if config.get("extra_fields_behavior") == "allow" else "ignore",
        }
        return {
            "type": "then",
            "inner": self.shapes.add(shape),
            "why": f"`{cls.__qualname__}` is a table, which SQLModel does not validate",
        }

    def _unwrapped(self, schema, config, definitions):
        """The fields below validators that run after them -> (the fields, definitions, what runs)."""
        after = []
        while True:
            if schema["type"] == "definitions":
                definitions = dict(definitions)
                definitions.update((one["ref"], (one, config)) for one in schema["definitions"])
            elif schema["type"] == "function-after":
                after.insert(0, f"`{name_of(function_of(schema))}` runs after")
            elif schema["type"] in ("function-before", "function-wrap", "function-plain"):
                raise Unknown(f"a validator (`{name_of(function_of(schema))}`) decides")
            else:
                return schema, definitions, after
            schema = schema["schema"]

    def _dataclass(self, schema, config, definitions):
        config = schema.get("config") or {}
        cls = schema["cls"]
        inner, definitions, after = self._unwrapped(schema["schema"], config, definitions)
        if inner["type"] != "dataclass-args":
            raise Unknown(f"the fields of `{cls.__qualname__}` are of the type `{inner['type']}`")
        if any(field.get("init") is False for field in inner["fields"]):
            raise Unknown(f"`{cls.__qualname__}` has fields that nobody may set")
        fields = [(field["name"], field) for field in inner["fields"]]
        shape = self._object(schema, inner, fields, config, definitions)
        shape["kind"], shape["name"] = "dataclass", inner.get("dataclass_name") or cls.__name__
        shape["strict"] = strict(schema, config)  # then only instances pass; strict models take dictionaries
        if schema.get("post_init"):
            after.append(f"`{cls.__qualname__}.__post_init__` runs")
        for why in after:
            shape = {"type": "then", "inner": self.shapes.add(shape), "why": why}
        return shape

    def _typed_dict(self, schema, config, definitions):
        config = schema.get("config") or {}
        shape = self._object(schema, schema, schema["fields"].items(), config, definitions)
        cls = schema.get("cls")
        shape["kind"], shape["name"] = (
            "typed-dict",
            schema.get("cls_name") or getattr(cls, "__name__", "TypedDict"),
        )
        return shape

    def _object(self, schema, inner, fields, config, definitions):
        must_be_known(inner)
        for key in config:
            if key not in CONFIG:
                raise Unknown(f"the setting `{key}` is not known")
        by_alias = config.get("validate_by_alias", True)
        by_name = (
            config.get("validate_by_name") or config.get("populate_by_name") or inner.get("populate_by_name")
        )
        extra = inner.get("extra_behavior") or schema.get("extra_behavior")
        extra = extra or config.get("extra_fields_behavior") or "ignore"
        extras, extra_keys = inner.get("extras_schema"), inner.get("extras_keys_schema")
        total = (
            schema.get("total", config.get("typed_dict_total", True))
            if inner["type"] == "typed-dict"
            else True
        )
        return {
            "type": "object",
            "name": None,
            "kind": None,
            "fields": [
                self._field(name, field, config, definitions, by_alias, by_name, total)
                for name, field in fields
            ],
            "extra": extra,
            "extras": None if extras is None else self.translate(extras, config, definitions),
            "extra_keys": None if extra_keys is None else self.translate(extra_keys, config, definitions),
            "loc_by_alias": config.get("loc_by_alias", inner.get("loc_by_alias", True)),
        }

    def _field(self, name, field, config, definitions, by_alias, by_name, total):
        alias = field.get("validation_alias")
        paths = [[name]]
        if alias is not None and by_alias:
            paths = alias if isinstance(alias, list) and isinstance(alias[0], list) else [alias]
            paths = [path if isinstance(path, list) else [path] for path in paths]
            if by_name and [name] not in paths:
                paths = [*paths, [name]]
        must_be_known(field, *FIELD)
        schema = field["schema"]
        required, opaque_default = True, False
        if schema["type"] == "default" and not schema.get("ref"):
            required = False
            opaque_default = "default_factory" in schema or bool(either(schema, config, "validate_default"))
            if schema.get("on_error", "raise") == "raise":
                schema = schema["schema"]
        if field.get("required") is not None or field["type"] == "typed-dict-field":
            required = field.get("required", total)
        found = {
            "name": name,
            "lookup": paths,
            "shape": self.translate(schema, config, definitions),
            "required": required,
        }
        return {**found, "default-is-opaque": True} if opaque_default else found

    # What stands around others

    def _nullable(self, schema, config, definitions):
        return {"type": "nullable", "inner": self.translate(schema["schema"], config, definitions)}

    def _default(self, schema, config, definitions):
        if schema.get("on_error", "raise") != "raise":
            raise Unknown("what is wrong is replaced by a default")
        return {"type": "with-default", "inner": self.translate(schema["schema"], config, definitions)}

    def _union(self, schema, config, definitions):
        if schema.get("strict"):  # of older versions
            config = {**config, "strict": True}
        choices = [choice if isinstance(choice, tuple) else (choice, None) for choice in schema["choices"]]
        custom = schema.get("custom_error_type")
        if custom:  # the error says nothing of the choices, and data from outside is no instance of anything
            choices = [pair for pair in choices if not only_instances(pair[0])]
        if len(choices) == 1:
            inner = self.translate(choices[0][0], config, definitions)
        else:
            inner = self.shapes.add(
                {
                    "type": "union",
                    "choices": [self.translate(choice, config, definitions) for choice, _ in choices],
                    "labels": [
                        label or self._label(choice, config, definitions) for choice, label in choices
                    ],
                    "left_to_right": schema.get("mode") == "left_to_right",
                }
            )
        return self._with_custom_error(schema, inner)

    def _with_custom_error(self, schema, inner):
        error_type = schema.get("custom_error_type")
        if not error_type:
            return inner
        if (self.shapes.all[inner], error_type) in ONLY_ERRORS:  # it has no other error anyway
            return inner
        return {
            "type": "custom-error",
            "inner": inner,
            "error_type": error_type,
            "message": error_message(schema),
        }

    def _label(self, schema, config, definitions):
        """How Pydantic names a choice in an error's `loc`."""
        from pydantic_core import SchemaValidator

        key = id(schema)
        if key not in self._names:
            self._kept.append(schema)
            config = {key: value for key, value in config.items() if key != "title"}
            whole = {
                "type": "definitions",
                "schema": schema,
                "definitions": [one for one, _ in definitions.values()],
            }
            self._names[key] = str(SchemaValidator(whole, config).title)
        return self._names[key]

    def _tagged_union(self, schema, config, definitions):
        discriminator = schema["discriminator"]
        if callable(discriminator):
            if is_pydantics(discriminator) and name_of(discriminator) == "_get_type_name":
                return {"type": "any"}  # `JsonValue`: whatever can stand in a request is one
            raise Unknown(f"a function (`{name_of(discriminator)}`) chooses")
        paths = [discriminator] if isinstance(discriminator, str) else discriminator
        paths = [path if isinstance(path, list) else [path] for path in paths]
        if any(len(path) != 1 or not isinstance(path[0], str) for path in paths):
            raise Unknown("a nested field chooses")
        shown_as = " | ".join(f"'{path[0]}'" for path in paths)
        shape = {
            "type": "tagged-union",
            "discriminator": [path[0] for path in paths],
            "shown_as": shown_as,
            "choices": [
                [json_value(tag, "tag"), self.translate(choice, config, definitions)]
                for tag, choice in schema["choices"].items()
            ],
        }
        return self._with_custom_error(schema, self.shapes.add(shape))

    def _chain(self, schema, config, definitions):
        first, *rest = schema["steps"]
        if rest and first["type"] == "is-instance" and is_sequence_function(rest[0]):
            return self.translate(rest[0]["schema"], config, definitions)
        if rest and first["type"] == "any":
            first, *rest = rest
        inner = self.translate(first, config, definitions)
        for step in rest:
            inner = self.shapes.add({"type": "then", "inner": inner, "why": f"then `{step['type']}`"})
        return inner

    def _lax_or_strict(self, schema, config, definitions):
        which = "strict_schema" if strict(schema, config) else "lax_schema"
        return self.translate(schema[which], config, definitions)

    def _json_or_python(self, schema, config, definitions):
        return self.translate(schema["python_schema"], config, definitions)

    def _custom_error(self, schema, config, definitions):
        return self._with_custom_error(schema, self.translate(schema["schema"], config, definitions))

    def _function_after(self, schema, config, definitions):
        function = function_of(schema)
        inner = self.translate(schema["schema"], config, definitions)
        if is_transparent(function):
            return inner
        return {"type": "then", "inner": inner, "why": f"`{name_of(function)}` runs after"}

    def _function_before(self, schema, config, definitions):
        raise Unknown(f"a validator (`{name_of(function_of(schema))}`) runs before")

    def _function_wrap(self, schema, config, definitions):
        function = function_of(schema)
        if is_transparent(function):
            return self.translate(schema["schema"], config, definitions)
        raise Unknown(f"a validator (`{name_of(function)}`) wraps it")

    def _function_plain(self, schema, config, definitions):
        function = function_of(schema)
        name = name_of(function)
        if is_pydantics(function) and name in IP_FUNCTIONS:
            return {"type": "ip", "of": IP_FUNCTIONS[name]}
        owner = getattr(function, "__self__", None)
        if name == "UploadFile._validate" and (getattr(owner, "__module__", "")).startswith(
            ("fastapi.", "starlette.")
        ):
            return {"type": "upload-file"}
        raise Unknown(f"a function (`{name}`) decides")

    def _is_instance(self, schema, config, definitions):
        raise Unknown(f"it must be an instance of `{getattr(schema['cls'], '__name__', schema['cls'])}`")


def must_be_known(schema, *further):
    known = KNOWN.get(schema["type"])
    for key, value in schema.items():
        unset = value is None or value is False
        if known is not None and not unset and key not in (*COMMON, *known, *further):
            raise Unknown(f"the setting `{key}` of the type `{schema['type']}` is not known")


def decides_itself(cls):
    """Whether an enumeration's own code says what is a member: since 2.14 Pydantic asks the class."""
    own = getattr(cls._missing_, "__func__", None) is not enum.Enum._missing_.__func__
    return own or type(cls) is not enum.EnumMeta or "__call__" in vars(cls)


def is_sequence_function(schema):
    function = function_of(schema)
    return (
        schema["type"] == "function-wrap"
        and name_of(function) == "sequence_validator"
        and is_pydantics(function)
    )


def only_instances(schema):
    while schema["type"] == "json-or-python":
        schema = schema["python_schema"]
    plain = (str, int, float, bool, bytes, list, dict, type(None))
    return (
        schema["type"] == "is-instance"
        and isinstance(schema["cls"], type)
        and not any(issubclass(one, schema["cls"]) for one in plain)
    )


def error_message(schema):
    """The message of a custom error, or nothing if only the app can make it."""
    from pydantic_core import PydanticCustomError, PydanticKnownError

    context = schema.get("custom_error_context") or {}
    try:
        if schema.get("custom_error_message"):
            error = PydanticCustomError(schema["custom_error_type"], schema["custom_error_message"], context)
        else:
            error = PydanticKnownError(schema["custom_error_type"], context or None)
        return error.message()
    except Exception:
        return None


def strict(schema, config):
    return bool(either(schema, config, "strict"))


def either(schema, config, name, default=None, prefix=""):
    """The schema's own setting, or else the config's."""
    value = schema.get(name)
    value = config.get(prefix + name) if value is None else value
    return default if value is None else value


def lengths(schema):
    return {name: schema.get(name) for name in ("min_length", "max_length")}


def truncates(schema):
    return schema.get("microseconds_precision", "truncate") == "truncate"


def bounds(schema):
    found = {}
    for name in ("gt", "ge", "lt", "le", "multiple_of"):
        if schema.get(name) is not None:
            found[name] = bound(schema[name])
    return found


def bound(value):
    if isinstance(value, bool) or not isinstance(value, (int, float, decimal.Decimal)):
        if isinstance(value, (datetime.date, datetime.time)):
            return value.isoformat()
        if isinstance(value, datetime.timedelta):
            return duration(value)
        raise Unknown(f"a bound of the type `{type(value).__name__}`")
    return repr(value) if isinstance(value, float) else str(value)


def duration(value):
    sign, value = ("-", -value) if value < datetime.timedelta() else ("", value)
    fraction = f".{value.microseconds:06}" if value.microseconds else ""
    return f"{sign}P{value.days}DT{value.seconds}{fraction}S"


def flagged(pattern):
    """A compiled pattern as a text that says the same."""
    if not isinstance(pattern.pattern, str):
        raise Unknown("a pattern of bytes")
    flags, letters = pattern.flags & ~re.UNICODE, ""
    for flag, letter in FLAGS.items():
        if flags & flag:
            flags, letters = flags & ~flag, letters + letter
    if flags:
        raise Unknown(f"the flags of the pattern `{pattern.pattern}`")
    inline = re.match(r"\(\?[aiLmsux]+\)", pattern.pattern)  # those are in `flags` too
    return f"(?{letters}){pattern.pattern}" if letters and not inline else pattern.pattern


def json_value(value, where):
    if isinstance(value, enum.Enum) and isinstance(value, (str, int)):
        value = value.value
    if type(value) in (str, int, bool, type(None)):
        return value
    if type(value) is float and value == value and abs(value) != float("inf"):
        return value
    if isinstance(value, (str, int)) and not isinstance(value, enum.Enum):
        return str(value) if isinstance(value, str) else int(value)
    raise Unknown(f"`{where}` has the value `{value!r}`, which is not JSON")
