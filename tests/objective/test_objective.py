import contextlib
import dataclasses
import random

import numpy as np
import pytest
import torch
from models import Everything, batch, cross_entropy, everything, quadratic
from properties import assert_same, traces
from torch import nn
from torch.nn import functional as F

from clinometer import Objective, RngState
from clinometer.objective.params import norm, scale, step, sub


def test_loss_and_gradient_are_those_of_backward_bit_for_bit() -> None:
    """The truth is torch's own .backward() on the same model, batch and random draws."""
    model = everything()
    objective = Objective(model, cross_entropy, batch())
    loss, gradient = objective.loss_and_grad(objective.here())
    theirs = cross_entropy(model, batch())  # draws what the objective has recorded
    theirs.backward()
    assert_same(loss, theirs.detach())
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            expected = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            assert_same(gradient[name], expected, name)


def test_a_gradient_has_no_graph_of_its_own() -> None:
    """As `.grad` after torch's .backward(), also where a parameter takes no part: up to 2.9, torch's own zeros did."""
    objective = Objective(everything(), cross_entropy, batch())
    _, gradient = objective.loss_and_grad(objective.here())
    assert not gradient["unused.weight"].any()
    assert [name for name, value in gradient.items() if value.requires_grad] == []


def test_the_signals_of_a_module_whose_output_is_dropped_are_zero() -> None:
    """By the chain rule; and they have no graph either."""

    class Aside(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self[1](self[0](x))
            return self[0](x)

    model = Aside(nn.Linear(2, 2), nn.Linear(2, 2))
    objective = Objective(model, lambda m, x: m(x).square().sum(), torch.ones(3, 2))
    signal = vars(objective.signals(objective.here(), ["1"])["1"])
    assert not signal["input_gradient"].any()
    assert not signal["output_gradient"].any()
    assert not any(value.requires_grad for value in signal.values())


def test_every_evaluation_sees_the_same_draws_and_the_same_buffers() -> None:
    """Equal inputs to a deterministic function give equal outputs: were anything not frozen, these would differ."""
    objective = Objective(everything(), cross_entropy, batch())
    first = objective.loss_and_grad(objective.here())
    torch.rand(3)
    assert_same(objective.loss_and_grad(objective.here()), first)
    assert_same(objective.loss(objective.here()), first[0])


def test_an_objective_remembers_the_step_it_was_made_before() -> None:
    """After buffers, frozen parameters, modes and random streams have moved on, it must still give the first loss."""
    model = everything()
    at = Objective(model, cross_entropy, batch()).here()
    objective = Objective(model, cross_entropy, batch())
    expected = cross_entropy(model, batch()).detach()
    with torch.no_grad():
        model.frozen.weight.add_(1.0)
    model.eval()
    torch.manual_seed(99)
    assert_same(objective.loss(at), expected)


def test_an_objective_is_frozen() -> None:
    """Python itself refuses each assignment, so two evaluations cannot differ by what somebody set between them."""
    objective = quadratic([1.0], [1.0])
    for name in vars(objective):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(objective, name, None)


def test_batches_are_averaged_and_weights_multiply_in_new_objectives() -> None:
    """By hand: L = w² b at w = 3, for b = 1 and 3: the mean is 18 and the sum 36; the first objective keeps its 9."""
    model = nn.Linear(1, 1, bias=False)
    objective = Objective(model, lambda m, b: (m.weight.square() * b).sum(), torch.ones(1))
    both = objective.with_batch(torch.tensor([3.0]))
    at = {"weight": torch.tensor([[3.0]])}
    assert [each.loss(at).item() for each in (objective, both, both.weighted([1.0, 1.0]))] == [9.0, 18.0, 36.0]
    assert both.weighted([1.0, 1.0]).loss_and_grad(at)[1]["weight"].item() == 24.0
    assert (objective.batches, both.batches) == (1, 2)


def test_a_seed_fixes_the_draws() -> None:
    """Two objectives with one seed are one function; the streams of the program stay as they were."""
    model, before = everything(), torch.get_rng_state()
    losses = [Objective(model, cross_entropy, batch(), seed=seed) for seed in (7, 7, 8)]
    values = [objective.loss(objective.here()).item() for objective in losses]
    assert values[0] == values[1] != values[2]
    assert torch.equal(torch.get_rng_state(), before)


def test_python_and_numpy_draws_are_frozen_too() -> None:
    """A loss that draws from the standard library or NumPy is as random as dropout."""
    objective = quadratic([1.0], [1.0])
    noisy = Objective(objective.model, lambda m, _: m() + random.random() + float(np.random.rand()), None)
    assert noisy.loss(noisy.here()).item() == noisy.loss(noisy.here()).item()


@pytest.mark.parametrize("grad_enabled", [True, False])
def test_evaluating_leaves_no_trace(grad_enabled: bool) -> None:
    """Compared bit for bit with a copy taken before: parameters, buffers, gradients, modes, hooks, random streams."""
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    cross_entropy(model, batch()).backward()
    optimizer.step()
    before = traces(model, optimizer)
    with torch.set_grad_enabled(grad_enabled):
        objective = Objective(model, cross_entropy, batch())
        here = objective.here()
        objective.loss(here)
        objective.loss_and_grad(here)
        objective.hvp(here, here)
        objective.outputs(here, ["norm", "head"])
    assert_same(traces(model, optimizer), before)


def test_gradient_agrees_with_central_differences() -> None:
    """The truth is (L(x + hv) − L(x − hv)) / 2h in float64; its error is h²·L‴/6 + ε·L/h, about 1e-10 at h = 1e-5."""
    objective = smooth_network()
    x = objective.here()
    v = direction(x)
    h = 1e-5
    numeric = (objective.loss(step(x, v, h)) - objective.loss(step(x, v, -h))) / (2 * h)
    gradient = objective.loss_and_grad(x)[1]
    exact = sum((gradient[name] * v[name]).sum() for name in x)
    torch.testing.assert_close(numeric, exact, rtol=1e-7, atol=1e-9)


def test_hvp_agrees_with_central_differences_through_train_mode_batchnorm() -> None:
    """The truth is (g(x + hv) − g(x − hv)) / 2h in float64. Forward-mode AD is wrong here by 1e-3 to 5e-2."""
    objective = smooth_network()
    x = objective.here()
    v = direction(x)
    h = 1e-5
    ahead, behind = (objective.loss_and_grad(step(x, v, a))[1] for a in (h, -h))
    numeric = scale(sub(ahead, behind), 1 / (2 * h))
    exact = objective.hvp(x, v)
    assert float(norm(sub(numeric, exact)) / norm(exact)) < 1e-7


def test_hvp_of_a_quadratic() -> None:
    """The Hessian of ½ wᵀHw is H."""
    objective = quadratic([1.0, 4.0], [1.0, 1.0])
    assert objective.hvp(objective.here(), {"w": torch.tensor([1.0, 2.0]).double()})["w"].tolist() == [1.0, 8.0]


def test_hvp_of_a_linear_loss_is_zero() -> None:
    """A linear function has no curvature; its gradient has no graph to differentiate."""
    model = nn.Linear(2, 1)
    objective = Objective(model, lambda m, x: m(x).sum(), torch.ones(1, 2))
    assert float(norm(objective.hvp(objective.here(), objective.here()))) == 0.0


def test_wrt_gives_the_same_gradient_for_fewer_parameters() -> None:
    """A partial derivative does not depend on which others are asked for, but for rounding."""
    objective = Objective(everything().double(), cross_entropy, (batch()[0].double(), batch()[1]))
    whole = objective.loss_and_grad(objective.here())[1]
    part = objective.loss_and_grad(objective.here(), wrt={"second.weight"})[1]
    assert list(part) == ["second.weight"]
    torch.testing.assert_close(part["second.weight"], whole["second.weight"])


def test_points_hold_each_trainable_parameter_once() -> None:
    """Tied weights are one parameter; frozen and integer ones are none."""
    names = Objective(everything(), cross_entropy, batch()).names
    assert "second.weight" in names
    assert not {"tied.weight", "frozen.weight", "table"} & set(names)


def test_moving_a_tied_weight_moves_both_uses() -> None:
    """In L(w) = (w · w) x both factors are one weight: L(2w) = 4 L(w)."""
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    model[1].weight = model[0].weight
    objective = Objective(model, lambda m, x: m(x).sum(), torch.ones(1, 1))
    here = objective.here()
    torch.testing.assert_close(objective.loss(scale(here, 2.0)), 4 * objective.loss(here))


def test_outputs_are_what_the_module_returned_before_anything_changed_it() -> None:
    """The ReLU behind works in place: without a copy the hook would see values that are never negative."""
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True))
    x = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
    objective = Objective(model, lambda m, batch: m(batch).sum(), x)
    torch.testing.assert_close(objective.outputs(objective.here(), ["0"])["0"], model[0](x).detach())


