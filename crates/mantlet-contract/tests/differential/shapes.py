"""Core schemas to the contract's shapes, as far as the differential test needs. To be replaced by the inspector's."""

from pydantic_core import SchemaValidator

BOUNDS = ("gt", "ge", "lt", "le", "multiple_of")


def bounds(schema):
    def show(value):
        if hasattr(value, "total_seconds"):
            from pydantic import TypeAdapter
            from datetime import timedelta

            return TypeAdapter(timedelta).dump_python(value, mode="json")
        return value.isoformat() if hasattr(value, "isoformat") else str(value)

    return {key: show(schema[key]) for key in BOUNDS if schema.get(key) is not None}


class Translator:
    def __init__(self):
        self.shapes = []
        self.refs = {}
        self.definitions = {}

    def add(self, shape):
        self.shapes.append(shape)
        return len(self.shapes) - 1

    def label(self, schema):
        if self.definitions:
            schema = {"type": "definitions", "schema": schema, "definitions": list(self.definitions.values())}
        return SchemaValidator(schema).title

    def shape(self, schema, config):
        """The index of the shape for a schema; what is not known here is opaque."""
        kind = schema["type"]
        if kind == "definitions":
            for definition in schema["definitions"]:
                self.definitions[definition["ref"]] = definition
            return self.shape(schema["schema"], config)
        if kind == "definition-ref":
            ref = schema["schema_ref"]
            if ref not in self.refs:
                self.refs[ref] = self.add(None)
                self.shapes[self.refs[ref]] = self.made(self.definitions[ref], config)
            return self.refs[ref]
        at = self.add(None)
        self.shapes[at] = self.made(schema, config)
        return at

    def made(self, schema, config):
        kind = schema["type"]
        method = getattr(self, "from_" + kind.replace("-", "_"), None)
        if method is None:
            return {"type": "opaque", "why": kind}
        shape = method(schema, config)
        return {key: value for key, value in shape.items() if value is not None and value is not False} | (
            {"allow-inf-nan": False} if shape.get("allow-inf-nan") is False else {}
        ) | ({"loc-by-alias": False} if shape.get("loc-by-alias") is False else {}) | (
            {"required": False} if shape.get("required") is False else {}
        )

    def strict(self, schema, config):
        return schema.get("strict", config.get("strict", False))

    def from_any(self, schema, config):
        return {"type": "any"}

    def from_none(self, schema, config):
        return {"type": "none"}

    def from_bool(self, schema, config):
        return {"type": "bool", "strict": self.strict(schema, config)}

    def from_int(self, schema, config):
        return {"type": "int", "strict": self.strict(schema, config), "bounds": bounds(schema)}

    def from_float(self, schema, config):
        inf = schema.get("allow_inf_nan", config.get("allow_inf_nan", True))
        return {"type": "float", "strict": self.strict(schema, config), "allow-inf-nan": inf, "bounds": bounds(schema)}

    def from_decimal(self, schema, config):
        return {
            "type": "decimal",
            "strict": self.strict(schema, config),
            "allow-inf-nan": schema.get("allow_inf_nan", config.get("allow_inf_nan", False)) or None,
            "max-digits": schema.get("max_digits"),
            "decimal-places": schema.get("decimal_places"),
            "bounds": bounds(schema),
        }

    def from_str(self, schema, config):
        engine = schema.get("regex_engine", config.get("regex_engine", "rust-regex"))
        pattern = schema.get("pattern")
        return {
            "type": "str",
            "strict": self.strict(schema, config),
            "min-length": schema.get("min_length", config.get("str_min_length")),
            "max-length": schema.get("max_length", config.get("str_max_length")),
            "pattern": getattr(pattern, "pattern", pattern),
            "python-regex": pattern is not None and (engine != "rust-regex" or not isinstance(pattern, str)),
            "strip-whitespace": schema.get("strip_whitespace", config.get("str_strip_whitespace")),
            "to-lower": schema.get("to_lower", config.get("str_to_lower")),
            "to-upper": schema.get("to_upper", config.get("str_to_upper")),
            "coerce-numbers-to-str": schema.get("coerce_numbers_to_str", config.get("coerce_numbers_to_str")),
            "ascii-only": schema.get("ascii_only", config.get("ascii_only")),
        }

    def from_bytes(self, schema, config):
        return {
            "type": "bytes",
            "strict": self.strict(schema, config),
            "min-length": schema.get("min_length"),
            "max-length": schema.get("max_length"),
            "from-text": config.get("val_json_bytes", "utf8"),
        }

    def from_date(self, schema, config):
        return {
            "type": "date",
            "strict": self.strict(schema, config),
            "bounds": bounds(schema),
            "now": schema.get("now_op"),
        }

    def zone(self, schema):
        return schema.get("tz_constraint", "any")

    def from_time(self, schema, config):
        return {
            "type": "time",
            "strict": self.strict(schema, config),
            "truncate": schema.get("microseconds_precision", "truncate") == "truncate",
            "bounds": bounds(schema),
            "timezone": self.zone(schema),
        }

    def from_datetime(self, schema, config):
        return self.from_time(schema, config) | {"type": "datetime", "now": schema.get("now_op")}

    def from_timedelta(self, schema, config):
        shape = self.from_time(schema, config) | {"type": "timedelta"}
        del shape["timezone"]
        return shape

    def from_literal(self, schema, config):
        return {"type": "literal", "expected": list(schema["expected"])}

    def from_enum(self, schema, config):
        own = schema["cls"]._missing_.__func__ is not __import__("enum").Enum._missing_.__func__
        return {
            "type": "enum",
            "name": schema["cls"].__name__,
            "values": [member.value for member in schema["members"]],
            "sub-type": schema.get("sub_type"),
            "strict": self.strict(schema, config),
            "has-missing": own,
        }

    def from_uuid(self, schema, config):
        return {"type": "uuid", "strict": self.strict(schema, config), "version": schema.get("version")}

    def from_url(self, schema, config):
        keys = ("max_length", "allowed_schemes", "host_required", "default_host", "default_port", "default_path")
        return {"type": "url", "strict": self.strict(schema, config)} | {
            key.replace("_", "-"): schema.get(key) for key in keys
        }

    def from_multi_host_url(self, schema, config):
        return self.from_url(schema, config) | {"multi-host": True}

    def from_lax_or_strict(self, schema, config):
        function = schema["lax_schema"].get("function", {}).get("function")
        name = getattr(function, "__name__", "")
        if name.startswith("ip_v") and not self.strict(schema, config):
            return {"type": "ip", "of": "ipv" + name[4] + "-" + name.split("_")[2]}
        return {"type": "opaque", "why": "lax-or-strict"}

    def sequence(self, schema, config):
        items = schema.get("items_schema")
        return {
            "type": schema["type"].replace("frozenset", "frozen-set"),
            "items": None if items is None else self.shape(items, config),
            "min-length": schema.get("min_length"),
            "max-length": schema.get("max_length"),
            "strict": self.strict(schema, config),
            "fail-fast": schema.get("fail_fast", False),
        }

    from_list = from_set = from_frozenset = sequence

    def from_tuple(self, schema, config):
        return {
            "type": "tuple",
            "items": [self.shape(item, config) for item in schema["items_schema"]],
            "variadic": schema.get("variadic_item_index"),
            "min-length": schema.get("min_length"),
            "max-length": schema.get("max_length"),
            "strict": self.strict(schema, config),
            "fail-fast": schema.get("fail_fast", False),
        }

    def from_dict(self, schema, config):
        return {
            "type": "dict",
            "keys": self.shape(schema.get("keys_schema", {"type": "any"}), config),
            "values": self.shape(schema.get("values_schema", {"type": "any"}), config),
            "min-length": schema.get("min_length"),
            "max-length": schema.get("max_length"),
            "strict": self.strict(schema, config),
            "fail-fast": schema.get("fail_fast", False),
        }

    def from_nullable(self, schema, config):
        return {"type": "nullable", "inner": self.shape(schema["schema"], config)}

    def from_default(self, schema, config):
        if schema.get("on_error", "raise") != "raise":
            return {"type": "opaque", "why": "on_error"}
        return {"type": "with-default", "inner": self.shape(schema["schema"], config)}

    def from_union(self, schema, config):
        choices = [choice if isinstance(choice, tuple) else (choice, None) for choice in schema["choices"]]
        if len(choices) == 1:
            return {"type": "with-default", "inner": self.shape(choices[0][0], config)}
        return {
            "type": "union",
            "choices": [self.shape(choice, config) for choice, _ in choices],
            "labels": [label or self.label(choice) for choice, label in choices],
            "left-to-right": schema.get("mode") == "left_to_right",
        }

    def from_tagged_union(self, schema, config):
        discriminator = schema["discriminator"]
        names = [discriminator] if isinstance(discriminator, str) else None
        if names is None and isinstance(discriminator, list):
            paths = discriminator if isinstance(discriminator[0], list) else [discriminator]
            if all(len(path) == 1 for path in paths):
                names = [path[0] for path in paths]
        if names is None:
            return {"type": "opaque", "why": "discriminator"}
        return {
            "type": "tagged-union",
            "discriminator": names,
            "choices": [[tag, self.shape(choice, config)] for tag, choice in schema["choices"].items()],
        }

    def from_json(self, schema, config):
        inner = schema.get("schema")
        return {"type": "json-text", "inner": None if inner is None else self.shape(inner, config)}

    def from_function_after(self, schema, config):
        return {"type": "then", "inner": self.shape(schema["schema"], config), "why": "a validator"}

    def from_function_wrap(self, schema, config):
        if schema["schema"]["type"] in ("url", "multi-host-url"):
            return {"type": "then", "inner": self.shape(schema["schema"], config), "why": "a URL's class"}
        return {"type": "opaque", "why": "function-wrap"}

    def from_custom_error(self, schema, config):
        return {
            "type": "custom-error",
            "inner": self.shape(schema["schema"], config),
            "error-type": schema["custom_error_type"],
            "message": schema.get("custom_error_message"),
        }

    def fields(self, fields, config, total=True):
        by_alias = config.get("validate_by_alias", True)
        by_name = config.get("validate_by_name", config.get("populate_by_name", False))
        made = []
        for name, field in fields:
            alias = field.get("validation_alias")
            lookup = []
            if alias is not None and by_alias:
                lookup = [[alias]] if isinstance(alias, str) else alias if isinstance(alias[0], list) else [alias]
            if not lookup or by_name:
                lookup = [*lookup, [name]]
            inner = field["schema"]
            while inner["type"] == "definition-ref":
                inner = self.definitions[inner["schema_ref"]]
            default = inner["type"] == "default" and ("default" in inner or "default_factory" in inner)
            made.append(
                {
                    "name": name,
                    "lookup": lookup,
                    "shape": self.shape(field["schema"], config),
                    "required": field.get("required", total and not default),
                }
            )
        return made

    def object(self, kind, name, fields, schema, config):
        extras, keys = schema.get("extras_schema"), schema.get("extras_keys_schema")
        return {
            "type": "object",
            "name": name,
            "kind": kind,
            "fields": fields,
            "extra": schema.get("extra_behavior", config.get("extra_fields_behavior", "ignore")),
            "extras": None if extras is None else self.shape(extras, config),
            "extra-keys": None if keys is None else self.shape(keys, config),
            "strict": self.strict(schema, config),
            "loc-by-alias": config.get("loc_by_alias", True),
        }

    def from_model(self, schema, config):
        config = schema.get("config", {})
        if schema.get("custom_init"):
            return {"type": "opaque", "why": "its own __init__"}
        inner = schema["schema"]
        if schema.get("root_model"):
            return self.object("model", schema["cls"].__name__, [], {}, config) | {"root": self.shape(inner, config)}
        if inner["type"] != "model-fields":
            return {"type": "opaque", "why": inner["type"]}
        fields = self.fields(inner["fields"].items(), config)
        return self.object("model", inner["model_name"], fields, inner, config)

    def from_dataclass(self, schema, config):
        config = schema.get("config", {})
        inner = schema["schema"]
        if inner["type"] != "dataclass-args":
            return {"type": "opaque", "why": inner["type"]}
        fields = self.fields(((f["name"], f) for f in inner["fields"] if f.get("init", True)), config)
        shape = self.object("dataclass", inner["dataclass_name"], fields, inner, config)
        return shape | {"strict": self.strict(schema, config)}

    def from_typed_dict(self, schema, config):
        config = schema.get("config", config)
        fields = self.fields(schema["fields"].items(), config, schema.get("total", True))
        return self.object("typed-dict", schema.get("cls_name", ""), fields, schema, config)


def translate(schema):
    """All shapes, and the index of the schema's."""
    translator = Translator()
    root = translator.shape(schema, {})
    return translator.shapes, root
