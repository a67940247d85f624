"""What moves the weights between the optimizer and the next step belongs to the step that was taken."""

import contextlib
import itertools
import json
from collections.abc import Callable

import pytest
import torch
from loops import FORMS, begun
from models import batch, cross_entropy
from properties import assert_same
from torch import Tensor, nn

from clinometer import Recorder, every, headroom, landscape

STEPS = 6
Weights = dict[str, Tensor]


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))


def weights_of(model: nn.Module) -> Weights:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def clip(model: nn.Module, _index: int) -> None:
    for p in model.parameters():
        p.data.clamp_(-0.2, 0.2)  # as WGAN clips its critic: no version counter shows it


def project(model: nn.Module, _index: int) -> None:
    with torch.no_grad():
        for p in model.parameters():
            p.div_(max(1.0, float(p.norm())))


class Lookahead:
    """Slow weights, every third step: Zhang et al. (2019)."""

    def __init__(self, model: nn.Module) -> None:
        self.slow = weights_of(model)

    def __call__(self, model: nn.Module, index: int) -> None:
        if index % 3 == 2:
            for name, p in model.named_parameters():
                self.slow[name].add_(p.detach() - self.slow[name], alpha=0.5)
                p.data.copy_(self.slow[name])


def stay(_model: nn.Module, _index: int) -> None:
    pass


MOVES: dict[str, Callable[[nn.Module], Callable[[nn.Module, int], None]]] = {
    "clipped": lambda _: clip,
    "projected": lambda _: project,
    "lookahead": Lookahead,
    "nothing": lambda _: stay,
}


def train(move: str, form: str, begun_at: list[Weights], steps: int = STEPS, **options: object) -> Recorder:
    """A loop that moves its weights after each step, and notes where each step begins, the one after the last too."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    moved = MOVES[move](model)
    probes = {"landscape": landscape([1.0], direction="update"), "headroom": headroom()}
    recorder = Recorder(model, cross_entropy, probes, every(1), optimizer=optimizer, **options)
    for index in range(steps):
        begun_at.append(weights_of(model))
        with begun(recorder, batch(index), form):
            optimizer.zero_grad()
            cross_entropy(model, batch(index)).backward()
            optimizer.step()
        moved(model, index)
    begun_at.append(weights_of(model))
    return recorder


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("move", MOVES)
def test_the_update_reaches_to_where_the_next_step_begins(move: str, form: str) -> None:
    """The loop's own notes: each step's row is as long as the way from its beginning to that of the next one."""
    places: list[Weights] = []
    recorder = train(move, form, places)
    state = recorder.state_dict()  # as a checkpoint would be taken here: the last step is over, with all that moved
    json.dumps(state)
    walked = torch.from_numpy(recorder.read("landscape")["distances"])[:, 0]
    went = [
        torch.cat([(after[name] - before[name]).flatten() for name in before]).norm()
        for before, after in itertools.pairwise(places)
    ]
    torch.testing.assert_close(walked.float(), torch.stack(went), rtol=1e-5, atol=0.0)
    assert recorder.read("headroom")["step"].tolist() == list(range(STEPS))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("move", MOVES)
def test_measured_twice_it_is_the_same_run(move: str, form: str) -> None:
    """The truth is the loop unmeasured: the second measurement of a step leaves as little behind as the first."""
    places: list[Weights] = []
    train(move, form, places)
    plain: list[Weights] = []
    model = net()
    optimizer, moved = torch.optim.SGD(model.parameters(), lr=0.5), MOVES[move](model)
    for index in range(STEPS):
        plain.append(weights_of(model))
        optimizer.zero_grad()
        cross_entropy(model, batch(index)).backward()
        optimizer.step()
        moved(model, index)
    plain.append(weights_of(model))
    assert_same(places, plain)


@pytest.mark.parametrize("form", FORMS)
def test_weights_swapped_for_an_evaluation_do_not_belong_to_the_step(form: str) -> None:
    """The rows are those of the same loop without the evaluation, number for number, also those read in the middle."""

    def rows(evaluate: bool) -> Weights:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        recorder = Recorder(model, cross_entropy, [landscape(direction="update")], every(1), optimizer=optimizer)
        average = torch.optim.swa_utils.AveragedModel(model)
        for index in range(STEPS):
            with begun(recorder, batch(index), form):
                optimizer.zero_grad()
                cross_entropy(model, batch(index)).backward()
                optimizer.step()
            average.update_parameters(model)
            if evaluate:
                own = weights_of(model)
                model.load_state_dict(average.module.state_dict())
                recorder.read("landscape_update")
                model.load_state_dict(own)
        return {name: torch.from_numpy(field) for name, field in recorder.read("landscape_update").items()}

    assert_same(rows(evaluate=True), rows(evaluate=False))


def test_a_tracker_that_has_the_row_already_is_named_once() -> None:
    """It cannot take a row back: the first one that moved late is said to lack that, and later ones come in full."""
    sent: list[int] = []
    with pytest.warns(UserWarning, match="trackers have that of step 0 without it") as said:
        train("clipped", "line", [], sinks=[lambda step, _rows: sent.append(step)])
    assert len(said) == 1
    assert sent == list(range(STEPS - 1)), "the last one waits for the next step to begin, or to be read"


def test_the_rows_of_others_at_that_step_stay() -> None:
    """A loop keeps its own loss in the recorder's store; measuring again replaces the probes' rows alone."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    recorder = Recorder(model, cross_entropy, [headroom()], every(1), optimizer=optimizer)
    for index in range(3):
        with recorder.step(batch(index)):
            optimizer.zero_grad()
            cross_entropy(model, batch(index)).backward()
            optimizer.step()
        recorder.store.append(index, {"train": {"loss": float(index)}})
        clip(model, index)
    with contextlib.suppress(ValueError):
        recorder.state_dict()
    assert recorder.store.read("train")["loss"].tolist() == [0.0, 1.0, 2.0]
    assert recorder.read("headroom")["step"].tolist() == [0, 1, 2]
