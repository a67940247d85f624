"""The paper as a study: its scales, figures and claims."""

from clinometer.papers.haruki2019 import READ, SOURCE, TITLE
from clinometer.papers.haruki2019.claims import CLAIMS
from clinometer.papers.haruki2019.configs import large_batch
from clinometer.papers.haruki2019.figures import FIGURES
from clinometer.studies.rules import CONFIRMATORY
from clinometer.studies.study import Scale, Study
from clinometer.training.config import Bases

_SMOKE = "1,200 8×8 digits, batches of 512 shared by 16 workers, 60 steps; a minute on two cores"
_LAPTOP = (
    "8,192 images of CIFAR-10 (JPEG) at 16×16, batches of 4,096 shared by 16 workers, 60 steps; ten minutes of a core"
)


def _smoke() -> Bases:
    return {"large": large_batch(dataset="digits", batch_size=512, steps=60)}


def _laptop() -> Bases:
    return {"large": large_batch(dataset="cifar10", batch_size=4_096, steps=60)}


# Smoke's seeds 200 to 202 were seen before N2 said what becomes of a step at which tr H is not known.
SCALES = {
    "smoke": Scale(_smoke, {"large": 5}, _SMOKE, 3 * CONFIRMATORY),
    # Laptop's seeds 100 to 104 were run at rates that one pilot seed had chosen; three seeds chose others.
    "laptop": Scale(_laptop, {"large": 8}, _LAPTOP, 3 * CONFIRMATORY),
}

STUDY = Study(
    name="haruki2019",
    title=TITLE,
    source=SOURCE,
    scales=SCALES,
    figures=FIGURES,
    claims=CLAIMS,
    label_fields=("noise", "lag", "lr", "batch_size"),
    classes=10,
    read=READ,
)
