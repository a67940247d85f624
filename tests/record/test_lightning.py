"""`LandscapeCallback` in Lightning's own Trainer."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from properties import assert_same, traces
from torch import Tensor, nn

pytest.importorskip("transformers")
lightning = pytest.importorskip("lightning.pytorch")

from tiny import NETWORKS, network  # noqa: E402
from torchmetrics import MeanMetric  # noqa: E402

from clinometer import Probe, Recorder, Step, every, headroom, landscape  # noqa: E402
from clinometer.record.lightning import LandscapeCallback  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers"),
]
BATCH = 4


class Watched(lightning.LightningModule):
    """A module as people write them: it logs in every way, keeps things in lists and metrics, and spoils its batch."""

    def __init__(self, net: nn.Module, optimizer: Any = None) -> None:
        super().__init__()
        self.net = net
        self.mean = MeanMetric()
        self.kept: list[Tensor] = []
        self.calls = 0
        self.optimizer = optimizer or (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        labels = batch.pop("labels")
        loss = self.net(**batch, labels=labels).loss * (1 + 0.1 * self.global_step) * (1 + 0.01 * batch_idx)
        self.kept.append(loss.detach())
        self.calls += 1
        self.mean.update(loss.detach())
        self.log("loss", loss, on_step=True, on_epoch=True)
        self.log_dict({"calls": float(self.calls), "half": loss / 2}, on_step=False, on_epoch=True)
        self.log("mean", self.mean, on_step=True, on_epoch=True)
        self.logger.log_metrics({"direct": loss.item()}, step=1000 + self.calls)
        return {"loss": loss, "labels": labels}

    def on_train_batch_start(self, batch: Any, *_: Any) -> None:
        batch["noise"] = torch.rand(2)  # draws, and changes the batch, before the step
        del batch["noise"]

    def configure_optimizers(self) -> Any:
        return self.optimizer(self.parameters())


class Losses(lightning.Callback):
    """What Lightning itself says of each batch, and the gradients that it is about to clip."""

    def __init__(self) -> None:
        self.losses: list[Tensor] = []
        self.gradients: list[dict[str, Tensor]] = []

    def on_train_batch_end(self, _trainer: Any, _module: Any, outputs: Any, *_: Any) -> None:
        self.losses.append(outputs["loss"])

    def on_before_optimizer_step(self, _trainer: Any, pl_module: Any, *_: Any) -> None:
        self.gradients.append({n: p.grad.clone() for n, p in pl_module.named_parameters()})


def fit(module: Any, data: list[Any], *callbacks: Any, to: Path, resume: Any = None, **options: Any) -> Any:
    options = {"max_epochs": 2, "enable_checkpointing": False} | options
    trainer = lightning.Trainer(
        accelerator="cpu",
        callbacks=list(callbacks),
        logger=lightning.loggers.CSVLogger(to, flush_logs_every_n_steps=1),
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    trainer.fit(module, torch.utils.data.DataLoader(data, batch_size=BATCH), ckpt_path=resume)
    return trainer


def run(name: str, to: Path, *callbacks: Any, **options: Any) -> dict[str, Any]:
    """A whole run, with all that it consists of."""
    net, data = network(name, 6 * BATCH - 1)
    random.seed(0), np.random.seed(0)
    module = Watched(net)
    trainer = fit(module, data, *callbacks, to=to, **options)
    state = traces(module, trainer.optimizers[0])
    del state["identities"]
    return state | {
        "logged": (Path(trainer.logger.log_dir) / "metrics.csv").read_text(),
        "metrics": {name: float(value) for name, value in trainer.callback_metrics.items()},
        "kept": module.kept,
        "calls": module.calls,
        "steps": trainer.global_step,
        "strategy": sorted(vars(trainer.strategy)),
    }


def spy(seen: list[Step]) -> dict[str, Probe]:
    return {"landscape": landscape([0.5, 1]), "spy": lambda step: (seen.append(step), step.gradient, {})[2]}


@pytest.mark.parametrize("accumulate", [1, 4])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_run_is_bit_identical(name: str, accumulate: int, tmp_path: Path) -> None:
    """The truth is the same run without the callback: state, the logger's file, and what the module kept."""
    options = {"accumulate_grad_batches": accumulate, "gradient_clip_val": 0.5}
    callback = LandscapeCallback([landscape(), headroom()], every(2))
    measured = run(name, tmp_path / "a", callback, **options)
    assert_same(measured, run(name, tmp_path / "b", **options))
    assert callback.read("landscape")["step"].tolist() == list(range(0, measured["steps"], 2))


