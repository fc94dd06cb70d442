"""Translates pydantic-core schemas, as the app's own Pydantic made them, into the shapes of the
contract.

A core schema says exactly what Pydantic accepts. What it leaves to Python code, or what is not
known here, becomes opaque at exactly that place; nothing is guessed.
"""

# Each registers the functions that translate its types.
from mantlet_inspector.contract.schemas import collections, objects, scalars, wrappers
from mantlet_inspector.contract.schemas.translator import Translator

__all__ = ["Translator", "collections", "objects", "scalars", "wrappers"]
