"""What single probes promise beyond leaving no trace."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from clinometer import Recorder, at, batchnorm_terms, every, headroom, landscape


def quadratic() -> tuple[nn.Module, Any]:
    """L(w) = ½ wᵀ diag(1, 4, 9, ...) w over 50 weights, whose Hessian is known."""
    torch.manual_seed(0)
    model = nn.Linear(50, 1, bias=False)
    eigenvalues = torch.arange(1.0, 51.0)
    return model, lambda m, _batch: (eigenvalues * m.weight.square()).sum() / 2


def rows(steps: int, seed: int = 0, lr: float = 0.01, **arguments: Any) -> dict[str, Any]:
    model, loss_fn = quadratic()
    torch.manual_seed(seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    recorder = Recorder(model, loss_fn, [landscape(**arguments)], every(1), optimizer=optimizer)
    for group in optimizer.param_groups:
        group["lr"] = lr
    for _ in range(steps):
        with recorder.step(None):
            loss_fn(model, None).backward()
            optimizer.zero_grad()
            optimizer.step()  # without gradients: a step that stays where it is
    return recorder.read(next(iter(recorder.probes)))


def test_random_directions_go_as_far_as_the_gradient() -> None:
    """Equal sizes, equal distances: what differs is the direction alone."""
    along, random = rows(1), rows(1, direction="random")
    np.testing.assert_allclose(random["distances"], along["distances"], rtol=1e-5)


@pytest.mark.parametrize("direction", ["gradient", "random"])
def test_walks_by_distance_go_as_far_as_they_are_told(direction: str) -> None:
    """‖x_a − x‖ is measured at the points themselves, and no learning rate or gradient has a say in it."""
    asked = [0.05, 0.2]
    for lr in (0.01, 10.0):
        row = rows(1, distances=asked, direction=direction, lr=lr)
        np.testing.assert_allclose(row["distances"][0], asked, rtol=1e-5)
        np.testing.assert_array_equal(row["sizes"][0], np.float32(asked))


def test_a_walk_by_distance_is_the_walk_by_sizes_that_goes_as_far() -> None:
    """On a quadratic the gradient is known, so sizes can be chosen that go those distances: all fields agree."""
    by_size = rows(1)
    by_distance = rows(1, distances=by_size["distances"][0].tolist())
    for field in by_size:
        if field not in ("step", "sizes"):
            np.testing.assert_allclose(by_distance[field], by_size[field], rtol=1e-4, err_msg=field)


def test_a_direction_without_length_goes_nowhere() -> None:
    """At a minimum the gradient is 0: along it no distance can be walked, along a random direction it can."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)

    def loss_fn(m: Any, _batch: None) -> torch.Tensor:
        return m.weight.square().sum()

    probes = {each: landscape(distances=[0.5], direction=each) for each in ("gradient", "random")}
    recorder = Recorder(model, loss_fn, probes, every(1))
    with recorder.step(None):
        loss_fn(model, None).backward()
    along, random = (recorder.read(each) for each in probes)
    assert np.isnan(along["losses"]).all()
    assert along["sizes"] == along["loss"] + 0.5
    np.testing.assert_allclose(random["losses"], [[0.25]])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"sizes": [1.0], "distances": [1.0]}, "not both"),
        ({"distances": []}, "must be positive and finite; found"),
        ({"distances": [0.1, 0.0]}, "must be positive and finite; found"),
        ({"distances": [float("inf")]}, "must be positive and finite; found"),
    ],
)
def test_distances_are_checked(arguments: dict[str, Any], error: str) -> None:
    """Refused before any run, in words."""
    with pytest.raises(ValueError, match=error):
        landscape(**arguments)


def test_random_directions_see_the_mean_curvature() -> None:
    """On a quadratic ‖Hu‖ for a random unit u has mean square tr(H²)/d; over 200 directions it is met within 5%."""
    beta = rows(200, direction="random")["beta"]
    expected = np.sqrt(np.mean(np.arange(1.0, 51.0) ** 2))
    assert np.sqrt(np.mean(beta**2)) == pytest.approx(expected, rel=0.05)
    assert len(np.unique(beta)) > 190, "another direction at each step"


