"""JSON Schemas at random, and whether Pydantic, given the shapes read from them, takes every value that fits them.

Usage: schemas_at_random.py make SEED DOCUMENTS    writes documents, one a line
       schemas_at_random.py judge SEED             reads lines of {"document", "contract"}, writes figures and what was refused
"""

import enum
import json
import random
import re
import sys

from pydantic_core import SchemaValidator, ValidationError, core_schema

KEYS = ["a", "b", "c"]
TEXTS = ["", "a", "b", "ab", "abc", "12", "a\n", "\u0664", "\u00e9", "\ufeff", " ", "\U0001f600"]
NUMBERS = [0, 1, -1, 2, 3, 5, 1.0, 1.5, 0.5, -2.5, 10**20, 2**53 + 1]
PATTERNS = ["^a", "b$", r"^\d+$", r"^\w*$", r"^\S", r"^\D$", "[^a]", r"^[^\s\d]*$", ".", r"^(?:a|b)+c?$", "^(?!a)"]
COMPONENTS = ["A", "B", "C"]


def schema(rng, depth, old):
    roll = rng.random()
    if roll < 0.04 and not old:
        return rng.random() < 0.8
    if roll < 0.15:
        made = {"$ref": f"#/components/schemas/{rng.choice(COMPONENTS)}"}
        if rng.random() < 0.3:
            made["maxLength"] = 1
        return made
    made = {}
    inner = (lambda: schema(rng, depth - 1, old)) if depth > 0 else (lambda: {})
    some = lambda count: rng.random() < count
    kinds = ["null", "boolean", "integer", "number", "string", "array", "object"]
    if old:
        kinds.remove("null")
    kind = rng.choice(kinds)
    if some(0.75):
        made["type"] = kind if old or some(0.8) else rng.sample(kinds, 2)
    if old and some(0.2):
        made["nullable"] = True
    if some(0.12):
        made["enum"] = [value(rng, 1) for _ in range(rng.randint(1, 4))]
    if some(0.06) and not old:
        made["const"] = value(rng, 0)
    kinds = made.get("type", kind)
    has = lambda name: name in kinds or some(0.05)
    if has("integer") or has("number"):
        for name in ("minimum", "maximum"):
            if some(0.3):
                made[name] = rng.choice([0, 1, 0.5, -1.5, 3])
                if old and some(0.3):
                    made[f"exclusive{name.title()}"] = some(0.7)
        if some(0.2) and not old:
            made["exclusiveMinimum"] = rng.choice([0, -1, 0.5])
        if some(0.2):
            made["multipleOf"] = rng.choice([1, 2, 0.5, 1.5])
    if has("string"):
        for name in ("minLength", "maxLength"):
            if some(0.25):
                made[name] = rng.choice([0, 1, 2, 2.0])
        if some(0.3):
            made["pattern"] = rng.choice(PATTERNS)
        if some(0.2):
            made["format"] = rng.choice(["date", "uuid", "binary", "email"])
    if has("array"):
        if some(0.7):
            made["items"] = inner()
        if some(0.2) and not old:
            made["prefixItems"] = [inner() for _ in range(rng.randint(1, 2))]
        for name in ("minItems", "maxItems"):
            if some(0.3):
                made[name] = rng.choice([0, 1, 2])
        if some(0.15):
            made["uniqueItems"] = True
        if some(0.1) and not old:
            made["contains"] = inner()
    if has("object"):
        if some(0.8):
            made["properties"] = {key: inner() for key in rng.sample(KEYS, rng.randint(0, 3))}
        if some(0.4):
            made["required"] = rng.sample(KEYS, rng.randint(0, 2))
        if some(0.4):
            made["additionalProperties"] = some(0.3) if some(0.6) else inner()
        if some(0.1):
            made["minProperties"] = 1
        if some(0.1):
            made["maxProperties"] = rng.choice([1, 2])
        if not old:
            if some(0.1):
                made["patternProperties"] = {rng.choice(["^a", "b"]): inner()}
            if some(0.1):
                made["propertyNames"] = {"enum": rng.sample(KEYS, 2)}
            if some(0.15):
                made["unevaluatedProperties"] = False
            if some(0.1):
                made["dependentRequired"] = {"a": ["b"]}
    if depth > 0:
        for name in ("allOf", "anyOf", "oneOf"):
            if some(0.12):
                made[name] = [inner() for _ in range(rng.randint(1, 3))]
                if name != "allOf" and some(0.3):
                    made["discriminator"] = {"propertyName": "a"}
                    if some(0.7):
                        tagged = lambda tag: {"type": "object", "properties": {"a": {"enum": [tag]}, "b": inner()}, "required": ["a"]}
                        made[name] = [tagged(tag) for tag in ("ab", "12")]
        if some(0.06):
            made["not"] = inner()
        if some(0.04) and not old:
            made["if"], made["then"] = inner(), inner()
    return made