@pytest.mark.parametrize("name", NETWORKS)
def test_rows_hold_lightnings_own_loss_and_gradient_bit_for_bit(name: str, tmp_path: Path) -> None:
    """The truth is what Lightning hands to its callbacks, for a loss that changes with the step."""
    seen: list[Step] = []
    losses, callback = Losses(), LandscapeCallback(spy(seen), every(1))
    run(name, tmp_path, losses, callback, gradient_clip_val=0.5)
    assert callback.read("landscape")["loss"].tolist() == [loss.item() for loss in losses.losses]
    for step, gradient in zip(seen, losses.gradients, strict=True):
        assert_same(step.gradient, gradient)


@pytest.mark.parametrize("name", NETWORKS)
def test_batches_that_accumulate_are_measured_together(name: str, tmp_path: Path) -> None:
    """Lightning divides by 4 and adds up, also where an epoch's last step has but 2 batches; so do the rows.

    Sums of 4 float32 losses, taken in another order, differ by some 1e-7.
    """
    seen: list[Step] = []
    losses, callback = Losses(), LandscapeCallback(spy(seen), every(1))
    run(name, tmp_path, losses, callback, accumulate_grad_batches=4)
    parts = torch.stack(losses.losses).split([4, 2, 4, 2])
    assert callback.read("landscape")["step"].tolist() == [0, 1, 2, 3]
    torch.testing.assert_close(torch.tensor(callback.read("landscape")["loss"]), torch.stack([p.sum() for p in parts]))
    for step, gradient in zip(seen, losses.gradients, strict=True):
        torch.testing.assert_close(step.gradient, gradient, rtol=1e-4, atol=1e-6)


def test_the_update_is_the_clipped_one(tmp_path: Path) -> None:
    """By definition SGD moves by lr times the clip norm where the gradient is longer; the gradient is the whole one."""
    seen: list[Step] = []
    net, data = network("gpt2", BATCH)
    module = Watched(net, lambda p: torch.optim.SGD(p, lr=0.1))
    fit(module, data, LandscapeCallback(spy(seen), every(1)), to=tmp_path, max_epochs=1, gradient_clip_val=0.01)
    (step,) = seen
    moved = torch.cat([(step.after[name] - step.before[name]).flatten() for name in step.before])
    gradient = torch.cat([value.flatten() for value in step.gradient.values()])
    assert gradient.norm() > 0.1
    torch.testing.assert_close(moved.norm(), torch.tensor(0.1 * 0.01), rtol=1e-3, atol=0)


def test_bf16_is_measured_in_float32_or_as_it_trains(tmp_path: Path) -> None:
    """In training's precision the loss is Lightning's, bit for bit; in float32 it is near it, and another."""
    losses = Losses()
    callbacks = {precision: LandscapeCallback([landscape()], every(1), precision=precision) for precision in PRECISIONS}
    measured = run("gpt2", tmp_path / "a", losses, *callbacks.values(), precision="bf16-mixed")
    assert_same(measured, run("gpt2", tmp_path / "b", precision="bf16-mixed"))
    own = [loss.item() for loss in losses.losses]
    assert callbacks["training"].read("landscape")["loss"].tolist() == own
    exact = callbacks["float32"].read("landscape")["loss"]
    assert exact.tolist() != own
    np.testing.assert_allclose(exact, own, rtol=2**-8)


PRECISIONS = ("float32", "training")


def test_a_resumed_run_goes_on_from_its_step(tmp_path: Path) -> None:
    """The truth is the run that was not interrupted: the same rows at the same steps, and none twice."""
    rows = {}
    for name, epochs in ("whole", [2]), ("halves", [1, 2]):
        resume = None
        for until in epochs:
            net, data = network("resnet", 3 * BATCH)  # without dropout: Lightning saves no random streams
            callback = LandscapeCallback([landscape()], every(1), to=tmp_path / name)
            trainer = fit(Watched(net), data, callback, to=tmp_path, max_epochs=until, resume=resume)
            resume = tmp_path / "checkpoint"
            trainer.save_checkpoint(resume)
        rows[name] = callback.read("landscape")
    assert rows["whole"]["step"].tolist() == list(range(6))
    assert_same(rows["halves"], rows["whole"])


