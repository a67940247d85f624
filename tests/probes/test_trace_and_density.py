"""The probes of the whole spectrum on training runs whose Hessian is known."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from models import batch, cross_entropy, everything
from torch import nn

from clinometer import Objective, Probe, Recorder, density, every, trace
from clinometer.measures.trace import trace as measure_trace

N = 50


def rows(probe: Probe, steps: int = 3, seed: int = 0, scales: Any = None) -> dict[str, np.ndarray[Any, Any]]:
    """Gradient descent on L(w) = ½ wᵀ diag(1, ..., 50) w, whose Hessian is the same everywhere."""
    curvatures = torch.arange(1.0, N + 1) if scales is None else scales
    torch.manual_seed(0)
    model = nn.Linear(N, 1, bias=False)

    def loss_fn(m: Any, _batch: None) -> torch.Tensor:
        return (curvatures * m.weight.square()).sum() / 2

    torch.manual_seed(seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    recorder = Recorder(model, loss_fn, [probe], every(1), optimizer=optimizer)
    for _ in range(steps):
        with recorder.step(None):
            loss_fn(model, None).backward()
            optimizer.step()
            optimizer.zero_grad()
    return recorder.read(next(iter(recorder.probes)))


def test_the_trace_of_a_quadratic() -> None:
    """1 + 2 + ... + 50 = 1275, within four standard errors."""
    found = rows(trace())
    assert (np.abs(found["value"] - 1275) < 4 * found["error"]).all()
    np.testing.assert_allclose(found["high"] - found["low"], 2 * found["error"])
    np.testing.assert_allclose(found["mean"], found["value"] / N)
    assert (found["products"] == 16).all()


def test_steps_share_their_random_vectors_and_seeds_do_not() -> None:
    """The Hessian is constant, so equal vectors give equal estimates; another seed of the program gives others."""
    for probe in (trace, density):
        first, other = rows(probe()), rows(probe(), seed=1)
        name = {"trace": "value", "density": "nodes"}[probe.__name__]
        np.testing.assert_allclose(first[name][1:], first[name][:-1], rtol=1e-5)
        assert not np.allclose(first[name], other[name], rtol=1e-4)


@pytest.mark.parametrize("name", ["trace", "density"])
def test_few_parameters_are_exact(name: str) -> None:
    """The dense Hessian is diag(1, ..., 50)."""
    if name == "trace":
        found = rows(trace(products=N))
        np.testing.assert_allclose(found["value"], 1275, rtol=1e-6)
        assert (found["error"] == 0).all()
    else:
        found = rows(density(steps=30))
        np.testing.assert_allclose(found["nodes"][:, :N], np.tile(np.arange(1.0, N + 1), (3, 1)), rtol=1e-5)
        np.testing.assert_allclose(found["weights"][:, :N], 1 / N)
        assert np.isnan(found["nodes"][:, N:]).all()


def test_the_density_of_a_quadratic() -> None:
    """Ends, mean, shares and the number of eigenvalues are those of diag(−2, 0, ..., 0, 1, 10, 100)."""
    scales = torch.zeros(N)
    scales[:4] = torch.tensor([-2.0, 1.0, 10.0, 100.0])
    found = rows(density(steps=30), scales=scales)
    np.testing.assert_allclose(found["top"], [[100, 10, 1, 0, 0]] * 3, atol=1e-4)
    np.testing.assert_allclose(found["largest"], 100, rtol=1e-5)
    np.testing.assert_allclose(found["smallest"], -2, rtol=1e-5)
    np.testing.assert_allclose(found["mean"], 109 / N, rtol=1e-5)
    np.testing.assert_allclose(found["negative"], 1 / N)
    np.testing.assert_allclose(found["near_zero"], 46 / N)
    np.testing.assert_allclose((10 ** found["counts"] - 1).sum(1), N, rtol=0.01)
    peak = found["counts"][0].argmax()
    assert found["edges"][0][peak] <= 0 <= found["edges"][0][peak + 1], "46 lie in one bin, at zero"


@pytest.mark.parametrize("method", [None, "xtrace"])
def test_traces_of_blocks_sum_to_the_whole(method: Any) -> None:
    """By the definition of the trace: with as many products as parameters, each is exact, shared or not."""
    model = everything().double()
    x, y = batch()
    objective = Objective(model, cross_entropy, (x.double(), y))
    whole = measure_trace(objective, objective.here(), products=1000)
    recorder = Recorder(model, cross_entropy, [trace(products=1000, method=method, blocks="layers")], every(1))
    with recorder.step((x.double(), y)):
        cross_entropy(model, (x.double(), y)).backward()
    found = recorder.read("trace_blocks")
    assert found["value"].sum() == pytest.approx(whole.value, rel=1e-6)
    assert (found["products"] == whole.n).all() == (method is None)


@pytest.mark.parametrize("probe", [trace, density])
def test_a_run_that_diverges_goes_on(probe: Any) -> None:
    """The loss is infinite from the second step on: no number, and no end of the run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = rows(probe(), scales=torch.full((N,), 1e15) * torch.arange(1, N + 1))
    assert found["step"].tolist() == [0, 1, 2]
    numbers = found["value"] if probe is trace else found["mean"]
    assert np.isfinite(numbers[0])
    assert np.isnan(numbers[1:]).all()


def test_bad_arguments_are_refused_where_the_probe_is_made() -> None:
    """Before a run has begun."""
    with pytest.raises(ValueError, match="`products` must be at least 6"):
        trace(products=3)
    with pytest.raises(ValueError, match="at least 1 of `probes` and 2 `steps`"):
        density(steps=1)
    with pytest.raises(ValueError, match=r"`linear_within` must be above 0; found 0"):
        density(linear_within=0)
