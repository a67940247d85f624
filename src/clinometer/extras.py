"""Libraries that are not needed to measure: asked for by name when they are used, with the extra that brings them."""

import importlib
from typing import Any


def need(module: str, extra: str) -> Any:
    """The imported module.

    Raises:
        ImportError: if it is not installed; the message names the extra.

    Example:
        >>> need("math", "studies").pi > 3
        True
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or module.partition(".")[0] != error.name.partition(".")[0]:
            raise  # it is there, and misses something of its own
        raise ImportError(
            f"this needs {error.name}, which is not installed: pip install 'clinometer[{extra}]'"
        ) from error
