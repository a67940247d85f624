"""Lightning Fabric wraps model and optimizer: rows are those of the same loop written without Fabric."""

from typing import Any

import numpy as np
import pytest
import torch
from properties import assert_same
from torch import Tensor, nn
from torch.nn import functional as F

pytest.importorskip("lightning.fabric")

from lightning.fabric import Fabric

from clinometer import Recorder, every, landscape


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 3))


def batch(index: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(index)
    return torch.randn(16, 6, generator=generator), torch.randint(3, (16,), generator=generator)


def loss_fn(model: Any, data: tuple[Tensor, Tensor]) -> Tensor:
    return F.cross_entropy(model(data[0]).float(), data[1])


def fabric_run(
    precision: Any, bare: bool, measured: bool = True, own: str = "float32"
) -> tuple[Any, dict[str, Tensor], list[float]]:
    """Six steps with Fabric; the recorder gets what Fabric wrapped, or what it was given."""
    fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    wrapped, wrapped_optimizer = fabric.setup(model, optimizer)
    given = (model, optimizer) if bare else (wrapped, wrapped_optimizer)
    options: dict[str, Any] = {"optimizer": given[1], "precision": own}
    recorder = Recorder(given[0], loss_fn, [landscape()], every(2), **options) if measured else None
    losses = []
    for index in range(6):
        data = batch(index)
        if recorder:
            recorder.step(data)
        wrapped_optimizer.zero_grad()
        loss = loss_fn(wrapped, data)
        fabric.backward(loss)
        wrapped_optimizer.step()
        losses.append(loss.item())
    return recorder, {name: value.clone() for name, value in model.state_dict().items()}, losses


def plain_run(precision: str, own: str) -> tuple[Recorder, dict[str, Tensor], list[float]]:
    """The same loop by hand."""
    model = network()
    if precision == "bf16-true":
        model = model.bfloat16()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def autocast() -> Any:
        return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed")

    def with_autocast(model: Any, data: Any) -> Tensor:
        with autocast():
            output = model(data[0].bfloat16() if precision == "bf16-true" else data[0])
        return F.cross_entropy(output.float(), data[1])

    options: dict[str, Any] = {"optimizer": optimizer, "precision": own}
    recorder = Recorder(model, with_autocast, [landscape()], every(2), **options)
    losses = []
    for index in range(6):
        recorder.step(batch(index))
        optimizer.zero_grad()
        loss = with_autocast(model, batch(index))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return recorder, dict(model.state_dict()), losses


@pytest.mark.parametrize(
    ("precision", "own", "bare"),
    [
        ("32-true", "float32", False),
        ("32-true", "training", True),
        ("bf16-mixed", "float32", False),
        ("bf16-mixed", "float32", True),
        ("bf16-mixed", "training", False),
        ("bf16-true", "float32", False),
        ("bf16-true", "training", False),
    ],
)
def test_rows_are_those_of_the_loop_without_fabric(precision: str, own: str, bare: bool) -> None:
    """Bit for bit: rows, weights, and the losses of training; without a recorder the weights are the same."""
    recorder, state, losses = fabric_run(precision, bare, own=own)
    plain, expected, their_losses = plain_run(precision, own)
    assert losses == their_losses
    assert_same(state, expected)
    assert_same(state, fabric_run(precision, bare, measured=False)[1])
    rows, theirs = recorder.read("landscape"), plain.read("landscape")
    assert rows["step"].tolist() == [0, 2, 4]
    for name, values in theirs.items():
        np.testing.assert_array_equal(rows[name], values, err_msg=name)
