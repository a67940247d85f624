"""The threshold of each optimizer's kind, against what torch's own optimizers do on a quadratic loss."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim import Optimizer

from clinometer import Recorder, Step, every, landscape
from clinometer.probes.stability import Stability, stability_of

Make = Callable[[Any], Optimizer]


def taken(make: Make, parameters: Tensor, warm: int = 1, **options: Any) -> tuple[Step, Optimizer]:
    """A step of an optimizer on L = ‖w‖²/2, whose curvature is 1 everywhere."""
    model = nn.Module()
    model.w = nn.Parameter(parameters.clone())
    optimizer = make([model.w])
    seen: list[Step] = []
    loss_fn = lambda model, _: model.w.square().sum() / 2  # noqa: E731
    recorder = Recorder(
        model, loss_fn, {"look": lambda step: seen.append(step) or {}}, every(1), optimizer=optimizer, **options
    )
    for _ in range(warm):
        with recorder.step(None):
            optimizer.zero_grad()
            loss_fn(model, None).backward()
            optimizer.step()
    return seen[-1], optimizer


def threshold(make: Make, **options: Any) -> Stability:
    return stability_of(taken(make, torch.ones(3, dtype=torch.float64), **options)[0])


def grows(make: Make, curvature: float, start: float = 1.0) -> bool:
    """Whether 600 steps of torch's own optimizer on curvature · w²/2 end farther out than they began."""
    w = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = make([w])
    w.grad = torch.zeros_like(w)
    optimizer.step()
    forget_the_start(optimizer)
    w.data.fill_(start)
    for _ in range(600):
        w.grad = curvature * w.detach() * (-1 if optimizer.param_groups[0].get("maximize") else 1)
        optimizer.step()
        if w.abs().item() > 1e6 * start:
            return True
    return w.abs().item() > start


def forget_the_start(optimizer: Optimizer) -> None:
    """Count as many steps that the corrections of averages for their start have faded."""
    for state in optimizer.state.values():
        if "step" in state:
            state["step"] = torch.tensor(100_000.0)
        if "mu_product" in state:
            state["mu_product"].zero_()


SGD: dict[str, Make] = {
    "plain": lambda p: torch.optim.SGD(p, lr=0.1),
    "decayed": lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.5),
    "heavy ball": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "dampened": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.9),
    "Nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, nesterov=True),
    "heavy ball, decayed": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5, weight_decay=0.25),
    "dampened and decayed": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5, dampening=0.3, weight_decay=2.0),
    "uphill": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.5, maximize=True),
}


@pytest.mark.parametrize("name", SGD)
def test_sgd_is_stable_up_to_the_threshold_and_not_beyond(name: str) -> None:
    """torch.optim.SGD itself, on quadratics 2% below and above: one run converges, the other one diverges."""
    found = threshold(SGD[name])
    assert not grows(SGD[name], 0.98 * found.threshold)
    assert grows(SGD[name], 1.02 * found.threshold)
    assert found.plain == (name in ("plain", "decayed"))
    assert found.maximizes == (name == "uphill"), "the curvature is then that of −H, as in `grows`"


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 1.0), st.floats(0.0, 0.95), st.booleans())
def test_momentum_of_any_size_is_stable_up_to_the_threshold(lr: float, momentum: float, nesterov: bool) -> None:
    """The roots of the characteristic polynomial, by numpy's companion matrix in float64, lie on the unit circle."""
    nesterov &= momentum > 0
    curvature = threshold(lambda p: torch.optim.SGD(p, lr=lr, momentum=momentum, nesterov=nesterov)).threshold
    step = lr * curvature
    if nesterov:  # b' = μ b + h w;  w' = w − lr (h w + μ b')
        matrix = torch.tensor(
            [[1 - step - lr * momentum * curvature, -lr * momentum**2], [curvature, momentum]], dtype=torch.float64
        )
    else:  # b' = μ b + h w;  w' = w − lr b'
        matrix = torch.tensor([[1 - step, -lr * momentum], [curvature, momentum]], dtype=torch.float64)
    assert torch.linalg.eigvals(matrix).abs().max().item() == pytest.approx(1.0, abs=1e-6)


