"""The settings of core schemas, fields and config that are known: any other may change what is
accepted.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

# For each type of schema, the settings that it may have.
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
SETTINGS = {kind: {*COMMON, *settings} for kind, settings in KNOWN.items()}
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


def must_be_known(schema: Schema, *further: str) -> None:
    known = SETTINGS.get(schema["type"])
    if known is None or known.issuperset(schema):
        return
    for key, value in schema.items():
        if key in known or key in further or value is None or value is False:
            continue
        raise Unknown(f"the setting `{key}` of the type `{schema['type']}` is not known")


def config_must_be_known(config: Schema) -> None:
    for key in config:
        if key not in CONFIG:
            raise Unknown(f"the setting `{key}` is not known")
