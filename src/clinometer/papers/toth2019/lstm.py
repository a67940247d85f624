"""Layers of LSTM cells whose gates and states are normalised, with residual connections between the layers."""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

Norm = Literal["layer", "none"]
State = list[tuple[Tensor, Tensor]]  # of each layer: its cell state and its output, each (n, hidden)


class NormedLSTMCell(nn.Module):
    """An LSTM cell that normalises each gate before its sigmoid, and the new cell state.

        i, g, f, o = LN(W [x, h])    c′ = LN(c σ(f + 1) + tanh(g) σ(i))    h′ = tanh(c′) σ(o)

    LN is layer normalization with a gain and a bias, of each of the five alone. The normalised state is the one that is
    kept. Without a norm the gates have biases, and the state stays as it is.

    Args:
        inputs: Size of x.
        hidden: Size of c and h.
        norm: `layer` or `none`.

    Raises:
        ValueError: if there is no such norm.
    Source: Ba, Kiros and Hinton (2016), arXiv:1607.06450, as TensorFlow 1 has it.

    Example:
        >>> cell = NormedLSTMCell(3, 2, "none")
        >>> [tuple(each.shape) for each in cell(torch.zeros(5, 3), (torch.zeros(5, 2), torch.zeros(5, 2)))]
        [(5, 2), (5, 2)]
    """

    def __init__(self, inputs: int, hidden: int, norm: Norm) -> None:
        super().__init__()
        if norm not in get_args(Norm):
            raise ValueError(f"norm of an LSTM must be one of {', '.join(get_args(Norm))}; found {norm!r}.")
        normed = norm == "layer"
        self.gates = nn.Linear(inputs + hidden, 4 * hidden, bias=not normed)
        # Four groups of channels, each a gate: layer normalization of each in one call.
        self.gate_norm = nn.GroupNorm(4, 4 * hidden) if normed else nn.Identity()
        self.state_norm = nn.GroupNorm(1, hidden) if normed else nn.Identity()

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        cell, output = state
        enter, new, keep, leave = self.gate_norm(self.gates(torch.cat([x, output], 1))).chunk(4, 1)
        cell = self.state_norm(cell * (keep + 1).sigmoid() + new.tanh() * enter.sigmoid())
        return cell, cell.tanh() * leave.sigmoid()


class ResidualLSTM(nn.Module):
    """LSTM cells one upon the other; from the second on, each adds its output to its input."""

    def __init__(self, inputs: int, hidden: int, layers: int, norm: Norm) -> None:
        super().__init__()
        self.hidden = hidden
        self.cells = nn.ModuleList(NormedLSTMCell(hidden if layer else inputs, hidden, norm) for layer in range(layers))

    def start(self, like: Tensor) -> State:
        """States of zeros, for as many samples as `like` has, of its kind."""
        return [(zeros := like.new_zeros(len(like), self.hidden), zeros) for _ in self.cells]

    def forward(self, x: Tensor, states: State) -> tuple[Tensor, State]:
        """The last layer's output, (n, hidden), and the new states."""
        new: State = []
        for layer, (cell, state) in enumerate(zip(self.cells, states, strict=True)):
            new.append(cell(x, state))
            x = x + new[-1][1] if layer else new[-1][1]
        return x, new
