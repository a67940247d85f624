import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from clinometer import NORMS
from clinometer.nn.norms import apply_norm
from clinometer.nn.norms.lp import LpNorm
from clinometer.nn.norms.noise import Noise

SHAPES = [(7, 3), (5, 3, 4), (4, 3, 2, 5)]
P = {"l1": 1.0, "l2": 2.0, "linf": math.inf}


def sample(shape: tuple[int, ...], seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("shape", SHAPES)
def test_l2_is_torchs_batchnorm_on_centred_input(shape: tuple[int, ...]) -> None:
    """The root mean square of centred values is their biased deviation, so torch's BatchNorm is the truth.

    It adds ε = 1e-5 to the variance, we to the deviation: with deviations near 1 the two differ by up to 1e-5.
    """
    y = sample(shape)
    over = [0, *range(2, y.ndim)]
    y = y - y.mean(over, keepdim=True)
    theirs = (nn.BatchNorm2d if y.ndim == 4 else nn.BatchNorm1d)(3).double()
    torch.testing.assert_close(NORMS["l2"](3, y.ndim - 2).double()(y), theirs(y), rtol=3e-5, atol=3e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", P)
def test_lp_by_its_definition(name: str, shape: tuple[int, ...]) -> None:
    """Written out per unit with torch's own vector norms: (y − mean) / (average p-norm + 1e-5)."""
    y = sample(shape) + 0.7
    out = NORMS[name](3, y.ndim - 2).double()(y)
    for unit in range(3):
        values = y[:, unit].flatten()
        m = len(values) ** (0 if math.isinf(P[name]) else 1 / P[name])
        expected = (values - values.mean()) / (torch.linalg.vector_norm(values, P[name]) / m + 1e-5)
        torch.testing.assert_close(out[:, unit].flatten(), expected)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["l2", "linf"])
def test_the_literal_reading_divides_the_p_norm_by_the_number_of_values(name: str, shape: tuple[int, ...]) -> None:
    """Written out with torch's own vector norms: ‖y‖ₚ / m, as the paper prints it."""
    y = sample(shape)
    out = NORMS[f"{name}_literal"](3, y.ndim - 2).double()(y)
    for unit in range(3):
        values = y[:, unit].flatten()
        scale = torch.linalg.vector_norm(values, P[name]) / len(values)
        torch.testing.assert_close(out[:, unit].flatten(), (values - values.mean()) / (scale + 1e-5))


@pytest.mark.parametrize("shape", SHAPES)
def test_layer_is_torchs_layernorm_over_a_samples_units_and_space(shape: tuple[int, ...]) -> None:
    """torch's own LayerNorm is the truth, at the start, where it scales by 1; ours then scales a unit, not a pixel."""
    y = sample(shape) + 0.7
    norm = NORMS["layer"](3, y.ndim - 2).double()
    torch.testing.assert_close(norm(y), nn.LayerNorm(shape[1:]).double()(y))
    assert [p.shape for p in norm.parameters()] == [(3,), (3,)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", P)
def test_the_sample_reading_divides_each_sample_by_its_own_norm(name: str, shape: tuple[int, ...]) -> None:
    """Written out with torch's own vector norms: the average p-norm over a sample's units and space."""
    y = sample(shape)
    out = NORMS[f"{name}_sample"](3, y.ndim - 2).double()(y)
    mean = y.mean([0, *range(2, y.ndim)], keepdim=True)
    for index, values in enumerate(y):
        m = values.numel() ** (0 if math.isinf(P[name]) else 1 / P[name])
        scale = torch.linalg.vector_norm(values.flatten(), P[name]) / m
        torch.testing.assert_close(out[index], (values - mean[0]) / (scale + 1e-5))


@given(st.sampled_from(list(P)), st.floats(0.1, 100.0))
def test_lp_does_not_see_the_scale_of_its_input(name: str, factor: float) -> None:
    """Mean and p-norm are homogeneous of degree 1, so a factor cancels but for the 1e-5 in the denominator."""
    y = sample((20, 3)) + 0.5
    norm = NORMS[name](3, 0).double()
    torch.testing.assert_close(norm(factor * y), norm(y), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", P)
def test_running_statistics_and_evaluation(name: str) -> None:
    """After one step the averages are 0.9 · start + 0.1 · batch by hand; evaluation uses them and moves nothing."""
    norm = NORMS[name](3, 0).double()
    y = sample((9, 3)) + 2.0
    norm(y)
    scale = torch.linalg.vector_norm(y, P[name], 0) / len(y) ** (0 if math.isinf(P[name]) else 1 / P[name])
    torch.testing.assert_close(norm.running_mean, 0.1 * y.mean(0))
    torch.testing.assert_close(norm.running_scale, 0.9 + 0.1 * scale)
    norm.eval()
    expected = (y - norm.running_mean) / (norm.running_scale + 1e-5)
    torch.testing.assert_close(norm(y), expected)
    torch.testing.assert_close(norm.running_mean, 0.1 * y.mean(0))


@pytest.mark.parametrize("name", P)
def test_gradients_agree_with_finite_differences(name: str) -> None:
    """torch's gradcheck compares with central differences in float64."""
    norm = NORMS[name](2, 0).double()
    torch.autograd.gradcheck(norm, (sample((5, 2)).requires_grad_(),))


@pytest.mark.parametrize("name", P)
def test_a_dead_unit_has_no_nan_gradient(name: str) -> None:
    """A unit that is zero for the whole batch sits at the kink of every p-norm; sqrt has an infinite slope there."""
    y = sample((5, 2))
    y[:, 0] = 0.0
    y.requires_grad_()
    NORMS[name](2, 0).double()(y).square().sum().backward()
    assert torch.isfinite(y.grad).all()


def test_noise_has_the_moments_of_algorithm_1() -> None:
    """Over many draws of a constant a = 2: E = 2·E[σ] + E[μ] = 2 · 1.125, and each unit's own draw is shared.

    Var = 4·Var σ + 4·r_σ² + Var μ + r_μ²/3 = 4·0.25²/12 + 0.04 + 1/12 + 0.01/3; 20,000 units give a standard error
    of √(Var/20,000) = 0.0028 on the mean, so 0.015 is five of them.
    """
    torch.manual_seed(0)
    out = Noise()(torch.full((4, 20_000), 2.0))
    variance = 4 * 0.25**2 / 12 + 4 * 0.01 + 1 / 12 + 0.01 / 3
    assert out.mean().item() == pytest.approx(2.25, abs=0.015)
    assert out.var().item() == pytest.approx(variance, rel=0.03)
    within = out.var(0).mean().item()  # what is drawn per element: 4·r_σ² + r_μ²/3
    assert within == pytest.approx(0.04 + 0.01 / 3, rel=0.03)


def test_noise_is_one_draw_per_channel_and_step_and_off_in_evaluation() -> None:
    """With the per-element spread off, all samples of a channel move alike, channels differ, and steps differ."""
    torch.manual_seed(0)
    noise = Noise(r_mu=0.0, r_sigma=0.0)
    first, second = noise(torch.zeros(3, 4, 5, 5)), noise(torch.zeros(3, 4, 5, 5))
    assert (first == first[:1, :, :1, :1]).all()
    assert len(first[0, :, 0, 0].unique()) == 4
    assert not torch.equal(first, second)
    assert torch.equal(noise.eval()(torch.ones(3, 4)), torch.ones(3, 4))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_noise_is_algorithm_1_on_four_draws_in_a_fixed_order(layout: torch.memory_format) -> None:
    """Written out with draws of its own from the same seed, bit for bit: kept runs hold numbers made of these draws.

    They are filled in the order in which values lie in memory. Half the square has the factor's square for its second
    derivative.
    """
    a = sample((3, 4, 5, 6), dtype=torch.float32).contiguous(memory_format=layout).requires_grad_()
    torch.manual_seed(0)
    out = Noise()(a)
    torch.manual_seed(0)
    mu, sigma = torch.empty(1, 4, 1, 1).uniform_(-0.5, 0.5), torch.empty(1, 4, 1, 1).uniform_(1.0, 1.25)
    m, s = torch.empty(360).uniform_(-0.1, 0.1), torch.empty(360).normal_(0.0, 0.1)
    if layout == torch.channels_last:
        m, s = (values.view(3, 5, 6, 4).movedim(3, 1) for values in (m, s))
    m, s = (values.reshape(3, 4, 5, 6) for values in (m, s))
    assert torch.equal(out, (sigma + s) * a + (mu + m))
    (slope,) = torch.autograd.grad(out.square().sum() / 2, a, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), a)
    torch.testing.assert_close(bend, (sigma + s).square())


LAYERS = [nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d]


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("dims", [0, 1, 2, 3])
def test_every_norm_follows_every_layer(name: str, dims: int) -> None:
    """The contract of the dict: what a layer returns keeps its shape, for (N, C) to (N, C, D, H, W)."""
    layer = LAYERS[dims](*(4, 3) if dims == 0 else (4, 3, 1))
    if (name, dims) == ("instance", 0):
        with pytest.raises(ValueError, match="instance norm is over space"):
            apply_norm(layer, name)
        return
    y = sample((6, 4, 4, 5, 2)[: 2 + dims], dtype=torch.float32)
    assert apply_norm(layer, name)(y).shape == (6, 3, 4, 5, 2)[: 2 + dims]


@pytest.mark.parametrize("name", [name for name in NORMS if name.startswith("l") and name != "layer"])
def test_a_batch_of_one_value_per_unit_is_refused(name: str) -> None:
    """As torch's BatchNorm refuses it: the value is its own mean, so that the output would be 0 whatever it is."""
    norm = NORMS[name](3, 0)
    with pytest.raises(ValueError, match=r"more than one value per unit.*found shape \(1, 3\).*Take a larger batch"):
        norm(torch.ones(1, 3))
    with pytest.raises(ValueError, match=r"3 features: expected \(N, 3, ...\), found \(2, 4\)"):
        norm(torch.ones(2, 4))
    assert norm.eval()(torch.ones(1, 3)).shape == (1, 3)


def test_bad_arguments_are_refused() -> None:
    """p = 3 has no meaning here, nor has a fourth spatial dimension."""
    with pytest.raises(ValueError, match="1, 2 or inf; found 3"):
        LpNorm(2, 3)
    with pytest.raises(ValueError, match="spatial_dims must be"):
        NORMS["batch"](3, 4)
