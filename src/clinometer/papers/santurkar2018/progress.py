"""How far the networks of a claim had trained: a note beside every verdict."""

from clinometer.analysis.learning_progress import progress_text
from clinometer.papers.santurkar2018.configs import is_deep_linear
from clinometer.papers.santurkar2018.variants import LABELS, label
from clinometer.results.run_table import RunTable
from clinometer.training.config import RunConfig


def is_dln(arm: RunConfig) -> bool:
    """Whether an arm is a deep linear network."""
    return is_deep_linear(arm)


def trained(runs: RunTable, *arms: RunConfig) -> str:
    """How far each arm had trained, in words."""
    return "; ".join(progress_text(runs, arm, _name(arm)) for arm in arms)


def _name(arm: RunConfig) -> str:
    of_loss = arm.settings.get("reading", "dln")
    readings = [arm["norm"]] * (arm["norm"] not in LABELS) + [of_loss] * (of_loss != "dln")
    name = f"{label(arm)} at lr {arm['lr']:g}" + "".join(f" [{each}]" for each in readings)
    return f"DLN {name}" if is_dln(arm) else name
