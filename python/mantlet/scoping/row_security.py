"""PostgreSQL's row level security, as a second wall: it also holds for SQL as text, for statements
of Core, and for what another program sends.

The caller is told to PostgreSQL in each transaction, and only for that transaction: neither a pool
nor a `COMMIT` in the middle of a request keeps it. Without a caller the policies show nothing.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Table, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import SQLAlchemyError, UnboundExecutionError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from mantlet.caller import current_principal
from mantlet.errors import MantletError, RowSecurityError, ScopeError

if TYPE_CHECKING:
    from mantlet.scoping.owners import Owned
    from mantlet.scoping.scope import Scope

LOG = logging.getLogger("mantlet")
CONNECTION = Session.connection  # as SQLAlchemy has it
POLICY = "mantlet_owner"
VARIABLE = "mantlet.user"
TOLD = "mantlet.user"  # in `Session.info`: what each connection was told
TELL = text(f"SELECT set_config('{VARIABLE}', :owner, true)")
ROLE = text("SELECT current_user, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
TABLE = text(
    "SELECT relrowsecurity, relforcerowsecurity, pg_has_role(current_user, relowner, 'USAGE')"
    " FROM pg_class WHERE oid = to_regclass(:name)"
)
POLICIES = text(
    "SELECT polname, polcmd::text, coalesce(pg_get_expr(polqual, polrelid), ''),"
    " coalesce(pg_get_expr(polwithcheck, polrelid), '')"
    " FROM pg_policy WHERE polrelid = to_regclass(:name) AND polpermissive"
)


def migration(scopes: list[Scope]) -> str:
    """The SQL that puts row level security into force for the owned models."""
    owned = {one.mapper: one for scope in scopes for one in scope.owners.models}
    parts = [
        "-- Row level security for the models that `mantlet.scope` limits to their owners. Run it as the\n"
        "-- owner of the tables. The app must connect with a role that is neither a superuser nor has\n"
        "-- BYPASSRLS. Migrations, backups and jobs for all rows need a role with BYPASSRLS."
    ]
    for one in owned.values():
        if one.column is None or not isinstance(one.column.table, Table):
            parts.append(
                f"-- {one.name}: its owner ({shown(one)}) is not a column of its table. "
                "Write its policy by hand."
            )
            continue
        name, condition = quoted(one.column.table), policy(one)
        parts.append(
            f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY;\n"
            f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY;\n"
            f"DROP POLICY IF EXISTS {POLICY} ON {name};\n"
            f"CREATE POLICY {POLICY} ON {name} AS PERMISSIVE FOR ALL TO PUBLIC\n"
            f"    USING ({condition})\n"
            f"    WITH CHECK ({condition});"
        )
    return "\n\n".join(parts) + "\n"


def shown(one: Owned) -> str:
    return one.owner if isinstance(one.owner, str) else "a function"


def quoted(table: Table) -> str:
    return postgresql.dialect().identifier_preparer.format_table(table)


def policy(one: Owned) -> str:
    """The condition of a row. `SET LOCAL` leaves an empty text behind, not NULL."""
    column: Any = one.column
    dialect = postgresql.dialect()
    name = dialect.identifier_preparer.format_column(column)
    told = f"nullif(current_setting('{VARIABLE}', true), '')"
    # A cast to `VARCHAR(10)` would cut the text, and could make it another caller's.
    if issubclass(column.type.python_type, str):
        return f"{name} = {told}"
    return f"{name} = {told}::{column.type.compile(dialect=dialect)}"


def begin(scope: Scope, session: Session, connection: Connection) -> None:
    """A transaction has begun."""
    if connection.dialect.name != "postgresql":
        raise RowSecurityError(
            f"`rls=True` needs PostgreSQL, and this is {connection.dialect.name}: leave it out for this "
            "session"
        )
    engine = connection.engine
    if engine not in scope.is_in_force:
        check(scope, connection)
        scope.is_in_force.add(engine)
    tell(session, connection, caller(scope))


def caller(scope: Scope) -> str:
    principal = current_principal()
    if principal is None:
        return ""
    try:
        value = scope.value(principal)
    except ScopeError:
        return ""  # said where a model is asked for
    return "" if value is None else str(value)


def tell(session: Session, connection: Connection, owner: str) -> None:
    connection.execute(TELL, {"owner": owner})
    session.info.setdefault(TOLD, WeakKeyDictionary())[connection] = owner


def follow(scope: Scope, session: Session, bind_arguments: dict[str, Any]) -> None:
    """The caller may have become another one since the transaction began."""
    told = session.info.get(TOLD)
    if not told:
        return
    owner = caller(scope)
    if any(known != owner for known in told.values()):
        tell(session, CONNECTION(session, bind_arguments=bind_arguments), owner)


def check(scope: Scope, connection: Connection) -> None:
    """Raises `RowSecurityError` unless row level security is in force, for role and tables."""
    role, is_superuser, bypasses = connection.execute(ROLE).one()
    if is_superuser or bypasses:
        what = "is a superuser" if is_superuser else "has BYPASSRLS"
        raise RowSecurityError(
            f"row level security does not hold for the role `{role}`, because it {what}: let the app connect "
            "with another one (`CREATE ROLE app LOGIN NOSUPERUSER NOBYPASSRLS`)"
        )
    mistakes = []
    for one in scope.owners.models:
        if one.column is None or not isinstance(one.column.table, Table):
            continue
        name = quoted(one.column.table)
        found = connection.execute(TABLE, {"name": name}).one_or_none()
        policies = connection.execute(POLICIES, {"name": name}).all()
        own = [policy for policy in policies if policy[0] == POLICY]
        others = ", ".join(f"`{policy[0]}`" for policy in policies if policy[0] != POLICY)
        if found is None:
            mistakes.append(f"the table {name} does not exist, or the role `{role}` may not see it")
        elif not found[0]:
            mistakes.append(f"{name}: ROW LEVEL SECURITY is not enabled")
        elif found[2] and not found[1]:
            mistakes.append(f"{name}: the role `{role}` owns it, and FORCE ROW LEVEL SECURITY is not set")
        elif not own or own[0][1] != "*" or any(VARIABLE not in part for part in own[0][2:]):
            mistakes.append(f"{name}: the policy `{POLICY}` for all commands is missing")
        elif others:
            LOG.warning("%s has other policies that show or change rows, too: %s", name, others)
    if mistakes:
        remedy = "run the SQL that `mantlet rls` prints"
        raise RowSecurityError(
            "row level security is not in force:\n- " + "\n- ".join(mistakes) + f"\n{remedy}"
        )


async def before_start(scope: Scope) -> None:
    """Begins a transaction, which checks it. A database that does not answer is checked later."""
    arguments = {"mapper": scope.owners.models[0].mapper}

    def connect(session: Session) -> None:
        CONNECTION(session, bind_arguments=arguments)

    def connect_and_close(session: Session) -> None:
        with session:
            connect(session)

    session = scope.make()
    try:
        if isinstance(session, AsyncSession):
            async with session:
                await session.run_sync(connect)
        else:
            await asyncio.get_running_loop().run_in_executor(None, connect_and_close, session)
    except MantletError:
        raise
    except UnboundExecutionError:
        LOG.info("row level security is checked when the first transaction begins")
    except (SQLAlchemyError, OSError) as error:
        LOG.warning("row level security is checked when the database answers: %s", error)
