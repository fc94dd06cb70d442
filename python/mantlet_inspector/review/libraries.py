"""Functions of the standard library and of well-known packages."""

from __future__ import annotations

import datetime
import hashlib
import random
from typing import TYPE_CHECKING

from mantlet_inspector.review import known, texts
from mantlet_inspector.review.effects import MADE, READ, REMOVED, WRITE
from mantlet_inspector.review.known import sends_password
from mantlet_inspector.review.values import NOTHING, Value, any_of_client, depending, live
from mantlet_inspector.source.objects import is_class, is_module
from mantlet_inspector.source.stored import class_name

if TYPE_CHECKING:
    from mantlet_inspector.review.frame import Frame
from mantlet_inspector.review.called import Call, free, full_name, own_function
from mantlet_inspector.review.objects import dumped
from mantlet_inspector.review.statements import executed_sql, injected

METHODS = {
    "get",
    "post",
    "put",
    "patch",
    "delete",
    "head",
    "options",
    "request",
    "stream",
    "send",
    "ws_connect",
}
CLIENTS = ("httpx", "requests", "aiohttp", "urllib3", "urllib")
WEAK = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "sha3_512", "blake2b", "blake2s")
HASHES = {id(getattr(hashlib, name)): name for name in WEAK if hasattr(hashlib, name)}
OWN_HASHES = [getattr(hashlib, name) for name in ("pbkdf2_hmac", "scrypt") if hasattr(hashlib, name)]
ENCODES = {"jwt.api_jwt.PyJWT.encode", "jose.jwt.encode", "joserfc.jwt.encode", "jwt.encode"}
# What runs code that is written in the data.
UNSAFE = {"_pickle.loads", "pickle.loads", "_pickle.load", "marshal.loads", "dill.loads", "yaml.unsafe_load"}
SAME_BYTES = {
    "base64.b64decode",
    "base64.urlsafe_b64decode",
    "urllib.parse.unquote",
    "urllib.parse.unquote_plus",
}
# Anyone can turn it back.
ENCODED = {
    *("base64.b64encode", "base64.urlsafe_b64encode", "base64.standard_b64encode", "base64.b32encode"),
    *("base64.b16encode", "base64.b85encode", "binascii.hexlify", "_codecs.encode"),
}
RANDOM = {"randint", "randrange", "choice", "choices", "sample", "random", "getrandbits"}
STATEMENTS = {"select": READ, "insert": MADE, "update": WRITE, "delete": REMOVED}


def library(frame: Frame, call: Call) -> Value | None:
    """Functions of Python's own and of well-known packages."""
    found, first = call.callee.live, call.args[0] if call.args else None
    if found is NOTHING:
        return None
    line = call.node.lineno
    if id(found) in HASHES or found is hashlib.new:
        text = call.args[-1] if call.args else None
        is_lookup = "usedforsecurity" in call.named and call.named["usedforsecurity"].live is False
        if text is not None and sends_password(text) and not is_lookup:
            name = HASHES.get(id(found)) or (first and first.live)
            frame.effects.sign("weak-password-hash", frame.shown, line, name=str(name))
        return depending(call.all())
    if found in OWN_HASHES and any(map(sends_password, call.all())):
        frame.effects.sign("own-password-hash", frame.shown, line)
        return depending(call.all())
    if found is datetime.timedelta:
        try:
            numbers = {name: one.live for name, one in call.named.items()}
            made = datetime.timedelta(*(one.live for one in call.args), **numbers)
        except (TypeError, OverflowError):
            return Value()
        return Value(live=made, seconds=made.total_seconds())
    name = full_name(found)
    if name in ("datetime.now", "datetime.utcnow", "time.time") or (
        call.name in ("now", "utcnow") and getattr(found, "__self__", None) is datetime.datetime
    ):
        return Value(seconds=0.0)
    if name in ("hmac.compare_digest", "_operator._compare_digest", "secrets.compare_digest") or (
        call.name == "compare_digest"
    ):
        frame.effects.refuses = True
        return depending(call.all())
    top = name.partition(".")[0]
    if top in ("sqlalchemy", "sqlmodel"):
        return of_sqlalchemy(frame, call, name)
    if name in ENCODES or (call.name == "encode" and name.endswith(("PyJWT.encode", "jwt.encode"))):
        token_made(frame, call)
        return depending(call.all())
    if (
        top in CLIENTS
        and call.receiver is not None
        and is_module(call.receiver.live)
        and (call.name in METHODS or call.name == "urlopen")
    ):
        asked(frame, call)
        return Value()
    if name in UNSAFE or (name == "yaml.load" and not is_safe_loader(call)):
        if first is not None and free(frame, first):
            frame.effects.sign("code-from-input", frame.shown, line, input=min(free(frame, first)))
        return Value()
    if name == "json.loads" and first is not None and free(frame, first):
        return any_of_client(min(first.sent))
    if name in ENCODED and first is not None and sends_password(first):
        return first
    if name in SAME_BYTES and first is not None:
        return Value(sent=first.sent, from_sent=first.from_sent, caller=first.caller)
    if name in ("posixpath.join", "ntpath.join") and call.args:
        return texts.text([part for one in call.args for part in (one, live("/"))][:-1])
    if type(getattr(found, "__self__", None)) is random.Random and call.name in RANDOM:
        frame.effects.sign("weak-random", frame.shown, line)
        return Value()
    if top == "subprocess" or name in ("os.system", "posix.system", "os.popen"):
        shell = call.named.get("shell")
        is_shell = top != "subprocess" or (shell is not None and shell.live is True)
        if is_shell and first is not None and free(frame, first):
            frame.effects.sign("code-from-input", frame.shown, line, input=min(free(frame, first)))
        return Value()
    if name in ("traceback.format_exc", "traceback.format_exception", "traceback.format_tb"):
        return Value(error="Exception")
    if name == "fastapi.encoders.jsonable_encoder" and first is not None:
        return dumped(first, call) if first.model is not None else first
    if name in ("asyncio.threads.to_thread", "starlette.concurrency.run_in_threadpool") and first is not None:
        inner = Call(call.node, None, call.name, first, call.args[1:], call.named, call.spread)
        return own_function(frame, inner)
    if name in ("pathlib.Path", "pathlib._local.Path") and first is not None:
        made = depending(call.args)
        made.sent, made.cls = frozenset().union(*(one.sent for one in call.args)), found
        return made
    return None