def value(rng, depth):
    roll = rng.random()
    if depth > 0 and roll < 0.25:
        return [value(rng, depth - 1) for _ in range(rng.randint(0, 3))]
    if depth > 0 and roll < 0.6:
        return {key: value(rng, depth - 1) for key in rng.sample(KEYS, rng.randint(0, 3))}
    return rng.choice([None, True, False, rng.choice(TEXTS), rng.choice(TEXTS), rng.choice(NUMBERS), rng.choice(NUMBERS)])


def sample(rng, made, document, depth=6):
    """A value that may fit."""
    if isinstance(made, bool) or depth == 0 or rng.random() < 0.1:
        return value(rng, 2)
    if "$ref" in made:
        return sample(rng, document["components"]["schemas"][made["$ref"].rsplit("/")[-1]], document, depth - 1)
    again = lambda inner: sample(rng, inner, document, depth - 1)
    if "enum" in made or "const" in made:
        return rng.choice(made.get("enum", [made.get("const")]))
    choices = [inner for name in ("allOf", "anyOf", "oneOf") for inner in made.get(name, [])]
    if choices and rng.random() < 0.7:
        found = again(rng.choice(choices))
        if isinstance(found, dict):
            found = {**found, **{key: again(inner) for key, inner in made.get("properties", {}).items()}}
        return found
    if made.get("nullable") and rng.random() < 0.3:
        return None
    kinds = made.get("type", ["string", "array", "object", "number"])
    kind = rng.choice(kinds) if isinstance(kinds, list) else kinds
    if kind == "object":
        keys = set(made.get("required", [])) | {key for key in made.get("properties", {}) if rng.random() < 0.7}
        return {key: again(made.get("properties", {}).get(key, {})) for key in sorted(keys)}
    if kind == "array":
        prefix = [again(inner) for inner in made.get("prefixItems", [])]
        return prefix + [again(made.get("items", {})) for _ in range(rng.randint(0, 3))]
    pool = {"null": [None], "boolean": [True, False], "string": TEXTS, "number": NUMBERS}
    return rng.choice(pool.get(kind, [number for number in NUMBERS if number == int(number)]))


class Misfit(Exception):
    pass


class TooDeep(Exception):
    """Schemas that lead to each other and never end; nobody is asked about such a value."""


def same(one, other):
    return json.dumps(plain(one), sort_keys=True) == json.dumps(plain(other), sort_keys=True)


def plain(it):
    """As JSON Schema compares: 1.0 is 1, and True is not."""
    if isinstance(it, list):
        return [plain(inner) for inner in it]
    if isinstance(it, dict):
        return {key: plain(inner) for key, inner in it.items()}
    return int(it) if isinstance(it, float) and it == int(it) else it


def is_a(kind, it):
    number = isinstance(it, (int, float)) and not isinstance(it, bool)
    return {
        "null": it is None,
        "boolean": isinstance(it, bool),
        "integer": number and it == int(it),
        "number": number,
        "string": isinstance(it, str),
        "array": isinstance(it, list),
        "object": isinstance(it, dict),
    }[kind]


