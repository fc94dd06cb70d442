"""Names of tables, models and parameters, by their words."""

from __future__ import annotations

import functools
import re

# What stands beside the name of a thing in the name of a class.
ABOUT_CLASSES = {
    *("base", "class", "db", "dto", "entity", "in", "info", "item", "model", "orm", "out", "output"),
    *("public", "read", "record", "response", "row", "schema", "sql", "table", "view", "detail", "details"),
}
PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


@functools.cache
def words(name: str) -> tuple[str, ...]:
    """`OrderItem`, `order_items`, `orderItems` -> `order`, `item(s)`"""
    return tuple(piece.lower() for piece in PIECES.findall(name))


@functools.cache
def singular(word: str) -> str:
    for end, instead in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh")):
        if word.endswith(end) and len(word) > len(end) + 1:
            return word[: -len(end)] + instead
    if word == "people":
        return "person"
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


@functools.cache
def plain(name: str) -> str:
    """`order_items` -> `order_item`"""
    return "_".join(map(singular, words(name)))


@functools.cache
def bare(name: str) -> str:
    """The name of a class without what only says what kind of class it is: `DBOrderModel` ->
    `order`"""
    pieces = list(map(singular, words(name)))
    while len(pieces) > 1 and pieces[-1] in ABOUT_CLASSES - {"item"}:
        pieces.pop()
    while len(pieces) > 1 and pieces[0] in ("db", "orm", "sql"):
        del pieces[0]
    return "_".join(pieces)
