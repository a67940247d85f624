"""Theorem 4.1 on a network that trains: what each BatchNorm layer takes from the gradient, and by which term."""

import numpy as np

from clinometer.analysis.drift import mean_over_units
from clinometer.nn.vgg_plans import PLANS, POOL
from clinometer.papers.santurkar2018.style import figure
from clinometer.papers.santurkar2018.variants import vgg
from clinometer.plots.panels import fading_lines
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.figure import Figure, Panel
from clinometer.training.config import Bases, RunConfig

TITLE = "Theorem 4.1 on a living network"


def arms(bases: Bases) -> list[RunConfig]:
    """The convolutional network with BatchNorm."""
    return vgg(bases, ["batch"])


def shares(runs: RunTable, arm: RunConfig) -> dict[str, Floats]:
    """What the terms do to a layer's gradient, all its units together: each of shape (seeds, steps, layers).

    The factor is γ²/σ² averaged over units, each with the weight of what is left of its gradient.
    """
    terms = {
        name: mean_over_units(runs.values(arm, "batchnorm_terms", name))
        for name in ("gradient", "mean", "correlation", "passed")
    }
    kept = terms["gradient"] - terms["mean"] - terms["correlation"]
    return {
        "scale": terms["passed"] / kept,
        "mean": terms["mean"] / terms["gradient"],
        "correlation": terms["correlation"] / terms["gradient"],
        "passed": terms["passed"] / terms["gradient"],
    }


def samples_per_unit(arm: RunConfig) -> Floats:
    """M of each layer, shape (layers,): the images of a batch times the positions, which BatchNorm takes as one batch.

    A VGG's pools halve the side of its images to 1, so a layer with k pools after it has 4ᵏ positions.

    Example:
        >>> from clinometer.papers.santurkar2018.configs import vgg
        >>> samples_per_unit(vgg(plan="vgg_digits", batch_size=128))
        array([8192., 8192., 2048., 2048.,  512.])
    """
    plan = PLANS[arm["plan"]]
    pools = [plan[index:].count(POOL) for index, entry in enumerate(plan) if entry != POOL]
    return arm.batch_size * 4.0 ** np.array(pools)


def over_random(runs: RunTable, arm: RunConfig) -> Floats:
    """The share that the subtracted terms take over that of a random gradient: (seeds, steps, layers).

    Of a Gaussian g, ⟨1, g⟩²/m and (2 − r)⟨g, ŷ⟩²/m are on average 1/m and r(2 − r)/m of ‖g‖², in all 2/m, but for the
    ε of r = var/(var + ε).
    """
    found = shares(runs, arm)
    return (found["mean"] + found["correlation"]) * samples_per_unit(arm) / 2


def draw(runs: RunTable, bases: Bases) -> Figure:
    """Panels: the factor γ²/σ², the shares of the mean and the correlation term, and what passes in all."""
    (arm,) = arms(bases)
    found = shares(runs, arm)
    titles = {
        "scale": "(a) factor γ²/σ², as gradients weigh it",
        "mean": "(b) mean term, ⟨1, g⟩²/m over ‖g‖²",
        "correlation": "(c) correlation term, (2 − r)⟨g, ŷ⟩²/m over ‖g‖²",
        "passed": "(d) in all, ‖∇y L‖² over ‖g‖²",
    }
    return figure(
        TITLE,
        "‖∇y L‖² = (γ²/σ²)(‖g‖² − ⟨1, g⟩²/m − (2 − r)⟨g, ŷ⟩²/m) at every BatchNorm layer, summed over its units: how "
        "much of the squared gradient passes from a layer's output g to its input, and which term takes the rest. One "
        f"line per layer, light (first) to dark (last); geometric mean over {len(runs.seeds(arm))} seeds. Above 1 in "
        "(d) the layer enlarges the gradient. Of a random gradient (b) and (c) are 1/m each.",
        [_panel(title, found[name], runs.steps(arm, "batchnorm_terms")) for name, title in titles.items()],
        columns=2,
    )


def _panel(title: str, values: Floats, steps: Floats) -> Panel:
    layers = values.shape[2]
    lines = np.exp(np.log(values).mean(0))  # (steps, layers)
    series = fading_lines([f"layer {i + 1}" for i in range(layers)], "batch", [steps] * layers, list(lines.T))
    return Panel(title, "step", "", series, yscale="log")
