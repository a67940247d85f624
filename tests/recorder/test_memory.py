"""What measuring holds beside the run, in copies of the parameters."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "memory.py"


@pytest.fixture(scope="module")
def memory() -> Any:
    spec = importlib.util.spec_from_file_location("benchmark_of_memory", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_count_of_a_bare_step_is_known(memory: Any) -> None:
    """Gradient descent holds one gradient beside the weights, and a perceptron on one sample nearly nothing more."""
    assert memory.of_a_step() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("probe", ["landscape()", 'landscape(direction="update")', "headroom()"])
def test_a_recorded_step_holds_four_copies(memory: Any, probe: str) -> None:
    """Counted in the storages that torch's operations return: weights at the start, the gradient there, and at a point
    its weights and its gradient. The direction, the update and the weights after the step are no copies.
    """
    assert memory.of_a_step(memory.PROBES[probe]) - memory.of_a_step() <= 4.1


@pytest.mark.parametrize(
    ("measure", "most"),
    [
        ("loss", 1.1),
        ("loss_and_grad", 2.1),
        ("walk", 2.1),
        ("critical_step", 1.1),
        ("plane of one direction twice", 2.1),
    ],
)
def test_a_measure_holds_a_point_and_a_gradient(memory: Any, measure: str, most: float) -> None:
    """Counted likewise: beside what the caller holds, a forward pass has weights, a backward pass their gradient."""
    assert memory.of_a_measure(memory.MEASURES[measure]) <= most


def test_the_smallest_basis_is_k_and_three_vectors(memory: Any) -> None:
    """Counted likewise: four for one eigenvalue, beside what a product with the Hessian holds in any case."""
    product = memory.of_a_measure(memory.MEASURES["linearized, two products"])
    assert memory.of_a_measure(memory.MEASURES["top_eigenpairs, basis of 3"]) <= product + 4.1
