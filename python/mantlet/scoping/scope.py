"""`mantlet.scope`: each query of a session sees the caller's own rows alone."""

from __future__ import annotations

import functools
import inspect
import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Delete, Insert, TextClause, TextualSelect, Update, event
from sqlalchemy import inspect as inspection
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import (
    FromStatement,
    Mapper,
    ORMExecuteState,
    Session,
    UOWTransaction,
    configure_mappers,
    object_session,
    scoped_session,
    sessionmaker,
)

from mantlet.caller import Principal, current_principal, is_after_request, is_in_request
from mantlet.errors import NotScopable, ScopeError
from mantlet.middleware import CallerMiddleware
from mantlet.scoping import row_security
from mantlet.scoping.owners import Owned, Owner, Value, as_type, find, rows, subject
from mantlet.scoping.statements import (
    OLDEST,
    UNSCOPED,
    VERSION,
    Owners,
    OwnRows,
    check,
    check_insert,
    check_options,
    check_properties,
    check_update,
    entity_of,
    limited_options,
)
from mantlet.without_scope import is_unscoped

LOG = logging.getLogger("mantlet")
CHUNK = 500  # objects of a flush that one query checks
BULK = ("bulk_save_objects", "bulk_insert_mappings", "bulk_update_mappings")
MARK = "__mantlet_scope__"
CHECKED = "mantlet.checked"  # in `Session.info`: the objects that the flush has checked before it began

NO_CALLER = (
    "there is no caller: in an app, add `app.add_middleware(mantlet.CallerMiddleware)`; elsewhere, "
    f"{UNSCOPED}"
)
AFTER = (
    "the request that has started this task or thread has ended, and its caller with it: use FastAPI's "
    "`BackgroundTasks`, start workers when the app starts, "
    f"{UNSCOPED}"
)

# All scopes of this process, for `mantlet rls`.
SCOPES: list[Scope] = []


def scope(
    session: Any,
    *,
    user: type | None = None,
    owner: Mapping[type, Owner] | None = None,
    value: Value | None = None,
    issuer: str = "app",
    app: Any = None,
    rls: bool = False,
) -> Scope:
    """Limits each query of a session to the rows that the caller owns.

    `session` is what the app makes its sessions with: a `sessionmaker`, `async_sessionmaker`,
    `scoped_session`, or a class such as SQLModel's `Session`. Of several sessions each needs it.

    `user` is the model of the app's users: models with one foreign key to its table are owned.
    `owner` says it of others: `{Order: "user_id", Item: "order.user_id", Log: None}`, or a function
    `lambda principal: Document.team_id.in_(principal["teams"])`.

    `value` is what owner columns hold for a caller; by default its subject. Subjects of another
    issuer than `issuer` are not compared: two issuers may call different people `7`.

    `app`: adds `CallerMiddleware` to it, and checks all of this when it starts. `rls`: tells
    PostgreSQL the caller in each transaction, and checks that row level security is in force.
    """
    if user is None and owner is None:
        raise ScopeError("say whose rows are whose: `user=User`, or `owner={Order: 'user_id'}`, or both")
    if VERSION < OLDEST:
        raise ScopeError(
            "before SQLAlchemy 2.0.22 a scope does not reach all joins: install `sqlalchemy>=2.0.22`"
        )
    value = value or functools.partial(subject_of, issuer)
    made = Scope(session, user, owner or {}, value, rls)
    if app is not None:
        app.add_middleware(CallerMiddleware, before_start=made.before_start)
    return made


def subject_of(issuer: str, principal: Principal) -> Any:
    if principal.issuer != issuer:
        raise ScopeError(
            f"the caller was proven by `{principal.issuer}`, and rows are owned by subjects of `{issuer}`: "
            f'if its subjects are the owners, give `mantlet.scope(…, issuer="{principal.issuer}")`, else '
            "`value=…`"
        )
    return subject(principal)


