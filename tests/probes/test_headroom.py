"""The probe `headroom` in training, against closed forms on quadratics."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from models import batch, cross_entropy, everything, quadratic
from torch import Tensor, nn

from clinometer import Batches, Objective, Probe, Recorder, Step, every, headroom

CURVATURE, LR = 4.0, 0.05


def parabola(at: float = 1.0) -> nn.Linear:
    model = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(model.weight, at)
    return model


def bowl(model: Any, _batch: Any) -> Tensor:
    return CURVATURE * model.weight.square().sum() / 2


def rows(probe: Probe, steps: int = 2, clip: float | None = None, **settings: Any) -> Mapping[str, Any]:
    """What is recorded of SGD on a parabola from 1."""
    model = parabola()
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, **settings)
    recorder = Recorder(model, bowl, {"room": probe}, every(1), optimizer=optimizer)
    for _ in range(steps):
        with recorder.step(None):
            bowl(model, None).backward()
            if clip:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            optimizer.zero_grad()
    return recorder.read("room")


@pytest.mark.parametrize("direction", ["update", "gradient"])
def test_the_critical_sharpness_of_gradient_descent_is_the_curvature(direction: Any) -> None:
    """λ, and the rate 2/λ, from a step whose headroom is 2/(ηλ)."""
    found = rows(headroom(direction=direction))
    np.testing.assert_allclose(found["loss"], 2 / (LR * CURVATURE))
    np.testing.assert_allclose(found["critical_sharpness"], CURVATURE)
    np.testing.assert_allclose(found["critical_lr"], 2 / CURVATURE)
    np.testing.assert_allclose(found["slope"], [-LR * (CURVATURE * w) ** 2 for w in (1.0, 1 - LR * CURVATURE)])
    assert "angle" not in found


def test_clipping_shortens_the_step_and_leaves_the_curvature() -> None:
    """The gradient is 4 and clipped to 1: four times the headroom and the learning rate, and the same curvature."""
    for probe in (headroom(), headroom(direction="gradient")):
        found = rows(probe, steps=1, clip=1.0)
        assert found["loss"][0] == pytest.approx(4 * 2 / (LR * CURVATURE), rel=1e-4)
        assert found["critical_lr"][0] == pytest.approx(4 * 2 / CURVATURE, rel=1e-4)
        assert found["critical_sharpness"][0] == pytest.approx(CURVATURE, rel=1e-4)


def test_momentum_that_goes_uphill_has_a_slope_and_no_curvature() -> None:
    """By simulation: at the first step past the bottom the velocity still points away from it, and the step uphill."""
    found = rows(headroom(), steps=30, momentum=0.9)
    w, velocity, expected = 1.0, 0.0, []
    for _ in range(30):
        gradient = CURVATURE * w
        velocity = 0.9 * velocity + gradient
        expected.append(-LR * velocity * gradient)
        w -= LR * velocity
    uphill = np.array(expected) > 0
    np.testing.assert_allclose(found["slope"], expected, rtol=1e-6)
    assert 3 < uphill.sum() < 27
    assert (found["loss"][uphill] == 0).all()
    assert (found["loss"][~uphill] > 0).all()
    assert np.isnan(found["critical_sharpness"][uphill]).all()
    assert np.isnan(found["critical_lr"][uphill]).all()
    assert (found["evaluations"][uphill] == 0).all()


def test_a_search_starts_where_the_last_one_ended() -> None:
    """Gradient descent on a parabola has the same headroom at each step: two evaluations bracket it again."""
    evaluations = rows(headroom(), steps=4)["evaluations"]
    assert evaluations[0] == 4
    assert (evaluations[1:] == 2).all()


def test_a_resumed_run_writes_the_same_rows() -> None:
    """Bit for bit those of one that was not interrupted; another recorder goes on with what the first one knew."""

    def run(change_at: int | None) -> list[Mapping[str, Any]]:
        model = everything()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

        def made(start: int) -> Recorder:
            probes = [headroom(), headroom(blocks="layers", angle=True)]
            return Recorder(model, cross_entropy, probes, every(1), optimizer=optimizer, start=start)

        recorder = made(0)
        for index in range(4):
            if index == change_at:
                state, recorder = recorder.state_dict(), made(index)
                recorder.load_state_dict(state)
            with recorder.step(batch(index)):
                cross_entropy(model, batch(index)).backward()
                optimizer.step()
                optimizer.zero_grad()
        return [recorder.read(name) for name in ("headroom", "headroom_blocks")]

    for once, resumed in zip(run(None), run(2), strict=True):
        for field in once:
            np.testing.assert_array_equal(resumed[field], once[field][2:])


def test_several_learning_rates_are_no_single_one() -> None:
    """½(a² + 9b²) with rates 0.1 and 0.2: no critical rate of the whole, and each block's own curvature."""
    model = nn.ModuleDict({"a": parabola(), "b": parabola()})

    def loss_fn(m: Any, _batch: Any) -> Tensor:
        return (m["a"].weight ** 2 + 9 * m["b"].weight ** 2).sum() / 2

    groups = [{"params": model["a"].parameters(), "lr": 0.1}, {"params": model["b"].parameters(), "lr": 0.2}]
    optimizer = torch.optim.SGD(groups)
    recorder = Recorder(model, loss_fn, [headroom(), headroom(blocks="layers")], every(1), optimizer=optimizer)
    with recorder.step(None):
        loss_fn(model, None).backward()
        optimizer.step()
    whole, blocks = recorder.read("headroom"), recorder.read("headroom_blocks")
    assert whole["loss"][0] == pytest.approx(2 * (0.1 + 0.2 * 81) / (0.01 + 9 * 0.04 * 81)), "2⟨−g, d⟩ / dᵀHd"
    assert np.isnan(whole["critical_sharpness"][0])
    assert np.isnan(whole["critical_lr"][0])
    np.testing.assert_allclose(blocks["critical_sharpness"][0], [1.0, 9.0])
    np.testing.assert_allclose(blocks["critical_lr"][0], [2.0, 2 / 9])


