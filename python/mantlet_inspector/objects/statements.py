"""`CREATE TABLE` in the texts of an app."""

from __future__ import annotations

import re
from collections.abc import Iterator

NAME = r'(?:[\w$]+|"[^"]+"|`[^`]+`|\[[^\]]+\])'
CREATE = re.compile(rf"\bcreate\s+table\s+(?:if\s+not\s+exists\s+)?({NAME}(?:\.{NAME})?)\s*\(", re.IGNORECASE)
COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
REFERENCES = re.compile(rf"\breferences\s+({NAME}(?:\.{NAME})?)\s*(?:\(([^)]*)\))?", re.IGNORECASE)
CONSTRAINT = re.compile(
    rf"^(?:constraint\s+{NAME}\s+)?(primary\s+key|foreign\s+key|unique)\s*\(([^)]*)\)", re.I
)
OTHER = re.compile(r"^(?:constraint|check|exclude|key|index|like)\b", re.IGNORECASE)
COLUMN = re.compile(rf"^({NAME})\s*(.*)$", re.DOTALL)
KINDS = (
    ("bool", "flag"),
    ("uuid", "uuid"),
    ("int", "number"),
    ("serial", "number"),
    ("char", "text"),
    ("text", "text"),
)


class Statement:
    def __init__(self, name: str) -> None:
        self.name = name
        self.columns: dict[str, tuple[str, bool]] = {}
        self.key: list[str] = []
        self.references: list[tuple[tuple[str, ...], str, tuple[str, ...]]] = []
        self.unique: list[list[str]] = []


def read(text: str) -> Iterator[Statement]:
    text = COMMENT.sub(" ", text)
    for begun in CREATE.finditer(text):
        statement = Statement(unquoted(begun[1]))
        for part in parts(text, begun.end()):
            add(statement, part)
        if statement.columns:
            yield statement


def parts(text: str, at: int) -> Iterator[str]:
    """What stands between the commas, up to the end of the parenthesis."""
    depth, begun = 1, at
    for at in range(begun, len(text)):
        if text[at] == "(":
            depth += 1
        elif text[at] == ")":
            depth -= 1
        if depth == 0 or (depth == 1 and text[at] == ","):
            yield text[begun:at].strip()
            begun = at + 1
        if depth == 0:
            return


def add(statement: Statement, part: str) -> None:
    constraint = CONSTRAINT.match(part)
    if constraint:
        kind, names = constraint[1].lower(), listed(constraint[2])
        target = REFERENCES.search(part)
        if kind.startswith("primary"):
            statement.key = names
        elif kind == "unique":
            statement.unique.append(names)
        elif target:
            statement.references.append((tuple(names), unquoted(target[1]), tuple(listed(target[2]))))
        return
    column = COLUMN.match(part)
    if OTHER.match(part) or not column:
        return
    name, rest = unquoted(column[1]), column[2].lower()
    kind = next((kind for word, kind in KINDS if word in rest.partition(" ")[0]), "other")
    is_key = re.search(r"\bprimary\s+key\b", rest) is not None
    statement.columns[name] = (kind, not is_key and re.search(r"\bnot\s+null\b", rest) is None)
    if is_key:
        statement.key = [name]
    if re.search(r"\bunique\b", rest):
        statement.unique.append([name])
    target = REFERENCES.search(column[2])
    if target:
        statement.references.append(((name,), unquoted(target[1]), tuple(listed(target[2]))))


def listed(names: str | None) -> list[str]:
    return [unquoted(name.strip()) for name in (names or "").split(",") if name.strip()]


def unquoted(name: str) -> str:
    return ".".join(part.strip('"`[]') for part in name.split("."))
