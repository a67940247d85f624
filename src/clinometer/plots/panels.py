"""Panels that papers share: training curves, the landscape along a walk, covariate shift, histograms over training.

Each takes the variants with the labels and colours that its figure chose, and reads their finished runs.
"""

from collections.abc import Sequence

import numpy as np

from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.figure import Panel, Ridges, Series, Values
from clinometer.studies.series import Pick, StyledVariant, curves

Variants = Sequence[StyledVariant]


def accuracy_panel(
    runs: RunTable, title: str, probe: str, variants: Variants, pick: Pick = lambda values: values
) -> Panel:
    """Accuracy of `train` or `test` over training, in percent; `pick` may smooth it."""
    lines = curves(runs, variants, probe, "accuracy", lambda values: 100 * pick(values))
    return Panel(title, "step", "accuracy (%)", lines, ylim=(0, 102))


def loss_panel(runs: RunTable, title: str, variants: Variants) -> Panel:
    """Training loss, on a logarithmic axis."""
    return Panel(title, "step", "training loss", curves(runs, variants, "train", "loss"), yscale="log")


def variation_panel(runs: RunTable, title: str, variants: Variants, probe: str = "landscape") -> Panel:
    """The range of the loss along the walk, a band per variant."""
    return Panel(title, "step", "loss", _ranges(runs, variants, probe, "loss"), yscale="log")


def predictiveness_panel(runs: RunTable, title: str, variants: Variants, probe: str = "landscape") -> Panel:
    """The range of the gradient's change along the walk, a band per variant."""
    return Panel(title, "step", "gradient change", _ranges(runs, variants, probe, "gap"), yscale="log")


def beta_panel(
    runs: RunTable, title: str, variants: Variants, lr: float, probe: str = "landscape", *, log: bool = False
) -> Panel:
    """Effective β-smoothness, with 2/lr dotted."""
    lines = curves(runs, variants, probe, "beta")
    edge = reference("2/lr", lines[0].x, 2 / lr)
    return Panel(title, "step", "β", (*lines, edge), yscale="log" if log else "linear")


def shift_panels(runs: RunTable, title: str, index: int, variants: Variants, group: str = "") -> tuple[Panel, Panel]:
    """‖G − G′‖ and cos(G, G′) of one layer; `index` is its row of `internal_shift`, `group` what it is called."""
    l2, cosine = (
        curves(runs, variants, "internal_shift", field, lambda values: values[:, :, index])
        for field in ("l2", "cosine")
    )
    return (
        Panel(title, "step", "‖G − G′‖", l2, yscale="log", group=group),
        Panel(title, "step", "cos(G, G′)", cosine, ylim=(-1.02, 1.02), group=group),
    )


def ridge_panel(runs: RunTable, title: str, variant: StyledVariant, index: int, group: str = "") -> Panel:
    """The histograms of unit 0 of one layer over training, in the first seed.

    Args:
        runs: The finished runs.
        title: Of the panel.
        variant: Whose.
        index: The layer's row of `activations`.
        group: What the layer is called.
    """
    seeds = runs.seeds(variant.config)[:1]
    edges, counts = (
        runs.values(variant.config, "activations", field, seeds)[0, :, index] for field in ("edges", "counts")
    )
    ridges = Ridges(variant.colour, runs.steps(variant.config, "activations"), edges, counts)
    return Panel(title, "activation", "step", ridges=ridges, group=group)


def reference(label: str, x: Values, level: float) -> Series:
    """A dotted horizontal line."""
    return Series(label, "reference", x, np.full(len(x), level), dashed=True)


def fading_lines(labels: Sequence[str], colour: str, xs: Sequence[Values], ys: Sequence[Floats]) -> tuple[Series, ...]:
    """Lines from light, the first, to dark, the last; the legend names these two alone."""
    last = len(ys) - 1
    return tuple(
        Series(label if place in (0, last) else "", colour, x, y, shade=place / max(last, 1))
        for place, (label, x, y) in enumerate(zip(labels, xs, ys, strict=True))
    )


def _ranges(runs: RunTable, variants: Variants, probe: str, quantity: str) -> tuple[Series, ...]:
    """A band per variant: the median over seeds of either end."""
    return tuple(_range(runs, variant, probe, quantity) for variant in variants)


def _range(runs: RunTable, variant: StyledVariant, probe: str, quantity: str) -> Series:
    low, high = (np.median(runs.values(variant.config, probe, f"{quantity}_{end}"), axis=0) for end in ("min", "max"))
    return Series(variant.label, variant.colour, runs.steps(variant.config, probe), low=low, high=high)
