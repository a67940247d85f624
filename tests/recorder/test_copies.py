"""Models are copied and pickled, with the recorder that they hold: the copy measures nothing, the original goes on."""

import copy
import io
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from models import batch, cross_entropy, everything
from properties import assert_same, traces
from torch import Tensor, nn
from torch.optim import swa_utils

from clinometer import Recorder, every, landscape
from clinometer.recorder.patching import PatchedMethod


class Holder(nn.Module):
    """Keeps its recorder, as a LightningModule does, and a loss that leads back to it."""

    def __init__(self) -> None:
        super().__init__()
        self.network = everything()
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.1, momentum=0.9)
        self.recorder: Any = None

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)

    def loss(self, _model: nn.Module, data: tuple[Tensor, Tensor]) -> Tensor:
        return cross_entropy(self, data)

    def train_on(self, index: int, amid: Any = None) -> None:
        data = batch(index)
        torch.manual_seed(index)  # of dropout
        with self.recorder.step(data):
            self.loss(self, data).backward()
            if amid:
                amid(self)
            self.optimizer.step()
            self.optimizer.zero_grad()


def measured(**options: Any) -> Holder:
    model = Holder()
    model.recorder = Recorder(model, model.loss, [landscape()], every(1), optimizer=model.optimizer, **options)
    return model


def saved(model: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), saved])
@pytest.mark.parametrize("amid", [False, True])
def test_a_copy_measures_nothing_and_the_original_goes_on(copied: Any, amid: bool, tmp_path: Path) -> None:
    """The truth for the original is the same run without a copy; for the copy, a loop without a recorder."""
    model, plain, copies = measured(to=tmp_path), measured(), []
    take = lambda each: copies.append(copied(each))  # noqa: E731
    model.train_on(0, take if amid else None)  # while a step is under way, or after one
    plain.train_on(0)
    if not amid:
        take(model)
    (copy_,) = copies
    model.train_on(1)
    plain.train_on(1)
    assert model.recorder.read("landscape")["step"].tolist() == [0, 1]
    assert model.recorder.read("landscape")["beta"].tolist() == plain.recorder.read("landscape")["beta"].tolist()
    before = model.recorder.store.digest(10)
    with pytest.warns(UserWarning, match="this recorder is a copy") as caught:
        copy_.train_on(1)
    assert len(caught) == 1
    copy_.train_on(2)
    plain.train_on(2)
    if not amid:
        assert_same(dict(copy_.state_dict()), dict(plain.state_dict()))
    assert model.recorder.store.digest(10) == before
    with pytest.raises(ValueError, match="this recorder is a copy"):
        copy_.recorder.read("landscape")
    with pytest.raises(ValueError, match="there are no alarms: this recorder is a copy"):
        _ = copy_.recorder.alarms
    assert "measures nothing" in copy_.recorder.summary()


def test_averaged_weights_are_made_as_ever() -> None:
    """torch's own AveragedModel copies the model deeply; its average is that of a run without a recorder."""

    def averaged(model: Holder) -> dict[str, Tensor]:
        average = swa_utils.AveragedModel(model, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.5))
        for index in range(3):
            model.train_on(index)
            average.update_parameters(model)
        return dict(average.state_dict())

    class Nothing:
        def step(self, _data: Any) -> Any:
            return torch.enable_grad()

    plain = Holder()
    plain.recorder = Nothing()
    assert_same(averaged(measured()), averaged(plain))


def test_a_model_that_leads_to_its_recorder_is_measured_like_any_other() -> None:
    """The loss reaches the model, which reaches the recorder, which reaches the model: against one that does not."""
    model, plain = measured(), Holder()
    recorder = Recorder(plain, cross_entropy, [landscape()], every(1), optimizer=plain.optimizer)
    plain.recorder = recorder
    for index in range(3):
        model.train_on(index)
        plain.train_on(index)
    assert model.recorder.read("landscape")["beta"].tolist() == recorder.read("landscape")["beta"].tolist()
    assert_same(
        {n: v for n, v in traces(model, model.optimizer).items() if n != "identities"},
        {n: v for n, v in traces(plain, plain.optimizer).items() if n != "identities"},
    )


class Owner:
    """Has a method to patch."""

    def __init__(self, name: str) -> None:
        self.name = name

    def method(self) -> str:
        return self.name


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda owner: pickle.loads(pickle.dumps(owner))])
def test_a_copied_owner_has_its_own_method(copied: Any) -> None:
    """A trainer that is copied while it trains must not call back into the original."""
    owner = Owner("first")
    PatchedMethod(owner, "method", lambda _method: "patched")
    other = copied(owner)
    other.name = "second"
    assert (owner.method(), other.method()) == ("patched", "second")
