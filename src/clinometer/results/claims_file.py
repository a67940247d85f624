"""Reads the `claims.json` of any study, here or from elsewhere, and the `theorems.json` beside it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clinometer.training.files import read_small

NAME = "claims.json"
_VERDICTS = {"claim": ("holds", "fails", "undecided"), "theorem": ("verified", "failed")}


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
    return _rows(path / NAME if path.is_dir() else path, "claim")


def read_theorems(folder: Path) -> list[dict[str, Any]]:
    """The rows of a study's theorems, as its report wrote them.

    Args:
        folder: The study's.

    Raises:
        OSError: if there is no such file.
        ValueError: if it does not hold theorems.
    """
    return _rows(folder / "theorems.json", "theorem")


def _rows(file: Path, kind: str) -> list[dict[str, Any]]:
    try:
        rows = json.loads(read_small(file))
        if not isinstance(rows, list):
            raise TypeError(f"expected a list of {kind}s, found {type(rows).__name__}")
        for row in rows:
            _check(row, kind)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise ValueError(f"{file} is damaged: {error}. `clinometer report` writes it again.") from error
    return rows


def _check(row: Any, kind: str) -> None:
    """ValueError unless a row has an id and a verdict."""
    if not isinstance(row, Mapping) or not isinstance(row.get("id"), str):
        raise ValueError(f"a {kind} has no id")
    if row.get("verdict") not in _VERDICTS[kind]:
        raise ValueError(f"{row['id']!r} has no verdict")
