"""Rows that torch or a paper defines by a formula: the formula, written again in NumPy, and what follows from it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from clinometer.nn.norms import NORMS, apply_norm

Array = np.ndarray[Any, np.dtype[np.float64]]
EPS = 1e-5
N, C = 6, 4
SPACE = (5, 3, 2)


def sample(dims: int, seed: int = 0, n: int = N) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 1.5 * torch.randn((n, C, *SPACE[:dims]), generator=generator, dtype=torch.float64) + 0.3


def build(name: str, dims: int, **options: Any) -> nn.Module:
    """A row in float64, its parameters drawn so that none is a 0 or a 1 that would hide it."""
    norm = NORMS[name](C, dims, **(ROWS[name].options | options)).double()
    generator = torch.Generator().manual_seed(1)
    for parameter in norm.parameters():
        parameter.data.copy_(torch.rand(parameter.shape, generator=generator, dtype=torch.float64) + 0.5)
    for buffer in norm.buffers():
        if buffer.is_floating_point():
            buffer.copy_(torch.rand(buffer.shape, generator=generator, dtype=torch.float64) + 0.5)
    return norm


def wide(values: Array, y: Array) -> Array:
    return values.reshape(1, -1, *(1,) * (y.ndim - 2))


def standardized(y: Array, over: tuple[int, ...], eps: float = EPS) -> Array:
    return (y - y.mean(over, keepdims=True)) / np.sqrt(y.var(over, keepdims=True) + eps)


def space(y: Array) -> tuple[int, ...]:
    return tuple(range(2, y.ndim))


def group(y: Array, _: Mapping[str, Array]) -> Array:
    grouped = y.reshape(len(y), 2, -1)
    return standardized(grouped, (2,)).reshape(y.shape)


def ghost(y: Array, _: Mapping[str, Array]) -> Array:
    out = np.empty_like(y)
    for j in range(2):
        out[j::2] = standardized(y[j::2], (0, *space(y)))
    return out


def renorm(y: Array, p: Mapping[str, Array]) -> Array:
    over = (0, *space(y))
    s, sigma = np.sqrt(y.var(over) + EPS), np.sqrt(p["running_var"] + EPS)
    r = np.clip(s / sigma, 1 / 1.2, 1.2)
    d = np.clip((y.mean(over) - p["running_mean"]) / sigma, -0.1, 0.1)
    return (y - wide(y.mean(over), y)) / wide(s, y) * wide(r, y) + wide(d, y)


def filter_response(y: Array, p: Mapping[str, Array]) -> Array:
    eps = wide(np.abs(p["eps"]), y) if "eps" in p else 1e-6
    return y / np.sqrt((y**2).mean(space(y), keepdims=True) + eps) if y.ndim > 2 else y / np.sqrt(y**2 + eps)


@dataclass(frozen=True)
class Row:
    """A row's ŷ, before γ and β, from y and the values that it has, and what leaves y's image as it is.

    `scale` and `shift` are the dimensions along which factor and shift may differ; None where it sees any.
    """

    hat: Callable[[Array, Mapping[str, Array]], Array]
    scale: str | None
    shift: str | None
    options: Mapping[str, Any]
    alike: bool  # in training and evaluation


ROWS = {
    "batch": Row(lambda y, _: standardized(y, (0, *space(y))), "unit", "unit", {}, False),
    "layer": Row(lambda y, _: standardized(y, (1, *space(y))), "sample", "sample", {}, True),
    "group": Row(group, "group", "group", {"groups": 2}, True),
    "instance": Row(lambda y, _: standardized(y, space(y)), "both", "both", {}, True),
    "rms": Row(lambda y, _: y / np.sqrt((y**2).mean((1, *space(y)), keepdims=True) + EPS), "sample", None, {}, True),
    "filter_response": Row(filter_response, "both", None, {}, True),
    "ghost_batch": Row(ghost, "unit", "unit", {"ghost": 3}, False),
    "batch_renorm": Row(renorm, None, None, {"r_max": 1.2, "d_max": 0.1, "plain": 0, "relaxed": 0}, False),
    "dynamic_tanh": Row(lambda y, p: np.tanh(p["alpha"] * y), None, None, {}, True),
}
FITS = [(name, dims) for name in ROWS for dims in range(4) if (name, dims) != ("instance", 0)]


def numbers(norm: nn.Module) -> dict[str, Array]:
    return {name: value.detach().numpy().copy() for name, value in norm.state_dict().items()}


@pytest.mark.parametrize(("name", "dims"), FITS)
def test_a_row_is_its_formula(name: str, dims: int) -> None:
    """NumPy in float64, from the papers' formulas: the statistics of one slice at a time, then γ, β and the maximum."""
    norm, y = build(name, dims), sample(dims)
    values = numbers(norm)
    expected = ROWS[name].hat(y.numpy(), values) * wide(values["weight"], y.numpy())
    expected = expected + (wide(values["bias"], y.numpy()) if "bias" in values else 0)
    if "threshold" in values:
        expected = np.maximum(expected, wide(values["threshold"], y.numpy()))
    np.testing.assert_allclose(norm(y).detach().numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "dims"), [(name, dims) for name, dims in FITS if dims in (0, 2)])
