"""The two readings of the norms in which claims are decided, and what claims say of how far networks had trained."""

from collections.abc import Mapping

from clinometer.analysis.learning_progress import progress_text
from clinometer.papers.subramanian2019.variants import label
from clinometer.results.run_table import RunTable
from clinometer.training.config import RunConfig

# By the first letter of a claim: what the names of its spectral arms end in, and what the reading is called.
READINGS: Mapping[str, tuple[str, str]] = {"M": ("", "reparametrised"), "P": ("_projected", "projected")}


def trained(runs: RunTable, *arms: RunConfig) -> str:
    """How far each arm had trained, and at which rate."""
    return "; ".join(progress_text(runs, arm, f"{label(arm)} at lr {arm['lr']:g}") for arm in arms)
