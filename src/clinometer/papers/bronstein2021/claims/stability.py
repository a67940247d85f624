"""G4 and G5: stability to deformations, and over-smoothing."""

import numpy as np

from clinometer.papers.bronstein2021.configs import WARPS, deep_graphs, trained
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import FACTOR, Comparison, above, below
from clinometer.training.config import Bases, RunConfig

GROWTH = 2.0  # of C from the largest to the smallest warp
ALIKE, APART = 0.95, 0.1  # mean cosine of the deepest convolution; by how much a norm lowers it


def stable(runs: RunTable, bases: Bases) -> Evidence:
    """G4."""
    networks = trained(bases)

    def growth(name: str) -> Floats:
        constants = np.log10(runs.values(networks[name], "deformation", "constant")[:, -1])
        return constants[:, 0] - constants[:, -1]

    def told(name: str) -> str:
        return f"{name} network after training: C at ‖∇τ‖ = {WARPS[0]:g} over C at {WARPS[-1]:g}"

    bound = np.log10(GROWTH)
    return Evidence(
        (
            *(below(told(name), growth(name), bound, FACTOR) for name in networks if name != "graph"),
            above(told("graph"), growth("graph"), bound, FACTOR),
        )
    )


def smoothed(runs: RunTable, bases: Bases) -> Evidence:
    """G5."""
    networks = deep_graphs(bases)
    seeds = runs.common(*networks.values())

    def cosines(arm: RunConfig, at: int) -> Floats:
        return runs.values(arm, "over_smoothing", "cosine", seeds)[:, at]

    def lowered(at: int, when: str) -> list[Comparison]:
        last = {norm: cosines(arm, at)[:, -1] for norm, arm in networks.items()}
        return [
            above(f"without a norm − with {name}, {when}", last["none"] - last[norm], APART)
            for norm, name in (("graph", "GraphNorm"), ("pair", "PairNorm"))
        ]

    plain = cosines(networks["none"], 0)
    return Evidence(
        (
            above("mean cosine after 16 convolutions without a norm, before training", plain[:, -1], ALIKE),
            above("its growth from the second convolution on", plain[:, -1] - plain[:, 1], 0.0),
            *lowered(0, "before training"),
        ),
        beside=tuple(lowered(-1, "after training")),
    )


CLAIMS = (
    Claim(
        "G4",
        "features move at most in proportion to the deformation: C does not grow as it gets smaller; but for the graph "
        "network, whose edges jump",
        "Section 3.3",
        "A part for each network, after training: C, the mean of ‖f(x_τ) − f(x)‖ / (‖∇τ‖ ‖x‖) over images and random "
        f"smooth warps, is at ‖∇τ‖ = {WARPS[0]:g} not above {GROWTH:g} times what it is at {WARPS[-1]:g}. A feature "
        f"that jumps would have a C that grows {WARPS[-1] / WARPS[0]:g} times. The graph network's is above: its "
        "edges are there or not, as distances pass each other.",
        ("deformation",),
        stable,
        {"factor": GROWTH},
    ),
    Claim(
        "G5",
        "nodes of a deep graph network become alike with depth, and less so with GraphNorm or PairNorm",
        "Section 5.3, and Zhao and Akoglu (2020)",
        "Four parts. At initialisation the mean cosine between two nodes' features after 16 convolutions exceeds "
        f"{ALIKE:g} without a norm, and it is larger than after two; and it is larger than with GraphNorm, and than "
        f"with PairNorm, by more than {APART:g}, seed by seed. Features are taken before the norm. Beside it, and not "
        "counted: after training.",
        ("over_smoothing",),
        smoothed,
        {"mean cosine": ALIKE, "difference": APART},
    ),
)
