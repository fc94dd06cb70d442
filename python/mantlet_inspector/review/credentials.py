"""Credentials that stand in the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mantlet_inspector.review.keys import literal_at
from mantlet_inspector.review.known import CREDENTIAL, MOST, ends_in, names_password
from mantlet_inspector.review.values import Value

if TYPE_CHECKING:
    from mantlet_inspector.review.frame import Frame

SHORTEST = 4  # characters of a credential; shorter ones are words such as `GET`
LIKE_A_KEY = 8  # characters of a key
# What a credential begins with, and not the credential.
WORDS = {
    "apikey",
    "basic",
    "bearer",
    "bearer ",
    "digest",
    "token",
    "token ",
    "null",
    "undefined",
    "none",
    "string",
}
# What is called like that is a credential, and nothing else.
SURELY = re.compile(
    r"(x[-_])?((access|admin|api|app|auth|bearer|client|internal|secret|security|service|shared|verify|webhook)[-_]?)*"
    r"(token|secret)|(x[-_])?((admin|app|client|internal|service)[-_])?(api|auth|access|secret|admin)[-_]?key",
    re.IGNORECASE,
)


def compared_with_literal(frame: Frame, node: ast.Compare | ast.Call, refusing: bool) -> None:
    """A credential that stands in the code: compared by an operator, or by `compare_digest`. Where
    that does not refuse the caller (401, 403), it may be about something else, unless its name says
    that it is a credential and nothing else."""
    if isinstance(node, ast.Call):
        operands = node.args if ends_in(node.func, "compare_digest") else []
    elif len(node.ops) == 1 and isinstance(node.ops[0], (ast.Eq, ast.NotEq, ast.In, ast.NotIn)):
        operands = [node.left, *node.comparators]
    else:
        operands = []
    # `token.encode()` is followed, too.
    values = [frame.value(one) if isinstance(one, ast.Call) else frame.quietly(one) for one in operands]
    literals = [text for one in values for text in texts_in(one) if len(text) >= SHORTEST]
    if not literals:
        return
    sent = [each for one in values for each in one.sent if not one.pieces]
    names = [one.name.rpartition(".")[2] for one in sent]
    names += [name for one in values if one.credential and not one.store for name in one.rights]
    names += [one.prefix.name for one in values if one.credential and one.prefix is not None]
    names += [frame.reader.aliases[one] for one in sent if one in frame.reader.aliases]
    is_surely_one = any(names_password(name) or SURELY.fullmatch(name) for name in names)
    as_it_came = is_surely_one or any(
        one.location in ("header", "cookie") and CREDENTIAL.search(one.name) for one in sent
    )
    # A part of it, or a claim in it, may be any word: `if claims["typ"] != "access"`.
    of_it = any(one.credential and not one.store for one in values)
    for text in literals:
        is_one = is_surely_one or (as_it_came and refusing)
        is_one = is_one or ((as_it_came or of_it) and is_like_a_key(text))
        if is_one and text.lower() not in WORDS and is_literal(frame, text):
            frame.effects.sign("literal-credential", frame.shown, node.lineno)


def texts_in(value: Value) -> list[str]:
    """Texts that the code has: one, or those of a list, a set or the keys of a dictionary."""
    found = value.live
    if type(found) in (tuple, list, set, frozenset, dict) and len(found) <= MOST:
        return sorted(filter(None, map(as_text, found)))
    inner = [as_text(one.live) for one in (value.keys or {}).values()]
    return [text for text in (as_text(found), *inner) if text]


def comparisons(
    frame: Frame, node: ast.AST, positive: bool = True, depth: int = 0
) -> Iterator[tuple[Any, bool]]:
    """Comparisons in a condition, and whether they hold where it does; of variables, those that
    they were set to."""
    if isinstance(node, ast.Name) and depth < 4:
        made_of = frame.conditions.get(node.id)
        if made_of is not None:
            yield from comparisons(frame, made_of, positive, depth + 1)
        return
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        positive = not positive
    if isinstance(node, ast.Compare):
        is_same = isinstance(node.ops[0], (ast.Eq, ast.In))
        yield node, positive if is_same else not positive
        return
    if isinstance(node, ast.Call) and ends_in(node.func, "compare_digest"):
        yield node, positive
        return
    for one in ast.iter_child_nodes(node):
        yield from comparisons(frame, one, positive, depth)


def as_text(live: Any) -> str:
    """A text, or bytes that are one."""
    if type(live) is bytes:
        return live.decode("utf-8", "replace")
    return live if type(live) is str else ""


def is_like_a_key(text: str) -> bool:
    """Whether a text is more than a word or a few."""
    return len(text) >= LIKE_A_KEY and any(letter.isdigit() for letter in text)


def is_literal(frame: Frame, text: str) -> bool:
    """Whether a text stands in the app's code."""
    known = frame.reader.shared.literals
    if text not in known:
        known[text] = literal_at(text.encode(), frame.reader.shared.modules) is not None
    return known[text]
