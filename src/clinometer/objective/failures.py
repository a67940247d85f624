"""Where a loss has a value.

Away from where training went `loss_fn` may refuse: a cross-entropy of NaN, a distribution that checks its arguments.
That is divergence, which is data, and no reason to end the training that is being measured.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from clinometer.objective.params import Point


class LossFailures:
    """The points at which a loss function returns a loss; elsewhere loss and gradient are NaN."""

    def __init__(self) -> None:
        self.known = False  # it has returned one: what it raises from then on is for the point, not for the function
        self.error: Exception | None = None  # what it raised first, outside

    def loss(self, compute: Callable[[], Tensor], leaves: Point) -> Tensor:
        """`compute()`, or a NaN with NaN gradients where it raises.

        Example:
            >>> def refuse() -> Tensor:
            ...     raise ValueError("no such value")
            >>> w, domain = torch.tensor(1.0, requires_grad=True), LossFailures()
            >>> domain.known = True
            >>> domain.loss(refuse, {"w": w}), domain.error
            (tensor(nan, grad_fn=<MulBackward0>), ValueError('no such value'))
        """
        try:
            return compute()
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            if not self.known:
                raise
            self.error = self.error or error
            return torch.stack([leaf.sum() for leaf in leaves.values()]).sum() * torch.nan

    def remark(self) -> str | None:
        """What to tell the user, if it happened."""
        if self.error is None:
            return None
        return (
            f"at a point that training did not visit, loss_fn raised {type(self.error).__name__}: {self.error}\n"
            "Loss and gradient count as NaN there. Smaller sizes, or direction='update', stay nearer to training."
        )
