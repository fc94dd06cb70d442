"""Variables, and the files of variables that an app may read: `.env` and its like."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from mantlet_inspector.candidates.found import LONGEST, LONGEST_TEXT, Found

MOST_FILES = 32
# As python-dotenv reads it, but for `${OTHER}` in a value.
LINE = (
    r"""(?ms)^[ \t]*(?:export[ \t]+)?'?([^=\s#'"]+)'?[ \t]*=[ \t]*"""
    r"""(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^'"\s][^\r\n]*?|))"""
    r"""[ \t]*(?:(?<=\s)\#[^\r\n]*)?$"""
)
ESCAPED = r"""\\([\\'"abfnrtv])"""
ESCAPES = dict(zip("abfnrtv", "\a\b\f\n\r\t\v"))


def add_variables(found: Found) -> None:
    for name, value in list(os.environb.items()):
        found.add(value, f"the variable {os.fsdecode(name)}")


def files_in(folders: list[Path]) -> Iterator[str]:
    """`.env` first."""
    for folder in dict.fromkeys(folders):
        yield os.path.join(folder, ".env")
        yield from sorted(glob.glob(os.path.join(glob.escape(str(folder)), ".env.*")))


def add_files(found: Found, files: list[str]) -> None:
    for file in list(dict.fromkeys(map(os.path.abspath, files)))[:MOST_FILES]:
        content = read(file, LONGEST_TEXT)
        if content is None:
            continue
        for name, value in variables_in(content.decode("utf-8-sig", "replace")):
            found.add(value.encode(errors="replace"), name, shown(file))


def variables_in(text: str) -> Iterator[tuple[str, str]]:
    for line in re.finditer(LINE, text):
        name, single, double, plain = line.groups()
        if double is not None:
            yield name, re.sub(ESCAPED, lambda one: ESCAPES.get(one[1], one[1]), double)
        elif single is not None:
            yield name, re.sub(r"\\([\\'])", r"\1", single)
        else:
            yield name, plain


def add_secrets(found: Found, folders: list[str]) -> None:
    """Folders with a file for each secret, as Docker has them."""
    for folder in folders:
        try:
            names = sorted(os.listdir(folder))[:MOST_FILES]
        except OSError:
            continue
        for name in names:
            content = read(os.path.join(folder, name), LONGEST)
            if content is not None:
                found.add(content.strip(), name, shown(folder))


def add_named_files(found: Found, folders: list[Path]) -> None:
    """Keys in files whose paths are values of the app."""
    paths, found.paths = found.paths, {}
    for path, (name, _) in sorted(paths.items(), key=lambda one: not one[1][1])[: MOST_FILES * 8]:
        found.check()
        for folder in folders:
            content = read(os.path.join(folder, path), LONGEST_TEXT)
            if content is not None and content.lstrip().startswith(b"-----BEGIN "):
                found.add_pem(content, f"the file that {name} names")
                break


def read(file: str, most: int) -> bytes | None:
    """A regular file that is not larger. One that is not regular is not waited for."""
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):
            return None
        # It may have been replaced meanwhile.
        with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
            content = opened.read(most + 1)
    except (OSError, ValueError):
        return None
    return content if content and len(content) <= most else None


def shown(path: str) -> str:
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative
