"""The benchmark as a study: its scales, figures and claims."""

from clinometer.papers.learning_rates import SOURCE, TITLE, sweeps_figure
from clinometer.papers.learning_rates.claims import CLAIMS
from clinometer.papers.learning_rates.configurations import STEPS, TUNING, configuration
from clinometer.papers.learning_rates.predictions_figure import HELD_OUT_FIGURE, TUNING_FIGURE
from clinometer.studies.study import FigureSpec, Scale, Study
from clinometer.training.config import Bases

_SMOKE = "8×8 digits, two of the networks to tune on, each with 4 optimizers, 20 steps; seconds on two cores"
_LAPTOP = (
    f"8×8 digits, 9 networks to tune on and 18 held out, each with 4 optimizers, {STEPS} steps; half an hour on a core"
)


def _bases(steps: int) -> Bases:
    return {"digits": configuration(TUNING[0], "sgd", steps=steps)}


SCALES = {
    "smoke": Scale(lambda: _bases(20), {"digits": 1}, _SMOKE),
    "laptop": Scale(lambda: _bases(STEPS), {"digits": 1}, _LAPTOP),
}

STUDY = Study(
    name="learning_rates",
    title=TITLE,
    source=SOURCE,
    scales=SCALES,
    figures={
        "sweeps": FigureSpec(sweeps_figure.TITLE, sweeps_figure.arms, sweeps_figure.draw, whole=False),
        "tuning": TUNING_FIGURE,
        "held_out": HELD_OUT_FIGURE,
    },
    claims=CLAIMS,
    label_fields=("model", "width", "depth", "norm", "optimizer", "batch_size"),
    classes=10,
)
