"""How alike the nodes of a deep graph network are, over depth, by norm."""

from clinometer.papers.bronstein2021.configs import deep_graphs
from clinometer.papers.bronstein2021.figures.style import figure, over_layers, seeds_told
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel
from clinometer.studies.series import StyledVariant
from clinometer.training.config import Bases, RunConfig

TITLE = "Over-smoothing of graph networks with depth"
TOLD = {"none": "no norm", "graph": "GraphNorm", "pair": "PairNorm"}


def arms(bases: Bases) -> list[RunConfig]:
    """Deep graph networks without a norm, with GraphNorm and with PairNorm."""
    return list(deep_graphs(bases).values())


def draw(runs: RunTable, bases: Bases) -> Figure:
    """A panel before training and one after."""
    networks = deep_graphs(bases)
    variants = [StyledVariant(arm, TOLD[norm], norm) for norm, arm in networks.items()]
    return figure(
        TITLE,
        "Mean cosine between the features of two nodes after each of 16 convolutions, before the norm, on "
        f"nearest-neighbour graphs of digits' pixels. 1: all nodes point the same way. {seeds_told(runs, networks)}",
        [
            Panel(
                title,
                "convolution",
                "mean cosine of two nodes",
                tuple(
                    over_layers(
                        each,
                        runs.values(each.config, "over_smoothing", "cosine")[:, at],
                        runs.seeds(each.config),
                    )
                    for each in variants
                ),
                ylim=(0, 1.02),
                xticks=(1, 4, 8, 12, 16),
            )
            for title, at in {"before training": 0, "after training": -1}.items()
        ],
        columns=2,
    )
