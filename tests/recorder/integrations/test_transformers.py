"""`attach` on transformers' own Trainer."""

import copy
import json
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from properties import assert_same, traces
from torch import Tensor, nn

transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from tiny import NETWORKS, network  # noqa: E402

from clinometer import Probe, Step, alert, every, headroom, landscape  # noqa: E402
from clinometer.recorder.alerts.actions import stop  # noqa: E402
from clinometer.recorder.integrations.transformers import attach  # noqa: E402

BATCH = 4


class Spied(transformers.Trainer):
    """A trainer as people write them: its loss logs, and keeps sums on the trainer. And it says what it minimised."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.kept: dict[str, list[float]] = {"loss": []}
        self.calls = 0
        self.minimised: list[Tensor] = []
        self.gradients: list[dict[str, Tensor]] = []
        self.accelerator.backward = self.spy(self.accelerator.backward)
        self.accelerator.clip_grad_norm_ = self.spy_on_gradients(self.accelerator.clip_grad_norm_)

    def compute_loss(self, model: nn.Module, inputs: Any, *args: Any, **options: Any) -> Any:
        loss = super().compute_loss(model, inputs, *args, **options)
        self.calls += 1
        self.kept["loss"].append(loss.item())
        self.log({"inner": loss.item(), "calls": self.calls})
        return loss

    def spy(self, backward: Any) -> Any:
        def spied(loss: Tensor, **options: Any) -> None:
            self.minimised.append(loss.detach())
            backward(loss, **options)

        return spied

    def spy_on_gradients(self, clip: Any) -> Any:
        def spied(*args: Any, **options: Any) -> Any:
            self.gradients.append({n: p.grad.clone() for n, p in self.model.named_parameters()})
            return clip(*args, **options)

        return spied


def trainer_of(name: str, to: Path, samples: int = 6 * BATCH - 1, **options: Any) -> Spied:
    net, data = network(name, samples)
    options = {"max_grad_norm": 0.5, "num_train_epochs": 2, "optim": "sgd", "learning_rate": 0.1} | options
    arguments = transformers.TrainingArguments(
        output_dir=str(to),
        per_device_train_batch_size=BATCH,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        **options,
    )
    return Spied(net, arguments, train_dataset=data)


def state_of(trainer: Spied) -> dict[str, Any]:
    """All that a run consists of, but what a clock says."""
    state = traces(trainer.model, trainer.optimizer)
    del state["identities"]
    return state | {
        "logged": [
            {k: v for k, v in line.items() if "second" not in k and "runtime" not in k} for line in history(trainer)
        ],
        "kept": trainer.kept,
        "calls": trainer.calls,
        "minimised": trainer.minimised,
        "step": trainer.state.global_step,
        "attributes": sorted(vars(trainer)),
    }


def history(trainer: Any) -> list[dict[str, Any]]:
    return json.loads(json.dumps(trainer.state.log_history))


def run(name: str, to: Path, measured: bool, **options: Any) -> tuple[dict[str, Any], Any]:
    random.seed(0), np.random.seed(0)
    trainer = trainer_of(name, to, **options)
    rows = attach(trainer, [landscape(), headroom()], every(2)) if measured else None
    trainer.train()
    return state_of(trainer), rows


def spy(seen: list[Step]) -> dict[str, Probe]:
    return {"landscape": landscape([0.5, 1]), "spy": lambda step: (seen.append(step), step.gradient, {})[2]}


@pytest.mark.parametrize("accumulate", [1, 4])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_run_is_bit_identical(name: str, accumulate: int, tmp_path: Path) -> None:
    """The truth is the same run without us: state, the trainer's log, and what its loss kept on it."""
    measured, rows = run(name, tmp_path, True, gradient_accumulation_steps=accumulate)
    assert_same(measured, run(name, tmp_path, False, gradient_accumulation_steps=accumulate)[0])
    assert rows.read("landscape")["step"].tolist() == list(range(0, measured["step"], 2))


