"""Small files: written atomically, and read only up to 16 MiB."""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from clinometer.store import DamagedError

_LONGEST = 2**24  # bytes of a small file
_SEAL = "sha256"  # the field with the digest of the others


def write_whole(path: Path, text: str, *, durable: bool = True) -> None:
    """Write `text` to `path` atomically: readers see the old file or the new one, even if the writer is killed.

    Args:
        path: The file; its folder must exist.
        text: Its new content, written as UTF-8.
        durable: Whether it must survive a power cut, which takes an fsync of the file and of its folder.
    """
    write_bytes(path, text.encode(), durable=durable)


def write_bytes(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write `data` to `path` atomically; see `write_whole`."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")  # two processes may write the same file
    try:
        with partial.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno:
            raise OSError(error.errno, error.strerror, str(path)) from error  # users know only this name
        raise
    if durable:
        fsync(path.parent)


def fsync(path: Path) -> None:
    """Flush a file, or the names in a folder, to disk, so that they survive a power cut."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def write_json(path: Path, value: object, *, durable: bool = True) -> None:
    """Write `value` as JSON, atomically."""
    write_whole(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n", durable=durable)


def write_sealed(path: Path, facts: Mapping[str, Any], *, durable: bool = True) -> None:
    """Write an object as JSON together with its own digest."""
    write_json(path, {**facts, _SEAL: _seal(facts)}, durable=durable)


def read_sealed(path: Path) -> dict[str, Any]:
    """Read what `write_sealed` wrote.

    Raises:
        DamagedError: if the content does not match its digest.
        OSError: if it cannot be read.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "study.json"
        >>> write_sealed(path, {"scale": "smoke"})
        >>> read_sealed(path)
        {'scale': 'smoke'}
        >>> path.write_text(path.read_text().replace("smoke", "smokf")) > 0
        True
        >>> read_sealed(path)                                     # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        clinometer.store.errors.DamagedError: ...study.json is damaged: it is not what was written...
    """
    facts = read_json(path)
    if facts.pop(_SEAL, None) != _seal(facts):
        raise DamagedError(f"{path} is damaged: it is not what was written. Use a sound copy, or make it again.")
    return facts


def _seal(facts: Mapping[str, Any]) -> str:
    return digest_of(json.dumps(facts, sort_keys=True).encode())


def digest(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(data: bytes) -> str:
    """The SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def read_small(path: Path) -> bytes:
    """The bytes of a file of at most 16 MiB.

    Raises:
        ValueError: if it is larger.
        OSError: if it cannot be read, or is not a regular file: a pipe might never end.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}.")
    with path.open("rb") as file:
        data = file.read(_LONGEST + 1)
    if len(data) > _LONGEST:
        raise ValueError(f"{path.name} has more than {_LONGEST:,} bytes")
    return data


def read_json(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds.

    Args:
        path: The file.

    Raises:
        DamagedError: if it holds anything else, or is larger than 16 MiB.
        OSError: if it cannot be read.
    """
    try:
        value = json.loads(read_small(path).decode())
        if not isinstance(value, dict):
            raise ValueError("it does not hold an object")
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path} is damaged: {error}. Use a sound copy, or make it again.") from error
    return cast("dict[str, Any]", value)


def finite(value: float) -> float | None:
    """The value, or None where it is not finite: JSON has no infinity and no NaN."""
    return value if math.isfinite(value) else None
