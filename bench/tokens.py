"""Makes pools of tokens, one a line, and the public halves of their keys: `tokens.py COUNT ISSUER AUDIENCE SECRET APP_SECRET`."""

import base64
import hmac
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

COUNT, ISSUER, AUDIENCE, SECRET, APP_SECRET = int(sys.argv[1]), *sys.argv[2:]
KEY = "bench-2026"
NOW = int(time.time())
ES256 = ec.generate_private_key(ec.SECP256R1())


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def of_secret(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda signed: hmac.digest(secret, signed, "sha256")


def of_key(signed: bytes) -> bytes:
    r, s = utils.decode_dss_signature(ES256.sign(signed, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def write(
    name: str, header_members: dict[str, str], claims: dict[str, object], sign: Callable[[bytes], bytes]
) -> None:
    header = base64url(json.dumps(header_members, separators=(",", ":")).encode())
    with Path(name).open("w") as file:
        for number in range(COUNT):
            payload = json.dumps(claims | {"jti": f"{number:032x}"}, separators=(",", ":"))
            signed = f"{header}.{base64url(payload.encode())}"
            file.write(f"{signed}.{base64url(sign(signed.encode()))}\n")


def main() -> None:
    of_issuer: dict[str, object] = {
        "iss": ISSUER,
        "sub": "6f1c2b1a-4d7b-4c58-9b0b-2f1f5f8f3a11",
        "aud": AUDIENCE,
        "iat": NOW - 60,
        "exp": NOW + 86_400,
        "scope": "openid profile orders",
    }
    # As FastAPI's tutorial has them.
    of_app: dict[str, object] = {"sub": "johndoe", "exp": NOW + 86_400}
    hs256, es256 = ({"alg": algorithm, "typ": "JWT"} for algorithm in ("HS256", "ES256"))
    write("hs256.tokens", hs256, of_issuer, of_secret(SECRET.encode()))
    write("hs256-forged.tokens", hs256, of_issuer, of_secret(os.urandom(32)))
    write("es256.tokens", es256 | {"kid": KEY}, of_issuer, of_key)
    # A signature that no key has made costs its verifier the same. A forger need not name a key.
    write("es256-forged.tokens", es256, of_issuer, lambda _: os.urandom(64))
    write("app.tokens", hs256, of_app, of_secret(APP_SECRET.encode()))
    write("app-forged.tokens", hs256, of_app, of_secret(os.urandom(32)))

    public = ES256.public_key()
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    Path("es256.pem").write_bytes(public.public_bytes(serialization.Encoding.PEM, info))
    numbers = public.public_numbers()
    point = {"x": base64url(numbers.x.to_bytes(32, "big")), "y": base64url(numbers.y.to_bytes(32, "big"))}
    sets = {
        "es256.json": {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KEY, **point},
        "hs256.json": {"kty": "oct", "alg": "HS256", "k": base64url(SECRET.encode())},
    }
    for name, key in sets.items():
        Path(name).write_text(json.dumps({"keys": [key]}))


if __name__ == "__main__":
    main()
