"""Libraries that verify tokens: which of their functions do, and which are harmless.

What is in no list here may do anything with a token.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from typing import Any, NamedTuple

from mantlet_inspector.candidates.whose import OWN, Whose
from mantlet_inspector.source.objects import is_class, is_module, name_in, names_in
from mantlet_inspector.source.stored import bases_of, is_exactly, module_of, names_of

# Libraries of tokens, and libraries that verify tokens for an app.
TOKENS = ("authlib", "jose", "joserfc", "jwt")
LOGINS = ("authx", "fastapi_jwt", "fastapi_login", "fastapi_users")
# Others, of which nothing is known but that they may verify tokens.
OTHERS = (
    "cryptojwt",
    "firebase_admin",
    "google.auth.jwt",
    "google.oauth2.id_token",
    "itsdangerous.jws",  # of its former versions
    "josepy",
    "jwcrypto",
    "jwkest",
    "jwskate",
    "python_jwt",
)
# Packages that make tokens for a service, or read those of a provider that they have just asked.
CLIENTS = ("fastapi_sso", "github", "google", "itsdangerous", "mcp")

Arguments = tuple[tuple[str, int], ...]


class Kind(NamedTuple):
    """What a part of a library does."""

    what: str  # `decode`, `peek`, `maker`, `class`, `harmless` or `unknown`
    keys: Arguments = ()  # the arguments that are keys: their names and positions
    has_options: bool = False  # by which it may not verify
    is_optional: bool = False  # without a key it takes that of another
    is_free: bool = False  # whether an object may be made with any options


MODULE, CLASS, HARMLESS = Kind("module"), Kind("class"), Kind("harmless")
PEEK, UNKNOWN = Kind("peek"), Kind("unknown")
SECOND = Kind("decode", (("key", 1),))
OPTIONAL = SECOND._replace(has_options=True)
OTHERS_KEY = Kind("maker", (("secret_key", 1),), is_optional=True)
JWT_KEY = Kind("maker", (("secret_key", 0),))

KINDS = {
    "authlib.jose.rfc7519.jwt.JsonWebToken": CLASS._replace(is_free=True),
    "authlib.jose.rfc7519.jwt.JsonWebToken.decode": SECOND,
    "authlib.jose.rfc7519.jwt.JsonWebToken.encode": HARMLESS,
    "authx.main.AuthX": Kind("maker", (("config", 0),)),
    "authx.main.AuthX.load_config": Kind("maker", (("config", 0),)),
    "fastapi_jwt.jwt.JwtAuthBase": JWT_KEY,
    "fastapi_jwt.jwt.JwtAuthBase.from_other": OTHERS_KEY,
    "fastapi_login.fastapi_login.LoginManager": Kind("maker", (("secret", 0),)),
    "fastapi_users.authentication.strategy.jwt.JWTStrategy": Kind(
        "maker", (("secret", 0), ("public_key", 4))
    ),
    "fastapi_users.jwt.decode_jwt": Kind("decode", (("secret", 1),)),
    "jose.jws.get_unverified_claims": PEEK,
    "jose.jws.get_unverified_header": HARMLESS,
    "jose.jws.get_unverified_headers": HARMLESS,
    "jose.jws.sign": HARMLESS,
    "jose.jws.verify": OPTIONAL,
    "jose.jwt.decode": OPTIONAL,
    "jose.jwt.encode": HARMLESS,
    "jose.jwt.get_unverified_claims": PEEK,
    "jose.jwt.get_unverified_header": HARMLESS,
    "jose.jwt.get_unverified_headers": HARMLESS,
    "joserfc.jwt.decode": SECOND,
    "joserfc.jwt.encode": HARMLESS,
    "jwt.api_jws.PyJWS": CLASS,
    "jwt.api_jws.PyJWS.decode": OPTIONAL,
    "jwt.api_jws.PyJWS.decode_complete": OPTIONAL,
    "jwt.api_jws.PyJWS.encode": HARMLESS,
    "jwt.api_jws.PyJWS.get_algorithm_by_name": HARMLESS,
    "jwt.api_jws.PyJWS.get_unverified_header": HARMLESS,
    "jwt.algorithms.get_default_algorithms": HARMLESS,
    "jwt.api_jwt.PyJWT": CLASS,
    "jwt.api_jwt.PyJWT.decode": OPTIONAL,
    "jwt.api_jwt.PyJWT.decode_complete": OPTIONAL,
    "jwt.api_jwt.PyJWT.encode": HARMLESS,
    **{
        f"fastapi_jwt.jwt.Jwt{kind}{place}": JWT_KEY
        for kind in ("Access", "Refresh")
        for place in ("", "Bearer", "Cookie", "BearerCookie")
    },
}
# Keys are among these: one that is not understood where it is used is not known.
HARMLESS_BELOW = (
    "authlib.common.",
    "authlib.integrations.",
    "authlib.jose.errors.",
    "authlib.jose.rfc7517.",
    "authlib.jose.rfc7518.ec_key.",
    "authlib.jose.rfc7518.oct_key.",
    "authlib.jose.rfc7518.rsa_key.",
    "authlib.jose.rfc7519.claims.",
    "authlib.jose.rfc8037.okp_key.",
    "authx.",
    "fastapi_jwt.",
    "fastapi_login.",
    "fastapi_users.",
    "jose.constants.",
    "jose.utils.",
    "joserfc._rfc7517.",
    "joserfc._rfc7518.ec_key.",
    "joserfc._rfc7518.oct_key.",
    "joserfc._rfc7518.rsa_key.",
    "joserfc._rfc7519.",
    "joserfc._rfc8037.okp_key.",
    "joserfc.errors.",
    "joserfc.jwk.",
    "joserfc.jwt.JWTClaimsRegistry",
    "joserfc.rfc",
    "jwt.api_jwk.",
    "jwt.exceptions.",
    "jwt.jwks_client.",
    "jwt.types.",
    "jwt.utils.",
)
UNKNOWN_BELOW = ("authx.schema.", "authx.token.", "fastapi_jwt.jwt_backends.")
# Methods that make a key of a text.
KEYS_MADE = ("import_key",)
# Where objects of keys hold the key.
KEYS_HELD = ("_raw_value", "raw_key", "private_key", "public_key")
# What the settings of `authx` call the keys that verify.
AUTHX_KEYS = ("JWT_SECRET_KEY", "JWT_PUBLIC_KEY", "JWT_PREVIOUS_SECRET_KEY", "JWT_PREVIOUS_PUBLIC_KEY")


def is_below(name: str, tops: tuple[str, ...]) -> bool:
    return name.startswith(tops) and any(name == top or name.startswith(f"{top}.") for top in tops)


class Libraries:
    """Those that are imported."""

    def __init__(self, whose: Whose) -> None:
        self.whose = whose
        self.modules = {
            name: module
            for name, module in list(sys.modules.items())
            if type(name) is str
            and is_below(name, (*TOKENS, *LOGINS, *OTHERS))
            and is_module(module)
            and whose.of_module(name) != OWN
        }

    def full_name(self, value: Any) -> str | None:
        """`jwt.api_jwt.PyJWT.decode`; none if it is not a part of one of them."""
        if is_module(value):
            module, name = name_in(value), ""
        elif is_class(value):
            module, name = module_of(value), type.__dict__["__qualname__"].__get__(value)
        else:
            function = value.__func__ if type(value) is types.MethodType else value
            if type(function) is not types.FunctionType:
                return self.full_name(type(value))
            module, name = function.__module__, function.__qualname__
        if type(module) is not str or module not in self.modules:
            return None
        return f"{module}.{name}" if name else module

    def kind(self, value: Any) -> Kind | None:
        name = self.full_name(value)
        if name is None:
            return None
        if is_below(name, OTHERS):
            return UNKNOWN
        if is_module(value):
            return MODULE
        if is_class(value):
            if any(base is BaseException for base in bases_of(value)):
                return HARMLESS
        elif not is_exactly(value, types.FunctionType, types.MethodType):
            known = self.kind(type(value))
            if known is not None and known.what == "class":
                return MODULE
            return UNKNOWN if known == UNKNOWN else HARMLESS
        known = KINDS.get(name)
        if known is None:
            is_harmless = name.startswith(HARMLESS_BELOW) and not name.startswith(UNKNOWN_BELOW)
            return HARMLESS if is_harmless else UNKNOWN
        is_plain = type(value) is types.FunctionType and "." in value.__qualname__
        return UNKNOWN if is_plain and known != HARMLESS else known  # a method without its object

    def strangers(self) -> Iterator[str]:
        """Modules that are neither the app's own nor known, and have a part of a library in their
        hands."""
        ids = {id(module) for name, module in self.modules.items() if not is_below(name, LOGINS)}
        for name, module in list(self.modules.items()):
            for value in list(names_in(module).values()) if is_below(name, TOKENS) else ():
                kind = self.kind(value)
                if kind is not None and kind != HARMLESS:
                    ids.add(id(value))
        known = (*TOKENS, *LOGINS, *OTHERS, *CLIENTS)
        for name, module in list(sys.modules.items()):
            if type(name) is not str or not is_module(module) or is_below(name, known):
                continue
            if not ids.isdisjoint(map(id, list(names_in(module).values()))):
                yield name


def method_of(value: Any, name: str) -> Any:
    """A method of an object of a library, as it is taken from it; none if there is none."""
    for base in bases_of(type(value)):
        found = names_of(base).get(name)
        if type(found) is types.FunctionType:
            return types.MethodType(found, value)
    return None
