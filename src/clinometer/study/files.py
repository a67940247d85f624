"""Small files, whole or not at all."""

import json
import math
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path` so that a reader, or a kill, finds the old file or the new one and nothing between.

    Args:
        path: The file; its folder must be there.
        text: What it shall hold, as UTF-8.
    """
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def write_json(path: Path, value: object) -> None:
    """Write `value` as JSON, whole or not at all."""
    write_whole(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def finite(value: float) -> float | None:
    """The value, or None where it is not finite: JSON has no infinity and no NaN."""
    return value if math.isfinite(value) else None