def found(pattern, text):
    return re.search(pattern.replace("$", r"\Z"), text, re.ASCII)


def fits(made, it, document, old, depth=12):
    """Which properties are evaluated; raises if the value does not fit. Only the keywords that are made above."""
    if depth == 0:
        raise TooDeep
    if made is False:
        raise Misfit
    if made is True:
        return set()

    def check(holds):
        if not holds:
            raise Misfit

    def again(inner, it):
        return fits(inner, it, document, old, depth - 1)

    def tries(inner, it):
        try:
            return again(inner, it)
        except Misfit:
            return None

    evaluated = set()
    if "$ref" in made:
        evaluated |= again(document["components"]["schemas"][made["$ref"].rsplit("/")[-1]], it)
        if old:
            return evaluated
    get = made.get
    if "type" in made:
        kinds = made["type"] if isinstance(made["type"], list) else [made["type"]]
        check(any(is_a(kind, it) for kind in kinds) or (get("nullable") and it is None))
    if "enum" in made:
        check(any(same(it, other) for other in made["enum"]))
    if "const" in made:
        check(same(it, made["const"]))
    if is_a("number", it):
        if "minimum" in made:
            check(it > made["minimum"] if get("exclusiveMinimum") is True else it >= made["minimum"])
        if "maximum" in made:
            check(it < made["maximum"] if get("exclusiveMaximum") is True else it <= made["maximum"])
        if "exclusiveMinimum" in made and not isinstance(made["exclusiveMinimum"], bool):
            check(it > made["exclusiveMinimum"])
        if "multipleOf" in made:
            check(it * 2 % (made["multipleOf"] * 2) == 0)
    if isinstance(it, str):
        check(get("minLength", 0) <= len(it) <= get("maxLength", 99))
        check("pattern" not in made or found(made["pattern"], it))
    if isinstance(it, list):
        check(get("minItems", 0) <= len(it) <= get("maxItems", 99))
        prefix = get("prefixItems", [])
        for inner, item in zip(prefix, it):
            again(inner, item)
        for item in it[len(prefix):]:
            again(get("items", True), item)
        if get("uniqueItems"):
            check(not any(same(one, other) for at, one in enumerate(it) for other in it[:at]))
        if "contains" in made:
            check(any(tries(made["contains"], item) is not None for item in it))
    if isinstance(it, dict):
        properties, patterns = get("properties", {}), get("patternProperties", {})
        check(all(key in it for key in get("required", [])))
        check(get("minProperties", 0) <= len(it) <= get("maxProperties", 99))
        for key, inner in it.items():
            own = [properties[key]] if key in properties else []
            own += [other for pattern, other in patterns.items() if found(pattern, key)]
            if not own and "additionalProperties" in made:
                own = [made["additionalProperties"]]
            for other in own:
                again(other, inner)
                evaluated.add(key)
            if "propertyNames" in made:
                again(made["propertyNames"], key)
        for key, others in get("dependentRequired", {}).items():
            check(key not in it or all(other in it for other in others))
    for inner in get("allOf", []):
        evaluated |= again(inner, it)
    for name in ("anyOf", "oneOf"):
        if name in made:
            fitting = [result for inner in made[name] if (result := tries(inner, it)) is not None]
            check(fitting if name == "anyOf" else len(fitting) == 1)
            evaluated = evaluated.union(*fitting)
    check("not" not in made or tries(made["not"], it) is None)
    if "if" in made:
        result = tries(made["if"], it)
        if result is not None:
            evaluated |= result | again(made["then"], it)
    if get("unevaluatedProperties") is False and isinstance(it, dict):
        check(set(it) <= evaluated)
        evaluated |= set(it)
    return evaluated