class Gentle(Watched):
    """Leaves its batch whole: LBFGS calls again with the same."""

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        return super().training_step(dict(batch), batch_idx)


def test_lbfgs_calls_its_closure_many_times_and_counts_one_step(tmp_path: Path) -> None:
    """The truth is Lightning's count, and the loss of each step's first call."""
    net, data = network("resnet", 3 * BATCH)
    module = Gentle(net, lambda p: torch.optim.LBFGS(p, lr=0.01, max_iter=3))
    callback = LandscapeCallback([landscape()], every(1))
    trainer = fit(module, data, callback, to=tmp_path, max_epochs=1)
    assert module.calls > trainer.global_step == 3
    assert callback.read("landscape")["step"].tolist() == [0, 1, 2]
    assert callback.read("landscape")["loss"][0] == module.kept[0].item()


class Sometimes(Watched):
    """Has no loss for some batches."""

    def __init__(self, net: nn.Module, without: set[int]) -> None:
        super().__init__(net)
        self.without = without

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Any:
        return None if batch_idx in self.without else super().training_step(batch, batch_idx)


@pytest.mark.filterwarnings("ignore:`training_step` returned `None`")
@pytest.mark.parametrize(("accumulate", "without", "steps"), [(1, {1, 4}, [0, 2, 3, 5]), (2, {1, 2}, [2])])
def test_a_step_without_a_loss_has_no_row(accumulate: int, without: set[int], steps: list[int], tmp_path: Path) -> None:
    """Lightning counts such a step: the truth is its count, and the steps that had a loss for each batch."""
    net, data = network("gpt2", 6 * BATCH)
    module, callback = Sometimes(net, without), LandscapeCallback([landscape()], every(1))
    trainer = fit(module, data, callback, to=tmp_path, max_epochs=1, accumulate_grad_batches=accumulate)
    assert trainer.global_step == 6 // accumulate
    assert callback.read("landscape")["step"].tolist() == steps


class Manual(lightning.LightningModule):
    """Optimizes by hand, with a Recorder inside, as our error advises."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.net = nn.Linear(2, 1)
        self.losses: list[float] = []
        self.recorder: Recorder | None = None

    def on_train_start(self) -> None:
        optimizer: Any = self.optimizers()
        self.recorder = Recorder(self.net, loss_of, [landscape()], every(1), optimizer=optimizer)

    def training_step(self, batch: Tensor) -> None:
        optimizer: Any = self.optimizers()
        assert self.recorder
        self.recorder.step(batch)
        loss = loss_of(self.net, batch)
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        self.losses.append(loss.item())

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def loss_of(net: nn.Module, batch: Tensor) -> Tensor:
    return net(batch).square().mean()


def test_manual_optimization_is_refused_and_the_advice_works(tmp_path: Path) -> None:
    """A second call of training_step would step the optimizers; the truth for a Recorder inside is the loop."""
    data = list(torch.randn(8, 2))
    with pytest.raises(ValueError, match="Recorder inside training_step"):
        fit(Manual(), data, LandscapeCallback([landscape()]), to=tmp_path)
    module = Manual()
    fit(module, data, to=tmp_path)
    assert module.recorder
    assert module.recorder.read("landscape")["loss"].tolist() == module.losses


def test_mistakes_are_told_when_the_callback_is_made() -> None:
    """Before data are prepared and checkpoints loaded: that may take an hour."""
    with pytest.raises(TypeError, match="nonempty list"):
        LandscapeCallback([])
    with pytest.raises(ValueError, match="precision must be one of"):
        LandscapeCallback([landscape()], precision="half")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"call trainer\.fit"):
        LandscapeCallback([landscape()]).read("landscape")


def test_a_step_that_raises_leaves_lightnings_strategy_as_it_was(tmp_path: Path) -> None:
    """A trainer is used again after an error; the strategy's method is the class's own then."""
    net, data = network("gpt2", BATCH)
    module = Watched(net)
    module.on_before_optimizer_step = lambda _optimizer: 1 / 0  # type: ignore[method-assign,assignment]
    callback = LandscapeCallback([landscape()], every(1))
    trainers: list[Any] = []
    callback.setup = lambda trainer, *_, stage: trainers.append((trainer, stage))  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        fit(module, data, callback, to=tmp_path)
    assert "training_step" not in vars(trainers[0][0].strategy)
