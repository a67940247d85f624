"""The probes `batch_sharpness` and `directional_sharpness`: what they measure of the steps that were taken."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from clinometer import Recorder, batch_sharpness, directional_sharpness, every, headroom
from clinometer.measures.batch_sharpness import batch_sharpness_of

H = torch.tensor([1.0, 4.0, 9.0], dtype=torch.float64)


def recorded(probes: list[Any], make: Any, steps: int = 4, loss: Any = None, clip: float = math.inf) -> Recorder:
    """Some steps on ½ wᵀ diag(1, 4, 9) w from (1, 1, 1)."""
    model = nn.Module()
    model.w = nn.Parameter(torch.ones(3, dtype=torch.float64))
    loss_fn = loss or (lambda m, _: (H * m.w.square()).sum() / 2)
    optimizer = make(model.parameters())
    recorder = Recorder(model, loss_fn, probes, every(1), optimizer=optimizer, strict=True)
    for _ in range(steps):
        with recorder.step(None):
            optimizer.zero_grad()
            loss_fn(model, None).backward()
            nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
    return recorder


def test_batch_sharpness_is_held_against_the_rate_of_plain_descent() -> None:
    """Closed form: gᵀHg/‖g‖² = Σh³w²/Σh²w² and 2/η − λ; w shrinks by 1 − η(h + λ) at each step."""
    rows = recorded([batch_sharpness()], lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.5)).read("batch_sharpness")
    w = torch.stack([(1 - 0.1 * (H + 0.5)) ** step for step in range(4)])
    expected = (H**3 * w**2).sum(1) / (H**2 * w**2).sum(1)
    np.testing.assert_allclose(rows["value"], expected)
    np.testing.assert_allclose(rows["threshold"], 2 / 0.1 - 0.5)
    np.testing.assert_allclose(rows["ratio"], expected / 19.5)
    assert batch_sharpness_of(rows).mean_of_ratios.value == pytest.approx(float(expected.mean()))


@pytest.mark.parametrize("clip", [0.5, math.inf])
def test_where_the_ratio_exceeds_1_the_step_raises_the_loss(clip: float) -> None:
    """On a quadratic the model is the loss: the headroom of the loss along the step is 1 / ratio, clipped or not."""
    probes = [batch_sharpness(), headroom(precision=0.001)]
    recorder = recorded(probes, lambda p: torch.optim.SGD(p, lr=0.3), clip=clip)
    room = recorder.read("headroom")["loss"]
    np.testing.assert_allclose(recorder.read("batch_sharpness")["ratio"], 1 / room, rtol=0.002)


def test_momentum_has_no_threshold_for_batch_sharpness() -> None:
    """Two plateaus are known, by batch size: neither is asserted."""
    rows = recorded([batch_sharpness()], lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9)).read("batch_sharpness")
    assert np.isnan(rows["threshold"]).all()
    assert np.isnan(rows["ratio"]).all()
    assert (rows["value"] > 1).all()


def test_a_loss_that_is_maximized_counts_upside_down() -> None:
    """−L maximized is L minimized: equal ratios, opposite curvature."""
    down = recorded([batch_sharpness()], lambda p: torch.optim.SGD(p, lr=0.1))
    uphill = lambda m, _: -(H * m.w.square()).sum() / 2  # noqa: E731
    up = recorded([batch_sharpness()], lambda p: torch.optim.SGD(p, lr=0.1, maximize=True), loss=uphill)
    found, other = (each.read("batch_sharpness") for each in (down, up))
    np.testing.assert_allclose(found["ratio"], other["ratio"])
    np.testing.assert_allclose(found["value"], -other["value"])


OPTIMIZERS = {
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.05),
    "clipped": lambda p: torch.optim.SGD(p, lr=0.05),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_directional_sharpness_is_that_of_the_real_update(name: str) -> None:
    """On a quadratic the model is the loss: the predicted change is the change, and the headroom is `headroom`'s."""
    probes = [directional_sharpness(), headroom(precision=0.001)]
    recorder = recorded(probes, OPTIMIZERS[name], steps=8, clip=0.5 if name == "clipped" else math.inf)
    rows, room = recorder.read("directional_sharpness"), recorder.read("headroom")["loss"]
    finite = np.isfinite(room) & (room > 0)
    assert finite.sum() > 2
    np.testing.assert_allclose(rows["quadratic_headroom"][finite], room[finite], rtol=0.002)
    np.testing.assert_allclose(rows["change"], rows["penalty"] - rows["gain"])
    if name == "momentum":  # some of its steps go uphill
        assert (rows["gain"][rows["quadratic_headroom"] == 0] <= 0).all()
        assert (rows["quadratic_headroom"] == 0).any()


def test_the_predicted_change_is_the_change_of_a_quadratic_loss() -> None:
    """The loss itself, evaluated by hand before and after each step of momentum."""
    losses: list[float] = []
    model = nn.Module()
    model.w = nn.Parameter(torch.ones(3, dtype=torch.float64))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    loss_fn = lambda m, _: (H * m.w.square()).sum() / 2  # noqa: E731
    recorder = Recorder(model, loss_fn, [directional_sharpness()], every(1), optimizer=optimizer)
    for _ in range(6):
        with recorder.step(None):
            optimizer.zero_grad()
            loss_fn(model, None).backward()
            losses.append(loss_fn(model, None).item())
            optimizer.step()
    losses.append(loss_fn(model, None).item())
    np.testing.assert_allclose(recorder.read("directional_sharpness")["change"], np.diff(losses), atol=1e-12)


