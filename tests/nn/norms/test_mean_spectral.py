import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import assert_same
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from clinometer import Recorder, every, landscape
from clinometer.nn.norms import NORMS, apply_norm, norm_after
from clinometer.nn.norms.mean_spectral import MeanOnlyBatchNorm, project

LAYERS = [
    (lambda: nn.Linear(5, 3), (7, 5)),
    (lambda: nn.Conv1d(2, 3, 3), (4, 2, 6)),
    (lambda: nn.Conv2d(2, 3, 3, padding=1), (2, 2, 5, 4)),
]


def sample(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def largest_singular_value(weight: torch.Tensor) -> float:
    """By NumPy's SVD."""
    return float(np.linalg.svd(weight.detach().flatten(1).numpy(), compute_uv=False)[0])


def made(layer: nn.Module, **options: object) -> nn.Sequential:
    torch.manual_seed(0)  # of the vectors of power iteration
    return apply_norm(layer.double(), "mean_spectral", **options).double()


@pytest.mark.parametrize("projection", [False, True], ids=["reparametrised", "projected"])
@pytest.mark.parametrize(("make", "shape"), LAYERS, ids=["linear", "1d", "2d"])
def test_it_is_its_closed_form(make: object, shape: tuple[int, ...], projection: bool) -> None:
    """σ by NumPy's SVD and means by NumPy: γ ((W/σ) * x + b − mean) + β, after many iterations of power."""
    layer = make()  # type: ignore[operator]
    weight, bias = layer.weight.detach().clone().double(), layer.bias.detach().clone().double()
    norm = made(layer, n_power_iterations=300, projection=projection)
    gamma, beta = sample(3, seed=1), sample(3, seed=2)
    norm.norm.after.weight.data, norm.norm.after.bias.data = gamma, beta
    x = sample(*shape, seed=3)
    plain = copy.deepcopy(make())  # type: ignore[operator]
    plain = plain.double()
    plain.weight.data, plain.bias.data = weight / largest_singular_value(weight), bias
    y = plain(x).detach().numpy()
    wide = (1, -1) + (1,) * (y.ndim - 2)
    mean = y.mean(axis=(0, *range(2, y.ndim)))
    expected = gamma.numpy().reshape(wide) * (y - mean.reshape(wide)) + beta.numpy().reshape(wide)
    np.testing.assert_allclose(norm(x).detach().numpy(), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(norm.norm.after.running_mean.numpy(), 0.1 * mean, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", [True, False])
def test_gradients_are_those_of_finite_differences(scale: bool) -> None:
    """torch's gradcheck in float64, by the input, γ and β, through the batch's mean; and of the gradient again."""
    y = sample(3, 2, 4).requires_grad_()
    norm = MeanOnlyBatchNorm(2, scale=scale).double()
    affine = [p.detach().clone().requires_grad_() for p in norm.parameters()]

    def out(y: torch.Tensor, *affine: torch.Tensor) -> torch.Tensor:
        names = [name for name, _ in norm.named_parameters()]
        return torch.func.functional_call(norm, dict(zip(names, affine, strict=True)), (y,))

    assert torch.autograd.gradcheck(out, (y, *affine))
    assert torch.autograd.gradgradcheck(out, (y, *affine))


def test_the_gradient_by_a_reparametrised_weight_runs_through_sigma() -> None:
    """Finite differences of W/σ(W) by NumPy's SVD: the gradient is orthogonal to W, as W/σ does not see its length."""
    layer = nn.Linear(4, 3, bias=False).double()
    weight = layer.weight.detach().clone()
    norm = made(layer, n_power_iterations=300)
    x, target = sample(6, 4), sample(6, 3, seed=1)
    ((norm(x) - target) ** 2).sum().backward()
    found = layer.parametrizations.weight.original.grad

    def loss(w: torch.Tensor) -> float:
        y = x.numpy() @ (w / largest_singular_value(w)).numpy().T
        return float(((y - y.mean(0) - target.numpy()) ** 2).sum())

    for place in np.ndindex(3, 4):
        step = torch.zeros(3, 4, dtype=torch.float64)
        step[place] = 1e-6
        assert float(found[place]) == pytest.approx(
            (loss(weight + step) - loss(weight - step)) / 2e-6, rel=1e-5, abs=1e-6
        )
    assert (found * weight).sum().item() == pytest.approx(0.0, abs=1e-9 * found.norm().item())


def test_the_projected_way_is_a_few_lines_of_numpy() -> None:
    """Three steps of gradient descent on a linear layer, simulated apart from torch and its gradients.

    The weight is overwritten before each pass, in evaluation as well, and σ gets no gradient. Equal to rounding.
    """
    x, target = sample(8, 4), sample(8, 3, seed=1)
    layer = nn.Linear(4, 3).double()
    norm = made(layer, n_power_iterations=2, projection=True)
    optimizer = torch.optim.SGD(norm.parameters(), lr=0.01)
    w, b, u = (value.detach().numpy().copy() for value in (layer.weight, layer.bias, layer.spectral_u))
    gamma, beta, running = np.ones(3), np.zeros(3), np.zeros(3)

    def projected(w: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        for _ in range(2):
            v = w.T @ u / np.linalg.norm(w.T @ u)
            u = w @ v / np.linalg.norm(w @ v)
        return w / (u @ w @ v), u

    for _ in range(3):
        ((norm(x) - target) ** 2).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        w, u = projected(w, u)
        y = x.numpy() @ w.T + b
        centred = y - y.mean(0)
        running = 0.9 * running + 0.1 * y.mean(0)
        by_z = 2 * (gamma * centred + beta - target.numpy())
        by_y = gamma * (by_z - by_z.mean(0))
        w, b = w - 0.01 * by_y.T @ x.numpy(), b - 0.01 * by_y.sum(0)
        gamma, beta = gamma - 0.01 * (by_z * centred).sum(0), beta - 0.01 * by_z.sum(0)
    np.testing.assert_allclose(layer.weight.detach().numpy(), w, rtol=1e-9, atol=1e-12)
    w, _ = projected(w, u)
    out = norm.eval()(x).detach().numpy()
    np.testing.assert_allclose(layer.weight.detach().numpy(), w, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(out, gamma * (x.numpy() @ w.T + b - running) + beta, rtol=1e-9, atol=1e-12)
    assert layer.renorm.grad is None
    assert layer.renorm.item() == 1.0


def test_evaluation_of_the_reparametrised_layer_changes_nothing() -> None:
    """Bit for bit: parameters and buffers, the vectors of power iteration among them; the projected weight moves."""
    for projection in (False, True):
        norm = made(nn.Linear(4, 3), projection=projection)
        before = {name: value.clone() for name, value in norm.state_dict().items()}
        norm.eval()(sample(5, 4))
        changed = [name for name, value in norm.state_dict().items() if not torch.equal(value, before[name])]
        assert changed == (["layer.weight", "layer.spectral_u"] if projection else [])


def test_training_and_evaluation_take_the_batchs_and_the_running_mean() -> None:
    """In train mode the mean of the output is β whatever the input; in evaluation a sample does not see the others."""
    norm = made(nn.Conv2d(1, 2, 3))
    x = sample(3, 1, 6, 6) + 5
    norm.norm.after.bias.data = torch.tensor([1.0, -2.0], dtype=torch.float64)
    torch.testing.assert_close(norm(x).mean((0, 2, 3)), norm.norm.after.bias.data)
    norm.eval()
    torch.testing.assert_close(norm(x)[:1], norm(x[:1]))


def test_a_batch_of_one_needs_space() -> None:
    """One image has many values per unit; one vector is its own mean, and would come out as β whatever it is."""
    assert made(nn.Conv2d(1, 2, 3))(sample(1, 1, 4, 4)).shape == (1, 2, 2, 2)
    vector = made(nn.Linear(4, 3))
    with pytest.raises(ValueError, match=r"more than one value per unit.*found shape \(1, 3\)"):
        vector(sample(1, 4))
    vector.eval()(sample(1, 4))


def test_what_does_not_fit_is_refused() -> None:
    """Before any work, in words: shapes, numbers of iterations, layers that are projected already."""
    with pytest.raises(ValueError, match=r"expected \(N, 3, \.\.\.\), found \(4, 2\)"):
        MeanOnlyBatchNorm(3)(torch.zeros(4, 2))
    with pytest.raises(ValueError, match=r"expected \(N, 3, \.\.\.\), found \(3,\)"):
        MeanOnlyBatchNorm(3).eval()(torch.zeros(3))
    with pytest.raises(ValueError, match="momentum must lie in"):
        MeanOnlyBatchNorm(3, momentum=0)
    for bad in ({"n_power_iterations": 0}, {"n_power_iterations": 0, "projection": True}):
        with pytest.raises(ValueError, match="n_power_iterations must be at least 1; found 0"):
            apply_norm(nn.Linear(2, 2), "mean_spectral", **bad)
    with pytest.raises(TypeError, match="found ConvTranspose2d"):
        project(nn.ConvTranspose2d(2, 2, 2))
    layer = project(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="projected already"):
        project(layer)


@pytest.mark.parametrize("projection", [False, True], ids=["reparametrised", "projected"])
def test_parameters_are_as_many_as_batchnorm_has(projection: bool) -> None:
    """Counted against torch's BatchNorm2d: γ and β, and in the author's way one number more that never moves."""

    def count(norm: str, **options: object) -> int:
        layer = nn.Conv2d(3, 16, 3)
        return sum(p.numel() for p in apply_norm(layer, norm, **options).parameters() if p.requires_grad)

    reference = count("batch")
    assert count("mean_spectral", projection=projection) - reference == int(projection)
    assert count("mean_spectral", projection=projection, scale=False) - reference == int(projection) - 16


@pytest.mark.parametrize("projection", [False, True], ids=["reparametrised", "projected"])
def test_autocast_keeps_the_running_mean_in_full_precision(projection: bool) -> None:
    """As torch's BatchNorm does under autocast: the output in bfloat16, statistics in float32, to bfloat16's digits."""
    norm = apply_norm(nn.Conv2d(1, 2, 3), "mean_spectral", projection=projection)
    x = sample(4, 1, 6, 6).float()
    expected = copy.deepcopy(norm)(x)
    with torch.autocast("cpu", torch.bfloat16):
        out = norm(x)
    assert out.dtype == torch.bfloat16
    assert norm.norm.after.running_mean.dtype == torch.float32
    torch.testing.assert_close(out.float(), expected, rtol=0.05, atol=0.05)


def test_a_weight_of_zeros_stays() -> None:
    """It has no direction to project on; 0/0 would make the network NaN."""
    layer = project(nn.Linear(3, 2))
    nn.init.zeros_(layer.weight)
    assert bool((layer(torch.ones(1, 3)) == layer.bias).all())


@given(st.integers(1, 4), st.integers(1, 4), st.sampled_from([(1, 1), (3, 3), (2, 3), (5, 1)]), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_the_reshape_bounds_the_convolution_up_to_the_root_of_its_window(
    outputs: int, inputs: int, window: tuple[int, int], seed: int
) -> None:
    """The norm of a circular convolution, by FFT: the largest singular value of the matrices of its frequencies.

    With σ 1 of the (outputs, rest) matrix it is at most √(kh kw): a sum of kh kw matrices that stand there in a row.
    It is at least 1/√min(outputs, inputs): by Parseval the mean over frequencies of ‖K(f)‖² is the weight's own, in
    Frobenius norms, and the weight's is at least σ².
    Source of the oracle: Sedghi, Gupta, Long (2019), arXiv:1805.10408.
    """
    weight = sample(outputs, inputs, *window, seed=seed)
    weight = weight / largest_singular_value(weight)
    norm = circular_norm(weight, 8)
    assert norm <= math.sqrt(window[0] * window[1]) * (1 + 1e-9)
    assert norm >= 1 / math.sqrt(min(outputs, inputs)) * (1 - 1e-9)


def test_the_bound_is_attained() -> None:
    """Equal entries over a window of 3×3: σ is 1, and constant images come out 3 times as large."""
    weight = torch.full((1, 1, 3, 3), 1 / 3, dtype=torch.float64)
    assert largest_singular_value(weight) == pytest.approx(1.0)
    assert circular_norm(weight, 8) == pytest.approx(3.0)


def circular_norm(weight: torch.Tensor, side: int) -> float:
    """The largest singular value of the convolution on a torus of side × side pixels, from NumPy's FFT."""
    frequencies = np.fft.fft2(weight.numpy(), (side, side)).transpose(2, 3, 0, 1)
    return float(np.linalg.svd(frequencies, compute_uv=False).max())


def test_the_circular_norm_is_that_of_the_operator() -> None:
    """The oracle of the oracle: the norm of the matrix of the convolution itself, column by column."""
    weight = sample(2, 3, 3, 3)
    side = 4
    columns = []
    for place in range(3 * side * side):
        image = torch.zeros(3 * side * side, dtype=torch.float64)
        image[place] = 1
        padded = F.pad(image.view(1, 3, side, side), (1, 1, 1, 1), mode="circular")
        columns.append(F.conv2d(padded, weight).flatten().numpy())
    assert circular_norm(weight, side) == pytest.approx(np.linalg.norm(np.stack(columns, 1), 2))


@pytest.mark.parametrize("projection", [False, True], ids=["reparametrised", "projected"])
def test_the_recorder_leaves_no_trace_of_it(projection: bool, tmp_path: object) -> None:
    """A run with a probe at every step ends bit for bit as one without: weights that a forward pass overwrites, too."""

    def trained(record: bool) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        model = made(nn.Linear(4, 3), projection=projection)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        loss_fn = lambda m, batch: ((m(batch[0]) - batch[1]) ** 2).mean()  # noqa: E731
        recorder = (
            Recorder(model, loss_fn, [landscape()], every(1), optimizer=optimizer, to=tmp_path) if record else None
        )
        for index in range(4):
            batch = (sample(6, 4, seed=index), sample(6, 3, seed=index + 9))

            def step(batch: object = batch) -> None:
                loss_fn(model, batch).backward()
                optimizer.step()
                optimizer.zero_grad()

            if recorder:
                with recorder.step(batch):
                    step()
            else:
                step()
        if recorder:
            assert len(recorder.read("landscape")["loss"]) == 4
        return dict(model.state_dict())

    assert_same(trained(record=True), trained(record=False))


def test_a_copy_is_independent() -> None:
    """A projected layer's copy has its own weight and vectors: overwriting one leaves the other."""
    norm = made(nn.Linear(4, 3), projection=True)
    before = norm.layer.weight.clone()
    copy.deepcopy(norm)(sample(5, 4))
    assert bool((norm.layer.weight == before).all())


def test_its_row_takes_its_options() -> None:
    """The reparametrised way is torch's own parametrization, which evaluation and checkpoints know."""
    layer = nn.Linear(4, 3)
    norm_after(layer, "mean_spectral", n_power_iterations=3, momentum=0.5)
    assert parametrize.is_parametrized(layer, "weight")
    assert layer.parametrizations.weight[0].n_power_iterations == 3
    assert NORMS["mean_spectral"](3, 0, momentum=0.5).after.momentum == 0.5
