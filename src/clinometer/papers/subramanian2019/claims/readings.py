"""What claims say of how far networks had trained."""

from clinometer.analysis.learning_progress import progress_text
from clinometer.papers.subramanian2019.variants import label
from clinometer.results.run_table import RunTable
from clinometer.training.config import RunConfig


def trained(runs: RunTable, *arms: RunConfig) -> str:
    """How far each arm had trained, and at which rate."""
    return "; ".join(progress_text(runs, arm, f"{label(arm)} at lr {arm['lr']:g}") for arm in arms)
