"""A loss that raises where training does not go."""

import functools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical

from clinometer import Objective, Recorder, every, headroom, landscape, walk


def policy_loss(model: nn.Module, x: Tensor) -> Tensor:
    """A policy gradient: `Categorical` refuses the NaN that infinite logits become."""
    choice = Categorical(logits=model(x), validate_args=True)  # torch.compile, once used, turns it off
    return -(choice.log_prob(choice.sample()) * x.sum(1)).mean()


def trained(record: bool) -> tuple[list[Tensor], Recorder | None]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.2), nn.ReLU(), nn.Linear(8, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    probes = [landscape((1, 1e38)), headroom()]
    recorder = Recorder(model, policy_loss, probes, every(2), optimizer=optimizer) if record else None
    for _ in range(6):
        x = torch.rand(64, 6)
        if recorder:
            recorder.step(x)
        optimizer.zero_grad()
        policy_loss(model, x).backward()
        optimizer.step()
    return [*(p.detach() for p in model.parameters()), torch.get_rng_state()], recorder


def test_training_outlives_a_loss_that_raises_on_the_way() -> None:
    """Evidence: the same run unmeasured, bit for bit, where the walk's second size leads out of the domain."""
    with pytest.warns(UserWarning, match="loss_fn raised ValueError: Expected parameter logits"):
        measured, recorder = trained(True)
    plain, _ = trained(False)
    assert all(torch.equal(a, b) for a, b in zip(measured, plain, strict=True))
    assert recorder is not None
    rows = recorder.read("landscape")
    assert np.isnan(rows["losses"][:, 1]).all()
    assert np.isfinite(rows["losses"][:, 0]).all()
    assert not np.isnan(recorder.read("headroom")["loss"]).any()


def test_outside_the_domain_loss_and_gradient_are_nan() -> None:
    """Evidence: L(w) = −log w has a value for w in (0, 1] alone, by a distribution's own check; inside it is exact."""
    model = nn.Linear(1, 1, bias=False)
    certain = functools.partial(Bernoulli, validate_args=True)
    objective = Objective(model, lambda m, _: -certain(m(torch.ones(1, 1))).log_prob(torch.ones(1, 1)).sum(), None)
    line = walk(objective, {"weight": torch.tensor([[0.5]])}, {"weight": torch.tensor([[0.25]])}, [1.0, -1.0, 4.0])
    assert line.losses[:2].tolist() == pytest.approx([-math.log(0.75), -math.log(0.25)])
    assert bool(line.losses[2].isnan())
    assert bool(line.grad_gaps[2].isnan())
    assert isinstance(objective.failures.error, ValueError)


def test_a_loss_that_never_worked_raises() -> None:
    """Evidence: nothing has shown that it is the point's fault, so the error is the user's to see, as it is."""

    def wrong(model: nn.Module, batch: Any) -> Tensor:
        raise KeyError("labels")

    model = nn.Linear(1, 1)
    with pytest.raises(KeyError, match="labels"):
        Objective(model, wrong, None).loss_and_grad(Objective(model, wrong, None).here())


def test_a_later_batch_that_never_worked_raises() -> None:
    """That the first batch has a loss says nothing of the second, which training visited at this very point."""

    def wrong(model: nn.Module, batch: float) -> Tensor:
        if batch > 1:
            raise KeyError("labels")
        return model.weight.sum() * batch

    model = nn.Linear(1, 1)
    objective = Objective(model, wrong, 1.0).with_batch(2.0)
    with pytest.raises(KeyError, match="labels"):
        objective.loss_and_grad(objective.here())
