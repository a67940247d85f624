"""Networks on graphs and sets whose nodes are the pixels of an image; adjacency is dense, and made of the image.

Source: Kipf and Welling (2017), arXiv:1609.02907, for the normalised adjacency; Zaheer et al. (2017), arXiv:1703.06114,
for sets; Bronstein et al. (2021), sections 5.3 and 5.4.
"""

import torch
from torch import Tensor, nn

from clinometer.papers.bronstein2021.actions import Graph
from clinometer.papers.bronstein2021.networks.staged import Staged, check_depth, for_relu, norm_of

VALUE = 2.0  # a difference of 1/4 of the range of a pixel's value counts as one pixel's distance


class Pixels(nn.Module):
    """The pixels of an image as the nodes of their k-nearest-neighbour graph.

    Two pixels are as far apart as their places and values are; a pixel's value is its signal. Neighbours are all nodes
    that are no farther than the k-th nearest, so that equal distances, which a grid is full of, are not decided by the
    order of the nodes. An edge is there if either end has the other as a neighbour, and each node has one to itself.
    Weights are D^(−1/2) A D^(−1/2), with the degrees D.

    Args:
        k: Neighbours of each node.

    Raises:
        ValueError: if k is below 1; and, when it runs, if an image has not more than k pixels or more than one channel.

    Example:
        >>> Pixels(8)(torch.zeros(2, 1, 8, 8)).weights.shape
        torch.Size([2, 64, 64])
    """

    def __init__(self, k: int = 8) -> None:
        super().__init__()
        if k < 1:
            raise ValueError(f"k must be at least 1; found {k}: a node without neighbours hears of nothing.")
        self.k = k

    def forward(self, x: Tensor) -> Graph:
        nodes = torch.cat([places(x), VALUE * x], 1).flatten(2)
        return Graph(x.flatten(2), normalised(neighbours(nodes, self.k)).to(x.dtype))


class Complete(nn.Module):
    """The pixels of an image as a set: each node hears of the mean of all, and has its place as a part of its signal.

    Example:
        >>> graph = Complete()(torch.zeros(2, 1, 8, 8))
        >>> graph.signal.shape, float(graph.weights[0, 0, 0])
        (torch.Size([2, 3, 64]), 0.015625)
    """

    def forward(self, x: Tensor) -> Graph:
        count = x.shape[-1] * x.shape[-2]
        signal = torch.cat([places(x) / max(x.shape[-2:]), x], 1).flatten(2)
        return Graph(signal, x.new_full((len(x), count, count), 1 / count))


class GraphConv(nn.Module):
    """A convolution on a graph, its norm, and a ReLU.

        y = relu(norm(A x U + x V + b))

    with the edges' weights A. Without `own`, V is 0: a node knows of itself what A gives it.

    Args:
        inputs: Features of a node.
        outputs: The same afterwards.
        norm: A row of `NORMS`.
        own: Whether there is a V.
    """

    def __init__(self, inputs: int, outputs: int, norm: str = "none", *, own: bool = True) -> None:
        super().__init__()
        both = inputs * (2 if own else 1)
        self.linear = for_relu(nn.Conv1d(both, outputs, 1))
        self.norm = norm_of(self.linear, norm, outputs, 1)
        self.own = own

    def forward(self, graph: Graph) -> Graph:
        heard = graph.signal @ graph.weights
        known = torch.cat([heard, graph.signal], 1) if self.own else heard
        return graph._replace(signal=self.norm(self.linear(known)).relu())


def graph(width: int = 25, depth: int = 4, norm: str = "none", k: int = 8, *, own: bool = True) -> Staged:
    """A network on the k-nearest-neighbour graph of an image's pixels.

    It commutes with every permutation of the nodes. Distances, which make the graph, are those of the rotated image, so
    that rotations permute the nodes of one and the same graph.

    Args:
        width: Features of a node.
        depth: Convolutions.
        norm: A row of `NORMS`.
        k: Neighbours.
        own: Whether a node keeps a part of its own.

    Raises:
        ValueError: as for `Pixels`, and if a number is below 1.
    """
    check_depth(depth, width)
    return _network(Pixels(k), 1, width, depth, norm, own)


def pixel_set(width: int = 25, depth: int = 4, norm: str = "none") -> Staged:
    """A network on the set of an image's pixels, each with its place: it commutes with permutations, not rotations.

    Args:
        width: Features of a node.
        depth: Stages.
        norm: A row of `NORMS`.

    Raises:
        ValueError: if a number is below 1.
    """
    check_depth(depth, width)
    return _network(Complete(), 3, width, depth, norm, own=True)


def places(x: Tensor) -> Tensor:
    """The row and the column of each pixel, (N, 2, H, W), from the image's middle.

    They are multiples of 1/2, and so exact. Rotating the image changes their signs and exchanges them.
    """
    rows, columns = (torch.arange(side, dtype=x.dtype, device=x.device) - (side - 1) / 2 for side in x.shape[-2:])
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij")).expand(len(x), -1, -1, -1)


def neighbours(nodes: Tensor, k: int) -> Tensor:
    """Whether two of the nodes (N, d, n) are neighbours, (N, n, n); see `Pixels`.

    Example:
        >>> neighbours(torch.tensor([[[0.0, 1.0, 3.0]]]), 1).int()      # 1 is nearest to 3, so they are joined as well
        tensor([[[1, 1, 0],
                 [1, 1, 1],
                 [0, 1, 1]]], dtype=torch.int32)
    """
    count = nodes.shape[-1]
    if k >= count:
        raise ValueError(f"k must be below the number of nodes, {count}; found {k}.")
    # A difference of two places at a time: sums of products would round with the order of the nodes.
    squares = sum((row[:, :, None] - row[:, None, :]).square() for row in nodes.unbind(1))
    assert isinstance(squares, Tensor)
    farthest = squares.kthvalue(k + 1, 2, keepdim=True).values  # the nearest is the node itself
    near = squares <= farthest
    return near | near.mT


def normalised(adjacency: Tensor) -> Tensor:
    """D^(−1/2) A D^(−1/2) of an adjacency (N, n, n) in which each node has an edge."""
    roots = adjacency.double().sum(2).rsqrt()
    return roots[:, :, None] * adjacency * roots[:, None, :]


def _network(first: nn.Module, inputs: int, width: int, depth: int, norm: str, own: bool) -> Staged:
    features = [inputs, *[width] * (depth - 1)]
    stages = [GraphConv(each, width, norm, own=own) for each in features]
    return Staged([first, *stages], "nodes", width)
