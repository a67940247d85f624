"""The equivariance error of each stage of a network: how far it is from commuting with a symmetry.

    error = mean ‖f(ρ(g) x) − ρ′(g) f(x)‖ / mean ‖f(x)‖      over images x and elements g ≠ 1 of the group

Once of the network up to the stage, from the image on, and once of the stage `alone`, which is given what the stages
before it make of the images. An error of 0 up to rounding means that the stage is equivariant; the last two
rows are the mean over the domain, and the logits, which should not change at all.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from clinometer.papers.bronstein2021.actions import Graph, Kind, Signal, permuted, rotated, shifted, signal_of
from clinometer.papers.bronstein2021.networks.staged import Staged, pooled

POOLED, LOGITS = "pooled", "logits"
ROTATIONS = (1, 2, 3)  # right angles
SHIFTS = ((1, 0), (0, 1), (3, 5))  # pixels; at least one of both numbers is odd
EVEN_SHIFTS = ((2, 0), (0, 2), (6, 4))
PERMUTATIONS = (0, 1, 2)  # seeds

Act = Callable[[Signal], Signal]  # ρ(g), of what a stage returns
Stage = Callable[[Signal], Signal]


class Errors(NamedTuple):
    """The errors of a stage."""

    through: float  # of the network up to the stage
    alone: float  # of the stage, given what the stages before it make of the image


class Element(NamedTuple):
    """An element g of a group, by its actions."""

    on_start: Act  # on what the first stage is given
    on_signals: Act  # on what stages return


def groups(kind: Kind, side: int) -> dict[str, list[Element]]:
    """Some elements of each group that acts on images, by the group's name.

    Args:
        kind: Of the network's signals.
        side: Of the images.
    """

    def shifts(amounts: Sequence[Sequence[int]]) -> list[Element]:
        return [_moved(partial(_shifted, by=by, side=side), kind) for by in amounts]

    turns = [_moved(partial(_rotated, quarters=quarters), kind) for quarters in ROTATIONS]
    return {"rotation": turns, "shift": shifts(SHIFTS), "even_shift": shifts(EVEN_SHIFTS)}


def equivariance_errors(network: Staged, images: Tensor) -> dict[str, dict[str, Errors]]:
    """The errors by group and stage; NaN where the group does not act.

    `rotation` by right angles and cyclic `shift`, `even_shift` by even numbers of pixels, act on images;
    `permutation` on the nodes of a graph.

    Args:
        network: In training mode a BatchNorm takes the statistics of these images, and of the moved ones.
        images: (N, 1, side, side); they set the precision in which everything is computed.

    Example:
        >>> from clinometer.papers.bronstein2021.networks.rotations import rotations
        >>> errors = equivariance_errors(rotations(2, 2), torch.rand(3, 1, 8, 8, dtype=torch.float64))
        >>> max(error.through for error in errors["rotation"].values()) < 1e-14
        True
    """
    stages = _stages(network, images.dtype)
    with torch.no_grad():
        found = {
            group: _errors(stages, images.detach(), elements)
            for group, elements in groups(network.kind, images.shape[-1]).items()
        }
        return found | {"permutation": _permutation_errors(stages, images.detach())}


def _stages(network: Staged, dtype: torch.dtype) -> dict[str, Stage]:
    """The stages by name, with their parameters and buffers in a precision."""
    found = {f"stage {place}": _in_precision(stage, dtype) for place, stage in enumerate(network.stages, 1)}
    return found | {POOLED: pooled, LOGITS: _in_precision(network.head, dtype)}


def _in_precision(module: nn.Module, dtype: torch.dtype) -> Stage:
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    cast = {name: t.detach().to(dtype) if t.is_floating_point() else t.clone() for name, t in tensors.items()}
    return lambda x: functional_call(module, cast, (x,))


def _errors(stages: Mapping[str, Stage], start: Signal, elements: Sequence[Element]) -> dict[str, Errors]:
    """The errors of some stages, from the signal on that the first of them is given."""
    plain: list[Signal] = [start]
    for stage in stages.values():
        plain.append(stage(plain[-1]))
    through, alone = dict.fromkeys(stages, 0.0), dict.fromkeys(stages, 0.0)
    for element in elements:
        moved = given = element.on_start(start)
        for (name, stage), after in zip(stages.items(), plain[1:], strict=True):
            expected = after if name in (POOLED, LOGITS) else element.on_signals(after)
            moved = stage(moved)
            through[name] += _gap(moved, expected)
            alone[name] += _gap(stage(given), expected)
            given = expected
    lengths = {name: len(elements) * _length(after) for name, after in zip(stages, plain[1:], strict=True)}
    return {
        name: Errors(*(each[name] / length if length else torch.nan for each in (through, alone)))
        for name, length in lengths.items()
    }


def _permutation_errors(stages: Mapping[str, Stage], images: Tensor) -> dict[str, Errors]:
    """Of permutations of the nodes, which act on the graph that the first stage makes."""
    unknown = dict.fromkeys(stages, Errors(torch.nan, torch.nan))
    (_, make), *others = stages.items()
    graph = make(images)
    if not isinstance(graph, Graph):
        return unknown
    orders = [
        torch.randperm(graph.signal.shape[-1], generator=torch.Generator().manual_seed(seed)) for seed in PERMUTATIONS
    ]
    return unknown | _errors(dict(others), graph, [_permutation(order.to(images.device)) for order in orders])


def _permutation(order: Tensor) -> Element:
    def act(x: Signal) -> Signal:
        return permuted(x, order) if isinstance(x, Graph) else x

    return Element(act, act)


def _moved(act: Callable[[Tensor, Kind], Tensor], kind: Kind) -> Element:
    """An element that acts on images, and on signals of a kind; on a graph's nodes along with their edges."""

    def on_signals(x: Signal) -> Signal:
        if isinstance(x, Graph):
            return permuted(x, act(torch.arange(x.signal.shape[-1], device=x.signal.device), "nodes"))
        return act(x, kind)

    def on_images(x: Signal) -> Signal:
        return act(signal_of(x), "plane")

    return Element(on_images, on_signals)


def _rotated(x: Tensor, kind: Kind, quarters: int) -> Tensor:
    return rotated(x, quarters, kind)


def _shifted(x: Tensor, kind: Kind, by: Sequence[int], side: int) -> Tensor:
    return shifted(x, by, kind, side)


def _gap(found: Signal, expected: Signal) -> float:
    return _length(signal_of(found) - signal_of(expected))


def _length(x: Signal) -> float:
    """The mean norm of a batch of signals."""
    return float(signal_of(x).flatten(1).norm(dim=1).mean())