@pytest.mark.parametrize("options", [{}, {"label_smoothing_factor": 0.1}], ids=["plain", "smoothed"])
@pytest.mark.parametrize("name", NETWORKS)
def test_rows_hold_the_trainers_own_loss_and_gradient_bit_for_bit(name: str, options: Any, tmp_path: Path) -> None:
    """The truth is what the trainer calls backward on, and the gradients that it is about to clip."""
    seen: list[Step] = []
    trainer = trainer_of(name, tmp_path, **options)
    rows = attach(trainer, spy(seen), every(1))
    trainer.train()
    assert rows.read("landscape")["loss"].tolist() == [loss.item() for loss in trainer.minimised]
    for step, gradient in zip(seen, trainer.gradients, strict=True):
        assert_same(step.gradient, gradient)


@pytest.mark.parametrize("name", NETWORKS)
def test_batches_that_accumulate_are_measured_together(name: str, tmp_path: Path) -> None:
    """The truth is the sum of what backward was called on, also where an epoch's last step has but 2 batches.

    GPT-2 divides by the tokens of all batches, the others' losses are divided by the batches' number. Sums of 4
    float32 losses, taken in another order, differ by some 1e-7.
    """
    seen: list[Step] = []
    trainer = trainer_of(name, tmp_path, gradient_accumulation_steps=4)
    rows = attach(trainer, spy(seen), every(1))
    trainer.train()
    parts = torch.stack(trainer.minimised).split([4, 2, 4, 2])
    assert rows.read("landscape")["step"].tolist() == [0, 1, 2, 3]
    torch.testing.assert_close(torch.tensor(rows.read("landscape")["loss"]), torch.stack([p.sum() for p in parts]))
    for step, gradient in zip(seen, trainer.gradients, strict=True):
        torch.testing.assert_close(step.gradient, gradient, rtol=1e-4, atol=1e-6)


def test_the_update_is_the_clipped_one(tmp_path: Path) -> None:
    """By definition SGD moves by lr times the clip norm where the gradient is longer; the gradient is the whole one."""
    seen: list[Step] = []
    trainer = trainer_of("gpt2", tmp_path, samples=BATCH, max_grad_norm=0.01, num_train_epochs=1)
    attach(trainer, spy(seen), every(1))
    trainer.train()
    (step,) = seen
    moved = torch.cat([(step.after[name] - step.before[name]).flatten() for name in step.before])
    gradient = torch.cat([value.flatten() for value in step.gradient.values()])
    assert gradient.norm() > 0.1
    torch.testing.assert_close(moved.norm(), torch.tensor(0.1 * 0.01), rtol=1e-3, atol=0)


def test_bf16_is_measured_in_float32_or_as_it_trains(tmp_path: Path) -> None:
    """In training's precision the loss is the trainer's, bit for bit; in float32 it is near it, and another."""
    trainer = trainer_of("gpt2", tmp_path, bf16=True)
    both = {p: attach(trainer, [landscape()], every(1), precision=p) for p in ("float32", "training")}
    trainer.train()
    assert_same(state_of(trainer), run("gpt2", tmp_path, False, bf16=True)[0])
    own = [loss.item() for loss in trainer.minimised]
    assert both["training"].read("landscape")["loss"].tolist() == own
    exact = both["float32"].read("landscape")["loss"]
    assert exact.tolist() != own
    np.testing.assert_allclose(exact, own, rtol=2**-8)


def test_a_resumed_run_goes_on_from_its_step(tmp_path: Path) -> None:
    """The truth is the run that was not interrupted: the same rows at the same steps, and none twice."""
    rows = {}
    for name, until in ("whole", [6]), ("halves", [4, 6]):
        for last in until:
            trainer = trainer_of("gpt2", tmp_path / name, samples=3 * BATCH)
            trainer.args.save_strategy, trainer.args.save_steps = "steps", 3
            trainer.add_callback(stop_at(last))
            found = attach(trainer, [landscape()], every(1), to=tmp_path / name)
            trainer.train(resume_from_checkpoint=last != until[0])
        rows[name] = found.read("landscape")
    assert rows["whole"]["step"].tolist() == list(range(6))
    assert_same(rows["halves"], rows["whole"])


