"""How long the app's code may be read, and what is remembered of it from one start to the next.

Facts of files (`index.py`) are kept in the state folder by the hash of their text and of what reads
them. They say nothing of the running app: what names stand for is asked anew. A file that cannot be
read, that is not ours or that others may write is as good as none: everything is read again, and
nothing of it is ever an error.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import json
import os
import stat
import sys
import time
import zipimport
from collections.abc import Iterator
from typing import Any

from mantlet_inspector.source import index

DEFAULT_BOUND = 2.0  # seconds of CPU time
MOST = 256 << 20  # bytes of what is remembered


class Late(Exception):
    """The time is up."""


class Memory:
    def __init__(
        self, file: str | None = None, bound: float = DEFAULT_BOUND, ahead: dict[str, Any] | None = None
    ) -> None:
        self.file = file
        self.bound = bound
        self.spent = 0.0  # seconds of reading
        self.began: float | None = None  # when what is being read now was begun
        self.is_late = False
        self.reads = 0  # files that were parsed for their facts
        self.parsed: list[str] = []  # files that were parsed whole, of which there were no facts
        self.ahead = ahead or {}  # what was read while the app was imported
        self.used: dict[str, Any] = {}
        self.former = load(file, made_with()) if file else {}

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Time within counts as reading. It is the processor's time, so a busy machine changes
        little."""
        if self.began is not None:
            yield
            return
        self.began = time.thread_time()
        try:
            yield
        finally:
            self.spent += time.thread_time() - self.began
            self.began = None

    def check(self) -> None:
        """Called between pieces of work that may wait."""
        spent = self.spent + (0.0 if self.began is None else time.thread_time() - self.began)
        if self.is_late or (self.bound and spent > self.bound):
            self.is_late = True
            raise Late

    def said(self) -> str:
        """Why something is not known, in words for the operator."""
        remedy = "`read-timeout` under `[app]` gives more"
        return f"was not read: {said_seconds(self.bound)} of reading were up ({remedy})"

    def read_parsed(self) -> None:
        """With facts, the next start parses no file whole."""
        with self.reading():
            for file in self.parsed:
                try:
                    self.check()
                    self.used[hash_of(file)] = index.read(tree_of(file), text_of(file)).kept()
                except Late:
                    break
                except Exception:  # such as nested too deeply: without its facts it is parsed again
                    continue
                self.reads += 1
        self.parsed = []

    def keep(self) -> None:
        """Writes the facts that were used, if some are new, or if there is no file yet."""
        if not self.file or not os.path.isdir(os.path.dirname(self.file)):
            return
        if self.parsed:
            self.read_parsed()
        if self.reads or not os.path.lexists(self.file):
            keep(self.file, {"made-with": made_with(), "files": self.used})
            self.reads = 0


current = Memory()  # that of this process


def begin(file: str | None, bound: float, ahead: dict[str, Any] | None) -> Memory:
    global current
    current = Memory(file, bound, ahead)
    facts_of.cache_clear()
    return current


def said_seconds(bound: float) -> str:
    return f"{bound:g} s"


@functools.cache
def text_of(file: str) -> bytes:
    try:
        with open(file, "rb") as opened:
            return opened.read()
    except NotADirectoryError:
        return in_archive(file)


def in_archive(file: str) -> bytes:
    """A file of a zip archive from which Python imports."""
    archive = os.path.dirname(file)
    while not os.path.isfile(archive) and archive != os.path.dirname(archive):
        archive = os.path.dirname(archive)
    return zipimport.zipimporter(archive).get_data(file)


@functools.cache
def lines_of(file: str) -> list[bytes]:
    return text_of(file).splitlines(keepends=True)


@functools.cache
def tree_of(file: str) -> ast.Module:
    tree = ast.parse(text_of(file), file)
    if not are_known(file):
        current.parsed.append(file)
    return tree


@functools.cache
def facts_of(file: str) -> index.Facts:
    """May raise what reading and parsing do, or that it is too late for it."""
    key = hash_of(file)
    kept = current.used.get(key) or current.former.get(key)
    if kept is None and key in current.ahead:
        kept = current.ahead[key]
        current.reads += 1
    if kept is None:
        current.check()
        # The tree of a whole file is large, and not kept.
        facts = index.read(ast.parse(text_of(file), file), text_of(file))
        current.reads += 1
        if current.file:
            current.used[key] = facts.kept()
        return facts
    try:
        facts = index.Facts.of(kept)
    except Exception:  # what is remembered is broken
        current.used.pop(key, None)
        current.former.pop(key, None)
        current.ahead.pop(key, None)
        return facts_of.__wrapped__(file)
    current.used[key] = kept
    return facts


def are_known(file: str) -> bool:
    """Whether the facts of a file need not be read."""
    key = hash_of(file)
    return key in current.used or key in current.former or key in current.ahead


@functools.cache
def hash_of(file: str) -> str:
    return hashlib.blake2b(text_of(file), digest_size=16).hexdigest()


@functools.cache
def made_with() -> str:
    """What facts depend on but for the text: how Python parses, and how it is read here."""
    read_by = hashlib.blake2b(text_of(index.__file__), digest_size=16).hexdigest()
    return f"{sys.implementation.cache_tag} {'.'.join(map(str, sys.version_info[:3]))} {read_by}"


# On disk


def load(file: str, made: str) -> dict[str, Any]:
    try:
        with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as opened:
            if not is_ours(os.fstat(opened.fileno())):
                return {}
            found = json.loads(opened.read(MOST))
        whole = (
            isinstance(found, dict)
            and found.get("made-with") == made
            and isinstance(found.get("files"), dict)
        )
        return {key: kept for key, kept in found["files"].items() if is_well_formed(kept)} if whole else {}
    except Exception:  # there is none, or it is broken
        return {}


def keep(file: str, what: dict[str, Any]) -> None:
    """Where there is a state folder: `mantlet contract` makes none."""
    draft = f"{file}.{os.getpid()}"
    try:
        text = json.dumps(what, separators=(",", ":")).encode()
        if len(text) > MOST:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(draft, flags, 0o600), "wb") as opened:
            opened.write(text)
        os.replace(draft, file)
    except Exception:  # a full disk, a read-only one: it is read again the next time
        try:
            os.unlink(draft)
        except OSError:
            pass


def is_ours(found: os.stat_result) -> bool:
    """Only this user and root can have written it."""
    others = stat.S_IWGRP | stat.S_IWOTH
    return stat.S_ISREG(found.st_mode) and found.st_uid in (os.geteuid(), 0) and not found.st_mode & others


def is_well_formed(kept: Any) -> bool:
    return isinstance(kept, list) and len(kept) == 4 and isinstance(kept[0], list)
