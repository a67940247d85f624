import math
from pathlib import Path

import pytest
import torch
from models import batch, cross_entropy, everything
from torch import nn

from clinometer import NORMS, Recorder, Step, Store, activations, at, every, internal_shift, landscape
from clinometer.nn.norms import apply_norm


def attach(when: object = None, **options: object) -> tuple[nn.Module, torch.optim.Optimizer, Recorder]:
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    options = {"probes": [landscape()], "optimizer": optimizer} | options
    return model, optimizer, Recorder(model, cross_entropy, when=when or every(3), **options)  # type: ignore[arg-type]


def train(model: nn.Module, optimizer: torch.optim.Optimizer, recorder: Recorder, steps: int) -> list[float]:
    losses = []
    for index in range(steps):
        with recorder.step(batch(index)):
            loss = cross_entropy(model, batch(index))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def test_rows_hold_the_training_loss_bit_for_bit() -> None:
    """The truth is what the loop itself computed, with dropout and BatchNorm."""
    model, optimizer, recorder = attach()
    losses = train(model, optimizer, recorder, 7)
    rows = recorder.read("landscape")
    assert rows["step"].tolist() == [0, 3, 6]
    assert rows["loss"].tolist() == [losses[0], losses[3], losses[6]]


def test_a_step_sees_the_update_that_was_really_made() -> None:
    """after − before = −lr · gradient is what SGD does by definition; float32 subtraction rounds to 1e-6."""
    seen: list[Step] = []
    model, optimizer, recorder = attach(probes={"seen": lambda step: (seen.append(step), {})[1]})
    train(model, optimizer, recorder, 1)
    (step,) = seen
    assert (step.index, step.lr) == (0, 0.1)
    for name in step.before:
        moved = step.after[name] - step.before[name]
        torch.testing.assert_close(moved, -0.1 * step.gradient[name], rtol=1e-4, atol=1e-6)


def test_off_schedule_nothing_is_called() -> None:
    """Counted: a loss that is not called costs nothing."""
    calls: list[int] = []
    model = everything()
    recorder = Recorder(model, lambda *_: calls.append(1), [internal_shift()], at(5))  # type: ignore[arg-type,return-value]
    blocks = [recorder.step(batch()) for _ in range(5)]
    assert not calls
    assert blocks[0] is blocks[1], "one shared object that does nothing"


def test_a_recorder_without_probes_keeps_the_loops_own_rows() -> None:
    """Some runs of a study are trained and not measured: counted, the loss is called by the loop alone."""
    calls: list[int] = []
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, lambda *_: calls.append(1), {}, {}, optimizer=optimizer)  # type: ignore[arg-type,return-value]
    losses = train(model, optimizer, recorder, 3)
    recorder.store.append(2, {"train": {"loss": losses[2]}})
    assert not calls
    assert recorder.read("train")["loss"].tolist() == [losses[2]]
    assert recorder.state_dict()["index"] == 3


def test_rows_are_on_disk_as_they_happen(tmp_path: Path) -> None:
    """Read through a second connection while the run goes on: what a kill would leave."""
    model, optimizer, recorder = attach(to=tmp_path / "mine", when=every(1))
    train(model, optimizer, recorder, 2)
    other = Store(tmp_path / "mine" / "rows.sqlite", read_only=True)
    assert other.read("landscape")["step"].tolist() == [0, 1]


def test_another_runs_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Mixed rows of two runs could never be told apart again."""
    model, optimizer, recorder = attach(to=tmp_path)
    train(model, optimizer, recorder, 1)
    with pytest.raises(ValueError, match="rows of another run, up to step 0"):
        attach(to=tmp_path)
    assert recorder.read("landscape")["step"].tolist() == [0]


def test_a_resumed_run_goes_on_from_its_step(tmp_path: Path) -> None:
    """Rows from the checkpoint's step on are about to be made again, and must not stand twice."""
    model, optimizer, recorder = attach(to=tmp_path, when=every(1))
    train(model, optimizer, recorder, 4)
    again = attach(to=tmp_path, when=every(1), start=2)
    train(*again, 1)
    assert again[2].read("landscape")["step"].tolist() == [0, 1, 2]


def test_an_error_in_the_step_is_the_users_and_is_passed_on() -> None:
    """Nothing was trained, so there is nothing to measure."""
    _, _, recorder = attach()
    with pytest.raises(KeyError), recorder.step(batch()):
        raise KeyError
    assert recorder.store.last_step() is None


def test_sizes_are_multiples_of_the_learning_rate_as_scheduled() -> None:
    """A schedule halves lr between steps: each walk must use the lr of its own step."""
    model, optimizer, recorder = attach(when=every(1), probes=[landscape(sizes=[1.0, 2.0])])
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    for index in range(2):
        with recorder.step(batch(index)):
            cross_entropy(model, batch(index)).backward()
            optimizer.step()
            optimizer.zero_grad()
        scheduler.step()
    torch.testing.assert_close(
        torch.from_numpy(recorder.read("landscape")["sizes"]), torch.tensor([[0.1, 0.2], [0.05, 0.1]])
    )