SLOW = {"lr": 0.01, "eps": 0.5}
FROZEN: dict[str, Make] = {  # far below ε, the average of squares is nothing and P a number
    "Adam": lambda p: torch.optim.Adam(p, **SLOW),
    "Adam, β₁ = 0.5": lambda p: torch.optim.Adam(p, betas=(0.5, 0.999), **SLOW),
    "AMSGrad": lambda p: torch.optim.Adam(p, amsgrad=True, **SLOW),
    "AdamW": lambda p: torch.optim.AdamW(p, weight_decay=10.0, **SLOW),
    "RMSprop": lambda p: torch.optim.RMSprop(p, **SLOW),
    "RMSprop, momentum": lambda p: torch.optim.RMSprop(p, momentum=0.8, **SLOW),
    "RMSprop, centered": lambda p: torch.optim.RMSprop(p, centered=True, **SLOW),
    "Adagrad": lambda p: torch.optim.Adagrad(p, **SLOW),
    "Adamax": lambda p: torch.optim.Adamax(p, **SLOW),
    "RAdam": lambda p: torch.optim.RAdam(p, **SLOW),
    "RAdam, decoupled": lambda p: torch.optim.RAdam(p, weight_decay=10.0, decoupled_weight_decay=True, **SLOW),
    "NAdam": lambda p: torch.optim.NAdam(p, momentum_decay=100.0, **SLOW),
    "NAdam, half of its momentum": lambda p: torch.optim.NAdam(p, momentum_decay=0.0, **SLOW),
    "NAdam, decoupled": lambda p: torch.optim.NAdam(
        p, momentum_decay=1.0, weight_decay=10.0, decoupled_weight_decay=True, **SLOW
    ),
}


@pytest.mark.parametrize("name", FROZEN)
def test_adaptive_methods_are_stable_up_to_the_threshold_of_their_preconditioned_curvature(name: str) -> None:
    """torch's own optimizers, with P held still by ε, on quadratics 2% below and above: two fates."""
    start = 1e-12
    step, optimizer = taken(FROZEN[name], torch.full((1,), start, dtype=torch.float64))
    forget_the_start(optimizer)
    found = stability_of(step)
    assert found.preconditioner is not None
    curvature = found.threshold * found.preconditioner["w"].item()  # of H, where that of P⁻¹H is the threshold
    assert not grows(FROZEN[name], 0.98 * curvature, start)
    assert grows(FROZEN[name], 1.02 * curvature, start)


def test_adams_threshold_is_that_of_cohen_et_al() -> None:
    """Their number: 38/η at β₁ = 0.9, and with μ = 0.9 the heavy ball's 2(1 + μ)/η is 38 at η = 0.1 as well."""
    assert threshold(lambda p: torch.optim.Adam(p, lr=0.01)).threshold == pytest.approx(3_800)
    assert threshold(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)).threshold == pytest.approx(38)


def test_clipping_raises_the_threshold_of_the_loss_but_not_what_decay_takes_from_it() -> None:
    """By hand: w⁺ = w − η(c h w + λ w) is stable while η(c h + λ) < 2, so up to h = (2/η − λ)/c."""
    model = nn.Module()
    model.w = nn.Parameter(torch.ones(4, dtype=torch.float64))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=5.0)
    seen: list[Stability] = []
    loss_fn = lambda model, _: model.w.square().sum() / 2  # noqa: E731
    recorder = Recorder(model, loss_fn, {"look": lambda s: seen.append(stability_of(s)) or {}}, optimizer=optimizer)
    with recorder.step(None):
        loss_fn(model, None).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)  # from ‖w‖ = 2: c = 1/4
        optimizer.step()
    assert seen[0].threshold == pytest.approx((2 / 0.1 - 5.0) * 4)


