"""What must hold on a GPU as well: no trace, the numbers of the CPU, attention, autocast, and a memory that is full."""

import contextlib
import random
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from models import batch, cross_entropy, everything
from probed import BATCHES, VARIANTS
from properties import assert_same, traces
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import Objective, Recorder, every, headroom, landscape
from clinometer.measures.critical_step import critical_step
from clinometer.measures.eigenpairs import top_eigenpairs

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
DEVICE = "cuda"
# Their batches lie on the CPU: a user's own batches are moved by the user's own loss function.
NAMES = [name for name in VARIANTS if "batches" not in name]


def on_gpu(data: Any) -> Any:
    return tuple(each.to(DEVICE) for each in data)


def run(probes: list[str], steps: int = 6) -> dict[str, Any]:
    """Some steps of the network that has everything, on the GPU."""
    random.seed(0)
    np.random.seed(0)
    model = everything().to(DEVICE)  # seeds the GPU's stream, too
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    made = {name: VARIANTS[name]() for name in probes}
    recorder = Recorder(model, cross_entropy, made, every(2), optimizer=optimizer, strict=True) if made else None
    losses: list[Tensor] = []
    for index in range(steps):
        data = on_gpu(batch(index))
        optimizer.zero_grad()

        def step(data: tuple[Tensor, Tensor] = data) -> None:
            loss = cross_entropy(model, data)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())

        if recorder:
            with recorder.step(data):
                step()
        else:
            step()
    found = traces(model, optimizer) | {"losses": losses, "cuda": torch.cuda.get_rng_state()}
    found.pop("identities")
    return found


@pytest.mark.parametrize("name", NAMES)
def test_no_probe_leaves_a_trace(name: str) -> None:
    """The truth is the same run on the same GPU without a recorder, in every bit, the GPU's random stream included."""
    assert_same(run([name]), run([]))


def test_eigenvalues_are_those_of_the_cpu_in_float64() -> None:
    """The dense Hessian of the same network on the CPU, by torch's own function, in float64."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4)).double()
    data = (batch()[0].double(), batch()[1])
    names, parameters = zip(*model.named_parameters(), strict=True)

    def loss(flat: Tensor) -> Tensor:
        parts = [
            part.view_as(p) for part, p in zip(flat.split([p.numel() for p in parameters]), parameters, strict=True)
        ]
        outputs = torch.func.functional_call(model, dict(zip(names, parts, strict=True)), (data[0],))
        return F.cross_entropy(outputs, data[1])

    flat = torch.cat([p.detach().flatten() for p in parameters])
    truth = np.linalg.eigvalsh(torch.autograd.functional.hessian(loss, flat).numpy())[::-1]
    objective = Objective(model.to(DEVICE), cross_entropy, on_gpu(data))
    found = top_eigenpairs(objective, objective.here(), 3, tolerance=1e-8)
    np.testing.assert_allclose(found.values, truth[:3], rtol=1e-7)


def test_a_walk_starts_at_the_loss_of_the_step_bit_for_bit() -> None:
    """The step's own loss, as training computed it, on convolutions with BatchNorm, whose kernels cuDNN chooses."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4)
    ).to(DEVICE)
    data = torch.randn(8, 3, 16, 16, device=DEVICE), torch.randint(4, (8,), device=DEVICE)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, cross_entropy, [landscape(), headroom()], every(1), optimizer=optimizer, strict=True)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        with recorder.step(data):
            loss = cross_entropy(model, data)
            loss.backward()
            optimizer.step()
        losses.append(loss.item())
    assert [row["loss"] for row in recorder.store.rows()["landscape"].values()] == losses


