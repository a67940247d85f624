"""What a run that records has measured so far, as numbers: for programs, which `watch` draws for a reader."""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clinometer.pages.watch import store_rows, written
from clinometer.probes.labels import series
from clinometer.recorder.alerts.alarm_rows import ROWS
from clinometer.results.run_frame import store_file


def course(path: Path) -> dict[str, Any]:
    """The steps that were measured, the alarms, and each number now, at first, and at its lowest and highest.

    Args:
        path: The recorder's folder, or its `rows.sqlite`.

    Raises:
        ValueError: if that is no store.

    Example:
        >>> import tempfile
        >>> from clinometer import Store
        >>> path = Path(tempfile.mkdtemp()) / "rows.sqlite"
        >>> store = Store(path)
        >>> for step, loss in enumerate([2.5, 0.5, 1.0]):
        ...     store.append(step, {"train": {"loss": loss}})
        >>> store.close()
        >>> course(path)["quantities"]
        {'train/loss': {'now': 1.0, 'first': 2.5, 'lowest': 0.5, 'highest': 2.5}}
    """
    rows, declared = store_rows(path, {})
    steps = sorted(set[int]().union(*rows.values()))
    alarms = [str(message) for row in rows.get(ROWS, {}).values() for message in row["message"]]
    numbers = series({probe: each for probe, each in rows.items() if probe != ROWS}, declared)
    return {
        "store": str(store_file(path)),
        "steps": len(steps),
        "first_step": steps[0] if steps else None,
        "last_step": steps[-1] if steps else None,
        "seconds_ago": time.time() - written(store_file(path)),
        "alarms": alarms,
        "quantities": {name: _extremes(values) for name, values in numbers.items()},
    }


def _extremes(values: Mapping[int, float]) -> dict[str, float]:
    found = list(values.values())
    known = [value for value in found if not math.isnan(value)] or [math.nan]
    return {"now": found[-1], "first": found[0], "lowest": min(known), "highest": max(known)}
