"""A plain `Recorder` in a loop of accelerate's: it needs no adapter."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from properties import assert_same, traces
from torch import Tensor, nn

accelerate = pytest.importorskip("accelerate")
pytest.importorskip("transformers")

from accelerate.state import AcceleratorState, GradientState  # noqa: E402
from tiny import NETWORKS, network  # noqa: E402

from clinometer import Recorder, Step, every, headroom, landscape  # noqa: E402

BATCH, LR, CLIP = 4, 0.1, 0.5


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """Accelerate's settings belong to the process; each test has its own."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    AcceleratorState._reset_state(True)
    GradientState._reset_state()


class Run:
    """Two epochs of a loop as accelerate's guide writes it, and all that it consists of."""

    def __init__(
        self,
        name: str,
        probes: Any = None,
        accumulate: int = 1,
        bf16: bool = False,
        divided: bool = True,
        **options: Any,
    ) -> None:
        _forget()
        accelerator = accelerate.Accelerator(
            cpu=True, gradient_accumulation_steps=accumulate, mixed_precision="bf16" if bf16 else "no"
        )
        net, data = network(name, 6 * BATCH - 1)
        optimizer: Any = torch.optim.SGD(net.parameters(), lr=LR, momentum=0.9)
        scheduler: Any = torch.optim.lr_scheduler.StepLR(optimizer, 2)
        loader: Any = torch.utils.data.DataLoader(data, batch_size=BATCH, shuffle=True)
        model, optimizer, loader, scheduler = accelerator.prepare(net, optimizer, loader, scheduler)
        self.losses: list[Tensor] = []  # one for each batch
        self.gradients: list[dict[str, Tensor]] = []  # one for each step, before clipping

        def loss_fn(model: nn.Module, batch: Any) -> Tensor:
            return model(**batch).loss / (accumulate if divided else 1)

        self.recorder = probes and Recorder(model, loss_fn, probes, every(1), optimizer=optimizer, **options)
        for _ in range(2):
            for batch in loader:
                with accelerator.accumulate(model):
                    if self.recorder:
                        self.recorder.step(batch)
                    loss = model(**batch).loss
                    accelerator.backward(loss)
                    if accelerator.sync_gradients:
                        self.gradients.append({n: p.grad.clone() for n, p in net.named_parameters()})
                        accelerator.clip_grad_norm_(model.parameters(), CLIP)
                    optimizer.step()
                    scheduler.step()
                    optimizer.zero_grad()
                self.losses.append(loss.detach() / accumulate)
        self.state = traces(net, optimizer.optimizer) | {"losses": self.losses, "lr": scheduler.get_last_lr()}
        del self.state["identities"]


@pytest.mark.parametrize("accumulate", [1, 4])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_run_is_bit_identical(name: str, accumulate: int) -> None:
    """The truth is the same run without a recorder."""
    assert_same(Run(name, [landscape(), headroom()], accumulate).state, Run(name, None, accumulate).state)


@pytest.mark.parametrize("name", NETWORKS)
def test_rows_hold_the_loops_own_loss_and_gradient_bit_for_bit(name: str) -> None:
    """The truth is the loop's loss, and the gradients that accelerate is about to clip."""
    seen: list[Step] = []
    run = Run(name, {"landscape": landscape(), "spy": lambda step: (seen.append(step), step.gradient, {})[2]})
    assert run.recorder.read("landscape")["loss"].tolist() == [loss.item() for loss in run.losses]
    for step, gradient in zip(seen, run.gradients, strict=True):
        assert_same(step.gradient, gradient)


@pytest.mark.parametrize("name", NETWORKS)
def test_batches_that_accumulate_are_measured_together(name: str) -> None:
    """Accelerate divides by 4 also where an epoch's last step has but 2 batches: the truth is the sum of what it takes.

    Sums of 4 float32 losses, taken in another order, differ by some 1e-7.
    """
    seen: list[Step] = []
    probes = {"landscape": landscape(), "spy": lambda step: (seen.append(step), step.gradient, {})[2]}
    run = Run(name, probes, accumulate=4)
    parts = torch.stack(run.losses).split([4, 2, 4, 2])
    rows = run.recorder.read("landscape")
    torch.testing.assert_close(torch.tensor(rows["loss"]), torch.stack([part.sum() for part in parts]))
    for step, gradient in zip(seen, run.gradients, strict=True):
        torch.testing.assert_close(step.gradient, gradient, rtol=1e-4, atol=1e-6)


def test_a_loss_that_is_not_divided_is_divided_as_accelerate_does() -> None:
    """Accelerate divides by 4, also the 2 batches that end an epoch: the truth is the sum of what it takes."""
    run = Run("resnet", [landscape()], accumulate=4, divided=False)
    parts = torch.stack(run.losses).split([4, 2, 4, 2])
    torch.testing.assert_close(
        torch.tensor(run.recorder.read("landscape")["loss"]), torch.stack([part.sum() for part in parts])
    )


def test_the_first_update_is_the_clipped_one() -> None:
    """By definition SGD's first step is lr times the clip norm long where the gradient is longer."""
    seen: list[Step] = []
    Run("gpt2", {"spy": lambda step: (seen.append(step), {})[1]})
    first = seen[0]
    moved = torch.cat([(first.after[name] - first.before[name]).flatten() for name in first.before])
    assert torch.cat([value.flatten() for value in first.gradient.values()]).norm() > CLIP
    torch.testing.assert_close(moved.norm(), torch.tensor(LR * CLIP), rtol=1e-3, atol=0)


def test_bf16_is_measured_in_float32_or_as_it_trains() -> None:
    """Accelerate wraps `forward` in autocast: in training's precision the loss is the loop's, bit for bit."""
    as_trained = Run("gpt2", [landscape()], bf16=True, precision="training")
    exact = Run("gpt2", [landscape()], bf16=True)
    assert_same(exact.state, Run("gpt2", bf16=True).state)
    own = [loss.item() for loss in as_trained.losses]
    assert as_trained.recorder.read("landscape")["loss"].tolist() == own
    assert exact.recorder.read("landscape")["loss"].tolist() != own
    np.testing.assert_allclose(exact.recorder.read("landscape")["loss"], own, rtol=2**-8)