def is_safe_loader(call: Call) -> bool:
    loader = call.argument(1, "Loader")
    return loader is not None and is_class(loader.live) and "Safe" in class_name(loader.live)


def of_sqlalchemy(frame: Frame, call: Call, name: str) -> Value | None:
    first = call.args[0] if call.args else None
    last = name.rpartition(".")[2]
    if last == "text" and first is not None:
        injected(frame, call, first)
        return executed_sql(frame, call, first, Value())
    if last in STATEMENTS and first is not None:
        store = first.store
        if is_class(first.live):
            table = frame.reader.shared.table_of(first.live)
            store = table.name if table is not None else None
        if store is None and first.live is not NOTHING:
            store = getattr(first.live, "fullname", None)
        if not isinstance(store, str):
            return depending(call.all())
        store = str(store)
        known.touched(frame, store, STATEMENTS[last])
        cls = first.live if is_class(first.live) else first.cls
        return Value(
            store=store, cls=cls, verb=last, is_partial=first.column is not None or len(call.args) > 1
        )
    return None


def client_call(frame: Frame, call: Call) -> Value | None:
    """A request that the app sends."""
    receiver = call.receiver
    if receiver is None or receiver.cls is None or call.name not in METHODS:
        return None
    if str(receiver.cls.__module__).partition(".")[0] not in CLIENTS:
        return None
    asked(frame, call)
    return Value()


def asked(frame: Frame, call: Call) -> None:
    number = 1 if call.name in ("request", "stream") else 0
    url = call.argument(number, "url")
    if url is not None and free(frame, url) and is_host_free(url):
        frame.effects.sign("request-to-input", frame.shown, call.node.lineno, input=min(free(frame, url)))
    verified(frame, call)
    if url is not None and texts.start_of(url).startswith("http://") and not is_local(texts.start_of(url)):
        frame.effects.sign("plain-http", frame.shown, call.node.lineno)
    found = call.callee.live
    if full_name(found).startswith("requests.") and "timeout" not in call.named and not call.spread:
        frame.effects.sign("no-timeout", frame.shown, call.node.lineno)


def verified(frame: Frame, call: Call) -> None:
    verify = call.named.get("verify") or call.named.get("ssl")
    if verify is not None and verify.live is False:
        frame.effects.sign("unverified-peer", frame.shown, call.node.lineno)


def is_local(url: str) -> bool:
    host = (
        url[len("http://") :].partition("/")[0].rpartition(":")[0] or url[len("http://") :].partition("/")[0]
    )
    return host in ("localhost", "127.0.0.1", "[::1]", "") or "." not in host


def is_host_free(url: Value) -> bool:
    """Whether a client chooses the host."""
    start = texts.start_of(url)
    if start:
        _, found, rest = start.partition("://")
        return bool(found) and "/" not in rest
    first = url.pieces[0] if url.pieces else url
    return isinstance(first, Value) and bool(first.sent)


def token_made(frame: Frame, call: Call) -> None:
    """How long a token lives, where the code says so."""
    claims = call.argument(0, "payload", "claims")
    if claims is not None and call.argument(0) is not None and claims.keys is None and len(call.args) > 2:
        claims = call.args[1] if call.args[1].keys is not None else claims
    if claims is None or claims.keys is None:
        return
    if "exp" in claims.keys:
        seconds = claims.keys["exp"].seconds
        if seconds is not None and seconds > 0:
            frame.effects.sign("token-lifetime", frame.shown, call.node.lineno, seconds=int(seconds))
    elif claims.is_whole:
        frame.effects.sign("token-without-end", frame.shown, call.node.lineno)
