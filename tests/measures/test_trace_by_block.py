"""The traces of blocks from shared products, against the blocks of dense Hessians."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spectra import dense_hessian, small
from torch import nn

from clinometer import Objective, layers_of
from clinometer.measures.trace import trace
from clinometer.measures.trace_by_block import trace_by_block

SMALL = small()
HERE = SMALL.here()
BLOCKS = layers_of(SMALL.model)


def truth() -> dict[str, float]:
    """From the diagonal of a Hessian of central differences."""
    parts = dense_hessian(SMALL).diagonal().split([value.numel() for value in HERE.values()])
    sums = {name: float(part.sum()) for name, part in zip(HERE, parts, strict=True)}
    return {block: sum(sums[name] for name in names) for block, names in BLOCKS.items()}


def test_estimates_are_unbiased_and_as_good_as_they_say() -> None:
    """The truth is a Hessian of central differences in train mode; over 60 seeds, for each of three layers.

    A mean of 60 lies within four of its standard errors, and a root mean square is known to a tenth and somewhat more.
    """
    expected = truth()
    found = [trace_by_block(SMALL, HERE, BLOCKS, products=24, seed=seed) for seed in range(60)]
    for block, value in expected.items():
        off = torch.tensor([each[block].value - value for each in found])
        claimed = torch.tensor([each[block].error for each in found]).square().mean().sqrt()
        assert abs(float(off.mean())) < 4 * float(off.std()) / math.sqrt(60), block
        assert 0.75 < float(off.square().mean().sqrt() / claimed) < 1.35, block


def test_as_many_products_as_parameters_are_exact() -> None:
    """The same truth, up to the error of central differences."""
    found = trace_by_block(SMALL, HERE, BLOCKS, products=128)
    for block, value in truth().items():
        assert found[block].value == pytest.approx(value, abs=1e-7)
        assert (found[block].error, found[block].products) == (0.0, 128)


@settings(max_examples=8, deadline=None)
@given(parts=st.lists(st.integers(0, 3), min_size=8, max_size=8), seed=st.integers(0, 99))
def test_blocks_sum_to_the_estimate_of_the_whole(parts: list[int], seed: int) -> None:
    """The whole is Hutch++'s estimate with the same vectors, for any partition of the parameters."""
    blocks = {str(number): [n for n, part in zip(HERE, parts, strict=True) if part == number] for number in range(4)}
    found = trace_by_block(SMALL, HERE, blocks, products=12, seed=seed)
    whole = trace(SMALL, HERE, method="hutch++", products=12, seed=seed)
    assert sum(each.value for each in found.values()) == pytest.approx(whole.value, rel=1e-9)
    assert sum(each.n for each in found.values()) == 128


def test_one_block_of_everything_has_the_error_of_the_whole() -> None:
    """Hutch++'s own samples."""
    found = trace_by_block(SMALL, HERE, {"all": list(HERE)}, products=24)["all"]
    whole = trace(SMALL, HERE, method="hutch++", products=24)
    assert found.error == pytest.approx(whole.error, rel=1e-9)


def test_a_hessian_of_low_rank_is_known_by_its_range() -> None:
    """½(a·w)² + ½(b·v)² has rank 2 and the traces ‖a‖² and ‖b‖²."""
    a, b = torch.randn(2, 40, dtype=torch.float64)
    params = {"w": torch.zeros(40, dtype=torch.float64), "v": torch.zeros(40, dtype=torch.float64)}
    objective = Objective(params=params, loss_fn=lambda p, _: ((p["w"] @ a) ** 2 + (p["v"] @ b) ** 2) / 2)
    found = trace_by_block(objective, objective.here(), {"w": ["w"], "v": ["v"]})
    assert found["w"].value == pytest.approx(float(a @ a))
    assert found["v"].value == pytest.approx(float(b @ b))
    assert found["v"].products == 5
    assert found["v"].error < 1e-10


def test_no_finite_second_derivative_has_no_number_but_a_reason() -> None:
    """√|w| at 0."""
    model = nn.Linear(40, 1, bias=False)
    nn.init.zeros_(model.weight)
    objective = Objective(model, lambda m, _: m.weight.abs().sqrt().sum(), None)
    found = trace_by_block(objective, objective.here(), {"all": ["weight"]})["all"]
    assert math.isnan(found.value)
    assert math.isnan(found.error)
    assert found.notes == "a second derivative of the loss is not finite here"


def test_an_unknown_parameter_is_refused() -> None:
    """Said before any product."""
    with pytest.raises(ValueError, match=r"no parameter of the point is called 'third\.weight'; it has first\.weight"):
        trace_by_block(SMALL, HERE, {"third": ["third.weight"]})
