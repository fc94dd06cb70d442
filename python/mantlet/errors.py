"""What goes wrong. Each message says what to do."""

from __future__ import annotations


class MantletError(Exception):
    """Any error of this package."""


class PrincipalError(MantletError):
    """The caller is not known: the gate's header is forged or too old, or its key is missing."""


class ScopeError(MantletError):
    """The scope cannot be what was asked for: a model has several owners, or none."""


class NotScopable(ScopeError):
    """A statement that cannot be limited to the caller's rows, or that writes other rows."""


class RowSecurityError(MantletError):
    """Row level security is not in force in the database."""
