"""The trace against dense Hessians, planted spectra and other libraries."""

import functools
import math
from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import batch, quadratic
from spectra import Small, dense_hessian, planted, small, spectra
from torch import nn
from torch.nn import functional as F

from clinometer import Objective
from clinometer.measures.trace import Method, trace

METHODS: tuple[Method, ...] = get_args(Method)


def estimates(objective: Any, method: Method, runs: int, products: int = 24) -> tuple[torch.Tensor, torch.Tensor]:
    """Values and errors of so many seeds."""
    found = [trace(objective, objective.here(), products=products, method=method, seed=seed) for seed in range(runs)]
    return torch.tensor([each.value for each in found]), torch.tensor([each.error for each in found])


@pytest.mark.parametrize("method", METHODS)
def test_a_network_in_train_mode(method: Method) -> None:
    """The truth is a Hessian of central differences, with BatchNorm in train mode and dropout frozen.

    Four standard errors: a Student t of 11 or more degrees of freedom goes beyond in 1 of 500.
    """
    objective = small()
    truth = float(dense_hessian(objective).trace())
    found = trace(objective, objective.here(), products=36, method=method)
    assert found.products <= 36
    assert 0 < found.error < abs(truth)
    assert abs(found.value - truth) < 4 * found.error


@pytest.mark.parametrize("method", METHODS)
def test_as_many_products_as_parameters_give_the_exact_trace(method: Method) -> None:
    """Central differences again; their own error is about 1e-9."""
    objective = small()
    found = trace(objective, objective.here(), products=200, method=method)
    assert found.value == pytest.approx(float(dense_hessian(objective).trace()), abs=1e-7)
    assert (found.error, found.products) == (0.0, 128)
    assert found.notes.startswith("exact")


@pytest.mark.parametrize("spectrum", spectra(40))
@pytest.mark.parametrize("method", METHODS)
def test_estimates_are_unbiased_and_as_good_as_they_say(method: Method, spectrum: str) -> None:
    """The truth is planted in 200 matrices. A mean of 200 lies within four of its standard errors in all but 1 of 10⁴.

    The root mean square of true errors over that of claimed ones has a relative error of √(1/400) and more, as the
    claimed ones of 12 or 8 terms scatter; XTrace's are correlated, and claim up to a quarter less.
    """
    eigenvalues = spectra(100)[spectrum]
    truth = float(eigenvalues.sum())
    found = [
        trace(objective, objective.here(), products=24, method=method, seed=seed)
        for seed in range(200)
        for objective in [planted(eigenvalues, seed=seed % 20)]
    ]
    errors = torch.tensor([each.value - truth for each in found])
    claimed = torch.tensor([each.error for each in found]).square().mean().sqrt()
    assert abs(float(errors.mean())) < 4 * float(errors.std()) / math.sqrt(200)
    ratio = float(errors.square().mean().sqrt() / claimed)
    assert 0.8 < ratio < 1.35, ratio


def test_a_few_outliers_are_found_exactly_where_hutchinson_is_far_off() -> None:
    """Of 100 eigenvalues five are 20 to 100: what is left for the others is the bulk's share, by their formulas.

    Hutchinson's standard deviation is about ‖H‖_F √(2/m) = 41, the others' is that of the bulk of norm 1.
    """
    objective = planted(spectra(100)["outliers"])
    truth = float(objective.hessian.trace())
    off = {method: float((estimates(objective, method, 50)[0] - truth).square().mean().sqrt()) for method in METHODS}
    assert off["xtrace"] < off["hutchinson"] / 20
    assert off["hutch++"] < off["hutchinson"] / 20


@pytest.mark.parametrize("method", ["xtrace", "hutch++"])
@pytest.mark.parametrize("rank", [0, 1, 5])
def test_a_rank_below_the_sketch_ends_it(method: Method, rank: int) -> None:
    """The trace of a matrix of rank r is known after r + 1 products for its range, and r on it."""
    objective = planted(torch.cat([torch.linspace(1.0, 9.0, rank), torch.zeros(100 - rank)]))
    found = trace(objective, objective.here(), products=60, method=method)
    assert found.value == pytest.approx(float(objective.hessian.trace()), abs=1e-10)
    assert abs(found.value - float(objective.hessian.trace())) <= found.error <= 1e-10
    assert found.products == objective.asked == 2 * rank + 1
    assert found.notes == f"exact to rounding: the Hessian has rank {rank}"


