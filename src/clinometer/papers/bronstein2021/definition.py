"""The book as a study: its scales, figures and claims."""

from importlib import import_module

from clinometer.papers.bronstein2021 import READ, SOURCE, TITLE
from clinometer.papers.bronstein2021.claims import CLAIMS
from clinometer.papers.bronstein2021.configs import HERE, bases
from clinometer.studies.rules import CONFIRMATORY
from clinometer.studies.study import FigureSpec, Scale, Study

_SMOKE = "8×8 digits, four rotations, networks of 4,042 to 4,270 parameters, 50 steps; a minute and a half on two cores"
_LAPTOP = "8×8 digits, four rotations, networks of 4,042 to 4,270 parameters, 500 steps; a quarter of an hour on a core"
_EXHIBITS = (
    "equivariance_depth",
    "equivariance_training",
    "deformation",
    "over_smoothing",
    "spectrum",
    "fixed_subspace",
    "matched_loss",
)

SCALES = {
    "smoke": Scale(lambda: bases(50, 8), {"digits": 3, "flat": 3}, _SMOKE, 2 * CONFIRMATORY, {"G6": 7}),
    "laptop": Scale(lambda: bases(500, 25), {"digits": 6, "flat": 8}, _LAPTOP, CONFIRMATORY),
}


def _exhibit(name: str) -> FigureSpec:
    module = import_module(f"{HERE}.figures.{name}")
    return FigureSpec(module.TITLE, module.arms, module.draw)


STUDY = Study(
    name="bronstein2021",
    title=TITLE,
    source=SOURCE,
    read=READ,
    scales=SCALES,
    figures={name: _exhibit(name) for name in _EXHIBITS},
    claims=CLAIMS,
    label_fields=("model", "norm"),
    classes=10,
)
