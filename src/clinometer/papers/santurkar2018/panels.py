"""Panels that several figures share. A line is the mean over seeds, its band their range, unless said otherwise."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from clinometer.analysis.learning_progress import smooth
from clinometer.papers.santurkar2018.variants import label
from clinometer.results.runs import Floats, Runs
from clinometer.studies.figure import Panel, Ridges, Series, Values
from clinometer.training.config import Config

Arms = Sequence[Config]


def band(runs: Runs, *arms: Config) -> str:
    """What lines and bands are, for a caption, and which of them end early."""
    ended = [(arm, runs.diverged(arm)) for arm in arms]
    cut = [f"{count} of {len(runs.seeds(arm))} runs of {label(arm)} at lr {arm.lr:g}" for arm, count in ended if count]
    diverged = f" Diverged, so that their mean ends there: {', '.join(cut)}." if cut else ""
    return f"Line: mean over {_seeds(runs, arms)} seeds; band: their range.{diverged}"


def curve(
    runs: Runs, arm: Config, probe: str, field: str, pick: Callable[[Floats], Floats] = lambda v: v, name: str = ""
) -> Series:
    """A field of an arm over training. `pick` reduces (seeds, steps, ...) to two axes."""
    return over_seeds(arm, runs.steps(arm, probe), pick(runs.values(arm, probe, field)), name)


def over_seeds(arm: Config, x: Values, values: Floats, name: str = "") -> Series:
    """Values of shape (seeds, x) as a line, their mean, in a band, their range."""
    return Series(name or label(arm), arm.norm, x, values.mean(0), low=values.min(0), high=values.max(0))


def accuracy_panel(runs: Runs, title: str, probe: str, arms: Arms) -> Panel:
    """Accuracy over training, in percent; a second learning rate is dashed."""
    pick = _smooth_percent if probe == "train" else _percent
    return Panel(title, "step", "accuracy (%)", _curves(runs, arms, probe, "accuracy", pick), ylim=(0, 102))


def loss_panel(runs: Runs, title: str, arms: Arms) -> Panel:
    """Training loss, on a logarithmic axis."""
    return Panel(title, "step", "training loss", _curves(runs, arms, "train", "loss", lambda v: v), yscale="log")


def variation_panel(runs: Runs, title: str, arms: Arms, probe: str = "landscape") -> Panel:
    """The range of the loss along the walk, a band per arm."""
    return Panel(title, "step", "loss", tuple(_range(runs, arm, probe, "loss") for arm in arms), yscale="log")


def predictiveness_panel(runs: Runs, title: str, arms: Arms, probe: str = "landscape") -> Panel:
    """The range of the gradient's change along the walk, a band per arm."""
    series = tuple(_range(runs, arm, probe, "gap") for arm in arms)
    return Panel(title, "step", "gradient change", series, yscale="log")


def beta_panel(runs: Runs, title: str, arms: Arms, probe: str = "landscape", *, log: bool = False) -> Panel:
    """Effective β-smoothness, with 2/lr dotted."""
    lines = _curves(runs, arms, probe, "beta", lambda v: v)
    edge = Series("2/lr", "reference", lines[0].x, np.full(len(lines[0].x), 2 / arms[0].lr), dashed=True)
    return Panel(title, "step", "β", (*lines, edge), yscale="log" if log else "linear")


def shift_panels(runs: Runs, layer: int, arms: Arms) -> tuple[Panel, Panel]:
    """‖G − G′‖ and cos(G, G′) of one layer, counted from 1."""
    title = f"layer {layer}, lr {arms[0].lr:g}"
    l2, cosine = (
        _curves(runs, arms, "internal_shift", field, lambda v: v[:, :, layer - 1]) for field in ("l2", "cosine")
    )
    return (
        Panel(title, "step", "‖G − G′‖", l2, yscale="log"),
        Panel(title, "step", "cos(G, G′)", cosine, ylim=(-1.02, 1.02)),
    )


def ridge_panel(runs: Runs, arm: Config, layer: int) -> Panel:
    """The histograms of unit 0 of a layer over training, in the first seed."""
    seeds = runs.seeds(arm)[:1]
    index = layer_index(runs, arm, layer)
    edges, counts = (runs.values(arm, "activations", field, seeds)[0, :, index] for field in ("edges", "counts"))
    ridges = Ridges(arm.norm, runs.steps(arm, "activations"), edges, counts)
    return Panel(f"{label(arm)}, layer {layer}", "activation", "step", ridges=ridges)


def layer_index(runs: Runs, arm: Config, layer: int) -> int:
    """Where layer `layer`, counted from 1, stands among the rows of `activations`."""
    names = list(runs.values(arm, "activations", "layer", runs.seeds(arm)[:1])[0, 0])
    return next(i for i, name in enumerate(names) if f".layer{layer}." in name)


def _curves(runs: Runs, arms: Arms, probe: str, field: str, pick: Callable[[Floats], Floats]) -> tuple[Series, ...]:
    several = len({arm.lr for arm in arms}) > 1
    lines = [
        (arm, curve(runs, arm, probe, field, pick, label(arm) + (f", lr {arm.lr:g}" if several else "")))
        for arm in arms
    ]
    return tuple(replace(line, dashed=arm.lr != arms[0].lr) for arm, line in lines)


def _range(runs: Runs, arm: Config, probe: str, quantity: str) -> Series:
    """The median over seeds of either end."""
    low, high = (np.median(runs.values(arm, probe, f"{quantity}_{end}"), axis=0) for end in ("min", "max"))
    return Series(label(arm), arm.norm, runs.steps(arm, probe), low=low, high=high)


def _seeds(runs: Runs, arms: Arms) -> str:
    counts = sorted({len(runs.seeds(arm)) for arm in arms})
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _percent(values: Floats) -> Floats:
    return 100 * values


def _smooth_percent(values: Floats) -> Floats:
    return 100 * smooth(values)
