"""Moments of layers' outputs, against SciPy on outputs that were computed by hand."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from models import batch, cross_entropy, everything
from torch import Tensor, nn

from clinometer import Objective, Recorder, activation_moments, every
from clinometer.measures.activation_moments import activation_moments as moments_of
from clinometer.measures.activation_moments import output_moments

stats = pytest.importorskip("scipy.stats")

FLOATS = st.floats(-100, 100, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3)


@given(arrays.arrays(np.float32, st.integers(2, 40), elements=FLOATS))
def test_moments_are_those_of_scipy(values: Any) -> None:
    """SciPy has them in double precision; float32 after the mean is off keeps the digits that the spread allows."""
    found = output_moments(torch.from_numpy(values))
    exact = values.astype(np.float64)
    spread = exact.std()
    error = 1e-5 * max(1.0, float(np.abs(exact).max()))
    assert found.mean == pytest.approx(exact.mean(), abs=error)
    assert found.var == pytest.approx(exact.var(), abs=error * (spread + error), rel=1e-5)
    assert found.largest == np.abs(values).max()
    if spread > 1e-2 * np.abs(exact).max():
        assert found.kurtosis == pytest.approx(stats.kurtosis(exact, fisher=False), rel=1e-3)
        assert found.kurtosis >= 1 - 1e-5


def test_a_gaussian_has_three() -> None:
    """The kurtosis of a normal law is 3; its estimate from n draws has standard deviation √(24/n)."""
    drawn = torch.randn(100_000, generator=torch.Generator().manual_seed(0)) * 7 + 100
    assert output_moments(drawn).kurtosis == pytest.approx(3, abs=4 * (24 / 1e5) ** 0.5)


@pytest.mark.parametrize("power", [-15, 15])
def test_scale_does_not_overflow(power: int) -> None:
    """Kurtosis has no unit: the fourth power of 10¹⁵ is beyond float32, and that of 10⁻¹⁵ below it."""
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    assert output_moments(values * 10.0**power).kurtosis == pytest.approx(output_moments(values).kurtosis, rel=1e-4)


def test_a_network_by_hand() -> None:
    """The outputs are computed by plain matrix products in NumPy, at other parameters than the model's own."""
    model = nn.Sequential(nn.Linear(3, 5), nn.ReLU(inplace=True), nn.Linear(5, 2))
    x = torch.randn(16, 3)
    objective = Objective(model, lambda m, data: m(data).sum(), x)
    at = {name: value + 0.5 for name, value in objective.here().items()}
    found = moments_of(objective, at, ["0", "2"])
    first = x.numpy() @ at["0.weight"].numpy().T + at["0.bias"].numpy()
    second = np.maximum(first, 0) @ at["2.weight"].numpy().T + at["2.bias"].numpy()
    for name, by_hand in (("0", first), ("2", second)):
        each = found[name]
        assert (each.mean, each.var) == (pytest.approx(by_hand.mean(), 1e-4), pytest.approx(by_hand.var(), 1e-4))
        assert each.kurtosis == pytest.approx(stats.kurtosis(by_hand, axis=None, fisher=False), rel=1e-4)
        assert each.largest == pytest.approx(np.abs(by_hand).max(), rel=1e-5)


def test_the_probe_measures_the_layers_once() -> None:
    """One call of the loss at each step, counted; a layer that never runs has NaN, and others have numbers."""
    model, calls = everything(), []

    def counted(m: nn.Module, data: tuple[Tensor, Tensor]) -> Tensor:
        calls.append(1)
        return cross_entropy(m, data)

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, counted, [activation_moments()], every(1), optimizer=optimizer)
    with recorder.step(data := batch()):
        cross_entropy(model, data).backward()
        optimizer.step()
    rows = recorder.read("activation_moments")
    assert len(calls) == 1
    assert list(rows["layer"][0]) == ["first", "second", "unused", "head"]
    assert np.isnan(rows["kurtosis"][0]).tolist() == [False, False, True, False]


def test_a_module_that_is_not_there_is_refused() -> None:
    """Bad input, before the first step, in words."""
    with pytest.raises(ValueError, match="has no module 'nowhere'"):
        Recorder(everything(), cross_entropy, [activation_moments(["nowhere"])], every(1))
