"""Theorems, checked on random cases in float64, and how often a statement is false where a hypothesis is dropped.

A theorem is stated as printed and as it is true. That a statement held in every case is worth little by itself, so each
theorem also has `breaks`: inputs on which the print, or the statement without one hypothesis, is false.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from clinometer.readable.results import readable
from clinometer.training.errors import check_choice
from clinometer.training.files import finite

if TYPE_CHECKING:  # a study is listed without torch
    from torch import Generator, Tensor

Case = Callable[["Generator"], float]  # draws one input and returns the relative error of a statement there


@readable
@dataclass(frozen=True)
class Theorem:
    """A statement of a paper, and how far it is from true on random inputs.

    The error of an equality is ‖left − right‖ over the size of the terms that are summed; that of an inequality is the
    amount by which it is violated over the same size, 0 where it holds.
    """

    hypothesis: str
    printed: str  # as the paper prints it
    true: str  # as it is true, and as `case` checks it
    case: Case
    breaks: Mapping[str, Case]  # the hypothesis dropped or misread -> the error of the statement without it
    # Float64 rounds to 1e-16. Sums of some tens of terms, statistics whose mean is up to a hundred times their
    # deviation, and their cubes in a Hessian cost up to five digits; a wrong factor costs all of them.
    tolerance: float = 1e-10


@readable
@dataclass(frozen=True)
class TheoremSpec:
    """A theorem as a study lists it."""

    title: str
    source: str  # where the paper has it
    load: Callable[[], Theorem]  # imports what checks it


@dataclass(frozen=True)
class Broken:
    """How often a statement that is not always true was false."""

    name: str
    false: float  # the share of the cases in which it is false
    error: float  # the median relative error of these; NaN if there are none


@readable
@dataclass(frozen=True)
class Checked:
    """The result of a check."""

    theorem: Theorem
    cases: int
    seed: int
    worst: float  # the largest relative error
    breaks: tuple[Broken, ...]

    @property
    def verdict(self) -> Literal["verified", "failed"]:
        """Whether the true statement held in every case."""
        return "verified" if self.worst <= self.theorem.tolerance else "failed"


def check(theorem: Theorem, cases: int = 200, seed: int = 0) -> Checked:
    """Try a theorem, and each of its breaks, on random cases.

    Args:
        theorem: What to try.
        cases: How many inputs; each break gets as many.
        seed: Of the inputs.

    Raises:
        ValueError: if there is less than one case, or the seed is negative or beyond 64 bits.

    Example:
        >>> import torch
        >>> def parity(generator):
        ...     return float(torch.randint(2, (), generator=generator))
        >>> theorem = Theorem("h", "p", "0 = 0", lambda _: 0.0, {"heads = tails": parity})
        >>> found = check(theorem, cases=1000)
        >>> found.verdict, found.worst, round(found.breaks[0].false, 1)
        ('verified', 0.0, 0.5)
    """
    if cases < 1:
        raise ValueError(f"--cases must be at least 1; found {cases}.")
    if not 0 <= seed < 2**63:
        raise ValueError(f"--seed must lie in [0, 2⁶³); found {seed}.")
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for tensors of a dozen entries a second thread only spins, at five times the CPU time
    try:
        worst = max(_errors(theorem.case, cases, seed))
        breaks = [_broken(name, _errors(case, cases, seed), theorem.tolerance) for name, case in theorem.breaks.items()]
    finally:
        torch.set_num_threads(threads)
    return Checked(theorem, cases, seed, worst, tuple(breaks))


def named(known: Iterable[str], name: str) -> list[str]:
    """Those that a name stands for: itself, or each of its parts.

    Example:
        >>> named(["theorem_1", "theorem_2_part_1", "theorem_2_part_2"], "theorem_2")
        ['theorem_2_part_1', 'theorem_2_part_2']
    """
    return [each for each in known if name in (each, each.partition("_part_")[0])]


def select(theorems: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
    """The theorems that some names stand for, all by default; ValueError if a name is unknown.

    Example:
        >>> select(["theorem_1", "theorem_2"], ["theorem_2"]), select(["theorem_1", "theorem_2"], [])
        (('theorem_2',), ('theorem_1', 'theorem_2'))
    """
    known = list(theorems)
    chosen = {each for name in names for each in named(known, name) or [check_choice("theorem", name, known)]}
    return tuple(name for name in known if name in chosen or not chosen)


def relative_error(left: "Tensor", right: "Tensor", size: "Tensor | float") -> float:
    """‖left − right‖ / size, infinite where it is not a number.

    Example:
        >>> import torch
        >>> relative_error(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 1.5]), 2.0)
        0.25
    """
    import torch

    error = float(torch.linalg.vector_norm(left - right) / size)
    return math.inf if math.isnan(error) else error


def excess(left: "Tensor", right: "Tensor", size: "Tensor | float") -> float:
    """By how much left ≤ right is violated, over `size`: max(0, left − right) / size, infinite where it is no number.

    Example:
        >>> import torch
        >>> excess(torch.tensor(1.0), torch.tensor(2.0), 1.0), excess(torch.tensor(3.0), torch.tensor(2.0), 1.0)
        (0.0, 1.0)
    """
    error = float((left - right) / size)
    return math.inf if math.isnan(error) else max(0.0, error)


def rows(theorems: Mapping[str, TheoremSpec], found: Mapping[str, Checked]) -> list[dict[str, Any]]:
    """The theorems table: one object per theorem that was checked, ready for JSON (not finite numbers become null)."""
    return [
        {
            "id": name,
            "title": theorems[name].title,
            "source": theorems[name].source,
            **{field: getattr(of.theorem, field) for field in ("hypothesis", "printed", "true")},
            "verdict": of.verdict,
            "cases": of.cases,
            "seed": of.seed,
            "worst": finite(of.worst),
            "tolerance": of.theorem.tolerance,
            "breaks": [{"name": b.name, "false": b.false, "error": finite(b.error)} for b in of.breaks],
        }
        for name, of in found.items()
    ]


def all_verified(found: Iterable[Mapping[str, Any]]) -> bool:
    """Whether every theorem of a table that `rows` returned is verified."""
    return all(row["verdict"] == "verified" for row in found)


def _errors(case: Case, cases: int, seed: int) -> list[float]:
    from torch import Generator

    generator = Generator().manual_seed(seed)
    return [case(generator) for _ in range(cases)]


def _broken(name: str, errors: list[float], tolerance: float) -> Broken:
    false = [error for error in errors if error > tolerance]
    return Broken(name, len(false) / len(errors), statistics.median(false) if false else math.nan)