@pytest.mark.filterwarnings("ignore:.*is not that of loss_fn")
@pytest.mark.parametrize(
    ("norms", "expected"), [((0.5, 0.5), math.nan), ((0.5, 9.0), math.nan), ((0.5, 1.0), 80.0), ((9.0, 9.0), 20.0)]
)
def test_a_threshold_is_not_known_where_each_parameter_was_clipped_on_its_own(
    norms: tuple[float, float], expected: float
) -> None:
    """By hand: w⁺ = w − η c w has another c for each parameter, so no one curvature is where steps turn unstable.

    With limits that clip both by one factor, or neither, there is one.
    """
    model = nn.ParameterDict({"a": torch.full((4,), 1.0), "b": torch.full((4,), 2.0)})  # gradients of length 2 and 4
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    seen: list[Stability] = []
    loss_fn = lambda model, _: (model["a"].square().sum() + model["b"].square().sum()) / 2  # noqa: E731
    recorder = Recorder(model, loss_fn, {"look": lambda s: seen.append(stability_of(s)) or {}}, optimizer=optimizer)
    with recorder.step(None):
        loss_fn(model, None).backward()
        for parameter, most in zip(model.parameters(), norms, strict=True):
            torch.nn.utils.clip_grad_norm_([parameter], most)
        optimizer.step()
    assert seen[0].threshold == pytest.approx(expected, rel=1e-4, nan_ok=True)
    assert ("factor of its own" in seen[0].reason) == math.isnan(expected)


@pytest.mark.filterwarnings("ignore:.*is not that of loss_fn")
def test_noise_in_the_gradient_leaves_the_threshold() -> None:
    """Noise is no factor: gradient descent with it turns unstable at the curvature where it does without."""
    model = nn.ParameterDict({"a": torch.full((4,), 1.0), "b": torch.full((4,), 2.0)})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    seen: list[Stability] = []
    loss_fn = lambda model, _: (model["a"].square().sum() + model["b"].square().sum()) / 2  # noqa: E731
    recorder = Recorder(model, loss_fn, {"look": lambda s: seen.append(stability_of(s)) or {}}, optimizer=optimizer)
    with recorder.step(None):
        loss_fn(model, None).backward()
        model["a"].grad += torch.tensor([1.0, 0.0, 0.0, -1.0])
        optimizer.step()
    assert seen[0].threshold == pytest.approx(20.0)


ADAPTIVE: dict[str, Make] = {
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01),
    "AMSGrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
    "centered RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.01, centered=True),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.01, lr_decay=0.5),
    "Adamax": lambda p: torch.optim.Adamax(p, lr=0.01),
    "RAdam": lambda p: torch.optim.RAdam(p, lr=0.01),  # at its fourth step it does not divide by squares yet
    "RAdam, later": lambda p: torch.optim.RAdam(p, lr=0.01),
}


@pytest.mark.parametrize("name", ADAPTIVE)
def test_the_preconditioner_is_what_the_step_divided_by(name: str) -> None:
    """The step itself is the oracle: Adam moves by −η P⁻¹ m, with m its first average, read from torch's own state."""
    step, optimizer = taken(
        ADAPTIVE[name], torch.tensor([3.0, -1.0, 0.2], dtype=torch.float64), 8 if "later" in name else 4
    )
    p = stability_of(step).preconditioner
    assert p is not None
    (state,) = optimizer.state.values()
    moved = state.get("exp_avg", step.gradient["w"])
    decay = 0.01 * 0.01 * step.before["w"] if name == "AdamW" else 0.0
    torch.testing.assert_close(step.before["w"] - step.after["w"] - decay, 0.01 * moved / p["w"])


def test_the_preconditioner_of_nadam_divides_both_of_its_parts() -> None:
    """The step itself is the oracle: r g + s m over P, with the shares that torch computes from its own state."""
    step, optimizer = taken(
        lambda p: torch.optim.NAdam(p, lr=0.01), torch.tensor([3.0, -1.0, 0.2], dtype=torch.float64), warm=4
    )
    (state,) = optimizer.state.values()
    now, after = (0.9 * (1 - 0.5 * 0.96 ** (t * 4e-3)) for t in (4, 5))
    product = state["mu_product"].item()
    part = 0.01 * (1 - now) / (1 - product) * step.gradient["w"]
    part += 0.01 * after / (1 - product * after) * state["exp_avg"]
    found = stability_of(step)
    assert found.preconditioner is not None
    torch.testing.assert_close(step.before["w"] - step.after["w"], part / found.preconditioner["w"])