def test_random_directions_are_the_seeds() -> None:
    """The same program draws the same directions, another seed others."""
    first, again, other = (rows(3, seed, direction="random")["beta"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_headroom_is_that_of_the_update(momentum: float) -> None:
    """L = λw²/2 with lr η: one step from rest is −ηλw, whose headroom is 2/(ηλ), whatever the momentum will do later.

    With momentum 0.9 the second step goes further than one from rest would from the same place, by 0.9/(1 − ηλ) of that
    step: its headroom is less by the same factor.
    """
    curvature, lr = 4.0, 0.05
    model = nn.Linear(1, 1, bias=False).double()

    def loss_fn(m: Any, _batch: None) -> torch.Tensor:
        return curvature * m.weight.square().sum() / 2

    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)
    walked = landscape([0.5, 1.0], direction="update")
    recorder = Recorder(model, loss_fn, [headroom(precision=0.01), walked], every(1), optimizer=optimizer)
    weights = []
    for _ in range(2):
        weights.append(model.weight.item())
        with recorder.step(None):
            loss_fn(model, None).backward()
            optimizer.step()
            optimizer.zero_grad()
    weights.append(model.weight.item())
    rest = 2 / (lr * curvature)
    found = recorder.read("headroom")["loss"]
    assert found[0] == pytest.approx(rest, rel=0.011)
    longer = (weights[1] - weights[2]) / (lr * curvature * weights[1])
    assert found[1] == pytest.approx(rest / longer, rel=0.011)
    assert longer == pytest.approx(1.0 if momentum == 0 else 1 + 0.9 / (1 - lr * curvature))
    losses = recorder.read("landscape_update")["losses"]
    np.testing.assert_allclose(losses[:, 1], [curvature * w**2 / 2 for w in weights[1:]])


def test_an_unknown_direction_is_refused() -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match="direction must be one of gradient, update, random; found 'updown'"):
        landscape(direction="updown")  # pyright: ignore[reportArgumentType]


def test_the_living_theorem_holds_in_training() -> None:
    """The formula from y, g, γ and σ against ‖∂L/∂y‖² by backpropagation, layer by layer and step by step."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 5), nn.BatchNorm1d(5, affine=False), nn.Linear(5, 1)
    ).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def loss_fn(m: nn.Module, b: torch.Tensor) -> torch.Tensor:
        return m(b).square().mean()

    recorder = Recorder(model, loss_fn, [batchnorm_terms()], every(1), optimizer=optimizer)
    for _ in range(5):
        batch = torch.randn(32, 6, dtype=torch.float64)
        with recorder.step(batch):
            loss_fn(model, batch).backward()
            optimizer.step()
            optimizer.zero_grad()
    found = recorder.read("batchnorm_terms")
    assert list(found["layer"][0]) == ["1", "4"]
    assert found["scale"].shape == (5, 2, 8)
    assert np.isnan(found["scale"][:, 1, 5:]).all(), "padded to the widest layer"
    formula = found["scale"] * (found["gradient"] - found["mean"] - found["correlation"])
    np.testing.assert_allclose(formula, found["passed"], rtol=1e-9)


def test_the_terms_need_a_batchnorm() -> None:
    """Said when the recorder is made, not at the first scheduled step."""
    with pytest.raises(ValueError, match="needs a BatchNorm layer that normalizes by the batch; Linear has none"):
        Recorder(nn.Linear(2, 1), lambda m, b: m(b).sum(), [batchnorm_terms()])


def test_each_probe_may_have_its_own_schedule() -> None:
    """One probe at steps 0 and 2, another at step 1; step 3 is nobody's."""
    model, loss_fn = quadratic()
    seen = {"even": lambda _step: {"a": 1.0}, "odd": lambda _step: {"a": 1.0}}
    recorder = Recorder(model, loss_fn, seen, {"even": at(0, 2), "odd": at(1)})
    for _ in range(4):
        with recorder.step(None):
            pass
    assert recorder.read("even")["step"].tolist() == [0, 2]
    assert recorder.read("odd")["step"].tolist() == [1]
    assert recorder.store.last_step() == 2


def test_a_schedule_for_no_probe_is_refused() -> None:
    """A misspelt name would otherwise never be measured."""
    model, loss_fn = quadratic()
    with pytest.raises(ValueError, match="schedules for a, c; expected one for each of a, b"):
        Recorder(model, loss_fn, {"a": lambda _s: {}, "b": lambda _s: {}}, {"a": every(1), "c": every(1)})
