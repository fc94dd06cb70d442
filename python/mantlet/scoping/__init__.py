"""Query scoping for SQLAlchemy 2 and SQLModel.

- `owners`: whose a row is, for each model.
- `statements`: what cannot be scoped, and is refused.
- `scope`: puts both into the sessions of an app.
- `row_security`: the same in PostgreSQL itself.
"""