def test_on_a_quadratic_beta_in_adams_metric_is_at_most_the_largest_eigenvalue() -> None:
    """Closed form: for L = wᵀHw/2 it is ‖P^(−1/2)Hd‖/‖P^(1/2)d‖, computed here by plain matrices in float64."""
    torch.manual_seed(0)
    root = torch.randn(4, 4, dtype=torch.float64)
    hessian = root @ root.T
    model = nn.Module()
    model.w = nn.Parameter(torch.randn(4, dtype=torch.float64))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loss_fn = lambda model, _: model.w @ hessian @ model.w / 2  # noqa: E731
    seen: list[tuple[Step, Stability]] = []
    probes: Any = {"landscape": landscape(), "look": lambda step: seen.append((step, stability_of(step))) or {}}
    recorder = Recorder(model, loss_fn, probes, every(1), optimizer=optimizer)
    for _ in range(5):
        with recorder.step(None):
            optimizer.zero_grad()
            loss_fn(model, None).backward()
            optimizer.step()
    ratios = recorder.read("landscape")["beta_over_threshold"]
    for ratio, (step, stability) in zip(ratios, seen, strict=True):
        preconditioner = stability.preconditioner
        assert preconditioner is not None
        scale = preconditioner["w"].sqrt()
        d = hessian @ step.before["w"]
        beta = ((hessian @ d / scale).norm() / (scale * d).norm()).item()
        largest = torch.linalg.eigvalsh(hessian / scale / scale[:, None]).max().item()
        assert ratio == pytest.approx(beta / 3_800, rel=1e-5)
        assert ratio <= largest / 3_800 * (1 + 1e-9)
    assert recorder.read("landscape")["beta_lr_half"].tolist() == pytest.approx([math.nan] * 5, nan_ok=True)


class Own(Optimizer):
    """Somebody's own descent, or momentum."""

    def __init__(self, params: Any, **defaults: float) -> None:
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # noqa: ARG002
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(group["lr"] * group.get("times", 1.0) * p.grad)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda p: Own(p, lr=0.1), ""),
        (lambda p: Own(p, lr=0.1, times=2.0), "the update of Own is not −lr times the gradient"),
        (lambda p: Own(p, lr=0.1, momentum=0.9), "up to which curvature Own is stable is not known"),
        (lambda p: torch.optim.Adadelta(p, lr=0.1), "up to which curvature Adadelta is stable is not known"),
        (lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.1), "Adam divides its weight decay by the precond"),
        (lambda p: torch.optim.Adagrad(p, lr=0.1, weight_decay=0.1), "Adagrad divides its weight decay by"),
        (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=1.0), "stable at no curvature above 0"),
        (lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=20.0), "stable at no curvature above 0"),
    ],
)
def test_an_optimizer_of_unknown_kind_has_a_threshold_only_where_its_update_is_descent(make: Make, reason: str) -> None:
    """By hand: −η g is gradient descent whoever takes it; 2 η g, and what remembers earlier gradients, is not."""
    found = threshold(make)
    assert found.threshold == pytest.approx(math.nan if reason else 20.0, nan_ok=True)
    assert found.plain == (not reason)
    assert reason in found.reason
    assert bool(reason) == bool(found.reason)


def test_groups_with_rates_of_their_own_have_no_threshold() -> None:
    """There is no one rate to hold the curvature of all parameters against."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD([{"params": [model.weight], "lr": 0.1}, {"params": [model.bias], "lr": 1.0}])
    loss_fn = lambda model, x: model(x).square().mean()  # noqa: E731
    recorder = Recorder(model, loss_fn, [landscape()], every(1), optimizer=optimizer)
    with recorder.step(torch.ones(3, 2)):
        loss_fn(model, torch.ones(3, 2)).backward()
        optimizer.step()
    rows = recorder.read("landscape")
    assert math.isnan(rows["beta_lr_half"].item())
    assert math.isnan(rows["beta_over_threshold"].item())
    assert rows["beta"].item() > 0


@pytest.mark.parametrize("lr", [0.0, math.inf])
def test_a_rate_that_takes_no_finite_step_has_no_threshold(lr: float) -> None:
    """By hand: nothing moves at 0, and 2/∞ is no curvature that any loss stays under."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss_fn = lambda model, x: model(x).square().mean()  # noqa: E731
    recorder = Recorder(model, loss_fn, [landscape()], every(1), optimizer=optimizer, strict=True)
    optimizer.param_groups[0]["lr"] = lr
    with recorder.step(torch.ones(3, 2)):
        loss_fn(model, torch.ones(3, 2)).backward()
        optimizer.step()
    assert math.isnan(recorder.read("landscape")["beta_over_threshold"].item())
