"""Figure 3: internal covariate shift (Definition 2.1) of two layers, with and without BatchNorm."""

from clinometer.papers.santurkar2018.progress import is_dln
from clinometer.papers.santurkar2018.style import accuracy_panel, band, figure, layer_index, styled
from clinometer.papers.santurkar2018.variants import dln, layers_shown, vgg
from clinometer.plots.panels import loss_panel, shift_panels
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel
from clinometer.training.config import Bases, RunConfig

TITLE = "Figure 3: internal covariate shift"
NORMS = ("none", "batch")
VGG_LRS = (0.1, 0.01)
DLN_LRS = (1e-6, 1e-7)


def arms(bases: Bases) -> list[RunConfig]:
    """Both networks at two learning rates, convolutional and deep linear."""
    return [arm for row in _rows(bases) for arm in row]


def draw(runs: RunTable, bases: Bases) -> Figure:
    """One row per network and learning rate: accuracy or loss, then ‖G − G′‖ and cos(G, G′) of two layers."""
    panels: list[Panel] = []
    for row in _rows(bases):
        convolutional = not is_dln(row[0])
        title = f"({'a' if convolutional else 'b'}) {'VGG' if convolutional else 'DLN'}, lr {row[0]['lr']:g}"
        panels.append(
            accuracy_panel(runs, title, "train", row) if convolutional else loss_panel(runs, title, styled(row))
        )
        for layer in layers_shown("figure_03", row[0]):
            index = layer_index(runs, row[0], layer, "internal_shift")
            title = f"layer {layer}, lr {row[0]['lr']:g}"
            panels += shift_panels(runs, title, index, styled(row), f"layer {layer}")
    return figure(
        TITLE,
        "(a) Convolutional and (b) deep linear network. G is the gradient of a layer's weight; G′ is that gradient on "
        f"the same batch once the layers before it have taken their step. {band(runs, *arms(bases))}",
        panels,
        columns=5,
    )


def _rows(bases: Bases) -> list[list[RunConfig]]:
    return [*(vgg(bases, NORMS, lr) for lr in VGG_LRS), *(dln(bases, NORMS, lr) for lr in DLN_LRS)]