def test_without_a_learning_rate_the_gradient_still_has_a_curvature() -> None:
    """The recorder was told none: headroom in multiples of a step is not known, 2/λ and λ are."""
    model = parabola()
    recorder = Recorder(model, bowl, [headroom(), headroom(direction="gradient")], every(1))
    with recorder.step(None):
        bowl(model, None).backward()
        with torch.no_grad():
            model.weight -= LR * model.weight.grad
    update, gradient = recorder.read("headroom"), recorder.read("headroom_gradient")
    assert update["loss"][0] == pytest.approx(2 / (LR * CURVATURE))
    assert np.isnan(update["critical_sharpness"][0])
    assert np.isnan(gradient["loss"][0])
    assert gradient["critical_lr"][0] == pytest.approx(2 / CURVATURE)
    assert gradient["critical_sharpness"][0] == pytest.approx(CURVATURE)


def other(first: list[float], second: list[float], towards: list[float]) -> tuple[Mapping[str, Any], Tensor]:
    """One step of gradient descent on ½ wᵀAw from (3, 2), seen by ½ (w − c)ᵀB(w − c): its row, and the step."""
    model = quadratic(first, [3.0, 2.0]).model
    curvature, centre = torch.diag(torch.tensor(second).double()), torch.tensor(towards).double()

    def base_task(m: Any, _batch: Any) -> Tensor:
        return (m.w - centre) @ curvature @ (m.w - centre) / 2

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, lambda m, _: m(), [headroom(loss_fn=base_task)], every(1), optimizer=optimizer)
    before = model.w.detach().clone()
    with recorder.step(None):
        model().backward()
        optimizer.step()
    return recorder.read("headroom_other_loss"), model.w.detach() - before


@pytest.mark.parametrize("towards", [[0.0, 0.0], [-5.0, 1.0], [2.9, 1.0]])
def test_how_far_along_one_tasks_step_anothers_loss_falls(towards: list[float]) -> None:
    """Both losses are quadratic: 2⟨−g₂, d⟩/dᵀBd, with λ_c = 2/(η a_c), and the change and curvature of the second."""
    found, step = other([1.0, 4.0], [2.0, 0.5], towards)
    curvature, start = torch.tensor([2.0, 0.5]).double(), torch.tensor([3.0, 2.0]).double()
    slope = float((curvature * (start - torch.tensor(towards))) @ step)
    bent = float(step @ (curvature * step))
    assert found["slope"][0] == pytest.approx(slope)
    assert found["rise"][0] == pytest.approx(slope + bent / 2)
    assert found["curvature"][0] == pytest.approx(bent / float(step @ step))
    assert found["loss"][0] == pytest.approx(-2 * slope / bent)
    assert found["critical_sharpness"][0] == pytest.approx(2 / (0.1 * found["loss"][0]))


