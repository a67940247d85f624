import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import batch, cross_entropy, everything
from torch import nn

from clinometer import Objective, covariate_shift, layers_of
from clinometer.objective.params import Point, step


def two_layers(seed: int) -> tuple[Objective, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x, y = (torch.randn(8, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Linear(4, 3, bias=False)).double()
    return Objective(model, lambda m, b: (m(b[0]) - b[1]).square().sum() / 2, (x, y)), x, y


@given(st.integers(0, 1000), st.floats(-0.5, 0.5))
@settings(max_examples=30)
def test_a_linear_network_of_two_layers_by_hand(seed: int, size: float) -> None:
    """Closed form: for ½‖X W1ᵀW2ᵀ − Y‖² the gradient of W2 is Rᵀ(X W1ᵀ), with R the residual."""
    objective, x, y = two_layers(seed)
    before = objective.here()
    after = step(before, objective.loss_and_grad(before)[1], -size)

    def gradient_of_second(first: torch.Tensor) -> torch.Tensor:
        hidden = x @ first.T
        return (hidden @ before["1.weight"].T - y).T @ hidden

    expected = (gradient_of_second(before["0.weight"]) - gradient_of_second(after["0.weight"])).norm()
    shift = covariate_shift(objective, before, after, layers_of(objective.model))
    assert shift.layers == ("0", "1")
    torch.testing.assert_close(shift.l2, torch.stack([torch.zeros_like(expected), expected]), rtol=1e-9, atol=1e-10)


def test_layers_before_take_their_whole_update_and_the_others_none() -> None:
    """By the definition, written out: a gradient at a point assembled by hand, for a net with biases and BatchNorm."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 4))
    objective = Objective(model.double(), cross_entropy, (batch()[0].double(), batch()[1]))
    before = objective.here()
    after = {name: value + 0.1 for name, value in before.items()}
    shift = covariate_shift(objective, before, after, layers_of(model))
    mixed = {name: (after if name[0] in "01" else before)[name] for name in before}
    mixed_late = {name: (after if name[0] in "013" else before)[name] for name in before}
    for layer, at in (("3", mixed), ("5", mixed_late)):
        ours = gradient(objective, before, f"{layer}.weight")
        moved = gradient(objective, at, f"{layer}.weight")
        index = shift.layers.index(layer)
        torch.testing.assert_close(shift.l2[index], (ours - moved).norm())
        torch.testing.assert_close(shift.cosine[index], torch.cosine_similarity(ours, moved, dim=0))
    assert (shift.l2[0].item(), shift.cosine[0].item()) == (0.0, pytest.approx(1.0))


def test_a_step_that_moves_nothing_shifts_nothing() -> None:
    """G and G′ are then one gradient, with dropout and noise drawn alike; float64 leaves rounding of 1e-12."""
    objective = Objective(everything().double(), cross_entropy, (batch()[0].double(), batch()[1]))
    here = objective.here()
    shift = covariate_shift(objective, here, here, layers_of(objective.model), only=["second", "head"])
    torch.testing.assert_close(shift.l2, torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-12)


def test_only_chooses_without_changing_the_numbers() -> None:
    """A layer's shift does not depend on which others are looked at."""
    objective, _, _ = two_layers(0)
    before = objective.here()
    after = {name: value * 1.1 for name, value in before.items()}
    whole = covariate_shift(objective, before, after, layers_of(objective.model))
    part = covariate_shift(objective, before, after, layers_of(objective.model), only=["1"])
    assert part.layers == ("1",)
    assert part.l2[0] == whole.l2[1]


def test_layers_take_along_the_affine_that_follows() -> None:
    """The expected mapping is written out by hand; ties belong to the first, frozen and unused ones stay out or in."""
    layers = layers_of(everything())
    assert layers == {
        "first": ("first.weight", "first.bias", "norm.weight", "norm.bias"),
        "second": ("second.weight", "second.bias", "tied.bias"),
        "unused": ("unused.weight", "unused.bias"),
        "head": ("head.weight", "head.bias"),
    }


def test_parameters_before_the_first_weight_go_with_it_and_bare_ones_are_named() -> None:
    """A leading norm has no layer before it; a parameter of the model itself has no module's name."""

    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.position = nn.Parameter(torch.zeros(3, 4))
            self.norm = nn.LayerNorm(4)
            self.fc = nn.Linear(4, 2)

    assert layers_of(Bare()) == {"position": ("position", "norm.weight", "norm.bias"), "fc": ("fc.weight", "fc.bias")}
    leading = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2))
    assert layers_of(leading) == {"1": ("1.weight", "0.weight", "0.bias", "1.bias")}


@pytest.mark.parametrize(
    ("layers", "only", "words"),
    [
        ({"a": ("nope",)}, None, "names 'nope', which is not a trainable parameter"),
        ({"a": ()}, None, "names no parameter"),
        (None, ["7"], "no layer '7'; there are 0, 1"),
        (None, [], "no layer chosen"),
    ],
)
def test_layers_that_do_not_exist_are_refused(layers: object, only: object, words: str) -> None:
    """A typing error would otherwise give a shift of nothing."""
    objective, _, _ = two_layers(0)
    here = objective.here()
    with pytest.raises(ValueError, match=words):
        covariate_shift(objective, here, here, layers or layers_of(objective.model), only=only)  # type: ignore[arg-type]


def test_a_model_without_a_matrix_has_no_layers() -> None:
    """A lone scale has no weight gradient to compare."""
    with pytest.raises(ValueError, match="no layer to measure"):
        layers_of(nn.LayerNorm(3))


def gradient(objective: Objective, at: Point, name: str) -> torch.Tensor:
    return objective.loss_and_grad(at)[1][name].flatten()


class Loop(nn.Module):
    """Two layers in a loop, and one after it."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.last = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(3):
            x = self.two(self.one(x).tanh())
        return self.last(x)


def test_layers_of_a_loop_are_refused_and_the_one_after_it_is_not() -> None:
    """Definition 2.1 says "the layers before i": in a loop each stands before and after the other.

    For the layer after the loop it holds; its gradient is written out here at a point assembled by hand.
    """
    torch.manual_seed(0)
    model = Loop().double()
    objective = Objective(model, lambda m, x: m(x).square().sum(), torch.ones(4, 3, dtype=torch.float64))
    before = objective.here()
    after = {name: value + 0.1 for name, value in before.items()}
    with pytest.raises(ValueError, match="'two' is run again, in one pass, on what came of its own"):
        covariate_shift(objective, before, after, layers_of(model))
    shift = covariate_shift(objective, before, after, layers_of(model), only=["last"])
    mixed = after | {name: before[name] for name in before if name.startswith("last")}
    gap = gradient(objective, before, "last.weight") - gradient(objective, mixed, "last.weight")
    torch.testing.assert_close(shift.l2, gap.norm().view(1))
