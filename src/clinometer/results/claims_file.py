"""Reads the `claims.json` of any study, here or from elsewhere."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clinometer.training.files import read_small

NAME = "claims.json"


def read_claims(path: Path) -> list[dict[str, Any]]:
    """The rows of a study's claims, as its report wrote them.

    Args:
        path: A `claims.json`, or a folder that holds one.

    Raises:
        OSError: if there is no such file.
        ValueError: if it does not hold claims.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "claims.json"
        >>> path.write_text('[{"id": "C1", "verdict": "so so"}]') > 0
        True
        >>> read_claims(path)                                     # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        ValueError: ...claims.json is damaged: 'C1' has no verdict. `clinometer report` writes it again.
    """
    file = path / NAME if path.is_dir() else path
    try:
        rows = json.loads(read_small(file))
        if not isinstance(rows, list):
            raise TypeError(f"expected a list of claims, found {type(rows).__name__}")
        for row in rows:
            _check(row)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise ValueError(f"{file} is damaged: {error}. `clinometer report` writes it again.") from error
    return rows


def _check(row: Any) -> None:
    """ValueError unless a row has an id and a verdict."""
    if not isinstance(row, Mapping) or not isinstance(row.get("id"), str):
        raise ValueError("a claim has no id")
    if row.get("verdict") not in ("holds", "fails", "undecided"):
        raise ValueError(f"{row['id']!r} has no verdict")
