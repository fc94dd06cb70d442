"""Core schemas to the contract's shapes, by the inspector's own translation."""

import pathlib
import sys

sys.dont_write_bytecode = True  # or Cargo takes the package for changed
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[4] / "python"))

from mantlet_inspector.contract.schemas import Translator  # noqa: E402
from mantlet_inspector.contract.shapes import Shapes  # noqa: E402


def translate(schema):
    """All shapes, and the index of the schema's."""
    shapes = Shapes()
    root = Translator(shapes).translate(schema)
    return shapes.all, root
