"""Whether a middleware only passes requests on: by reading its source. One that may answer by itself may answer anything.

It passes on if all that it returns is what came back (`call_next`), or if it hands `send` to the app inside and to nobody
else, and if it turns no status into another.
"""

from __future__ import annotations

import ast
import inspect
import textwrap

from .bytecode import is_frameworks, unwrapped

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def passes_on(middleware):
    options = getattr(middleware, "kwargs", getattr(middleware, "options", {}))
    cls = middleware.cls
    try:
        if options.get("dispatch"):
            return returns_what_came(options["dispatch"])
        if isinstance(cls, type) and not is_frameworks(cls):
            if is_frameworks(cls.__call__):  # it derives from Starlette's
                return returns_what_came(cls.dispatch)
            return hands_on_send(cls.__call__)
    except Exception:  # no source, or not one that is understood
        pass
    return False


def source(function):
    tree = ast.parse(textwrap.dedent(inspect.getsource(unwrapped(function)))).body[0]
    return tree, [one.arg for one in tree.args.posonlyargs + tree.args.args]


def returns_what_came(dispatch):
    function, arguments = source(dispatch)
    call_next = arguments[-1]
    assigned, returned = {}, []
    clear = set()  # targets whose value is known
    for node in outside(function):
        if isinstance(node, ast.Return):
            returned.append(node.value)
        for target, value in assignments(node):
            clear.add(target)
            assigned.setdefault(target.id, []).append(value)
    for node in outside(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node not in clear:
            assigned.setdefault(node.id, []).append(None)
    sets_status = any(isinstance(one, ast.Attribute) and is_stored(one, "status_code") for one in ast.walk(function))
    came = [is_call_of(value, call_next) or is_variable(value, assigned, call_next) for value in returned]
    return bool(came) and all(came) and not sets_status and call_next not in assigned


def is_call_of(value, name):
    value = value.value if isinstance(value, ast.Await) else None
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == name


def is_variable(value, assigned, call_next):
    """A variable that holds only what came back, or nothing yet."""
    values = assigned.get(value.id, []) if isinstance(value, ast.Name) else []
    empty = [isinstance(one, ast.Constant) and one.value is None for one in values]
    came = [is_call_of(one, call_next) for one in values]
    return any(came) and all(a or b for a, b in zip(empty, came))


def assignments(node):
    """What a statement puts into which names."""
    if isinstance(node, ast.Assign) and all(isinstance(one, ast.Name) for one in node.targets):
        return [(one, node.value) for one in node.targets]
    if isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and isinstance(node.target, ast.Name):
        return [(node.target, node.value)] if node.value else []
    return []


def hands_on_send(call):
    function, arguments = source(call)
    send = arguments[-1]
    inner = [node for node in ast.walk(function) if isinstance(node, FUNCTIONS) and node is not function]
    senders = {send, *(node.name for node in inner if not isinstance(node, ast.Lambda))}
    handed, used = 0, 0
    for node in outside(function):
        if isinstance(node, ast.Call) and is_inner_app(node.func):
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            handed += sum(isinstance(one, ast.Name) and one.id in senders for one in given)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            used += node.id in senders
    return handed > 0 and used == handed and not any(map(changes_status, inner)) and not contains_start(function)


def is_inner_app(node):
    return isinstance(node, ast.Attribute) and node.attr == "app" and isinstance(node.value, ast.Name)


def changes_status(function):
    for node in ast.walk(function):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            if isinstance(node.slice, ast.Constant) and node.slice.value == "status":
                return True
    return False


def contains_start(function):
    """A head of an answer of its own."""
    return any(
        isinstance(value, ast.Constant) and value.value == "http.response.start"
        for node in ast.walk(function)
        if isinstance(node, ast.Dict)
        for value in node.values
    )


def is_stored(attribute, name):
    return attribute.attr == name and isinstance(attribute.ctx, ast.Store)


def outside(function):
    """The nodes of a function, without those of functions within it."""
    open_nodes = list(ast.iter_child_nodes(function))
    while open_nodes:
        node = open_nodes.pop()
        if not isinstance(node, FUNCTIONS):
            yield node
            open_nodes += ast.iter_child_nodes(node)