def test_a_loss_that_uses_gradients_itself_works() -> None:
    """A gradient penalty differentiates inside loss_fn, which a no_grad evaluation would forbid."""
    model = nn.Linear(3, 1)

    def penalty(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        x = x.clone().requires_grad_()
        return torch.autograd.grad(m(x).sum(), x, create_graph=True)[0].square().sum()

    objective = Objective(model, penalty, torch.ones(2, 3))
    torch.testing.assert_close(objective.loss(objective.here()), 2 * model.weight.detach().square().sum())


def test_recurrent_and_attention_networks_are_measured_as_they_are() -> None:
    """The truth is .backward() again; no list of supported layers decides what can be measured."""
    lstm, attention = nn.LSTM(4, 5, batch_first=True), nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    for model, read in ((lstm, lambda m, b: m(b)[0].sum()), (attention, lambda m, b: m(b).square().sum())):
        objective = Objective(model, read, x)
        gradient = objective.loss_and_grad(objective.here())[1]
        read(model, x).backward()
        for name, parameter in model.named_parameters():
            assert_same(gradient[name], parameter.grad, name)


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")  # what the oracle warns of is its own affair
def test_gradient_and_hvp_agree_with_curvlinops_in_eval_mode() -> None:
    """curvlinops is written by others; it refuses train-mode BatchNorm, so the network is in evaluation mode."""
    curvlinops = pytest.importorskip("curvlinops", reason="the oracle is not installed")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.Tanh(), nn.Linear(7, 3)).double().eval()
    x, y = torch.randn(20, 5).double(), torch.randint(3, (20,))
    objective = Objective(model, lambda m, b: F.cross_entropy(m(b[0]), b[1]), (x, y))
    here = objective.here()
    v = direction(here)
    operator = curvlinops.HessianLinearOperator(model, nn.CrossEntropyLoss(), list(model.parameters()), [(x, y)])
    theirs = operator @ [v[name] for name in here]
    ours = objective.hvp(here, v)
    for name, value in zip(here, theirs, strict=True):
        torch.testing.assert_close(ours[name], value, rtol=1e-9, atol=1e-12)


