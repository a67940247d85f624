"""Imports matplotlib where `MPLBACKEND` names a backend that it refuses, as in a program started from a notebook.

Figures are drawn on canvases of their own, so no backend is needed.
"""

import contextlib
import importlib
import os
import sys
from typing import Any


def part_of_matplotlib(name: str) -> Any:
    """One of its modules, for what needs it where its own module is imported.

    Example:
        >>> part_of_matplotlib("ticker").Locator.__name__
        'Locator'
    """
    import_matplotlib()
    return importlib.import_module(f"matplotlib.{name}")


def import_matplotlib() -> Any:
    """The library; one that has been imported already keeps its backend and its settings.

    Example:
        >>> import_matplotlib().__name__
        'matplotlib'
    """
    if "matplotlib" in sys.modules:
        return sys.modules["matplotlib"]
    backend = os.environ.pop("MPLBACKEND", None)  # a name that it refuses would end the import half-way
    try:
        library = importlib.import_module("matplotlib")
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend:
        with contextlib.suppress(ValueError):
            library.rcParams["backend"] = backend  # as the import does it
    return library
