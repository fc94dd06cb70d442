"""What the files of the app name, as text: a hint of what it may do, never a proof."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Iterator

from mantlet_inspector.source import files
from mantlet_inspector.source.objects import is_module

# The header and the scheme of RFC 9449, as code writes them.
DPOP = (b"dpop", b"DPoP", b"DPOP", b"Dpop")
NATIVE = (".so", ".pyd")


def names_dpop() -> bool:
    """-> whether the app, or a package that it has imported, may read proofs (DPoP) itself.
    Compiled code keeps its texts, too."""
    return any(names(file, DPOP) for file in loaded())


def loaded() -> Iterator[str]:
    """The files of all modules that are neither Python's, nor of the frameworks, nor ours."""
    seen = set()
    for module in list(sys.modules.values()):
        file = files.file_in(module) if is_module(module) else ""
        if not isinstance(file, str) or file in seen or files.is_standard(file):
            continue
        seen.add(file)
        # Native code of packages is large, and does not read requests.
        is_of_package = file.endswith(NATIVE) and files.is_installed(file)
        if not file.startswith((*files.FRAMEWORKS, files.OURS)) and not is_of_package:
            yield file


def names(file: str, texts: tuple[bytes, ...]) -> bool:
    try:
        with open(file, "rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as held:
            return any(held.find(text) >= 0 for text in texts)
    except (OSError, ValueError):  # it is not a file any more, or empty
        return False
