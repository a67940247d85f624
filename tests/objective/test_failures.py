"""A loss that raises where training does not go."""

import functools
import math
from collections.abc import Callable
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


TRANSIENT: dict[str, Callable[[], BaseException]] = {
    "MemoryError": MemoryError,
    "torch's CPU allocator": lambda: RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    "CUDA": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    "cuBLAS": lambda: RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    "NCCL": lambda: RuntimeError("NCCL communicator was aborted on rank 0"),
    "a connection": ConnectionResetError,
    "a file": lambda: OSError("Stale file handle"),
    "a time-out": TimeoutError,
    "an interrupt": KeyboardInterrupt,
    "a mistake in code": lambda: AttributeError("no such attribute"),
    "what is not implemented": lambda: NotImplementedError("for this kind"),
}


@pytest.mark.parametrize("name", TRANSIENT)
def test_what_says_nothing_about_the_point_is_never_a_nan(name: str) -> None:
    """The loss is finite everywhere, so a NaN in its place would be a wrong number; the error comes as it is."""
    errors = iter([None, None, TRANSIENT[name]()])

    def loss_fn(model: nn.Module, _batch: Any) -> Tensor:
        error = next(errors)
        if error is not None:
            raise error
        return model.weight.square().sum()

    objective = Objective(nn.Linear(1, 1), loss_fn, None)
    here = objective.here()
    with pytest.raises(type(TRANSIENT[name]())):
        walk(objective, here, here, [0.5, 1.0])


def test_a_shortage_of_memory_under_another_name_is_one() -> None:
    """Libraries raise errors of their own from it; what they were raised from is kept by Python."""

    def loss_fn(model: nn.Module, _batch: Any) -> Tensor:
        if model.weight > 1:
            try:
                torch.empty(2**50)
            except RuntimeError as error:
                raise ValueError("the augmentation failed") from error
        return model.weight.sum()

    model = nn.Linear(1, 1, bias=False)
    objective = Objective(model, loss_fn, None)
    objective.loss({"weight": torch.zeros(1, 1)})
    with pytest.raises(ValueError, match="augmentation"):
        objective.loss({"weight": torch.ones(1, 1) * 2})


class DivergedError(Exception):
    """What a program raises itself."""


OF_VALUES = [DivergedError, ZeroDivisionError, AssertionError, IndexError, torch.linalg.LinAlgError]


@pytest.mark.parametrize("error", OF_VALUES)
def test_errors_about_values_are_divergence(error: type[Exception]) -> None:
    """The loss raises exactly where w > 1, so there it has no value; inside it is w²."""

    def loss_fn(model: nn.Module, _batch: Any) -> Tensor:
        if model.weight > 1:
            raise error("no value")
        return model.weight.square().sum()

    objective = Objective(nn.Linear(1, 1, bias=False), loss_fn, None)
    line = walk(objective, {"weight": torch.ones(1, 1) / 2}, {"weight": torch.ones(1, 1)}, [0.25, 1.0])
    assert float(line.losses[0]) == 0.5625
    assert bool(line.losses[1].isnan())


class NoGradient(torch.autograd.Function):
    """Raises in the backward pass where the input is above 1."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        if ctx.saved_tensors[0].max() > 1:
            raise ValueError("no gradient here")
        return grads[0]


def test_a_backward_pass_that_raises_is_divergence_too() -> None:
    """The loss there is known, the gradient is not; at the step's own point the error is raised."""
    objective = Objective(nn.Linear(1, 1, bias=False), lambda m, _: NoGradient.apply(m.weight).sum(), None)
    there = {"weight": torch.ones(1, 1) * 2}
    with pytest.raises(ValueError, match="no gradient here"):
        objective.loss_and_grad(there)
    objective.loss_and_grad({"weight": torch.ones(1, 1)})
    loss, gradient = objective.loss_and_grad(there)
    assert float(loss) == 2.0
    assert bool(gradient["weight"].isnan().all())


def test_anomaly_detection_is_off_while_measuring_and_on_again_afterwards() -> None:
    """√w has an infinite slope at 0 and none below: torch would raise where the row should say NaN."""
    model = nn.Linear(1, 1, bias=False)
    objective = Objective(model, lambda m, _: m.weight.sqrt().sum() * 0 + m.weight.sqrt().sum(), None)
    with torch.autograd.set_detect_anomaly(True, check_nan=True):
        line = walk(objective, {"weight": torch.ones(1, 1)}, {"weight": -torch.ones(1, 1)}, [0.75, 2.0])
        assert torch.is_anomaly_enabled()
        assert torch.is_anomaly_check_nan_enabled()
    assert float(line.losses[0]) == 0.5
    assert bool(line.grad_gaps[1].isnan())
    assert objective.failures.error is None