def class_of(session: Any) -> type[Session]:
    """The class of the sessions that will be made. A maker has one of its own, or gets it."""
    if isinstance(session, scoped_session):
        return class_of(session.session_factory)
    if isinstance(session, async_sessionmaker):
        base = session.kw.get("sync_session_class") or session.class_.sync_session_class
        own = type(base.__name__, (base,), {})
        session.configure(sync_session_class=own)
        return own
    if isinstance(session, sessionmaker):
        return session.class_
    if isinstance(session, type) and issubclass(session, Session):
        return session
    if isinstance(session, type) and issubclass(session, AsyncSession):
        base = session.sync_session_class
        session.sync_session_class = type(base.__name__, (base,), {})
        return session.sync_session_class
    raise ScopeError(
        f"`{session!r}` does not make sessions: give the `sessionmaker`, the `async_sessionmaker`, or the "
        "class of your sessions"
    )


def refuse_connection() -> None:
    if not is_unscoped():
        message = "statements on the connection of a session are not limited to the caller's rows"
        raise NotScopable(f"{message}: use `session.execute()`, {UNSCOPED}")


def refuse_connection_of(session: Session, transaction: Any) -> None:
    """SQLAlchemy itself takes the connection of a transaction in each flush."""
    original = transaction.connection

    @functools.wraps(original)
    def scoped(*arguments: Any, **others: Any) -> Any:
        if not sys._getframe(1).f_globals.get("__name__", "").startswith("sqlalchemy."):
            refuse_connection()
        return original(*arguments, **others)

    transaction.connection = scoped


