"""How far the networks of a claim had trained: a note beside every verdict."""

from clinometer.analysis.learning_progress import progress_text
from clinometer.papers.santurkar2018.variants import LABELS, label
from clinometer.results.runs import Runs
from clinometer.training.config import GAUSSIAN, Config


def is_dln(arm: Config) -> bool:
    """Whether an arm is a deep linear network."""
    return arm.data == GAUSSIAN


def trained(runs: Runs, *arms: Config) -> str:
    """How far each arm had trained, in words."""
    return "; ".join(progress_text(runs, arm, _name(arm)) for arm in arms)


def _name(arm: Config) -> str:
    readings = [arm.norm] * (arm.norm not in LABELS) + [arm.model] * (arm.model in ("dln_mean", "dln_bare"))
    name = f"{label(arm)} at lr {arm.lr:g}" + "".join(f" [{each}]" for each in readings)
    return f"DLN {name}" if is_dln(arm) else name