def test_blocks_split_it() -> None:
    """Two layers in product: ½ (a b − 1)², whose Hessian is written by hand, [[b², 2ab − 1], [2ab − 1, a²]]."""
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)).double()
    for p, value in zip(model.parameters(), (2.0, 1.5), strict=True):
        nn.init.constant_(p, value)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss_fn = lambda m, _: (m(torch.ones(1, 1, dtype=torch.float64)) - 1).square().sum() / 2  # noqa: E731
    probes = [directional_sharpness(blocks="layers"), directional_sharpness()]
    recorder = Recorder(model, loss_fn, probes, every(1), optimizer=optimizer, strict=True)
    with recorder.step(None):
        loss_fn(model, None).backward()
        optimizer.step()
    rows = recorder.read("directional_sharpness_blocks")
    d = np.array([1.5, 2.0])  # minus the gradient, up to a factor
    assert rows["block"].tolist() == [["0", "1"]]
    np.testing.assert_allclose(rows["within"], [d**2 * np.array([1.5**2, 2.0**2]) / (d @ d)])
    np.testing.assert_allclose(rows["cross"], 2 * d[0] * d[1] * (2 * 2 * 1.5 - 1) / (d @ d))
    np.testing.assert_allclose(rows["value"], rows["within"].sum(1) + rows["cross"])
    np.testing.assert_allclose(rows["value"], recorder.read("directional_sharpness")["value"])
    np.testing.assert_allclose(rows["block_gain"].sum(1), rows["gain"])
    np.testing.assert_allclose(rows["block_headroom"], 2 / (0.1 * np.array([[1.5**2, 2.0**2]])))


def linear(batches: list[torch.Tensor], probe: Any) -> Any:
    """One step of descent on the mean of (x · w)²/2 over 5 inputs of its own, and what a probe says of others."""
    model = nn.Linear(3, 1, bias=False).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss_fn = lambda m, x: m(x).square().mean() / 2  # noqa: E731
    own = torch.randn(5, 3, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    recorder = Recorder(model, loss_fn, [probe(batches=batches)], every(1), optimizer=optimizer, strict=True)
    before = model.weight.detach()[0].clone()
    with recorder.step(own):
        loss_fn(model, own).backward()
        optimizer.step()
    return recorder.read(next(iter(recorder.probes))), before, model.weight.detach()[0] - before


BATCHES = [torch.randn(4, 3, generator=torch.Generator().manual_seed(s), dtype=torch.float64) for s in range(3)]
HESSIANS = [x.T @ x / 4 for x in BATCHES]


def test_several_batches_have_a_batch_sharpness_each() -> None:
    """Least squares, with the Hessian XᵀX/4 of each batch written by hand: both averages, and numpy's error."""
    rows, before, _ = linear(BATCHES, batch_sharpness)
    gradients = [h @ before for h in HESSIANS]
    curvature = np.array([float(g @ h @ g) for g, h in zip(gradients, HESSIANS, strict=True)])
    squared = np.array([float(g @ g) for g in gradients])
    np.testing.assert_allclose(rows["curvature"], [curvature])
    np.testing.assert_allclose(rows["grad_norm_squared"], [squared])
    np.testing.assert_allclose(rows["value"], [(curvature / squared).mean()])
    np.testing.assert_allclose(rows["error"], [(curvature / squared).std(ddof=1) / np.sqrt(3)])
    np.testing.assert_allclose(rows["ratio_of_means"], [curvature.sum() / squared.sum()])
    np.testing.assert_allclose(rows["ratio"], rows["value"] / 20)


def test_the_update_is_held_against_held_out_batches() -> None:
    """By hand: d of the step's own batch, gradient and Hessian of the mean of others."""
    rows, before, d = linear(BATCHES, directional_sharpness)
    hessian = sum(HESSIANS[1:], HESSIANS[0]) / 3
    np.testing.assert_allclose(rows["value"], float(d @ hessian @ d) / float(d @ d))
    np.testing.assert_allclose(rows["gain"], -float(hessian @ before @ d))


def test_a_step_that_stays_where_it_is_has_no_number() -> None:
    """NaN, with the loss and the run as they were."""
    rows = recorded([directional_sharpness()], lambda p: torch.optim.SGD(p, lr=0.0)).read("directional_sharpness")
    assert all(np.isnan(rows[name]).all() for name in ("value", "gain", "penalty", "change", "quadratic_headroom"))


def test_blocks_that_are_not_there_are_refused() -> None:
    """When the recorder is made."""
    with pytest.raises(ValueError, match="no trainable parameter is called 'decoder"):
        Recorder(nn.Linear(2, 1), lambda m, b: m(b).sum(), [directional_sharpness(blocks=["decoder.*"])])
