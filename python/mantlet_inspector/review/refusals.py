"""How code refuses a caller, and for want of which rights."""

from __future__ import annotations

import ast
import re
import types
from typing import TYPE_CHECKING, Any

from mantlet_inspector.review.known import is_http_exception
from mantlet_inspector.source import files
from mantlet_inspector.source.objects import is_class
from mantlet_inspector.source.stored import bases_of, class_name
from mantlet_inspector.source.trees import node_of

if TYPE_CHECKING:
    from mantlet_inspector.review.frame import Frame

DENYING = re.compile(r"permission|forbid|denied|privilege", re.IGNORECASE)
REFUSALS = (401, 403, 404)
# Parts of a token (RFC 7519) that say nothing of what its holder may do.
CLAIMS = {
    *("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "typ", "type", "token_type", "kind", "purpose"),
    *("ver", "version", "token_version", "scope", "scopes", "get", "id"),
}
# Those that no app takes for a right, wherever they are judged.
OF_TOKENS = {"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "typ", "token_type"}


def refusal_in(frame: Frame, nodes: Any) -> int | None:
    """The status with which statements refuse whoever is calling, 0 if it is not known; none if
    they do not."""
    for node in nodes if isinstance(nodes, list) else []:
        if isinstance(node, (ast.Expr, ast.Return)) and isinstance(node.value, ast.Call):
            status = refusal_by(frame, node.value, isinstance(node, ast.Return))
            if status is not None:
                return status
        if isinstance(node, ast.Raise) and node.exc is not None:
            call = node.exc if isinstance(node.exc, ast.Call) else None
            value = frame.quietly(call.func if call is not None else node.exc)
            if not is_http_exception(value.live):
                named = class_name(value.live) if is_class(value.live) else ""
                return 403 if DENYING.search(named) else 0
            status = status_of(frame, call)
            return status if status in REFUSALS else (0 if status is None else None)
    return None


def refusal_by(frame: Frame, call: ast.Call, is_answer: bool) -> int | None:
    """The status of a response that the code makes itself, or with which a function of the app's
    refuses whenever it is called."""
    found = frame.quietly(call.func)
    function = found.method[1] if found.method is not None else found.live
    if is_class(function):
        names = {class_name(one) for one in bases_of(function)}
        status = status_of(frame, call, 1) if is_answer and "Response" in names else None
        return status if status in (401, 403) else None
    if type(function) is not types.FunctionType or files.is_installed(files.file_of(function)):
        return None
    node = node_of(function)
    if node is None or frame.depth > 2 or not isinstance(getattr(node, "body", None), list):
        return None
    raising = [one for one in node.body if isinstance(one, ast.Raise)]
    return refusal_in(type(frame)(frame.reader, function, {}, frame.depth + 1), raising[:1])


def are_rights(frame: Frame, names: set[str], status: int) -> set[str]:
    """Those attributes that say what a caller may do. Where a credential is read, others say that
    it is no good."""
    if not frame.reader.finds_caller:
        return names - OF_TOKENS
    return names - CLAIMS if status in (403, 404) else set()


def status_of(frame: Frame, call: ast.Call | None, index: int = 0) -> int | None:
    if call is None:
        return None
    given = next((one.value for one in call.keywords if one.arg == "status_code"), None)
    given = given if given is not None else (call.args[index] if len(call.args) > index else None)
    found = frame.quietly(given).live if given is not None else None
    return found if isinstance(found, int) else None
