"""Activations that are thrown away and computed again, inside loops; one of torch's two kinds cannot be measured."""

import pytest
import torch
from loops import FORMS, STEPS, Run, assert_measured, assert_same, begun, ran
from models import batch, cross_entropy
from properties import traces
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from clinometer import Recorder, every, landscape


class Checkpointed(nn.Module):
    """BatchNorm and dropout among what is computed again."""

    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.rest = nn.Sequential(nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 4))
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(self.rest, self.first(x), use_reentrant=self.reentrant)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("accumulate", [1, 2])
def test_measured_it_is_the_same_run(accumulate: int, form: str) -> None:
    """The truth is the loop without a recorder, and its own losses; sums of two differ by a rounding."""

    def loop(run: Run) -> None:
        model = Checkpointed(reentrant=False)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        run.attach(model, cross_entropy, optimizer)
        for step in range(STEPS):
            total = torch.zeros(())
            for index in range(accumulate):
                data = batch(accumulate * step + index)
                with run.step(data):
                    loss = cross_entropy(model, data) / accumulate
                    loss.backward()
                    total = total + loss.detach()
                    if index == accumulate - 1:
                        optimizer.step()
                        optimizer.zero_grad()
            run.took(total)

    assert_measured(loop, form, tolerance=0.0 if accumulate == 1 else 1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_the_kind_that_torch_refuses_is_refused_in_words_that_help(form: str) -> None:
    """At the first scheduled step, with what to write instead; the run itself is as it would have been."""

    def trained(measured: bool) -> dict[str, object]:
        torch.manual_seed(0)
        model = Checkpointed(reentrant=True)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        recorder = Recorder(model, cross_entropy, [landscape()], every(1), optimizer=optimizer)

        def step() -> None:
            if measured:
                with begun(recorder, batch(), form):
                    work()
            else:
                work()

        def work() -> None:
            cross_entropy(model, batch()).backward()
            optimizer.step()

        if measured:
            with pytest.raises(ValueError, match=r"checkpoints activations.*Pass use_reentrant=False"):
                step()
        else:
            step()
        return {name: value for name, value in traces(model, optimizer).items() if name != "identities"}

    assert_same(trained(measured=True), trained(measured=False))


def test_both_kinds_train_alike() -> None:
    """What the error advises changes nothing: by torch's own account, and compared here bit for bit."""

    def loop(run: Run, reentrant: bool) -> None:
        model = Checkpointed(reentrant)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for index in range(STEPS):
            loss = cross_entropy(model, batch(index))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            run.losses.append(loss.detach())

    losses = [ran(lambda run, kind=kind: loop(run, kind), "plain").losses for kind in (True, False)]
    assert_same(losses[0], losses[1])