def test_a_warmup_from_zero_is_recorded_as_nothing_to_see() -> None:
    """At lr 0 the walk stands still: NaN, not a crash of the run and not a zero."""
    model, optimizer, recorder = attach()
    optimizer.param_groups[0]["lr"] = 0.0
    losses = train(model, optimizer, recorder, 1)
    rows = recorder.read("landscape")
    assert rows["loss"].tolist() == losses
    assert math.isnan(rows["beta"][0])
    assert math.isnan(rows["loss_min"][0])


def test_landscape_without_a_learning_rate_says_so() -> None:
    """A multiple of nothing has no length."""
    with pytest.raises(ValueError, match="pass optimizer="):
        attach(optimizer=None)
    model, optimizer, recorder = attach(optimizer=None, probes=[landscape([0.1], relative=False)])
    train(model, optimizer, recorder, 1)
    assert recorder.read("landscape")["sizes"].item() == pytest.approx(0.1)


@pytest.mark.parametrize("sizes", [[], [0.0], [math.nan]])
def test_landscape_refuses_sizes_before_the_run(sizes: list[float]) -> None:
    """An hour into the run is too late."""
    with pytest.raises(ValueError, match="`sizes` must"):
        landscape(sizes)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"probes": [activations(["typo"])]}, "no module 'typo'; it has 'first'"),
        ({"probes": [internal_shift(only=["typo"])]}, "no layer 'typo'; there are first"),
        ({"probes": [internal_shift({"a": ("typo",)})]}, "names 'typo'"),
        ({"probes": []}, "nonempty list or mapping"),
        ({"probes": landscape()}, "nonempty list or mapping"),
        ({"when": 100}, r"a schedule such as every\(100\); found 100"),
        ({"optimizer": "sgd"}, "torch optimizer or a list of them; found 'sgd'"),
        ({"start": -5}, "start must be 0 or more"),
    ],
)
def test_what_could_not_work_later_is_refused_now(bad: dict[str, object], words: str) -> None:
    """The first scheduled step may be hours away."""
    with pytest.raises((TypeError, ValueError), match=words):
        attach(**bad)


def test_a_probe_that_was_not_made_is_named() -> None:
    """`landscape` makes probes; given itself, it would take the step for its sizes."""
    model, optimizer, recorder = attach(probes=[lambda _step: landscape()])
    with pytest.raises(TypeError, match=r"returned a probe; expected a mapping .* probes=\[landscape\(\)\]"):
        train(model, optimizer, recorder, 1)


def test_the_landscape_lies_downhill() -> None:
    """Closed form on ½·4·w² at w = 1, lr 0.1: sizes 0.05 to 0.4 along −g = −4 give w = 0.8, 0.6, 0.2, −0.6."""
    model = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(model.weight, 1.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, lambda m, x: 2 * m(x).square().sum(), [landscape()], every(1), optimizer=optimizer)
    x = torch.ones(1, 1, dtype=torch.float64)
    with recorder.step(x):
        (2 * model(x).square().sum()).backward()
        optimizer.step()
    rows = recorder.read("landscape")
    assert rows["losses"][0].tolist() == pytest.approx([2 * w**2 for w in (0.8, 0.6, 0.2, -0.6)])
    assert rows["distances"][0].tolist() == pytest.approx([0.2, 0.4, 0.8, 1.6])
    assert rows["beta_lr_half"].item() == pytest.approx(0.2)


def test_two_probes_of_one_name_need_names() -> None:
    """Their rows would overwrite each other."""
    with pytest.raises(ValueError, match="two probes are named 'landscape'; pass a mapping"):
        attach(probes=[landscape(), landscape([1.0])])


def test_activation_rows_are_padded_to_the_widest_layer() -> None:
    """The shapes by hand: norm has 8 units, head has 4."""
    model, optimizer, recorder = attach(probes=[activations(["norm", "head"], bins=5), internal_shift()])
    train(model, optimizer, recorder, 4)
    rows = recorder.read("activations")
    assert rows["mean"].shape == (2, 2, 8)
    assert rows["counts"].shape == (2, 2, 5)
    assert rows["counts"].sum() == 2 * 2 * 16
    assert torch.isnan(torch.from_numpy(rows["mean"][:, 1])).sum(1).tolist() == [4, 4]
    assert rows["layer"][0].tolist() == ["norm", "head"]
    assert recorder.read("internal_shift")["l2"].shape == (2, 4)


@pytest.mark.parametrize("name", [name for name in NORMS if name != "instance"])  # it needs space
def test_every_norm_can_be_measured(name: str) -> None:
    """A new row of NORMS is covered by being there: finite numbers, and the loop's own loss."""
    torch.manual_seed(0)
    model = nn.Sequential(apply_norm(nn.Linear(6, 5), name), nn.Tanh(), nn.Linear(5, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, cross_entropy, [landscape()], every(1), optimizer=optimizer)
    losses = train(model, optimizer, recorder, 3)
    rows = recorder.read("landscape")
    assert rows["loss"].tolist() == losses
    assert torch.isfinite(torch.from_numpy(rows["beta"])).all()
