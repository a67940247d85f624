import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from clinometer import drift, histogram, moments
from clinometer.measures.activations import Moments, units


@given(st.integers(0, 1000), st.sampled_from([(9, 3), (5, 3, 4), (5, 3, 4, 2)]))
def test_moments_are_what_batchnorm_computes(seed: int, shape: tuple[int, ...]) -> None:
    """The truth is torch's BatchNorm with momentum 1, whose running statistics are those of the batch.

    Its running variance is unbiased, m/(m − 1) times ours.
    """
    y = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    kinds = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}
    norm = kinds[len(shape)](3, momentum=1.0).double()
    norm(y)
    m = y.numel() / 3
    found = moments(y)
    torch.testing.assert_close(found.mean, norm.running_mean)
    torch.testing.assert_close(found.var * m / (m - 1), norm.running_var)


@given(st.floats(-3, 3), st.floats(0.1, 3))
def test_drift_of_a_known_shift(offset: float, factor: float) -> None:
    """y → c·y + b moves every mean by (c − 1)·mean + b, and multiplies every variance by c²."""
    y = torch.randn(50, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64).expand(50, 4)
    before, after = moments(y), moments(factor * y + offset)
    found = drift(before, after)
    assert found.mean == pytest.approx(abs((factor - 1) * before.mean[0].item() + offset), abs=1e-9)
    assert found.var == pytest.approx(abs(factor**2 - 1) * before.var[0].item(), abs=1e-9)


def test_drift_does_not_grow_with_width() -> None:
    """A root mean square of equal changes is that change, however many units there are."""
    for width in (1, 100):
        zeros, ones = torch.zeros(width), torch.ones(width)
        assert drift(Moments(zeros, zeros), Moments(ones, zeros)).mean == 1.0


@given(st.integers(0, 1000), st.integers(1, 50))
def test_histogram_agrees_with_numpy(seed: int, bins: int) -> None:
    """The truth is NumPy's histogram; a value on an edge may fall to either side by rounding, so two may move."""
    import numpy as np

    values = torch.randn(500, generator=torch.Generator().manual_seed(seed))
    found = histogram(values, bins)
    counts, edges = np.histogram(values.numpy(), bins=bins)
    torch.testing.assert_close(found.edges.double(), torch.from_numpy(edges).double(), rtol=1e-5, atol=1e-5)
    assert int(found.counts.sum()) == 500
    assert abs(found.counts.numpy() - counts).sum() <= 4


def test_histogram_keeps_what_is_finite_and_survives_a_constant() -> None:
    """A dead unit is constant, and a diverged one has no finite value."""
    assert histogram(torch.tensor([1.0, torch.nan, torch.inf, 3.0]), 2).counts.tolist() == [1.0, 1.0]
    assert histogram(torch.zeros(5), 4).counts.sum() == 5
    assert histogram(torch.full((3,), torch.nan), 4).counts.sum() == 0
    huge = torch.tensor([1.0, 3.0, 1e300, -1e38], dtype=torch.float64)  # as in a run in float64 that diverges
    assert histogram(huge, 2).counts.tolist() == [1.0, 1.0]


def test_bad_input_is_refused() -> None:
    """A vector has no batch axis, and zero bins hold nothing."""
    with pytest.raises(ValueError, match="shape"):
        units(torch.zeros(3))
    with pytest.raises(ValueError, match="at least 1"):
        histogram(torch.zeros(3), 0)
