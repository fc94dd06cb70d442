"""Reads one function: its statements, and what it stores where."""

from __future__ import annotations

import ast
from typing import Any

from starlette.exceptions import HTTPException

from mantlet_inspector.proof import values
from mantlet_inspector.proof.facts import DEPTH, GUARDED, STEPS, Unproven
from mantlet_inspector.proof.interpret.calls import Calls
from mantlet_inspector.proof.interpret.expressions import PARTS
from mantlet_inspector.proof.values import FREE, Value, is_harmless, joined
from mantlet_inspector.source import files, memory
from mantlet_inspector.source.places import name_of
from mantlet_inspector.source.trees import constant


class Function(Calls):
    """One function that is read, or one inside another."""

    def run(self, node: Any, arguments: list[Value], named: dict[str, Value]) -> Value:
        if self.depth > 2 * DEPTH:
            raise Unproven("hands the request on too often to be followed")
        parameters = node.args
        names = [one.arg for one in parameters.posonlyargs + parameters.args]
        given = dict(zip(names, arguments))
        rest = arguments[len(names) :]
        if any(not is_harmless(one) for one in rest) and self.looks_at(parameters.vararg, node):
            raise Unproven("takes what it is handed as `*args`")
        for name, value in named.items():
            if name not in names and name not in [one.arg for one in parameters.kwonlyargs]:
                if is_harmless(value) or not self.looks_at(parameters.kwarg, node):
                    continue
                raise Unproven("takes what it is handed as `**kwargs`")
            given[name] = value
        for one in [*parameters.posonlyargs, *parameters.args, *parameters.kwonlyargs]:
            self.names[one.arg] = given.get(one.arg, FREE)
        for one in (parameters.vararg, parameters.kwarg):
            if one is not None:
                self.names[one.arg] = FREE
        body: list[ast.stmt] = node.body if isinstance(node.body, list) else [ast.Return(value=node.body)]
        names_in_it = (one for one in ast.walk(node) if isinstance(one, ast.Name))
        self.assigned = {one.id for one in names_in_it if isinstance(one.ctx, ast.Store)}
        before = None
        # A name in a loop may be read above the line that sets it, so the body is read until
        # nothing changes.
        for _ in range(4):
            self.result = None
            self.block(body)
            now = dict(self.names)
            if now == before:
                break
            before = now
        else:
            raise Unproven("is too tangled to be understood")
        return self.result or values.NOTHING

    def looks_at(self, parameter: ast.arg | None, node: Any) -> bool:
        """Whether a function looks at its `*args` or `**kwargs`. A middleware always counts as one
        that does, since it has to hand requests on."""
        if parameter is None or self.prover.place == "middleware":
            return True
        return any(isinstance(one, ast.Name) and one.id == parameter.arg for one in ast.walk(node))

    # Statements

    def block(self, body: list[ast.stmt]) -> None:
        for statement in body:
            self.statement(statement)

    def statement(self, node: Any) -> None:
        self.prover.steps += 1
        self.prover.place_read = (self.function, node.lineno)
        if self.prover.steps % 64 == 0 and self.prover.place != "middleware":
            memory.current.check()
        if self.prover.steps > STEPS:
            raise Unproven("is too long to be followed")
        method = getattr(self, "on_" + type(node).__name__, None)
        if method is None:
            self.parts(node)
        else:
            method(node)

    def parts(self, node: Any) -> None:
        """A statement that is only the sum of its parts."""
        for _, value in ast.iter_fields(node):
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, ast.expr):
                    self.used(one)
                elif isinstance(one, ast.stmt):
                    self.statement(one)
                elif isinstance(one, ast.AST):
                    self.parts(one)
        # Names that a `match` binds.
        for name in ("name", "rest"):
            bound = getattr(node, name, None)
            if isinstance(bound, str) and type(node).__name__.startswith("Match"):
                self.bind(bound, FREE, node)

    def on_FunctionDef(self, node: Any) -> None:
        for one in node.decorator_list:
            self.used(one)
        for one in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
            self.used(one)
        made = Value("function", data=(node, self))
        if node.decorator_list:
            self.mention(made, node)
            made = FREE
        self.bind(node.name, made, node)

    on_AsyncFunctionDef = on_FunctionDef

    def on_ClassDef(self, node: Any) -> None:
        self.fail("defines a class inside", node)

    def on_Global(self, node: Any) -> None:
        self.elsewhere.update(node.names)

    on_Nonlocal = on_Global

    def on_Pass(self, node: Any) -> None:
        pass

    on_Import = on_ImportFrom = on_Break = on_Continue = on_Pass

    def on_Return(self, node: Any) -> None:
        value = values.NOTHING if node.value is None else self.see(node.value)
        value = self.forced(value)
        if self.result is None:
            self.result = value
            return
        came = joined(self.result, value)
        if came is None:
            self.fail("returns now one thing, now another", node)
        self.result = came

    def forced(self, value: Value) -> Value:
        """A call of another function whose result matters."""
        if value.name == "call":
            function, arguments, named = value.data.value
            try:
                return self.prover.returned(function, arguments, named, self.depth + 1)
            except Unproven:
                return FREE
        return value

    def on_Expr(self, node: Any) -> None:
        self.see(node.value)

    def on_Assign(self, node: Any) -> None:
        first = node.targets[0]
        several = (ast.Tuple, ast.List)
        if len(node.targets) == 1 and isinstance(first, several) and isinstance(node.value, several):
            if len(first.elts) == len(node.value.elts):
                for target, value in zip(first.elts, node.value.elts):
                    self.store(target, self.see(value))
                return
        value = self.see(node.value)
        for target in node.targets:
            self.store(target, value)

    def on_AnnAssign(self, node: Any) -> None:
        if node.value is not None:
            self.store(node.target, self.see(node.value))

    def on_AugAssign(self, node: Any) -> None:
        self.used(node.value)
        if isinstance(node.target, ast.Name):
            if not is_harmless(self.look_up(node.target)):
                self.fail("changes it in place", node)
            return
        self.store(node.target, FREE)

    def on_Delete(self, node: Any) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                continue
            base = self.see(target.value)
            if not is_harmless(base) and base.name != "self":
                self.fail(f"deletes something of {values.said(base)}", node)

    def on_For(self, node: Any) -> None:
        came = self.see(node.iter)
        self.readable(came, node.iter)
        self.store(node.target, PARTS.get(came.name, FREE))
        self.block(node.body)
        self.block(node.orelse)

    on_AsyncFor = on_For

    def on_With(self, node: Any) -> None:
        for one in node.items:
            self.used(one.context_expr)
            if one.optional_vars is not None:
                self.store(one.optional_vars, FREE)
        self.block(node.body)

    on_AsyncWith = on_With

    def on_Try(self, node: Any) -> None:
        self.block(node.body)
        for handler in node.handlers:
            if handler.type is not None:
                self.see(handler.type)
            if handler.name is None:
                self.block(handler.body)
                continue
            told = handler.type is not None and is_http_error(self.see(handler.type))
            # The name is gone after the block.
            before = self.names.get(handler.name)
            self.names[handler.name] = values.EXCEPTION if told else FREE
            self.block(handler.body)
            del self.names[handler.name]
            if before is not None:
                self.names[handler.name] = before
        self.block(node.orelse)
        self.block(node.finalbody)

    on_TryStar = on_Try

    def on_If(self, node: Any) -> None:
        self.readable(self.see(node.test), node.test)
        if self.is_preflight(node.test):
            before, self.result = self.result, None
            self.block(node.body)
            if self.result is not None and self.result.name == "own answer":
                self.prover.facts.preflights, self.result = True, before
            elif self.result is not None and before is not None:
                came = joined(before, self.result)
                self.result = (
                    came if came is not None else self.fail("returns now one thing, now another", node)
                )
            elif self.result is None:
                self.result = before
            self.block(node.orelse)
            return
        self.block(node.body)
        self.block(node.orelse)

    def is_preflight(self, node: Any) -> bool:
        """`request.method == "OPTIONS"`"""
        if not (isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq)):
            return False
        left, right = node.left, node.comparators[0]
        if constant(right) != "OPTIONS" or not isinstance(left, ast.Attribute) or left.attr != "method":
            return False
        return self.see(left.value).name in values.REQUESTS

    def on_While(self, node: Any) -> None:
        self.on_If(node)

    # Storing

    def store(self, target: Any, value: Value) -> None:
        if isinstance(target, ast.Name):
            self.bind(target.id, value, target)
        elif isinstance(target, (ast.Tuple, ast.List)):
            if not is_harmless(value) and value.name not in values.MAPPINGS:
                self.fail(f"takes {values.said(value)} apart", target)
            for one in target.elts:
                self.store(one, FREE)
        elif isinstance(target, ast.Starred):
            self.store(target.value, value)
        elif isinstance(target, ast.Attribute):
            self.store_attribute(target, value)
        elif isinstance(target, ast.Subscript):
            self.store_item(target, value)
        else:
            self.fail("stores in a way that is not understood", target)

    def store_attribute(self, target: Any, value: Value) -> None:
        base = self.see(target.value)
        if base.name == "self":
            me = base.data
            if value.name == "app" and value.sure and self.making:
                me.apps.add(target.attr)
                return
            if target.attr in me.apps or target.attr in ("dispatch", "dispatch_func", "__class__"):
                self.fail(f"puts something else in the place of `{target.attr}`", target)
        elif base.name == "answer":
            if target.attr not in ("background", "media_type", "charset", "headers", "raw_headers"):
                self.answers(f"sets `{target.attr}` of what the app answered", target)
            return self.harmless(value, target)
        elif base.name in ("refusal", "own answer"):
            if target.attr in ("status_code", "__class__"):
                self.fail("changes the status of its own answer", target)
        elif base.name == "value":
            held = base.data.value
            if files.is_frameworks(held) or files.is_frameworks(type(held)) or target.attr in GUARDED:
                self.fail(f"changes `{name_of(held)}`", target)
        elif base.name not in ("free", "object", "call", "exception"):
            self.fail(f"sets `{target.attr}` of {values.said(base)}", target)
        self.harmless(value, target)

    def store_item(self, target: Any, value: Value) -> None:
        base = self.see(target.value)
        self.used(target.slice)
        self.harmless(value, target)
        key = constant(target.slice)
        if base.name == "scope":
            if not isinstance(key, str) or key in values.TAKEN or values.is_private(key):
                self.fail(f"writes {key!r} into the scope" if key else "writes into the scope", target)
        elif base.name == "message":
            if key != "headers":
                self.answers("changes what the app answers", target)
        elif base.name not in ("free", "value", "object", "call"):
            self.fail(f"writes into {values.said(base)}", target)


def is_http_error(value: Value) -> bool:
    """Whether exceptions have a status that is looked at elsewhere (`exceptions.py`)."""
    held = value.data.value if value.name == "value" else None
    return isinstance(held, type) and issubclass(held, HTTPException)
