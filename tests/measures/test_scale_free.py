"""Smoothness in units of the weights' norms: unchanged by what leaves the function unchanged, where raw β changes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import quadratic
from torch import Tensor, nn

from clinometer import Objective, Recorder, effective_smoothness, every, scale_free, walk
from clinometer.measures.filter_norm import filter_norms, normalised
from clinometer.measures.scale_free import relative_norm, relative_walk

ROUNDING = 1e-9  # of some thousand operations in float64, on numbers that rescaling makes a hundred times as large
SIZES = [0.01, 0.3]


def batchnorm_network(eps: float = 1e-30) -> nn.Sequential:
    """A convolution and a linear layer before BatchNorm, and a head that is not."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3),
        nn.BatchNorm2d(3, eps=eps),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(48, 5),
        nn.BatchNorm1d(5, eps=eps),
        nn.Tanh(),
        nn.Linear(5, 2),
    ).double()


def relu_network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Flatten(), nn.Linear(36, 7), nn.ReLU(), nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 2)]
    return nn.Sequential(*layers).double()


def data() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(20, 1, 6, 6, generator=generator, dtype=torch.float64), torch.arange(20) % 2


def cross_entropy(model: nn.Module, batch: Any) -> Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


def batchnorm_scales(model: Any, c: Callable[[int], Tensor], eps: bool = False) -> None:
    """Each filter before BatchNorm by its own factor; or, with `eps`, each layer by one and its ε by the square."""
    for layer, norm in ((0, 1), (4, 5)):
        factors = c(1 if eps else len(model[layer].weight))
        with torch.no_grad():
            model[layer].weight.mul_(factors.reshape(-1, *(1,) * (model[layer].weight.ndim - 1)))
            model[layer].bias.mul_(factors)
        if eps:
            model[norm].eps *= float(factors) ** 2


def relu_scales(model: Any, c: Callable[[int], Tensor]) -> None:
    """Each layer before a ReLU by a factor, and the next one by its inverse."""
    for layer, after in ((1, 3), (3, 5)):
        factor = c(1)
        with torch.no_grad():
            model[layer].weight.mul_(factor)
            model[layer].bias.mul_(factor)
            model[after].weight.div_(factor)


def lines(model: nn.Module, by: Any = "filter", move_1d: bool = False) -> dict[str, Any]:
    """What is scale-free, and raw β, along the filter-normalised gradient."""
    objective = Objective(model, cross_entropy, data())
    here = objective.here()
    start = objective.loss_and_grad(here)
    along = normalised({name: -value for name, value in start[1].items()}, here, by, move_1d=move_1d)
    norms = filter_norms(here, by, move_1d=move_1d)
    line = relative_walk(objective, here, along, SIZES, norms=norms, start=start)
    fields = {n: v.numpy() for n, v in vars(line).items() if v is not None}
    return fields | {
        "beta": effective_smoothness(line),
        "raw": effective_smoothness(walk(objective, here, along, SIZES)),
    }


def assert_scale_free(first: dict[str, Any], second: dict[str, Any]) -> None:
    """All but raw β equal to rounding; and raw β not, by a thousand roundings at the least."""
    for name in first.keys() - {"raw"}:
        np.testing.assert_allclose(second[name], first[name], rtol=ROUNDING, atol=1e-12, err_msg=name)
    assert abs(second["raw"] / first["raw"] - 1) > 1000 * ROUNDING


def drawn(seed: int) -> Callable[[int], Tensor]:
    """Factors between 0.1 and 10; the first of all is at least 2 away from 1, either way."""
    generator = torch.Generator().manual_seed(seed)

    def factors(count: int) -> Tensor:
        logs = torch.rand(count, generator=generator, dtype=torch.float64) * 2 - 1
        logs[0] = logs[0].sign() * (0.3 + 0.7 * logs[0].abs())
        return 10**logs

    return factors


@given(seed=st.integers(0, 10**6), by=st.sampled_from(["filter", "layer"]), move_1d=st.booleans())
@settings(max_examples=15, deadline=None)
def test_filters_before_batchnorm_may_be_rescaled(seed: int, by: Any, move_1d: bool) -> None:
    """L(cW) = L(W) where ε is lost beside σ². Norms by filter take a c for each filter, those by layer one a layer."""
    model, other = batchnorm_network(), batchnorm_network()
    c = drawn(seed)
    batchnorm_scales(other, c if by == "filter" else lambda count: c(1).expand(count))
    assert_scale_free(lines(model, by, move_1d), lines(other, by, move_1d))


