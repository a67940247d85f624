"""Which layers are run again on what came of them."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from clinometer.objective.reuse import watch_reuse


class Looped(nn.Module):
    """A recurrence of two layers, in which either runs on what the other made of it."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.cell, self.back = nn.Linear(2, 3), nn.LSTMCell(3, 3), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        state = None
        for _ in range(3):
            state = self.cell(self.into(x), state)
            x = x + self.back(state[0])
        return x


class Tied(nn.Module):
    """A head that has the weight of the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.middle, self.head = nn.Embedding(5, 3), nn.Linear(3, 3), nn.Linear(3, 5, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.middle(self.embedding(x)))


def seen(model: nn.Module, weight: str, *inputs: Tensor) -> bool:
    with watch_reuse(model, weight) as reuse:
        for each in inputs:
            model(each)
    return reuse.found


@pytest.mark.parametrize("weight", ["into.weight", "cell.weight_ih", "back.weight"])
def test_every_layer_of_a_loop_is_run_on_what_came_of_it(weight: str) -> None:
    """By construction: each pass of the loop reads what the last one wrote, through all three layers."""
    assert seen(Looped(), weight, torch.ones(4, 2))


@pytest.mark.parametrize("weight", ["embedding.weight", "middle.weight"])
def test_two_layers_that_share_a_weight_are_no_recurrence(weight: str) -> None:
    """Each module is run once, so that the order of the modules is that of the definition."""
    assert not seen(Tied(), weight, torch.tensor([0, 1]))


def test_a_network_that_runs_twice_on_separate_inputs_is_not_recurrent() -> None:
    """As where two images are compared: both passes see the same layers before a layer, so the definition holds."""
    assert not seen(nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)), "2.weight", *torch.ones(2, 1, 2))


def test_a_recurrence_within_one_call_is_its_modules_own() -> None:
    """`nn.LSTM` runs its weights once a time step inside one call: as a whole it is one layer, which runs once."""
    assert not seen(nn.LSTM(2, 3), "weight_hh_l0", torch.ones(4, 1, 2))


def test_a_parametrized_weight_is_that_of_its_layer() -> None:
    """With weight norm the tensors that are trained are kept in a module that no forward pass calls."""
    layer = parametrizations.weight_norm(nn.Linear(2, 2))
    looped = nn.Sequential(layer, nn.Tanh(), layer)
    assert seen(looped, "0.parametrizations.weight.original1", torch.ones(1, 2))
    assert not seen(nn.Sequential(layer), "0.parametrizations.weight.original1", torch.ones(1, 2))


def test_no_hook_stays() -> None:
    """The model must be left as it was found, also where a pass raises."""
    model = Looped()
    with pytest.raises(RuntimeError), watch_reuse(model, "into.weight"):
        model(torch.ones(4, 7))
    assert not model.into._forward_pre_hooks


def test_a_weight_that_is_not_the_models_is_not_watched() -> None:
    """A criterion's parameter is reached by the loss function: there is no module of the model to look at."""
    assert not seen(nn.Linear(2, 2), "criterion.weight", torch.ones(1, 2))
