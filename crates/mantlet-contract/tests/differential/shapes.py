"""Core schemas to the contract's shapes, by the inspector's own translation."""

import pathlib
import sys
import types

# The files are a package, of the name that they have beside an app.
package = types.ModuleType("mantlet_inspector")
package.__path__ = [str(pathlib.Path(__file__).resolve().parents[4] / "python" / "mantlet")]
sys.modules["mantlet_inspector"] = package

from mantlet_inspector.schemas import Shapes, Translator  # noqa: E402


def translate(schema):
    """All shapes, and the index of the schema's."""
    shapes = Shapes()
    root = Translator(shapes).translate(schema)
    return shapes.all, root