def test_float32_products_are_good_enough() -> None:
    """The truth is the same matrix in float64; rounding is far below the standard error."""
    eigenvalues = spectra(300)["outliers"]
    single, double = (planted(eigenvalues, dtype=dtype) for dtype in (torch.float32, torch.float64))
    found, truth = (trace(each, each.here(), products=40) for each in (single, double))
    assert found.value == pytest.approx(truth.value, abs=0.01 * truth.error)
    assert found.error == pytest.approx(truth.error, rel=0.01)


@settings(max_examples=25, deadline=None)
@given(factor=st.floats(1e-3, 1e3), method=st.sampled_from(METHODS), seed=st.integers(0, 2**40))
def test_a_loss_times_c_has_c_times_the_trace_and_the_error(factor: float, method: Method, seed: int) -> None:
    """By linearity, with the same random vectors, up to rounding."""
    objective = planted(spectra(30)["flat"])
    once = trace(objective, objective.here(), products=8, method=method, seed=seed)
    objective.hessian = factor * objective.hessian
    scaled = trace(objective, objective.here(), products=8, method=method, seed=seed)
    assert scaled.value == pytest.approx(factor * once.value, rel=1e-6)
    assert scaled.error == pytest.approx(factor * once.error, rel=1e-4)


@settings(max_examples=5, deadline=None)
@given(parts=st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_the_traces_of_blocks_sum_to_the_whole(parts: list[int]) -> None:
    """By the definition of the trace, for any partition of the parameters into blocks."""
    objective = SMALL
    here = objective.here()
    blocks = [[name for name, part in zip(here, parts, strict=True) if part == number] for number in range(4)]
    traces = [trace(objective, here, products=200, only=block) for block in blocks if block]
    assert sum(each.value for each in traces) == pytest.approx(whole_trace(), rel=1e-9)


SMALL = small()


@functools.cache
def whole_trace() -> float:
    return trace(SMALL, SMALL.here(), products=200).value


def test_a_block_is_estimated_by_vectors_of_its_own() -> None:
    """The truth is the block on the diagonal of a Hessian of central differences; other blocks add no variance."""
    names = [name for name in SMALL.here() if name.startswith("first")]
    start = 0
    end = sum(value.numel() for name, value in SMALL.here().items() if name in names)
    truth = float(dense_hessian(SMALL)[start:end, start:end].trace())
    found = trace(SMALL, SMALL.here(), products=24, only=names)
    assert found.error > 0
    assert abs(found.value - truth) < 4 * found.error


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_decides(method: Method) -> None:
    """Equal seeds give equal bits whatever torch's own generator did, other seeds other numbers."""
    objective = planted(spectra(60)["flat"])
    first = trace(objective, objective.here(), method=method, seed=3)
    torch.rand(7)
    state = torch.get_rng_state()
    assert trace(objective, objective.here(), method=method, seed=3) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert trace(objective, objective.here(), method=method, seed=4).value != first.value


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [1, 40])
def test_no_finite_second_derivative_has_no_number_but_a_reason(method: Method, size: int) -> None:
    """√|w| at 0: its slope is infinite there, and the loss is finite."""
    model = nn.Linear(size, 1, bias=False).double()
    nn.init.zeros_(model.weight)
    objective = Objective(model, lambda m, _: m.weight.abs().sqrt().sum(), None)
    found = trace(objective, objective.here(), method=method)
    assert math.isnan(found.value)
    assert math.isnan(found.error)
    assert found.products == 1
    assert found.notes == "a second derivative of the loss is not finite here"


def test_complex_parameters_count_by_their_parts() -> None:
    """|w|² = a² + b² has the Hessian 2 by each part: the trace over 3 complex numbers is 12."""
    w = torch.randn(3, dtype=torch.complex64)
    objective = Objective(params={"w": w}, loss_fn=lambda p, _: p["w"].abs().square().sum())
    assert trace(objective, objective.here()).value == pytest.approx(12.0)


