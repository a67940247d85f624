"""Sharpness in training: the optimizer's threshold beside the eigenvalue, warm starts and blocks."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from models import batch, cross_entropy, everything
from torch import Tensor, nn

from clinometer import Recorder, at, every, sharpness

CURVATURES = torch.tensor([9.0, -4.0, 2.0, 1.0, 0.5, 0.25])


def loss_fn(model: Any, _batch: None) -> Tensor:
    """½ Σ λᵢ wᵢ²."""
    return (CURVATURES * model.weight.square()).sum() / 2


def rows(make_optimizer: Any, probe: Any, steps: int = 3) -> dict[str, Any]:
    torch.manual_seed(0)
    model = nn.Linear(6, 1, bias=False).double()
    optimizer = make_optimizer(model.parameters()) if make_optimizer else None
    recorder = Recorder(model, loss_fn, [probe], every(1), optimizer=optimizer)
    for _ in range(steps):
        with recorder.step(None):
            loss_fn(model, None).backward()
            if optimizer:
                optimizer.step()
                optimizer.zero_grad()
            else:
                with torch.no_grad():
                    model.weight -= 0.01 * model.weight.grad
                model.zero_grad()
    return recorder.read(next(iter(recorder.probes)))


@pytest.mark.parametrize(
    ("make", "threshold"),
    [
        (lambda p: torch.optim.SGD(p, lr=0.1), 20.0),
        (lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.5), 19.5),
        (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), 38.0),
        (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True), 3.8 / 0.28),
    ],
)
def test_the_eigenvalue_stands_beside_the_threshold(make: Any, threshold: float) -> None:
    """Closed forms: λ of the quadratic, and 2/lr and its kin, by hand."""
    found = rows(make, sharpness(2, tolerance=1e-8))
    np.testing.assert_allclose(found["value"], 9.0, rtol=1e-6)
    np.testing.assert_allclose(found["values"], [[9.0, 2.0]] * 3, rtol=1e-3)
    np.testing.assert_allclose(found["threshold"], threshold, rtol=1e-6)
    np.testing.assert_allclose(found["ratio"], 9.0 / threshold, rtol=1e-5)
    assert (found["converged"] == 1).all()


def test_adam_is_measured_in_its_own_metric() -> None:
    """λ₁ of diag(λ)/P by hand, with P from Adam's first step, where v̂ = g²: P = (1 − β₁)(|g| + ε)."""
    found = rows(lambda p: torch.optim.Adam(p, lr=0.01), sharpness(tolerance=1e-8), 1)
    torch.manual_seed(0)
    weight = nn.Linear(6, 1, bias=False).double().weight.detach().flatten()
    gradient = CURVATURES * weight
    expected = (CURVATURES / (0.1 * (gradient.abs() + 1e-8))).max()
    assert found["value"][0] == pytest.approx(float(expected), rel=1e-5)
    assert found["ratio"][0] == pytest.approx(float(expected) / 3800.0, rel=1e-5)
    plain = rows(lambda p: torch.optim.Adam(p, lr=0.01), sharpness(preconditioned=False), 1)
    assert plain["value"][0] == pytest.approx(9.0, rel=1e-3)
    assert np.isnan(plain["ratio"]).all()


def test_at_the_threshold_descent_neither_grows_nor_decays() -> None:
    """Simulated: at ratio 1 gradient descent on the quadratic only changes the sign along the top eigenvector."""
    curvature = float(CURVATURES[0])
    for ratio in (0.98, 1.02):
        lr = 2 * ratio / curvature
        measured = rows(lambda p, lr=lr: torch.optim.SGD(p, lr=lr), sharpness(), 1)["ratio"][0]
        assert measured == pytest.approx(ratio, rel=1e-4)
        assert (abs(1 - lr * curvature) > 1) == (measured > 1)


@pytest.mark.parametrize("make", [None, lambda p: torch.optim.Rprop(p)])
def test_without_a_known_optimizer_there_is_no_threshold(make: Any) -> None:
    """λ alone: NaN stands for what is not known."""
    found = rows(make, sharpness(), 1)
    assert found["value"][0] == pytest.approx(9.0, rel=1e-3)
    assert np.isnan(found["ratio"]).all()


def test_the_other_ends() -> None:
    """Closed form; neither is what the threshold is about."""
    smallest = rows(lambda p: torch.optim.SGD(p, lr=0.1), sharpness(which="smallest"), 1)
    assert smallest["value"][0] == pytest.approx(-4.0, rel=1e-3)
    assert np.isnan(smallest["ratio"]).all()
    magnitude = rows(lambda p: torch.optim.SGD(p, lr=0.1), sharpness(2, which="magnitude"), 1)
    np.testing.assert_allclose(magnitude["values"][0], [9.0, -4.0], rtol=1e-3)


def test_going_uphill_the_smallest_counts() -> None:
    """Gradient ascent is descent on −L: by hand, its sharpness is 4, the negated smallest eigenvalue."""
    found = rows(lambda p: torch.optim.SGD(p, lr=0.1, maximize=True), sharpness(), 1)
    assert found["value"][0] == pytest.approx(-4.0, rel=1e-3)
    assert found["ratio"][0] == pytest.approx(4.0 / 20.0, rel=1e-3)


def test_searches_start_warm() -> None:
    """Counted: from the eigenvectors of the last measured step a search takes fewer products than the first."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 40), nn.Tanh(), nn.Linear(40, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    data = batch()
    recorder = Recorder(model, cross_entropy, [sharpness()], every(1), optimizer=optimizer)
    for _ in range(6):
        with recorder.step(data):
            cross_entropy(model, data).backward()
            optimizer.step()
            optimizer.zero_grad()
    products = recorder.read("sharpness")["products"]
    assert products[1:].max() < products[0]
    assert products[1:].mean() <= 4


def test_blocks_with_fewer_parameters_than_k() -> None:
    """One number for each parameter, and NaN for the rest."""
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(
        model, cross_entropy, [sharpness(6, blocks=["head.bias", "head.*"])], at(0), optimizer=optimizer
    )
    with recorder.step(batch()):
        cross_entropy(model, batch()).backward()
        optimizer.step()
    found = recorder.read("sharpness_blocks")
    assert found["values"].shape == (1, 2, 6)
    assert np.isnan(found["values"][0, 0]).tolist() == [False] * 4 + [True] * 2
    assert np.isfinite(found["values"][0, 1]).all()


def test_what_is_not_finite_is_nan_and_not_the_end() -> None:
    """A loss that has overflowed has no curvature, and training goes on."""
    model = nn.Linear(2, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, lambda m, x: (m(x) * x.sum()).sum(), [sharpness()], every(1), optimizer=optimizer)
    for x in (torch.ones(1, 2), torch.full((1, 2), math.inf)):
        with recorder.step(x):
            (model(x) * x.sum()).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    found = recorder.read("sharpness")
    assert found["value"][0] == 0.0
    assert np.isnan(found["value"][1])
    assert found["converged"][:, 0].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k must be at least 1; found 0"),
        ({"which": "top"}, "which must be one of"),
        ({"basis": 2}, "`basis`"),
    ],
)
def test_bad_input_is_refused(arguments: dict[str, Any], message: str) -> None:
    """When the probe is made."""
    with pytest.raises(ValueError, match=message):
        sharpness(**arguments)


def test_more_eigenvalues_than_parameters_are_refused_before_training() -> None:
    """By the recorder, which knows the model."""
    with pytest.raises(ValueError, match=r"sharpness\(k=7\) needs as many parameters; the model has 6"):
        rows(None, sharpness(7))
