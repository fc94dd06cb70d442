"""Random JSON for a core schema: mostly right, sometimes wrong."""

TEXTS = [
    "", " ", "a", "ab", "abc", "abcd", "abcdef", "é", "ßß", "x" * 40, "A", "1", "0", "-1", "+1", " 12 ", "1_000", "1__0",
    "1.0", "1.50", "01", "1e3", "1e400", "-0", "--1", "+-1", "0_1", "_1", "1_", ".5", "5.", "inf", "-Infinity", "nan", "NaN", "١",
    "true", "True", "TRUE", "false", "on", "off", "yes", "no", "y", "n", "t", "f", "null", "None", "red", "it's", "s", "two",
    "2024-01-02", "2024-1-2", "2024-02-30", "0000-01-01", "2024-01-02T03:04:05", "2024-01-02T03:04:05Z",
    "2024-01-02 03:04:05.123456789+02:00", "2024-01-02T00:00:00Z", "2024-01-02T00:00", "2024-01-02T25:00", "1700000000", "1700006400",
    "1700000000000", "03:04", "03:04:05.5", "24:00", "03:04:05+01:00", "P1D", "PT5M", "P1DT2H", "-P1D", "1 day, 2:03:04", "3 days",
    "12:34:56", "P", "PT", "00000000-0000-4000-8000-000000000000", "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    "6ba7b8109dad11d180b400c04fd430c8", "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}", "6ba7b810-9dad-11d1-80b4-00c04fd430cg",
    "http://example.com", "https://user:pw@example.com:8080/a?b#c", "ftp://x", "http://", "http:///x", "example.com", "http://exa mple.com",
    "HTTP://EXAMPLE.COM", "http://ex%41mple.com", "http://[::1]:80/", "http://[::1", "http://a:99999", "postgres://u:p@h1:1,h2:2/db",
    "postgres://,h/db", "postgres://h,/db", "redis://", "redis:///1", "redis://h:1/2", "//x", "http:\\\\x", "http://münchen.de", "http://1.2.3",
    "1.2.3.4", "1.2.3.04", "1.2.3", "256.1.1.1", "1.2.3.0/24", "1.2.3.4/24", "1.2.3.4/33", "1.2.3.4/255.255.255.0", "::1", "::", "1::2::3",
    "fe80::1%eth0", "::ffff:1.2.3.4", "2001:db8::/32", "2001:db8::1/32", "1.2.3.4/", "/", "YWJj", "YWJ", "YW+/", "6162", "616", "zz",
    "[1, 2]", "[1, \"x\"]", "{\"a\": 1}", "{", "[1,]", "0.1", "0.15", "12.34", "123.456", "1E+2", "1e-7", "100", "99.99", "1,5", "\u0000", "\u00a01", "1\n",
    "cat", "dog", "lion",
]
NUMBERS = [
    "0", "1", "2", "3", "5", "7", "9", "10", "11", "-1", "-5", "100", "1000", "-0", "86399", "86400", "1700000000", "1700006400", "-1700000000",
    "1700000000000", "253402300800", "4294967295", "4294967296", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
    "100000000000000000000", "1" + "0" * 400, "0.0", "1.0", "1.5", "-1.5", "0.5", "2.0", "0.1", "0.15", "12.34", "123.456", "1e3", "1e20", "1e308", "1e400",
    "-1e400", "1E-7", "99.995", "1700000000.5", "9223372036854775807.0", "1e18", "86399.9", "NaN", "Infinity", "-Infinity",
]
LETTERS = [*"0123456789+-._:/eETZtzxa,%@[]{} ", "é", "１", "\u3000", "\n", "'", '"', "\\"]
RIGHT = {
    "date": ["2024-01-02", "2012-12-31"],
    "datetime": ["2024-01-02T03:04:05Z", "2024-01-02T03:04:05", "2012-12-31 00:00+01:00"],
    "time": ["09:30", "12:00:00.5", "19:00:00Z"],
    "timedelta": ["P1D", "PT5M", "12:34:00"],
}
OTHERS = ["null", "true", "false", "[]", "{}", "[1]", "[\"a\"]", "[[]]", "[null]", "{\"a\": 1}", "{\"kind\": \"cat\"}", "[1, 2, 3, 4]", "[{}]", "\"\\ud800\""]