def test_products_through_attention() -> None:
    """Flash and memory-efficient attention have no second derivative; central differences of float64 gradients have."""
    torch.manual_seed(0)
    model = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True).double().to(DEVICE)
    data = torch.randn(4, 10, 16, device=DEVICE, dtype=torch.float64)
    objective = Objective(model, lambda m, x: m(x).square().mean(), data)
    here = objective.here()
    along = {name: torch.randn_like(value) for name, value in here.items()}

    def gradient(size: float) -> dict[str, Tensor]:
        return dict(objective.loss_and_grad({n: here[n] + size * along[n] for n in here})[1])

    ahead, behind = gradient(1e-5), gradient(-1e-5)
    for name, found in objective.hvp(here, along).items():
        torch.testing.assert_close(found, (ahead[name] - behind[name]) / 2e-5, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_measures_what_is_trained(dtype: torch.dtype) -> None:
    """The step's loss under autocast and a scaler, as training computed it; a step that only looks changes nothing."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 4)).to(DEVICE)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    scaler = torch.amp.GradScaler(DEVICE, enabled=dtype is torch.float16)

    def loss_fn(model: nn.Module, data: tuple[Tensor, Tensor]) -> Tensor:
        with torch.autocast(DEVICE, dtype):
            return cross_entropy(model, data)

    probes = [landscape(), headroom()]
    recorder = Recorder(model, loss_fn, probes, every(1), optimizer=optimizer, precision="training", strict=True)
    losses = []
    for index in range(4):
        data = on_gpu(batch(index))
        optimizer.zero_grad()
        with recorder.step(data):
            loss = loss_fn(model, data)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        losses.append(loss.item())
    assert [row["loss"] for row in recorder.store.rows()["landscape"].values()] == losses


def test_a_step_beyond_the_critical_one_raises_the_loss() -> None:
    """The loss itself, 1% short of the critical multiple and 1% beyond it."""
    model = everything().eval().to(DEVICE)
    objective = Objective(model, cross_entropy, on_gpu(batch()))
    here = objective.here()
    loss, gradient = objective.loss_and_grad(here)
    down = {name: -0.1 * value for name, value in gradient.items()}
    found = critical_step(objective, here, down, precision=1e-4)

    def at(multiple: float) -> Tensor:
        return objective.loss({name: here[name] + multiple * down[name] for name in here})

    assert at(0.99 * found.multiple) < loss < at(1.01 * found.multiple)


def test_a_full_memory_ends_no_training() -> None:
    """The GPU really runs out after a first measurement: a warning, and the run without a recorder in every bit."""
    torch.cuda.empty_cache()
    plain, _ = trained_in_little_memory(measured=False)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        measured, recorder = trained_in_little_memory(measured=True)
    assert torch.equal(measured, plain)
    assert any("memory" in str(warning.message) for warning in said), [str(warning.message) for warning in said]
    assert recorder
    assert list(recorder.store.rows()["landscape"]) == [0]


def trained_in_little_memory(measured: bool) -> tuple[Tensor, Recorder | None]:
    """Weights of 72 MB after three steps, of which the last two have room for training and half a copy more."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3000, 3000), nn.ReLU(), nn.Linear(3000, 3000)).to(DEVICE)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, square, [landscape()], every(1), optimizer=optimizer) if measured else None
    data = torch.ones(4, 3000, device=DEVICE)
    try:
        for _ in range(3):
            optimizer.zero_grad(set_to_none=False)
            with recorder.step(data) if recorder else contextlib.nullcontext():
                square(model, data).backward()
                optimizer.step()
            torch.cuda.empty_cache()
            free = torch.cuda.memory_reserved() + 36 * 2**20
            torch.cuda.set_per_process_memory_fraction(free / torch.cuda.get_device_properties(0).total_memory)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    return model[0].weight.detach().clone(), recorder


def square(model: nn.Module, data: Tensor) -> Tensor:
    return model(data).square().mean()


def test_batches_of_the_users_own() -> None:
    """Probes on other batches than the step's: the mean of the losses that the network has on them."""
    torch.manual_seed(0)
    model = nn.Linear(6, 4).to(DEVICE)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    own = [on_gpu(each) for each in BATCHES]
    truth = np.mean([cross_entropy(model, each).item() for each in own])
    recorder = Recorder(model, cross_entropy, [landscape(batches=own)], every(1), optimizer=optimizer, strict=True)
    data = on_gpu(batch())
    with recorder.step(data):
        cross_entropy(model, data).backward()
        optimizer.step()
    (row,) = recorder.store.rows()["landscape_batches"].values()
    assert row["loss"] == pytest.approx(truth, rel=1e-6)