def test_derivatives_agree_with_finite_differences(name: str, dims: int) -> None:
    """torch's gradcheck and gradgradcheck compare with central differences in float64, for input and parameters.

    Second derivatives are what curvature is measured by. Statistics that move with each pass are put back before it.
    """
    norm = build(name, dims).requires_grad_()
    state = {key: value.clone() for key, value in norm.state_dict().items()}
    parameters = dict(norm.named_parameters())

    def function(y: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        buffers = {key: value.clone() for key, value in state.items() if key not in parameters}
        return torch.func.functional_call(norm, dict(zip(parameters, values, strict=True)) | buffers, (y,))

    given_to = (sample(dims)[:, :, :3, :2] if dims else sample(dims), *parameters.values())
    arguments = tuple(each.detach().clone().requires_grad_() for each in given_to)
    assert torch.autograd.gradcheck(function, arguments)
    if name != "batch_renorm":  # r and d are constants of the gradient by definition, and no constants of a difference
        assert torch.autograd.gradgradcheck(function, arguments, atol=1e-4)


SEES = {"unit": (1, 1, C), "sample": (1, N, 1), "both": (1, N, C), "group": (2, N, 2)}


def along(which: str, dims: int, low: float, high: float, seed: int) -> torch.Tensor:
    """Random values that differ along some dimensions of y alone."""
    repeats, samples, units = SEES[which]
    values = torch.empty((samples, units), dtype=torch.float64)
    values.uniform_(low, high, generator=torch.Generator().manual_seed(seed))
    return values.repeat_interleave(repeats, 1).view(samples, units * repeats, *(1,) * dims)


BLIND = [fit for fit in FITS if ROWS[fit[0]].scale and fit != ("filter_response", 0)]  # whose ε counts without space


@given(st.sampled_from(BLIND), st.integers(0, 99))
def test_what_a_row_does_not_see(fit: tuple[str, int], seed: int) -> None:
    """Mean and deviation are homogeneous, so factors and shifts cancel, each drawn where the row may not see it.

    ε is 1e-5 and factors are from 30 to 3000 on deviations near 1.5: at most 1e-8 of a variance.
    """
    name, dims = fit
    norm, y, row = build(name, dims), 30 * sample(dims), ROWS[name]
    factor = along(str(row.scale), dims, 1.0, 100.0, seed)
    shift = along(str(row.shift), dims, -50.0, 50.0, seed + 1) if row.shift else 0.0
    torch.testing.assert_close(norm(factor * y + shift), norm(y), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("name", "dims"), FITS)
def test_what_a_row_sees(name: str, dims: int) -> None:
    """A sign always, and a shift and a factor where the row does not say otherwise: no row is a constant."""
    norm, y, row = build(name, dims), sample(dims), ROWS[name]
    assert not torch.allclose(norm(-y), norm(y))
    assert row.shift or not torch.allclose(norm(y + 0.5), norm(y))
    assert row.scale or not torch.allclose(norm(1.5 * y), norm(y))


@pytest.mark.parametrize(("name", "dims"), FITS)
def test_training_and_evaluation(name: str, dims: int) -> None:
    """Rows without running averages are alike, bit for bit; the others use theirs, written in NumPy, and keep them."""
    norm, y = build(name, dims), sample(dims)
    trained, values = norm(y), numbers(norm)
    evaluated = norm.eval()(y)
    assert all(np.array_equal(values[key], value) for key, value in numbers(norm).items())
    if ROWS[name].alike:
        assert torch.equal(trained, evaluated)
        return
    deviation = np.sqrt(values["running_var"] + EPS)
    hat = (y.numpy() - wide(values["running_mean"], y.numpy())) / wide(deviation, y.numpy())
    expected = hat * wide(values["weight"], y.numpy()) + wide(values["bias"], y.numpy())
    np.testing.assert_allclose(evaluated.detach().numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dims", [0, 2])
def test_running_averages(dims: int) -> None:
    """NumPy: 0.9 of what was and 0.1 of the batch's mean and unbiased variance; of two ghosts, one after the other."""
    y = sample(dims)
    over = (0, *space(y.numpy()))
    for name, parts in (("batch_renorm", [y.numpy()]), ("ghost_batch", [y.numpy()[0::2], y.numpy()[1::2]])):
        norm = build(name, dims)
        expected = numbers(norm)
        norm(y)
        for part in parts:
            expected["running_mean"] = 0.9 * expected["running_mean"] + 0.1 * part.mean(over)
            expected["running_var"] = 0.9 * expected["running_var"] + 0.1 * part.var(over, ddof=1)
        for key in ("running_mean", "running_var"):
            np.testing.assert_allclose(numbers(norm)[key], expected[key], rtol=1e-9)


@pytest.mark.parametrize(("name", "dims"), FITS)
def test_a_batch_of_one(name: str, dims: int) -> None:
    """Rows over samples refuse a single value per unit in training, in words; all others do as in a larger batch."""
    norm, y = build(name, dims), sample(dims, n=1)
    if ROWS[name].alike:
        torch.testing.assert_close(norm(y), norm(torch.cat([y, sample(dims)]))[:1])
    elif dims:
        assert norm(y).shape == y.shape
    else:
        with pytest.raises(ValueError, match=r"one value per unit|more than 1 value per channel"):
            norm(y)
    assert norm.eval()(y).shape == y.shape


@pytest.mark.parametrize(("name", "dims"), [(name, dims) for name, dims in FITS if dims in (0, 2)])
def test_another_number_of_features_is_refused(name: str, dims: int) -> None:
    """Ours in words, torch's in torch's; instance norm, whose layer warns first, by torch's own error."""
    with pytest.raises((ValueError, RuntimeError), match=r"4|2"):
        build(name, dims)(sample(dims)[:, :2])


def test_batch_renorm_is_batch_norm_until_its_limits_rise() -> None:
    """torch's BatchNorm is the truth for the first `plain` passes, and for the running averages at any time."""
    torch.manual_seed(0)
    renormed, batch = NORMS["batch_renorm"](C, 0, plain=3, relaxed=5).double(), nn.BatchNorm1d(C).double()
    for step in range(6):
        y = sample(0, seed=step)
        same = torch.allclose(renormed(y), batch(y))
        assert same == (step < 3)
    for key in ("running_mean", "running_var"):
        torch.testing.assert_close(renormed.get_buffer(key), batch.get_buffer(key))


def test_ghosts_of_unequal_size_and_of_a_small_batch() -> None:
    """torch's BatchNorm on each part: 7 samples in ghosts of at most 3 are three, and 7 in ghosts of 32 are one."""
    y = sample(2, n=7)
    out = NORMS["ghost_batch"](C, 2, ghost=3).double()(y)
    for j in range(3):
        torch.testing.assert_close(out[j::3], nn.BatchNorm2d(C).double()(y[j::3]))
    torch.testing.assert_close(NORMS["ghost_batch"](C, 2).double()(y), nn.BatchNorm2d(C).double()(y))


@pytest.mark.parametrize("name", NORMS)
def test_state_is_saved_and_loaded(name: str) -> None:
    """What a fresh network with another's state returns in evaluation, and after one more pass, is the same."""
    torch.manual_seed(0)
    networks = [apply_norm(nn.Conv2d(2, C, 3, padding=1), name).double() for _ in range(2)]
    y = torch.randn(N, 2, 5, 3, dtype=torch.float64)
    networks[0](y)
    networks[1].load_state_dict(networks[0].state_dict())
    for _ in range(2):
        assert torch.equal(*(network.eval()(y) for network in networks))
        seeds = [torch.manual_seed(1) and network.train()(y) for network in networks]
        assert torch.equal(*seeds)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: apply_norm(nn.Linear(3, 2), "gruop"), "no norm 'gruop'; there are none, batch"),
        (lambda: apply_norm(nn.ReLU(), "batch"), "must be a Linear, Conv1d, Conv2d or Conv3d; found ReLU"),
        (lambda: apply_norm(nn.Linear(3, 6), "group", groups=4), "divide the number of features, 6; found 4"),
        (lambda: apply_norm(nn.Linear(3, 6), "group", groups=0), "divide the number of features, 6; found 0"),
        (lambda: apply_norm(nn.Linear(3, 6), "group", groups=6), "each of 6 groups would have one value"),
        (lambda: apply_norm(nn.Linear(3, 6), "batch", groups=2), "unexpected keyword argument 'groups'"),
        (lambda: apply_norm(nn.Linear(3, 6), "instance"), "spatial_dims must be 1, 2 or 3; found 0"),
        (lambda: NORMS["batch"](3, 4), "spatial_dims must be 0, 1, 2 or 3; found 4"),
        (lambda: NORMS["ghost_batch"](3, 2, ghost=0), "at least 1 sample; found 0"),
        (lambda: NORMS["batch_renorm"](3, 2, r_max=0.5), "r_max ≥ 1"),
        (lambda: NORMS["batch_renorm"](3, 2, plain=9, relaxed=3), "plain ≤ relaxed"),
        (lambda: apply_norm(nn.Linear(1, 3), "weight_standardization"), "two weights per unit"),
        (lambda: apply_norm(nn.Linear(3, 3), "fixup", depth=1), "at least 1 branch of at least 2 layers"),
        (lambda: apply_norm(apply_norm(nn.Linear(3, 3), "weight").layer, "spectral"), "reparametrised already"),
        (lambda: NORMS["weight"](3, 0)(torch.zeros(2, 3)), r"apply_norm\(layer, name\)"),
    ],
)
def test_what_cannot_be_is_refused_in_words(call: Callable[[], object], message: str) -> None:
    """Before any training: a wrong name, layer, option or shape says what was expected and what was found."""
    with pytest.raises((ValueError, TypeError, RuntimeError), match=message):
        call()


def test_a_small_tanh_is_right_to_the_rounding_of_one() -> None:
    """NumPy's tanh: by way of the sigmoid, an error is up to 2 · 1.2e-7 in float32, whatever the value."""
    y = torch.linspace(-20, 20, 4001)[:, None]
    norm = NORMS["dynamic_tanh"](1, 0)
    error = norm(y).detach().double().numpy() - np.tanh(0.5 * y.double().numpy())
    assert np.abs(error).max() < 2.5e-7
    assert math.isclose(norm.alpha.item(), 0.5)