def test_where_the_other_loss_rises_at_once_its_slope_says_how_fast() -> None:
    """The base task is at (4, 3), farther from the minimum than the start: each step towards that raises its loss."""
    found, step = other([1.0, 4.0], [2.0, 0.5], [4.0, 3.0])
    assert found["loss"][0] == 0.0
    assert found["slope"][0] == pytest.approx(
        float((torch.tensor([2.0, 0.5]) * torch.tensor([-1.0, -1.0])) @ step.float())
    )
    assert found["slope"][0] > 0
    assert found["rise"][0] > found["slope"][0]
    assert np.isnan(found["critical_sharpness"][0])
    assert found["curvature"][0] == pytest.approx(
        float(step @ (torch.tensor([2.0, 0.5]).double() * step) / (step @ step))
    )


def test_another_task_on_its_own_batches() -> None:
    """Against an objective made by hand of the other loss on these batches, where the step began and where it ended.

    Of a network with BatchNorm and dropout: other batches have statistics of their own, and the base task no dropout.
    """
    model = everything()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    data = [batch(7), batch(8)]
    seen: list[Step] = []
    probes = {
        "room": headroom(loss_fn=base_task, batches=data, precision=0.02),
        "look": lambda step: seen.append(step) or {},
    }
    recorder = Recorder(model, cross_entropy, probes, every(1), optimizer=optimizer)
    with recorder.step(batch()):
        cross_entropy(model, batch()).backward()
        optimizer.step()
    (step,), found = seen, recorder.read("room")
    objective = Objective(model, base_task, Batches(data))
    start, end = (float(objective.loss(place)) for place in (step.before, step.after))
    assert found["rise"][0] == pytest.approx(end - start, rel=1e-4)
    multiple = found["loss"][0]
    assert 0 < multiple < math.inf, "this test shows something"
    for size, sign in ((0.95, -1), (1.05, 1)):
        there = {n: v + float(size * multiple) * (step.after[n] - v) for n, v in step.before.items()}
        assert sign * (float(objective.loss(there)) - start) > 0


def base_task(model: nn.Module, data: tuple[Tensor, Tensor]) -> Tensor:
    return model(data[0]).square().mean() * torch.ones(())


def test_another_loss_of_parameters_without_a_module() -> None:
    """½ w² is trained and (w − 2)² watched, from w = 3: 20/3 steps of −0.3 lead to 1, where it is as high again."""
    weight = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    params = {"w": weight}
    recorder = Recorder(
        params=params,
        loss_fn=lambda p, _: p["w"] ** 2 / 2,
        probes=[headroom(loss_fn=lambda p, _: (p["w"] - 2) ** 2)],
        when=every(1),
        lr=0.1,
    )
    with recorder.step(None):
        (weight**2 / 2).backward()
        with torch.no_grad():
            weight -= 0.1 * weight.grad
    assert recorder.read("headroom_other_loss")["loss"][0] == pytest.approx(20 / 3)


def test_a_frozen_teacher_of_the_other_loss_stays_as_it_was() -> None:
    """The other loss reaches a module with BatchNorm of its own: its statistics and the model's are those of before."""
    teacher, model = everything(1), everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}

    def distance_to_teacher(m: nn.Module, data: tuple[Tensor, Tensor]) -> Tensor:
        return (m(data[0]) - teacher(data[0])).square().mean()

    recorder = Recorder(model, cross_entropy, [headroom(loss_fn=distance_to_teacher)], every(1), optimizer=optimizer)
    with recorder.step(batch()):
        cross_entropy(model, batch()).backward()
        optimizer.step()
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert math.isfinite(recorder.read("headroom_other_loss")["rise"][0])


def test_the_forward_passes_of_a_step_are_few() -> None:
    """Counted by the loss itself, on a network with BatchNorm and dropout: cold at first, then from the last value."""
    calls: list[int] = []

    def counted(model: nn.Module, data: Any) -> Tensor:
        calls.append(1)
        return cross_entropy(model, data)

    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    recorder = Recorder(model, counted, [headroom()], every(1), optimizer=optimizer)
    spent = []
    for index in range(20):
        calls.clear()
        with recorder.step(batch(index % 3)):
            cross_entropy(model, batch(index % 3)).backward()
            optimizer.step()
            optimizer.zero_grad()
        spent.append(len(calls) - 1)  # beside the pass with the gradient at the start
    np.testing.assert_array_equal(recorder.read("headroom")["evaluations"], spent)
    assert np.median(spent) <= 4
    assert max(spent) <= 10


def test_bad_input() -> None:
    """Said when the probe is made."""
    with pytest.raises(ValueError, match=r"`precision` must lie in \(0, 1\); found 2"):
        headroom(precision=2)
    with pytest.raises(ValueError, match="direction must be one of update, gradient; found 'random'"):
        headroom(direction="random")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="loss_fn must be a function of model and batch; found 3"):
        headroom(loss_fn=3)  # pyright: ignore[reportArgumentType]
