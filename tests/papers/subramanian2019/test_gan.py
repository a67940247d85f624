"""The distances of the GANs, against closed forms and simulation, and their training."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from clinometer.papers.subramanian2019.configs import ARMS, arms, gan
from clinometer.papers.subramanian2019.gan.distance import Real, frechet, squared_mmd, unbiased_frechet
from clinometer.papers.subramanian2019.gan.trainer import steepest
from clinometer.papers.subramanian2019.rows import SAMPLES
from clinometer.results.finished_run import FinishedRun
from clinometer.training.run import run


def samples(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_frechet_distance_by_scipys_matrix_root() -> None:
    """The formula in the order of the papers, with SciPy's square root of a product that is not symmetric."""
    linalg = pytest.importorskip("scipy.linalg")
    x, y = samples(40, 4) @ samples(4, 4, seed=1), samples(50, 4, seed=2) @ samples(4, 4, seed=3) + 2
    (mean_x, cov_x), (mean_y, cov_y) = ((a.mean(0).numpy(), np.cov(a.numpy().T, bias=True)) for a in (x, y))
    root = linalg.sqrtm(cov_x @ cov_y).real
    expected = ((mean_x - mean_y) ** 2).sum() + np.trace(cov_x + cov_y - 2 * root)
    assert frechet(x, y) == pytest.approx(expected, rel=1e-8)
    assert frechet(x, x) == pytest.approx(0, abs=1e-10)
    assert frechet(x, x + torch.tensor([3.0, 0, 0, 4.0])) == pytest.approx(25)  # means alone


def test_the_bias_of_a_finite_sample_is_taken_off() -> None:
    """Draws of the population itself, whose distance is 0: plain ones average above it, extrapolated ones at 0."""
    real = samples(20_000, 6)
    plain, fair = np.array(
        [[frechet(x, real), unbiased_frechet(x, real)] for x in (samples(200, 6, seed=s) for s in range(1, 41))]
    ).T
    assert plain.mean() > 10 * plain.std() / 40**0.5
    assert abs(fair.mean()) < 3 * fair.std() / 40**0.5 + 0.02 * plain.mean()


def test_mmd_is_0_on_average_where_both_are_alike() -> None:
    """Unbiased: two draws of one population differ by nothing but noise, also where they are few; others by more."""
    same = np.array([squared_mmd(samples(30, 3, seed=2 * s), samples(20, 3, seed=2 * s + 1)) for s in range(200)])
    assert abs(same.mean()) < 3 * same.std() / 200**0.5
    assert squared_mmd(samples(30, 3), samples(20, 3, seed=1) + 2) > 5 * same.std()


def test_mmd_by_a_double_loop() -> None:
    """The sums of Gretton et al.'s Lemma 6 written out pair by pair."""
    x, y = samples(4, 3).numpy(), samples(5, 3, seed=1).numpy()

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / 3 + 1) ** 3)

    within = sum(k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j) / 12
    within += sum(k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j) / 20
    between = sum(k(a, b) for a in x for b in y) / 20
    assert squared_mmd(torch.tensor(x), torch.tensor(y)) == pytest.approx(within - 2 * between)


def test_features_are_the_components_of_largest_variance() -> None:
    """By NumPy's SVD: variances of the features are the largest squared singular values over n."""
    images = samples(50, 1, 3, 3) * torch.arange(1.0, 10).view(1, 1, 3, 3)
    real = Real(images, components=2)
    pixels = images.flatten(1).numpy()
    values = np.linalg.svd(pixels - pixels.mean(0), compute_uv=False)
    np.testing.assert_allclose(sorted(real.own.numpy().var(0))[::-1], values[:2] ** 2 / 50)
    assert real.features(images + 0).mean(0).abs().max() < 1e-9


def test_the_steepest_slope_of_a_linear_map() -> None:
    """⟨w, x⟩ has slope ‖w‖ everywhere; its square, 2 |⟨w, x⟩| ‖w‖, is steepest at one of the images."""
    linear = torch.nn.Linear(2, 1, bias=False)
    linear.weight.data = torch.tensor([[3.0, 4.0]])

    class Squared(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return linear(x).squeeze(1) ** 2

    images = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert steepest(linear, images) == pytest.approx(5)
    assert steepest(Squared(), images) == pytest.approx(2 * 4 * 5)


@pytest.mark.parametrize("name", ["mean_spectral", "spectral_projected"])
def test_a_run_made_again_is_the_same_and_measuring_leaves_no_trace(name: str, tmp_path: Path) -> None:
    """Bit for bit: losses with and without the probe, and comparisons with real images, from the seed alone."""
    assert name in ARMS
    config = arms(gan(width=4, steps=5, measure_every=2, compare_every=4), [name], {name: 1e-3})[0]
    bare = config.vary(probes=(), intervals={"samples": 2})
    for folder, each in (("one", config), ("again", config), ("bare", bare)):
        run(each, tmp_path / folder)
    one, again, without = (FinishedRun.read(tmp_path / folder) for folder in ("one", "again", "bare"))
    for field in ("loss", "generator_loss"):
        np.testing.assert_array_equal(one.column("train", field), again.column("train", field))
        np.testing.assert_array_equal(one.column("train", field), without.column("train", field))
    np.testing.assert_array_equal(one.column(SAMPLES, "frechet"), again.column(SAMPLES, "frechet"))
    assert one.column(SAMPLES, "images").shape == (2, 16, 8, 8)
    assert one.column("scale_free", "gap").shape == (3,)
    assert one.facts["weights"] == without.facts["weights"]
    assert math.isfinite(one.column("train", "loss")[-1])
