"""Reads what a FastAPI app accepts and promises, and which secrets it may sign its tokens with, in
the app's own interpreter, without running its code.

Mantlet carries this package in its binary, writes it to its private folder, and runs one of two
files of it: `launcher.py`, which serves the app and has it read before, or `__main__.py`, which
only reads it. Both share their arguments (`arguments.py`), find and import the app by
`app_import.py`, and read it by `inspector.py`.

The rooms are floors, and each imports only from those below it:

- `contract` goes through routers and writes what each route accepts and promises.
- `proof` reads code that runs around FastAPI's validation: what it may do to requests and
  responses. Beside it, `candidates` finds secrets that may be the key of the app's tokens.
- `source` finds the text of code, parses it, and tells whose it is.

The rooms import nothing else but the standard library, FastAPI, Starlette and Pydantic. Python 3.9
is the oldest that is supported.
"""
