"""The study: its scales, figures and claims."""

from clinometer.papers.norms import SOURCE, TITLE, smoothness_figure, training_figure
from clinometer.papers.norms.claims import CLAIMS
from clinometer.papers.norms.configs import arms, base
from clinometer.studies.rules import CONFIRMATORY
from clinometer.studies.study import FigureSpec, Scale, Study
from clinometer.training.config import Bases

_SMOKE = "8×8 digits, 50 steps; two minutes of a core"
_LAPTOP = "a fifth of CIFAR-10 (JPEG) at 16×16, 300 steps; an hour and a half of a core"


def _smoke() -> Bases:
    return {"images": base("digits", 8, 1, lr=1 / 8, steps=50, measure_every=10)}


def _laptop() -> Bases:
    data = "clinometer.papers.norms.data:small_cifar10"
    return {"images": base(data, 16, 3, lr=1 / 8, steps=300, measure_every=36)}


STUDY = Study(
    name="norms",
    title=TITLE,
    source=SOURCE,
    scales={
        "smoke": Scale(_smoke, {"images": 2}, _SMOKE, 2 * CONFIRMATORY),
        # Seeds 100 to 103 were run at the rate 1/4 for 100 steps: too high and too short for the VGG without a norm.
        "laptop": Scale(_laptop, {"images": 8}, _LAPTOP, 3 * CONFIRMATORY),
    },
    figures={
        "smoothness": FigureSpec(smoothness_figure.TITLE, arms, smoothness_figure.draw, whole=False),
        "training": FigureSpec(training_figure.TITLE, arms, training_figure.draw, whole=False),
    },
    claims=CLAIMS,
    label_fields=("model", "norm"),
    classes=10,
)
