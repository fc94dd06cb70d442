"""Follows values through a function: from what a client sends to what is done with it.

Both ways of a branch are followed, loops once. A value that was compared with something, or handed
to a function that only judges it, counts as validated from there on: what follows is not reported.
"""

from __future__ import annotations

import ast
import dataclasses
import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from mantlet_inspector.review import calls, credentials, known, refusals, texts
from mantlet_inspector.review.effects import below_project
from mantlet_inspector.review.values import NOTHING, Value, depending, field_value, join, live
from mantlet_inspector.source.lookup import UNKNOWN, attribute_of, value_of
from mantlet_inspector.source.objects import is_class, is_module
from mantlet_inspector.source.stored import bases_of, class_name, names_of

if TYPE_CHECKING:
    from mantlet_inspector.review.reader import Reader

ENDS = (ast.Return, ast.Raise, ast.Continue, ast.Break)
UNREAD = Value()


class Frame:
    """A call of a function."""

    def __init__(self, reader: Reader, function: Any, names: dict[str, Value], depth: int) -> None:
        self.reader = reader
        self.effects = reader.effects
        self.function = function
        self.file = function.__code__.co_filename
        self.shown = below_project(self.file) or ""
        self.names = names
        self.depth = depth
        self.returned: list[Value] = []
        self.conditions: dict[str, ast.expr] = {}  # what variables were set to
        self.blocks: list[tuple[list[ast.stmt], int]] = []  # those that are read, and where

    # Statements

    def block(self, nodes: list[ast.stmt]) -> bool:
        """-> whether what follows is not reached"""
        last = False
        for number, node in enumerate(nodes):
            self.blocks.append((nodes, number))
            last = self.statement(node)
            self.blocks.pop()
        return last or any(isinstance(one, ENDS) for one in nodes)

    def following(self) -> list[ast.stmt]:
        """What runs after the statement that is read, up to where that ends."""
        found: list[ast.stmt] = []
        for nodes, number in reversed(self.blocks):
            for one in nodes[number + 1 :]:
                found.append(one)
                if isinstance(one, ENDS):
                    return found
        return found

    def statement(self, node: ast.stmt) -> bool:
        self.reader.step()
        handle = STATEMENTS.get(type(node))
        return bool(handle(self, node)) if handle is not None else False

    def expression(self, node: Any) -> None:
        value = self.value(node.value)
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(call, ast.Call):
            calls.judged(self, call, value)

    def assign(self, node: Any) -> None:
        if node.value is None:
            return
        value = self.value(node.value)
        if isinstance(node, ast.AnnAssign) and value.cls is None and value.live is NOTHING:
            value = self.annotated(value, node.annotation)
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            self.bind(target, value, node)
            if isinstance(target, ast.Name) and isinstance(node.value, CONDITIONS):
                self.conditions[target.id] = node.value
            elif isinstance(target, ast.Name):
                self.conditions.pop(target.id, None)

    def annotated(self, value: Value, annotation: ast.expr) -> Value:
        named = self.value(annotation).live
        return value if not is_class(named) or value.store or value.sent else join(value, Value(cls=named))

    def augmented(self, node: ast.AugAssign) -> None:
        before = self.value(node.target)
        value = texts.combined(self, node.op, before, self.value(node.value), node)
        self.bind(node.target, value, node)

    def bind(self, target: Any, value: Value, node: Any) -> None:
        if isinstance(target, ast.Name):
            self.names[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            for number, one in enumerate(target.elts):
                inner = one.value if isinstance(one, ast.Starred) else one
                self.bind(inner, known.part(value, number, len(target.elts)), node)
        elif isinstance(target, ast.Attribute):
            known.set_attribute(self, self.value(target.value), target.attr, value, node)
        elif isinstance(target, ast.Subscript):
            key = self.value(target.slice)
            known.set_item(
                self, known.changed(self, self.value(target.value), target.value), key, value, node
            )

    def conditional(self, node: ast.If) -> bool:
        known_to_be = self.quietly(node.test).live if isinstance(node.test, ast.Name) else NOTHING
        if known_to_be is None or known_to_be is False:  # an option that is not given
            return self.block(node.orelse) if node.orelse else False
        self.test(node.test, node.body, node.orelse)
        before = dict(self.names)
        ends = self.block(node.body)
        after = self.names
        self.names = before
        other_ends = self.block(node.orelse) if node.orelse else False
        if ends and not other_ends:
            return False
        if other_ends:
            self.names = after
            return ends
        for name in after.keys() | self.names.keys():
            one, other = after.get(name), self.names.get(name)
            self.names[name] = join(one, other) if one is not None and other is not None else (one or other)  # pyright: ignore
        return False

    def test(self, node: ast.expr, body: list[Any], orelse: list[Any]) -> None:
        """What is judged is validated; where the caller is judged and refused, that is asked
        for."""
        self.value(node)
        beside: list[ast.If] = []
        if body and not orelse and isinstance(body[-1], ast.Return) and self.blocks:
            # `if me.is_admin: return order`, and `raise` after it.
            orelse = self.following()
            beside = [one for one in self.blocks[-1][0] if isinstance(one, ast.If)]
        statuses = [refusals.refusal_in(self, part) for part in (body, orelse)]
        status = next((one for one in statuses if one is not None), None)
        refusing = status is not None
        parts = [part for part in (body, orelse) if isinstance(part, list)]
        if any(statuses) or refusing:
            self.demanded(node, statuses[0] is not None)
        raising = [
            statuses[number] is not None or any(isinstance(one, ast.Raise) for one in part)
            for number, part in enumerate(parts)
        ]
        for one, is_same in credentials.comparisons(self, node) if any(raising) else ():
            if all(raising) or raising[0] != is_same:  # what differs is refused
                credentials.compared_with_literal(self, one, refusing)
        for one in ast.walk(node):
            if isinstance(one, ast.Compare):
                known.compared(self, one)
            elif isinstance(one, ast.Call) and not known.is_length(one):
                for argument in one.args:
                    self.validated(self.quietly(argument))
                if isinstance(one.func, ast.Attribute):  # `url.startswith("/")`
                    receiver = self.quietly(one.func.value)
                    self.reader.validated |= receiver.sent
        if status is not None:
            # `if order.owner != me.id and not me.is_admin`: a right in place of being the owner.
            is_either = isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And)
            is_excuse = is_either and any(map(self.is_about_owner, ast.walk(node)))
            is_excuse |= any(self.is_about_owner(each) for one in beside for each in ast.walk(one.test))
            names = refusals.are_rights(self, set(self.asked(node)), status)
            (self.effects.excuses if is_excuse else self.effects.asks).update(names)

    def demanded(self, node: ast.expr, is_where_true: bool) -> None:
        """Callers who do not say who they are are refused: `if user is None: raise`."""
        if isinstance(node, ast.BoolOp):
            for one in node.values:
                self.demanded(one, is_where_true)
            return
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            node, is_where_true = node.operand, not is_where_true
        elif isinstance(node, ast.Compare) and known.is_none(node.comparators[0]):
            is_where_true ^= isinstance(node.ops[0], (ast.Is, ast.Eq))
            node = node.left
        if isinstance(node, (ast.Name, ast.Attribute)) and not is_where_true:
            found = self.quietly(node)
            self.effects.demands |= found.caller and found.absent

    def asked(self, node: ast.expr) -> Iterator[str]:
        """Attributes of the caller in a condition. One that is compared with an object, or with
        what the client has sent, says whose that is, not what the caller may do."""
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            values = [self.quietly(one) for one in operands]
            if known.is_about_objects(values):
                return
            if any(map(known.is_none, operands)):  # whether there is one says nothing of it
                operands = [one for one in operands if not isinstance(one, ast.Name)]
            for one in operands:
                yield from self.name(one).rights if isinstance(one, ast.Name) else self.asked(one)
            return
        if isinstance(node, ast.Name):
            found = self.name(node)
            # A part of a credential may be there or not.
            yield from found.rights if found.caller and not self.reader.finds_caller else ()
            return
        if isinstance(node, COMPREHENSIONS):
            yield from self.asked_of_each(node)
            return
        inner, name = known.attribute_in(node)
        if name and self.quietly(inner).caller:
            own = self.quietly(node).rights if isinstance(node, ast.Attribute) else ()
            yield from own or [name]
            return
        if isinstance(node, ast.Call):
            yield from self.asked_by(node)
            return
        for one in ast.iter_child_nodes(node):
            if isinstance(one, ast.expr):
                yield from self.asked(one)

    def asked_by(self, node: ast.Call) -> Iterator[str]:
        """Functions that are told who is calling, and methods of the caller's own class."""
        called = self.quietly(node.func)
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        holds = [self.quietly(one) for one in (*node.args, *(key.value for key in node.keywords))]
        is_told = any(one.caller and not one.credential for one in holds) and not called.caller
        if (called.caller and called.method is not None) or (
            is_told and not known.is_about_objects(holds) and not known.is_plain(called, name)
        ):
            yield name
        within = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        for one in (*within, *node.args):
            yield from self.asked(one)

    def asked_of_each(self, node: Any) -> Iterator[str]:
        """`any(role in self.roles for role in me.roles)`"""
        names = dict(self.names)
        for one in node.generators:
            yield from self.asked(one.iter)
            self.bind(one.target, self.each(self.quietly(one.iter)), node)
        tests = [test for one in node.generators for test in one.ifs]
        for one in (*tests, *([node.elt] if not isinstance(node, ast.DictComp) else [])):
            yield from self.asked(one)
        self.names = names

    def each(self, value: Value) -> Value:
        """What stands in it."""
        item = known.item_of(self, value)
        if not value.rights or item.rights:
            return item
        return dataclasses.replace(item, rights=value.rights, caller=True, cls=None)

    def is_about_owner(self, node: ast.AST) -> bool:
        """Whether the caller is compared with an object, or with what the client has sent."""
        if isinstance(node, ast.Name):
            return self.name(node).of_owner
        if not isinstance(node, ast.Compare):
            return False
        values = [self.quietly(one) for one in (node.left, *node.comparators)]
        return any(one.caller for one in values) and known.is_about_objects(values)

    def validated(self, value: Value) -> None:
        self.reader.validated |= value.sent | value.from_sent

    def loop(self, node: Any) -> None:
        self.bind(node.target, self.each(self.value(node.iter)), node)
        self.block(node.body)
        self.block(node.orelse)

    def repeated(self, node: ast.While) -> None:
        self.test(node.test, node.body, [])
        self.block(node.body)

    def within(self, node: Any) -> None:
        for one in node.items:
            value = self.value(one.context_expr)
            if one.optional_vars is not None:
                self.bind(one.optional_vars, known.entered(value), node)
        self.block(node.body)

    def attempt(self, node: Any) -> bool:
        demands = self.effects.demands
        ends = self.block(node.body)
        if any(not any(isinstance(one, ast.Raise) for one in handler.body) for handler in node.handlers):
            self.effects.demands = demands  # what refuses is caught
        for handler in node.handlers:
            before = dict(self.names)
            caught = None if known.only_parses(self, node.body) else known.error_class(self, handler.type)
            if handler.name:
                self.names[handler.name] = Value(error=caught)
            self.block(handler.body)
            if any(isinstance(one, ENDS) for one in handler.body):
                self.names = before
        ends = self.block(node.orelse) or ends if node.orelse else ends
        self.block(node.finalbody)
        return False

    def returns(self, node: ast.Return) -> bool:
        if node.value is not None:
            value = self.value(node.value)
            known.shown(self, value, node)
            self.returned.append(value)
        return True

    def raises(self, node: ast.Raise) -> bool:
        self.effects.raises = True
        if node.exc is not None:
            self.value(node.exc)
        return True

    def removed(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Subscript):
                known.remove_item(
                    self,
                    known.changed(self, self.value(target.value), target.value),
                    self.value(target.slice),
                )

    def asserted(self, node: ast.Assert) -> None:
        self.test(node.test, [], [])

    def matched(self, node: Any) -> None:
        self.validated(self.value(node.subject))
        statuses = [refusals.refusal_in(self, case.body) for case in node.cases]
        status = next((one for one in statuses if one is not None), None)
        if status is not None:
            self.effects.asks |= refusals.are_rights(self, set(self.asked(node.subject)), status)
        for case in node.cases:
            self.block(case.body)

    def defined(self, node: Any) -> None:
        self.names[node.name] = UNREAD

    def imported(self, node: Any) -> None:
        for name, found in known.imports(self, node):
            self.names[name] = found

    # Expressions

    def value(self, node: Any) -> Value:
        self.reader.step()
        handle = EXPRESSIONS.get(type(node))
        if handle is not None:
            return handle(self, node)
        return depending([self.value(one) for one in ast.iter_child_nodes(node) if isinstance(one, ast.expr)])

    def quietly(self, node: Any) -> Value:
        """A value, without a second look at what making it does."""
        if isinstance(node, ast.Name):
            return self.name(node)
        if isinstance(node, ast.Constant):
            return live(node.value)
        if isinstance(node, ast.Attribute):
            return self.attribute_from(self.quietly(node.value), node.attr)
        if isinstance(node, ast.Subscript):
            return known.subscript(self, self.quietly(node.value), self.quietly(node.slice), quiet=True)
        if isinstance(node, ast.Await):
            return self.quietly(node.value)
        if isinstance(node, ast.NamedExpr):
            return self.name(node.target)
        if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
            return self.listed(node)
        inner = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            inner[0] = node.func.value  # the name of a method says nothing
        return depending([self.quietly(one) for one in inner if isinstance(one, ast.expr)])

    def name(self, node: ast.Name) -> Value:
        if node.id in self.names:
            found = self.names[node.id]
            self.effects.checks |= found.credential
            return found
        found = value_of(self.function, node.id)
        if found is UNKNOWN:
            return Value()
        return self.held(found, node.id)

    def held(self, found: Any, name: str) -> Value:
        """An object that an app has while it runs."""
        if type(found) in known.CONTAINERS and not known.is_constant(found):
            return Value(live=found, store=self.reader.shared.store_of(found, name))
        return live(found)

    def attribute(self, node: ast.Attribute) -> Value:
        return self.attribute_from(self.value(node.value), node.attr)

    def attribute_from(self, value: Value, name: str) -> Value:
        found = self.attribute_of(value, name)
        if value.caller and found.live is NOTHING and found.method is None and not found.rights:
            is_part = name in ("value", "name") and bool(value.rights)  # of a choice
            found = dataclasses.replace(
                found, caller=True, rights=value.rights if is_part else frozenset([name])
            )
        if found.sent & self.reader.validated:
            found = depending([found])
        return found

    def attribute_of(self, value: Value, name: str) -> Value:
        if value.attributes and name in value.attributes:
            return value.attributes[name]
        if value.model is not None:
            field = field_value(value, name)
            if field is not None:
                return field
        if value.cls is Request and name in known.OF_CALLERS:
            if name != "headers":
                self.effects.caller = True
            return Value(caller=name != "headers", verb=name, credential=True)
        if is_class(value.live):
            table = self.reader.shared.table_of(value.live)
            if table is not None and (name in table.columns or name in table.related):
                return Value(store=table.name, column=name, cls=value.live)
        if value.live is not NOTHING:
            found = attribute_of(value.live, name)
            if found is not UNKNOWN:
                owner = value.live if is_class(value.live) else type(value.live)
                label = name if is_module(value.live) else f"{class_name(owner)}.{name}"
                return self.held(found, label)
            return depending([value])
        if value.cls is not None and not known.is_row(self, value):
            method = next((names_of(one)[name] for one in bases_of(value.cls) if name in names_of(one)), None)
            if isinstance(method, (staticmethod, classmethod)):
                bound = value if type(method) is staticmethod else live(value.cls)
                return (
                    Value(method=(bound, method.__func__))
                    if type(method) is classmethod
                    else live(method.__func__)
                )
            if type(method) is types.FunctionType:
                return Value(method=(value, method), caller=value.caller)
            if is_class(method):  # `model = Order` of a repository
                return live(method)
            if is_class(value.cls) and name in annotations_of(value.cls):
                named = known.of_annotation(annotations_of(value.cls)[name], value.cls)
                return join(named, depending([value]))
        if value.store is not None:
            return Value(
                store=value.store,
                column=name,
                caller=value.caller,
                cls=value.cls,
                made=value.made,
                verb=value.verb,
            )
        if value.error:
            return Value(error=value.error)
        made = depending([value])
        made.seconds = value.seconds
        made.item = None
        return made

    def subscripted(self, node: ast.Subscript) -> Value:
        return known.subscript(self, self.value(node.value), self.value(node.slice))

    def call(self, node: ast.Call) -> Value:
        return calls.call(self, node)

    def joined(self, node: ast.JoinedStr) -> Value:
        return texts.text(
            [
                self.value(one.value) if isinstance(one, ast.FormattedValue) else self.value(one)
                for one in node.values
            ]
        )

    def combined(self, node: ast.BinOp) -> Value:
        return texts.combined(self, node.op, self.value(node.left), self.value(node.right), node)

    def either(self, node: Any) -> Value:
        if isinstance(node, ast.IfExp):
            self.test(node.test, [], [])
            return join(self.value(node.body), self.value(node.orelse))
        found = [self.value(one) for one in node.values]
        made = found[0]
        for one in found[1:]:
            made = join(made, one)
        return made

    def compare(self, node: ast.Compare) -> Value:
        return known.comparison(self, node, [self.value(one) for one in (node.left, *node.comparators)])

    def constant(self, node: ast.Constant) -> Value:
        return live(node.value)

    def awaited(self, node: Any) -> Value:
        return self.value(node.value) if node.value is not None else Value()

    def yielded(self, node: ast.Yield) -> Value:
        self.returned.append(self.awaited(node))
        return Value()

    def listed(self, node: Any) -> Value:
        found = [self.value(one.value if isinstance(one, ast.Starred) else one) for one in node.elts]
        made = depending(found)
        made.keys = {str(number): one for number, one in enumerate(found)}
        made.is_whole = not any(isinstance(one, ast.Starred) for one in node.elts)
        for one in found:
            made.item = one if made.item is None else join(made.item, one)
        made.error = next((one.error for one in found if one.error), None)
        return made

    def mapped(self, node: ast.Dict) -> Value:
        keys, made = {}, Value(keys={})
        for key, one in zip(node.keys, node.values):
            value = self.value(one)
            name = self.value(key).live if key is not None else None
            if key is None:
                made = texts.merged(made, value)
            elif type(name) is str:
                keys[name] = value
            else:
                made.is_whole = False
            made.error = made.error or value.error
        found = depending([made, *keys.values()])
        made.caller |= found.caller
        made.from_sent |= found.from_sent
        made.keys = {**(made.keys or {}), **keys}
        return made

    def comprehension(self, node: Any) -> Value:
        names, rights = dict(self.names), frozenset[str]()
        source = Value()
        for one in node.generators:
            source = self.value(one.iter)
            self.bind(one.target, self.each(source), node)
            for test in one.ifs:
                rights |= self.value(test).rights
                self.test(test, [], [])
        if isinstance(node, ast.DictComp):
            key, value = self.value(node.key), self.value(node.value)
            made = Value(store=source.store, fields=source.fields, any_field=source.any_field)
            made.from_sent = key.from_sent | value.from_sent
        else:
            item = self.value(node.elt)
            rights |= item.rights
            made = Value(item=item, caller=source.caller or bool(rights), rights=rights)
            made.store, made.is_partial, made.sent = item.store, item.is_partial, frozenset()
            made.error = item.error
        self.names = names
        return made

    def named(self, node: ast.NamedExpr) -> Value:
        value = self.value(node.value)
        self.bind(node.target, value, node)
        return value

    # Functions

    def run(self, node: Any) -> Value:
        if isinstance(node, ast.Lambda):
            return self.value(node.body)
        self.block(node.body)
        made = self.returned[0] if self.returned else Value()
        for one in self.returned[1:]:
            made = join(made, one)
        return made


