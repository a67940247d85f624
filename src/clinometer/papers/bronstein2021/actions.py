"""How symmetries act on images and on what the stages of a network return.

A representation ρ of a group says what becomes of a signal when its domain is moved: (ρ(g) x)(u) = x(g⁻¹ u). A stage f
is equivariant if f(ρ(g) x) = ρ′(g) f(x), where ρ′ is the group's action on what f returns; the kind of signal
(`Kind`) tells which action that is.

Source: Bronstein et al. (2021), section 3.1.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

# `plane` (N, C, H, W); `turned` (N, C, 4, H, W), a plane for each of the four rotations; `nodes`, a `Graph`; `vector`
# (N, C), which no symmetry changes.
Kind = Literal["plane", "turned", "nodes", "vector"]


class Graph(NamedTuple):
    """A signal on the nodes of a graph. The nodes are the pixels of a square image, row by row, until permuted."""

    signal: Tensor  # (N, C, n)
    weights: Tensor  # (N, n, n) of the edges; entry (i, j) is what node j gets from node i


Signal = Tensor | Graph


def rotated(x: Tensor, quarters: int, kind: Kind = "plane") -> Tensor:
    """A signal on a square, rotated anticlockwise by so many right angles.

    Rotations also permute the four planes of a `turned` signal, since they act on the rotations by composition.

    Raises:
        ValueError: if the signal does not stand on a square.

    Example:
        >>> rotated(torch.tensor([[[[1, 2], [3, 4]]]]), 1)
        tensor([[[[2, 4],
                  [1, 3]]]])
    """
    if kind == "vector":
        return x
    if kind == "nodes":
        return rotated(_as_plane(x), quarters).flatten(-2)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"expected a square, which right angles map onto itself; found shape {tuple(x.shape)}.")
    turned = torch.rot90(x, quarters, (-2, -1))
    return turned.roll(quarters, -3) if kind == "turned" else turned


def shifted(x: Tensor, by: Sequence[int], kind: Kind = "plane", side: int | None = None) -> Tensor:
    """A signal on a torus, moved cyclically by so many pixels of the image, down and to the right.

    Args:
        x: The signal.
        by: Rows and columns.
        kind: Of signal.
        side: That of the image, by default the signal's own. A signal on a coarser grid moves by as many of its own
            cells, rounded down: only where nothing is rounded can a stage that leaves out pixels be equivariant.

    Example:
        >>> shifted(torch.arange(4).view(1, 1, 2, 2), (0, 2), side=4)      # each cell is two pixels wide
        tensor([[[[1, 0],
                  [3, 2]]]])
    """
    if kind == "vector":
        return x
    if kind == "nodes":
        return shifted(_as_plane(x), by, side=side).flatten(-2)
    stride = 1 if side is None else side // x.shape[-1]
    return x.roll([each // stride for each in by], (-2, -1))


def permuted(graph: Graph, order: Tensor) -> Graph:
    """The nodes of a graph in another order: node i of the result is node order[i].

    Example:
        >>> graph = Graph(torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[0.0, 1.0], [0.0, 0.0]]]))
        >>> permuted(graph, torch.tensor([1, 0]))
        Graph(signal=tensor([[[2., 1.]]]), weights=tensor([[[0., 0.],
                 [1., 0.]]]))
    """
    return Graph(graph.signal[..., order], graph.weights[..., order, :][..., order])


def signal_of(x: Signal) -> Tensor:
    """The signal itself, without the graph that it stands on."""
    return x.signal if isinstance(x, Graph) else x


def _as_plane(x: Tensor) -> Tensor:
    side = round(x.shape[-1] ** 0.5)
    if side**2 != x.shape[-1]:
        raise ValueError(f"expected the nodes of a square image; found {x.shape[-1]} of them, which is no square.")
    return x.unflatten(-1, (side, side))