def test_a_sparse_gradient_is_taken_as_the_dense_one() -> None:
    """The truth is the same embedding without `sparse=True`."""
    gradients = []
    for sparse in (True, False):
        torch.manual_seed(0)
        model = nn.Embedding(5, 2, sparse=sparse)
        objective = Objective(model, lambda m, b: m(b).square().sum(), torch.tensor([1, 3, 3]))
        gradients.append(objective.loss_and_grad(objective.here())[1])
    assert_same(gradients[0], gradients[1])


def test_a_model_without_trainable_parameters_is_refused() -> None:
    """There is no landscape over no parameters."""
    with pytest.raises(ValueError, match="no trainable parameter"):
        Objective(nn.Linear(2, 2).requires_grad_(False), cross_entropy, batch())


def test_a_point_with_a_missing_parameter_is_refused() -> None:
    """functional_call would silently use the live value."""
    objective = quadratic([1.0], [1.0])
    with pytest.raises(ValueError, match="difference at 'w'"):
        objective.loss({})


def test_an_unknown_module_is_named_with_those_that_exist() -> None:
    """The hook would otherwise never fire."""
    objective = Objective(everything(), cross_entropy, batch())
    with pytest.raises(ValueError, match=r"no module 'frist'; it has 'first'"):
        objective.outputs(objective.here(), ["frist"])
    with pytest.raises(ValueError, match="'unused' returned no tensor"):
        objective.outputs(objective.here(), ["unused"])


def test_an_error_inside_the_loss_leaves_no_trace() -> None:
    """The model is used where it lies: an exception must still put everything back."""
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = traces(model, optimizer)

    def broken(m: Everything, b: object) -> torch.Tensor:
        cross_entropy(m, b)  # type: ignore[arg-type]
        raise RuntimeError("broken on purpose")

    objective = Objective(model, broken, batch())
    with pytest.raises(RuntimeError, match="on purpose"):
        objective.loss_and_grad(objective.here())
    assert_same(traces(model, optimizer), before)


def test_rng_state_restores_after_an_error() -> None:
    """A `finally` that is forgotten shows only when the block raises."""
    before = torch.get_rng_state()
    with contextlib.suppress(KeyError), RngState.seeded(3).replayed():
        torch.rand(1)
        raise KeyError
    assert torch.equal(torch.get_rng_state(), before)


def smooth_network() -> Objective:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.Tanh(), nn.Dropout(0.3), nn.Linear(7, 3)).double()
    data = torch.randn(20, 5).double(), torch.randint(3, (20,))
    return Objective(model, cross_entropy, data)


def direction(x: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn(value.shape, generator=generator, dtype=value.dtype) for name, value in x.items()}
