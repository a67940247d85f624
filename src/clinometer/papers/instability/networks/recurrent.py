"""A recurrent network that reads a digit row by row."""

from torch import Tensor, nn

from clinometer.papers.instability.networks.parts import Head

CELLS = {"tanh": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class Recurrent(nn.Module):
    """The eight rows of eight pixels of a digit, through a recurrent layer; its last output, to logits."""

    def __init__(self, cell: str, width: int, head_scale: float) -> None:
        super().__init__()
        if cell not in CELLS:
            raise ValueError(f"no cell {cell!r}; there are {', '.join(CELLS)}.")
        self.cell = CELLS[cell](8, width, batch_first=True)
        self.head = Head(width, 10, head_scale)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.cell(images.squeeze(1))[0][:, -1])


def recurrent(cell: str = "gru", width: int = 32, head_scale: float = 1.0) -> nn.Module:
    """A recurrent layer `cell` over the rows of a digit, then `head`.

    Args:
        cell: A row of `CELLS`: `tanh`, `gru` or `lstm`.
        width: Units.
        head_scale: Factor on the logits.

    Example:
        >>> import torch
        >>> recurrent("lstm")(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """
    return Recurrent(cell, width, head_scale)
