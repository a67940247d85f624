"""Alerts on a living run: what is said, kept and done, and that the run is otherwise the same."""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models import batch, cross_entropy, everything
from properties import assert_same, exact, traces
from torch import nn

from clinometer import Field, Recorder, Step, Store, alert, every, headroom, landscape, load
from clinometer.recorder import sinks
from clinometer.recorder.alerts.actions import StopTraining, lower_lr, stop
from clinometer.recorder.alerts.alarm import Alarm
from clinometer.recorder.alerts.alarm_rows import alarms_in, as_row
from clinometer.store import Row

JUMP, STEPS = 30, 45  # from where on the rate is ten times as high, and where the run ends


def moves(step: Step) -> Row:
    """How far each of the tensors moved: ten times as far from `JUMP` on."""
    return {
        "block": [name for name, value in step.before.items() if value.is_floating_point()],
        "norm": [float((step.after[n] - v).norm()) for n, v in step.before.items() if v.is_floating_point()],
    }


moves.fields = {"block": Field(("block",), kind="text"), "norm": Field(("block",))}  # type: ignore[attr-defined]


def on_moves(**options: Any) -> Any:
    return alert("moves/norm", **{"rises": True, "window": 16, "lag": 4, "sustained": 3} | options)


def loop(alerts: Any = (), start: int = 0, end: int = STEPS, before: Any = None, **options: Any) -> Iterator[Any]:
    """Yields the recorder before each step, so that a test may look on or resume."""
    model = everything()
    del model.average
    model.register_buffer("average", torch.zeros(8))  # among what a checkpoint holds
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    if before:
        model.load_state_dict(before[0]), optimizer.load_state_dict(before[1]), torch.set_rng_state(before[3])
    probes = {"moves": moves}
    recorder = Recorder(
        model, cross_entropy, probes, every(1), optimizer=optimizer, alerts=alerts, start=start, **options
    )
    if before:
        recorder.load_state_dict(before[2])
    for index in range(start, end):
        if index == JUMP:
            optimizer.param_groups[0]["lr"] = 0.1
        yield index, model, optimizer, recorder
        with recorder.step(batch(index)):
            cross_entropy(model, batch(index)).backward()
            optimizer.step()
            optimizer.zero_grad()
    yield end, model, optimizer, recorder


def ran(*args: Any, **options: Any) -> tuple[nn.Module, torch.optim.Optimizer, Recorder]:
    *_, (_, model, optimizer, recorder) = loop(*args, **options)
    return model, optimizer, recorder


def test_an_alarm_is_logged_once_and_kept(caplog: pytest.LogCaptureFixture) -> None:
    """The rate is ten times as high from step 30 on, and so is each block's step: said at the third reading."""
    _, _, recorder = ran([on_moves()])
    (said,) = recorder.alarms
    assert [(record.name, record.levelname, record.getMessage()) for record in caplog.records] == [
        ("clinometer", "WARNING", str(said))
    ]
    assert re.match(r"step 32: moves/norm of \S+ is .*, \d.* times its usual .*, since step 30\. ", str(said))
    assert (said.step, said.since, said.alert) == (32, 30, "norm rises")
    assert set(said.ranking) == set(recorder.read("moves")["block"][0])
    assert said.value / said.usual == pytest.approx(10, rel=0.5)
    assert recorder.store.rows()["alarms"][32]["message"].tolist() == [str(said)]


def test_replayed_over_stored_rows_it_says_the_same() -> None:
    """The same object, reading what is in the store after the run: so scores are made without training again."""
    _, _, recorder = ran([on_moves()])
    again = on_moves()
    replayed = [again.see(step, {"moves": row}) for step, row in recorder.store.rows("moves")["moves"].items()]
    assert exact([each for each in replayed if each]) == exact(recorder.alarms)


def test_the_run_is_the_same_bit_for_bit() -> None:
    """The truth is the run without alerts, in every bit that a run consists of, random streams included."""
    watched, bare = ([on_moves(), on_moves(name="b", falls=True, rises=False)], [])

    def bits(alerts: Any) -> dict[str, Any]:
        model, optimizer, _ = ran(alerts)
        return {name: value for name, value in traces(model, optimizer).items() if name != "identities"}

    assert_same(bits(watched), bits(bare))


