"""The gradient that the optimizers used, and how it lies to the measured one."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from clinometer.objective.params import Point, dot, norm


@dataclass(frozen=True)
class Agreement:
    """How the gradient h that the optimizer used lies to the measured gradient g."""

    cosine: float  # ⟨h, g⟩ / (‖h‖ ‖g‖): 1 where they are proportional
    factor: float  # ⟨h, g⟩ / ⟨g, g⟩: what g was multiplied by, such as by clipping
    least_cosine: float = 1.0  # of the parts of h and g by one parameter alone

    def proportional(self, rounding: float) -> bool:
        """Whether what is left of h beside g is no longer than ten roundings of h."""
        return _close(self.cosine, rounding)

    def by_parts(self, rounding: float) -> bool:
        """Whether each parameter's part was multiplied by a factor of its own, as by clipping one by one."""
        return not self.proportional(rounding) and _close(self.least_cosine, rounding)


class UsedGradient:
    """The gradient that the optimizers used. It is let go once it has been compared with the measured one.

    Args:
        gradient: By the parameters that they move; None where it was not kept, as nothing is evaluated at the step.
        parts: The norm of each parameter's gradient.
    """

    def __init__(self, gradient: Point | None, parts: Mapping[str, float]) -> None:
        self._gradient = gradient
        self._agreement: Agreement | None = None
        self.length = math.nan  # its norm, once it has been compared
        self.lengths = parts

    def compare(self, measured: Point) -> Agreement | None:
        """How it lies to the measured gradient; None unless both have a finite length above 0."""
        if self._gradient is not None:
            self.length = float(norm(self._gradient))
            self._agreement = agreement(self._gradient, {name: measured[name] for name in self._gradient})
            self._gradient = None
        return self._agreement


def agreement(used: Point, measured: Point) -> Agreement | None:
    """How one gradient lies to another; None unless both have a finite length above 0.

    Example:
        >>> import torch
        >>> agreement({"w": torch.tensor([3.0, 4.0])}, {"w": torch.tensor([6.0, 8.0])})
        Agreement(cosine=1.0, factor=0.5, least_cosine=1.0)
    """
    first, second = float(norm(used)), float(norm(measured))
    product = float(dot(used, measured))
    if not (0 < first < math.inf and 0 < second < math.inf and math.isfinite(product)):
        return None
    cosine = product / first / second
    return Agreement(cosine, product / second / second, 1.0 if _close(cosine, 1e-6) else _least_cosine(used, measured))


def _least_cosine(used: Point, measured: Point) -> float:
    """The least of the cosines of those parts that both have."""
    parts = [({name: used[name]}, {name: measured[name]}) for name in used]
    lengths = [float(norm(one)) * float(norm(other)) for one, other in parts]
    products = [float(dot(one, other)) for one, other in parts]
    return min((p / length for p, length in zip(products, lengths, strict=True) if length > 0), default=1.0)


def _close(cosine: float, rounding: float) -> bool:
    return cosine > 0 and 1 - cosine**2 <= (10 * rounding) ** 2
