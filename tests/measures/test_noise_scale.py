"""The gradient noise scale, against gradients whose mean and covariance are known."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from models import batch, cross_entropy, everything
from torch import Tensor, nn

from clinometer import Objective
from clinometer.measures.noise_scale import BatchNorms, gradient_noise, noise_scale_of

DIMENSIONS = 40
MEAN = torch.linspace(-1, 1, DIMENSIONS, dtype=torch.float64)
DEVIATIONS = torch.linspace(0.5, 3, DIMENSIONS, dtype=torch.float64)
SIGNAL, NOISE = float(MEAN.square().sum()), float(DEVIATIONS.square().sum())


def linear(batches: list[Tensor], weights: list[float] | None = None, sum_up: bool = False) -> Objective:
    """L = mean of w·x: the gradient of a sample is x itself, and that of a batch the mean of its samples."""
    model = nn.Linear(DIMENSIONS, 1, bias=False).double()

    def loss_fn(m: Any, x: Tensor) -> Tensor:
        return m(x).sum() if sum_up else m(x).mean()

    objective = Objective(model, loss_fn, batches[0])
    for each in batches[1:]:
        objective = objective.with_batch(each)
    return objective.weighted(weights) if weights else objective


def samples(count: int, generator: torch.Generator) -> Tensor:
    noise = torch.randn(count, DIMENSIONS, generator=generator, dtype=torch.float64)
    return MEAN + DEVIATIONS * noise


def assert_unbiased(found: list[float], truth: float) -> None:
    """The mean of independent draws lies within 4 of its standard errors: 1 in 16,000 by chance; seeds are fixed."""
    error = np.std(found, ddof=1) / math.sqrt(len(found))
    assert abs(np.mean(found) - truth) < 4 * error
    assert error < 0.05 * truth, "or the test could not see a bias"


@pytest.mark.parametrize(
    ("sizes", "weights"),
    [
        ([4, 4], None),
        ([8, 8, 8, 8], None),
        ([2, 9, 5], None),
        ([2, 9, 5], [2 / 16, 9 / 16, 5 / 16]),
        ([3, 6], [0.8, 1.7]),
    ],
)
def test_both_estimates_are_unbiased(sizes: list[int], weights: list[float] | None) -> None:
    """The truth is the distribution that the samples are drawn from: Gaussian, with this mean and covariance."""
    generator = torch.Generator().manual_seed(1)
    found = []
    for _ in range(200):
        objective = linear([samples(size, generator) for size in sizes], weights)
        found.append(gradient_noise(objective, objective.here()))
    assert_unbiased([each.signal for each in found], SIGNAL)
    assert_unbiased([each.noise for each in found], NOISE)
    assert {(each.batches, each.batch_size) for each in found} == {(len(sizes), sum(sizes))}


def test_equal_batches_are_the_formula_of_the_source() -> None:
    """McCandlish et al., A.1, from gradients by hand: norms at b and at B, the former averaged over batches."""
    generator = torch.Generator().manual_seed(2)
    batches = [samples(6, generator) for _ in range(4)]
    small = float(torch.stack([x.mean(0).square().sum() for x in batches]).mean())
    large = float(torch.cat(batches).mean(0).square().sum())
    objective = linear(batches)
    found = gradient_noise(objective, objective.here())
    assert found.signal == pytest.approx((24 * large - 6 * small) / (24 - 6), rel=1e-12)
    assert found.noise == pytest.approx((small - large) / (1 / 6 - 1 / 24), rel=1e-12)


def test_without_replacement_the_gradient_is_that_of_the_data_set() -> None:
    """Every way to draw batches of 2 and 3 from 6 samples, each as likely: the mean over all 60 is exact."""
    data = samples(6, torch.Generator().manual_seed(3))
    signals, noises, naive = [], [], []
    for first in itertools.combinations(range(6), 2):
        for second in itertools.combinations(sorted(set(range(6)) - set(first)), 3):
            objective = linear([data[list(first)], data[list(second)]], [0.4, 0.6])
            found = gradient_noise(objective, objective.here(), dataset_size=6)
            signals.append(found.signal)
            noises.append(found.noise)
            naive.append(gradient_noise(objective, objective.here()).signal)
    assert len(signals) == 60
    truth = float(data.mean(0).square().sum())
    assert np.mean(signals) == pytest.approx(truth, rel=1e-12)
    assert np.mean(noises) == pytest.approx(float(data.var(0).sum()), rel=1e-12)
    assert np.mean(naive) < truth - float(data.var(0).sum()) / 7, "or the option could be left out"


@given(factor=st.floats(0.01, 100), added_up=st.booleans())
def test_a_common_factor_of_the_losses_does_not_matter(factor: float, added_up: bool) -> None:
    """By the definition: loops that add their losses up, and those that average them, have one noise scale."""
    generator = torch.Generator().manual_seed(4)
    batches = [samples(5, generator) for _ in range(3)]
    expected = gradient_noise(linear(batches), linear(batches).here())
    found = gradient_noise(linear(batches, [factor] * 3, added_up), linear(batches).here())
    times = 25 if added_up else 1  # of five samples, which are then added up within a batch
    assert found.noise == pytest.approx(times * expected.noise, rel=1e-9)
    assert found.noise / found.signal == pytest.approx(expected.noise / expected.signal, rel=1e-9)


def test_the_norms_are_those_of_gradients_by_hand() -> None:
    """Each batch's gradient by a plain backward pass on a copy of the network, BatchNorm in train mode."""
    model = everything()
    model.drop.p = 0.0
    data = [batch(seed) for seed in range(3)]
    objective = Objective(model, cross_entropy, data[0])
    for each in data[1:]:
        objective = objective.with_batch(each)
    norms = BatchNorms(objective)
    objective.loss_and_grad(objective.here(), show=norms.show)
    for each, found in zip(data, norms.squares, strict=True):
        fresh = everything()
        fresh.drop.p = 0.0
        cross_entropy(fresh, each).backward()
        grads = [p.grad for p in fresh.parameters() if p.grad is not None]
        assert found == pytest.approx(float(sum(g.double().square().sum() for g in grads)), rel=1e-5)