class Scope:
    """What `mantlet.scope` has put into an app's sessions."""

    def __init__(
        self, session: Any, user: type | None, owner: Mapping[type, Owner], value: Value, rls: bool
    ) -> None:
        self.user = user
        self.given = owner
        self.value = value
        self.rls = rls
        self.found: Owners | None = None
        self.warned: set[bool] = set()
        self.is_in_force: set[Any] = set()
        self.make: Callable[[], Session | AsyncSession] = getattr(session, "session_factory", session)
        self.install(class_of(session))
        event.listen(Mapper, "after_configured", self.forget)
        for name in ("before_update", "before_delete"):
            event.listen(Mapper, name, self.before_write)
        SCOPES.append(self)

    def install(self, session: type[Session]) -> None:
        if getattr(session, MARK, None) is not None:
            raise ScopeError(f"`{session.__name__}` is scoped already: call `mantlet.scope` once for it")
        setattr(session, MARK, self)
        event.listen(session, "do_orm_execute", self.on_execute)
        event.listen(session, "before_flush", self.before_flush)
        event.listen(session, "after_flush", self.after_flush)
        if self.rls:
            event.listen(session, "after_begin", self.after_begin)
        self.lookup(session)
        self.merge(session)
        for name in BULK:
            self.refuse_bulk(session, name)
        self.connection(session)

    # What is found out once.

    @property
    def owners(self) -> Owners:
        if self.found is None:
            configure_mappers()
            owners = Owners(find(self.user, self.given), given=set(self.given))
            check_properties(owners)
            self.found = owners
            said = ", ".join(f"{one.name} ({one.owner})" for one in self.found.models)
            LOG.info("queries are limited to the caller's rows of: %s", said or "no model")
        return self.found

    def forget(self) -> None:
        """There are more models."""
        self.found = None

    async def before_start(self) -> None:
        """What is wrong with the models, or with the database, keeps the app from starting."""
        if not self.owners.models:
            raise ScopeError(
                "no model has an owner: give `owner={Order: 'user_id'}`, or import the models first"
            )
        if self.rls:
            await row_security.before_start(self)

    # The caller.

    def principal(self) -> Principal | None:
        principal = current_principal()
        if principal is None and not is_in_request() and (is_after := is_after_request()) not in self.warned:
            self.warned.add(is_after)
            LOG.warning(
                "queries of owned models give nothing here, because %s", AFTER if is_after else NO_CALLER
            )
        return principal

    def criteria(self, owners: Owners, principal: Principal | None) -> list[Any]:
        """Made once for the caller of a request."""
        kept = vars(self if principal is None else principal).setdefault("_criteria", {})
        known, criteria = kept.get(self, (None, []))
        if known is not owners:
            criteria = [
                OwnRows(
                    one.mapper.class_,
                    one.condition(principal, self.value),
                    include_aliases=True,
                    # Only so it reaches `joinedload`. Other loads come here themselves.
                    propagate_to_loaders=True,
                )
                for one in owners.models
            ]
            kept[self] = (owners, criteria)
        return criteria

    # Statements.

    def on_execute(self, state: ORMExecuteState) -> None:
        if self.rls:
            row_security.follow(self, state.session, state.bind_arguments)
        if is_unscoped():
            return
        owners, principal = self.owners, self.principal()
        statement: Any = state.statement
        if state.is_column_load:
            # Criteria reach what is loaded beside the object. Its own row needs a condition.
            statement = statement.options(*self.criteria(owners, principal))
            statement._with_options = tuple(limited_options(statement, owners))
            one = owners.of(state.bind_mapper)
            state.statement = (
                statement if one is None else statement.where(one.condition(principal, self.value))
            )
            return
        if state.is_relationship_load:
            check_options(statement, owners, is_load=True)
        else:
            check(statement, owners, state.is_orm_statement)
            self.check_write(state, owners, principal)
        is_text = isinstance(getattr(statement, "element", None), (TextClause, TextualSelect))
        # Where text gives the rows, its parameters are all that there may be.
        if state.is_orm_statement and not state.is_insert and not is_text:
            state.statement = statement.options(*self.criteria(owners, principal))

    def check_write(self, state: ORMExecuteState, owners: Owners, principal: Principal | None) -> None:
        statement: Any = state.statement
        statement = statement.element if isinstance(statement, FromStatement) else statement
        if not isinstance(statement, (Insert, Update, Delete)):
            return
        # Not `state.bind_mapper`: the app may name another one.
        entity = entity_of(statement.table)
        one = owners.of(entity.mapper) if entity is not None else None
        if one is None:
            return
        own = self.value(principal) if principal is not None else None
        if one.column is not None and own is not None:
            own = as_type(one.column, own)
        if isinstance(statement, Insert):
            check_insert(statement, state.parameters, one, own)
        else:
            if state.is_executemany or isinstance(state.parameters, list):
                message = f"an UPDATE of `{one.name}` by primary keys is not limited to the caller's rows"
                raise NotScopable(f"{message}: write a condition (`where`), {UNSCOPED}")
            if isinstance(statement, Update):
                check_update(statement, state.parameters, one, own)
        options = {**statement.get_execution_options(), **state.execution_options}
        if options.get("dml_strategy", "auto") not in ("auto", "orm"):
            raise NotScopable(f"`dml_strategy` takes `{one.name}` out of the scope: leave it out, {UNSCOPED}")

    # Objects that are written.

    def before_flush(self, session: Session, context: UOWTransaction, instances: Any) -> None:
        """What is changed or deleted has been the caller's."""
        changed = [one for one in session.dirty if session.is_modified(one)]
        self.check_rows(session, [*changed, *session.deleted])
        session.info[CHECKED] = {id(one) for one in (*changed, *session.deleted)}

    def before_write(self, mapper: Mapper[Any], connection: Any, one: Any) -> None:
        """So has what a flush changes or deletes beside it: orphans, and rows that get or lose a
        parent."""
        session: Any = object_session(one)
        if getattr(type(session), MARK, None) is self and id(one) not in session.info.get(CHECKED, ()):
            self.check_rows(session, [one])

    def after_flush(self, session: Session, context: UOWTransaction) -> None:
        """What was written is the caller's now. If it is not, the flush is undone by its error."""
        written = [
            state.obj()
            for state, (is_deleted, listed) in context.states.items()
            if not (is_deleted or listed)
        ]
        session.info.pop(CHECKED, None)
        self.check_rows(session, [one for one in written if one is not None])

    def check_rows(self, session: Session, objects: list[Any]) -> None:
        if is_unscoped() or not objects:
            return
        kinds: dict[Owned, dict[Any, Any]] = {}
        for one in objects:
            state: Any = inspection(one)
            owned = self.owners.of(state.mapper)
            key = state.identity or state.mapper.primary_key_from_instance(one)
            if owned is not None:
                kinds.setdefault(owned, {})[tuple(key)] = one
        for owned, by_key in kinds.items():
            condition = owned.condition(self.principal(), self.value)
            keys = list(by_key)
            connection = row_security.CONNECTION(session, bind_arguments={"mapper": owned.mapper})
            for start in range(0, len(keys), CHUNK):
                chunk = keys[start : start + CHUNK]
                if connection.execute(rows(owned, chunk, condition)).scalar_one() != len(chunk):
                    raise NotScopable(
                        f"a row of `{owned.name}` is not the caller's, and would be written: set its owner "
                        f"({owned.owner}) to the caller, {UNSCOPED}"
                    )

    # Ways around statements.

    def lookup(self, session: type[Session]) -> None:
        """An object that was loaded before, in another scope, is not handed out from memory."""
        original = session._identity_lookup

        @functools.wraps(original)
        def scoped(own: Session, mapper: Mapper[Any], *arguments: Any, **others: Any) -> Any:
            found = original(own, mapper, *arguments, **others)
            owned = None if is_unscoped() else self.owners.of(mapper)
            if owned is None or not isinstance(found, mapper.class_):
                return found
            return found if owned.is_own(found, self.principal(), self.value) else None

        session._identity_lookup = scoped  # pyright: ignore[reportAttributeAccessIssue]

    def merge(self, session: type[Session]) -> None:
        """Nor is it handed out, and changed, by a merge."""
        original: Callable[..., Any] = session._merge

        @functools.wraps(original)
        def scoped(own: Session, state: Any, *arguments: Any, **others: Any) -> Any:
            owned = None if is_unscoped() else self.owners.of(state.mapper)
            if owned is not None:
                key = state.key or state.mapper.identity_key_from_instance(state.obj())
                held = own.identity_map.get(key)
                if held is not None and not owned.is_own(held, self.principal(), self.value):
                    self.check_rows(own, [held])
            return original(own, state, *arguments, **others)

        session._merge = scoped  # pyright: ignore[reportAttributeAccessIssue]

    def refuse_bulk(self, session: type[Session], name: str) -> None:
        original: Callable[..., Any] = getattr(session, name)
        signature = inspect.signature(original)

        @functools.wraps(original)
        def scoped(*arguments: Any, **others: Any) -> Any:
            given = signature.bind(*arguments, **others)
            values = given.arguments
            if "objects" in values:
                values["objects"] = list(values["objects"])
            models = {type(one) for one in values["objects"]} if "objects" in values else {values["mapper"]}
            for model in models:
                if not is_unscoped() and (owned := self.owners.of(inspection(model).mapper)):
                    message = f"`{name}` does not look whose rows of `{owned.name}` it writes"
                    raise NotScopable(f"{message}: use `session.add()`, {UNSCOPED}")
            return original(*given.args, **given.kwargs)

        setattr(session, name, scoped)

    def connection(self, session: type[Session]) -> None:
        original = session.connection

        @functools.wraps(original)
        def scoped(own: Session, *arguments: Any, **others: Any) -> Any:
            refuse_connection()
            return original(own, *arguments, **others)

        session.connection = scoped  # pyright: ignore[reportAttributeAccessIssue]
        event.listen(session, "after_transaction_create", refuse_connection_of)

    # Row level security.

    def after_begin(self, session: Session, transaction: Any, connection: Any) -> None:
        row_security.begin(self, session, connection)