@given(seed=st.integers(0, 10**6), by=st.sampled_from(["filter", "layer"]), move_1d=st.booleans())
@settings(max_examples=15, deadline=None)
def test_relu_layers_may_be_rescaled_in_pairs(seed: int, by: Any, move_1d: bool) -> None:
    """ReLU(c x) = c ReLU(x): W₁ by c and W₂ by 1/c leave the function as it was, whatever c."""
    model, other = relu_network(), relu_network()
    relu_scales(other, drawn(seed))
    assert_scale_free(lines(model, by, move_1d), lines(other, by, move_1d))


def test_raw_smoothness_follows_the_scale() -> None:
    """Layers before BatchNorm a tenth as long have β many times as large, and the same scale-free one."""
    model, other = batchnorm_network(), batchnorm_network()
    batchnorm_scales(other, lambda count: torch.full((count,), 0.1, dtype=torch.float64))
    first, second = lines(model), lines(other)
    assert_scale_free(first, second)
    assert second["raw"] > 3 * first["raw"]


def test_with_an_epsilon_it_is_exact_if_that_is_rescaled_too() -> None:
    """σ² + ε has the scale of σ² alone if ε has c²."""
    model, other = batchnorm_network(1e-2), batchnorm_network(1e-2)
    batchnorm_scales(other, drawn(3), eps=True)
    assert_scale_free(lines(model), lines(other))


def test_the_trap_of_a_variance_near_epsilon() -> None:
    """Where σ² is no larger than ε, the function does depend on the scale, and nothing here is free of it."""
    model, other = batchnorm_network(1e-5), batchnorm_network(1e-5)
    with torch.no_grad():
        other[0].weight.mul_(1e-3)  # type: ignore[operator]
        other[0].bias.mul_(1e-3)  # type: ignore[operator]
    first, second = lines(model), lines(other)
    assert abs(second["beta"] / first["beta"] - 1) > 0.03
    assert abs(second["loss"] - first["loss"]) > 1e-3


def test_the_update_counts_alike_if_it_is_rescaled_with_the_weights() -> None:
    """The same step of the same function: w and d times c. Gradient descent itself goes by 1/c instead."""
    model, other = batchnorm_network(), batchnorm_network()
    batchnorm_scales(other, drawn(5))
    first, second = (Objective(each, cross_entropy, data()) for each in (model, other))
    generator = torch.Generator().manual_seed(7)
    step = {n: 0.05 * torch.randn(w.shape, generator=generator).double() for n, w in first.here().items()}
    factors = {n: torch.where(w == 0, 1.0, second.here()[n] / w) for n, w in first.here().items()}
    same = {n: factors[n] * d for n, d in step.items()}
    expected, found = relative_walk(first, first.here(), step, [1.0]), relative_walk(second, second.here(), same, [1.0])
    for name in ("distances", "losses", "grad_gaps", "cosines", "grad_norm"):
        torch.testing.assert_close(vars(found)[name], vars(expected)[name], rtol=ROUNDING, atol=0)
    plain = relative_walk(second, second.here(), step, [1.0])
    assert abs(float(plain.distances / expected.distances) - 1) > 0.1, "or the step need not be rescaled"


