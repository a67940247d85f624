"""How this paper's figures look: its colours, what lines are called, what captions say."""

from collections.abc import Sequence

from clinometer.analysis.learning_progress import smooth
from clinometer.papers.santurkar2018.variants import label
from clinometer.plots import panels
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel
from clinometer.studies.series import StyledVariant, band_caption
from clinometer.training.config import RunConfig

COLOURS = {  # Okabe and Ito's, one per norm in all figures
    "none": "#D55E00",
    "batch": "#0072B2",
    "noisy_batch": "#009E73",
    "noise": "#CC79A7",
    "l1": "#E69F00",
    "l2": "#56B4E9",
    "linf": "#882255",
}


def figure(title: str, caption: str, shown: Sequence[Panel], columns: int = 3) -> Figure:
    """A figure in the paper's colours."""
    return Figure(title, caption, tuple(shown), columns, COLOURS)


def styled(arms: Sequence[RunConfig]) -> list[StyledVariant]:
    """Networks as lines: a colour per norm; where learning rates differ, labels name them and later ones are dashed."""
    several = len({arm["lr"] for arm in arms}) > 1
    return [
        StyledVariant(
            arm, label(arm) + (f", lr {arm['lr']:g}" if several else ""), colour(arm), dashed=arm["lr"] != arms[0]["lr"]
        )
        for arm in arms
    ]


def colour(arm: RunConfig) -> str:
    """The key of a network's colour: its norm, whatever the reading of an Lp norm."""
    return arm["norm"] if arm["norm"] in COLOURS else arm["norm"].split("_")[0]


def band(runs: RunTable, *arms: RunConfig) -> str:
    """What lines and bands are, for a caption, and which of them end early."""
    return band_caption(runs, arms, [f"{label(arm)} at lr {arm['lr']:g}" for arm in arms])


def accuracy_panel(runs: RunTable, title: str, probe: str, arms: Sequence[RunConfig]) -> Panel:
    """Accuracy over training, in percent; that of minibatches is averaged over 9 steps."""
    return panels.accuracy_panel(runs, title, probe, styled(arms), smooth if probe == "train" else lambda v: v)


def ridge_panel(runs: RunTable, arm: RunConfig, layer: int) -> Panel:
    """The histograms of unit 0 of a layer, counted from 1, over training, in the first seed."""
    (variant,) = styled([arm])
    group = f"layer {layer}"
    return panels.ridge_panel(runs, f"{label(arm)}, {group}", variant, layer_index(runs, arm, layer), group)


def layer_index(runs: RunTable, arm: RunConfig, layer: int, probe: str = "activations") -> int:
    """Where layer `layer`, counted from 1, stands among those that a probe measured."""
    names = list(runs.values(arm, probe, "layer", runs.seeds(arm)[:1])[0, 0])
    return next(i for i, name in enumerate(names) if f".layer{layer}." in name)
