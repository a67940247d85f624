"""Theorem 4.1: what BatchNorm does to the size of the gradient.

Hypothesis: both networks see the same gradient g = ∂L/∂z, taken at BatchNorm's output z.
Left side: ‖∂L̂/∂y‖². Right side: (γ²/s²)(‖g‖² − ⟨1, g⟩²/m − ((2 − r)/n)⟨g, ŷ⟩²), in the notation of `unit.py`.

With a pencil: by Fact C.1 the left side is (γ²/s²) gᵀP²g, and P² = I − 11ᵀ/m − (2 − r)ŷŷᵀ/n. At ε = 0 with the biased
variance the last factor is 1/m. So it is an equality, though printed as "≤".

Where the print misleads: the last term stands as 1/√m⟨g, ŷ⟩². The root belongs inside the square, (⟨g, ŷ⟩/√m)²; outside
it, the bound is smaller than the left side, hence false. And the gradient on the right is written ∇_y L, that of the
network without BatchNorm: where this is taken at y, and z ≠ y, the bound is false too.
"""

from dataclasses import replace

from torch import Tensor

from clinometer.papers.santurkar2018.unit import Unit, gradient, random_unit
from clinometer.studies.theorems import Theorem, excess, relative_error


def left(unit: Unit) -> Tensor:
    """‖∂L̂/∂y‖², by differentiating through BatchNorm."""
    return unit.v.square().sum()


def right(unit: Unit, g: Tensor | None = None, factor: Tensor | float | None = None) -> Tensor:
    """The right side; `g` and `factor`, in place of ∂L/∂z and (2 − r)/n, are for its misreadings."""
    g = unit.g if g is None else g
    factor = (2 - unit.r) / unit.n if factor is None else factor
    kept = g.square().sum() - g.sum().square() / len(g) - factor * (g @ unit.normalized).square()
    return (unit.gamma / unit.s) ** 2 * kept


def error(unit: Unit) -> float:
    """|left − right| over (γ²/s²)‖g‖²."""
    return relative_error(left(unit), right(unit), unit.size())


def root_outside(unit: Unit) -> float:
    """By how much the bound with (1/√m)⟨g, ŷ⟩² is violated."""
    return excess(left(unit), right(unit, factor=len(unit.x) ** -0.5), unit.size())


def gradient_at_y(unit: Unit) -> float:
    """By how much the bound with ∂L/∂z taken at y, where the network without BatchNorm has it, is violated."""
    return excess(left(unit), right(unit, g=gradient(unit.loss, unit.y)), unit.size())


def one_over_m(unit: Unit) -> float:
    """The error of the equality with 1/m in place of (2 − r)/n."""
    return relative_error(left(unit), right(unit, factor=1 / len(unit.x)), unit.size())


def z_is_y(unit: Unit) -> Unit:
    """The unit with the γ and β of Observation 4.3, so that both networks have the same activations."""
    return replace(unit, gamma=float(unit.s), beta=float(unit.y.mean()))


THEOREM = Theorem(
    hypothesis="the gradient on the right is taken at BatchNorm's output, g = ∂L/∂z",
    printed="‖∇_y L̂‖² ≤ (γ²/σ²) (‖∇_y L‖² − (1/m)⟨1, ∇_y L⟩² − 1/√m⟨∇_y L, ŷ⟩²)",
    true="‖∇_y L̂‖² = (γ²/s²) (‖g‖² − (1/m)⟨1, g⟩² − ((2 − r)/n)⟨g, ŷ⟩²),  r = σ²/(σ² + ε); at ε = 0 (2 − r)/n is 1/m",
    case=lambda generator: error(random_unit(generator)),
    breaks={
        "as printed, 1/√m outside the square": lambda generator: root_outside(
            random_unit(generator, eps=0.0, unbiased=False)
        ),
        "g taken at y, not at z": lambda generator: gradient_at_y(random_unit(generator)),
        "1/m, but ε > 0": lambda generator: one_over_m(random_unit(generator, eps=0.1, unbiased=False)),
        "1/m, but the unbiased variance": lambda generator: one_over_m(random_unit(generator, eps=0.0, unbiased=True)),
    },
)