def test_bad_input() -> None:
    """Said before any product."""
    objective = quadratic([1.0, 4.0], [1.0, 1.0])
    here = objective.here()
    with pytest.raises(ValueError, match=r"`products` must be at least 6, for a standard error; found 5"):
        trace(objective, here, products=5)
    with pytest.raises(ValueError, match=r"one of xtrace, hutch\+\+, hutchinson; found 'exact'"):
        trace(objective, here, method="exact")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="`only` must name parameters of the point, which has 'w'; found 'v'"):
        trace(objective, here, only=["v"])
    with pytest.raises(ValueError, match="which has 'w'; found none"):
        trace(objective, here, only=[])


@pytest.mark.oracle
@pytest.mark.parametrize(("method", "name", "lowest"), [("xtrace", "xtrace", 0), ("hutch++", "hutchpp_trace", 0.75)])
def test_errors_are_no_larger_than_those_of_curvlinops(method: Method, name: str, lowest: float) -> None:
    """Its estimators are written by others: 150 draws of each on one matrix.

    A root mean square of 150 has a relative error of 6%, and the quotient of two 8%. Its XTrace leaves the residual's
    length as it is drawn, and is worse for it on a spectrum away from zero.
    """
    curvlinops = pytest.importorskip("curvlinops", reason="the oracle is not installed")
    objective = planted(spectra(60)["flat"])
    truth = float(objective.hessian.trace())
    torch.manual_seed(0)
    theirs = torch.stack([getattr(curvlinops, name)(objective.hessian, 24) for _ in range(150)]) - truth
    ours = estimates(objective, method, 150)[0] - truth
    assert lowest < float(ours.square().mean().sqrt() / theirs.square().mean().sqrt()) < 1.25


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")  # what the oracles warn of is their own affair
def test_other_libraries_agree_in_eval_mode() -> None:
    """Each is written by others, and measures in eval mode: PyHessian, hessian-eigenthings and curvlinops.

    curvlinops gives the whole matrix, hence the exact trace; the others estimate it, within four standard errors.
    """
    curvlinops, eigenthings = (
        pytest.importorskip(name, reason="the oracle is not installed")
        for name in ("curvlinops", "hessian_eigenthings")
    )
    pyhessian = pytest.importorskip("pyhessian", reason="the oracle is not installed")
    objective = small(train=False)
    model, (x, y) = objective.model, batch()
    data = (x.double(), y)
    exact = trace(objective, objective.here(), products=200).value
    operator = curvlinops.HessianLinearOperator(model, nn.CrossEntropyLoss(), list(model.parameters()), [data])
    matrix = operator @ torch.eye(128, dtype=torch.float64)
    assert exact == pytest.approx(float(matrix.trace()), rel=1e-9)
    theirs = eigenthings.trace(
        eigenthings.HessianOperator(model, [data], lambda m, b: F.cross_entropy(m(b[0]), b[1])), num_matvecs=60, seed=0
    )
    assert abs(theirs.estimate - exact) < 4 * theirs.stderr
    samples = torch.tensor(pyhessian.hessian(model, nn.CrossEntropyLoss(), data=data, cuda=False).trace(60, tol=0))
    assert abs(float(samples.mean()) - exact) < 4 * float(samples.std()) / math.sqrt(len(samples))
    ours = trace(objective, objective.here(), products=60)
    assert abs(ours.value - exact) < 4 * ours.error < 4 * theirs.stderr * 3


def test_train_mode_is_another_number_than_eval_mode() -> None:
    """The same weights on the same batch: BatchNorm's batch statistics are part of the function."""
    model = Small()
    x, y = batch()
    found = []
    for train in (True, False):
        objective = Objective(model.train(train), lambda m, b: F.cross_entropy(m(b[0]), b[1]), (x.double(), y))
        found.append(trace(objective, objective.here(), products=200).value)
    assert abs(found[0] - found[1]) > 0.05 * abs(found[1])
