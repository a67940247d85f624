"""Figure 3(a): internal covariate shift (Definition 2.1) of two layers, with and without BatchNorm."""

from clinometer.papers.santurkar2018.arms import BAND, LABELS, accuracy_panel, curve, layers_shown, seed_count
from clinometer.study.config import Config, grid
from clinometer.study.figure import Figure, Panel
from clinometer.study.table import Runs

TITLE = "Figure 3(a): internal covariate shift"
LRS = (0.1, 0.01)
NORMS = ("none", "batch")


def arms(base: Config) -> list[Config]:
    """Both networks at both learning rates."""
    return grid(base, norm=NORMS, lr=LRS)


def draw(runs: Runs, base: Config) -> Figure:
    """One row per learning rate: training accuracy, then ‖G − G′‖ and cos(G, G′) of two layers."""
    panels: list[Panel] = []
    for lr in LRS:
        panels.append(accuracy_panel(runs, f"lr {lr:g}", "train", [{"norm": norm, "lr": lr} for norm in NORMS]))
        for layer in layers_shown("figure_03", base):
            panels.append(_panel(runs, layer, lr, "l2", "‖G − G′‖"))
            panels.append(_panel(runs, layer, lr, "cosine", "cos(G, G′)"))
    return Figure(
        TITLE,
        "G is the gradient of a layer's weight; G′ is that gradient on the same batch once the layers before it "
        f"have taken their step. {BAND.format(n=seed_count(runs, norm='none', lr=LRS[0]))}",
        tuple(panels),
        columns=5,
    )


def _panel(runs: Runs, layer: int, lr: float, field: str, label: str) -> Panel:
    series = [
        curve(runs, "internal_shift", field, lambda v: v[:, :, layer - 1], label=LABELS[norm], norm=norm, lr=lr)
        for norm in NORMS
    ]
    if field == "l2":
        return Panel(f"layer {layer}, lr {lr:g}", "step", label, tuple(series), yscale="log")
    return Panel(f"layer {layer}, lr {lr:g}", "step", label, tuple(series), ylim=(-1.02, 1.02))