def stop_at(last: int) -> Any:
    class Stop(transformers.TrainerCallback):
        def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
            control.should_training_stop |= state.global_step == last

    return Stop()


def test_a_step_that_raises_leaves_a_trainer_that_can_train_and_be_measured(tmp_path: Path) -> None:
    """The truth is the class's own method, and the rows of a run that did not fail."""
    trainer = trainer_of("resnet", tmp_path, num_train_epochs=1, max_steps=2)
    rows = attach(trainer, [landscape()], every(1))
    whole, trainer.data_collator = trainer.data_collator, lambda _samples: 1 / 0
    with pytest.raises(ZeroDivisionError):
        trainer.train()
    trainer.data_collator = whole
    trainer.train()
    assert rows.read("landscape")["loss"].tolist() == [loss.item() for loss in trainer.minimised]
    assert "training_step" not in vars(trainer)


def test_a_step_that_a_scaler_skips_has_no_row(tmp_path: Path) -> None:
    """Scaled by 2^127, gradients are infinite; the truth is the trainer's count, of a step that was not taken too."""
    trainer = trainer_of("gpt2", tmp_path, max_steps=4)
    trainer.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127, backoff_factor=2.0**-120)
    rows = attach(trainer, [landscape()], every(1))
    trainer.train()
    assert trainer.state.global_step == 4
    assert rows.read("landscape")["step"].tolist() == [1, 2, 3]
    assert rows.read("landscape")["loss"].tolist() == [loss.item() for loss in trainer.minimised[1:]]


def test_mistakes_are_told_before_training(tmp_path: Path) -> None:
    """Where they are made, not when a model has been loaded and data prepared."""
    trainer = trainer_of("resnet", tmp_path)
    with pytest.raises(TypeError, match="nonempty list"):
        attach(trainer, [])
    with pytest.raises(ValueError, match="precision must be one of"):
        attach(trainer, [landscape()], precision="half")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"call trainer\.train"):
        attach(trainer, [landscape()]).read("landscape")
    trainer.args._n_gpu = 2
    with pytest.raises(ValueError, match=r"found .* 2 GPUs in this process"):
        trainer.callback_handler.on_train_begin(trainer.args, trainer.state, trainer.control)


def test_a_copied_callback_measures_nothing(tmp_path: Path) -> None:
    """It was attached to the original's trainer, which goes on: against the rows of a run that was not copied."""
    name = "resnet"
    trainer, plain = trainer_of(name, tmp_path / "a"), trainer_of(name, tmp_path / "b")
    rows, expected = attach(trainer, [landscape()], every(2)), attach(plain, [landscape()], every(2))
    copies = copy.deepcopy(rows), pickle.loads(pickle.dumps(rows))
    trainer.train()
    plain.train()
    assert rows.read("landscape")["beta"].tolist() == expected.read("landscape")["beta"].tolist()
    for each in copies:
        with pytest.warns(UserWarning, match="is a copy of the one that attach"):
            each.on_train_begin(None, None)
        with pytest.raises(ValueError, match="is a copy"):
            each.read("landscape")


def test_an_alert_that_stops_ends_the_training_in_the_trainers_own_way(tmp_path: Path) -> None:
    """By construction its third reading is an alarm: three steps are taken of twelve, and no error leaves `train`."""
    trainer = trainer_of("gpt2", tmp_path)
    watched = alert("landscape/loss", above=-1.0, sustained=3, then=stop)
    callback = attach(trainer, [landscape()], every(1), alerts=[watched])
    trainer.train()
    assert trainer.state.global_step == 3
    assert callback.recorder is not None
    assert [alarm.step for alarm in callback.recorder.alarms] == [2]