@pytest.mark.parametrize("cut", [10, 31, 32, 33, 40])
def test_resumed_is_uninterrupted(cut: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Killed at any step and gone on with from a checkpoint: the rows, alarms among them, are those of one go."""
    _, _, whole = ran([on_moves()], to=tmp_path / "whole")
    caplog.clear()
    for index, model, optimizer, recorder in loop([on_moves()], to=tmp_path / "parts"):  # noqa: B007
        if index == cut:
            break
    state = (model.state_dict(), optimizer.state_dict(), recorder.state_dict(), torch.get_rng_state())
    recorder.store.close()
    *_, (_, _, _, resumed) = loop([on_moves()], start=cut, before=state, to=tmp_path / "parts")
    assert len(caplog.records) == 1
    assert resumed.store.digest(STEPS) == whole.store.digest(STEPS)
    assert exact(resumed.alarms) == exact(whole.alarms)
    assert_same(resumed.state_dict()["measurement"], whole.state_dict()["measurement"])


def test_stop_ends_the_training_after_all_else(caplog: pytest.LogCaptureFixture) -> None:
    """In order: the rows are in the store, the sinks have them, the alarms are logged, other actions are done."""
    done: list[str] = []

    def sink(step: int, rows: Mapping[str, Row]) -> None:
        done.extend(["sink"] if "alarms" in rows else [])

    def note(alarm: Alarm) -> None:
        done.append(f"then at {alarm.step} after {len(caplog.records)} lines")

    alerts = [on_moves(then=stop), on_moves(name="other", then=note)]
    with pytest.raises(StopTraining, match="step 32") as end:
        for _, _, _, recorder in loop(alerts, sinks=[sink]):  # noqa: B007
            pass
    assert done == ["sink", "then at 32 after 2 lines"]
    assert [alarm.alert for alarm in recorder.alarms] == ["norm rises", "other"]
    assert end.value.alarm.alert == "norm rises"
    assert recorder.index == 33
    assert recorder.read("moves")["step"].tolist() == list(range(33))


def test_a_lowered_rate_is_the_next_steps() -> None:
    """By definition: step 33 is the first whose rate is half, and a scheduler's base is halved with it."""
    rates = [each.param_groups[0]["lr"] for _, _, each, _ in loop([on_moves(then=lower_lr(0.5))])]
    assert rates[JUMP:33] == [0.1] * 3
    assert rates[33:] == [0.05] * (STEPS - 32)


def test_lowered_rates_outlast_a_scheduler_that_is_passed() -> None:
    """Torch's LambdaLR computes each rate from its base: 1.0 · 0.5 from then on."""
    parameter = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([parameter], lr=torch.tensor(1.0))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
    lower_lr(0.5, scheduler=scheduler).on([optimizer])(Alarm(0, "a", "p/x", "x", "rises"))
    optimizer.step(), scheduler.step()
    assert float(optimizer.param_groups[0]["lr"]) == 0.5


def test_an_action_that_fails_costs_a_warning() -> None:
    """The run goes on to its end: the same error of a measurement would cost a row, and this none."""

    def fails(_alarm: Alarm) -> None:
        raise ConnectionError("no pager")

    with pytest.warns(UserWarning, match="at an alarm failed") as seen:
        *_, (index, _, _, recorder) = loop([on_moves(then=fails)])
    assert "at an alarm failed (ConnectionError: no pager). Training goes on." in str(seen[0].message)
    assert index == STEPS
    assert len(recorder.read("moves")["step"]) == STEPS


def test_what_a_signal_handler_raises_is_not_kept() -> None:
    """A time-out that comes during an action is the user's own."""

    def late(_alarm: Alarm) -> None:
        raise TimeoutError("out of time")

    with pytest.raises(TimeoutError):
        for _ in loop([on_moves(then=late)]):
            pass


def test_an_alert_that_cannot_read_its_first_row_raises() -> None:
    """A probe that declares nothing is known by its first row: the mistake shows there, not after a day."""
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    own = {"own": lambda step: {"x": 1.0}}  # noqa: ARG005
    recorder = Recorder(model, cross_entropy, own, every(1), optimizer=optimizer, alerts=[alert("own/y", above=1)])
    recorder.step(batch())
    cross_entropy(model, batch()).backward()
    with pytest.raises(ValueError, match="an alert reads own/y, and the rows of own hold x"):
        optimizer.step()


@pytest.mark.parametrize(
    ("alerts", "said"),
    [
        ([alert("headrom/loss", below=1)], "Did you mean 'headroom/loss'.*Without a probe 'headrom'"),
        ([alert("headroom/los", below=1)], "Did you mean 'headroom/loss'"),
        ([alert("headroom_blocks/block", below=1)], "'headroom_blocks/block', which none of the probes records"),
        ([alert("landscape/losses", below=1), alert("a/b", above=1)], "'a/b', which none of the probes records"),
        ([alert("headroom/loss", below=1), alert("headroom/loss", below=2)], "two alerts are named 'loss below'"),
    ],
)
def test_an_alert_on_what_is_not_recorded_is_refused(alerts: Any, said: str) -> None:
    """Before a step is taken, with the names that could be read."""
    probes = [landscape(), headroom(), headroom(blocks="layers")]
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=said):
        Recorder(model, cross_entropy, probes, optimizer=optimizer, alerts=alerts)


