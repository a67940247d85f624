"""`LandscapeCallback` in Lightning's own Trainer: runs as most are."""

import copy
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from properties import assert_same, traces

pytest.importorskip("transformers")
pytest.importorskip("lightning.pytorch")

from lit import BATCH, QUIET, Losses, Watched, fit
from tiny import NETWORKS, network

from clinometer import Probe, Step, alert, every, headroom, landscape
from clinometer.recorder.alerts.actions import stop
from clinometer.recorder.integrations.lightning import LandscapeCallback

pytestmark = QUIET


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


def test_a_copied_callback_measures_anew_and_a_pickled_one_nothing(tmp_path: Path) -> None:
    """Lightning copies callbacks for folds and pickles them for processes; rows are those of a callback of its own."""
    callback = LandscapeCallback([landscape()], every(2))
    run("resnet", tmp_path / "a", callback)
    copied, pickled = copy.deepcopy(callback), pickle.loads(pickle.dumps(callback))
    with pytest.raises(ValueError, match="there are no rows in this process"):
        copied.read("landscape")
    run("resnet", tmp_path / "b", copied)
    assert copied.read("landscape")["beta"].tolist() == callback.read("landscape")["beta"].tolist()
    with pytest.warns(UserWarning, match="was unpickled, and measures nothing"):
        run("resnet", tmp_path / "c", pickled)
    with pytest.raises(ValueError, match="was unpickled"):
        pickled.read("landscape")


def test_an_alert_that_stops_ends_the_fit_in_lightnings_own_way(tmp_path: Path) -> None:
    """By construction its third reading is an alarm: three steps are taken of twelve, and no error leaves `fit`."""
    net, data = network("gpt2", 6 * BATCH)
    watched = alert("landscape/loss", above=-1.0, sustained=3, then=stop)
    callback = LandscapeCallback([landscape()], every(1), alerts=[watched])
    trainer = fit(Watched(net), data, callback, to=tmp_path)
    assert trainer.global_step == 3
    assert callback.recorder is not None
    assert [alarm.step for alarm in callback.recorder.alarms] == [2]


def test_an_alert_on_what_is_not_recorded_is_refused_before_data_are_prepared() -> None:
    """When the callback is made, not when training starts."""
    with pytest.raises(ValueError, match="'headroom/loss', which none of the probes records"):
        LandscapeCallback([landscape()], alerts=[alert("headroom/loss", below=1)])
