"""Points at which the loss function raises instead of returning a loss.

Away from where training went `loss_fn` may refuse: a cross-entropy of NaN, a distribution that checks its arguments.
That is divergence, which is data, and no reason to end the training that is being measured.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from clinometer.objective.checks import scalar
from clinometer.objective.interruptions import is_interruption, is_out_of_memory
from clinometer.objective.params import Point


class LossFailures:
    """Turns what `loss_fn` raises into NaN, on a batch for which it has returned a loss before.

    What it raises on the first evaluation of a batch is a mistake in the function, and is raised. Raised as well are
    a shortage of memory and interruptions, which say nothing about the point.

    Args:
        tolerated: False raises always.

    Example:
        >>> def root(model, batch):
        ...     if model.weight < 0:
        ...         raise ValueError("no root")
        ...     return model.weight.sqrt()
        >>> model, failures = nn.Linear(1, 1), LossFailures(tolerated=True)
        >>> _ = nn.init.constant_(model.weight, 4.0)
        >>> failures.loss(root, model, None, {"weight": model.weight}).item()
        2.0
        >>> _ = nn.init.constant_(model.weight, -4.0)
        >>> failures.loss(root, model, None, {"weight": model.weight}).item(), failures.error
        (nan, ValueError('no root'))
    """

    def __init__(self, tolerated: bool) -> None:
        self.error: Exception | None = None  # the first that became NaN
        self._tolerated = tolerated
        self._evaluated: set[int] = set()  # batches with a loss, by `id`: their snapshots keep them alive

    def loss(self, loss_fn: Callable[[nn.Module, Any], Any], model: nn.Module, batch: Any, leaves: Point) -> Tensor:
        """The scalar loss; or NaN, with NaN gradients by all `leaves`."""
        try:
            loss = scalar(loss_fn(model, batch))
        except Exception as error:
            interrupted = is_out_of_memory(error) or is_interruption(error)
            if interrupted or not self._tolerated or id(batch) not in self._evaluated:
                raise
            self.error = self.error or error
            return torch.stack([leaf.sum() for leaf in leaves.values()]).sum() * torch.nan
        self._evaluated.add(id(batch))
        return loss

    @property
    def evaluated(self) -> bool:
        """Whether `loss_fn` has returned a loss yet."""
        return bool(self._evaluated)

    def message(self) -> str | None:
        """What to warn of, if it has happened."""
        if self.error is None:
            return None
        return (
            f"at a point that training did not visit, loss_fn raised {type(self.error).__name__}: {self.error}\n"
            "Loss and gradient count as NaN there. Smaller sizes, or direction='update', stay nearer to training."
        )
