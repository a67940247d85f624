"""What people get wrong with their first recorder is refused where it is made, with words that say what to do."""

import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from models import batch, cross_entropy, everything
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from clinometer import Recorder, at, every, landscape, within_budget


def recorder(**changed: Any) -> Recorder:
    model = everything()
    options = {"model": model, "loss_fn": cross_entropy, "probes": [landscape()], "when": every(1)}
    options["optimizer"] = torch.optim.SGD(model.parameters(), lr=0.1)
    return Recorder(**(options | changed))


def three(model: Any, x: Any, y: Any) -> Any: ...


def swapped(batch: Any, model: Any) -> Any: ...


def swapped_by_type(b: Tensor, m: nn.Module) -> Any: ...


def criterion_of_ones_own(logits: Any, target: Any) -> Any: ...


class Penalised(nn.Module):
    """A criterion that somebody wrote."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor: ...  # noqa: A002


MISTAKES = {
    "probe without parentheses": (
        {"probes": [landscape]},
        r"made by a call: probes=\[landscape\(\)\]; found landscape",
    ),
    "the same in a mapping": ({"probes": {"mine": landscape}}, r"made by a call: probes=\[landscape\(\)\]"),
    "probe by name": ({"probes": ["landscape"]}, r"not names; found 'landscape'. Write probes=\[landscape\(\)\]"),
    "probes by name": ({"probes": "landscape"}, r"not names; found 'landscape'"),
    "probe of nothing": ({"probes": [lambda: {"x": 1}]}, "called with one argument, a Step"),
    "probe of another kind": ({"probes": [None]}, "must be a function of a Step; found None"),
    "criterion": (
        {"loss_fn": nn.CrossEntropyLoss()},
        r"found the criterion CrossEntropyLoss\(\). Write",
    ),
    "criterion function": ({"loss_fn": F.cross_entropy}, "found a criterion, of input and target"),
    "own criterion": ({"loss_fn": criterion_of_ones_own}, "found a criterion, of logits and target"),
    "own criterion module": ({"loss_fn": Penalised()}, "found a criterion, of input and target"),
    "criterion class": ({"loss_fn": nn.MSELoss}, "found the class MSELoss"),
    "swapped": ({"loss_fn": swapped}, r"found loss_fn\(batch, model\). Swap the two"),
    "swapped by type": ({"loss_fn": swapped_by_type}, r"found loss_fn\(b, m\). Swap the two"),
    "loss of one argument": ({"loss_fn": lambda batch: batch}, r"found one that takes \(batch\): too many"),
    "loss of three arguments": (
        {"loss_fn": three},
        r"found one that takes \(model, x, y\): missing",
    ),
    "a loss": ({"loss_fn": torch.tensor(1.0)}, r"must be a function of model and batch; found tensor\(1.\)"),
    "model class": ({"model": nn.Linear}, r"found the class Linear. Make one: Linear\(...\)"),
    "device": ({"model": "cuda"}, "must be a torch.nn.Module; found 'cuda'"),
    "model and loss exchanged": ({"model": cross_entropy, "loss_fn": nn.Linear(1, 1)}, "The order is Recorder"),
    "lazy layer": (
        {"model": nn.Sequential(nn.LazyLinear(2)), "optimizer": None},
        "lazy layer of '0.weight'",
    ),
    "optimizer class": ({"optimizer": torch.optim.Adam}, r"must be made: Adam\(model.parameters\(\), lr=...\)"),
    "optimizer by name": ({"optimizer": "sgd"}, "torch optimizer or a list of them; found 'sgd'"),
    "schedule as a number": ({"when": 100}, r"a schedule such as every\(100\); found 100"),
    "schedule without parentheses": ({"when": every}, "found the function every"),
    "budget without parentheses": ({"when": within_budget}, "found the function within_budget"),
    "a sink alone": ({"sinks": print}, "must be a list of functions"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_first_mistake_is_refused_in_words(name: str) -> None:
    """The words are those that a person needs: read off the message."""
    changed, words = MISTAKES[name]
    with pytest.raises((TypeError, ValueError), match=words):
        recorder(**changed)


@pytest.mark.parametrize(
    "loss_fn",
    [
        lambda m, b: cross_entropy(m, b),
        lambda *both: cross_entropy(*both),
        functools.partial(lambda scale, model, batch: scale * cross_entropy(model, batch), 2.0),
        lambda model, batch, scale=2.0, **_others: scale * cross_entropy(model, batch),
        lambda net, data: cross_entropy(net, data),
    ],
)
def test_what_works_is_not_refused(loss_fn: Any) -> None:
    """By the row that it gives."""
    made = recorder(loss_fn=loss_fn)
    made.step(batch())
    loss_fn(made.model, batch()).backward()
    made.optimizers[0].step()
    assert len(made.read("landscape")["loss"]) == 1


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    """Before a folder of that name fails to be made; the store's own file gets its own advice."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match=r"to must be a folder.*file is a file\."):
        recorder(to=tmp_path / "file")
    recorder(to=tmp_path / "run").store.close()
    with pytest.raises(ValueError, match=r"is a file; pass its folder, .*run, with start="):
        recorder(to=tmp_path / "run" / "rows.sqlite")


def test_a_second_recorder_on_a_folder_is_refused_while_the_first_is_there(tmp_path: Path) -> None:
    """Neither has a row yet, so the rows cannot tell; both would write theirs."""
    first = recorder(to=tmp_path, when=at(5))
    with pytest.raises(ValueError, match="another Recorder of this process writes to"):
        recorder(to=tmp_path / ".." / tmp_path.name)
    first.store.close()
    second = recorder(to=tmp_path)
    del second
    recorder(to=tmp_path)


@pytest.mark.parametrize("loader", [DataLoader(TensorDataset(torch.ones(4, 2))), (each for each in [batch()])])
def test_a_loader_is_no_batch(loader: Any) -> None:
    """Known at the first scheduled step, where it is given."""
    with pytest.raises(TypeError, match=r"takes one batch.*for batch in loader: recorder.step\(batch\)"):
        recorder().step(loader)
