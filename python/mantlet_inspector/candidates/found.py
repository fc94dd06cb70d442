"""The candidates that were found, within bounds."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence, Set
from itertools import chain
from typing import Any

MOST = 2_000
LONGEST = 8_192  # bytes of one candidate: a private RSA key of 8,192 bits takes 6.4 KB
LONGEST_TEXT = 64 << 10  # bytes of a text that may hold several keys
LONGEST_NAME = 200
TOTAL = 2 << 20  # bytes of all candidates
MOST_PATHS = 2_000  # that may be those of files with keys
BOUND = 0.3  # seconds

# Words in names of keys.
KEY_WORDS = "secret key jwt jws jwk jwe token sign pepper salt hmac crypt pem private passphrase".split()
KEY_IN_PEM = rb"(?s)-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----\n?"
FILE_ENDS = (".pem", ".key", ".pub", ".crt", ".cer", ".txt")


class Late(Exception):
    """The time is up."""


def has_word(name: str, words: Sequence[str]) -> bool:
    name = name.lower()
    return any(word in name for word in words)


def named(path: str, place: str) -> str:
    """`SECRET_KEY in main`"""
    return f"{path} in {place}" if place else path


class Found:
    def __init__(self) -> None:
        self.end = self.until = time.monotonic() + BOUND
        self.keys: dict[bytes, str] = {}  # by their names
        self.others: dict[bytes, str] = {}
        # Values that may be paths of files with keys: their names, and whether that is likely.
        self.paths: dict[str, tuple[str, bool]] = {}

    def begin(self) -> None:
        """What was done before has taken half of the time at most."""
        self.end = self.until = max(self.end, time.monotonic() + BOUND / 2)

    def begin_step(self) -> None:
        """A step may take half of the time that is left, so that a large one hides no other."""
        now = time.monotonic()
        self.until = now + (self.end - now) / 2

    def check(self) -> None:
        if time.monotonic() > self.until:
            raise Late

    def add(self, value: bytes, path: str, place: str = "", has_name: bool = True) -> None:
        """`path` leads to it, in a module (`place`) if it is in one. A literal has no name."""
        self.check()
        name = named(path, place)
        is_key = has_name and has_word(path, KEY_WORDS)
        if b"-----BEGIN " in value:
            self.add_pem(value, name)
        else:
            self.note_path(value, name, is_key)
            self.put(value, name, is_key)

    def add_pem(self, value: bytes, name: str) -> None:
        self.put(value, name, True)
        # In the environment a line often ends with the two characters `\n`.
        for found in re.finditer(KEY_IN_PEM, value.replace(b"\\n", b"\n")):
            self.put(found[0], name, True)

    def put(self, value: bytes, name: str, is_key: bool) -> None:
        """The first name of a value counts, unless a later one is that of a key."""
        if not 0 < len(value) <= LONGEST or value in self.keys:
            return
        if is_key:
            self.others.pop(value, None)
        among = self.keys if is_key else self.others
        if len(among) < MOST:
            name = name[:LONGEST_NAME]
            among.setdefault(value, name if name.isprintable() else repr(name)[1:-1])

    def note_path(self, value: bytes, name: str, is_key: bool) -> None:
        if len(value) > 1_000 or len(self.paths) >= MOST_PATHS:
            return
        text = value.decode(errors="replace")
        is_likely = text.lower().endswith(FILE_ENDS)
        if ("/" in text or is_likely) and "://" not in text and text.isprintable():
            self.paths.setdefault(text, (name, is_key or is_likely))

    def verifying(self, value: bytes, at: str) -> list[bytes]:
        """Adds what the app's code verifies tokens with, at a place -> the candidates that it
        is."""
        found = [value, *(one[0] for one in re.finditer(KEY_IN_PEM, value.replace(b"\\n", b"\n")))]
        for one in found:
            if one not in self.others:
                self.put(one, f"the key at {at}", True)
        return found

    def all(self, first: Set[bytes]) -> list[tuple[str, bool, bytes]]:
        """-> [(name, whether it is one of a key, value)], those in `first` and those of keys
        first."""
        found: list[tuple[str, bool, bytes]] = []
        total = 0
        both: Any = chain(
            ((name, True, value) for value, name in self.keys.items()),
            ((name, False, value) for value, name in self.others.items()),
        )
        for one in sorted(both, key=lambda one: one[2] not in first):
            total += len(one[2])
            if len(found) == MOST or total > TOTAL:
                break
            found.append(one)
        return found
