"""A public benchmark of training runs that break and of runs that do not, on which alarms are scored.

`clinometer reproduce instability` makes its runs. Small networks of five families (`networks/`) are trained on
handwritten digits by four optimizers: most of them healthy (`healthy.py`), the others with one of twelve mistakes
(`causes.py`, `tampered_runs.py`) from a step on. Whether and when a run broke is decided by its losses alone
(`breaks.py`). Runs with seeds below 100 are for tuning; those from 100 on, among them all with causes of set B, are
held out.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clinometer.studies.study import Study

TITLE = "A benchmark of training runs that break"
SOURCE = "clinometer's own; docs/instability.md"


def study() -> "Study":
    """Its study; runs and figures are imported now, so that naming it costs nothing."""
    return import_module(f"{__name__}.definition").STUDY