def annotations_of(cls: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for base in reversed(bases_of(cls)):
        own = names_of(base).get("__annotations__")
        found.update(own if isinstance(own, dict) else {})
    return found


CONDITIONS = (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.Call)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
STATEMENTS: dict[Any, Any] = {
    ast.Expr: Frame.expression,
    ast.Assign: Frame.assign,
    ast.AnnAssign: Frame.assign,
    ast.AugAssign: Frame.augmented,
    ast.If: Frame.conditional,
    ast.For: Frame.loop,
    ast.AsyncFor: Frame.loop,
    ast.While: Frame.repeated,
    ast.With: Frame.within,
    ast.AsyncWith: Frame.within,
    ast.Try: Frame.attempt,
    ast.Return: Frame.returns,
    ast.Raise: Frame.raises,
    ast.Delete: Frame.removed,
    ast.Assert: Frame.asserted,
    ast.FunctionDef: Frame.defined,
    ast.AsyncFunctionDef: Frame.defined,
    ast.ClassDef: Frame.defined,
    ast.Import: Frame.imported,
    ast.ImportFrom: Frame.imported,
    **({ast.Match: Frame.matched} if hasattr(ast, "Match") else {}),
    getattr(ast, "TryStar", None): Frame.attempt,
}
EXPRESSIONS: dict[Any, Any] = {
    ast.Name: Frame.name,
    ast.Attribute: Frame.attribute,
    ast.Subscript: Frame.subscripted,
    ast.Call: Frame.call,
    ast.JoinedStr: Frame.joined,
    ast.BinOp: Frame.combined,
    ast.BoolOp: Frame.either,
    ast.IfExp: Frame.either,
    ast.Compare: Frame.compare,
    ast.Constant: Frame.constant,
    ast.Await: Frame.awaited,
    ast.Yield: Frame.yielded,
    ast.Starred: Frame.awaited,
    ast.FormattedValue: Frame.awaited,
    ast.List: Frame.listed,
    ast.Tuple: Frame.listed,
    ast.Set: Frame.listed,
    ast.Dict: Frame.mapped,
    ast.ListComp: Frame.comprehension,
    ast.SetComp: Frame.comprehension,
    ast.GeneratorExp: Frame.comprehension,
    ast.DictComp: Frame.comprehension,
    ast.NamedExpr: Frame.named,
}