def text(value):
    import json

    return json.dumps(value, ensure_ascii=False)


class Values:
    def __init__(self, random, definitions):
        self.r = random
        self.calm = False
        self.definitions = definitions

    def junk(self):
        chance = self.r.random()
        if chance < 0.4:
            return text(self.some_text())
        return self.r.choice(NUMBERS) if chance < 0.65 else self.r.choice(OTHERS)

    def some_text(self, texts=TEXTS):
        """One of the texts, sometimes with a character more, less or another."""
        value = self.r.choice(texts)
        for _ in range(self.r.choice([0, 0, 0, 0, 1, 1, 2])):
            at = self.r.randint(0, len(value))
            value = value[:at] + self.r.choice(["", *LETTERS]) + value[at + self.r.randint(0, 1) :]
        return value

    def start(self, schema):
        """A value, half of them without any junk put in on purpose."""
        self.calm = self.r.random() < 0.5
        return self.value(schema)

    def value(self, schema, depth=0):
        if depth > 8 or (not self.calm and self.r.random() < 0.06):
            return self.junk()
        method = getattr(self, "for_" + schema["type"].replace("-", "_"), None)
        return self.junk() if method is None else method(schema, depth)

    def any_of(self, *choices):
        value = self.r.choice(choices)
        return value if self.calm or self.r.random() < 0.85 else self.junk()

    def array(self, items):
        return "[" + ", ".join(items) + "]"

    def for_int(self, schema, depth):
        return self.any_of(*NUMBERS[:20], *map(text, ["1", " 5 ", "1_0", "7.0"]), "true", "2.0")

    def for_float(self, schema, depth):
        return self.any_of(*NUMBERS, text("1.5"), text("nan"))

    for_decimal = for_float

    def for_str(self, schema, depth):
        if self.calm:
            longest = min(schema.get("max_length") or 8, 8)
            shortest = min(schema.get("min_length") or 0, longest)
            letters = "0123" if "d" in str(schema.get("pattern")) else "aabcdé"
            return text("".join(self.r.choice(letters) for _ in range(self.r.randint(shortest, longest))))
        return text(self.some_text())

    def for_time_like(kind):
        def made(self, schema, depth):
            if self.calm and self.r.random() < 0.7:
                return text(self.r.choice(RIGHT[kind]))
            if self.r.random() < 0.7:
                return text(self.some_text(TEXTS[TEXTS.index("2024-01-02") : TEXTS.index("PT") + 1]))
            return self.r.choice(NUMBERS)

        return made

    for_date, for_datetime = for_time_like("date"), for_time_like("datetime")
    for_time, for_timedelta = for_time_like("time"), for_time_like("timedelta")

    def for_bool(self, schema, depth):
        return self.any_of("true", "false", "1", "0", "1.0", "2", *map(text, ["on", "no", "YES", "x"]))

    def for_bytes(self, schema, depth):
        return text(self.r.choice(["YWJj", "6162", "abc"]) if self.calm else self.some_text())

    def for_none(self, schema, depth):
        return "null"

    def for_uuid(self, schema, depth):
        right = "00000000-0000-4000-8000-000000000000"
        return text(right if self.calm else self.some_text([one for one in TEXTS if "6ba7" in one or "4000" in one]))

    def for_url(self, schema, depth):
        if self.calm:
            scheme = self.r.choice(schema.get("allowed_schemes") or ["http", "x-y"])
            return text(scheme + self.r.choice(["://a.example/b?c", "://u:p@[::1]:99/x", "://localhost:1/db"]))
        return text(self.some_text([one for one in TEXTS if ":" in one or "x" in one]))

    for_multi_host_url = for_url

    def for_lax_or_strict(self, schema, depth):
        return text(self.some_text(TEXTS[TEXTS.index("1.2.3.4") : TEXTS.index("YWJj")]))

    def for_literal(self, schema, depth):
        return text(self.r.choice(schema["expected"]))

    def for_enum(self, schema, depth):
        return text(self.r.choice([*(member.value for member in schema["members"]), "A", 3]))

    def for_json(self, schema, depth):
        return text(self.r.choice(["[1, 2]", "[1, \"x\"]", "{", "[1,]", "nan", "1"]))

    def for_list(self, schema, depth):
        items = schema.get("items_schema", {"type": "any"})
        return self.array(self.value(items, depth + 1) for _ in range(self.r.choice([0, 1, 1, 2, 2, 3, 4])))

    for_set = for_frozenset = for_list

    def for_tuple(self, schema, depth):
        items = list(schema["items_schema"])
        variadic = schema.get("variadic_item_index")
        if variadic is not None:
            items[variadic : variadic + 1] = [items[variadic]] * self.r.randint(0, 3)
        values = [self.value(item, depth + 1) for item in items]
        if values and self.r.random() < 0.1:
            values.pop()
        if self.r.random() < 0.1:
            values.append(self.junk())
        return self.array(values)

    def members(self, members):
        members = list(members)
        if self.r.random() < 0.25:
            members.append((self.r.choice(["extra", "extra", "a", "b", "kind", "zz", "é", "deep", "list"]), self.junk()))
        if len(members) > 1 and not self.calm and self.r.random() < 0.1:
            members.append((members[0][0], self.junk()))
        if self.r.random() < 0.2:
            self.r.shuffle(members)
        return "{" + ", ".join(f"{text(key)}: {value}" for key, value in members) + "}"

    def for_dict(self, schema, depth):
        keys = schema.get("keys_schema", {"type": "any"})
        members = []
        for _ in range(self.r.choice([0, 1, 1, 2, 3])):
            key = self.value(keys, depth + 1)
            if not key.startswith('"') or "ud800" in key:
                key = text(key)
            import json

            members.append((json.loads(key), self.value(schema.get("values_schema", {"type": "any"}), depth + 1)))
        return self.members(members)

    def for_nullable(self, schema, depth):
        return "null" if self.r.random() < 0.2 else self.value(schema["schema"], depth)

    def for_default(self, schema, depth):
        return self.value(schema["schema"], depth)

    for_function_after = for_function_wrap = for_function_before = for_model = for_dataclass = for_custom_error = for_default

    def for_definitions(self, schema, depth):
        for definition in schema["definitions"]:
            self.definitions[definition["ref"]] = definition
        return self.value(schema["schema"], depth)

    def for_definition_ref(self, schema, depth):
        return self.value(self.definitions[schema["schema_ref"]], depth)

    def for_union(self, schema, depth):
        choice = self.r.choice(schema["choices"])
        return self.value(choice[0] if isinstance(choice, tuple) else choice, depth)

    def for_tagged_union(self, schema, depth):
        return self.value(self.r.choice(list(schema["choices"].values())), depth)

    def fields(self, fields, depth):
        members = []
        for name, field in fields:
            if self.r.random() < (0.02 if self.calm else 0.12):
                continue
            value = self.value(field["schema"], depth + 1)
            alias = field.get("validation_alias")
            if alias is None or (not self.calm and self.r.random() < 0.15):
                members.append((name, value))
                continue
            if isinstance(alias, list):
                path = self.r.choice(alias) if isinstance(alias[0], list) else alias
                for step in reversed(path[1:]):
                    value = f"{{{text(step)}: {value}}}" if isinstance(step, str) else self.array([value, value])
                alias = path[0]
            members.append((alias, value))
        return self.members(members)

    def for_model_fields(self, schema, depth):
        return self.fields(schema["fields"].items(), depth)

    for_typed_dict = for_model_fields

    def for_dataclass_args(self, schema, depth):
        return self.fields(((field["name"], field) for field in schema["fields"]), depth)
