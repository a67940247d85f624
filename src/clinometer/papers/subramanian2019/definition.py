"""The paper as a study: its scales, figures and claims."""

from clinometer.papers.subramanian2019 import SOURCE, TITLE
from clinometer.papers.subramanian2019.claims import CLAIMS
from clinometer.papers.subramanian2019.configs import classifier, gan, timing
from clinometer.papers.subramanian2019.figures import FIGURES
from clinometer.studies.rules import CONFIRMATORY
from clinometer.studies.study import Scale, Study
from clinometer.training.config import Bases

_SMOKE = "8×8 digits, three convolutions from 8 channels on, 100 steps; GANs of 101 steps; a minute on two cores"
_LAPTOP = "CIFAR-10 (JPEG), VGG7 at quarter width, 200 steps; GANs on 8×8 digits, 301 steps; ten minutes on a core"

_PAPER = (
    "CIFAR-10 (JPEG), the author's DenseNet-BC at its width and depth, 15,000 steps at the learning rates of laptop; "
    "GANs on 8×8 digits, 5,001 steps; for a GPU, and not run yet"
)


def _smoke() -> Bases:
    base = classifier("cnn3", "digits", width=8, steps=100, measure_every=10, test_every=25)
    return {
        "classifier": base,
        "gan": gan(width=8, steps=101, measure_every=20, compare_every=50),
        "timing": timing(base, 12),
    }


def _laptop() -> Bases:
    base = classifier("vgg7", "cifar10", width=8, steps=200, measure_every=20, test_every=100)
    return {
        "classifier": base,
        "gan": gan(width=16, steps=301, measure_every=50, compare_every=25),
        "timing": timing(base, 16),
    }


def _paper() -> Bases:
    base = classifier("densenet", "cifar10", width=12, depth=16, steps=15_000, measure_every=500, test_every=1_000)
    return {
        "classifier": base,
        "gan": gan(width=16, steps=5_001, measure_every=250, compare_every=250),
        "timing": timing(base, 23),
    }


SCALES = {
    "smoke": Scale(_smoke, {"classifier": 3, "gan": 3, "timing": 3}, _SMOKE, 2 * CONFIRMATORY),
    "laptop": Scale(_laptop, {"classifier": 5, "gan": 4, "timing": 5}, _LAPTOP, CONFIRMATORY),
    "paper": Scale(_paper, {"classifier": 3, "gan": 5, "timing": 5}, _PAPER, CONFIRMATORY),
}

STUDY = Study(
    name="subramanian2019",
    title=TITLE,
    source=SOURCE,
    scales=SCALES,
    figures=FIGURES,
    claims=CLAIMS,
    label_fields=("norm", "projection", "lr"),
    classes=10,
)