def test_with_batchnorm_it_is_the_noise_of_the_parts() -> None:
    """The truth is simulated: the mean gradient of batches of 2, each normalised by itself, over 1500 of them.

    That of batches of 4 normalised together is another one, and E g differs between the two; the parts' mean is used.
    """
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 1)).double()
    generator = torch.Generator().manual_seed(6)

    def loss_fn(m: Any, x: Tensor) -> Tensor:
        return (m(x)[:, 0] - x[:, 0]).square().mean()

    def drawn(count: int) -> Tensor:
        return torch.rand(count, 3, generator=generator, dtype=torch.float64)

    def signal(count: int) -> float:
        """‖E g‖², less what the error of the mean adds to it."""
        batches = [drawn(count) for _ in range(1500)]
        grads = [torch.autograd.grad(loss_fn(model, x), list(model.parameters())) for x in batches]
        flat = torch.stack([torch.cat([g.flatten() for g in each]) for each in grads])
        return float(flat.mean(0).square().sum() - flat.var(0).sum() / len(flat))

    found = []
    for _ in range(500):
        objective = Objective(model, loss_fn, drawn(2)).with_batch(drawn(2))
        found.append(gradient_noise(objective, objective.here()).signal)
    error = np.std(found) / math.sqrt(len(found))  # 0.05; the truths' are less than half of it
    alone, together = signal(2), signal(4)
    assert abs(np.mean(found) - alone) < 3 * error
    assert abs(np.mean(found) - together) > 3 * error


@pytest.mark.parametrize(
    ("objective", "size"),
    [
        (lambda: linear([torch.ones(4, DIMENSIONS, dtype=torch.float64)]), len),  # one gradient alone
        (lambda: linear([torch.ones(4, DIMENSIONS, dtype=torch.float64)] * 2), lambda _: math.nan),
        (lambda: linear([torch.ones(4, DIMENSIONS, dtype=torch.float64)] * 2), lambda _: 0),
        (lambda: linear([torch.ones(4, DIMENSIONS, dtype=torch.float64)] * 2, [1.0, 0.0]), len),
        (lambda: linear([torch.ones(4, DIMENSIONS, dtype=torch.float64)] * 2, [1.0, -1.0]), len),
    ],
)
def test_what_cannot_be_told_is_nan(objective: Any, size: Any) -> None:
    """One gradient, unknown sizes, all the weight on one batch, or none at all: there is nothing to compare."""
    made = objective()
    found = gradient_noise(made, made.here(), size=size)
    assert math.isnan(found.signal)
    assert math.isnan(found.noise)


def test_the_interval_covers_the_truth() -> None:
    """Simulated rows with a known ratio, 20: 95% intervals should hold it in 95% of 300 series, give or take 2.5%.

    Neighbours that share their noise, as moving averages of three, leave a third of the rows' weight: then 90% are met.
    """
    generator = np.random.default_rng(0)
    met = {width: np.mean([_holds(generator, width) for _ in range(300)]) for width in (1, 3)}
    assert 0.925 <= met[1] <= 0.985
    assert 0.88 <= met[3] <= 0.98


def _holds(generator: np.random.Generator, width: int) -> bool:
    """Whether the interval of 50 rows, averages over so many neighbours, holds the ratio of the means."""
    rows = generator.normal(size=(2, 50 + width - 1))
    signal, noise = (np.convolve(row, np.ones(width), "valid") / math.sqrt(width) for row in rows)
    found = noise_scale_of({"signal": 1 + signal, "noise": 20 + 5 * noise})
    return found.low <= 20 <= found.high


def test_the_ratio_is_taken_last() -> None:
    """Closed form: the mean of noise, 30, over the mean of signal, 2; a mean of ratios would be 25, or infinite."""
    rows = {"signal": [4.0, 1.0, 1.0, math.nan, 2.0], "noise": [20.0, 40.0, 30.0, 5.0, 30.0]}
    assert noise_scale_of(rows).value == 15
    assert noise_scale_of(rows, window=3).value == 20
    assert noise_scale_of(rows).reason == "an interval needs 8 rows"


def test_an_interval_without_an_upper_end_says_so() -> None:
    """Where resamples have no signal, the noise scale may be as large as one likes."""
    generator = np.random.default_rng(0)
    found = noise_scale_of({"signal": 0.2 + generator.normal(size=40), "noise": np.full(40, 30.0)})
    assert 0 < found.low < found.value < found.high == math.inf


def test_rows_without_signal_have_no_noise_scale() -> None:
    """A ratio to a number at or below zero would be a plausible wrong one."""
    for signal, said in (
        ([-1.0, 1.0], "noise hides it"),
        ([0.0], "noise hides it"),
        ([math.nan], "no row holds"),
        ([], "no row"),
    ):
        found = noise_scale_of({"signal": signal, "noise": [1.0] * len(signal)})
        assert math.isnan(found.value)
        assert math.isnan(found.low)
        assert said in found.reason


def test_bad_windows_are_refused() -> None:
    """Before anything is computed."""
    for options in ({"window": 0}, {"level": 1.0}):
        with pytest.raises(ValueError, match="`window` must be at least 1 and `level` lie in"):
            noise_scale_of({"signal": [1.0], "noise": [1.0]}, **options)
