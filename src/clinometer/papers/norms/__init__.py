"""Is it BatchNorm, or any normalization? Eighteen of them in a small VGG and a small ResNet, measured alike.

Each network is trained at one rate that all share, where its landscape is measured, and at the best rate of a sweep of
its own, whose seeds are others. `quantities.py` reads the runs, `rank_correlation.py` holds two quantities of the norms
against each other, and `claims.py` decides.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clinometer.studies.study import Study

TITLE = "Is it BatchNorm, or any normalization?"
SOURCE = "clinometer's own study of 18 normalizations"


def study() -> "Study":
    """Its study; what it trains is imported now, so that naming it costs nothing."""
    return import_module(f"{__name__}.definition").STUDY
