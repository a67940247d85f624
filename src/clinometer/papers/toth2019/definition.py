"""The paper as a study: its scales, figures and claims."""

from clinometer.papers.toth2019 import READ, SOURCE, TITLE, landscape, parts, reconstruction
from clinometer.papers.toth2019.claims import CLAIMS
from clinometer.papers.toth2019.configs import autoencoder
from clinometer.papers.toth2019.listen import LISTEN
from clinometer.studies.rules import CONFIRMATORY
from clinometer.studies.study import FigureSpec, Scale, Study
from clinometer.training.config import Bases

_SMOKE = "8×8 digits, sound at 8 kHz, 4 drawing steps, 32 hidden units, 120 steps; a minute on two cores"
_LAPTOP = "8×8 digits, sound at 8 kHz, 6 drawing steps, 64 hidden units, 200 steps; ten minutes on a core"


def _smoke() -> Bases:
    small = autoencoder(glimpses=4, hidden=32, lr=3e-3, batch_size=32, steps=120, measure_every=20, test_every=20)
    return {"digits": small}


def _laptop() -> Bases:
    return {"digits": autoencoder()}


SCALES = {
    "smoke": Scale(_smoke, {"digits": 3}, _SMOKE, CONFIRMATORY, {"S3": 8}),
    "laptop": Scale(_laptop, {"digits": 6}, _LAPTOP, CONFIRMATORY),
}

STUDY = Study(
    name="toth2019",
    title=TITLE,
    source=SOURCE,
    read=READ,
    scales=SCALES,
    figures={
        name: FigureSpec(module.TITLE, module.arms, module.draw)
        for name, module in (("reconstruction", reconstruction), ("parts", parts), ("landscape", landscape))
    },
    claims=CLAIMS,
    extras={"listen": LISTEN},
    label_fields=("hearing", "norm"),
)
