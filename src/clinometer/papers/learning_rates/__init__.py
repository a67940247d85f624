"""How well a learning rate can be predicted: rates that were suggested in a hundred steps, held against sweeps.

Two sets of configurations, one to tune on and one held out, each a small network with an optimizer and a batch size.
`sweep.py` trains each at the rates of a grid, `predict.py` predicts without the sweep, and `scores.py` compares.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clinometer.studies.study import Study

TITLE = "How well can a learning rate be predicted?"
SOURCE = "clinometer's own benchmark of suggest_lr against sweeps of 7 rates"


def study() -> "Study":
    """Its study; what it trains is imported now, so that naming it costs nothing."""
    return import_module(f"{__name__}.definition").STUDY
