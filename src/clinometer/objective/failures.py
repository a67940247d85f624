"""Points at which the loss function raises instead of returning a loss.

Away from where training went `loss_fn` may refuse: a cross-entropy of NaN, a distribution that checks its arguments.
That is divergence, which is data, and no reason to end the training that is being measured.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from clinometer.objective.checks import scalar
from clinometer.objective.interruptions import is_interruption, is_transient
from clinometer.objective.params import Point

_OF_VALUES = (ArithmeticError, ValueError, AssertionError, LookupError, RuntimeError)
_OF_CODE = (NotImplementedError, RecursionError)  # though they are RuntimeErrors


def is_divergence(error: BaseException) -> bool:
    """Whether an error says that the loss has no value at a point.

    It does if it is about values: an ArithmeticError, ValueError, AssertionError, LookupError or RuntimeError (torch
    raises that for a number out of its domain), or of a class that a program or library derived from Exception itself.
    It does not if memory was short, a device, file or connection failed, time ran out or the program was interrupted
    (see `interruptions`); nor if it tells of a mistake in code, such as a TypeError or a NotImplementedError.

    Example:
        >>> is_divergence(ValueError("NaN")), is_divergence(MemoryError()), is_divergence(TypeError())
        (True, False, False)
    """
    if not isinstance(error, Exception) or is_transient(error) or is_interruption(error):
        return False
    own = type(error).__mro__[1] is Exception and type(error).__module__ != "builtins"
    return own or (isinstance(error, _OF_VALUES) and not isinstance(error, _OF_CODE))


class LossFailures:
    """Turns divergence into NaN, on a batch that has been evaluated before; see `is_divergence`.

    What is raised at the first evaluation of a batch is a mistake in the function, and is raised.

    Args:
        tolerated: False raises always.

    Example:
        >>> def root(weight):
        ...     if weight < 0:
        ...         raise ValueError("no root")
        ...     return weight.sqrt()
        >>> failures, batch = LossFailures(tolerated=True), object()
        >>> weight = torch.tensor(4.0)
        >>> failures.loss(lambda: root(weight), batch, {"w": weight}).item()
        2.0
        >>> failures.loss(lambda: root(-weight), batch, {"w": weight}).item(), failures.error
        (nan, ValueError('no root'))
    """

    def __init__(self, tolerated: bool) -> None:
        self.error: Exception | None = None  # the first that became NaN
        self._tolerated = tolerated
        self._losses: set[int] = set()  # batches with a loss, by their snapshots' `id`: the objective keeps those
        self._gradients: set[int] = set()  # and with a gradient

    def loss(self, evaluate: Callable[[], Any], snapshot: object, leaves: Point) -> Tensor:
        """The scalar loss; or NaN, with NaN gradients by all `leaves`."""
        try:
            loss = scalar(evaluate())
        except Exception as error:
            self._tolerate(error, id(snapshot) in self._losses)
            return torch.stack([leaf.sum() for leaf in leaves.values()]).sum() * torch.nan
        self._losses.add(id(snapshot))
        return loss

    def gradient(self, evaluate: Callable[[], dict[str, Tensor]], snapshot: object, wanted: Point) -> dict[str, Tensor]:
        """The gradient; or NaN by all of `wanted`, where the backward pass raises."""
        try:
            found = evaluate()
        except Exception as error:
            self._tolerate(error, id(snapshot) in self._gradients)
            return {name: torch.full_like(leaf.detach(), torch.nan) for name, leaf in wanted.items()}
        self._gradients.add(id(snapshot))
        return found

    def _tolerate(self, error: Exception, worked: bool) -> None:
        """Remember divergence; raise anything else, and what is raised where training went."""
        if not (self._tolerated and worked and is_divergence(error)):
            raise error
        self.error = self.error or error

    @property
    def evaluated(self) -> bool:
        """Whether `loss_fn` has returned a loss yet."""
        return bool(self._losses)

    def message(self) -> str | None:
        """What to warn of, if it has happened."""
        if self.error is None:
            return None
        return (
            f"at a point that training did not visit, loss_fn raised {type(self.error).__name__}: {self.error}\n"
            "Loss and gradient count as NaN there. Smaller sizes, or direction='update', stay nearer to training."
        )