def test_relative_beta_on_a_quadratic_is_an_eigenvalue_of_the_scaled_hessian() -> None:
    """Closed form: with n = ‖w‖ and H = diag(1, 4, 9) it is n²·9 along the last axis, and at most that along any."""
    start = torch.tensor([[1.0, 2.0, 2.0]], dtype=torch.float64)  # of norm 3
    model = nn.Linear(3, 1, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(start)
    eigenvalues = torch.tensor([1.0, 4.0, 9.0], dtype=torch.float64)
    objective = Objective(model, lambda m, _: (eigenvalues * m.weight.square()).sum() / 2, None)
    last = {"weight": torch.tensor([[0.0, 0.0, 0.5]], dtype=torch.float64)}
    assert effective_smoothness(relative_walk(objective, objective.here(), last, [1.0])) == pytest.approx(81, rel=1e-12)
    other = {"weight": torch.tensor([[1.0, -1.0, 0.5]], dtype=torch.float64)}
    assert effective_smoothness(relative_walk(objective, objective.here(), other, [1.0])) < 81


def test_zero_filters_and_vectors_count_in_no_length() -> None:
    """By the definition: lengths are multiples of a norm, and zero has none."""
    norms = filter_norms({"w": torch.tensor([[3.0, 4.0], [0.0, 0.0]]), "b": torch.ones(2)})
    d = {"w": torch.tensor([[0.0, 10.0], [7.0, 0.0]]), "b": torch.ones(2)}
    assert float(relative_norm(d, norms)) == 2
    objective = quadratic([1.0, 2.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="no parameter has a norm"):
        relative_walk(objective, objective.here(), objective.here(), [1.0])


def weights_of(model: Any) -> list[Any]:
    return [model[index].weight for index in (0, 4, 7)]


def recorded(model: nn.Module, lr: float = 0.1, **options: Any) -> dict[str, Any]:
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    recorder = Recorder(model, cross_entropy, [scale_free(**options)], every(1), optimizer=optimizer)
    for _ in range(2):
        with recorder.step(data()):
            cross_entropy(model, data()).backward()
            optimizer.step()
            optimizer.zero_grad()
    return dict(recorder.read(next(iter(recorder.probes))))


def test_layers_before_batchnorm_have_no_radial_gradient() -> None:
    """L(cW) = L(W) differentiated at c = 1: ⟨g, W⟩ = 0. The head's loss does depend on its scale."""
    rows = recorded(batchnorm_network())
    assert rows["layer"][0].tolist() == ["0.weight", "4.weight", "7.weight"]
    assert np.abs(rows["radial"][:, :2]).max() < 1e-12
    assert np.abs(rows["radial"][:, 2]).min() > 0.01


def test_the_layers_numbers_are_what_they_say() -> None:
    """By hand from autograd and the optimizer, at the first step."""
    model = batchnorm_network()
    weights = {n: p.detach().clone() for n, p in model.named_parameters() if p.ndim >= 2}
    grads = dict(zip(weights, torch.autograd.grad(cross_entropy(model, data()), weights_of(model)), strict=True))
    rows = recorded(model)
    for index, (name, w) in enumerate(weights.items()):
        g = grads[name]
        assert rows["grad_weight"][0, index] == pytest.approx(float(g.norm() * w.norm()))
        assert rows["effective_lr"][0, index] == pytest.approx(0.1 / float(w.square().sum()))
        assert rows["update_ratio"][0, index] == pytest.approx(0.1 * float(g.norm() / w.norm()))


@pytest.mark.parametrize("direction", ["gradient", "random", "update"])
def test_each_direction_goes_as_far_as_it_says(direction: Any) -> None:
    """Shares of each filter's norm: the distance over F filters is the share times √F; the update goes its own way."""
    rows = recorded(batchnorm_network(), direction=direction)
    if direction == "update":
        # √F times the root mean square of the filters' own ratios, the first step being −0.1 g.
        model = batchnorm_network()
        cross_entropy(model, data()).backward()
        ratios = [0.1 * w.grad.flatten(1).norm(dim=1) / w.detach().flatten(1).norm(dim=1) for w in weights_of(model)]
        expected = [float(torch.cat(ratios).norm())]
    else:
        expected = [0.01 * np.sqrt(3 + 5 + 2), 0.1 * np.sqrt(3 + 5 + 2)]
    np.testing.assert_allclose(rows["distances"][0], expected, rtol=1e-9)


def test_a_model_of_vectors_alone_is_measured_by_their_norms() -> None:
    """A default must work on any model. L = ½ Σ λ w², at w of norm √2: relative β is 2 · ‖H g‖ / ‖g‖."""
    w = torch.tensor([1.0, 1.0], dtype=torch.float64, requires_grad=True)
    eigenvalues = torch.tensor([1.0, 2.0], dtype=torch.float64)
    optimizer = torch.optim.SGD([w], lr=0.1)
    recorder = Recorder(
        params=lambda: {"w": w},
        loss_fn=lambda p, _: (eigenvalues * p["w"].square()).sum() / 2,
        probes=[scale_free()],
        when=every(1),
        optimizer=optimizer,
    )
    with recorder.step(None):
        ((eigenvalues * w.square()).sum() / 2).backward()
        optimizer.step()
    assert recorder.read("scale_free")["beta"][0] == pytest.approx(2 * np.sqrt(17) / np.sqrt(5), rel=1e-9)


def test_where_nothing_moves_there_is_no_number() -> None:
    """A warm-up may start at learning rate 0."""
    rows = recorded(batchnorm_network(), lr=0.0, direction="update")
    for name in ("beta", "gap", "cosine"):
        assert np.isnan(rows[name]).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sizes": [0.0]}, "must contain a nonzero step"),
        ({"by": "weight"}, "norms by filter or layer"),
        ({"direction": "up"}, "expected a direction of"),
    ],
)
def test_bad_arguments_are_refused(options: Any, said: str) -> None:
    """When the probe is made."""
    with pytest.raises(ValueError, match=said):
        scale_free(**options)


def test_a_direction_that_does_not_fit_is_refused_before_any_pass() -> None:
    """In words: points are computed as they are read, and would fail within the pass, or move nothing."""
    model = nn.Linear(2, 1)
    objective = Objective(model, lambda m, x: m(x).sum(), torch.ones(1, 2))
    with pytest.raises(ValueError, match="'other', which is not a parameter of the origin"):
        relative_walk(objective, objective.here(), {"other": torch.ones(1)}, [1.0])
