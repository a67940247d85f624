"""The configs of the paper's runs: networks at matched parameters, deep graph networks, and the studies in float64."""

from typing import Any

from clinometer.training.config import Bases, ProbeSpec, RunConfig
from clinometer.training.errors import check_choice
from clinometer.training.settings import Settings

HERE = "clinometer.papers.bronstein2021"
DIGITS, GAUSSIAN = f"{HERE}.data:digits", f"{HERE}.networks.tiny:samples"
_GRID, _P4 = f"{HERE}.networks.grid:grid", f"{HERE}.networks.rotations:rotations"
_GRAPH, _SET = f"{HERE}.networks.graph:graph", f"{HERE}.networks.graph:pixel_set"

# Widths at which all have 4,042 to 4,270 parameters; a p4 filter has four planes, so it takes half of the channels.
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "padded": (_GRID, {"width": 12, "padding": "zeros", "stride": 1}),
    "circular": (_GRID, {"width": 12, "padding": "circular", "stride": 1}),
    "strided": (_GRID, {"width": 12, "padding": "circular", "stride": 2}),
    "p4": (_P4, {"width": 6, "padding": "zeros"}),
    "graph": (_GRAPH, {"width": 24, "k": 8, "own": True}),
    "set": (_SET, {"width": 24}),
}
KINDS = ("tanh", "relu", "linear", "conv", "p4")  # of tiny networks
NORMS = ("none", "graph", "pair")  # of deep graph networks
_DEEP = 16  # convolutions of these
WARPS = (0.025, 0.1, 0.4)  # ‖∇τ‖

_TRAINED: tuple[ProbeSpec, ...] = (
    ("landscape", Settings()),
    ("headroom", Settings(direction="gradient")),
    (f"{HERE}.probes:equivariance", Settings(samples=16)),
    (f"{HERE}.probes:deformation", Settings(sizes=WARPS)),
)


def digits(steps: int, measure_every: int, **changes: Any) -> RunConfig:
    """What all networks on digits share, as the padded one.

    Args:
        steps: Of training.
        measure_every: Steps between measurements.
        changes: Of other fields.
    """
    fields: dict[str, Any] = {"batch_size": 64, "test_every": steps}
    intervals = {"equivariance": 3 * measure_every, "deformation": max(1, steps - 1)}
    model, settings = NETWORKS["padded"]
    return RunConfig(
        model,
        DIGITS,
        settings=Settings(**settings, depth=4, norm="batch", turns=4, lr=0.5),
        probes=_TRAINED,
        steps=steps,
        measure_every=measure_every,
        intervals=Settings(intervals),
        **fields | changes,
    )


def network(base: RunConfig, name: str, *, turns: int = 4) -> RunConfig:
    """One of `NETWORKS`, trained as the base is.

    Args:
        base: What `digits` made.
        name: Of the network.
        turns: 4 for digits in all rotations, 1 for upright ones.
    """
    model, settings = NETWORKS[check_choice("network", name, NETWORKS)]
    shared = {key: base.settings[key] for key in ("depth", "norm", "lr")}
    return base.vary(model=model, settings={**settings, **shared, "turns": turns})


def deep_graph(base: RunConfig, norm: str) -> RunConfig:
    """A graph network of 16 convolutions whose nodes know of themselves what their neighbourhood gives them."""
    steps = max(2, base.steps // 4)
    return base.vary(
        model=_GRAPH,
        settings={"width": 16, "k": 8, "own": False, "depth": _DEEP, "norm": norm, "lr": 0.1, "turns": 4},
        probes=((f"{HERE}.probes:over_smoothing", Settings()),),
        intervals={},
        steps=steps,
        measure_every=steps - 1,
        test_every=steps,
    )


def symmetrised(base: RunConfig, turns: int) -> RunConfig:
    """The padded network without a norm from symmetric filters, on images in all rotations or upright ones."""
    model, settings = NETWORKS["padded"]
    steps = max(2, base.steps // 10)
    return base.vary(
        model=model,
        trainer=f"{HERE}.symmetrised:train",
        settings={**settings, "depth": 2, "norm": "none", "turns": turns, "lr": 0.1},
        probes=(),
        intervals={},
        steps=steps,
        measure_every=max(1, steps // 10),
        test_every=steps,
    )


def flat(kind: str, steps: int = 10) -> RunConfig:
    """A tiny network brought to a critical point: its Hessian's spectrum.

    Args:
        kind: Of the network.
        steps: Of L-BFGS, with 20 iterations each, before Newton's method.
    """
    check_choice("kind of tiny network", kind, KINDS)
    return RunConfig(
        f"{HERE}.networks.tiny:tiny",
        GAUSSIAN,
        loss=f"{HERE}.networks.tiny:squared_error",
        trainer=f"{HERE}.flat_directions:train",
        settings=Settings(kind=kind, hidden=4, count=200, noise=0.0),
        probes=(),
        batch_size=200,
        steps=steps,
        measure_every=steps,
        test_every=steps,
    )


def bases(steps: int, measure_every: int) -> Bases:
    """What a scale varies."""
    return {"digits": digits(steps, measure_every), "flat": flat("relu")}


def trained(bases: Bases) -> dict[str, RunConfig]:
    """The networks on digits in all rotations, by name."""
    return {name: network(bases["digits"], name) for name in NETWORKS}


def upright(bases: Bases) -> RunConfig:
    """The padded network on upright digits."""
    return network(bases["digits"], "padded", turns=1)


def deep_graphs(bases: Bases) -> dict[str, RunConfig]:
    """The deep graph networks by norm."""
    return {norm: deep_graph(bases["digits"], norm) for norm in NORMS}


def on_orbits(bases: Bases) -> dict[str, RunConfig]:
    """The networks that start with symmetric filters, by their images."""
    return {"all rotations": symmetrised(bases["digits"], 4), "upright": symmetrised(bases["digits"], 1)}


def tiny_networks(bases: Bases) -> dict[str, RunConfig]:
    """The tiny networks by kind."""
    return {kind: bases["flat"].vary(kind=kind) for kind in KINDS}