def core(shape):
    """A shape as the core schema that it stands for."""
    kind = shape["type"]
    leads = lambda id: core_schema.definition_reference_schema(f"s{id}")
    limits = lambda number: {key: number(text) for key, text in shape.get("bounds", {}).items()}
    known = {"min_length": shape.get("min-length"), "max_length": shape.get("max-length")}
    lengths = {key: length for key, length in known.items() if length is not None}
    match kind:
        case "opaque" | "any":
            return core_schema.any_schema()
        case "none":
            return core_schema.none_schema()
        case "bool":
            return core_schema.bool_schema()
        case "int":
            return core_schema.int_schema(**limits(int))
        case "float":
            return core_schema.float_schema(**limits(float))
        case "str":
            return core_schema.str_schema(pattern=shape.get("pattern"), **lengths)
        case "literal":
            return core_schema.literal_schema(shape["expected"])
        case "enum":
            base = {"str": str, "int": int}[shape["sub-type"]]
            made = enum.Enum("E", {f"m{at}": member for at, member in enumerate(shape["values"])}, type=base)
            return core_schema.enum_schema(made, list(made), sub_type=shape["sub-type"])
        case "list":
            return core_schema.list_schema(None if shape.get("items") is None else leads(shape["items"]), **lengths)
        case "tuple":
            return core_schema.tuple_schema([leads(id) for id in shape["items"]], variadic_item_index=shape.get("variadic"), **lengths)
        case "dict":
            return core_schema.dict_schema(leads(shape["keys"]), leads(shape["values"]), **lengths)
        case "object":
            fields = {field["name"]: core_schema.typed_dict_field(leads(field["shape"]), required=field["required"]) for field in shape["fields"]}
            extras = None if shape.get("extras") is None else leads(shape["extras"])
            return core_schema.typed_dict_schema(fields, extra_behavior=shape["extra"], extras_schema=extras)
        case "nullable":
            return core_schema.nullable_schema(leads(shape["inner"]))
        case "with-default" | "then":
            return core_schema.union_schema([leads(shape["inner"])])
        case "union":
            return core_schema.union_schema([leads(id) for id in shape["choices"]])
        case "tagged-union":
            [discriminator] = shape["discriminator"]
            return core_schema.tagged_union_schema({tag: leads(id) for tag, id in shape["choices"]}, discriminator)
    raise ValueError(kind)


def judge(rng, document, contract):
    old = document["openapi"].startswith("3.0")
    made = document["paths"]["/"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    [operation] = [route["operation"] for route in contract["router"]["routes"] if route["kind"] == "http"]
    [body] = operation["inputs"]
    definitions = [{**core(shape), "ref": f"s{id}"} for id, shape in enumerate(contract["shapes"])]
    root = core_schema.definition_reference_schema(f"s{body['shape']}")
    validator = SchemaValidator(core_schema.definitions_schema(root, definitions))
    figures = {"fitting": [], "misfit": 0, "caught": 0, "refused": []}
    for _ in range(60):
        it = json.loads(json.dumps(sample(rng, made, document)))
        try:
            fits(made, it, document, old)
            is_fit = True
        except Misfit:
            is_fit = False
        except TooDeep:
            continue
        try:
            validator.validate_python(it)
            passes = True
        except ValidationError as error:
            passes, why = False, str(error)
        if is_fit:
            figures["fitting"].append(json.dumps(it))
        figures["misfit"] += not is_fit
        figures["caught"] += not is_fit and not passes
        if is_fit and not passes:
            figures["refused"].append({"value": it, "schema": made, "components": document["components"]["schemas"], "why": why})
    return figures


def main():
    rng = random.Random(int(sys.argv[2]))
    if sys.argv[1] == "make":
        for number in range(int(sys.argv[3])):
            old = number % 3 == 0
            components = {name: schema(rng, 2, old) for name in COMPONENTS}
            body = {"content": {"application/json": {"schema": schema(rng, 3, old)}}}
            document = {"openapi": "3.0.3" if old else "3.1.0", "paths": {"/": {"post": {"requestBody": body}}}, "components": {"schemas": components}}
            print(json.dumps(document))
        return
    for line in sys.stdin:
        given = json.loads(line)
        print(json.dumps(judge(rng, given["document"], given["contract"])))


main()