def test_what_is_no_alert_is_refused() -> None:
    """The function itself, a name, and one alert without a list."""
    model = everything()
    for alerts in ([alert], ["headroom/loss"], "headroom/loss", alert("headroom/loss", below=1)):
        with pytest.raises(TypeError, match=r"alert"):
            Recorder(model, cross_entropy, [headroom()], alerts=alerts)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="pass optimizer= to Recorder"):
        Recorder(model, cross_entropy, [headroom()], alerts=[alert("headroom/loss", below=1, then=lower_lr(0.5))])
    with pytest.raises(ValueError, match="a probe is named 'alarms'"):
        Recorder(model, cross_entropy, {"alarms": moves}, alerts=[alert("alarms/norm", above=1)])


def test_the_summary_says_not_yet_and_how_many() -> None:
    """By the settings: 20 readings are needed, and 12 are there."""
    _, _, recorder = ran([on_moves()], end=12)
    assert "alert 'norm rises': not yet, it needs 8 more readings of moves/norm" in recorder.summary()
    _, _, recorder = ran([on_moves()])
    assert "alarms: 1, the last at step 32 (norm rises)" in recorder.summary()


def test_two_recorders_do_not_share_what_an_alert_remembers() -> None:
    """The same alert in two runs: the second says what a new one would."""
    shared = on_moves()
    _, _, first = ran([shared])
    _, _, second = ran([shared])
    assert exact(first.alarms) == exact(second.alarms)
    assert shared.waits_for == 20


def test_trackers_get_numbers_and_words(tmp_path: Path) -> None:
    """Read back by TensorBoard's own reader."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    _, _, recorder = ran([on_moves()], sinks=[sinks.tensorboard(tmp_path)])
    events = accumulator.EventAccumulator(str(tmp_path))
    events.Reload()
    (value,) = events.Scalars("alarms/value/norm rises")
    assert (value.step, value.value) == (32, pytest.approx(recorder.alarms[0].value))
    (words,) = [event for tag in events.Tags()["tensors"] for event in events.Tensors(tag)]
    assert words.tensor_proto.string_val[0].decode() == str(recorder.alarms[0])


def test_two_alarms_at_one_step_are_two_entries(tmp_path: Path) -> None:
    """And an alarm without blocks reads back as it was, through the file and as a data set."""
    said = [
        Alarm(3, "a", "p/x", "x", "rises", "b.0", ("b.0", "c"), 3.0, 1.0, 2, math.nan, 1.0, "wait"),
        Alarm(3, "b", "p/y", "y", "below", value=0.5, limit=1.0),
    ]
    _, _, recorder = ran([on_moves()], to=tmp_path, end=1)
    recorder.store.append(3, {"alarms": as_row(said)})
    assert exact(alarms_in(Store(tmp_path / "rows.sqlite", read_only=True))) == exact(said)
    recorder.store.append(4, {"alarms": as_row(said[:1])})
    data = pytest.importorskip("xarray") and load(tmp_path)
    assert np.isnan(data["alarms_value"].sel(step=4, alert="b").item())


def test_each_step_is_seen_once_where_weights_move_after_the_optimizer() -> None:
    """The loop clips its weights: from the second step on rows are measured late, and one step is measured twice.

    Counted by what the alert remembers. An alarm is then said, and acted on, as the next step begins.
    """
    model = everything()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watched = alert("landscape/loss", above=-1.0, sustained=5, then=stop)
    recorder = Recorder(model, cross_entropy, [landscape()], every(1), optimizer=optimizer, alerts=[watched])
    begun: list[int] = []

    def clipped_steps() -> None:
        for index in range(8):
            begun.append(index)
            with recorder.step(batch(index)):
                cross_entropy(model, batch(index)).backward()
                optimizer.step()
                optimizer.zero_grad()
            for p in model.head.parameters():
                p.data.clamp_(-0.1, 0.1)

    with pytest.raises(StopTraining, match="step 4: landscape/loss"):
        clipped_steps()
    assert begun == [0, 1, 2, 3, 4, 5]
    assert recorder.state_dict()["measurement"]["alerts"]["loss above"]["steps"] == [0, 1, 2, 3, 4]
